"""What topics, functions and event buses hear of an alarm, in AWS's forms."""

import json
from collections.abc import Mapping
from functools import cache
from typing import Any
from uuid import uuid4

from botocore.loaders import Loader

from cloudlet.services.cloudwatch.alarm_reasons import alarm_time
from cloudlet.services.cloudwatch.alarms import ACTIONS, COMPOSITE, Alarm

_LONGEST_SUBJECT = 100


def subject(alarm: Alarm) -> str:
    """`ALARM: "cpu" in US East (N. Virginia)`, with as much of the name as there is room for."""
    text = f'{alarm.state}: "{alarm.name}" in {region_name(alarm.region)}'
    if len(text) <= _LONGEST_SUBJECT:
        return text
    room = len(alarm.name) - (len(text) - _LONGEST_SUBJECT) - 3
    return f'{alarm.state}: "{alarm.name[:room]}..." in {region_name(alarm.region)}'


def topic_message(before: Alarm, after: Alarm) -> str:
    configuration = after.configuration
    message: dict[str, Any] = {
        "AlarmName": after.name,
        "AlarmDescription": configuration.get("AlarmDescription"),
        "AWSAccountId": after.account,
        "AlarmConfigurationUpdatedTimestamp": alarm_time(after.updated),
        "NewStateValue": after.state,
        "NewStateReason": after.state_reason,
        "StateChangeTime": alarm_time(after.state_updated),
        "Region": region_name(after.region),
        "AlarmArn": after.arn,
        "OldStateValue": before.state,
        **{member: list(configuration.get(member, ())) for member in ACTIONS.values()},
    }
    if after.kind == COMPOSITE:
        message["AlarmRule"] = configuration["AlarmRule"]
        message["TriggeringChildren"] = [
            {"Arn": child["arn"], "State": {"Value": child["state"]["value"], "Timestamp": child["state"]["timestamp"]}}
            for child in _reason_data(after).get("triggeringAlarms", ())
        ]
    else:
        message["Trigger"] = _trigger(configuration)
    return json.dumps(message, separators=(",", ":"), ensure_ascii=False)


def function_event(before: Alarm, after: Alarm) -> dict[str, Any]:
    return {
        "source": "aws.cloudwatch",
        "alarmArn": after.arn,
        "accountId": after.account,
        "time": alarm_time(after.state_updated),
        "region": after.region,
        "alarmData": {
            "alarmName": after.name,
            "state": _state(after),
            "previousState": _state(before),
            "configuration": _configuration(after),
        },
    }


def state_change_event(before: Alarm, after: Alarm) -> dict[str, Any]:
    """The detail of a `CloudWatch Alarm State Change`."""
    return {
        "alarmName": after.name,
        "state": _state(after),
        "previousState": _state(before),
        "configuration": _configuration(after),
    }


def configuration_change_event(alarm: Alarm, operation: str) -> dict[str, Any]:
    """The detail of a `CloudWatch Alarm Configuration Change`; `operation` is create, update or delete."""
    configuration: dict[str, Any] = {
        "alarmName": alarm.name,
        "actionsEnabled": alarm.actions_enabled,
        "timestamp": alarm_time(alarm.updated),
        "okActions": list(alarm.actions("OK")),
        "alarmActions": list(alarm.actions("ALARM")),
        "insufficientDataActions": list(alarm.actions("INSUFFICIENT_DATA")),
        **_configuration(alarm),
    }
    for member in ("EvaluationPeriods", "DatapointsToAlarm", "Threshold", "ComparisonOperator", "TreatMissingData"):
        if member in alarm.configuration:
            configuration[_camel(member)] = alarm.configuration[member]
    return {
        "alarmName": alarm.name,
        "operation": operation,
        "state": _state(alarm),
        "configuration": configuration,
    }


@cache
def region_name(region: str) -> str:
    """`US East (N. Virginia)`; the region itself where it is none of AWS's."""
    partitions: list[dict[str, Any]] = Loader().load_data("endpoints")["partitions"]  # type: ignore[no-untyped-call]
    names = {code: known["description"] for each in partitions for code, known in each["regions"].items()}
    return names.get(region, region)


def _trigger(configuration: Mapping[str, Any]) -> dict[str, Any]:
    trigger: dict[str, Any] = {}
    if "Metrics" in configuration:
        trigger["Metrics"] = [_query(query) for query in configuration["Metrics"]]
        periods = [query["MetricStat"]["Period"] for query in configuration["Metrics"] if "MetricStat" in query]
        trigger["Period"] = max(periods)
    else:
        extended = configuration.get("ExtendedStatistic")
        trigger |= {
            "MetricName": configuration["MetricName"],
            "Namespace": configuration["Namespace"],
            "StatisticType": "ExtendedStatistic" if extended else "Statistic",
            **({"ExtendedStatistic": extended} if extended else {"Statistic": _STATISTICS[configuration["Statistic"]]}),
            "Unit": configuration.get("Unit"),
            "Dimensions": _dimensions(configuration.get("Dimensions", ())),
            "Period": configuration["Period"],
        }
    trigger["EvaluationPeriods"] = configuration["EvaluationPeriods"]
    if "DatapointsToAlarm" in configuration:
        trigger["DatapointsToAlarm"] = configuration["DatapointsToAlarm"]
    return trigger | {
        "ComparisonOperator": configuration["ComparisonOperator"],
        "Threshold": float(configuration["Threshold"]),
        "TreatMissingData": configuration.get("TreatMissingData", "missing"),
        "EvaluateLowSampleCountPercentile": configuration.get("EvaluateLowSampleCountPercentile", ""),
    }


_STATISTICS = {
    "SampleCount": "SAMPLE_COUNT",
    "Average": "AVERAGE",
    "Sum": "SUM",
    "Minimum": "MINIMUM",
    "Maximum": "MAXIMUM",
}


def _dimensions(given: Any) -> list[dict[str, str]]:
    return [{"value": each["Value"], "name": each["Name"]} for each in given]


def _query(given: Mapping[str, Any]) -> dict[str, Any]:
    query = {**given, "ReturnData": given.get("ReturnData", True)}
    if "MetricStat" in given:
        stat = given["MetricStat"]
        metric = {**stat["Metric"], "Dimensions": _dimensions(stat["Metric"].get("Dimensions", ()))}
        query["MetricStat"] = {**stat, "Metric": metric}
    return query


def _state(alarm: Alarm) -> dict[str, Any]:
    state: dict[str, Any] = {"value": alarm.state, "reason": alarm.state_reason}
    if alarm.state_reason_data is not None:
        state["reasonData"] = alarm.state_reason_data
    return state | {"timestamp": alarm_time(alarm.state_updated)}


def _configuration(alarm: Alarm) -> dict[str, Any]:
    given = alarm.configuration
    described = {"description": given["AlarmDescription"]} if "AlarmDescription" in given else {}
    if alarm.kind == COMPOSITE:
        members = ("AlarmRule", "ActionsSuppressor", "ActionsSuppressorWaitPeriod", "ActionsSuppressorExtensionPeriod")
        return described | {_camel(member): given[member] for member in members if member in given}
    if "Metrics" in given:
        return described | {"metrics": [_event_query(query) for query in given["Metrics"]]}
    metric = {
        "namespace": given["Namespace"],
        "name": given["MetricName"],
        "dimensions": {each["Name"]: each["Value"] for each in given.get("Dimensions", ())},
    }
    stat: dict[str, Any] = {
        "metric": metric,
        "period": given["Period"],
        "stat": given.get("Statistic") or given["ExtendedStatistic"],
    }
    if given.get("Unit"):
        stat["unit"] = given["Unit"]
    return described | {"metrics": [{"id": str(uuid4()), "metricStat": stat, "returnData": True}]}


def _event_query(given: Mapping[str, Any]) -> dict[str, Any]:
    query: dict[str, Any] = {"id": given["Id"]}
    for member in ("Expression", "Label", "Period"):
        if member in given:
            query[_camel(member)] = given[member]
    if "MetricStat" in given:
        stat = given["MetricStat"]
        metric = stat["Metric"]
        query["metricStat"] = {
            "metric": {
                "namespace": metric["Namespace"],
                "name": metric["MetricName"],
                "dimensions": {each["Name"]: each["Value"] for each in metric.get("Dimensions", ())},
            },
            "period": stat["Period"],
            "stat": stat["Stat"],
        }
    return query | {"returnData": given.get("ReturnData", True)}


def _reason_data(alarm: Alarm) -> Mapping[str, Any]:
    """Empty where somebody has set the state by hand."""
    try:
        found = json.loads(alarm.state_reason_data or "{}")
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _camel(member: str) -> str:
    return member[:1].lower() + member[1:]
