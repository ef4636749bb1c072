"""Schedules, as rows."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cloudlet.services.scheduler.errors import schedule_not_found
from cloudlet.services.scheduler.timetable import Timetable
from cloudlet.store import Reader, Transaction

_COLUMNS = "id, account, region, group_name, name, state, settings, counted_from, due, created, modified, client_token"


@dataclass(frozen=True, slots=True)
class Schedule:
    """`settings` are what GetSchedule answers beside names and dates; times are in epoch seconds."""

    id: int
    account: str
    region: str
    group: str
    name: str
    state: str
    settings: Mapping[str, Any]
    counted_from: float
    due: float | None
    created: float
    modified: float
    client_token: str | None

    @property
    def arn(self) -> str:
        return f"arn:aws:scheduler:{self.region}:{self.account}:schedule/{self.group}/{self.name}"

    @property
    def group_arn(self) -> str:
        return f"arn:aws:scheduler:{self.region}:{self.account}:schedule-group/{self.group}"

    @property
    def timetable(self) -> Timetable:
        return Timetable.of(self.settings, self.counted_from)

    def summary(self) -> dict[str, Any]:
        return {**self._names(), "Target": {"Arn": self.settings["Target"]["Arn"]}}

    def description(self) -> dict[str, Any]:
        return {**self._names(), **self.settings}

    def _names(self) -> dict[str, Any]:
        return {
            "Arn": self.arn,
            "Name": self.name,
            "GroupName": self.group,
            "State": self.state,
            "CreationDate": self.created,
            "LastModificationDate": self.modified,
        }


@dataclass(frozen=True, slots=True)
class Selection:
    """Which schedules a listing asks for. `after` is the group and the name of the last one before."""

    account: str
    region: str
    group: str | None
    prefix: str
    state: str | None
    after: tuple[str, str]


def find_schedule(reader: Reader, account: str, region: str, group: str, name: str) -> Schedule | None:
    row = reader.one(
        f"SELECT {_COLUMNS} FROM schedule WHERE account = ? AND region = ? AND group_name = ? AND name = ?",
        (account, region, group, name),
    )
    return _schedule(row) if row is not None else None


def load_schedule(reader: Reader, account: str, region: str, group: str, name: str) -> Schedule:
    """Raises ResourceNotFoundException."""
    found = find_schedule(reader, account, region, group, name)
    if found is None:
        raise schedule_not_found(name)
    return found


def schedule_by_id(reader: Reader, id_: int) -> Schedule | None:
    row = reader.one(f"SELECT {_COLUMNS} FROM schedule WHERE id = ?", (id_,))
    return _schedule(row) if row is not None else None


def list_schedules(reader: Reader, wanted: Selection, limit: int) -> list[Schedule]:
    """By group and name."""
    group = "" if wanted.group is None else " AND group_name = ?"
    state = "" if wanted.state is None else " AND state = ?"
    rows = reader.all(
        f"SELECT {_COLUMNS} FROM schedule WHERE account = ? AND region = ? AND (group_name, name) > (?, ?)"
        f" AND substr(name, 1, ?) = ?{group}{state} ORDER BY group_name, name LIMIT ?",
        (
            wanted.account,
            wanted.region,
            *wanted.after,
            len(wanted.prefix),
            wanted.prefix,
            *(value for value in (wanted.group, wanted.state) if value is not None),
            limit,
        ),
    )
    return [_schedule(row) for row in rows]


def insert_schedule(
    tx: Transaction,
    place: tuple[str, str, str, str],
    state: str,
    settings: Mapping[str, Any],
    token: str | None,
    now: float,
) -> None:
    """`place` is the account, the region, the group and the name."""
    counted_from = settings.get("StartDate") or now
    due = Timetable.of(settings, counted_from).first(now) if state == "ENABLED" else None
    tx.execute(
        "INSERT INTO schedule (account, region, group_name, name, state, settings, counted_from, due, created,"
        " modified, client_token) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (*place, state, json.dumps(settings), counted_from, due, now, now, token),
    )


def replace_schedule(tx: Transaction, known: Schedule, state: str, settings: Mapping[str, Any], now: float) -> None:
    """A rate that stays what it was goes on from where it was counted; one that changes is counted from now."""
    same = all(known.settings.get(name) == settings.get(name) for name in ("ScheduleExpression", "StartDate"))
    counted_from = known.counted_from if same else (settings.get("StartDate") or now)
    due = Timetable.of(settings, counted_from).next_after(now) if state == "ENABLED" else None
    tx.execute(
        "UPDATE schedule SET state = ?, settings = ?, counted_from = ?, due = ?, modified = ? WHERE id = ?",
        (state, json.dumps(settings), counted_from, due, now, known.id),
    )


def delete_schedule(tx: Transaction, id_: int) -> None:
    tx.execute("DELETE FROM schedule WHERE id = ?", (id_,))


def delete_completed(tx: Transaction, id_: int, modified: float) -> None:
    """Deletes a schedule that is to go after its last invocation, unless it was changed since that was due."""
    tx.execute(
        "DELETE FROM schedule WHERE id = ? AND modified = ? AND due IS NULL"
        " AND json_extract(settings, '$.ActionAfterCompletion') = 'DELETE'",
        (id_, modified),
    )


def due_schedules(reader: Reader, now: float, limit: int) -> list[Schedule]:
    rows = reader.all(f"SELECT {_COLUMNS} FROM schedule WHERE due <= ? ORDER BY due LIMIT ?", (now, limit))
    return [_schedule(row) for row in rows]


def set_due(tx: Transaction, id_: int, due: float | None) -> None:
    tx.execute("UPDATE schedule SET due = ? WHERE id = ?", (due, id_))


def next_due(reader: Reader) -> float | None:
    """When the next schedule is to be fired, None if none is."""
    row = reader.one("SELECT min(due) FROM schedule WHERE due IS NOT NULL")
    return row[0] if row is not None else None


def _schedule(row: tuple[Any, ...]) -> Schedule:
    id_, account, region, group, name, state, settings, *rest = row
    return Schedule(id_, account, region, group, name, state, json.loads(settings), *rest)
