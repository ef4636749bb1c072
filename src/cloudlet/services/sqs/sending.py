"""Messages into queues: the transaction of a send, with FIFO deduplication and sequence numbers."""

from dataclasses import dataclass
from hashlib import sha256

from cloudlet.core.ids import request_id
from cloudlet.services.sqs.errors import invalid_parameter, invalid_value, missing_parameter, queue_does_not_exist
from cloudlet.services.sqs.messages import OutgoingMessage
from cloudlet.services.sqs.queues import Queue
from cloudlet.store import Transaction

DEDUPLICATION_MILLISECONDS = 5 * 60 * 1000
# Sequence numbers have 20 digits and grow; consecutive ones are not consecutive numbers.
_FIRST_SEQUENCE = 18_850_000_000_000_000_000
_SEQUENCE_STEP = 256

_INSERT = (
    "INSERT INTO message (queue, message_id, body, attributes, trace_header, sender, sent, visible, group_id,"
    " deduplication_id) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)


@dataclass(frozen=True, slots=True)
class Sent:
    message_id: str
    sequence: int | None = None

    @property
    def sequence_number(self) -> str | None:
        return sequence_number(self.sequence)


def sequence_number(sequence: int | None) -> str | None:
    return None if sequence is None else str(_FIRST_SEQUENCE + sequence * _SEQUENCE_STEP)


def check_for_queue(queue: Queue, message: OutgoingMessage) -> None:
    """The rules that depend on the queue's type. Raises SqsError."""
    if queue.fifo:
        if message.group_id is None:
            raise missing_parameter("MessageGroupId")
        if message.deduplication_id is None and not queue.content_based_deduplication:
            raise invalid_parameter(
                "The queue should either have ContentBasedDeduplication enabled or MessageDeduplicationId "
                "provided explicitly"
            )
        if message.delay is not None:
            raise _not_for_type("DelaySeconds", message.delay)
    elif message.deduplication_id is not None:
        raise _not_for_type("MessageDeduplicationId", message.deduplication_id)


def send(tx: Transaction, queue: Queue, message: OutgoingMessage, sender: str, now: int) -> Sent:
    """Writes a message; `now` in milliseconds. A duplicate in a FIFO queue is answered with the first one's ids."""
    if tx.one("SELECT 1 FROM queue WHERE id = ?", (queue.id,)) is None:
        raise queue_does_not_exist()
    deduplication_id = message.deduplication_id
    if queue.fifo and deduplication_id is None:
        deduplication_id = sha256(message.body.encode()).hexdigest()
    earlier = _duplicate(tx, queue, message, deduplication_id, now) if queue.fifo else None
    if earlier is not None:
        return earlier
    delay = queue.delay if message.delay is None else message.delay
    message_id = request_id()
    row = tx.insert(
        _INSERT,
        (
            queue.id,
            message_id,
            message.body,
            message.encoded_attributes(),
            message.trace_header,
            sender,
            now,
            now + delay * 1000,
            message.group_id,
            deduplication_id,
        ),
    )
    return (
        _sequenced(tx, queue, message, deduplication_id, Sent(message_id, row), now) if queue.fifo else Sent(message_id)
    )


def _duplicate(
    tx: Transaction, queue: Queue, message: OutgoingMessage, deduplication_id: str | None, now: int
) -> Sent | None:
    row = tx.one(
        "SELECT message_id, sequence FROM deduplication"
        " WHERE queue = ? AND scope = ? AND deduplication_id = ? AND sent > ?",
        (queue.id, _scope(queue, message), deduplication_id, now - DEDUPLICATION_MILLISECONDS),
    )
    return None if row is None else Sent(*row)


def _sequenced(
    tx: Transaction, queue: Queue, message: OutgoingMessage, deduplication_id: str | None, sent: Sent, now: int
) -> Sent:
    tx.execute("UPDATE message SET sequence = id WHERE id = ?", (sent.sequence,))
    tx.execute(
        "INSERT OR REPLACE INTO deduplication (queue, scope, deduplication_id, message_id, sequence, sent)"
        " VALUES (?, ?, ?, ?, ?, ?)",
        (queue.id, _scope(queue, message), deduplication_id, sent.message_id, sent.sequence, now),
    )
    return sent


def _scope(queue: Queue, message: OutgoingMessage) -> str:
    return message.group_id or "" if queue.deduplication_by_group else ""


def _not_for_type(parameter: str, value: object) -> Exception:
    reason = "The request include parameter that is not valid for this queue type"
    return invalid_value(parameter, value, reason)
