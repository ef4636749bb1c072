"""Users, groups and roles as they are stored."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from cloudlet.core.ids import unique_id
from cloudlet.services.iam import faults
from cloudlet.store import Reader, Transaction

Kind = Literal["user", "group", "role"]

_COLUMNS = "id, kind, account, name, path, created, boundary, trust, description, max_session"
_ID_PREFIXES = {"user": "AIDA", "group": "AGPA", "role": "AROA"}
_MAX_TAGS = 50


@dataclass(frozen=True, slots=True)
class Entity:
    """`boundary` is a policy's ARN; `trust`, `description` and `max_session` (seconds) are a role's."""

    id: str
    kind: Kind
    account: str
    name: str
    path: str
    created: float
    boundary: str | None = None
    trust: str = ""
    description: str | None = None
    max_session: int = 3600

    @property
    def arn(self) -> str:
        return f"arn:aws:iam::{self.account}:{self.kind}{self.path}{self.name}"


def new_id(kind: Kind) -> str:
    return unique_id(_ID_PREFIXES[kind])


def find(reader: Reader, account: str, kind: Kind, name: str) -> Entity | None:
    sql = f"SELECT {_COLUMNS} FROM entity WHERE account = ? AND kind = ? AND name = ?"
    row = reader.one(sql, (account, kind, name))
    return Entity(*row) if row else None


def require(reader: Reader, account: str, kind: Kind, name: str) -> Entity:
    """Raises NoSuchEntity."""
    found = find(reader, account, kind, name)
    if found is None:
        raise faults.not_found(kind, name)
    return found


def by_id(reader: Reader, id_: str) -> Entity | None:
    row = reader.one(f"SELECT {_COLUMNS} FROM entity WHERE id = ?", (id_,))
    return Entity(*row) if row else None


def by_arn(reader: Reader, arn: str) -> Entity | None:
    """The user, group or role that has exactly this ARN."""
    parts = arn.split(":", 5)
    if len(parts) != 6:
        return None
    kind = parts[5].partition("/")[0]
    if kind not in ("user", "group", "role"):
        return None
    found = find(reader, parts[4], kind, arn.rpartition("/")[2])
    return found if found is not None and found.arn == arn else None


def all_of(reader: Reader, account: str, kind: Kind, path_prefix: str = "/") -> list[Entity]:
    rows = reader.all(f"SELECT {_COLUMNS} FROM entity WHERE account = ? AND kind = ?", (account, kind))
    return [entity for row in rows if (entity := Entity(*row)).path.startswith(path_prefix)]


def groups_of(reader: Reader, user: Entity) -> list[Entity]:
    sql = f"SELECT {_COLUMNS} FROM entity JOIN membership ON id = group_id WHERE user_id = ?"
    return [Entity(*row) for row in reader.all(sql, (user.id,))]


def members_of(reader: Reader, group: Entity) -> list[Entity]:
    sql = f"SELECT {_COLUMNS} FROM entity JOIN membership ON id = user_id WHERE group_id = ?"
    return [Entity(*row) for row in reader.all(sql, (group.id,))]


def insert(tx: Transaction, entity: Entity) -> None:
    """Raises EntityAlreadyExists."""
    if find(tx, entity.account, entity.kind, entity.name) is not None:
        raise faults.already_exists(f"{entity.kind.capitalize()} with name {entity.name} already exists.")
    tx.execute(
        f"INSERT INTO entity ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            entity.id,
            entity.kind,
            entity.account,
            entity.name,
            entity.path,
            entity.created,
            entity.boundary,
            entity.trust,
            entity.description,
            entity.max_session,
        ),
    )


def rename(tx: Transaction, entity: Entity, name: str, path: str) -> None:
    """Raises EntityAlreadyExists."""
    other = find(tx, entity.account, entity.kind, name)
    if other is not None and other.id != entity.id:
        raise faults.already_exists(f"{entity.kind.capitalize()} with name {name} already exists.")
    tx.execute("UPDATE entity SET name = ?, path = ? WHERE id = ?", (name, path, entity.id))


def delete(tx: Transaction, entity: Entity) -> None:
    """Raises DeleteConflict while anything hangs on it."""
    obstacles = (
        ("SELECT 1 FROM membership WHERE user_id = ?1 OR group_id = ?1", "must remove users from group first."),
        ("SELECT 1 FROM access_key WHERE user_id = ?", "must delete access keys first."),
        ("SELECT 1 FROM instance_profile WHERE role_id = ?", "must remove roles from instance profile first."),
        ("SELECT 1 FROM attachment WHERE entity_id = ?", "must detach all policies first."),
        ("SELECT 1 FROM inline_policy WHERE entity_id = ?", "must delete policies first."),
    )
    for sql, what in obstacles:
        if tx.one(sql, (entity.id,)) is not None:
            raise faults.delete_conflict(f"Cannot delete entity, {what}")
    tx.execute("DELETE FROM tag WHERE subject = ?", (entity.id,))
    tx.execute("DELETE FROM entity WHERE id = ?", (entity.id,))


def tags_of(reader: Reader, subject: str) -> dict[str, str]:
    return dict(reader.rows("SELECT key, value FROM tag WHERE subject = ? ORDER BY key", (subject,)))


def add_tags(tx: Transaction, subject: str, tags: Iterable[Mapping[str, Any]]) -> None:
    """Raises LimitExceeded, InvalidInput."""
    given = [(tag["Key"], tag["Value"]) for tag in tags]
    if len({key.lower() for key, _ in given}) != len(given):
        raise faults.invalid_input("Duplicate tag keys found. Please note that Tag keys are case insensitive.")
    if any(key.lower().startswith("aws:") for key, _ in given):
        raise faults.invalid_input("System tags are reserved for use by AWS.")
    tx.many("INSERT OR REPLACE INTO tag (subject, key, value) VALUES (?, ?, ?)", ((subject, *pair) for pair in given))
    if len(tags_of(tx, subject)) > _MAX_TAGS:
        raise faults.limit_exceeded("The number of tags has reached the maximum limit.")


def remove_tags(tx: Transaction, subject: str, keys: Iterable[str]) -> None:
    tx.many("DELETE FROM tag WHERE subject = ? AND key = ?", ((subject, key) for key in keys))


def tag_list(tags: Mapping[str, str]) -> list[dict[str, str]]:
    return [{"Key": key, "Value": value} for key, value in tags.items()]
