"""What alarms did: changes of their configuration and state, and the actions that followed."""

import base64
import binascii
import json
from collections.abc import Mapping
from typing import Any

from cloudlet.core.context import Call
from cloudlet.core.timestamps import epoch, to_iso8601
from cloudlet.services.cloudwatch.alarms import METRIC, Alarm
from cloudlet.services.cloudwatch.errors import invalid_next_token
from cloudlet.store import Reader, Transaction

# Account, region, name and kind: histories outlive alarms.
Named = tuple[str, str, str, str]

_PAGE = 100
_LONGEST_SUMMARY = 255


def named(alarm: Alarm) -> Named:
    return *alarm.place, alarm.name, alarm.kind


def remember_configuration(tx: Transaction, alarm: Alarm, what: str, now: float) -> None:
    """`what` happened to it: `Create`, `Update` or `Delete`."""
    data = {"version": "1.0", "type": what, f"{_PAST[what]}Alarm": _readable(alarm.described())}
    _remember(tx, named(alarm), now, "ConfigurationUpdate", f'Alarm "{alarm.name}" {_PAST[what]}', data)


_PAST = {"Create": "created", "Update": "updated", "Delete": "deleted"}


def remember_state(tx: Transaction, before: Alarm, after: Alarm, now: float) -> None:
    data = {"version": "1.0", "oldState": _state(before), "newState": _state(after)}
    _remember(tx, named(after), now, "StateUpdate", f"Alarm updated from {before.state} to {after.state}", data)


def remember_action(tx: Transaction, alarm: Named, summary: str, data: Mapping[str, Any], now: float) -> None:
    _remember(tx, alarm, now, "Action", summary, data)


def describe_history(reader: Reader, call: Call, params: Mapping[str, Any]) -> dict[str, Any]:
    """Raises InvalidNextToken."""
    ascending = params.get("ScanBy") == "TimestampAscending"
    conditions = ["account = ?", "region = ?"]
    bindings: list[str | float] = [call.account, call.region]
    kinds = params.get("AlarmTypes") or [METRIC]
    conditions.append(f"kind IN ({', '.join('?' * len(kinds))})")
    bindings += kinds
    for member, condition in _FILTERS.items():
        if member in params:
            conditions.append(condition)
            value = params[member]
            bindings.append(value if isinstance(value, str) else epoch(value))
    if params.get("NextToken"):
        conditions.append("id > ?" if ascending else "id < ?")
        bindings.append(_read_token(params["NextToken"]))
    size = params.get("MaxRecords", _PAGE)
    order = "ASC" if ascending else "DESC"
    rows = reader.all(
        "SELECT id, alarm, kind, time, item_type, summary, data FROM alarm_history"
        f" WHERE {' AND '.join(conditions)} ORDER BY id {order} LIMIT ?",
        (*bindings, size + 1),
    )
    names = ("AlarmName", "AlarmType", "Timestamp", "HistoryItemType", "HistorySummary", "HistoryData")
    items = [dict(zip(names, row[1:], strict=True)) for row in rows[:size]]
    more = {"NextToken": _write_token(rows[size - 1][0])} if len(rows) > size else {}
    return {"AlarmHistoryItems": items} | more


_FILTERS = {
    "AlarmName": "alarm = ?",
    "HistoryItemType": "item_type = ?",
    "StartDate": "time >= ?",
    "EndDate": "time <= ?",
}


def _remember(tx: Transaction, alarm: Named, now: float, item_type: str, summary: str, data: Mapping[str, Any]) -> None:
    tx.execute(
        "INSERT INTO alarm_history (account, region, alarm, kind, time, item_type, summary, data)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        (*alarm, now, item_type, summary[:_LONGEST_SUMMARY], json.dumps(data, separators=(",", ":"))),
    )


def _state(alarm: Alarm) -> dict[str, Any]:
    state: dict[str, Any] = {"stateValue": alarm.state, "stateReason": alarm.state_reason}
    if alarm.state_reason_data is not None:
        state["stateReasonData"] = read_reason_data(alarm.state_reason_data)
    return state


def read_reason_data(text: str) -> Any:
    """SetAlarmState takes any text for JSON."""
    try:
        return json.loads(text)
    except ValueError:
        return text


def _readable(described: Mapping[str, Any]) -> dict[str, Any]:
    """Members in lower case and times in words, as AWS has them in histories."""
    times = {name: to_iso8601(value) for name, value in described.items() if name.endswith("Timestamp")}
    return {name[:1].lower() + name[1:]: value for name, value in {**described, **times}.items()}


def _write_token(last: int) -> str:
    return base64.urlsafe_b64encode(f"history:{last}".encode()).decode()


def _read_token(token: str) -> int:
    try:
        kind, _, number = base64.urlsafe_b64decode(token.encode()).decode().partition(":")
        last = int(number)
    except (binascii.Error, ValueError):
        raise invalid_next_token() from None
    if kind != "history":
        raise invalid_next_token()
    return last
