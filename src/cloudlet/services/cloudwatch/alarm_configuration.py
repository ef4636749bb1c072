"""What PutMetricAlarm and PutCompositeAlarm are given: its rules, and what is kept of it."""

from collections.abc import Mapping, Sequence
from typing import Any

from cloudlet.core.arn import Arn
from cloudlet.core.errors import AwsError, NotImplementedByCloudlet
from cloudlet.services.cloudwatch.alarm_decision import BREACHES
from cloudlet.services.cloudwatch.alarm_rules import parse_rule
from cloudlet.services.cloudwatch.alarms import ACTIONS
from cloudlet.services.cloudwatch.errors import validation_error
from cloudlet.services.cloudwatch.math_syntax import calls_in
from cloudlet.services.cloudwatch.metric_queries import read_queries
from cloudlet.services.cloudwatch.statistics import statistic

_KEPT = ("AlarmDescription", "ActionsEnabled", *ACTIONS.values())
_SINGLE_METRIC = ("MetricName", "Namespace", "Dimensions", "Period", "Unit", "Statistic", "ExtendedStatistic")
_EVALUATION = (
    "EvaluationPeriods",
    "DatapointsToAlarm",
    "Threshold",
    "ComparisonOperator",
    "TreatMissingData",
    "EvaluateLowSampleCountPercentile",
)
_SUPPRESSION = ("ActionsSuppressor", "ActionsSuppressorWaitPeriod", "ActionsSuppressorExtensionPeriod")
_NOT_HERE = ("ThresholdMetricId", "EvaluationCriteria", "EvaluationInterval", "WarmUpConfiguration")
_TREATMENTS = ("breaching", "notBreaching", "ignore", "missing")
_DAY = 86400
_LARGEST_TAGS = 50


def metric_alarm(place: tuple[str, str], params: Mapping[str, Any]) -> dict[str, Any]:
    """The configuration of a metric alarm. Raises ValidationError, or NotImplemented for what is not here."""
    _refuse(params)
    _check_name(params["AlarmName"])
    _check_actions(place, params)
    for member in ("EvaluationPeriods", "ComparisonOperator", "Threshold"):
        _require(params, member)
    if params["ComparisonOperator"] not in BREACHES:
        raise NotImplementedByCloudlet("alarms on anomaly detection")
    period = _check_metrics(place, params) if params.get("Metrics") else _check_single_metric(params)
    _check_evaluation(params, period)
    return {member: params[member] for member in (*_KEPT, *_SINGLE_METRIC, *_EVALUATION, "Metrics") if member in params}


def composite_alarm(place: tuple[str, str], params: Mapping[str, Any]) -> dict[str, Any]:
    """The configuration of a composite alarm. Raises ValidationError, or NotImplemented for what is not here."""
    _refuse(params)
    _check_name(params["AlarmName"])
    _check_actions(place, params)
    parse_rule(params["AlarmRule"])
    if params.get("ActionsSuppressor"):
        for member in _SUPPRESSION[1:]:
            _require(params, member)
            if params[member] < 0:
                raise validation_error(f"{member} must not be negative")
    elif any(member in params for member in _SUPPRESSION[1:]):
        raise validation_error("ActionsSuppressor is required with ActionsSuppressorWaitPeriod and ExtensionPeriod")
    return {member: params[member] for member in (*_KEPT, "AlarmRule", *_SUPPRESSION) if params.get(member) is not None}


def given_tags(params: Mapping[str, Any]) -> dict[str, str]:
    return checked_tags({tag["Key"]: tag["Value"] for tag in params.get("Tags") or ()})


def checked_tags(tags: dict[str, str]) -> dict[str, str]:
    """Raises for more than fifty, or one that AWS keeps to itself."""
    if len(tags) > _LARGEST_TAGS:
        raise AwsError("InvalidParameterValueException", f"A resource can have at most {_LARGEST_TAGS} tags.")
    if any(key.lower().startswith("aws:") for key in tags):
        raise AwsError("InvalidParameterValueException", "Tag keys must not start with aws:.")
    return tags


def _refuse(params: Mapping[str, Any]) -> None:
    for member in _NOT_HERE:
        if params.get(member) is not None:
            raise NotImplementedByCloudlet(f"the {member} of alarms")
    if "WallClockWindow" in (params.get("EvaluationWindow") or {}):
        raise NotImplementedByCloudlet("the WallClockWindow of alarms")
    if (params.get("ActionConfiguration") or {}).get("AlarmTagsPropagation", {}).get("Enabled"):
        raise NotImplementedByCloudlet("the AlarmTagsPropagation of alarms")


def _check_name(name: str) -> None:
    if any(ord(character) < 32 or ord(character) == 127 for character in name):
        raise validation_error("AlarmName must not contain ASCII control characters")


def _check_actions(place: tuple[str, str], params: Mapping[str, Any]) -> None:
    for member in ACTIONS.values():
        for action in params.get(member) or ():
            _check_action(place, action)


def _check_action(place: tuple[str, str], action: str) -> None:
    try:
        arn = Arn.parse(action)
    except ValueError:
        raise validation_error(f"Invalid arn syntax: {action}") from None
    if arn.service not in ("sns", "lambda"):
        raise NotImplementedByCloudlet(f"the alarm action {action}")
    if arn.region != place[1]:
        raise validation_error(f"Invalid region {arn.region} specified. Only {place[1]} is supported.")
    if arn.service == "lambda" and not arn.resource.startswith("function:"):
        raise validation_error(f"Invalid arn syntax: {action}")


def _check_single_metric(params: Mapping[str, Any]) -> int:
    """Returns the period."""
    for member in ("MetricName", "Namespace", "Period"):
        _require(params, member)
    if ("Statistic" in params) == ("ExtendedStatistic" in params):
        raise validation_error("Exactly one of Statistic and ExtendedStatistic must be specified")
    extended = params.get("ExtendedStatistic")
    if extended is not None and statistic(extended) is None:
        raise validation_error(f"The value {extended} for parameter ExtendedStatistic is not supported.")
    period: int = params["Period"]
    if period not in (10, 20, 30) and period % 60:
        raise validation_error("Period must be 10, 20, 30 or a multiple of 60")
    return period


def _check_metrics(place: tuple[str, str], params: Mapping[str, Any]) -> int:
    """Returns the longest period of the metrics."""
    for member in _SINGLE_METRIC:
        if params.get(member):
            raise validation_error(f"{member} must not be specified together with Metrics")
    queries = read_queries(place, params["Metrics"], "Metrics")
    if sum(query.returned for query in queries) != 1:
        raise validation_error("Exactly one element of the metrics list should return data.")
    for query in queries:
        functions = {call.function for call in calls_in(query.expression)} if query.expression is not None else set()
        if "SEARCH" in functions:
            raise validation_error("SEARCH is not supported on Metric Alarms.")
    periods = [query.stat.period for query in queries if query.stat is not None]
    if not periods:
        raise validation_error("Metrics list must contain at least one metric")
    return max(periods)


def _check_evaluation(params: Mapping[str, Any], period: int) -> None:
    periods = params["EvaluationPeriods"]
    if params.get("DatapointsToAlarm", 0) > periods:
        raise validation_error("DatapointsToAlarm must be less than or equal to EvaluationPeriods")
    longest = _DAY if period < 3600 else 7 * _DAY
    if periods * period > longest:
        span = "a day" if longest == _DAY else "seven days"
        raise validation_error(
            f"Metrics cannot be checked across more than {span} (EvaluationPeriods * Period must be <= {longest})."
        )
    _check_choice(params, "TreatMissingData", _TREATMENTS)
    _check_choice(params, "EvaluateLowSampleCountPercentile", ("evaluate", "ignore"))
    if "EvaluateLowSampleCountPercentile" in params and "ExtendedStatistic" not in params:
        raise validation_error("EvaluateLowSampleCountPercentile can only be used with percentile statistics")


def _check_choice(params: Mapping[str, Any], member: str, choices: Sequence[str]) -> None:
    if params.get(member, choices[0]) not in choices:
        at = f"at '{member[:1].lower()}{member[1:]}' failed to satisfy constraint"
        raise validation_error(
            f"1 validation error detected: Value '{params[member]}' {at}:"
            f" Member must satisfy enum value set: [{', '.join(choices)}]"
        )


def _require(params: Mapping[str, Any], member: str) -> None:
    if params.get(member) is None:
        at = f"at '{member[:1].lower()}{member[1:]}' failed to satisfy constraint"
        raise validation_error(f"1 validation error detected: Value null {at}: Member must not be null")
