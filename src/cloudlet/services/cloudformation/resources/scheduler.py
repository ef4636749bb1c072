"""Schedules and schedule groups."""

from cloudlet.core.errors import AwsError
from cloudlet.core.timestamps import from_text, to_iso8601
from cloudlet.services.cloudformation.resources.resource_type import (
    Attributes,
    Context,
    Properties,
    ResourceType,
    changed,
    is_missing,
    present,
    removed_tags,
)

_DATES = ("EndDate", "StartDate")
_SETTINGS = (
    "Description",
    "FlexibleTimeWindow",
    "GroupName",
    "KmsKeyArn",
    "ScheduleExpression",
    "ScheduleExpressionTimezone",
    "State",
    "Target",
)


class Schedule(ResourceType):
    type = "AWS::Scheduler::Schedule"
    properties = frozenset((*_SETTINGS, *_DATES, "Name"))
    required = frozenset(("FlexibleTimeWindow", "ScheduleExpression", "Target"))
    immutable = frozenset(("Name",))
    name_property = "Name"
    longest_name = 64

    async def find(self, context: Context, name: str, properties: Properties) -> str | None:
        return await _found(context, "GetSchedule", {"Name": name, **present(properties, "GroupName")})

    async def create(self, context: Context, name: str, properties: Properties) -> str:
        await context.call("scheduler", "CreateSchedule", _settings(name, properties))
        return name

    async def attributes(self, context: Context, physical_id: str, properties: Properties) -> Attributes:
        params = {"Name": physical_id, **present(properties, "GroupName")}
        return {"Arn": (await context.call("scheduler", "GetSchedule", params))["Arn"]}

    async def update(self, context: Context, physical_id: str, before: Properties, after: Properties) -> None:
        if not changed(before, after, "GroupName"):
            await context.call("scheduler", "UpdateSchedule", _settings(physical_id, after))
            return
        # A schedule cannot go from one group to another: it is made anew there.
        if await self.find(context, physical_id, after) is None:
            await self.create(context, physical_id, after)
        try:
            await self.delete(context, physical_id, before)
        except AwsError as error:
            if not is_missing(error):
                raise

    async def delete(self, context: Context, physical_id: str, properties: Properties) -> None:
        params = {"Name": physical_id, **present(properties, "GroupName")}
        await context.call("scheduler", "DeleteSchedule", params)


class ScheduleGroup(ResourceType):
    type = "AWS::Scheduler::ScheduleGroup"
    properties = frozenset(("Name", "Tags"))
    immutable = frozenset(("Name",))
    name_property = "Name"
    longest_name = 64
    tags = "list"

    async def find(self, context: Context, name: str, properties: Properties) -> str | None:
        return await _found(context, "GetScheduleGroup", {"Name": name})

    async def create(self, context: Context, name: str, properties: Properties) -> str:
        await context.call("scheduler", "CreateScheduleGroup", {"Name": name, **present(properties, "Tags")})
        return name

    async def attributes(self, context: Context, physical_id: str, properties: Properties) -> Attributes:
        found = await context.call("scheduler", "GetScheduleGroup", {"Name": physical_id})
        dates = {name: to_iso8601(found[name]) for name in ("CreationDate", "LastModificationDate")}
        return {"Arn": found["Arn"], "State": found["State"], **dates}

    async def update(self, context: Context, physical_id: str, before: Properties, after: Properties) -> None:
        arn = f"arn:aws:scheduler:{context.region}:{context.account}:schedule-group/{physical_id}"
        if gone := removed_tags(before, after):
            await context.call("scheduler", "UntagResource", {"ResourceArn": arn, "TagKeys": gone})
        if changed(before, after, "Tags") and after.get("Tags"):
            await context.call("scheduler", "TagResource", {"ResourceArn": arn, "Tags": after["Tags"]})

    async def delete(self, context: Context, physical_id: str, properties: Properties) -> None:
        await context.call("scheduler", "DeleteScheduleGroup", {"Name": physical_id})


async def _found(context: Context, operation: str, params: Properties) -> str | None:
    answer = await context.call_if_there("scheduler", operation, params)
    return answer["Name"] if answer is not None else None


def _settings(name: str, properties: Properties) -> Properties:
    settings = {"Name": name, **present(properties, *_SETTINGS)}
    for date in _DATES:
        if date in properties:
            settings[date] = _date(date, str(properties[date]))
    return settings


def _date(name: str, text: str) -> object:
    try:
        return from_text(text)
    except ValueError:
        raise AwsError("ValidationError", f"{name} {text} is no date.") from None


TYPES = (Schedule, ScheduleGroup)
