"""Standard queues whose messages have group ids give the groups their turns; and the limit of messages in flight."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudlet.core.errors import AwsError
from cloudlet.services.sqs import flights


async def test_one_group_with_much_to_do_does_not_hold_up_the_others(sqs: Any) -> None:
    url = await sqs.queue("tenants")
    for number in range(50):
        await sqs.send(url, f"noisy-{number}", MessageGroupId="noisy")
    await sqs.send(url, "quiet", MessageGroupId="quiet")
    await sqs.send(url, "of nobody")
    found = await sqs.bodies(url, MaxNumberOfMessages=3)
    assert sorted(found) == ["noisy-0", "of nobody", "quiet"]
    assert await sqs.bodies(url, MaxNumberOfMessages=2) == ["noisy-1", "noisy-2"]


async def test_within_a_group_the_oldest_comes_first(sqs: Any, clock: Any) -> None:
    url = await sqs.queue("tenants")
    for body in ("a1", "a2", "b1", "a3"):
        await sqs.send(url, body, MessageGroupId=body[0])
        clock.advance(0.01)
    assert await sqs.bodies(url) == ["a1", "b1", "a2", "a3"]


async def test_many_groups_whose_messages_are_in_flight_do_not_hide_the_rest(sqs: Any) -> None:
    url = await sqs.queue("tenants")
    for number in range(100):
        await sqs.send(url, str(number), MessageGroupId=f"tenant-{number:03}")
    seen: list[str] = []
    for _ in range(9):
        seen += await sqs.bodies(url)
    await sqs.send(url, "last", MessageGroupId="tenant-050")
    for _ in range(3):
        seen += await sqs.bodies(url)
    assert sorted(seen) == sorted([*map(str, range(100)), "last"])


async def test_worn_out_messages_of_a_group_go_to_the_dead_letter_queue(sqs: Any, clock: Any) -> None:
    dead = await sqs.queue("dead")
    redrive = f'{{"deadLetterTargetArn": "{await sqs.arn(dead)}", "maxReceiveCount": 1}}'
    url = await sqs.queue("tenants", RedrivePolicy=redrive, VisibilityTimeout="1")
    for group in ("a", "b"):
        await sqs.send(url, group, MessageGroupId=group)
    assert await sqs.bodies(url) == ["a", "b"]
    clock.advance(2)
    assert await sqs.bodies(url) == []
    assert sorted(await sqs.bodies(dead)) == ["a", "b"]


@given(st.lists(st.sampled_from(["", "a", "b", "c"]), max_size=25))
def test_every_message_comes_once(groups: list[str]) -> None:
    """Whatever the mixture of groups: the turns are asked of a table as the queue's."""
    from cloudlet.services.sqs.turns import Turns

    table = _Messages(groups)
    turns, seen = Turns(), list[int]()
    while found := turns.messages(table.reader, table.queue, 4, 1000) or table.ungrouped():
        table.take(found)
        seen += found
    assert sorted(seen) == list(range(1, len(groups) + 1))


class _Messages:
    """A queue's messages in memory."""

    def __init__(self, groups: list[str]) -> None:
        from types import SimpleNamespace

        import apsw

        from cloudlet.store import Reader

        self.connection = apsw.Connection(":memory:")
        self.connection.execute(
            "CREATE TABLE message (id INTEGER PRIMARY KEY, queue, group_id, visible, sent, sequence)"
        )
        for group in groups:
            values = (group or None,)
            self.connection.execute(
                "INSERT INTO message (queue, group_id, visible, sent) VALUES (1, ?, 0, 999)", values
            )
        self.reader = Reader(self.connection)
        self.queue: Any = SimpleNamespace(id=1, retention=60)

    def take(self, found: list[int]) -> None:
        for id_ in found:
            self.connection.execute("UPDATE message SET visible = 5000 WHERE id = ?", (id_,))

    def ungrouped(self) -> list[int]:
        return [row[0] for row in self.reader.rows("SELECT id FROM message WHERE visible < 1000 LIMIT 4")]


async def test_too_many_in_flight_are_an_error_or_for_who_waits_none(sqs: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(flights, "MOST_IN_FLIGHT", 3)
    url = await sqs.queue("busy")
    for number in range(5):
        await sqs.send(url, str(number))
    messages = await sqs.receive(url)
    assert [message["Body"] for message in messages] == ["0", "1", "2"]
    with pytest.raises(AwsError, match="OverLimit"):
        await sqs.receive(url)
    assert await sqs.receive(url, WaitTimeSeconds=1) == []
    await sqs("DeleteMessage", QueueUrl=url, ReceiptHandle=messages[0]["ReceiptHandle"])
    assert await sqs.bodies(url) == ["3"]


async def test_a_fifo_queue_with_too_many_in_flight_gives_none(sqs: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(flights, "MOST_IN_FLIGHT", 1)
    url = await sqs.queue("busy.fifo", FifoQueue="true", ContentBasedDeduplication="true")
    for group in ("a", "b"):
        await sqs.send(url, group, MessageGroupId=group)
    assert await sqs.bodies(url) == ["a"]
    assert await sqs.bodies(url) == []
