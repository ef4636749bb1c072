"""Why an alarm is in its state, in AWS's words and as JSON."""

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from cloudlet.services.cloudwatch.alarm_decision import Evaluated
from cloudlet.services.cloudwatch.alarms import ALARM, INSUFFICIENT_DATA

_COMPARED = {
    "GreaterThanOrEqualToThreshold": "greater than or equal to",
    "GreaterThanThreshold": "greater than",
    "LessThanThreshold": "less than",
    "LessThanOrEqualToThreshold": "less than or equal to",
}
_TREATED = {"breaching": "Breaching", "notBreaching": "NonBreaching", "ignore": "Ignored", "missing": "Missing"}
_MOST_SHOWN = 5


def alarm_time(seconds: float) -> str:
    """`2026-01-31T23:59:59.000+0000`"""
    moment = datetime.fromtimestamp(seconds, UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03d}+0000"


def reason(
    evaluated: Evaluated, times: Sequence[int], state: str, configuration: Mapping[str, Any], treat_missing_data: str
) -> str:
    """`times` are those of the evaluated data points that are there."""
    periods, needed = configuration["EvaluationPeriods"], datapoints_to_alarm(configuration)
    missing = evaluated.missing
    if state == INSUFFICIENT_DATA:
        return f"Insufficient Data: {_count(missing, 'datapoint', 'was', 'were')} unknown."
    treated = f"treated as [{_TREATED[treat_missing_data]}]"
    real = [point for point in evaluated.points if point is not None]
    if not real:
        received = f"no datapoints were received for {_count(missing, 'period')}"
        return f"Threshold Crossed: {received} and {_count(missing, 'missing datapoint', 'was', 'were')} {treated}."
    shown = ", ".join(
        f"{java_number(point)} ({datetime.fromtimestamp(time, UTC):%d/%m/%y %H:%M:%S})"
        for point, time in list(zip(real, times, strict=True))[:_MOST_SHOWN]
    )
    verb = "was" if len(real) == 1 else "were"
    negated = "" if state == ALARM else "not "
    compared = f"{verb} {negated}{_COMPARED[configuration['ComparisonOperator']]} the threshold"
    filled = f" and {_count(missing, 'missing datapoint', 'was', 'were')} {treated}" if missing else ""
    least = needed if state == ALARM else periods - needed + 1
    change = "OK -> ALARM" if state == ALARM else "ALARM -> OK"
    return (
        f"Threshold Crossed: {len(real)} out of the last {periods} datapoints [{shown}] {compared}"
        f" ({java_number(configuration['Threshold'])}){filled} (minimum {_count(least, 'datapoint')} for {change}"
        " transition)."
    )


def reason_data(
    points: Sequence[tuple[int, float | None]],
    counts: Mapping[int, float],
    configuration: Mapping[str, Any],
    period: int,
    now: float,
) -> str:
    """`points` are the evaluated ones with their times, the latest first; `counts` the samples at a time."""
    real = [(time, value) for time, value in points if value is not None]
    data: dict[str, Any] = {"version": "1.0", "queryDate": alarm_time(now)}
    if real:
        data["startDate"] = alarm_time(real[-1][0])
    if configuration.get("Unit"):
        data["unit"] = configuration["Unit"]
    statistic = configuration.get("Statistic") or configuration.get("ExtendedStatistic")
    if statistic:
        data["statistic"] = statistic
    data |= {
        "period": period,
        "recentDatapoints": [value for _, value in reversed(real)],
        "threshold": float(configuration["Threshold"]),
        "evaluatedDatapoints": [_evaluated(time, value, counts.get(time)) for time, value in points],
    }
    return json.dumps(data, separators=(",", ":"))


def datapoints_to_alarm(configuration: Mapping[str, Any]) -> int:
    return configuration.get("DatapointsToAlarm") or configuration["EvaluationPeriods"]


def java_number(value: float) -> str:
    """A double as AWS's own language prints it: `70.0`, `1.0E7`."""
    number = float(value)
    if number == 0 or 1e-3 <= abs(number) < 1e7:
        return repr(number)
    mantissa, _, exponent = f"{Decimal(repr(number)).normalize():E}".partition("E")
    return f"{mantissa if '.' in mantissa else mantissa + '.0'}E{int(exponent)}"


def _evaluated(time: int, value: float | None, count: float | None) -> dict[str, Any]:
    found: dict[str, Any] = {"timestamp": alarm_time(time)}
    if count is not None:
        found["sampleCount"] = count
    if value is not None:
        found["value"] = value
    return found


def _count(number: int, noun: str, one: str = "", several: str = "") -> str:
    """`1 datapoint was`, `2 datapoints were`."""
    words = f"{number} {noun}{'' if number == 1 else 's'}"
    verb = one if number == 1 else several
    return f"{words} {verb}" if verb else words
