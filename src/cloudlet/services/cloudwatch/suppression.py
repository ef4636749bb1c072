"""Composite alarms whose actions another alarm suppresses: held back while it is, or may yet come, in ALARM state."""

from collections.abc import Mapping, Sequence
from typing import Any

from cloudlet.services.cloudwatch import alarms
from cloudlet.services.cloudwatch.alarm_actions import Action
from cloudlet.services.cloudwatch.alarm_rules import name_in
from cloudlet.services.cloudwatch.alarms import ALARM, Alarm
from cloudlet.store import Reader, Transaction

_BY_ALARM, _WAIT, _EXTENSION = "Alarm", "WaitPeriod", "ExtensionPeriod"


def held_back(tx: Transaction, before: Alarm, after: Alarm, actions: Sequence[Action], now: float) -> bool:
    """Keeps the actions of a new state for later, where the alarm has a suppressor; returns whether it does."""
    reference = after.configuration.get("ActionsSuppressor")
    if not reference:
        return False
    if before.suppression is not None and before.suppression["before"] == after.state:
        alarms.change_suppression(tx, after, None)  # back where it was before anybody heard of it
        return True
    suppressor = alarms.find_alarm(tx, after.place, name_in(reference))
    if suppressor is None:
        return False
    until = None if suppressor.state == ALARM else now + after.configuration["ActionsSuppressorWaitPeriod"]
    suppression = {
        **_reason(_BY_ALARM if until is None else _WAIT, suppressor),
        "until": until,
        "before": before.state,
        "actions": list(actions),
    }
    alarms.change_suppression(tx, after, suppression)
    return True


def suppressor_changed(tx: Transaction, composite: Alarm, suppressor: Alarm, now: float) -> None:
    """What is held back waits for the suppressor's end, and then for the extension period."""
    held = composite.suppression
    if held is None:
        return
    if suppressor.state == ALARM:
        alarms.change_suppression(tx, composite, {**held, **_reason(_BY_ALARM, suppressor), "until": None})
    elif held["by"] == _BY_ALARM:
        until = now + composite.configuration["ActionsSuppressorExtensionPeriod"]
        alarms.change_suppression(tx, composite, {**held, **_reason(_EXTENSION, suppressor), "until": until})


def held_alarms(reader: Reader) -> list[tuple[int, float]]:
    """The alarms whose actions are held back until a certain time, with that."""
    rows = reader.rows("SELECT id, json_extract(suppression, '$.until') FROM alarm WHERE suppression IS NOT NULL")
    return [(id_, until) for id_, until in rows if until is not None]


def _reason(by: str, suppressor: Alarm) -> Mapping[str, Any]:
    return {"by": by, "reason": f"Actions suppressed by {by}: {suppressor.arn} is in {suppressor.state} state"}
