"""What state an alarm's data means: M out of N data points, and what missing ones count as."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from cloudlet.services.cloudwatch.alarms import ALARM, INSUFFICIENT_DATA, OK

BREACHES: Mapping[str, Callable[[float, float], bool]] = {
    "GreaterThanOrEqualToThreshold": lambda value, threshold: value >= threshold,
    "GreaterThanThreshold": lambda value, threshold: value > threshold,
    "LessThanThreshold": lambda value, threshold: value < threshold,
    "LessThanOrEqualToThreshold": lambda value, threshold: value <= threshold,
}
# Beyond the evaluation periods, so many are looked at for data points in the place of missing ones.
_LOOKING_BACK = 2


@dataclass(frozen=True, slots=True)
class Evaluated:
    """What was decided, from which data points (the latest first, None for a missing one) and how many were filled in.

    `state` is None where the alarm stays as it is.
    """

    state: str | None
    points: Sequence[float | None]
    missing: int


def evaluation_range(evaluation_periods: int) -> int:
    """How many periods are looked at."""
    return evaluation_periods + _LOOKING_BACK


def decide(
    points: Sequence[float | None],
    breaches: Callable[[float], bool],
    evaluation_periods: int,
    datapoints_to_alarm: int,
    treat_missing_data: str,
) -> Evaluated:
    """`points` are the values of the evaluation range, the latest first, None where there is none."""
    real = [point for point in points if point is not None]
    if len(real) >= evaluation_periods:
        evaluated = real[:evaluation_periods]
        breaching = sum(map(breaches, evaluated))
        return Evaluated(ALARM if breaching >= datapoints_to_alarm else OK, evaluated, 0)
    missing = evaluation_periods - len(real)
    breaching = sum(map(breaches, real))
    if treat_missing_data == "breaching":
        state = ALARM if breaching + missing >= datapoints_to_alarm else OK
    elif breaching >= datapoints_to_alarm:
        state = ALARM
    elif treat_missing_data == "notBreaching" or breaching < len(real):
        state = OK
    elif treat_missing_data == "ignore":
        state = None
    elif not real:
        state = INSUFFICIENT_DATA
    else:
        state = _with_breaching_alone(points, datapoints_to_alarm)
    return Evaluated(state, real or points[:evaluation_periods], missing)


def _with_breaching_alone(points: Sequence[float | None], datapoints_to_alarm: int) -> str | None:
    """All that is there breaches, but it is not enough: an alarm only if it began long enough ago."""
    oldest = max(age for age, point in enumerate(points, 1) if point is not None)
    return ALARM if oldest >= datapoints_to_alarm else None
