"""Topics and subscriptions: life, attributes, permissions, tags, lists."""

import json
from typing import Any

import pytest

from cloudlet.core.context import Principal
from cloudlet.core.errors import AccessDenied, AwsError, NotImplementedByCloudlet


async def attributes_of(sns: Any, topic: str) -> dict[str, str]:
    return (await sns("GetTopicAttributes", TopicArn=topic))["Attributes"]


async def test_a_new_topic(sns: Any) -> None:
    topic = await sns.topic("alerts")
    assert topic == "arn:aws:sns:us-east-1:000000000000:alerts"
    found = await attributes_of(sns, topic)
    assert (found["Owner"], found["DisplayName"]) == ("000000000000", "")
    assert found["SubscriptionsConfirmed"] == found["SubscriptionsPending"] == found["SubscriptionsDeleted"] == "0"
    (statement,) = json.loads(found["Policy"])["Statement"]
    assert statement["Condition"] == {"StringEquals": {"AWS:SourceOwner": "000000000000"}}


async def test_creating_again_is_fine_with_the_same_attributes_and_tags_only(sns: Any) -> None:
    topic = await sns.topic("alerts", DisplayName="Shop")
    assert await sns.topic("alerts", DisplayName="Shop") == topic
    assert await sns.topic("alerts") == topic
    with pytest.raises(AwsError, match="different attributes"):
        await sns.topic("alerts", DisplayName="Other")
    with pytest.raises(AwsError, match="different tags"):
        await sns("CreateTopic", Name="alerts", Tags=[{"Key": "a", "Value": "b"}])


@pytest.mark.parametrize("name", ["", "with space", "a" * 257, "dot.ted"])
async def test_bad_names_are_refused(sns: Any, name: str) -> None:
    with pytest.raises(AwsError) as refused:
        await sns.topic(name)
    assert refused.value.code == "InvalidParameter"


async def test_attributes_are_set_and_checked(sns: Any) -> None:
    topic = await sns.topic()
    await sns("SetTopicAttributes", TopicArn=topic, AttributeName="DisplayName", AttributeValue="Shop")
    assert (await attributes_of(sns, topic))["DisplayName"] == "Shop"
    for name, value in (
        ("DisplayName", "x\n"),
        ("Policy", "{"),
        ("Policy", '{"Statement": [{"Effect": "Allow", "Principal": "*"}]}'),
        ("SignatureVersion", "3"),
        ("Unknown", "x"),
    ):
        with pytest.raises(AwsError) as refused:
            await sns("SetTopicAttributes", TopicArn=topic, AttributeName=name, AttributeValue=value)
        assert refused.value.code == "InvalidParameter"
    with pytest.raises(NotImplementedByCloudlet):
        await sns("SetTopicAttributes", TopicArn=topic, AttributeName="KmsMasterKeyId", AttributeValue="k")


async def test_a_deleted_topic_is_gone_with_its_subscriptions(sns: Any) -> None:
    topic = await sns.topic()
    subscription = await sns.subscribe(topic, "sqs", "arn:aws:sqs:us-east-1:000000000000:orders")
    await sns("DeleteTopic", TopicArn=topic)
    await sns("DeleteTopic", TopicArn=topic)
    for operation, params in (
        ("GetTopicAttributes", {"TopicArn": topic}),
        ("Publish", {"TopicArn": topic, "Message": "x"}),
        ("GetSubscriptionAttributes", {"SubscriptionArn": subscription}),
    ):
        with pytest.raises(AwsError) as refused:
            await sns(operation, **params)
        assert (refused.value.code, refused.value.status) == ("NotFound", 404)
    assert await sns("ListSubscriptions") == {"Subscriptions": []}


async def test_lists_come_in_pages_of_a_hundred(sns: Any) -> None:
    topics = [await sns.topic(f"topic-{number}") for number in range(150)]
    first = await sns("ListTopics")
    second = await sns("ListTopics", NextToken=first["NextToken"])
    assert [topic["TopicArn"] for topic in first["Topics"] + second["Topics"]] == topics
    assert len(first["Topics"]) == 100
    assert "NextToken" not in second
    with pytest.raises(AwsError, match="NextToken"):
        await sns("ListTopics", NextToken="nonsense")


async def test_permissions_are_statements_of_the_policy(sns: Any) -> None:
    topic = await sns.topic()
    grant = {"Label": "partner", "AWSAccountId": ["111111111111"], "ActionName": ["Publish"]}
    await sns("AddPermission", TopicArn=topic, **grant)
    statement = json.loads((await attributes_of(sns, topic))["Policy"])["Statement"][1]
    assert (statement["Sid"], statement["Action"]) == ("partner", ["SNS:Publish"])
    with pytest.raises(AwsError, match="already exists"):
        await sns("AddPermission", TopicArn=topic, **grant)
    await sns("RemovePermission", TopicArn=topic, Label="partner")
    assert len(json.loads((await attributes_of(sns, topic))["Policy"])["Statement"]) == 1


async def test_tags(sns: Any) -> None:
    topic = await sns.topic()
    await sns("TagResource", ResourceArn=topic, Tags=[{"Key": "team", "Value": "shop"}, {"Key": "x", "Value": "y"}])
    await sns("UntagResource", ResourceArn=topic, TagKeys=["x"])
    assert await sns("ListTagsForResource", ResourceArn=topic) == {"Tags": [{"Key": "team", "Value": "shop"}]}
    with pytest.raises(AwsError) as refused:
        await sns("ListTagsForResource", ResourceArn=f"{topic}-not")
    assert refused.value.code == "ResourceNotFound"
    twice = [{"Key": "a", "Value": "b"}, {"Key": "a", "Value": "c"}]
    for operation, of in (("TagResource", {"ResourceArn": topic}), ("CreateTopic", {"Name": "tagged-twice"})):
        with pytest.raises(AwsError, match="Duplicated keys are not allowed"):
            await sns(operation, **of, Tags=twice)


async def test_another_accounts_root_is_kept_out(sns: Any) -> None:
    topic = await sns.topic()
    stranger = Principal.root("111111111111")
    with pytest.raises(AccessDenied):
        await sns.cloud.call("sns", "Publish", {"TopicArn": topic, "Message": "x"}, as_=stranger, region="us-east-1")


@pytest.mark.parametrize(
    ("protocol", "endpoint"),
    [
        ("sqs", "orders"),
        ("sqs", "arn:aws:sqs:us-east-1:000000000000:orders.fifo"),
        ("lambda", "arn:aws:sqs:us-east-1:000000000000:orders"),
        ("http", "https://example.com"),
        ("https", "example.com"),
        ("email", "nobody"),
        ("sms", "hello"),
        ("pigeon", "home"),
        ("sqs", ""),
    ],
)
async def test_endpoints_must_fit_their_protocol(sns: Any, protocol: str, endpoint: str) -> None:
    topic = await sns.topic()
    with pytest.raises(AwsError) as refused:
        await sns.subscribe(topic, protocol, endpoint)
    assert refused.value.code == "InvalidParameter"
    assert await sns("ListSubscriptionsByTopic", TopicArn=topic) == {"Subscriptions": []}


async def test_a_queue_of_ones_own_account_is_subscribed_at_once(sns: Any) -> None:
    topic = await sns.topic()
    endpoint = "arn:aws:sqs:us-east-1:000000000000:orders"
    subscription = await sns.subscribe(topic, "sqs", endpoint)
    assert subscription.startswith(f"{topic}:")
    assert await sns.subscribe(topic, "sqs", endpoint) == subscription
    with pytest.raises(AwsError, match="different attributes"):
        await sns.subscribe(topic, "sqs", endpoint, RawMessageDelivery="true")
    found = (await sns("GetSubscriptionAttributes", SubscriptionArn=subscription))["Attributes"]
    assert found == {
        "SubscriptionArn": subscription,
        "TopicArn": topic,
        "Owner": "000000000000",
        "SubscriptionPrincipal": "arn:aws:iam::000000000000:root",
        "Protocol": "sqs",
        "Endpoint": endpoint,
        "PendingConfirmation": "false",
        "ConfirmationWasAuthenticated": "true",
        "RawMessageDelivery": "false",
    }
    await sns("Unsubscribe", SubscriptionArn=subscription)
    await sns("Unsubscribe", SubscriptionArn=subscription)
    assert (await attributes_of(sns, topic))["SubscriptionsDeleted"] == "1"


async def test_others_are_pending_until_they_confirm(sns: Any) -> None:
    topic = await sns.topic()
    params = {"TopicArn": topic, "Protocol": "email", "Endpoint": "boss@example.com"}
    assert await sns("Subscribe", **params) == {"SubscriptionArn": "pending confirmation"}
    (listed,) = (await sns("ListSubscriptionsByTopic", TopicArn=topic))["Subscriptions"]
    assert listed["SubscriptionArn"] == "PendingConfirmation"
    assert (await attributes_of(sns, topic))["SubscriptionsPending"] == "1"
    with pytest.raises(AwsError, match="Token"):
        await sns("ConfirmSubscription", TopicArn=topic, Token="made up")


async def test_attributes_of_subscriptions_are_checked(sns: Any) -> None:
    topic = await sns.topic()
    subscription = await sns.subscribe(topic, "sqs", "arn:aws:sqs:us-east-1:000000000000:orders")

    async def set_to(name: str, value: str) -> None:
        await sns("SetSubscriptionAttributes", SubscriptionArn=subscription, AttributeName=name, AttributeValue=value)

    for name, value in (
        ("FilterPolicy", '{"a": {"b": ["nested"]}}'),
        ("FilterPolicyScope", "MessageTail"),
        ("RawMessageDelivery", "perhaps"),
        ("RedrivePolicy", '{"deadLetterTargetArn": "nowhere"}'),
        ("DeliveryPolicy", "[]"),
        ("Unknown", "x"),
    ):
        with pytest.raises(AwsError) as refused:
            await set_to(name, value)
        assert refused.value.code == "InvalidParameter"
    await set_to("FilterPolicyScope", "MessageBody")
    await set_to("FilterPolicy", '{"a": {"b": ["nested"]}}')
    with pytest.raises(AwsError, match="nested"):
        await set_to("FilterPolicyScope", "MessageAttributes")
    await set_to("FilterPolicy", "")
    found = (await sns("GetSubscriptionAttributes", SubscriptionArn=subscription))["Attributes"]
    assert "FilterPolicy" not in found


@pytest.mark.parametrize(
    "params",
    [
        {"Message": ""},
        {"Message": "x" * 262_145},
        {"Message": "x", "Subject": "two\nlines"},
        {"Message": "x", "Subject": "s" * 101},
        {"Message": "x", "Subject": ""},
        {"Message": "no JSON", "MessageStructure": "json"},
        {"Message": '{"sqs": "x"}', "MessageStructure": "json"},
        {"Message": "[" * 50_000, "MessageStructure": "json"},
        {"Message": r'{"default": "\ud800"}', "MessageStructure": "json"},
        {"Message": "x", "MessageDeduplicationId": "d"},
        {"Message": "x", "MessageAttributes": {"a": {"DataType": "String", "StringValue": ""}}},
        {"Message": "x", "MessageAttributes": {"a": {"DataType": "Number", "StringValue": "many"}}},
        {"Message": "x", "MessageAttributes": {"a": {"DataType": "String.Array", "StringValue": "[[]]"}}},
        {"Message": "x", "MessageAttributes": {"a": {"DataType": "String.Array", "StringValue": "[" * 50_000}}},
        {"Message": "x", "MessageAttributes": {"a": {"DataType": "Text", "StringValue": "x"}}},
    ],
)
async def test_bad_messages_are_refused(sns: Any, params: dict[str, Any]) -> None:
    topic = await sns.topic()
    with pytest.raises(AwsError) as refused:
        await sns("Publish", TopicArn=topic, **params)
    assert refused.value.code in ("InvalidParameter", "ParameterValueInvalid")


@pytest.mark.parametrize(
    ("ids", "code"),
    [
        ([], "EmptyBatchRequest"),
        ([str(number) for number in range(11)], "TooManyEntriesInBatchRequest"),
        (["a", "a"], "BatchEntryIdsNotDistinct"),
        (["a b"], "InvalidBatchEntryId"),
    ],
)
async def test_batches_that_fail_as_a_whole(sns: Any, ids: list[str], code: str) -> None:
    topic = await sns.topic()
    entries = [{"Id": id_, "Message": "x"} for id_ in ids]
    with pytest.raises(AwsError) as refused:
        await sns("PublishBatch", TopicArn=topic, PublishBatchRequestEntries=entries)
    assert refused.value.code == code


async def test_a_topic_has_at_most_two_hundred_filter_policies(sns: Any) -> None:
    topic = await sns.topic()
    policy = '{"kind": ["news"]}'
    for number in range(200):
        await sns.subscribe(topic, "sms", f"+4930{number:07}", FilterPolicy=policy)
    with pytest.raises(AwsError, match="FilterPolicyLimitExceeded"):
        await sns.subscribe(topic, "sms", "+49309999999", FilterPolicy=policy)
    plain = await sns.subscribe(topic, "sms", "+49309999999")
    with pytest.raises(AwsError, match="FilterPolicyLimitExceeded"):
        await sns(
            "SetSubscriptionAttributes", SubscriptionArn=plain, AttributeName="FilterPolicy", AttributeValue=policy
        )
