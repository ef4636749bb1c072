"""Messages: sending, visibility, dead letters, long polling, batches."""

import asyncio
import json
from typing import Any

import pytest

from cloudlet.core.errors import AwsError


async def test_a_message_comes_as_it_was_sent(sqs: Any, clock: Any) -> None:
    url = await sqs.queue("orders")
    attributes = {
        "kind": {"DataType": "String", "StringValue": "book"},
        "cover": {"DataType": "Binary.png", "BinaryValue": b"\x00\xff"},
    }
    sent = await sqs.send(url, "hällo", MessageAttributes=attributes)
    (message,) = await sqs.receive(url, MessageAttributeNames=["All"])
    assert message["Body"] == "hällo"
    assert message["MessageId"] == sent["MessageId"]
    assert message["MD5OfBody"] == sent["MD5OfMessageBody"]
    assert message["MessageAttributes"] == attributes
    assert message["MD5OfMessageAttributes"] == sent["MD5OfMessageAttributes"]
    assert message["Attributes"] == {
        "SenderId": "000000000000",
        "SentTimestamp": str(int(clock.now() * 1000)),
        "ApproximateReceiveCount": "1",
        "ApproximateFirstReceiveTimestamp": str(int(clock.now() * 1000)),
    }


async def test_a_received_message_is_invisible_until_its_time_is_over(sqs: Any, clock: Any) -> None:
    url = await sqs.queue("orders", VisibilityTimeout="30")
    await sqs.send(url, "one")
    (first,) = await sqs.receive(url)
    clock.advance(29)
    assert await sqs.receive(url) == []
    clock.advance(1)
    (second,) = await sqs.receive(url)
    assert second["Attributes"]["ApproximateReceiveCount"] == "2"
    assert second["Attributes"]["ApproximateFirstReceiveTimestamp"] == first["Attributes"]["SentTimestamp"]
    assert second["ReceiptHandle"] != first["ReceiptHandle"]


async def test_only_the_newest_receipt_handle_deletes(sqs: Any, clock: Any) -> None:
    url = await sqs.queue("orders", VisibilityTimeout="1")
    await sqs.send(url, "one")
    (old,) = await sqs.receive(url)
    clock.advance(1)
    (new,) = await sqs.receive(url)
    await sqs("DeleteMessage", QueueUrl=url, ReceiptHandle=old["ReceiptHandle"])
    clock.advance(1)
    assert await sqs.bodies(url, VisibilityTimeout=0) == ["one"]
    (newest,) = await sqs.receive(url)
    await sqs("DeleteMessage", QueueUrl=url, ReceiptHandle=newest["ReceiptHandle"])
    await sqs("DeleteMessage", QueueUrl=url, ReceiptHandle=new["ReceiptHandle"])
    clock.advance(60)
    assert await sqs.receive(url) == []


async def test_a_made_up_receipt_handle_is_refused(sqs: Any) -> None:
    url = await sqs.queue("orders")
    other = await sqs.queue("other")
    await sqs.send(other, "one")
    (message,) = await sqs.receive(other)
    for handle in ("nonsense", message["ReceiptHandle"], message["ReceiptHandle"][:-8] + "AAAAAAA="):
        with pytest.raises(AwsError) as refused:
            await sqs("DeleteMessage", QueueUrl=url, ReceiptHandle=handle)
        assert refused.value.code == "ReceiptHandleIsInvalid"


async def test_delays_of_queue_and_message(sqs: Any, clock: Any) -> None:
    url = await sqs.queue("orders", DelaySeconds="10")
    await sqs.send(url, "by the queue")
    await sqs.send(url, "by itself", DelaySeconds=5)
    await sqs.send(url, "at once", DelaySeconds=0)
    counts = await sqs("GetQueueAttributes", QueueUrl=url, AttributeNames=["All"])
    assert counts["Attributes"]["ApproximateNumberOfMessagesDelayed"] == "2"
    assert await sqs.bodies(url) == ["at once"]
    clock.advance(5)
    assert await sqs.bodies(url) == ["by itself"]
    clock.advance(5)
    assert await sqs.bodies(url) == ["by the queue"]


async def test_visibility_is_changed_while_in_flight_only(sqs: Any, clock: Any) -> None:
    url = await sqs.queue("orders", VisibilityTimeout="10")
    await sqs.send(url, "one")
    (message,) = await sqs.receive(url)
    change = {"QueueUrl": url, "ReceiptHandle": message["ReceiptHandle"]}
    await sqs("ChangeMessageVisibility", **change, VisibilityTimeout=100)
    clock.advance(99)
    assert await sqs.receive(url) == []
    await sqs("ChangeMessageVisibility", **change, VisibilityTimeout=0)
    with pytest.raises(AwsError) as refused:
        await sqs("ChangeMessageVisibility", **change, VisibilityTimeout=10)
    assert refused.value.code == "MessageNotInflight"
    assert await sqs.bodies(url) == ["one"]


async def test_a_message_that_is_not_deleted_ends_in_the_dead_letter_queue(sqs: Any, clock: Any) -> None:
    dead = await sqs.queue("dead")
    redrive = json.dumps({"deadLetterTargetArn": await sqs.arn(dead), "maxReceiveCount": 2})
    url = await sqs.queue("orders", RedrivePolicy=redrive, VisibilityTimeout="1")
    sent = await sqs.send(url, "poison")
    for count in ("1", "2"):
        (message,) = await sqs.receive(url)
        assert message["Attributes"]["ApproximateReceiveCount"] == count
        clock.advance(1)
    await sqs.send(url, "healthy")
    assert await sqs.bodies(url) == ["healthy"]
    (letter,) = await sqs.receive(dead)
    assert letter["MessageId"] == sent["MessageId"]
    assert letter["Attributes"]["DeadLetterQueueSourceArn"] == await sqs.arn(url)
    assert letter["Attributes"]["ApproximateReceiveCount"] == "3"


async def test_without_its_dead_letter_queue_a_message_goes_on(sqs: Any, clock: Any) -> None:
    dead = await sqs.queue("dead")
    redrive = json.dumps({"deadLetterTargetArn": await sqs.arn(dead), "maxReceiveCount": 1})
    url = await sqs.queue("orders", RedrivePolicy=redrive, VisibilityTimeout="1")
    await sqs.send(url, "poison")
    await sqs("DeleteQueue", QueueUrl=dead)
    for _ in range(3):
        assert await sqs.bodies(url) == ["poison"]
        clock.advance(1)


async def test_messages_expire(sqs: Any, clock: Any) -> None:
    url = await sqs.queue("orders", MessageRetentionPeriod="60")
    await sqs.send(url, "one")
    clock.advance(60)
    assert await sqs.receive(url) == []
    counts = await sqs("GetQueueAttributes", QueueUrl=url, AttributeNames=["ApproximateNumberOfMessages"])
    assert counts["Attributes"] == {"ApproximateNumberOfMessages": "0"}
    assert await sqs.service._retention.expire() == 1


async def test_counts(sqs: Any) -> None:
    url = await sqs.queue("orders")
    for delay in (0, 0, 0, 60):
        await sqs.send(url, "x", DelaySeconds=delay)
    await sqs.receive(url, MaxNumberOfMessages=1)
    found = (await sqs("GetQueueAttributes", QueueUrl=url, AttributeNames=["All"]))["Attributes"]
    assert found["ApproximateNumberOfMessages"] == "2"
    assert found["ApproximateNumberOfMessagesNotVisible"] == "1"
    assert found["ApproximateNumberOfMessagesDelayed"] == "1"
    await sqs("PurgeQueue", QueueUrl=url)
    found = (await sqs("GetQueueAttributes", QueueUrl=url, AttributeNames=["All"]))["Attributes"]
    assert found["ApproximateNumberOfMessagesNotVisible"] == "0"


async def waiting(sqs: Any, url: str) -> asyncio.Task[list[str]]:
    """A receiver that has found nothing and waits."""
    receiver = asyncio.create_task(sqs.bodies(url, WaitTimeSeconds=20))
    topic = f"sqs:{await sqs.arn(url)}"
    while topic not in sqs.cloud.signals._listeners:
        await asyncio.sleep(0)
    return receiver


async def test_a_send_wakes_the_receiver_that_waits(sqs: Any) -> None:
    url = await sqs.queue("orders")
    receiver = await waiting(sqs, url)
    await sqs.send(url, "at last")
    assert await receiver == ["at last"]


async def test_a_change_of_visibility_wakes_the_receiver_that_waits(sqs: Any) -> None:
    url = await sqs.queue("orders")
    await sqs.send(url, "back again")
    (message,) = await sqs.receive(url)
    receiver = await waiting(sqs, url)
    await sqs("ChangeMessageVisibility", QueueUrl=url, ReceiptHandle=message["ReceiptHandle"], VisibilityTimeout=0)
    assert await receiver == ["back again"]


async def test_a_dead_letter_wakes_the_receiver_that_waits(sqs: Any) -> None:
    dead = await sqs.queue("dead")
    redrive = json.dumps({"deadLetterTargetArn": await sqs.arn(dead), "maxReceiveCount": 1})
    url = await sqs.queue("orders", RedrivePolicy=redrive, VisibilityTimeout="0")
    await sqs.send(url, "poison")
    await sqs.receive(url)
    receiver = await waiting(sqs, dead)
    assert await sqs.receive(url) == []
    assert await receiver == ["poison"]


async def test_stopping_answers_the_receivers_that_wait(sqs: Any) -> None:
    url = await sqs.queue("orders")
    receiver = await waiting(sqs, url)
    await sqs.service.drain()
    assert await receiver == []


async def test_deleting_the_queue_answers_the_receivers_that_wait(sqs: Any) -> None:
    url = await sqs.queue("orders")
    receiver = await waiting(sqs, url)
    await sqs("DeleteQueue", QueueUrl=url)
    with pytest.raises(AwsError, match="does not exist"):
        await receiver


async def test_two_receivers_never_get_the_same_message(sqs: Any) -> None:
    url = await sqs.queue("orders")
    for number in range(40):
        await sqs.send(url, str(number))
    found = await asyncio.gather(*(sqs.bodies(url) for _ in range(8)))
    assert sorted(int(body) for bodies in found for body in bodies) == list(range(40))


@pytest.mark.parametrize(
    ("params", "code"),
    [
        ({"MessageBody": ""}, "MissingParameter"),
        ({"MessageBody": "bell \x07"}, "InvalidMessageContents"),
        ({"MessageBody": "x" * 1025}, "InvalidParameterValue"),
        ({"MessageBody": "ü" * 513}, "InvalidParameterValue"),
        ({"MessageBody": "x", "DelaySeconds": 901}, "InvalidParameterValue"),
        ({"MessageBody": "x", "MessageDeduplicationId": "d"}, "InvalidParameterValue"),
        ({"MessageBody": "x", "MessageAttributes": {"AWS.x": {"DataType": "String", "StringValue": "v"}}}, None),
        ({"MessageBody": "x", "MessageAttributes": {"a..b": {"DataType": "String", "StringValue": "v"}}}, None),
        ({"MessageBody": "x", "MessageAttributes": {"a": {"DataType": "Text", "StringValue": "v"}}}, None),
        ({"MessageBody": "x", "MessageAttributes": {"a": {"DataType": "Number", "StringValue": "v"}}}, None),
        ({"MessageBody": "x", "MessageAttributes": {"a": {"DataType": "String", "StringValue": ""}}}, None),
        ({"MessageBody": "x", "MessageAttributes": {"a": {"DataType": "Binary", "StringValue": "v"}}}, None),
    ],
)
async def test_bad_messages_are_refused(sqs: Any, params: dict[str, Any], code: str | None) -> None:
    url = await sqs.queue("orders", MaximumMessageSize="1024")
    with pytest.raises(AwsError) as refused:
        await sqs("SendMessage", QueueUrl=url, **params)
    assert refused.value.code == (code or "InvalidParameterValue")
    assert await sqs.receive(url) == []


async def test_message_attributes_are_chosen_by_name_and_prefix(sqs: Any) -> None:
    url = await sqs.queue("orders", VisibilityTimeout="0")
    values = {name: {"DataType": "String", "StringValue": "v"} for name in ("a.x", "a.y", "b")}
    await sqs.send(url, "x", MessageAttributes=values)
    for names, expected in (
        (["a.*"], {"a.x", "a.y"}),
        (["b", "unknown"], {"b"}),
        ([".*"], {"a.x", "a.y", "b"}),
        (["unknown"], set()),
    ):
        (message,) = await sqs.receive(url, MessageAttributeNames=names)
        assert set(message.get("MessageAttributes", ())) == expected


async def test_a_batch_succeeds_and_fails_entry_by_entry(sqs: Any) -> None:
    url = await sqs.queue("orders")
    answer = await sqs(
        "SendMessageBatch",
        QueueUrl=url,
        Entries=[{"Id": "good", "MessageBody": "one"}, {"Id": "bad", "MessageBody": "\x00"}],
    )
    assert [entry["Id"] for entry in answer["Successful"]] == ["good"]
    (failed,) = answer["Failed"]
    assert (failed["Id"], failed["Code"], failed["SenderFault"]) == ("bad", "InvalidMessageContents", True)
    (message,) = await sqs.receive(url)
    answer = await sqs(
        "DeleteMessageBatch",
        QueueUrl=url,
        Entries=[{"Id": "1", "ReceiptHandle": message["ReceiptHandle"]}, {"Id": "2", "ReceiptHandle": "?"}],
    )
    assert answer["Successful"] == [{"Id": "1"}]
    assert answer["Failed"][0]["Code"] == "ReceiptHandleIsInvalid"


@pytest.mark.parametrize(
    ("ids", "code"),
    [
        ([], "EmptyBatchRequest"),
        ([str(number) for number in range(11)], "TooManyEntriesInBatchRequest"),
        (["a", "a"], "BatchEntryIdsNotDistinct"),
        (["a b"], "InvalidBatchEntryId"),
        (["a" * 81], "InvalidBatchEntryId"),
    ],
)
async def test_batches_that_fail_as_a_whole(sqs: Any, ids: list[str], code: str) -> None:
    url = await sqs.queue("orders")
    with pytest.raises(AwsError) as refused:
        await sqs("SendMessageBatch", QueueUrl=url, Entries=[{"Id": id_, "MessageBody": "x"} for id_ in ids])
    assert refused.value.code == code


async def test_a_batch_that_is_too_long(sqs: Any) -> None:
    url = await sqs.queue("orders")
    entries = [{"Id": id_, "MessageBody": "x" * 524_289} for id_ in "ab"]
    with pytest.raises(AwsError) as refused:
        await sqs("SendMessageBatch", QueueUrl=url, Entries=entries)
    assert refused.value.code == "BatchRequestTooLong"


async def test_receipts_survive_a_restart(sqs: Any) -> None:
    url = await sqs.queue("orders")
    await sqs.send(url, "one")
    (message,) = await sqs.receive(url)
    await sqs.service.stop()
    await sqs.service.start()
    await sqs("DeleteMessage", QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
    found = (await sqs("GetQueueAttributes", QueueUrl=url, AttributeNames=["All"]))["Attributes"]
    assert found["ApproximateNumberOfMessagesNotVisible"] == "0"


async def test_a_message_is_invisible_for_twelve_hours_at_most(sqs: Any, clock: Any) -> None:
    url = await sqs.queue("orders", VisibilityTimeout="43200")
    await sqs.send(url, "one")
    (message,) = await sqs.receive(url)
    clock.advance(3600)
    change = {"QueueUrl": url, "ReceiptHandle": message["ReceiptHandle"]}
    with pytest.raises(AwsError, match="beyond the limit"):
        await sqs("ChangeMessageVisibility", **change, VisibilityTimeout=43_200)
    await sqs("ChangeMessageVisibility", **change, VisibilityTimeout=43_200 - 3600)


async def test_visibility_is_changed_in_batches(sqs: Any, clock: Any) -> None:
    url = await sqs.queue("orders")
    for body in ("a", "b"):
        await sqs.send(url, body)
    first, second = (message["ReceiptHandle"] for message in await sqs.receive(url))
    await sqs("DeleteMessage", QueueUrl=url, ReceiptHandle=second)
    entries = [
        {"Id": "now", "ReceiptHandle": first, "VisibilityTimeout": 0},
        {"Id": "gone", "ReceiptHandle": second, "VisibilityTimeout": 0},
        {"Id": "long", "ReceiptHandle": first, "VisibilityTimeout": 43_201},
    ]
    answer = await sqs("ChangeMessageVisibilityBatch", QueueUrl=url, Entries=entries)
    assert answer["Successful"] == [{"Id": "now"}]
    assert {entry["Id"] for entry in answer["Failed"]} == {"gone", "long"}
    assert await sqs.bodies(url) == ["a"]
