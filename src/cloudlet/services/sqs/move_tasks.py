"""Message move tasks: dead letters go back to where they came from, or elsewhere. Their rows, and their steps."""

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cloudlet.core.ids import request_id
from cloudlet.services.sqs.errors import invalid_parameter, resource_not_found, unsupported_operation
from cloudlet.services.sqs.queues import Queue, QueueAddress
from cloudlet.store import Reader, Transaction

_COLUMNS = "id, handle, source, destination, rate, started, status, last_message, to_move, moved, failure"


@dataclass(frozen=True, slots=True)
class MoveTask:
    """`started` in milliseconds since the epoch; `source` is a row id, `destination` an ARN or None."""

    id: int
    handle: str
    source: int
    destination: str | None
    rate: int | None
    started: int
    status: str
    last_message: int
    to_move: int
    moved: int
    failure: str | None


@dataclass(frozen=True, slots=True)
class Step:
    """What a step did: the queues that got messages, and whether another step follows."""

    destinations: frozenset[QueueAddress]
    running: bool


class _CannotMove(Exception):
    """Why a task fails, in AWS's words."""


def start(tx: Transaction, source: Queue, destination: str | None, rate: int | None, now: int) -> MoveTask:
    if tx.one("SELECT 1 FROM move_task WHERE source = ? AND status = 'RUNNING'", (source.id,)) is not None:
        raise invalid_parameter(
            "There is already a task running. Only one active task is allowed for a source queue arn at a given time."
        )
    content = {"taskId": request_id(), "sourceArn": source.arn}
    handle = base64.b64encode(json.dumps(content, separators=(",", ":")).encode()).decode()
    counted = tx.one("SELECT count(*), coalesce(max(id), 0) FROM message WHERE queue = ?", (source.id,))
    assert counted is not None
    tx.execute(
        "INSERT INTO move_task (handle, source, destination, rate, started, status, to_move, last_message)"
        " VALUES (?, ?, ?, ?, ?, 'RUNNING', ?, ?)",
        (handle, source.id, destination, rate, now, *counted),
    )
    return load_task(tx, handle)


def cancel(tx: Transaction, handle: str) -> MoveTask:
    task = load_task(tx, handle)
    if task.status != "RUNNING":
        raise unsupported_operation("Only active tasks can be cancelled.")
    tx.execute("UPDATE move_task SET status = 'CANCELLED' WHERE id = ?", (task.id,))
    return task


def step(tx: Transaction, handle: str, queues: Mapping[str, Queue], count: int, now: int) -> Step:
    """Moves up to `count` messages that are visible. `queues` are those of the source's account and region, by ARN."""
    row = tx.one(f"SELECT {_COLUMNS} FROM move_task WHERE handle = ? AND status = 'RUNNING'", (handle,))
    if row is None:
        return Step(frozenset(), running=False)
    task = MoveTask(*row)
    rows = tx.all(
        "SELECT id, source FROM message WHERE queue = ? AND visible <= ? AND id <= ? ORDER BY id LIMIT ?",
        (task.source, now, task.last_message, count),
    )
    destinations: set[QueueAddress] = set()
    status, failure = ("RUNNING" if rows else "COMPLETED"), None
    try:
        for message, origin in rows:
            destination = _destination(tx, task, origin, queues)
            _move(tx, message, destination, now)
            destinations.add(destination.address)
            tx.execute("UPDATE move_task SET moved = moved + 1 WHERE id = ?", (task.id,))
    except _CannotMove as reason:
        status, failure = "FAILED", str(reason)
    tx.execute("UPDATE move_task SET status = ?, failure = ? WHERE id = ?", (status, failure, task.id))
    return Step(frozenset(destinations), status == "RUNNING")


def load_task(reader: Reader, handle: str) -> MoveTask:
    """Raises ResourceNotFoundException."""
    row = reader.one(f"SELECT {_COLUMNS} FROM move_task WHERE handle = ?", (handle,))
    if row is None:
        raise resource_not_found("Task does not exist.")
    return MoveTask(*row)


def tasks_of(reader: Reader, source: Queue, limit: int) -> list[MoveTask]:
    """The newest first."""
    sql = f"SELECT {_COLUMNS} FROM move_task WHERE source = ? ORDER BY id DESC LIMIT ?"
    return [MoveTask(*row) for row in reader.rows(sql, (source.id, limit))]


def running_tasks(reader: Reader) -> list[MoveTask]:
    return [MoveTask(*row) for row in reader.rows(f"SELECT {_COLUMNS} FROM move_task WHERE status = 'RUNNING'")]


def _destination(tx: Transaction, task: MoveTask, origin: str | None, queues: Mapping[str, Queue]) -> Queue:
    arn = task.destination or origin
    if arn is None:
        raise _CannotMove("CouldNotDetermineMessageSource")
    queue = queues.get(arn)
    if queue is None or tx.one("SELECT 1 FROM queue WHERE id = ?", (queue.id,)) is None:
        raise _CannotMove("AWS.SimpleQueueService.NonExistentQueue")
    return queue


def _move(tx: Transaction, message: int, destination: Queue, now: int) -> None:
    """A moved message is a new one: new id, new age, never received."""
    tx.execute(
        "UPDATE message SET queue = ?, message_id = ?, sent = ?, visible = ?, receives = 0, earlier_receives = 0,"
        " first_received = NULL, received = NULL, source = NULL WHERE id = ?",
        (destination.id, request_id(), now, now + destination.delay * 1000, message),
    )


def described(task: MoveTask, source: Queue) -> dict[str, Any]:
    """As ListMessageMoveTasks shows it."""
    found: dict[str, Any] = {
        "TaskHandle": task.handle if task.status == "RUNNING" else None,
        "Status": task.status,
        "SourceArn": source.arn,
        "DestinationArn": task.destination,
        "MaxNumberOfMessagesPerSecond": task.rate,
        "ApproximateNumberOfMessagesMoved": task.moved,
        "ApproximateNumberOfMessagesToMove": task.to_move,
        "FailureReason": task.failure,
        "StartedTimestamp": task.started,
    }
    return {name: value for name, value in found.items() if value is not None}
