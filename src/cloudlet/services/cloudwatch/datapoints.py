"""Data points on disk: one row per metric, period and unit, which later data of the same period joins."""

from array import array
from collections.abc import Iterator, Mapping
from typing import Any

from cloudlet.core.metrics import Samples
from cloudlet.services.cloudwatch.datums import Datum
from cloudlet.services.cloudwatch.metrics import put_metric
from cloudlet.store import Reader, Transaction

MINUTE, FIVE_MINUTES, HOUR, DAY = 60, 300, 3600, 86400
# For how long data points of a resolution are kept before they become part of longer ones.
KEPT = {1: 3 * HOUR, MINUTE: 15 * DAY, FIVE_MINUTES: 63 * DAY, HOUR: 455 * DAY}
LONGER = {1: MINUTE, MINUTE: FIVE_MINUTES, FIVE_MINUTES: HOUR}

_COLUMNS = "count, sum, minimum, maximum, value_counts"


def put_datum(tx: Transaction, datum: Datum) -> None:
    metric = put_metric(tx, datum.metric, datum.time)
    put_samples(tx, metric, datum.time, datum.resolution, datum.unit, datum.samples)


def put_samples(tx: Transaction, metric: int, time: int, resolution: int, unit: str, new: Samples) -> None:
    row = tx.one(
        f"SELECT {_COLUMNS} FROM datapoint WHERE metric = ? AND time = ? AND resolution = ? AND unit = ?",
        (metric, time, resolution, unit),
    )
    if row is not None:
        merged = Samples()
        merge_row(merged, row)
        merged.merge_samples(new)
        new = merged
    tx.execute(
        f"INSERT OR REPLACE INTO datapoint (metric, time, resolution, unit, {_COLUMNS})"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (metric, time, resolution, unit, new.count, new.sum, new.minimum, new.maximum, _blob(new)),
    )


def merge_row(samples: Samples, row: tuple[Any, ...]) -> None:
    """Adds what a row has of count, sum, minimum, maximum and value_counts."""
    count, sum_, minimum, maximum, blob = row
    samples.merge(count, sum_, minimum, maximum, {minimum: count} if minimum == maximum else _values(blob))


def period_samples(
    reader: Reader, metric: int, start: float, end: float, period: int, *, now: float, unit: str | None = None
) -> dict[tuple[int, str], Samples]:
    """What was measured from `start` until before `end`, by the start of the period and the unit.

    Periods are counted from `start`. Data that is kept in longer periods than the one asked for is not found, nor is
    data older than three hours in periods of less than a minute.
    """
    begin = int(start)
    oldest = now - KEPT[1] if period < MINUTE else 0
    found: dict[tuple[int, str], Samples] = {}
    rows = reader.rows(
        f"SELECT time, resolution, unit, {_COLUMNS} FROM datapoint WHERE metric = ? AND time >= ? AND time < ?",
        (metric, max(begin, oldest), end),
    )
    for time, resolution, found_unit, *columns in rows:
        if (unit is not None and found_unit != unit) or (resolution > MINUTE and period % resolution):
            continue
        key = (begin + (time - begin) // period * period, found_unit)
        samples = found.get(key)
        if samples is None:
            samples = found[key] = Samples()
        merge_row(samples, tuple(columns))
    return found


def without_units(found: Mapping[tuple[int, str], Samples]) -> dict[int, Samples]:
    """Data of all units together."""
    merged: dict[int, Samples] = {}
    for (time, _), samples in found.items():
        if time in merged:
            merged[time].merge_samples(samples)
        else:
            merged[time] = samples
    return merged


def expired(reader: Reader, resolution: int, before: float, limit: int) -> list[tuple[Any, ...]]:
    """The oldest data points of a resolution that has had its time: metric, time, unit and what was measured."""
    return reader.all(
        f"SELECT metric, time, unit, {_COLUMNS} FROM datapoint WHERE resolution = ? AND time < ? ORDER BY time LIMIT ?",
        (resolution, before, limit),
    )


def oldest_times(reader: Reader) -> Iterator[tuple[int, int]]:
    """Each resolution with the time of its oldest data point."""
    for resolution in KEPT:
        row = reader.one("SELECT min(time) FROM datapoint WHERE resolution = ?", (resolution,))
        if row is not None and row[0] is not None:
            yield resolution, row[0]


def _blob(samples: Samples) -> bytes | None:
    if samples.minimum == samples.maximum or not samples.values:
        return None
    return array("d", [*samples.values.keys(), *samples.values.values()]).tobytes()


def _values(blob: bytes | None) -> dict[float, float]:
    if blob is None:
        return {}
    numbers = array("d")
    numbers.frombytes(blob)
    half = len(numbers) // 2
    return dict(zip(numbers[:half], numbers[half:], strict=True))
