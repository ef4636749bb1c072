"""Alarms, composite alarms and dashboards."""

import json
from typing import Any

from cloudlet.services.cloudformation.resources.resource_type import (
    Attributes,
    Context,
    Properties,
    ResourceType,
    changed,
    removed_tags,
)

_ACTIONS = ("ActionsEnabled", "AlarmActions", "AlarmDescription", "InsufficientDataActions", "OKActions")
_METRIC_ALARM = (
    "ComparisonOperator",
    "DatapointsToAlarm",
    "Dimensions",
    "EvaluateLowSampleCountPercentile",
    "EvaluationPeriods",
    "ExtendedStatistic",
    "MetricName",
    "Metrics",
    "Namespace",
    "Period",
    "Statistic",
    "Threshold",
    "ThresholdMetricId",
    "TreatMissingData",
    "Unit",
)
_COMPOSITE_ALARM = (
    "ActionsSuppressor",
    "ActionsSuppressorExtensionPeriod",
    "ActionsSuppressorWaitPeriod",
    "AlarmRule",
)


class _NamedAlarm(ResourceType):
    """What the two kinds of alarms have in common: the name is the physical id, and what is put replaces all."""

    immutable = frozenset(("AlarmName",))
    name_property = "AlarmName"
    tags = "list"
    operation = ""
    members: tuple[str, ...] = ()

    async def find(self, context: Context, name: str, properties: Properties) -> str | None:
        return name if await _alarm_arn(context, name) is not None else None

    async def create(self, context: Context, name: str, properties: Properties) -> str:
        await self._put(context, name, properties, with_tags=True)
        return name

    async def attributes(self, context: Context, physical_id: str, properties: Properties) -> Attributes:
        return {"Arn": _arn(context, physical_id)}

    async def update(self, context: Context, physical_id: str, before: Properties, after: Properties) -> None:
        if changed(before, after, *self.members):
            await self._put(context, physical_id, after, with_tags=False)
        await _update_tags(context, _arn(context, physical_id), before, after)

    async def delete(self, context: Context, physical_id: str, properties: Properties) -> None:
        await context.call_if_there("cloudwatch", "DeleteAlarms", {"AlarmNames": [physical_id]})

    async def _put(self, context: Context, name: str, properties: Properties, *, with_tags: bool) -> None:
        params = {member: properties[member] for member in self.members if member in properties}
        if with_tags and properties.get("Tags"):
            params["Tags"] = properties["Tags"]
        await context.call("cloudwatch", self.operation, {"AlarmName": name, **params})


class Alarm(_NamedAlarm):
    type = "AWS::CloudWatch::Alarm"
    properties = frozenset((*_ACTIONS, *_METRIC_ALARM, "AlarmName", "Tags"))
    required = frozenset(("ComparisonOperator", "EvaluationPeriods"))
    operation = "PutMetricAlarm"
    members = (*_ACTIONS, *_METRIC_ALARM)


class CompositeAlarm(_NamedAlarm):
    type = "AWS::CloudWatch::CompositeAlarm"
    properties = frozenset((*_ACTIONS, *_COMPOSITE_ALARM, "AlarmName", "Tags"))
    required = frozenset(("AlarmRule",))
    operation = "PutCompositeAlarm"
    members = (*_ACTIONS, *_COMPOSITE_ALARM)


class Dashboard(ResourceType):
    type = "AWS::CloudWatch::Dashboard"
    properties = frozenset(("DashboardBody", "DashboardName", "Tags"))
    required = frozenset(("DashboardBody",))
    immutable = frozenset(("DashboardName",))
    name_property = "DashboardName"
    tags = "list"

    async def find(self, context: Context, name: str, properties: Properties) -> str | None:
        found = await context.call_if_there("cloudwatch", "GetDashboard", {"DashboardName": name})
        return name if found is not None else None

    async def create(self, context: Context, name: str, properties: Properties) -> str:
        params: Properties = {"DashboardName": name, "DashboardBody": _text(properties["DashboardBody"])}
        if properties.get("Tags"):
            params["Tags"] = properties["Tags"]
        await context.call("cloudwatch", "PutDashboard", params)
        return name

    async def update(self, context: Context, physical_id: str, before: Properties, after: Properties) -> None:
        body = _text(after["DashboardBody"])
        await context.call("cloudwatch", "PutDashboard", {"DashboardName": physical_id, "DashboardBody": body})
        arn = f"arn:aws:cloudwatch::{context.account}:dashboard/{physical_id}"
        await _update_tags(context, arn, before, after)

    async def delete(self, context: Context, physical_id: str, properties: Properties) -> None:
        await context.call_if_there("cloudwatch", "DeleteDashboards", {"DashboardNames": [physical_id]})


async def _alarm_arn(context: Context, name: str) -> str | None:
    params = {"AlarmNames": [name], "AlarmTypes": ["MetricAlarm", "CompositeAlarm"]}
    answer = await context.call("cloudwatch", "DescribeAlarms", params)
    found = [*answer["MetricAlarms"], *answer["CompositeAlarms"]]
    return found[0]["AlarmArn"] if found else None


async def _update_tags(context: Context, arn: str, before: Properties, after: Properties) -> None:
    if gone := removed_tags(before, after):
        await context.call("cloudwatch", "UntagResource", {"ResourceARN": arn, "TagKeys": gone})
    if changed(before, after, "Tags") and after.get("Tags"):
        await context.call("cloudwatch", "TagResource", {"ResourceARN": arn, "Tags": after["Tags"]})


def _arn(context: Context, name: str) -> str:
    return f"arn:aws:cloudwatch:{context.region}:{context.account}:alarm:{name}"


def _text(body: Any) -> str:
    return body if isinstance(body, str) else json.dumps(body)


TYPES = (Alarm, CompositeAlarm, Dashboard)
