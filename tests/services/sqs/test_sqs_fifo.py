"""FIFO queues: order within message groups, deduplication, sequence numbers."""

from typing import Any

import pytest

from cloudlet.core.errors import AwsError


@pytest.fixture
async def url(sqs: Any) -> str:
    return await sqs.queue("orders.fifo", FifoQueue="true", ContentBasedDeduplication="true", VisibilityTimeout="30")


async def test_a_fifo_queue_says_so(sqs: Any, url: str) -> None:
    found = (await sqs("GetQueueAttributes", QueueUrl=url, AttributeNames=["All"]))["Attributes"]
    assert found["FifoQueue"] == "true"
    assert found["DeduplicationScope"] == "queue"
    with pytest.raises(AwsError):
        await sqs.queue("orders", FifoQueue="true")


async def test_a_group_in_flight_holds_back_its_later_messages_only(sqs: Any, url: str) -> None:
    for group, body in (("a", "a1"), ("a", "a2"), ("b", "b1"), ("a", "a3")):
        await sqs.send(url, body, MessageGroupId=group)
    (first,) = await sqs.receive(url, MaxNumberOfMessages=1)
    assert first["Body"] == "a1"
    assert await sqs.bodies(url) == ["b1"]
    await sqs("DeleteMessage", QueueUrl=url, ReceiptHandle=first["ReceiptHandle"])
    assert await sqs.bodies(url) == ["a2", "a3"]


async def test_a_message_that_comes_back_keeps_its_place(sqs: Any, url: str, clock: Any) -> None:
    for body in ("1", "2", "3"):
        await sqs.send(url, body, MessageGroupId="g")
    received = await sqs.receive(url, MaxNumberOfMessages=2)
    last = received[1]["ReceiptHandle"]
    await sqs("ChangeMessageVisibility", QueueUrl=url, ReceiptHandle=last, VisibilityTimeout=0)
    assert await sqs.bodies(url) == []
    clock.advance(30)
    assert await sqs.bodies(url) == ["1", "2", "3"]


async def test_a_duplicate_is_answered_and_not_delivered(sqs: Any, url: str, clock: Any) -> None:
    first = await sqs.send(url, "same", MessageGroupId="g")
    (received,) = await sqs.receive(url)
    await sqs("DeleteMessage", QueueUrl=url, ReceiptHandle=received["ReceiptHandle"])
    assert await sqs.send(url, "same", MessageGroupId="g") == first
    assert await sqs.bodies(url) == []
    clock.advance(300)
    later = await sqs.send(url, "same", MessageGroupId="g")
    assert int(later["SequenceNumber"]) > int(first["SequenceNumber"])
    assert await sqs.bodies(url) == ["same"]


async def test_deduplication_by_group(sqs: Any) -> None:
    url = await sqs.queue("by-group.fifo", FifoQueue="true", DeduplicationScope="messageGroup")
    for group in ("a", "b", "a"):
        await sqs.send(url, group, MessageGroupId=group, MessageDeduplicationId="same")
    assert await sqs.bodies(url) == ["a", "b"]


@pytest.mark.parametrize(
    ("params", "code"),
    [
        ({}, "MissingParameter"),
        ({"MessageGroupId": "g"}, "InvalidParameterValue"),
        ({"MessageGroupId": "g", "MessageDeduplicationId": "d", "DelaySeconds": 1}, "InvalidParameterValue"),
        ({"MessageGroupId": "g g", "MessageDeduplicationId": "d"}, "InvalidParameterValue"),
    ],
)
async def test_what_a_fifo_message_must_say(sqs: Any, params: dict[str, Any], code: str) -> None:
    url = await sqs.queue("strict.fifo", FifoQueue="true")
    with pytest.raises(AwsError) as refused:
        await sqs.send(url, "x", **params)
    assert refused.value.code == code


async def test_an_expired_receipt_handle_does_not_delete(sqs: Any, url: str, clock: Any) -> None:
    await sqs.send(url, "x", MessageGroupId="g")
    (message,) = await sqs.receive(url)
    clock.advance(30)
    with pytest.raises(AwsError, match="expired"):
        await sqs("DeleteMessage", QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
    assert await sqs.bodies(url) == ["x"]


async def test_system_attributes_of_a_fifo_message(sqs: Any, url: str) -> None:
    sent = await sqs.send(url, "x", MessageGroupId="g", MessageDeduplicationId="d")
    (message,) = await sqs.receive(url)
    attributes = message["Attributes"]
    assert attributes["SequenceNumber"] == sent["SequenceNumber"]
    assert len(sent["SequenceNumber"]) == 20
    assert (attributes["MessageGroupId"], attributes["MessageDeduplicationId"]) == ("g", "d")


async def test_a_lost_answer_can_be_asked_for_again(sqs: Any, url: str, clock: Any) -> None:
    for body in ("1", "2"):
        await sqs.send(url, body, MessageGroupId="g")
    first = await sqs.receive(url, ReceiveRequestAttemptId="attempt")
    clock.advance(29)
    again = await sqs.receive(url, ReceiveRequestAttemptId="attempt")
    assert again == first
    clock.advance(29)
    assert await sqs.receive(url) == []
    await sqs("DeleteMessage", QueueUrl=url, ReceiptHandle=first[0]["ReceiptHandle"])
    assert await sqs.receive(url, ReceiveRequestAttemptId="attempt") == []
