"""What services measure of themselves: gathered here per minute until CloudWatch takes it over."""

from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

_MINUTE = 60
# Distinct values that are kept of one metric in one period, for percentiles.
_MOST_VALUES = 1000
# Metrics that are kept until they are taken over: were that to fail for long, new ones are not measured any more.
_MOST_METRICS = 100_000

Dimensions = tuple[tuple[str, str], ...]
# The dimensions under which one measurement counts: `((("FunctionName", "f"),), ())` for a function and for all.
DimensionSets = tuple[Dimensions, ...]
# Account and region.
Place = tuple[str, str]
# Asked for the state of things (the length of a queue) once a minute; records it. The argument is the time.
Gauge = Callable[[float], None]


class MetricKey(NamedTuple):
    """One metric of one account and region in one minute (epoch seconds). `dimensions` are sorted by name."""

    account: str
    region: str
    namespace: str
    name: str
    dimensions: Dimensions
    unit: str
    minute: int


class Samples:
    """Measurements of one period, by what is asked of them.

    `values` holds how often each value was seen. It tells of all `count` samples, unless some came as bare statistics.
    """

    __slots__ = ("count", "maximum", "minimum", "sum", "values")

    def __init__(self) -> None:
        self.count = 0.0
        self.sum = 0.0
        self.minimum = float("inf")
        self.maximum = float("-inf")
        self.values: dict[float, float] = {}

    def add(self, value: float) -> None:
        self.count += 1
        self.sum += value
        if value < self.minimum:
            self.minimum = value
        if value > self.maximum:
            self.maximum = value
        values = self.values
        values[value] = values.get(value, 0.0) + 1
        if len(values) > _MOST_VALUES:
            self.values = squeezed(values)

    def merge(self, count: float, sum_: float, minimum: float, maximum: float, values: Mapping[float, float]) -> None:
        """Adds others of the same metric."""
        self.count += count
        self.sum += sum_
        self.minimum = min(self.minimum, minimum)
        self.maximum = max(self.maximum, maximum)
        for value, times in values.items():
            self.values[value] = self.values.get(value, 0.0) + times
        if len(self.values) > _MOST_VALUES:
            self.values = squeezed(self.values)

    def merge_samples(self, other: "Samples") -> None:
        self.merge(other.count, other.sum, other.minimum, other.maximum, other.values)


def squeezed(values: Mapping[float, float]) -> dict[float, float]:
    """At most half as many values: neighbours become their mean, as long as none stands for more than 1/250 of all."""
    most = sum(values.values()) / (_MOST_VALUES / 4)
    found: dict[float, float] = {}
    total = times = 0.0
    for value, count in sorted(values.items()):
        if times and times + count > most:
            found[total / times] = times
            total = times = 0.0
        total += value * count
        times += count
    found[total / times] = times
    return found


class Metrics:
    """Measurements of AWS's own namespaces (`AWS/Lambda`). Recording is cheap: it stands on hot paths.

    `on_first` is called when something is recorded after a time without.
    """

    def __init__(self) -> None:
        self._samples: dict[tuple[Place, str, str, DimensionSets, str, int], Samples] = {}
        self._gauges: list[Gauge] = []
        self.on_first: Callable[[], None] = _nobody

    def record(
        self,
        place: Place,
        namespace: str,
        name: str,
        dimension_sets: DimensionSets,
        value: float,
        unit: str,
        time: float,
    ) -> None:
        """`time` is in epoch seconds, `unit` one of CloudWatch's (`Count`).

        The caller keeps `dimension_sets` at hand: to make them anew each time costs more than the recording.
        """
        key = (place, namespace, name, dimension_sets, unit, int(time) // _MINUTE)
        samples = self._samples.get(key)
        if samples is None:
            samples = self._new(key)
        samples.add(value)

    def add_gauge(self, gauge: Gauge) -> None:
        self._gauges.append(gauge)

    def read_gauges(self, now: float) -> None:
        """To be called once a minute."""
        for gauge in self._gauges:
            gauge(now)

    def take(self) -> Iterable[tuple[MetricKey, Samples]]:
        """All that was recorded since the last call, under each of its dimensions; it is the caller's to keep."""
        taken, self._samples = self._samples, {}
        found: dict[MetricKey, Samples] = {}
        for (place, namespace, name, dimension_sets, unit, minute), samples in taken.items():
            for dimensions in dimension_sets:
                key = MetricKey(*place, namespace, name, tuple(sorted(dimensions)), unit, minute * _MINUTE)
                into = found.get(key)
                if into is None:
                    into = found[key] = Samples()
                into.merge_samples(samples)
        return found.items()

    def _new(self, key: tuple[Place, str, str, DimensionSets, str, int]) -> Samples:
        samples = Samples()
        if len(self._samples) < _MOST_METRICS:
            if not self._samples:
                self.on_first()
            self._samples[key] = samples
        return samples


def _nobody() -> None:
    """Nobody takes over what is measured."""
