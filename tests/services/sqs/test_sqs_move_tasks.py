"""Message move tasks: dead letters go back."""

import json
from typing import Any

import pytest

from cloudlet.core.errors import AwsError


@pytest.fixture
async def dead(sqs: Any) -> str:
    """A dead-letter queue with three letters of the queue `orders`."""
    dead = await sqs.queue("dead")
    redrive = json.dumps({"deadLetterTargetArn": await sqs.arn(dead), "maxReceiveCount": 1})
    orders = await sqs.queue("orders", RedrivePolicy=redrive, VisibilityTimeout="0")
    for body in "123":
        await sqs.send(orders, body)
    await sqs.receive(orders)
    await sqs.receive(orders)
    await sqs("SetQueueAttributes", QueueUrl=orders, Attributes={"VisibilityTimeout": "30"})
    return dead


async def finished(sqs: Any, source: str) -> dict[str, Any]:
    """The newest task, once it does not run any more."""
    while sqs.service.mover._under_way:
        await next(iter(sqs.service.mover._under_way))
    return (await sqs("ListMessageMoveTasks", SourceArn=source))["Results"][0]


async def test_dead_letters_go_back_to_their_source(sqs: Any, dead: str) -> None:
    source = await sqs.arn(dead)
    handle = (await sqs("StartMessageMoveTask", SourceArn=source))["TaskHandle"]
    task = await finished(sqs, source)
    assert (task["Status"], task["ApproximateNumberOfMessagesMoved"]) == ("COMPLETED", 3)
    back = await sqs.receive(dead.replace("dead", "orders"))
    assert [message["Body"] for message in back] == ["1", "2", "3"]
    assert back[0]["Attributes"]["ApproximateReceiveCount"] == "1"
    assert "DeadLetterQueueSourceArn" not in back[0]["Attributes"]
    with pytest.raises(AwsError) as refused:
        await sqs("CancelMessageMoveTask", TaskHandle=handle)
    assert refused.value.code == "UnsupportedOperation"


async def test_or_to_another_queue(sqs: Any, dead: str) -> None:
    source, other = await sqs.arn(dead), await sqs.queue("other")
    await sqs("StartMessageMoveTask", SourceArn=source, DestinationArn=await sqs.arn(other))
    await finished(sqs, source)
    assert await sqs.bodies(other) == ["1", "2", "3"]


async def test_a_letter_of_unknown_origin_fails_the_task(sqs: Any, dead: str) -> None:
    source = await sqs.arn(dead)
    await sqs.send(dead, "sent here by hand")
    await sqs("StartMessageMoveTask", SourceArn=source)
    task = await finished(sqs, source)
    assert (task["Status"], task["FailureReason"]) == ("FAILED", "CouldNotDetermineMessageSource")
    assert await sqs.bodies(dead) == ["sent here by hand"]


async def test_one_task_at_a_time_which_goes_on_after_a_stop(sqs: Any, dead: str) -> None:
    source = await sqs.arn(dead)
    await sqs("StartMessageMoveTask", SourceArn=source, MaxNumberOfMessagesPerSecond=1)
    with pytest.raises(AwsError, match="already a task running"):
        await sqs("StartMessageMoveTask", SourceArn=source)
    await sqs.service.stop()
    await sqs.service.start()
    (task,) = (await sqs("ListMessageMoveTasks", SourceArn=source))["Results"]
    assert task["Status"] == "RUNNING"
    assert len(sqs.service.mover._under_way) == 1
    assert "ApproximateNumberOfMessagesMoved" in await sqs("CancelMessageMoveTask", TaskHandle=task["TaskHandle"])


async def test_only_from_dead_letter_queues(sqs: Any) -> None:
    url = await sqs.queue("plain")
    with pytest.raises(AwsError, match="must be configured as a Dead Letter Queue"):
        await sqs("StartMessageMoveTask", SourceArn=await sqs.arn(url))
    with pytest.raises(AwsError) as missing:
        await sqs("StartMessageMoveTask", SourceArn="arn:aws:sqs:us-east-1:000000000000:none")
    assert missing.value.code == "ResourceNotFoundException"
