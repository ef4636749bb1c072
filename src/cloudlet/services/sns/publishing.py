"""The transaction of a publish: the message, and what is owed to each subscription that wants it."""

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from cloudlet.core.context import Call
from cloudlet.core.ids import request_id
from cloudlet.services.sns.messages import Message, encode_attributes
from cloudlet.services.sns.subscriptions import Subscription
from cloudlet.services.sns.topics import Topic
from cloudlet.store import Outbox, Reader, Transaction

_DEDUPLICATION_SECONDS = 300.0
# Sequence numbers have 20 digits and grow.
_FIRST_SEQUENCE = 10_000_000_000_000_000_000
_COLUMNS = "id, topic, message_id, body, structured, subject, attributes, published, group_id, deduplication_id"


@dataclass(frozen=True, slots=True)
class Published:
    message_id: str
    sequence: int | None = None

    @property
    def sequence_number(self) -> str | None:
        return None if self.sequence is None else str(_FIRST_SEQUENCE + self.sequence)


@dataclass(frozen=True, slots=True)
class StoredMessage:
    """A message on its way. `published` in epoch seconds."""

    id: int
    topic: str
    message_id: str
    body: str
    structured: int
    subject: str | None
    attributes: bytes | None
    published: float
    group_id: str | None
    deduplication_id: str | None


def publish(
    tx: Transaction, outbox: Outbox, topic: Topic, message: Message, wanted_by: Sequence[Subscription], call: Call
) -> Published:
    """Writes the message and one outbox row per subscription; nothing for a duplicate in a FIFO topic."""
    deduplication_id, now = message.deduplication_id, call.time
    published = Published(request_id())
    if topic.fifo:
        deduplication_id = deduplication_id or sha256(message.body.encode()).hexdigest()
        scope = (message.group_id or "") if topic.deduplication_by_group else ""
        earlier = _duplicate(tx, topic, scope, deduplication_id, now)
        if earlier is not None:
            return earlier
        published = Published(published.message_id, _next_sequence(tx, topic))
        tx.execute(
            "INSERT OR REPLACE INTO deduplication (topic, scope, deduplication_id, message_id, sequence, published)"
            " VALUES (?, ?, ?, ?, ?, ?)",
            (topic.id, scope, deduplication_id, published.message_id, published.sequence, now),
        )
    if wanted_by:
        row = _insert(tx, topic, message, deduplication_id, published, len(wanted_by), now)
        for subscription in wanted_by:
            lane = f"{subscription.arn} {message.group_id}" if topic.fifo else None
            payload: dict[str, Any] = {"message": row, "sequence": published.sequence_number}
            if call.trace_id is not None:
                payload["trace_id"] = call.trace_id
            outbox.put(tx, subscription.arn, payload, lane=lane)
    return published


def stored_message(reader: Reader, id_: int) -> StoredMessage | None:
    row = reader.one(f"SELECT {_COLUMNS} FROM message WHERE id = ?", (id_,))
    return StoredMessage(*row) if row is not None else None


def delivered(tx: Transaction, message: int) -> None:
    """One delivery of it is over; after the last one the message goes."""
    tx.execute("UPDATE message SET outstanding = outstanding - 1 WHERE id = ?", (message,))
    tx.execute("DELETE FROM message WHERE id = ? AND outstanding <= 0", (message,))


def _insert(
    tx: Transaction,
    topic: Topic,
    message: Message,
    deduplication_id: str | None,
    published: Published,
    outstanding: int,
    now: float,
) -> int:
    return tx.insert(
        "INSERT INTO message (topic, message_id, body, structured, subject, attributes, published, group_id,"
        " deduplication_id, outstanding) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            topic.arn,
            published.message_id,
            message.body,
            message.structured,
            message.subject,
            encode_attributes(message.attributes),
            now,
            message.group_id,
            deduplication_id,
            outstanding,
        ),
    )


def _duplicate(tx: Transaction, topic: Topic, scope: str, deduplication_id: str, now: float) -> Published | None:
    forgotten = now - _DEDUPLICATION_SECONDS
    tx.execute("DELETE FROM deduplication WHERE published <= ?", (forgotten,))
    row = tx.one(
        "SELECT message_id, sequence FROM deduplication WHERE topic = ? AND scope = ? AND deduplication_id = ?",
        (topic.id, scope, deduplication_id),
    )
    return None if row is None else Published(*row)


def _next_sequence(tx: Transaction, topic: Topic) -> int:
    row = tx.one(
        "INSERT INTO sequence (topic, last) VALUES (?, 1) ON CONFLICT (topic) DO UPDATE SET last = last + 1"
        " RETURNING last",
        (topic.id,),
    )
    assert row is not None
    return row[0]
