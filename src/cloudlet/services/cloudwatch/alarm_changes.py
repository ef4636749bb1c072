"""Changes of alarms with all that follows from them, in one transaction: history, actions, events, composite alarms."""

import json
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from cloudlet.services.cloudwatch import alarms
from cloudlet.services.cloudwatch.alarm_actions import AlarmActions, actions_of
from cloudlet.services.cloudwatch.alarm_history import remember_configuration, remember_state
from cloudlet.services.cloudwatch.alarm_notifications import configuration_change_event, state_change_event
from cloudlet.services.cloudwatch.alarm_reasons import alarm_time
from cloudlet.services.cloudwatch.alarm_rules import name_in, parse_rule
from cloudlet.services.cloudwatch.alarms import ALARM, COMPOSITE, INSUFFICIENT_DATA, OK, Alarm
from cloudlet.services.cloudwatch.errors import validation_error
from cloudlet.services.cloudwatch.suppression import held_back, suppressor_changed
from cloudlet.store import Reader, Transaction

_LONGEST_REASON = 1023


class AlarmChanges:
    """`wake` is called after a commit that leaves something for the clock to do."""

    def __init__(self, actions: AlarmActions, wake: Callable[[], None]) -> None:
        self._actions = actions
        self._wake = wake

    def create(
        self,
        tx: Transaction,
        place: tuple[str, str],
        name: str,
        kind: str,
        configuration: Mapping[str, Any],
        tags: Mapping[str, str],
        now: float,
    ) -> Alarm:
        alarm = alarms.insert_alarm(tx, place, name, kind, configuration, tags, now)
        self._configured(tx, alarm, "Create", now)
        return self._evaluate_composite(tx, alarm, None, now, frozenset()) if kind == COMPOSITE else alarm

    def update(self, tx: Transaction, alarm: Alarm, configuration: Mapping[str, Any], now: float) -> Alarm:
        changed = alarms.change_configuration(tx, alarm, configuration, now)
        self._configured(tx, changed, "Update", now)
        if changed.kind == COMPOSITE:
            return self._evaluate_composite(tx, changed, None, now, frozenset())
        return changed

    def enable_actions(self, tx: Transaction, alarm: Alarm, enabled: bool, now: float) -> None:
        if alarm.actions_enabled != enabled:
            self._configured(tx, alarms.enable_actions(tx, alarm, enabled, now), "Update", now)

    def delete(self, tx: Transaction, alarm: Alarm, now: float) -> None:
        """Raises ValidationError while a composite alarm depends on it."""
        parents = [parent.name for parent in composites(tx, alarm.place) if refers_to(parent, alarm.name)]
        if [name for name in parents if name != alarm.name]:
            raise validation_error(f"Cannot delete {alarm.name} as there are composite alarm(s) depending on it.")
        alarms.delete_alarm(tx, alarm)
        self._configured(tx, alarm, "Delete", now)

    def set_state(
        self, tx: Transaction, alarm: Alarm, state: str, reason: str, reason_data: str | None, now: float
    ) -> Alarm:
        return self._transition(tx, alarm, state, reason, reason_data, now, frozenset())

    def release(self, tx: Transaction, alarm: Alarm) -> None:
        """Does what was held back until now."""
        for target, payload in (alarm.suppression or {}).get("actions", ()):
            self._actions.put(tx, (target, payload))
        alarms.change_suppression(tx, alarm, None)

    def _configured(self, tx: Transaction, alarm: Alarm, what: str, now: float) -> None:
        remember_configuration(tx, alarm, what, now)
        detail = configuration_change_event(alarm, what.lower())
        self._actions.put_event(tx, alarm, "CloudWatch Alarm Configuration Change", detail, now)
        tx.after_commit(self._wake)

    def _transition(
        self,
        tx: Transaction,
        before: Alarm,
        state: str,
        reason: str,
        reason_data: str | None,
        now: float,
        path: frozenset[int],
    ) -> Alarm:
        """`path` are the alarms whose change led to this: what comes round to one of them ends there."""
        after = alarms.change_state(tx, before, state, reason, reason_data, now)
        if after.state == before.state:
            return after
        remember_state(tx, before, after, now)
        detail = state_change_event(before, after)
        self._actions.put_event(tx, after, "CloudWatch Alarm State Change", detail, now)
        self._act(tx, before, after, now)
        for parent in composites(tx, after.place):
            if refers_to(parent, after.name) and parent.id not in path | {after.id}:
                self._evaluate_composite(tx, parent, after, now, path | {after.id})
            if name_in(parent.configuration.get("ActionsSuppressor", "")) == after.name:
                suppressor_changed(tx, parent, after, now)
        tx.after_commit(self._wake)
        return after

    def _act(self, tx: Transaction, before: Alarm, after: Alarm, now: float) -> None:
        if not after.actions_enabled:
            return
        actions = actions_of(before, after)
        if not held_back(tx, before, after, actions, now):
            for action in actions:
                self._actions.put(tx, action)

    def _evaluate_composite(
        self, tx: Transaction, alarm: Alarm, child: Alarm | None, now: float, path: frozenset[int]
    ) -> Alarm:
        """`child` is whose change asks for it, None for the composite alarm's own."""
        rule = parse_rule(alarm.configuration["AlarmRule"])
        children = {reference: alarms.find_alarm(tx, alarm.place, name_in(reference)) for reference in rule.alarms}
        states = {reference: found.state for reference, found in children.items() if found is not None}
        state = ALARM if rule.holds(states.get) else OK
        if state == alarm.state:
            return alarm
        if child is None:
            done = "created" if alarm.state == INSUFFICIENT_DATA else "updated"
            reason = f"{alarm.arn} was {done} and its alarm rule evaluates to {state}"
        else:
            moment = datetime.fromtimestamp(now, UTC)
            reason = f"{child.arn} transitioned to {child.state} at {moment:%A %d %B, %Y %H:%M:%S} UTC"
        triggering = [child] if child is not None else [found for found in children.values() if found is not None]
        return self._transition(tx, alarm, state, reason[:_LONGEST_REASON], _reason_data(triggering), now, path)


def composites(reader: Reader, place: tuple[str, str]) -> list[Alarm]:
    return [alarm for alarm in alarms.all_alarms(reader, COMPOSITE) if alarm.place == place]


def refers_to(composite: Alarm, name: str) -> bool:
    """Whether the rule asks for the alarm's state."""
    return name in {name_in(reference) for reference in parse_rule(composite.configuration["AlarmRule"]).alarms}


def _reason_data(children: Iterable[Alarm]) -> str:
    triggering = [
        {"arn": child.arn, "state": {"value": child.state, "timestamp": alarm_time(child.state_updated)}}
        for child in children
    ]
    return json.dumps({"triggeringAlarms": triggering}, separators=(",", ":"))
