"""What services measure of themselves: gathered here per minute until CloudWatch takes it over."""

from collections import Counter
from collections.abc import Callable, Collection, Mapping
from functools import lru_cache
from typing import NamedTuple

_MINUTE = 60
# Distinct values that are kept of one metric in one period, for percentiles.
_MOST_VALUES = 1000
# Measurements that wait to be counted.
_MOST_PENDING = 256
# Minutes of metrics that are kept until they are taken over: were that to fail for long, no more are measured.
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


class Recorder:
    """Takes the measurements of one metric, a few at a time: to add one is all that a hot path does."""

    __slots__ = ("_begin", "_end", "_identity", "_metrics", "_pending", "_periods")

    def __init__(self, metrics: "Metrics", identity: "Identity") -> None:
        self._metrics = metrics
        self._identity = identity
        self._begin = self._end = 0
        self._pending: list[float] = []  # of the minute from `_begin` until `_end`
        self._periods: dict[int, Samples] = {}

    def add(self, value: float, time: float) -> None:
        """`time` is in epoch seconds."""
        if not self._begin <= time < self._end and not self._turn_to(time):
            return
        pending = self._pending
        pending.append(value)
        if len(pending) == _MOST_PENDING:
            self._fold()

    def take(self) -> "tuple[Identity, dict[int, Samples]]":
        """What was added since the last time, by minute."""
        self._fold()
        taken, self._periods = self._periods, {}
        self._begin = self._end = 0
        return self._identity, taken

    def _turn_to(self, time: float) -> bool:
        """False where too much is measured already."""
        self._fold()
        begin = int(time) // _MINUTE * _MINUTE
        if begin not in self._periods:
            if not self._metrics.admits(self, known=bool(self._periods)):
                return False
            self._periods[begin] = Samples()
        self._begin, self._end = begin, begin + _MINUTE
        return True

    def _fold(self) -> None:
        pending = self._pending
        if pending:
            self._periods[self._begin].merge(len(pending), sum(pending), min(pending), max(pending), Counter(pending))
            self._pending = []


class Identity(NamedTuple):
    """What a recorder records, and under which dimensions it counts."""

    place: Place
    namespace: str
    name: str
    dimension_sets: DimensionSets
    unit: str


class Metrics:
    """Measurements of AWS's own namespaces (`AWS/Lambda`).

    `on_first` is called when something is recorded after a time without.
    """

    def __init__(self) -> None:
        self._recorders: list[Recorder] = []  # those that have something
        self._periods = 0
        self._gauges: list[Gauge] = []
        self._recorder = lru_cache(4096)(self.recorder)
        self.on_first: Callable[[], None] = _nobody

    def recorder(self, place: Place, namespace: str, name: str, dimension_sets: DimensionSets, unit: str) -> Recorder:
        """For hot paths, which keep it at hand. `unit` is one of CloudWatch's (`Count`)."""
        return Recorder(self, Identity(place, namespace, name, dimension_sets, unit))

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
        """One measurement, where a recorder is not worth keeping. `time` is in epoch seconds."""
        self._recorder(place, namespace, name, dimension_sets, unit).add(value, time)

    def add_gauge(self, gauge: Gauge) -> None:
        self._gauges.append(gauge)

    def read_gauges(self, now: float) -> None:
        """To be called once a minute."""
        for gauge in self._gauges:
            gauge(now)

    def admits(self, recorder: Recorder, *, known: bool) -> bool:
        """A recorder asks whether it may begin a minute; `known` if it has others that were not taken yet."""
        if self._periods == _MOST_METRICS:
            return False
        self._periods += 1
        if not known:
            self._recorders.append(recorder)
        if self._periods == 1:
            self.on_first()
        return True

    def take(self) -> Collection[tuple[MetricKey, Samples]]:
        """All that was recorded since the last call, under each of its dimensions; it is the caller's to keep."""
        recorders, self._recorders, self._periods = self._recorders, [], 0
        found: dict[MetricKey, Samples] = {}
        for recorder in recorders:
            (place, namespace, name, dimension_sets, unit), periods = recorder.take()
            for minute, samples in periods.items():
                for dimensions in dimension_sets:
                    key = MetricKey(*place, namespace, name, tuple(sorted(dimensions)), unit, minute)
                    into = found.get(key)
                    if into is None:
                        into = found[key] = Samples()
                    into.merge_samples(samples)
        return found.items()


def _nobody() -> None:
    """Nobody takes over what is measured."""
