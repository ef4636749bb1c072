"""The queues: their rows, and all of them in memory, where each message operation looks them up."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cloudlet.core.arn import Arn
from cloudlet.services.sqs.attributes import (
    Redrive,
    RedriveAllow,
    check_attributes,
    effective_attributes,
    parse_redrive,
    parse_redrive_allow,
)
from cloudlet.services.sqs.errors import (
    invalid_address,
    invalid_attribute_value,
    invalid_parameter,
    invalid_value,
    queue_does_not_exist,
    queue_name_exists,
)
from cloudlet.store import Reader, Transaction

_NAME = re.compile(r"[A-Za-z0-9_-]{1,80}")
_FIFO_NAME = re.compile(r"[A-Za-z0-9_-]{1,75}\.fifo")
_COLUMNS = "id, account, region, name, attributes, tags, created, modified"
_MOST_TAGS = 50


@dataclass(frozen=True, slots=True)
class QueueAddress:
    """What names a queue: one per account, region and name."""

    account: str
    region: str
    name: str

    @property
    def arn(self) -> str:
        return f"arn:aws:sqs:{self.region}:{self.account}:{self.name}"

    @property
    def signal(self) -> str:
        """The topic on which its receivers are woken."""
        return f"sqs:{self.arn}"

    @classmethod
    def of_url(cls, url: str, region: str) -> "QueueAddress":
        """The host does not matter: the last two path segments are account and name. Raises InvalidAddress."""
        _, _, path = url.rpartition("://")
        parts = path.rstrip("/").split("/")
        if len(parts) < 2 or not parts[-1]:
            raise invalid_address(url)
        return cls(parts[-2], region, parts[-1])

    @classmethod
    def of_arn(cls, text: str) -> "QueueAddress | None":
        try:
            arn = Arn.parse(text)
        except ValueError:
            return None
        return cls(arn.account, arn.region, arn.resource) if arn.service == "sqs" else None


@dataclass(frozen=True, slots=True)
class Queue:
    """A queue as its row was when it last changed. Durations in seconds, times in milliseconds since the epoch."""

    id: int
    address: QueueAddress
    kept: Mapping[str, str]
    tags: Mapping[str, str]
    created: int
    modified: int
    arn: str
    signal: str
    attributes: Mapping[str, str]
    fifo: bool
    delay: int
    maximum_size: int
    retention: int
    wait: int
    visibility_timeout: int
    content_based_deduplication: bool
    deduplication_by_group: bool
    redrive: Redrive | None
    redrive_allow: RedriveAllow
    policy: Mapping[str, Any] | None

    @classmethod
    def of_row(cls, row: tuple[Any, ...]) -> "Queue":
        address = QueueAddress(row[1], row[2], row[3])
        kept: dict[str, str] = json.loads(row[4])
        attributes = effective_attributes(kept)
        policy = attributes.get("Policy")
        return cls(
            id=row[0],
            address=address,
            kept=kept,
            tags=json.loads(row[5]),
            created=row[6],
            modified=row[7],
            arn=address.arn,
            signal=address.signal,
            attributes=attributes,
            fifo=attributes.get("FifoQueue") == "true",
            delay=int(attributes["DelaySeconds"]),
            maximum_size=int(attributes["MaximumMessageSize"]),
            retention=int(attributes["MessageRetentionPeriod"]),
            wait=int(attributes["ReceiveMessageWaitTimeSeconds"]),
            visibility_timeout=int(attributes["VisibilityTimeout"]),
            content_based_deduplication=attributes.get("ContentBasedDeduplication") == "true",
            deduplication_by_group=attributes.get("DeduplicationScope") == "messageGroup",
            redrive=parse_redrive(attributes.get("RedrivePolicy")),
            redrive_allow=parse_redrive_allow(attributes.get("RedriveAllowPolicy")),
            policy=json.loads(policy) if policy else None,
        )


class Queues:
    """All queues in memory, as committed. Changes come in by `reload`, after the commit of the row."""

    def __init__(self, reader: Reader) -> None:
        self._by_address: dict[QueueAddress, Queue] = {}
        for row in reader.rows(f"SELECT {_COLUMNS} FROM queue"):
            self._put(Queue.of_row(row))

    def get(self, address: QueueAddress) -> Queue:
        """Raises QueueDoesNotExist."""
        queue = self._by_address.get(address)
        if queue is None:
            raise queue_does_not_exist()
        return queue

    def find(self, address: QueueAddress) -> Queue | None:
        return self._by_address.get(address)

    def all(self) -> list[Queue]:
        return list(self._by_address.values())

    def of(self, account: str, region: str) -> list[Queue]:
        """By name."""
        found = [q for q in self._by_address.values() if (q.address.account, q.address.region) == (account, region)]
        return sorted(found, key=lambda queue: queue.address.name)

    def sources_of(self, target: Queue) -> list[Queue]:
        """The queues whose dead-letter queue this is, by name."""
        return [
            queue
            for queue in self.of(target.address.account, target.address.region)
            if queue.redrive is not None and queue.redrive.target == target.arn
        ]

    def put_after(self, tx: Transaction, queue: Queue) -> None:
        tx.after_commit(lambda: self._put(queue))

    def drop_after(self, tx: Transaction, queue: Queue) -> None:
        tx.after_commit(lambda: self._drop(queue))

    def _put(self, queue: Queue) -> None:
        self._by_address[queue.address] = queue

    def _drop(self, queue: Queue) -> None:
        self._by_address.pop(queue.address, None)


def create_queue(
    tx: Transaction, queues: Queues, address: QueueAddress, given: Mapping[str, str], tags: Mapping[str, str], now: int
) -> None:
    """Makes the queue, or finds that one with these attributes is there already."""
    fifo = given.get("FifoQueue", "").lower() == "true"
    _check_name(address.name, fifo)
    attributes = check_attributes(given, fifo=fifo)
    existing = _row(tx, address)
    if existing is not None:
        _check_same(Queue.of_row(existing), attributes)
        return
    if len(tags) > _MOST_TAGS:
        raise invalid_parameter(f"Too many tags added for queue {address.name}.")
    kept = {name: value for name, value in attributes.items() if value != ""}
    _check_together(kept)
    _check_redrive(tx, address, kept)
    tx.execute(
        "INSERT INTO queue (account, region, name, attributes, tags, created, modified) VALUES (?, ?, ?, ?, ?, ?, ?)",
        (address.account, address.region, address.name, json.dumps(kept), json.dumps(dict(tags)), now, now),
    )
    queues.put_after(tx, load(tx, address))


def set_attributes(tx: Transaction, queues: Queues, address: QueueAddress, given: Mapping[str, str], now: int) -> None:
    queue = load(tx, address)
    changed = {**queue.kept, **check_attributes(given, fifo=queue.fifo)}
    kept = {name: value for name, value in changed.items() if value != ""}
    _check_together(kept)
    if "RedrivePolicy" in given:
        _check_redrive(tx, address, kept)
    tx.execute("UPDATE queue SET attributes = ?, modified = ? WHERE id = ?", (json.dumps(kept), now, queue.id))
    queues.put_after(tx, load(tx, address))


def set_tags(tx: Transaction, queues: Queues, address: QueueAddress, tags: Mapping[str, str]) -> None:
    queue = load(tx, address)
    if len(tags) > _MOST_TAGS:
        raise invalid_parameter(f"Too many tags added for queue {address.name}.")
    tx.execute("UPDATE queue SET tags = ? WHERE id = ?", (json.dumps(dict(tags)), queue.id))
    queues.put_after(tx, load(tx, address))


def delete_queue(tx: Transaction, queues: Queues, address: QueueAddress) -> None:
    queue = load(tx, address)
    tx.execute("DELETE FROM queue WHERE id = ?", (queue.id,))
    queues.drop_after(tx, queue)


def load(reader: Reader, address: QueueAddress) -> Queue:
    """The queue as the database has it. Raises QueueDoesNotExist."""
    row = _row(reader, address)
    if row is None:
        raise queue_does_not_exist()
    return Queue.of_row(row)


def _check_name(name: str, fifo: bool) -> None:
    if fifo and not _FIFO_NAME.fullmatch(name):
        raise invalid_parameter(
            "The name of a FIFO queue can only include alphanumeric characters, hyphens, or underscores, "
            "must end with .fifo suffix and be 1 to 80 in length."
        )
    if not fifo and not _NAME.fullmatch(name):
        raise invalid_parameter("Can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in length")


def _row(reader: Reader, address: QueueAddress) -> tuple[Any, ...] | None:
    return reader.one(
        f"SELECT {_COLUMNS} FROM queue WHERE account = ? AND region = ? AND name = ?",
        (address.account, address.region, address.name),
    )


def _check_same(existing: Queue, attributes: Mapping[str, str]) -> None:
    for name, value in attributes.items():
        if existing.attributes.get(name, "") != value:
            raise queue_name_exists(name)


def _check_together(kept: Mapping[str, str]) -> None:
    by_group = kept.get("DeduplicationScope") == "messageGroup"
    if kept.get("FifoThroughputLimit") == "perMessageGroupId" and not by_group:
        raise invalid_attribute_value("FifoThroughputLimit")


def _check_redrive(tx: Transaction, address: QueueAddress, kept: Mapping[str, str]) -> None:
    """The dead-letter queue must be there, of the same account, region and type, and allow this source."""
    redrive = parse_redrive(kept.get("RedrivePolicy"))
    if redrive is None:
        return
    text = kept["RedrivePolicy"]
    target = QueueAddress.of_arn(redrive.target)
    row = _row(tx, target) if target is not None else None
    if row is None:
        raise invalid_value("RedrivePolicy", text, "Dead letter target does not exist.")
    queue = Queue.of_row(row)
    reason = _why_not_target(queue, address, kept.get("FifoQueue") == "true")
    if reason is not None:
        raise invalid_value("RedrivePolicy", text, reason)


def _why_not_target(target: Queue, source: QueueAddress, fifo: bool) -> str | None:
    if (target.address.account, target.address.region) != (source.account, source.region):
        return "Dead letter target owned by another account or in another region."
    if target.fifo != fifo:
        return "Dead-letter queue must be same type of queue as the source."
    if not target.redrive_allow.allows(source.arn):
        return f"Dead letter target does not allow queue {source.arn} as its source."
    return None
