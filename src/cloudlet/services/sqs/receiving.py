"""Messages out of queues: the transactions of receive, delete and change of visibility, and the dead letters.

All times are milliseconds since the epoch.
"""

from dataclasses import dataclass
from typing import Any

from cloudlet.services.sqs.errors import SqsError, invalid_parameter, invalid_value, message_not_in_flight
from cloudlet.services.sqs.queues import Queue
from cloudlet.services.sqs.receipts import Receipt
from cloudlet.services.sqs.turns import Turns
from cloudlet.store import Reader, Transaction

LONGEST_INVISIBLE = 43_200_000

_FIELDS = (
    "id, message_id, body, attributes, trace_header, sender, sent, receives, earlier_receives, first_received,"
    " group_id, deduplication_id, sequence, source"
)
# The plus signs keep SQLite from indexes that would have it go through the whole queue.
_STANDARD = "FROM message WHERE queue = ?1 AND visible <= ?2 AND +sent > ?3"
# A message group waits while any message of it is in flight, and for an earlier one that is not visible yet.
_FIFO = (
    "FROM message m WHERE queue = ?1 AND sequence IS NOT NULL AND +visible <= ?2 AND +sent > ?3"
    " AND NOT EXISTS (SELECT 1 FROM message e WHERE e.queue = m.queue AND e.group_id = m.group_id"
    " AND e.sequence IS NOT NULL AND e.visible > ?2 AND e.sent > ?3 AND (e.id < m.id OR e.receives > 0))"
)
_ANY_STANDARD = f"SELECT 1 {_STANDARD} LIMIT 1"
_ANY_FIFO = f"SELECT 1 {_FIFO} LIMIT 1"
_FIRST_STANDARD = f"SELECT {_FIELDS} {_STANDARD} ORDER BY visible, id LIMIT ?4"
_FIRST_FIFO = f"SELECT {_FIELDS} {_FIFO} ORDER BY id LIMIT ?4"


@dataclass(frozen=True, slots=True)
class Message:
    """A received message; `receives` and `first_received` include this receive."""

    id: int
    message_id: str
    body: str
    attributes: bytes | None
    trace_header: str | None
    sender: str
    sent: int
    receives: int
    earlier_receives: int
    first_received: int
    group_id: str | None
    deduplication_id: str | None
    sequence: int | None
    source: str | None


@dataclass(frozen=True, slots=True)
class Received:
    """What a receive took, and whether it moved others to the dead-letter queue on the way."""

    messages: list[Message]
    moved: bool


def has_receivable(reader: Reader, queue: Queue, now: int) -> bool:
    sql = _ANY_FIFO if queue.fifo else _ANY_STANDARD
    return reader.one(sql, (queue.id, now, now - queue.retention * 1000)) is not None


def next_due(reader: Reader, queue: Queue, now: int) -> int | None:
    """When the next message that is invisible now becomes visible; None if there is none."""
    row = reader.one("SELECT min(visible) FROM message WHERE queue = ? AND visible > ?", (queue.id, now))
    return row[0] if row is not None else None


def receive(
    tx: Transaction, queue: Queue, dead_letters: Queue | None, turns: Turns, count: int, timeout: int, now: int
) -> Received:
    """Takes up to `count` messages, which are invisible for `timeout` milliseconds from now on.

    Those received too often already go to the dead-letter queue instead, in this transaction.
    """
    taken: list[Message] = []
    moved = False
    while len(taken) < count:
        rows = _candidates(tx, queue, turns, count - len(taken), now)
        worn_out = _worn_out(tx, queue, dead_letters, rows)
        for row in worn_out:
            assert dead_letters is not None
            _move(tx, row, queue, dead_letters, now)
        _take(tx, [row for row in rows if row not in worn_out] if worn_out else rows, now, timeout, taken)
        moved = moved or bool(worn_out)
        if not worn_out or (taken and timeout == 0):
            break  # nothing stands behind what was taken, or what was taken is still there to be found again
    return Received(taken, moved)


def taken_message(reader: Reader, queue: Queue, id_: int, number: int, now: int) -> Message | None:
    """A message in flight since the receive of that number; None if it has been deleted or has come back since."""
    row = reader.one(
        f"SELECT {_FIELDS} FROM message WHERE id = ? AND queue = ? AND receives = ? AND visible > ?",
        (id_, queue.id, number, now),
    )
    return Message(*row) if row is not None else None


def delete(tx: Transaction, queue: Queue, receipt: Receipt, handle: str, now: int) -> None:
    """Deletes the message if the handle is of its newest receive; one that is gone already is deleted well enough."""
    if queue.fifo:
        row = tx.one("SELECT visible, receives FROM message WHERE id = ? AND queue = ?", (receipt.message, queue.id))
        if row is not None and (row[0] <= now or row[1] != receipt.number):
            raise invalid_value("ReceiptHandle", handle, "The receipt handle has expired.")
    tx.execute(
        "DELETE FROM message WHERE id = ? AND queue = ? AND receives = ?", (receipt.message, queue.id, receipt.number)
    )


def change_visibility(tx: Transaction, queue: Queue, receipt: Receipt, handle: str, timeout: int, now: int) -> None:
    """Makes a message in flight visible again in `timeout` milliseconds from now."""
    row = tx.one(
        "SELECT visible, receives, received FROM message WHERE id = ? AND queue = ?", (receipt.message, queue.id)
    )
    if row is None:
        reason = "Message does not exist or is not available for visibility timeout change."
        raise invalid_value("ReceiptHandle", handle, reason)
    if row[0] <= now or row[1] != receipt.number:
        raise _not_in_flight(queue, handle)
    if now + timeout > row[2] + LONGEST_INVISIBLE:
        reason = f"Total VisibilityTimeout for the message is beyond the limit [{LONGEST_INVISIBLE // 1000} seconds]"
        raise invalid_value("VisibilityTimeout", timeout // 1000, reason)
    tx.execute("UPDATE message SET visible = ? WHERE id = ?", (now + timeout, receipt.message))


def purge(tx: Transaction, queue: Queue) -> None:
    tx.execute("DELETE FROM message WHERE queue = ?", (queue.id,))


def counts(reader: Reader, queue: Queue, now: int) -> tuple[int, int, int]:
    """How many messages are visible, in flight, delayed."""
    row = reader.one(
        "SELECT coalesce(sum(visible <= ?1), 0), coalesce(sum(visible > ?1 AND receives > 0), 0),"
        " coalesce(sum(visible > ?1 AND receives = 0), 0) FROM message WHERE queue = ?2 AND sent > ?3",
        (now, queue.id, now - queue.retention * 1000),
    )
    assert row is not None
    return row[0], row[1], row[2]


def _candidates(reader: Reader, queue: Queue, turns: Turns, count: int, now: int) -> list[tuple[Any, ...]]:
    in_turn = None if queue.fifo else turns.messages(reader, queue, count, now)
    if in_turn is not None:
        return [row for id_ in in_turn for row in reader.all(f"SELECT {_FIELDS} FROM message WHERE id = ?", (id_,))]
    sql = _FIRST_FIFO if queue.fifo else _FIRST_STANDARD
    return reader.all(sql, (queue.id, now, now - queue.retention * 1000, count))


def _worn_out(
    tx: Transaction, queue: Queue, dead_letters: Queue | None, rows: list[tuple[Any, ...]]
) -> list[tuple[Any, ...]]:
    """Those that were received as often as the redrive policy allows. None are if the dead-letter queue is gone."""
    if dead_letters is None or queue.redrive is None:
        return []
    most = queue.redrive.max_receive_count
    found = [row for row in rows if row[7] >= most]
    if found and tx.one("SELECT 1 FROM queue WHERE id = ?", (dead_letters.id,)) is None:
        return []
    return found


def _take(tx: Transaction, rows: list[tuple[Any, ...]], now: int, timeout: int, taken: list[Message]) -> None:
    tx.many(
        "UPDATE message SET visible = ?1, receives = receives + 1, received = ?2,"
        " first_received = coalesce(first_received, ?2) WHERE id = ?3",
        [(now + timeout, now, row[0]) for row in rows],
    )
    taken += [_received(row, now) for row in rows]


def _received(row: tuple[Any, ...], now: int) -> Message:
    """The message as it is after this receive."""
    earlier, first = row[7], row[9]
    return Message(*row[:7], earlier + 1, row[8], now if first is None else first, *row[10:])  # pyright: ignore[reportCallIssue] - the row has the dataclass's columns


def _move(tx: Transaction, row: tuple[Any, ...], source: Queue, target: Queue, now: int) -> None:
    """Into the dead-letter queue: the message keeps its id and, in a standard queue, its age."""
    sent = now if target.fifo else row[6]
    tx.execute(
        "UPDATE message SET queue = ?, visible = ?, sent = ?, source = ?, receives = 0,"
        " earlier_receives = earlier_receives + receives WHERE id = ?",
        (target.id, now, sent, source.arn, row[0]),
    )


def _not_in_flight(queue: Queue, handle: str) -> SqsError:
    if queue.fifo:
        return invalid_parameter(
            f"Value {handle} for parameter ReceiptHandle is invalid. Reason: The receipt handle has expired."
        )
    return message_not_in_flight(handle)
