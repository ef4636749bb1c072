"""Queues and their policies."""

import json
from typing import Any

from cloudlet.core.errors import AwsError
from cloudlet.services.cloudformation.naming import physical_name
from cloudlet.services.cloudformation.resources.resource_type import (
    Attributes,
    Context,
    Properties,
    ResourceType,
    is_missing,
    removed_tags,
    tag_map,
)

# What an attribute returns to when its property is taken out of the template.
_DEFAULTS = {
    "ContentBasedDeduplication": "false",
    "DelaySeconds": "0",
    "MaximumMessageSize": "1048576",
    "MessageRetentionPeriod": "345600",
    "ReceiveMessageWaitTimeSeconds": "0",
    "RedriveAllowPolicy": "",
    "RedrivePolicy": "",
    "VisibilityTimeout": "30",
}
_OTHER_ATTRIBUTES = (
    "DeduplicationScope",
    "FifoQueue",
    "FifoThroughputLimit",
    "KmsDataKeyReusePeriodSeconds",
    "KmsMasterKeyId",
    "SqsManagedSseEnabled",
)


class Queue(ResourceType):
    type = "AWS::SQS::Queue"
    properties = frozenset((*_DEFAULTS, *_OTHER_ATTRIBUTES, "QueueName", "Tags"))
    immutable = frozenset(("FifoQueue", "QueueName"))
    name_property = "QueueName"
    longest_name = 80
    tags = "list"

    def new_name(self, context: Context, properties: Properties) -> str | None:
        fifo = str(properties.get("FifoQueue", "")).lower() == "true"
        if self.is_named(properties) or not fifo:
            return super().new_name(context, properties)
        return physical_name(context.stack_name, context.logical_id, longest=self.longest_name, suffix=".fifo")

    async def find(self, context: Context, name: str, properties: Properties) -> str | None:
        answer = await context.call_if_there("sqs", "GetQueueUrl", {"QueueName": name})
        return answer["QueueUrl"] if answer is not None else None

    async def create(self, context: Context, name: str, properties: Properties) -> str:
        params: Properties = {"QueueName": name, "Attributes": _queue_attributes(properties)}
        if "Tags" in properties:
            params["tags"] = tag_map(properties)
        answer = await context.call("sqs", "CreateQueue", params)
        return answer["QueueUrl"]

    async def attributes(self, context: Context, physical_id: str, properties: Properties) -> Attributes:
        name = physical_id.rsplit("/", 1)[1]
        arn = f"arn:aws:sqs:{context.region}:{context.account}:{name}"
        return {"Arn": arn, "QueueName": name, "QueueUrl": physical_id}

    async def update(self, context: Context, physical_id: str, before: Properties, after: Properties) -> None:
        old, new = _queue_attributes(before), _queue_attributes(after)
        reset = {name: _DEFAULTS[name] for name in old if name not in new and name in _DEFAULTS}
        wanted = {name: value for name, value in new.items() if old.get(name) != value} | reset
        if wanted:
            await context.call("sqs", "SetQueueAttributes", {"QueueUrl": physical_id, "Attributes": wanted})
        if gone := removed_tags(before, after):
            await context.call("sqs", "UntagQueue", {"QueueUrl": physical_id, "TagKeys": gone})
        if tag_map(after) != tag_map(before) and tag_map(after):
            await context.call("sqs", "TagQueue", {"QueueUrl": physical_id, "Tags": tag_map(after)})

    async def delete(self, context: Context, physical_id: str, properties: Properties) -> None:
        await context.call("sqs", "DeleteQueue", {"QueueUrl": physical_id})


class QueuePolicy(ResourceType):
    type = "AWS::SQS::QueuePolicy"
    properties = frozenset(("PolicyDocument", "Queues"))
    required = properties

    async def create(self, context: Context, name: str, properties: Properties) -> str:
        await self.adopt(context, name, properties)
        return name

    async def find(self, context: Context, name: str, properties: Properties) -> str | None:
        return name

    async def adopt(self, context: Context, physical_id: str, properties: Properties) -> None:
        for queue in properties["Queues"]:
            await _set_policy(context, queue, json.dumps(properties["PolicyDocument"]))

    async def attributes(self, context: Context, physical_id: str, properties: Properties) -> Attributes:
        return {"Id": physical_id}

    async def update(self, context: Context, physical_id: str, before: Properties, after: Properties) -> None:
        await self.adopt(context, physical_id, after)
        await self._clear(context, [queue for queue in before["Queues"] if queue not in after["Queues"]])

    async def delete(self, context: Context, physical_id: str, properties: Properties) -> None:
        await self._clear(context, properties["Queues"])

    async def _clear(self, context: Context, queues: list[Any]) -> None:
        for queue in queues:
            try:
                await _set_policy(context, queue, "")
            except AwsError as error:
                if not is_missing(error):
                    raise


class QueueInlinePolicy(ResourceType):
    type = "AWS::SQS::QueueInlinePolicy"
    properties = frozenset(("PolicyDocument", "Queue"))
    required = properties
    immutable = frozenset(("Queue",))

    async def find(self, context: Context, name: str, properties: Properties) -> str | None:
        return str(properties["Queue"])

    async def create(self, context: Context, name: str, properties: Properties) -> str:
        await self.adopt(context, properties["Queue"], properties)
        return str(properties["Queue"])

    async def adopt(self, context: Context, physical_id: str, properties: Properties) -> None:
        await _set_policy(context, physical_id, json.dumps(properties["PolicyDocument"]))

    async def update(self, context: Context, physical_id: str, before: Properties, after: Properties) -> None:
        await self.adopt(context, physical_id, after)

    async def delete(self, context: Context, physical_id: str, properties: Properties) -> None:
        await _set_policy(context, physical_id, "")


async def _set_policy(context: Context, queue: str, policy: str) -> None:
    await context.call("sqs", "SetQueueAttributes", {"QueueUrl": queue, "Attributes": {"Policy": policy}})


def _queue_attributes(properties: Properties) -> dict[str, str]:
    """All as texts; FifoQueue false is not sent, as SQS refuses it."""
    found: dict[str, str] = {}
    for name in (*_DEFAULTS, *_OTHER_ATTRIBUTES):
        if name not in properties:
            continue
        value = properties[name]
        text = json.dumps(value) if isinstance(value, dict | list) else str(value)
        text = text.lower() if isinstance(value, bool) else text
        if name != "FifoQueue" or text == "true":
            found[name] = text
    return found


TYPES = (Queue, QueueInlinePolicy, QueuePolicy)
