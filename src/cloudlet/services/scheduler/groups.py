"""Schedule groups, as rows."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cloudlet.services.scheduler.errors import group_exists, group_is_deleting, group_not_found, too_many_groups
from cloudlet.store import Reader, Transaction

DEFAULT = "default"
_MOST_GROUPS = 500
_COLUMNS = "id, account, region, name, tags, created, modified, deleting, client_token"


@dataclass(frozen=True, slots=True)
class Group:
    id: int
    account: str
    region: str
    name: str
    tags: Mapping[str, str]
    created: float
    modified: float
    deleting: bool
    client_token: str | None

    @property
    def arn(self) -> str:
        return f"arn:aws:scheduler:{self.region}:{self.account}:schedule-group/{self.name}"

    def description(self) -> dict[str, Any]:
        return {
            "Arn": self.arn,
            "Name": self.name,
            "State": "DELETING" if self.deleting else "ACTIVE",
            "CreationDate": self.created,
            "LastModificationDate": self.modified,
        }


def find_group(reader: Reader, account: str, region: str, name: str) -> Group | None:
    row = reader.one(
        f"SELECT {_COLUMNS} FROM schedule_group WHERE account = ? AND region = ? AND name = ?", (account, region, name)
    )
    return _group(row) if row is not None else None


def load_group(reader: Reader, account: str, region: str, name: str) -> Group:
    """Raises ResourceNotFoundException."""
    group = find_group(reader, account, region, name)
    if group is None:
        raise group_not_found(name)
    return group


def usable_group(tx: Transaction, account: str, region: str, name: str, now: float) -> Group:
    """The group that a schedule is to go into. Raises ResourceNotFoundException, ConflictException."""
    if name == DEFAULT:
        ensure_default(tx, account, region, now)
    group = load_group(tx, account, region, name)
    if group.deleting:
        raise group_is_deleting(name)
    return group


def ensure_default(tx: Transaction, account: str, region: str, now: float) -> None:
    """Every account has the default group in every region."""
    tx.execute(
        "INSERT OR IGNORE INTO schedule_group (account, region, name, tags, created, modified)"
        " VALUES (?, ?, ?, '{}', ?, ?)",
        (account, region, DEFAULT, now, now),
    )


def create_group(
    tx: Transaction, account: str, region: str, name: str, tags: Mapping[str, str], token: str | None, now: float
) -> Group:
    """Answers the group that was made under the same token. Raises ConflictException, ServiceQuotaExceededException."""
    ensure_default(tx, account, region, now)
    known = find_group(tx, account, region, name)
    if known is not None:
        if known.deleting:
            raise group_is_deleting(name)
        if token is None or known.client_token != token:
            raise group_exists(name)
        return known
    row = tx.one("SELECT count(*) FROM schedule_group WHERE account = ? AND region = ?", (account, region))
    if row is not None and row[0] >= _MOST_GROUPS:
        raise too_many_groups(_MOST_GROUPS)
    tx.execute(
        "INSERT INTO schedule_group (account, region, name, tags, created, modified, client_token)"
        " VALUES (?, ?, ?, ?, ?, ?, ?)",
        (account, region, name, json.dumps(tags), now, now, token),
    )
    return load_group(tx, account, region, name)


def list_groups(reader: Reader, account: str, region: str, prefix: str, after: str, limit: int) -> list[Group]:
    """By name, from the one behind `after`."""
    rows = reader.all(
        f"SELECT {_COLUMNS} FROM schedule_group WHERE account = ? AND region = ? AND name > ?"
        " AND substr(name, 1, ?) = ? ORDER BY name LIMIT ?",
        (account, region, after, len(prefix), prefix, limit),
    )
    return [_group(row) for row in rows]


def set_group_tags(tx: Transaction, group: Group, tags: Mapping[str, str]) -> None:
    tx.execute("UPDATE schedule_group SET tags = ? WHERE id = ?", (json.dumps(tags), group.id))


def mark_deleting(tx: Transaction, group: Group, now: float) -> None:
    tx.execute("UPDATE schedule_group SET deleting = 1, modified = ? WHERE id = ?", (now, group.id))


def deleting_groups(reader: Reader) -> list[Group]:
    return [_group(row) for row in reader.rows(f"SELECT {_COLUMNS} FROM schedule_group WHERE deleting = 1")]


def clear_group(tx: Transaction, group: Group, at_most: int) -> bool:
    """Deletes some of the group's schedules, with the last of them the group; returns whether it is gone."""
    deleted = tx.execute(
        "DELETE FROM schedule WHERE id IN"
        " (SELECT id FROM schedule WHERE account = ? AND region = ? AND group_name = ? LIMIT ?)",
        (group.account, group.region, group.name, at_most),
    )
    if deleted < at_most:
        tx.execute("DELETE FROM schedule_group WHERE id = ?", (group.id,))
    return deleted < at_most


def _group(row: tuple[Any, ...]) -> Group:
    id_, account, region, name, tags, created, modified, deleting, token = row
    return Group(id_, account, region, name, json.loads(tags), created, modified, bool(deleting), token)
