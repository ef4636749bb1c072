"""What an alarm's data says about its state now: read, compared, and put in words."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cloudlet.services.cloudwatch.alarm_decision import BREACHES, decide, evaluation_range
from cloudlet.services.cloudwatch.alarm_reasons import datapoints_to_alarm, reason, reason_data
from cloudlet.services.cloudwatch.alarms import Alarm
from cloudlet.services.cloudwatch.datapoints import MINUTE, period_samples, without_units
from cloudlet.services.cloudwatch.math_evaluation import Evaluation
from cloudlet.services.cloudwatch.metric_queries import Query, read_queries
from cloudlet.services.cloudwatch.metrics import MetricId, find_metric, sorted_dimensions
from cloudlet.services.cloudwatch.statistics import is_low_sample, statistic
from cloudlet.store import Reader

_HIGH_RESOLUTION_SECONDS = 10
# An alarm's initial reason, which the first look at its data replaces even where the state stays.
_UNCHECKED = "Unchecked:"


@dataclass(frozen=True, slots=True)
class Watched:
    """Which metrics an alarm looks at, how often, and in periods of how many seconds."""

    metrics: tuple[MetricId, ...]
    interval: int
    period: int


@dataclass(frozen=True, slots=True)
class Outcome:
    """The state that an alarm is to go into, and why."""

    alarm: Alarm
    state: str
    reason: str
    reason_data: str


@dataclass(frozen=True, slots=True)
class _Points:
    """Values by the start of their period; `counts` where it is known from how many samples."""

    values: Mapping[int, float]
    counts: Mapping[int, float]
    low_samples: frozenset[int]


def watched(alarm: Alarm) -> Watched:
    configuration = alarm.configuration
    if "Metrics" in configuration:
        stats = [query.stat for query in _queries(alarm) if query.stat is not None]
        metrics, period = tuple(stat.metric for stat in stats), max(stat.period for stat in stats)
    else:
        metrics, period = (_metric(alarm),), configuration["Period"]
    return Watched(metrics, _HIGH_RESOLUTION_SECONDS if period < MINUTE else MINUTE, period)


def outcome(reader: Reader, alarm: Alarm, now: float) -> Outcome | None:
    """None where the alarm stays as it is. Only periods that are over are looked at."""
    configuration = alarm.configuration
    watching = watched(alarm)
    period, periods = watching.period, configuration["EvaluationPeriods"]
    end = int(now // watching.interval) * watching.interval
    times = [end - number * period for number in range(1, evaluation_range(periods) + 1)]
    found = _math_points(reader, alarm, times[-1], end, now) if "Metrics" in configuration else None
    points = found or _single_points(reader, alarm, times[-1], end, now)
    compare = BREACHES[configuration["ComparisonOperator"]]
    treatment = _treatment(alarm)
    evaluated = decide(
        [points.values.get(time) for time in times],
        lambda value: compare(value, configuration["Threshold"]),
        periods,
        datapoints_to_alarm(configuration),
        treatment,
    )
    real = [time for time in times if time in points.values][: max(len(evaluated.points), 1)]
    if evaluated.state is None or (points.low_samples & set(real)):
        return None
    if evaluated.state == alarm.state and not alarm.state_reason.startswith(_UNCHECKED):
        return None
    shown = [(time, points.values[time]) for time in real] or [(time, None) for time in times[:periods]]
    return Outcome(
        alarm,
        evaluated.state,
        reason(evaluated, real, evaluated.state, configuration, treatment),
        reason_data(shown, points.counts, configuration, period, now),
    )


def _single_points(reader: Reader, alarm: Alarm, start: int, end: int, now: float) -> _Points:
    configuration = alarm.configuration
    metric = find_metric(reader, _metric(alarm))
    name = configuration.get("Statistic") or configuration["ExtendedStatistic"]
    compute = statistic(name)
    if metric is None or compute is None:
        return _Points({}, {}, frozenset())
    found = without_units(
        period_samples(reader, metric, start, end, configuration["Period"], now=now, unit=configuration.get("Unit"))
    )
    values = {time: value for time, samples in found.items() if (value := compute(samples)) is not None}
    ignored = configuration.get("EvaluateLowSampleCountPercentile") == "ignore"
    low = frozenset(time for time, samples in found.items() if ignored and is_low_sample(name, samples))
    return _Points(values, {time: samples.count for time, samples in found.items()}, low)


def _math_points(reader: Reader, alarm: Alarm, start: int, end: int, now: float) -> _Points:
    """Raises ValidationError for an expression that makes no sense of this data."""
    queries = _queries(alarm)
    [watching] = [query.id for query in queries if query.returned]
    series = Evaluation(reader, alarm.place, queries, lambda period: start, end, now).series_of(watching)
    return _Points(series[0].values if series else {}, {}, frozenset())


def _metric(alarm: Alarm) -> MetricId:
    configuration = alarm.configuration
    dimensions = sorted_dimensions(configuration.get("Dimensions", ()))
    return MetricId(*alarm.place, configuration["Namespace"], configuration["MetricName"], dimensions)


def _queries(alarm: Alarm) -> list[Query]:
    return read_queries(alarm.place, alarm.configuration["Metrics"], "Metrics")


def _treatment(alarm: Alarm) -> str:
    """Where DynamoDB says nothing, nothing happened: its alarms stay as they are."""
    configuration: Mapping[str, Any] = alarm.configuration
    if configuration.get("Namespace") == "AWS/DynamoDB":
        return "ignore"
    return configuration.get("TreatMissingData", "missing")
