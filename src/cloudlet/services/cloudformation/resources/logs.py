"""Log groups."""

from typing import Any

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
    properties = frozenset(("LogGroupClass", "LogGroupName", "RetentionInDays", "Tags"))
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
        if "LogGroupClass" in properties:
            params["logGroupClass"] = properties["LogGroupClass"]
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


TYPES = (LogGroup,)
