"""Receive attempts: a FIFO receive that is asked for again by its id is answered with the same messages."""

import json

from cloudlet.services.sqs.queues import Queue
from cloudlet.services.sqs.receiving import Message, taken_message
from cloudlet.store import Reader, Transaction

MILLISECONDS = 5 * 60 * 1000


def is_repeated(reader: Reader, queue: Queue, attempt_id: str, now: int) -> bool:
    return _receipts(reader, queue, attempt_id, now) is not None


def remember(tx: Transaction, queue: Queue, attempt_id: str, messages: list[Message], now: int) -> None:
    receipts = json.dumps([(message.id, message.receives) for message in messages])
    tx.execute(
        "INSERT OR REPLACE INTO receive_attempt (queue, attempt_id, time, messages) VALUES (?, ?, ?, ?)",
        (queue.id, attempt_id, now, receipts),
    )


def repeat(tx: Transaction, queue: Queue, attempt_id: str, timeout: int, now: int) -> list[Message] | None:
    """The messages of the earlier attempt, invisible anew; None unless all are still in flight as they were then."""
    receipts = _receipts(tx, queue, attempt_id, now)
    if receipts is None:
        return None
    found = [taken_message(tx, queue, message, number, now) for message, number in receipts]
    messages = [message for message in found if message is not None]
    if len(messages) < len(receipts):
        return None
    tx.many("UPDATE message SET visible = ? WHERE id = ?", [(now + timeout, message.id) for message in messages])
    return messages


def forget(tx: Transaction, now: int) -> None:
    tx.execute("DELETE FROM receive_attempt WHERE time <= ?", (now - MILLISECONDS,))


def _receipts(reader: Reader, queue: Queue, attempt_id: str, now: int) -> list[tuple[int, int]] | None:
    row = reader.one(
        "SELECT messages FROM receive_attempt WHERE queue = ? AND attempt_id = ? AND time > ?",
        (queue.id, attempt_id, now - MILLISECONDS),
    )
    return json.loads(row[0]) if row is not None else None
