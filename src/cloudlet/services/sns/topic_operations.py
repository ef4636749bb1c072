"""The operations on topics: life, attributes, permissions, tags."""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from cloudlet.core.arn import Arn
from cloudlet.core.context import Call
from cloudlet.core.errors import AwsError, NotImplementedByCloudlet
from cloudlet.core.service import operation
from cloudlet.services.sns import topics
from cloudlet.services.sns.base import SnsBase, page_of
from cloudlet.services.sns.delivery_policy import effective_topic_policy
from cloudlet.services.sns.errors import invalid_parameter, resource_not_found
from cloudlet.services.sns.permissions import with_permission, without_permission
from cloudlet.services.sns.status_log import SERVICE
from cloudlet.services.sns.topics import Topic
from cloudlet.store import Transaction

if TYPE_CHECKING:
    from types_boto3_sns import type_defs as t


class TopicOperations(SnsBase):
    def condition_keys(self, call: Call, params: dict[str, Any]) -> dict[str, str]:
        """The tags of the topic, and those that the request gives to one."""
        arn = self.resource(call, params)
        topic = self.directory.find_topic(arn) if arn is not None else None
        keys = {f"aws:ResourceTag/{key}": value for key, value in topic.tags.items()} if topic is not None else {}
        return keys | {f"aws:RequestTag/{tag['Key']}": tag["Value"] for tag in params.get("Tags", ())}

    def counts_as(self, call: Call, params: dict[str, Any]) -> Iterable[tuple[str, dict[str, Any]]]:
        """Tags at creation count as TagResource."""
        yield call.operation, params
        if call.operation == "CreateTopic" and params.get("Tags"):
            yield "TagResource", {"ResourceArn": self.resource(call, params), "Tags": params["Tags"]}

    @operation("CreateTopic")
    async def create_topic(self, call: Call, params: "t.CreateTopicInputTypeDef") -> dict[str, Any]:
        if params.get("DataProtectionPolicy"):
            raise NotImplementedByCloudlet("the DataProtectionPolicy of a topic")
        arn = Arn("sns", call.region, call.account, params["Name"])
        tags = _tags(params["Tags"]) if "Tags" in params else None

        attributes = params.get("Attributes", {})
        self._check_passing(call, attributes)

        def create(tx: Transaction) -> None:
            self.directory.put_topic_after(tx, topics.create_topic(tx, arn, attributes, tags))

        await self.store.write(create)
        self.signer.prepare()
        return {"TopicArn": str(arn)}

    @operation("DeleteTopic")
    async def delete_topic(self, call: Call, params: "t.DeleteTopicInputTypeDef") -> None:
        try:
            arn = self.topic_of(call, params["TopicArn"]).arn
        except AwsError as error:
            if error.code == "NotFound":
                return  # deleting twice is fine
            raise

        def delete(tx: Transaction) -> None:
            tx.execute("DELETE FROM topic WHERE arn = ?", (arn,))
            self.directory.drop_topic_after(tx, arn)

        await self.store.write(delete)

    @operation("ListTopics")
    async def list_topics(self, call: Call, params: "t.ListTopicsInputTypeDef") -> dict[str, Any]:
        found = self.directory.topics_of(call.account, call.region)
        page, token = page_of(found, [topic.id for topic in found], params.get("NextToken"))
        output: dict[str, Any] = {"Topics": [{"TopicArn": topic.arn} for topic in page]}
        return output | ({"NextToken": token} if token else {})

    @operation("GetTopicAttributes")
    async def get_topic_attributes(self, call: Call, params: "t.GetTopicAttributesInputTypeDef") -> dict[str, Any]:
        topic = self.topic_of(call, params["TopicArn"])
        found = list(self.directory.subscriptions_to(topic.arn))
        confirmed = sum(subscription.confirmed for subscription in found)
        attributes = {
            "TopicArn": topic.arn,
            "Owner": topic.account,
            "DisplayName": topic.display_name,
            "Policy": _compact(topic.policy),
            "EffectiveDeliveryPolicy": _compact(effective_topic_policy(topic.kept.get("DeliveryPolicy"))),
            "SubscriptionsConfirmed": str(confirmed),
            "SubscriptionsPending": str(len(found) - confirmed),
            "SubscriptionsDeleted": str(topic.deleted_subscriptions),
        }
        if topic.fifo:
            attributes |= {"ContentBasedDeduplication": "false", "FifoThroughputScope": "Topic"}
        kept = {name: value for name, value in topic.kept.items() if value != ""}
        return {"Attributes": attributes | kept}

    @operation("SetTopicAttributes")
    async def set_topic_attributes(self, call: Call, params: "t.SetTopicAttributesInputTypeDef") -> None:
        value = params.get("AttributeValue", "")
        self._check_passing(call, {params["AttributeName"]: value})
        await self._change(call, params, lambda _: (params["AttributeName"], value))

    @operation("AddPermission")
    async def add_permission(self, call: Call, params: "t.AddPermissionInputTypeDef") -> None:
        def changed(topic: Topic) -> tuple[str, str]:
            accounts, actions = params["AWSAccountId"], list(params["ActionName"])
            return "Policy", with_permission(topic.policy, topic.arn, params["Label"], accounts, actions)

        await self._change(call, params, changed)

    @operation("RemovePermission")
    async def remove_permission(self, call: Call, params: "t.RemovePermissionInputTypeDef") -> None:
        await self._change(call, params, lambda topic: ("Policy", without_permission(topic.policy, params["Label"])))

    @operation("TagResource")
    async def tag_resource(self, call: Call, params: "t.TagResourceRequestTypeDef") -> dict[str, Any]:
        given = _tags(params["Tags"])
        return await self._change_tags(call, params["ResourceArn"], lambda tags: {**tags, **given})

    @operation("UntagResource")
    async def untag_resource(self, call: Call, params: "t.UntagResourceRequestTypeDef") -> dict[str, Any]:
        gone = set(params["TagKeys"])
        return await self._change_tags(
            call, params["ResourceArn"], lambda tags: {key: value for key, value in tags.items() if key not in gone}
        )

    @operation("ListTagsForResource")
    async def list_tags_for_resource(self, call: Call, params: "t.ListTagsForResourceRequestTypeDef") -> dict[str, Any]:
        topic = self._tagged(call, params["ResourceArn"])
        return {"Tags": [{"Key": key, "Value": value} for key, value in topic.tags.items()]}

    def _check_passing(self, call: Call, attributes: Mapping[str, str]) -> None:
        """Raises AccessDenied unless the caller may pass the roles that these attributes name."""
        for name, value in attributes.items():
            if value and topics.is_feedback_role(name):
                self.cloud.authorise_passing(call, topics.check_feedback(name, value), SERVICE)

    async def _change(self, call: Call, params: Mapping[str, Any], changed: Callable[[Topic], tuple[str, str]]) -> None:
        """Sets the attribute that the function names, to the value that it makes of the topic."""
        arn = self.topic_of(call, params["TopicArn"]).arn

        def change(tx: Transaction) -> None:
            name, value = changed(topics.load_topic(tx, arn))
            self.directory.put_topic_after(tx, topics.set_topic_attribute(tx, arn, name, value))

        await self.store.write(change)

    async def _change_tags(
        self, call: Call, arn: str, changed: Callable[[Mapping[str, str]], dict[str, str]]
    ) -> dict[str, Any]:
        self._tagged(call, arn)

        def change(tx: Transaction) -> None:
            tags = changed(topics.load_topic(tx, arn).tags)
            self.directory.put_topic_after(tx, topics.set_topic_tags(tx, arn, tags))

        await self.store.write(change)
        return {}

    def _tagged(self, call: Call, arn: str) -> Topic:
        try:
            return self.topic_of(call, arn)
        except AwsError as error:
            if error.code == "NotFound":
                raise resource_not_found() from None
            raise


def _tags(given: "Sequence[t.TagTypeDef]") -> dict[str, str]:
    """Raises InvalidParameter for a key that comes twice."""
    tags = {tag["Key"]: tag["Value"] for tag in given}
    if len(tags) < len(given):
        raise invalid_parameter("Duplicated keys are not allowed.")
    return tags


def _compact(document: Mapping[str, Any]) -> str:
    return json.dumps(document, separators=(",", ":"))
