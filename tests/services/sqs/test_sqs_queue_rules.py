"""Queues: creation, attributes, permissions, tags, lists."""

import json
from typing import Any

import pytest

from cloudlet.core.errors import AwsError, NotImplementedByCloudlet


async def attributes_of(sqs: Any, url: str, *names: str) -> dict[str, str]:
    answer = await sqs("GetQueueAttributes", QueueUrl=url, AttributeNames=list(names) or ["All"])
    return answer.get("Attributes", {})


async def test_a_new_queue_has_the_defaults(sqs: Any, clock: Any) -> None:
    url = await sqs.queue("orders")
    assert url == "http://127.0.0.1:4566/000000000000/orders"
    assert await attributes_of(sqs, url) == {
        "QueueArn": "arn:aws:sqs:us-east-1:000000000000:orders",
        "ApproximateNumberOfMessages": "0",
        "ApproximateNumberOfMessagesNotVisible": "0",
        "ApproximateNumberOfMessagesDelayed": "0",
        "CreatedTimestamp": str(int(clock.now())),
        "LastModifiedTimestamp": str(int(clock.now())),
        "DelaySeconds": "0",
        "MaximumMessageSize": "1048576",
        "MessageRetentionPeriod": "345600",
        "ReceiveMessageWaitTimeSeconds": "0",
        "VisibilityTimeout": "30",
        "SqsManagedSseEnabled": "true",
    }


async def test_creating_again_is_fine_with_the_same_attributes_only(sqs: Any) -> None:
    url = await sqs.queue("orders", VisibilityTimeout="10")
    assert await sqs.queue("orders", VisibilityTimeout="10") == url
    assert await sqs.queue("orders") == url
    with pytest.raises(AwsError) as refused:
        await sqs.queue("orders", VisibilityTimeout="11")
    assert refused.value.code == "QueueNameExists"
    assert "VisibilityTimeout" in refused.value.message


@pytest.mark.parametrize("name", ["", "with space", "dot.ted", "a" * 81, "ümlaut", "x.fifo"])
async def test_bad_names_are_refused(sqs: Any, name: str) -> None:
    with pytest.raises(AwsError) as refused:
        await sqs.queue(name)
    assert refused.value.code == "InvalidParameterValue"


@pytest.mark.parametrize(
    ("name", "value", "code"),
    [
        ("DelaySeconds", "901", "InvalidAttributeValue"),
        ("DelaySeconds", "-1", "InvalidAttributeValue"),
        ("VisibilityTimeout", "43201", "InvalidAttributeValue"),
        ("VisibilityTimeout", "soon", "InvalidAttributeValue"),
        ("MaximumMessageSize", "1023", "InvalidAttributeValue"),
        ("MaximumMessageSize", "1048577", "InvalidAttributeValue"),
        ("MessageRetentionPeriod", "59", "InvalidAttributeValue"),
        ("ReceiveMessageWaitTimeSeconds", "21", "InvalidAttributeValue"),
        ("Policy", "{", "InvalidAttributeValue"),
        ("Policy", '{"Statement": [{"Effect": "Allow"}]}', "InvalidAttributeValue"),
        ("QueueArn", "x", "InvalidAttributeName"),
        ("ContentBasedDeduplication", "true", "InvalidAttributeName"),
        ("FifoQueue", "false", "InvalidAttributeName"),
        ("RedrivePolicy", "{}", "InvalidParameterValue"),
        ("RedrivePolicy", '{"a":' * 50_000, "InvalidParameterValue"),
        ("RedriveAllowPolicy", '{"redrivePermission":"byQueue"}', "InvalidParameterValue"),
    ],
)
async def test_bad_attributes_are_refused_and_change_nothing(sqs: Any, name: str, value: str, code: str) -> None:
    url = await sqs.queue("orders")
    before = await attributes_of(sqs, url)
    with pytest.raises(AwsError) as refused:
        await sqs("SetQueueAttributes", QueueUrl=url, Attributes={name: value})
    assert refused.value.code == code
    assert await attributes_of(sqs, url) == before


async def test_kms_is_not_implemented(sqs: Any) -> None:
    with pytest.raises(NotImplementedByCloudlet):
        await sqs.queue("orders", KmsMasterKeyId="alias/aws/sqs")


async def test_attributes_are_changed_and_unset(sqs: Any, clock: Any) -> None:
    url = await sqs.queue("orders")
    created = str(int(clock.now()))
    clock.advance(5)
    statement = {"Effect": "Allow", "Principal": "*", "Action": "sqs:SendMessage", "Resource": "*"}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    await sqs("SetQueueAttributes", QueueUrl=url, Attributes={"DelaySeconds": "7", "Policy": policy})
    found = await attributes_of(sqs, url)
    assert (found["DelaySeconds"], found["Policy"]) == ("7", policy)
    assert found["CreatedTimestamp"] == created
    assert found["LastModifiedTimestamp"] == str(int(clock.now()))
    await sqs("SetQueueAttributes", QueueUrl=url, Attributes={"Policy": ""})
    assert "Policy" not in await attributes_of(sqs, url)


async def test_only_the_attributes_asked_for_are_returned(sqs: Any) -> None:
    url = await sqs.queue("orders")
    assert await attributes_of(sqs, url, "DelaySeconds") == {"DelaySeconds": "0"}
    assert await attributes_of(sqs, url, "Policy") == {}
    assert await sqs("GetQueueAttributes", QueueUrl=url) == {}


async def test_a_queue_that_is_not_there(sqs: Any) -> None:
    url = await sqs.queue("orders")
    await sqs("DeleteQueue", QueueUrl=url)
    for operation, params in (("SendMessage", {"MessageBody": "x"}), ("ReceiveMessage", {}), ("DeleteQueue", {})):
        with pytest.raises(AwsError) as refused:
            await sqs(operation, QueueUrl=url, **params)
        assert refused.value.code == "QueueDoesNotExist"


async def test_the_host_of_a_queue_url_does_not_matter(sqs: Any) -> None:
    await sqs.queue("orders")
    await sqs.send("https://sqs.us-east-1.amazonaws.com/000000000000/orders", "hello")
    assert await sqs.bodies("http://localhost/000000000000/orders") == ["hello"]
    with pytest.raises(AwsError) as refused:
        await sqs.send("orders", "hello")
    assert refused.value.code == "InvalidAddress"


async def test_lists_come_in_pages(sqs: Any) -> None:
    urls = [await sqs.queue(f"queue-{number}") for number in range(5)]
    await sqs.queue("other")
    first = await sqs("ListQueues", QueueNamePrefix="queue-", MaxResults=3)
    assert first["QueueUrls"] == urls[:3]
    second = await sqs("ListQueues", QueueNamePrefix="queue-", MaxResults=3, NextToken=first["NextToken"])
    assert second == {"QueueUrls": urls[3:]}
    assert await sqs("ListQueues", QueueNamePrefix="none") == {}


async def test_a_dead_letter_queue_must_allow_its_source(sqs: Any) -> None:
    dead = await sqs.queue("dead", RedriveAllowPolicy='{"redrivePermission":"denyAll"}')
    redrive = json.dumps({"deadLetterTargetArn": await sqs.arn(dead), "maxReceiveCount": "3"})
    with pytest.raises(AwsError, match="does not allow"):
        await sqs.queue("orders", RedrivePolicy=redrive)
    allowed = {"redrivePermission": "byQueue", "sourceQueueArns": ["arn:aws:sqs:us-east-1:000000000000:orders"]}
    await sqs("SetQueueAttributes", QueueUrl=dead, Attributes={"RedriveAllowPolicy": json.dumps(allowed)})
    orders = await sqs.queue("orders", RedrivePolicy=redrive)
    assert json.loads((await attributes_of(sqs, orders))["RedrivePolicy"])["maxReceiveCount"] == 3
    assert await sqs("ListDeadLetterSourceQueues", QueueUrl=dead) == {"queueUrls": [orders]}
    assert await sqs("ListDeadLetterSourceQueues", QueueUrl=orders) == {"queueUrls": []}


async def test_permissions_are_statements_of_the_policy(sqs: Any) -> None:
    url = await sqs.queue("orders")
    grant = {"Label": "partner", "AWSAccountIds": ["111111111111"], "Actions": ["SendMessage"]}
    await sqs("AddPermission", QueueUrl=url, **grant)
    (statement,) = json.loads((await attributes_of(sqs, url))["Policy"])["Statement"]
    assert statement == {
        "Sid": "partner",
        "Effect": "Allow",
        "Principal": {"AWS": ["arn:aws:iam::111111111111:root"]},
        "Action": ["SQS:SendMessage"],
        "Resource": "arn:aws:sqs:us-east-1:000000000000:orders",
    }
    with pytest.raises(AwsError, match="Already exists"):
        await sqs("AddPermission", QueueUrl=url, **grant)
    await sqs("RemovePermission", QueueUrl=url, Label="partner")
    assert "Policy" not in await attributes_of(sqs, url)
    with pytest.raises(AwsError, match="can't find label"):
        await sqs("RemovePermission", QueueUrl=url, Label="partner")


async def test_tags(sqs: Any) -> None:
    url = (await sqs("CreateQueue", QueueName="orders", tags={"team": "shop"}))["QueueUrl"]
    await sqs("TagQueue", QueueUrl=url, Tags={"stage": "test", "team": "web"})
    assert await sqs("ListQueueTags", QueueUrl=url) == {"Tags": {"team": "web", "stage": "test"}}
    await sqs("UntagQueue", QueueUrl=url, TagKeys=["team", "unknown"])
    assert await sqs("ListQueueTags", QueueUrl=url) == {"Tags": {"stage": "test"}}


async def test_accounts_and_regions_are_apart(sqs: Any) -> None:
    from cloudlet.core.context import Principal

    await sqs.queue("orders")
    other = {"as_": Principal.root("111111111111"), "region": "us-east-1"}
    assert await sqs.cloud.call("sqs", "ListQueues", {}, **other) == {}
    elsewhere = {"as_": Principal.root("000000000000"), "region": "eu-central-1"}
    assert await sqs.cloud.call("sqs", "ListQueues", {}, **elsewhere) == {}
