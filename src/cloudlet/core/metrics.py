"""What services measure of themselves: gathered here per minute until CloudWatch takes it over."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

_MINUTE = 60
# Distinct values that are kept of one metric in one minute, for percentiles; further ones count for the rest alone.
_MOST_VALUES = 1000

Dimensions = tuple[tuple[str, str], ...]


class MetricKey(NamedTuple):
    """One metric of one account and region in one minute (epoch seconds). `dimensions` are sorted by name."""

    account: str
    region: str
    namespace: str
    name: str
    dimensions: Dimensions
    unit: str
    minute: int


@dataclass(slots=True)
class Samples:
    """`values` holds how often each value was seen."""

    count: float = 0.0
    sum: float = 0.0
    minimum: float = float("inf")
    maximum: float = float("-inf")
    values: dict[float, float] = field(default_factory=dict[float, float])

    def add(self, value: float) -> None:
        self.count += 1
        self.sum += value
        if value < self.minimum:
            self.minimum = value
        if value > self.maximum:
            self.maximum = value
        if value in self.values or len(self.values) < _MOST_VALUES:
            self.values[value] = self.values.get(value, 0.0) + 1


class Metrics:
    """Measurements of AWS's own namespaces (`AWS/Lambda`). Recording is cheap: it stands on hot paths."""

    def __init__(self) -> None:
        self._samples: dict[MetricKey, Samples] = {}

    def record(
        self,
        place: tuple[str, str],
        namespace: str,
        name: str,
        dimensions: Dimensions,
        value: float,
        unit: str,
        time: float,
    ) -> None:
        """`place` is the account and the region, `time` in epoch seconds, `unit` one of CloudWatch's (`Count`)."""
        key = MetricKey(*place, namespace, name, dimensions, unit, int(time) // _MINUTE * _MINUTE)
        samples = self._samples.get(key)
        if samples is None:
            samples = self._samples[key] = Samples()
        samples.add(value)

    def take(self) -> Iterable[tuple[MetricKey, Samples]]:
        """All that was recorded since the last call; it is the caller's to keep."""
        taken, self._samples = self._samples, {}
        return taken.items()
