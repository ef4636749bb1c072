"""Data grows coarser with age, by the clock of the service, and goes in the end; what it adds up to stays the same."""

from collections.abc import AsyncIterator, Iterable
from pathlib import Path

import pytest

from cloudlet.core.clock import ManualClock
from cloudlet.core.metrics import Samples
from cloudlet.services import cloudwatch
from cloudlet.services.cloudwatch.datapoints import DAY, HOUR, MINUTE, period_samples, put_datum
from cloudlet.services.cloudwatch.datums import Datum
from cloudlet.services.cloudwatch.metrics import MetricId, find_metric
from cloudlet.services.cloudwatch.retention import Retention
from cloudlet.store import Store

METRIC = MetricId("000000000000", "us-east-1", "Shop", "Orders", ())
START = 1_699_999_200  # on an hour


class Aging:
    """Data that was put at `START`, and a clock that goes on from there."""

    def __init__(self, folder: Path) -> None:
        self.clock = ManualClock(float(START))
        self.store = Store(folder / "cloudwatch.db", Path(cloudwatch.__file__).with_name("schema.sql"))
        self._retention = Retention(self.store, self.clock)

    async def put(self, resolution: int, values: Iterable[float]) -> None:
        """One value in each period."""
        for number, value in enumerate(values):
            samples = Samples()
            samples.add(value)
            datum = Datum(METRIC, START + number * resolution, resolution, "Count", samples)
            await self.store.write(lambda tx, d=datum: put_datum(tx, d))

    async def after(self, seconds: float) -> list[tuple[int, int, float, float, float, float]]:
        """Time (from the start), resolution, count, sum, minimum and maximum of what there is then."""
        self.clock.advance(seconds)
        await self._retention._expire()  # what its background task does when something is due
        rows = self.store.reader.all(
            "SELECT time - ?, resolution, count, sum, minimum, maximum FROM datapoint ORDER BY time", (START,)
        )
        return [tuple(row) for row in rows]  # type: ignore[misc]

    def median(self, period: int) -> float:
        """Of the first period."""
        metric = find_metric(self.store.reader, METRIC)
        assert metric is not None
        found = period_samples(self.store.reader, metric, START, START + period, period, now=self.clock.now())
        values = sorted(found[START, "Count"].values.items())
        return values[len(values) // 2][0]


@pytest.fixture
async def aging(tmp_path: Path) -> AsyncIterator[Aging]:
    made = Aging(tmp_path)
    yield made
    made.store.close()


async def test_seconds_become_minutes_after_three_hours(aging: Aging) -> None:
    await aging.put(1, [float(value) for value in range(90)])
    assert len(await aging.after(3 * HOUR - 1)) == 90
    assert await aging.after(120) == [
        (0, MINUTE, 60, sum(range(60)), 0, 59),
        (60, MINUTE, 30, sum(range(60, 90)), 60, 89),
    ]


async def test_minutes_become_five_minutes_after_15_days(aging: Aging) -> None:
    await aging.put(MINUTE, [1.0, 2.0, 3.0, 4.0, 5.0, 6.0])
    assert len(await aging.after(15 * DAY)) == 6
    assert await aging.after(HOUR) == [(0, 300, 5, 15, 1, 5), (300, 300, 1, 6, 6, 6)]
    assert aging.median(300) == 3


async def test_five_minutes_become_hours_after_63_days_and_go_after_455(aging: Aging) -> None:
    await aging.put(300, [float(value) for value in range(13)])
    assert len(await aging.after(63 * DAY)) == 13
    hours = [(0, HOUR, 12, sum(range(12)), 0, 11), (HOUR, HOUR, 1, 12, 12, 12)]
    assert await aging.after(2 * HOUR) == hours
    assert aging.median(HOUR) == 6
    assert await aging.after((455 - 63) * DAY - 2 * HOUR) == hours
    assert find_metric(aging.store.reader, METRIC) is not None
    assert await aging.after(3 * HOUR) == []
    assert find_metric(aging.store.reader, METRIC) is None


async def test_data_that_is_old_when_it_is_found_takes_all_steps_at_once(aging: Aging) -> None:
    await aging.put(1, [float(value) for value in range(600)])
    assert await aging.after(100 * DAY) == [(0, HOUR, 600, sum(range(600)), 0, 599)]
