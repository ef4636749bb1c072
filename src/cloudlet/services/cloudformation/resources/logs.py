"""Log groups, log streams, their filters, and the policies of who may write to them."""

import asyncio
from typing import Any, ClassVar

from cloudlet.core.errors import AwsError
from cloudlet.services.cloudformation.resources.resource_type import (
    Attributes,
    Context,
    Properties,
    ResourceType,
    changed,
    removed_tags,
    tag_map,
)


class LogGroup(ResourceType):
    type = "AWS::Logs::LogGroup"
    properties = frozenset(
        ("DeletionProtectionEnabled", "KmsKeyId", "LogGroupClass", "LogGroupName", "RetentionInDays", "Tags")
    )
    immutable = frozenset(("LogGroupName",))
    name_property = "LogGroupName"
    longest_name = 512
    tags = "list"

    async def find(self, context: Context, name: str, properties: Properties) -> str | None:
        token: Properties = {}
        while True:
            page = await context.call("logs", "DescribeLogGroups", {"logGroupNamePrefix": name, **token})
            if any(each["logGroupName"] == name for each in page.get("logGroups", [])):
                return name
            if not page.get("nextToken"):
                return None
            token = {"nextToken": page["nextToken"]}

    async def create(self, context: Context, name: str, properties: Properties) -> str:
        params: Properties = {"logGroupName": name}
        for name_, member in _LOG_GROUP_MEMBERS.items():
            if name_ in properties:
                params[member] = properties[name_]
        if "Tags" in properties:
            params["tags"] = tag_map(properties)
        await context.call("logs", "CreateLogGroup", params)
        await self.adopt(context, name, properties)
        return name

    async def adopt(self, context: Context, physical_id: str, properties: Properties) -> None:
        if "RetentionInDays" in properties:
            await _retain(context, physical_id, properties["RetentionInDays"])

    async def attributes(self, context: Context, physical_id: str, properties: Properties) -> Attributes:
        return {"Arn": f"{_arn(context, physical_id)}:*"}

    async def update(self, context: Context, physical_id: str, before: Properties, after: Properties) -> None:
        if changed(before, after, "RetentionInDays"):
            if "RetentionInDays" in after:
                await _retain(context, physical_id, after["RetentionInDays"])
            else:
                await context.call("logs", "DeleteRetentionPolicy", {"logGroupName": physical_id})
        if changed(before, after, "DeletionProtectionEnabled"):
            protected = after.get("DeletionProtectionEnabled", False)
            params = {"logGroupIdentifier": physical_id, "deletionProtectionEnabled": protected}
            await context.call("logs", "PutLogGroupDeletionProtection", params)
        arn = _arn(context, physical_id)
        if gone := removed_tags(before, after):
            await context.call("logs", "UntagResource", {"resourceArn": arn, "tagKeys": gone})
        if tag_map(after) != tag_map(before) and tag_map(after):
            await context.call("logs", "TagResource", {"resourceArn": arn, "tags": tag_map(after)})

    async def delete(self, context: Context, physical_id: str, properties: Properties) -> None:
        await context.call("logs", "DeleteLogGroup", {"logGroupName": physical_id})


def _arn(context: Context, name: str) -> str:
    return f"arn:aws:logs:{context.region}:{context.account}:log-group:{name}"


async def _retain(context: Context, name: str, days: Any) -> None:
    await context.call("logs", "PutRetentionPolicy", {"logGroupName": name, "retentionInDays": days})


_LOG_GROUP_MEMBERS = {
    "DeletionProtectionEnabled": "deletionProtectionEnabled",
    "KmsKeyId": "kmsKeyId",
    "LogGroupClass": "logGroupClass",
}


class LogStream(ResourceType):
    type = "AWS::Logs::LogStream"
    properties = frozenset(("LogGroupName", "LogStreamName"))
    required = frozenset(("LogGroupName",))
    immutable = properties
    name_property = "LogStreamName"
    longest_name = 512

    async def find(self, context: Context, name: str, properties: Properties) -> str | None:
        params = {"logGroupName": properties["LogGroupName"], "logStreamNamePrefix": name, "limit": 1}
        return await _found(context, "DescribeLogStreams", params, "logStreams", "logStreamName", name)

    async def create(self, context: Context, name: str, properties: Properties) -> str:
        params = {"logGroupName": properties["LogGroupName"], "logStreamName": name}
        await context.call("logs", "CreateLogStream", params)
        return name

    async def delete(self, context: Context, physical_id: str, properties: Properties) -> None:
        params = {"logGroupName": properties["LogGroupName"], "logStreamName": physical_id}
        await context.call("logs", "DeleteLogStream", params)


class _Filter(ResourceType):
    """A filter of a log group: to be put again is to be changed."""

    immutable = frozenset(("FilterName", "LogGroupName"))
    name_property = "FilterName"
    longest_name = 512
    kind: ClassVar[str]
    members: ClassVar[dict[str, str]]

    def check(self, properties: Properties) -> None:
        """The pattern must be there but may be empty."""
        super().check(properties)
        if properties.get("FilterPattern") is None:
            raise AwsError("ValidationError", "Property FilterPattern cannot be empty.")

    async def find(self, context: Context, name: str, properties: Properties) -> str | None:
        params = {"logGroupName": properties["LogGroupName"], "filterNamePrefix": name, "limit": 1}
        members = f"{self.kind[0].lower()}{self.kind[1:]}Filters"
        return await _found(context, f"Describe{self.kind}Filters", params, members, "filterName", name)

    async def create(self, context: Context, name: str, properties: Properties) -> str:
        params = {member: properties[name_] for name_, member in self.members.items() if name_ in properties}
        await context.call("logs", f"Put{self.kind}Filter", {"filterName": name, **params, **self.further(properties)})
        return name

    async def update(self, context: Context, physical_id: str, before: Properties, after: Properties) -> None:
        await self.create(context, physical_id, after)

    async def delete(self, context: Context, physical_id: str, properties: Properties) -> None:
        params = {"logGroupName": properties["LogGroupName"], "filterName": physical_id}
        await context.call("logs", f"Delete{self.kind}Filter", params)

    def further(self, properties: Properties) -> Properties:
        """What is written otherwise in a template."""
        return {}


_FILTER_MEMBERS = {
    "ApplyOnTransformedLogs": "applyOnTransformedLogs",
    "FieldSelectionCriteria": "fieldSelectionCriteria",
    "FilterPattern": "filterPattern",
    "LogGroupName": "logGroupName",
}


# Seconds between attempts.
_PERMISSION_PAUSES = (0.1, 0.2, 0.5, 1.0, 2.0, 4.0)


class SubscriptionFilter(_Filter):
    type = "AWS::Logs::SubscriptionFilter"
    kind = "Subscription"
    members: ClassVar[dict[str, str]] = {
        **_FILTER_MEMBERS,
        "DestinationArn": "destinationArn",
        "Distribution": "distribution",
        "EmitSystemFields": "emitSystemFields",
        "RoleArn": "roleArn",
    }
    properties = frozenset(("FilterName", *members))
    required = frozenset(("DestinationArn", "LogGroupName"))

    async def create(self, context: Context, name: str, properties: Properties) -> str:
        """The permission to invoke its function may be made by the same stack, a moment later: it is asked again."""
        for pause in _PERMISSION_PAUSES:
            try:
                return await super().create(context, name, properties)
            except AwsError as error:
                if not error.message.startswith("Could not execute the lambda function"):
                    raise
            await asyncio.sleep(pause)
        return await super().create(context, name, properties)


class MetricFilter(_Filter):
    type = "AWS::Logs::MetricFilter"
    kind = "Metric"
    members: ClassVar[dict[str, str]] = {**_FILTER_MEMBERS, "EmitSystemFieldDimensions": "emitSystemFieldDimensions"}
    properties = frozenset(("FilterName", "MetricTransformations", *members))
    required = frozenset(("LogGroupName", "MetricTransformations"))

    def further(self, properties: Properties) -> Properties:
        return {"metricTransformations": [_transformation(each) for each in properties["MetricTransformations"]]}


class ResourcePolicy(ResourceType):
    type = "AWS::Logs::ResourcePolicy"
    properties = frozenset(("PolicyDocument", "PolicyName"))
    required = properties
    immutable = frozenset(("PolicyName",))
    name_property = "PolicyName"

    async def find(self, context: Context, name: str, properties: Properties) -> str | None:
        policies = (await context.call("logs", "DescribeResourcePolicies", {}))["resourcePolicies"]
        return name if any(each["policyName"] == name for each in policies) else None

    async def create(self, context: Context, name: str, properties: Properties) -> str:
        params = {"policyName": name, "policyDocument": properties["PolicyDocument"]}
        await context.call("logs", "PutResourcePolicy", params)
        return name

    async def update(self, context: Context, physical_id: str, before: Properties, after: Properties) -> None:
        await self.create(context, physical_id, after)

    async def delete(self, context: Context, physical_id: str, properties: Properties) -> None:
        await context.call("logs", "DeleteResourcePolicy", {"policyName": physical_id})


async def _found(
    context: Context, operation: str, params: Properties, members: str, member: str, name: str
) -> str | None:
    """The name if it is the first in a listing by prefix: what has it whole sorts before what goes on."""
    answer = await context.call_if_there("logs", operation, params)
    listed = answer[members] if answer is not None else ()
    return name if listed and listed[0][member] == name else None


def _transformation(given: Properties) -> Properties:
    found = {f"{name[0].lower()}{name[1:]}": value for name, value in given.items()}
    if "dimensions" in found:
        found["dimensions"] = {each["Key"]: each["Value"] for each in found["dimensions"]}
    return found


TYPES = (LogGroup, LogStream, SubscriptionFilter, MetricFilter, ResourcePolicy)
