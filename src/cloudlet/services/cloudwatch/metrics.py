"""What a metric is called, and its row."""

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import orjson

from cloudlet.core.metrics import Dimensions
from cloudlet.store import Reader, Transaction


class MetricId(NamedTuple):
    """A metric of an account and region. `dimensions` are sorted by name."""

    account: str
    region: str
    namespace: str
    name: str
    dimensions: Dimensions

    def described(self) -> dict[str, Any]:
        """As AWS shows it."""
        return {
            "Namespace": self.namespace,
            "MetricName": self.name,
            "Dimensions": [{"Name": name, "Value": value} for name, value in self.dimensions],
        }

    def row(self) -> tuple[str, str, str, str, str]:
        return self.account, self.region, self.namespace, self.name, orjson.dumps(self.dimensions).decode()


def sorted_dimensions(given: Iterable[Mapping[str, str]]) -> Dimensions:
    return tuple(sorted((each["Name"], each["Value"]) for each in given))


def metric_of_row(row: tuple[Any, ...]) -> MetricId:
    """Of the columns account, region, namespace, name and dimensions."""
    dimensions = tuple((name, value) for name, value in orjson.loads(row[4]))
    return MetricId(row[0], row[1], row[2], row[3], dimensions)


def find_metric(reader: Reader, metric: MetricId) -> int | None:
    """The id of its row, None for a metric without data."""
    row = reader.one(
        "SELECT id FROM metric WHERE account = ? AND region = ? AND namespace = ? AND name = ? AND dimensions = ?",
        metric.row(),
    )
    return None if row is None else row[0]


def put_metric(tx: Transaction, metric: MetricId, time: float) -> int:
    """The id of its row, which is made at its first data point. `time` is that of the data point at hand."""
    key = metric.row()
    row = tx.one(
        "SELECT id, last_time FROM metric"
        " WHERE account = ? AND region = ? AND namespace = ? AND name = ? AND dimensions = ?",
        key,
    )
    if row is None:
        return tx.insert(
            "INSERT INTO metric (account, region, namespace, name, dimensions, last_time) VALUES (?, ?, ?, ?, ?, ?)",
            (*key, time),
        )
    if time > row[1]:
        tx.execute("UPDATE metric SET last_time = ? WHERE id = ?", (time, row[0]))
    return row[0]
