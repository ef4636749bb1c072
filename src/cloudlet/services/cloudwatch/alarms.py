"""Alarms: their rows, and how AWS shows them."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cloudlet.store import Reader, Transaction

METRIC, COMPOSITE = "MetricAlarm", "CompositeAlarm"
OK, ALARM, INSUFFICIENT_DATA = "OK", "ALARM", "INSUFFICIENT_DATA"
ACTIONS = {OK: "OKActions", ALARM: "AlarmActions", INSUFFICIENT_DATA: "InsufficientDataActions"}

_COLUMNS = (
    "id, account, region, name, kind, configuration, version, actions_enabled, tags, created, updated, state,"
    " state_reason, state_reason_data, state_updated, state_transitioned, suppression"
)
# What a metric alarm shows of its configuration, beside what all alarms do.
_METRIC_MEMBERS = (
    "AlarmDescription",
    "MetricName",
    "Namespace",
    "Statistic",
    "ExtendedStatistic",
    "Period",
    "Unit",
    "EvaluationPeriods",
    "DatapointsToAlarm",
    "Threshold",
    "ComparisonOperator",
    "TreatMissingData",
    "EvaluateLowSampleCountPercentile",
    "Metrics",
)
_COMPOSITE_MEMBERS = (
    "AlarmDescription",
    "AlarmRule",
    "ActionsSuppressor",
    "ActionsSuppressorWaitPeriod",
    "ActionsSuppressorExtensionPeriod",
)


@dataclass(frozen=True, slots=True)
class Alarm:
    """An alarm as its row is. `configuration` is what it was put with; times are in epoch seconds."""

    id: int
    account: str
    region: str
    name: str
    kind: str
    configuration: Mapping[str, Any]
    version: int
    actions_enabled: bool
    tags: Mapping[str, str]
    created: float
    updated: float
    state: str
    state_reason: str
    state_reason_data: str | None
    state_updated: float
    state_transitioned: float
    suppression: Mapping[str, Any] | None

    @property
    def arn(self) -> str:
        return alarm_arn(self.account, self.region, self.name)

    @property
    def place(self) -> tuple[str, str]:
        return self.account, self.region

    def actions(self, state: str) -> Sequence[str]:
        """What is done when the alarm goes into the state."""
        return self.configuration.get(ACTIONS[state], ())

    def described(self) -> dict[str, Any]:
        """As DescribeAlarms shows it."""
        members = _METRIC_MEMBERS if self.kind == METRIC else _COMPOSITE_MEMBERS
        described: dict[str, Any] = {
            "AlarmName": self.name,
            "AlarmArn": self.arn,
            "AlarmConfigurationUpdatedTimestamp": self.updated,
            "ActionsEnabled": self.actions_enabled,
            **{member: list(self.configuration.get(member, ())) for member in ACTIONS.values()},
            "StateValue": self.state,
            "StateReason": self.state_reason,
            "StateUpdatedTimestamp": self.state_updated,
            "StateTransitionedTimestamp": self.state_transitioned,
            **{member: self.configuration[member] for member in members if member in self.configuration},
        }
        if self.state_reason_data is not None:
            described["StateReasonData"] = self.state_reason_data
        if "MetricName" in self.configuration:
            described["Dimensions"] = self.configuration.get("Dimensions", [])
        if self.suppression is not None:
            described["ActionsSuppressedBy"] = self.suppression["by"]
            described["ActionsSuppressedReason"] = self.suppression["reason"]
        return described


def alarm_arn(account: str, region: str, name: str) -> str:
    return f"arn:aws:cloudwatch:{region}:{account}:alarm:{name}"


def find_alarm(reader: Reader, place: tuple[str, str], name: str) -> Alarm | None:
    row = reader.one(f"SELECT {_COLUMNS} FROM alarm WHERE account = ? AND region = ? AND name = ?", (*place, name))
    return None if row is None else _of_row(row)


def load_alarm(reader: Reader, id_: int) -> Alarm | None:
    row = reader.one(f"SELECT {_COLUMNS} FROM alarm WHERE id = ?", (id_,))
    return None if row is None else _of_row(row)


def all_alarms(reader: Reader, kind: str) -> Iterable[Alarm]:
    return (_of_row(row) for row in reader.rows(f"SELECT {_COLUMNS} FROM alarm WHERE kind = ?", (kind,)))


def alarms_of(reader: Reader, place: tuple[str, str], *, prefix: str = "", after: str = "") -> Iterable[Alarm]:
    """Those of an account and region behind a name, by their names."""
    rows = reader.rows(
        f"SELECT {_COLUMNS} FROM alarm WHERE account = ? AND region = ? AND name > ? AND substr(name, 1, ?) = ?"
        " ORDER BY name",
        (*place, after, len(prefix), prefix),
    )
    return (_of_row(row) for row in rows)


def count_alarms(reader: Reader, place: tuple[str, str]) -> int:
    row = reader.one("SELECT count(*) FROM alarm WHERE account = ? AND region = ?", place)
    return 0 if row is None else row[0]


def insert_alarm(
    tx: Transaction,
    place: tuple[str, str],
    name: str,
    kind: str,
    configuration: Mapping[str, Any],
    tags: Mapping[str, str],
    now: float,
) -> Alarm:
    """A new alarm, which nobody has looked at yet."""
    id_ = tx.insert(
        "INSERT INTO alarm (account, region, name, kind, configuration, version, actions_enabled, tags, created,"
        " updated, state, state_reason, state_updated, state_transitioned) VALUES (?, ?, ?, ?, ?, 1, ?, ?, ?, ?, ?,"
        " 'Unchecked: Initial alarm creation', ?, ?)",
        (
            *place,
            name,
            kind,
            json.dumps(configuration),
            configuration.get("ActionsEnabled", True),
            json.dumps(tags),
            now,
            now,
            INSUFFICIENT_DATA,
            now,
            now,
        ),
    )
    return _loaded(tx, id_)


def change_configuration(tx: Transaction, alarm: Alarm, configuration: Mapping[str, Any], now: float) -> Alarm:
    """The state stays as it is."""
    tx.execute(
        "UPDATE alarm SET configuration = ?, actions_enabled = ?, version = version + 1, updated = ? WHERE id = ?",
        (json.dumps(configuration), configuration.get("ActionsEnabled", True), now, alarm.id),
    )
    return _loaded(tx, alarm.id)


def enable_actions(tx: Transaction, alarm: Alarm, enabled: bool, now: float) -> Alarm:
    tx.execute(
        "UPDATE alarm SET actions_enabled = ?, version = version + 1, updated = ? WHERE id = ?",
        (enabled, now, alarm.id),
    )
    return _loaded(tx, alarm.id)


def change_state(tx: Transaction, alarm: Alarm, state: str, reason: str, reason_data: str | None, now: float) -> Alarm:
    tx.execute(
        "UPDATE alarm SET state = ?, state_reason = ?, state_reason_data = ?, state_updated = ?,"
        " state_transitioned = ? WHERE id = ?",
        (state, reason, reason_data, now, now if state != alarm.state else alarm.state_transitioned, alarm.id),
    )
    return _loaded(tx, alarm.id)


def change_suppression(tx: Transaction, alarm: Alarm, suppression: Mapping[str, Any] | None) -> Alarm:
    """`suppression` tells by what actions are held back, why, and until when."""
    text = None if suppression is None else json.dumps(suppression)
    tx.execute("UPDATE alarm SET suppression = ? WHERE id = ?", (text, alarm.id))
    return _loaded(tx, alarm.id)


def change_tags(tx: Transaction, alarm: Alarm, tags: Mapping[str, str]) -> None:
    tx.execute("UPDATE alarm SET tags = ? WHERE id = ?", (json.dumps(tags), alarm.id))


def delete_alarm(tx: Transaction, alarm: Alarm) -> None:
    tx.execute("DELETE FROM alarm WHERE id = ?", (alarm.id,))


def _loaded(reader: Reader, id_: int) -> Alarm:
    alarm = load_alarm(reader, id_)
    assert alarm is not None
    return alarm


def _of_row(row: tuple[Any, ...]) -> Alarm:
    return Alarm(
        *row[:5],
        configuration=json.loads(row[5]),
        version=row[6],
        actions_enabled=bool(row[7]),
        tags=json.loads(row[8]),
        created=row[9],
        updated=row[10],
        state=row[11],
        state_reason=row[12],
        state_reason_data=row[13],
        state_updated=row[14],
        state_transitioned=row[15],
        suppression=None if row[16] is None else json.loads(row[16]),
    )
