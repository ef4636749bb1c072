"""Rules, event buses and statements of their policies."""

import asyncio
import json
from typing import Any

from cloudlet.services.cloudformation.resources.resource_type import (
    Attributes,
    Context,
    Properties,
    ResourceType,
    changed,
    present,
    removed_tags,
)

_RULE = ("Description", "EventPattern", "RoleArn", "ScheduleExpression", "State")
_BUS = ("DeadLetterConfig", "Description", "KmsKeyIdentifier", "LogConfig")
# What an update returns to its default if it is taken out of the template.
_BUS_DEFAULTS: Properties = {"DeadLetterConfig": {}, "Description": "", "LogConfig": {"Level": "OFF"}}
_PERMISSION = ("Action", "Condition", "Principal", "StatementId")


class Rule(ResourceType):
    """Ref is the rule's name; of a rule of another than the default bus, the bus's name and the rule's: `bus|rule`."""

    type = "AWS::Events::Rule"
    properties = frozenset((*_RULE, "EventBusName", "Name", "Tags", "Targets"))
    immutable = frozenset(("EventBusName", "Name"))
    name_property = "Name"
    longest_name = 64
    tags = "list"

    async def find(self, context: Context, name: str, properties: Properties) -> str | None:
        found = await context.call_if_there(
            "events", "DescribeRule", {"Name": name, **present(properties, "EventBusName")}
        )
        return _physical_id(name, properties) if found is not None else None

    async def create(self, context: Context, name: str, properties: Properties) -> str:
        await self._put(context, name, properties)
        return _physical_id(name, properties)

    async def adopt(self, context: Context, physical_id: str, properties: Properties) -> None:
        await self._put(context, _rule_name(physical_id), properties)

    async def attributes(self, context: Context, physical_id: str, properties: Properties) -> Attributes:
        params = {"Name": _rule_name(physical_id), **present(properties, "EventBusName")}
        return {"Arn": (await context.call("events", "DescribeRule", params))["Arn"]}

    async def update(self, context: Context, physical_id: str, before: Properties, after: Properties) -> None:
        name, bus = _rule_name(physical_id), present(after, "EventBusName")
        wanted = [target["Id"] for target in after.get("Targets", [])]
        gone = [target["Id"] for target in before.get("Targets", []) if target["Id"] not in wanted]
        if gone:
            await context.call("events", "RemoveTargets", {"Rule": name, "Ids": gone, **bus})
        await self._put(context, name, after)
        arn = (await self.attributes(context, physical_id, after))["Arn"]
        await _change_tags(context, arn, before, after)

    async def delete(self, context: Context, physical_id: str, properties: Properties) -> None:
        name, bus = _rule_name(physical_id), present(properties, "EventBusName")
        found = await context.call("events", "ListTargetsByRule", {"Rule": name, **bus})
        if found["Targets"]:
            ids = [target["Id"] for target in found["Targets"]]
            await context.call("events", "RemoveTargets", {"Rule": name, "Ids": ids, **bus})
        await context.call("events", "DeleteRule", {"Name": name, **bus})

    async def _put(self, context: Context, name: str, properties: Properties) -> None:
        bus = present(properties, "EventBusName")
        await context.call("events", "PutRule", {"Name": name, **present(properties, *_RULE, "Tags"), **bus})
        if properties.get("Targets"):
            await context.call("events", "PutTargets", {"Rule": name, "Targets": properties["Targets"], **bus})


class EventBus(ResourceType):
    type = "AWS::Events::EventBus"
    properties = frozenset((*_BUS, "EventSourceName", "Name", "Policy", "Tags"))
    required = frozenset(("Name",))
    immutable = frozenset(("EventSourceName", "Name"))
    name_property = "Name"
    tags = "list"

    async def find(self, context: Context, name: str, properties: Properties) -> str | None:
        found = await context.call_if_there("events", "DescribeEventBus", {"Name": name})
        return name if found is not None else None

    async def create(self, context: Context, name: str, properties: Properties) -> str:
        settings = present(properties, *_BUS, "EventSourceName", "Tags")
        await context.call("events", "CreateEventBus", {"Name": name, **settings})
        await self.adopt(context, name, properties)
        return name

    async def adopt(self, context: Context, physical_id: str, properties: Properties) -> None:
        if properties.get("Policy"):
            await _put_policy(context, physical_id, properties["Policy"])

    async def attributes(self, context: Context, physical_id: str, properties: Properties) -> Attributes:
        found = await context.call("events", "DescribeEventBus", {"Name": physical_id})
        return {"Arn": found["Arn"], "Name": found["Name"], "Policy": found.get("Policy", "")}

    async def update(self, context: Context, physical_id: str, before: Properties, after: Properties) -> None:
        wanted = present(after, *_BUS) | {
            name: default for name, default in _BUS_DEFAULTS.items() if name in before and name not in after
        }
        found = await context.call("events", "UpdateEventBus", {"Name": physical_id, **wanted})
        if changed(before, after, "Policy"):
            if after.get("Policy"):
                await self.adopt(context, physical_id, after)
            else:
                params = {"EventBusName": physical_id, "RemoveAllPermissions": True}
                await context.call("events", "RemovePermission", params)
        await _change_tags(context, found["Arn"], before, after)

    async def delete(self, context: Context, physical_id: str, properties: Properties) -> None:
        await context.call("events", "DeleteEventBus", {"Name": physical_id})


class EventBusPolicy(ResourceType):
    """One statement of a bus's policy: described by its parts, or given whole."""

    type = "AWS::Events::EventBusPolicy"
    properties = frozenset((*_PERMISSION, "EventBusName", "Statement"))
    required = frozenset(("StatementId",))
    immutable = frozenset(("EventBusName", "StatementId"))

    def __init__(self) -> None:
        # A statement is added to what the policy has: one after the other.
        self._lock = asyncio.Lock()

    async def find(self, context: Context, name: str, properties: Properties) -> str | None:
        policy = await _policy_of(context, properties.get("EventBusName"))
        return name if any(each.get("Sid") == properties["StatementId"] for each in _statements(policy)) else None

    async def create(self, context: Context, name: str, properties: Properties) -> str:
        await self._put(context, properties)
        return name

    async def attributes(self, context: Context, physical_id: str, properties: Properties) -> Attributes:
        return {"Id": physical_id}

    async def update(self, context: Context, physical_id: str, before: Properties, after: Properties) -> None:
        await self._put(context, after)

    async def delete(self, context: Context, physical_id: str, properties: Properties) -> None:
        async with self._lock:
            params = {"StatementId": properties["StatementId"], **present(properties, "EventBusName")}
            await context.call("events", "RemovePermission", params)

    async def _put(self, context: Context, properties: Properties) -> None:
        async with self._lock:
            if "Statement" not in properties:
                params = present(properties, *_PERMISSION, "EventBusName")
                await context.call("events", "PutPermission", params)
                return
            bus, sid = properties.get("EventBusName"), properties["StatementId"]
            policy = await _policy_of(context, bus)
            others = [each for each in _statements(policy) if each.get("Sid") != sid]
            statements = [*others, {**properties["Statement"], "Sid": sid}]
            await _put_policy(context, bus, {"Version": "2012-10-17", "Statement": statements})


def _physical_id(name: str, properties: Properties) -> str:
    bus = str(properties.get("EventBusName", "default")).rpartition("/")[2]
    return name if bus == "default" else f"{bus}|{name}"


def _rule_name(physical_id: str) -> str:
    return physical_id.rpartition("|")[2]


async def _policy_of(context: Context, bus: str | None) -> Properties:
    found = await context.call("events", "DescribeEventBus", {"Name": bus} if bus else {})
    return json.loads(found.get("Policy", "{}"))


async def _put_policy(context: Context, bus: str | None, policy: Any) -> None:
    params = {"Policy": json.dumps(policy), **({"EventBusName": bus} if bus else {})}
    await context.call("events", "PutPermission", params)


def _statements(policy: Properties) -> list[Properties]:
    found = policy.get("Statement", [])
    return found if isinstance(found, list) else [found]


async def _change_tags(context: Context, arn: str, before: Properties, after: Properties) -> None:
    if gone := removed_tags(before, after):
        await context.call("events", "UntagResource", {"ResourceARN": arn, "TagKeys": gone})
    if changed(before, after, "Tags") and after.get("Tags"):
        await context.call("events", "TagResource", {"ResourceARN": arn, "Tags": after["Tags"]})


TYPES = (EventBus, EventBusPolicy, Rule)
