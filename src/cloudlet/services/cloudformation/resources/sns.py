"""Topics, subscriptions and topic policies."""

import json

from cloudlet.core.errors import AwsError
from cloudlet.services.cloudformation.naming import physical_name
from cloudlet.services.cloudformation.resources.resource_type import (
    Attributes,
    Context,
    Properties,
    ResourceType,
    changed,
    is_missing,
    removed_tags,
)

_TOPIC_ATTRIBUTES = (
    "ArchivePolicy",
    "ContentBasedDeduplication",
    "DisplayName",
    "FifoThroughputScope",
    "FifoTopic",
    "KmsMasterKeyId",
    "SignatureVersion",
    "TracingConfig",
)
# How the attributes of delivery status name the protocols.
_STATUS_PREFIXES = {
    "application": "Application",
    "firehose": "Firehose",
    "http/s": "HTTP",
    "lambda": "Lambda",
    "sqs": "SQS",
}
_STATUS_SETTINGS = ("FailureFeedbackRoleArn", "SuccessFeedbackRoleArn", "SuccessFeedbackSampleRate")
_SUBSCRIPTION_ATTRIBUTES = (
    "DeliveryPolicy",
    "FilterPolicy",
    "FilterPolicyScope",
    "RawMessageDelivery",
    "RedrivePolicy",
    "SubscriptionRoleArn",
)


class Topic(ResourceType):
    type = "AWS::SNS::Topic"
    properties = frozenset(
        (*_TOPIC_ATTRIBUTES, "DataProtectionPolicy", "DeliveryStatusLogging", "Subscription", "Tags", "TopicName")
    )
    immutable = frozenset(("FifoTopic", "TopicName"))
    name_property = "TopicName"
    longest_name = 256
    tags = "list"

    def new_name(self, context: Context, properties: Properties) -> str | None:
        fifo = _text(properties.get("FifoTopic", "")) == "true"
        if self.is_named(properties) or not fifo:
            return super().new_name(context, properties)
        return physical_name(context.stack_name, context.logical_id, longest=self.longest_name, suffix=".fifo")

    async def find(self, context: Context, name: str, properties: Properties) -> str | None:
        arn = f"arn:aws:sns:{context.region}:{context.account}:{name}"
        found = await context.call_if_there("sns", "GetTopicAttributes", {"TopicArn": arn})
        return arn if found is not None else None

    async def create(self, context: Context, name: str, properties: Properties) -> str:
        params: Properties = {"Name": name, "Attributes": _topic_attributes(properties)}
        if "DataProtectionPolicy" in properties:
            params["DataProtectionPolicy"] = properties["DataProtectionPolicy"]
        if "Tags" in properties:
            params["Tags"] = properties["Tags"]
        arn: str = (await context.call("sns", "CreateTopic", params))["TopicArn"]
        await self.adopt(context, arn, properties)
        return arn

    async def adopt(self, context: Context, physical_id: str, properties: Properties) -> None:
        for each in properties.get("Subscription", []):
            await context.call("sns", "Subscribe", {"TopicArn": physical_id, **each})

    async def attributes(self, context: Context, physical_id: str, properties: Properties) -> Attributes:
        return {"TopicArn": physical_id, "TopicName": physical_id.rsplit(":", 1)[1]}

    async def update(self, context: Context, physical_id: str, before: Properties, after: Properties) -> None:
        old, new = _topic_attributes(before), _topic_attributes(after)
        if changed(before, after, "DataProtectionPolicy"):
            policy = after.get("DataProtectionPolicy", "")
            params = {"ResourceArn": physical_id, "DataProtectionPolicy": policy}
            await context.call("sns", "PutDataProtectionPolicy", params)
        for name in sorted(old.keys() | new.keys()):
            if old.get(name) != new.get(name):
                params = {"TopicArn": physical_id, "AttributeName": name, "AttributeValue": new.get(name, "")}
                await context.call("sns", "SetTopicAttributes", params)
        if changed(before, after, "Subscription"):
            await self.adopt(context, physical_id, after)
            kept = after.get("Subscription", [])
            await _unsubscribe(
                context, physical_id, [each for each in before.get("Subscription", []) if each not in kept]
            )
        if gone := removed_tags(before, after):
            await context.call("sns", "UntagResource", {"ResourceArn": physical_id, "TagKeys": gone})
        if changed(before, after, "Tags") and after.get("Tags"):
            await context.call("sns", "TagResource", {"ResourceArn": physical_id, "Tags": after["Tags"]})

    async def delete(self, context: Context, physical_id: str, properties: Properties) -> None:
        await _unsubscribe(context, physical_id, properties.get("Subscription", []))
        await context.call("sns", "DeleteTopic", {"TopicArn": physical_id})


class Subscription(ResourceType):
    type = "AWS::SNS::Subscription"
    properties = frozenset((*_SUBSCRIPTION_ATTRIBUTES, "Endpoint", "Protocol", "Region", "TopicArn"))
    required = frozenset(("Protocol", "TopicArn"))
    immutable = frozenset(("Endpoint", "Protocol", "TopicArn"))

    async def find(self, context: Context, name: str, properties: Properties) -> str | None:
        return await self.create(context, name, properties)  # subscribing again answers the same subscription

    async def create(self, context: Context, name: str, properties: Properties) -> str:
        params = {
            "TopicArn": properties["TopicArn"],
            "Protocol": properties["Protocol"],
            "Endpoint": properties.get("Endpoint", ""),
            "Attributes": _attributes(properties, _SUBSCRIPTION_ATTRIBUTES),
            "ReturnSubscriptionArn": True,
        }
        answer = await context.call("sns", "Subscribe", params)
        return answer["SubscriptionArn"]

    async def attributes(self, context: Context, physical_id: str, properties: Properties) -> Attributes:
        return {"Arn": physical_id}

    async def update(self, context: Context, physical_id: str, before: Properties, after: Properties) -> None:
        old, new = _attributes(before, _SUBSCRIPTION_ATTRIBUTES), _attributes(after, _SUBSCRIPTION_ATTRIBUTES)
        for name in sorted(old.keys() | new.keys()):
            if old.get(name) != new.get(name):
                value = new.get(name, _EMPTY.get(name, ""))
                params = {"SubscriptionArn": physical_id, "AttributeName": name, "AttributeValue": value}
                await context.call("sns", "SetSubscriptionAttributes", params)

    async def delete(self, context: Context, physical_id: str, properties: Properties) -> None:
        await context.call("sns", "Unsubscribe", {"SubscriptionArn": physical_id})


_EMPTY = {"FilterPolicy": "{}", "FilterPolicyScope": "MessageAttributes", "RawMessageDelivery": "false"}


class TopicPolicy(ResourceType):
    type = "AWS::SNS::TopicPolicy"
    properties = frozenset(("PolicyDocument", "Topics"))
    required = properties

    async def find(self, context: Context, name: str, properties: Properties) -> str | None:
        return name

    async def create(self, context: Context, name: str, properties: Properties) -> str:
        await self.adopt(context, name, properties)
        return name

    async def adopt(self, context: Context, physical_id: str, properties: Properties) -> None:
        for topic in properties["Topics"]:
            await _set_policy(context, topic, json.dumps(properties["PolicyDocument"]))

    async def attributes(self, context: Context, physical_id: str, properties: Properties) -> Attributes:
        return {"Id": physical_id}

    async def update(self, context: Context, physical_id: str, before: Properties, after: Properties) -> None:
        await self.adopt(context, physical_id, after)
        await self._reset(context, [topic for topic in before["Topics"] if topic not in after["Topics"]])

    async def delete(self, context: Context, physical_id: str, properties: Properties) -> None:
        await self._reset(context, properties["Topics"])

    async def _reset(self, context: Context, topics: list[str]) -> None:
        """A topic is never without a policy: it gets back the one that only its owner is allowed by."""
        for topic in topics:
            try:
                await _set_policy(context, topic, json.dumps(_default_policy(topic, context.account)))
            except AwsError as error:
                if not is_missing(error):
                    raise


class TopicInlinePolicy(ResourceType):
    type = "AWS::SNS::TopicInlinePolicy"
    properties = frozenset(("PolicyDocument", "TopicArn"))
    required = properties
    immutable = frozenset(("TopicArn",))

    async def find(self, context: Context, name: str, properties: Properties) -> str | None:
        return str(properties["TopicArn"])

    async def create(self, context: Context, name: str, properties: Properties) -> str:
        await self.adopt(context, properties["TopicArn"], properties)
        return str(properties["TopicArn"])

    async def adopt(self, context: Context, physical_id: str, properties: Properties) -> None:
        await _set_policy(context, physical_id, json.dumps(properties["PolicyDocument"]))

    async def update(self, context: Context, physical_id: str, before: Properties, after: Properties) -> None:
        await self.adopt(context, physical_id, after)

    async def delete(self, context: Context, physical_id: str, properties: Properties) -> None:
        await _set_policy(context, physical_id, json.dumps(_default_policy(physical_id, context.account)))


def _default_policy(topic: str, account: str) -> Properties:
    actions = (
        "GetTopicAttributes",
        "SetTopicAttributes",
        "AddPermission",
        "RemovePermission",
        "DeleteTopic",
        "Subscribe",
        "ListSubscriptionsByTopic",
        "Publish",
    )
    statement = {
        "Sid": "__default_statement_ID",
        "Effect": "Allow",
        "Principal": {"AWS": "*"},
        "Action": [f"SNS:{action}" for action in actions],
        "Resource": topic,
        "Condition": {"StringEquals": {"AWS:SourceOwner": account}},
    }
    return {"Version": "2008-10-17", "Id": "__default_policy_ID", "Statement": [statement]}


async def _set_policy(context: Context, topic: str, policy: str) -> None:
    params = {"TopicArn": topic, "AttributeName": "Policy", "AttributeValue": policy}
    await context.call("sns", "SetTopicAttributes", params)


async def _unsubscribe(context: Context, topic: str, subscriptions: list[Properties]) -> None:
    if not subscriptions:
        return
    wanted = [(each["Protocol"], each.get("Endpoint", "")) for each in subscriptions]
    token: Properties = {}
    while True:
        page = await context.call("sns", "ListSubscriptionsByTopic", {"TopicArn": topic, **token})
        for each in page["Subscriptions"]:
            arn = each["SubscriptionArn"]
            if (each["Protocol"], each["Endpoint"]) in wanted and arn.startswith("arn:"):
                await context.call("sns", "Unsubscribe", {"SubscriptionArn": arn})
        if not page.get("NextToken"):
            return
        token = {"NextToken": page["NextToken"]}


def _topic_attributes(properties: Properties) -> dict[str, str]:
    found = _attributes(properties, _TOPIC_ATTRIBUTES)
    for logging in properties.get("DeliveryStatusLogging", []):
        prefix = _STATUS_PREFIXES.get(str(logging.get("Protocol")))
        if prefix is None:
            raise AwsError("ValidationError", f"{logging.get('Protocol')} is no protocol of DeliveryStatusLogging")
        found |= {f"{prefix}{name}": str(logging[name]) for name in _STATUS_SETTINGS if name in logging}
    return found


def _attributes(properties: Properties, names: tuple[str, ...]) -> dict[str, str]:
    """FifoTopic false is not sent, as SNS refuses it."""
    found = {name: _text(properties[name]) for name in names if name in properties}
    return {name: value for name, value in found.items() if name != "FifoTopic" or value == "true"}


def _text(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return json.dumps(value) if isinstance(value, dict | list) else str(value)


TYPES = (Subscription, Topic, TopicInlinePolicy, TopicPolicy)
