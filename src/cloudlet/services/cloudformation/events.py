"""A stack's events: what happened to it and its resources, in CloudFormation's words."""

from typing import Any, cast
from uuid import uuid4

import orjson

from cloudlet.services.cloudformation.parameters import HIDDEN
from cloudlet.services.cloudformation.records import Resource, Stack
from cloudlet.store.transaction import Reader, Transaction

STACK_TYPE = "AWS::CloudFormation::Stack"


def record_stack_event(tx: Transaction, stack: Stack, status: str, reason: str | None, time: float) -> None:
    tx.execute(
        "INSERT INTO events (stack, event_id, logical_id, physical_id, type, time, status, reason, token)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (stack.id, str(uuid4()), stack.name, stack.id, STACK_TYPE, time, status, reason, stack.deployment.token),
    )


def record_resource_event(
    tx: Transaction,
    resource: Resource,
    status: str,
    reason: str | None,
    time: float,
    token: str | None,
    hidden: frozenset[str] = frozenset(),
) -> None:
    """`hidden` are the values of parameters that are not to be shown."""
    shown = _masked(resource.properties if resource.attempted is None else resource.attempted, hidden)
    tx.execute(
        "INSERT INTO events (stack, event_id, logical_id, physical_id, type, time, status, reason, properties, token)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            resource.stack,
            f"{resource.logical_id}-{status}-{uuid4()}",
            resource.logical_id,
            resource.physical_id or "",
            resource.type,
            time,
            status,
            reason,
            orjson.dumps(shown).decode(),
            token,
        ),
    )


def _masked(node: Any, hidden: frozenset[str]) -> Any:
    if not hidden:
        return node
    if isinstance(node, dict):
        return {key: _masked(value, hidden) for key, value in cast("dict[str, Any]", node).items()}
    if isinstance(node, list):
        return [_masked(each, hidden) for each in cast("list[Any]", node)]
    return HIDDEN if isinstance(node, str) and any(value in node for value in hidden) else node


def stack_events(
    reader: Reader, stack: Stack, before: int | None, limit: int
) -> tuple[list[dict[str, Any]], int | None]:
    """The newest events first, from those older than `before`; and where the next page begins."""
    rows = reader.all(
        "SELECT id, event_id, logical_id, physical_id, type, time, status, reason, properties, token FROM events"
        " WHERE stack = ? AND id < ? ORDER BY id DESC LIMIT ?",
        (stack.id, before if before is not None else 2**62, limit + 1),
    )
    found: list[dict[str, Any]] = []
    for row in rows[:limit]:
        event: dict[str, Any] = {
            "StackId": stack.id,
            "StackName": stack.name,
            "EventId": row[1],
            "LogicalResourceId": row[2],
            "PhysicalResourceId": row[3] or "",
            "ResourceType": row[4],
            "Timestamp": row[5],
            "ResourceStatus": row[6],
        }
        optional = {"ResourceStatusReason": row[7], "ResourceProperties": row[8], "ClientRequestToken": row[9]}
        found.append(event | {name: value for name, value in optional.items() if value is not None})
    return found, rows[limit - 1][0] if len(rows) > limit else None
