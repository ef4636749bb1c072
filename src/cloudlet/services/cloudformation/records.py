"""What the database holds of stacks, as typed values."""

from dataclasses import asdict, dataclass, field, replace
from typing import Any

import orjson

from cloudlet.core.context import Principal
from cloudlet.store.transaction import Reader, Row, Transaction


@dataclass(frozen=True, slots=True)
class Deployment:
    """What a stack is to be: its template, as given and as processed, the values for it, and how to go about it."""

    source: str
    body: dict[str, Any]
    parameters: dict[str, str]
    principal: Principal
    tags: list[dict[str, str]] = field(default_factory=list[dict[str, str]])
    capabilities: list[str] = field(default_factory=list[str])
    role_arn: str | None = None
    on_failure: str = "ROLLBACK"
    token: str | None = None
    timeout_minutes: int | None = None
    retain_except_on_create: bool = False

    @classmethod
    def load(cls, text: bytes) -> "Deployment":
        values = orjson.loads(text)
        principal = values.pop("principal")
        principal["session_policies"] = tuple(principal["session_policies"])
        principal["tags"] = tuple(tuple(tag) for tag in principal.get("tags", ()))
        return cls(principal=Principal(**principal), **values)

    def dump(self) -> bytes:
        return orjson.dumps(asdict(self))


@dataclass(frozen=True, slots=True)
class Stack:
    """A stack. Times are epoch seconds; `outputs` as DescribeStacks gives them."""

    id: str
    account: str
    region: str
    name: str
    status: str
    reason: str | None
    created: float
    updated: float | None
    deleted: float | None
    run: int
    deployment: Deployment
    previous: Deployment | None
    outputs: list[dict[str, Any]]
    termination_protection: bool
    change_set: str | None
    retained: list[str]
    cancelled: bool


_STACK = (
    "SELECT id, account, region, name, status, reason, created, updated, deleted, run, deployment, previous, outputs,"
    " termination_protection, change_set, retained, cancelled FROM stacks"
)


def _stack(row: Row) -> Stack:
    return Stack(
        *row[:10],
        deployment=Deployment.load(row[10]),
        previous=Deployment.load(row[11]) if row[11] is not None else None,
        outputs=orjson.loads(row[12]),
        termination_protection=bool(row[13]),
        change_set=row[14],
        retained=orjson.loads(row[15]),
        cancelled=bool(row[16]),
    )


def stack_by_id(reader: Reader, id_: str) -> Stack | None:
    row = reader.one(f"{_STACK} WHERE id = ?", (id_,))
    return None if row is None else _stack(row)


def find_stack(reader: Reader, account: str, region: str, name: str) -> Stack | None:
    """By id, also a deleted one; by name only one that lives."""
    if name.startswith("arn:"):
        row = reader.one(f"{_STACK} WHERE id = ? AND account = ? AND region = ?", (name, account, region))
    else:
        row = reader.one(
            f"{_STACK} WHERE account = ? AND region = ? AND name = ? AND status <> 'DELETE_COMPLETE'",
            (account, region, name),
        )
    return None if row is None else _stack(row)


def stacks(reader: Reader, account: str, region: str) -> list[Stack]:
    """All of the account and region, newest first, deleted ones among them."""
    rows = reader.all(f"{_STACK} WHERE account = ? AND region = ? ORDER BY created DESC, rowid DESC", (account, region))
    return [_stack(row) for row in rows]


def stacks_under_way(reader: Reader) -> list[str]:
    rows = reader.all(
        "SELECT id FROM stacks WHERE status LIKE '%\\_IN\\_PROGRESS' ESCAPE '\\' AND status <> 'REVIEW_IN_PROGRESS'"
    )
    return [row[0] for row in rows]


def insert_stack(tx: Transaction, stack: Stack) -> None:
    tx.execute(
        "INSERT INTO stacks (id, account, region, name, status, created, deployment, termination_protection)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        (
            stack.id,
            stack.account,
            stack.region,
            stack.name,
            stack.status,
            stack.created,
            stack.deployment.dump(),
            stack.termination_protection,
        ),
    )


@dataclass(frozen=True, slots=True)
class Resource:
    """A resource of a stack. `needs` are the logical ids that must be there before it and go after it."""

    stack: str
    logical_id: str
    type: str
    name: str | None
    physical_id: str | None
    status: str
    reason: str | None
    updated: float
    run: int
    initiated: bool
    properties: dict[str, Any]
    attempted: dict[str, Any] | None
    attributes: dict[str, Any]
    needs: list[str]
    deletion_policy: str
    update_replace_policy: str
    metadata: dict[str, Any] | None = None

    @property
    def exists(self) -> bool:
        """Whether it has been made and is still there."""
        return self.physical_id is not None and self.status not in ("DELETE_COMPLETE", "DELETE_SKIPPED")

    def with_(self, **changes: Any) -> "Resource":
        return replace(self, **changes)


_RESOURCE_COLUMNS = (
    "stack, logical_id, type, name, physical_id, status, reason, updated, run, initiated, properties, attempted,"
    " attributes, needs, deletion_policy, update_replace_policy, metadata"
)


def _resource(row: Row) -> Resource:
    return Resource(
        *row[:9],
        initiated=bool(row[9]),
        properties=orjson.loads(row[10]),
        attempted=None if row[11] is None else orjson.loads(row[11]),
        attributes=orjson.loads(row[12]),
        needs=orjson.loads(row[13]),
        deletion_policy=row[14],
        update_replace_policy=row[15],
        metadata=None if row[16] is None else orjson.loads(row[16]),
    )


def resources(reader: Reader, stack: str) -> dict[str, Resource]:
    rows = reader.all(f"SELECT {_RESOURCE_COLUMNS} FROM resources WHERE stack = ? ORDER BY logical_id", (stack,))
    return {row[1]: _resource(row) for row in rows}


def put_resource(tx: Transaction, resource: Resource) -> None:
    tx.execute(
        f"INSERT OR REPLACE INTO resources ({_RESOURCE_COLUMNS}) VALUES ({', '.join('?' * 17)})",
        (
            resource.stack,
            resource.logical_id,
            resource.type,
            resource.name,
            resource.physical_id,
            resource.status,
            resource.reason,
            resource.updated,
            resource.run,
            resource.initiated,
            orjson.dumps(resource.properties),
            None if resource.attempted is None else orjson.dumps(resource.attempted),
            orjson.dumps(resource.attributes),
            orjson.dumps(resource.needs),
            resource.deletion_policy,
            resource.update_replace_policy,
            None if resource.metadata is None else orjson.dumps(resource.metadata),
        ),
    )


def find_physical(reader: Reader, account: str, region: str, physical_id: str) -> str | None:
    """The id of the stack that owns a physical resource."""
    row = reader.one(
        "SELECT stacks.id FROM resources JOIN stacks ON stacks.id = resources.stack"
        " WHERE account = ? AND region = ? AND physical_id = ? AND stacks.status <> 'DELETE_COMPLETE'",
        (account, region, physical_id),
    )
    return None if row is None else row[0]


@dataclass(frozen=True, slots=True)
class Replaced:
    """A resource that an update has put another in the place of."""

    id: int
    resource: Resource


_REPLACED_COLUMNS = (
    "logical_id, type, name, physical_id, initiated, properties, attributes, needs, deletion_policy,"
    " update_replace_policy"
)


def set_aside(tx: Transaction, resource: Resource) -> None:
    tx.execute(
        f"INSERT INTO replaced (stack, {_REPLACED_COLUMNS}) VALUES ({', '.join('?' * 11)})",
        (
            resource.stack,
            resource.logical_id,
            resource.type,
            resource.name,
            resource.physical_id,
            resource.initiated,
            orjson.dumps(resource.properties),
            orjson.dumps(resource.attributes),
            orjson.dumps(resource.needs),
            resource.deletion_policy,
            resource.update_replace_policy,
        ),
    )


def replaced(reader: Reader, stack: str) -> list[Replaced]:
    rows = reader.all(f"SELECT id, {_REPLACED_COLUMNS} FROM replaced WHERE stack = ? ORDER BY id", (stack,))
    return [
        Replaced(
            row[0],
            Resource(
                stack=stack,
                logical_id=row[1],
                type=row[2],
                name=row[3],
                physical_id=row[4],
                status="UPDATE_COMPLETE",
                reason=None,
                updated=0.0,
                run=0,
                initiated=bool(row[5]),
                properties=orjson.loads(row[6]),
                attempted=None,
                attributes=orjson.loads(row[7]),
                needs=orjson.loads(row[8]),
                deletion_policy=row[9],
                update_replace_policy=row[10],
            ),
        )
        for row in rows
    ]


def drop_replaced(tx: Transaction, id_: int) -> None:
    tx.execute("DELETE FROM replaced WHERE id = ?", (id_,))
