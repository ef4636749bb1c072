"""Rules and their targets: what is kept of them, and their rows."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC
from typing import Any

from cloudlet.core.errors import NotImplementedByCloudlet
from cloudlet.core.event_patterns import EventPattern, InvalidPattern, compile_pattern
from cloudlet.core.metrics import DimensionSets, Place
from cloudlet.core.schedules import At, Rate, Schedule, parse
from cloudlet.services.events.faults import invalid, invalid_pattern, rule_not_found
from cloudlet.services.events.names import DEFAULT, bus_name, rule_name
from cloudlet.store import Reader, Transaction

_COLUMNS = "id, arn, bus, settings, tags, created_by, since"
_SETTINGS = ("EventPattern", "ScheduleExpression", "State", "Description", "RoleArn")

Target = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule and its targets as their rows were when they last changed; `pattern` and `schedule` are compiled.

    `since` is in epoch seconds. `place` and `dimensions` are what its metrics are recorded under.
    """

    id: int
    arn: str
    bus: str
    settings: Mapping[str, Any]
    tags: Mapping[str, str]
    created_by: str
    since: float | None
    targets: tuple[Target, ...]
    pattern: EventPattern | None
    schedule: Schedule | None
    place: Place
    dimensions: DimensionSets

    @property
    def name(self) -> str:
        return rule_name(self.arn)

    @property
    def account(self) -> str:
        return self.place[0]

    @property
    def enabled(self) -> bool:
        return self.settings["State"] == "ENABLED"

    @classmethod
    def of_row(cls, row: tuple[Any, ...], targets: tuple[Target, ...]) -> "Rule":
        settings: dict[str, Any] = json.loads(row[3])
        arn, bus = row[1], bus_name(row[2])
        _, _, _, region, account, _ = arn.split(":", 5)
        named = (("RuleName", rule_name(arn)),)
        return cls(
            id=row[0],
            arn=arn,
            bus=row[2],
            settings=settings,
            tags=json.loads(row[4]),
            created_by=row[5],
            since=row[6],
            targets=targets,
            pattern=compile_pattern(settings["EventPattern"]) if "EventPattern" in settings else None,
            schedule=parse(settings["ScheduleExpression"]) if "ScheduleExpression" in settings else None,
            place=(account, region),
            dimensions=(named if bus == DEFAULT else (("EventBusName", bus), *named), ()),
        )

    def description(self) -> dict[str, Any]:
        """As the API shows it in lists."""
        return {"Name": self.name, "Arn": self.arn, "EventBusName": bus_name(self.bus), **self.settings}

    def next_due(self, now: float) -> float | None:
        """When the schedule falls due after now; None if it does not."""
        if self.schedule is None or not self.enabled:
            return None
        return self.schedule.next_after(now, UTC, self.since if self.since is not None else now)


def settings_of(params: Mapping[str, Any], bus: str) -> dict[str, Any]:
    """What of PutRule is kept. Raises ValidationException, InvalidEventPatternException, NotImplementedByCloudlet."""
    settings = {name: params[name] for name in _SETTINGS if params.get(name)}
    if "EventPattern" not in settings and "ScheduleExpression" not in settings:
        raise invalid("Parameter(s) EventPattern or ScheduleExpression must be specified.")
    if settings.setdefault("State", "ENABLED") not in ("ENABLED", "DISABLED"):
        raise NotImplementedByCloudlet("the events of CloudTrail, which the rule's state asks for")
    if "EventPattern" in settings:
        check_pattern(settings["EventPattern"])
    if "ScheduleExpression" in settings:
        _check_schedule(settings["ScheduleExpression"], bus)
    return settings


def check_pattern(text: str) -> EventPattern:
    """Raises InvalidEventPatternException."""
    try:
        return compile_pattern(text)
    except InvalidPattern as error:
        raise invalid_pattern(str(error)) from None


def _check_schedule(text: str, bus: str) -> None:
    try:
        schedule = parse(text)
    except ValueError:
        schedule = None
    if schedule is None or isinstance(schedule, At) or (isinstance(schedule, Rate) and not schedule.agrees):
        raise invalid("Parameter ScheduleExpression is not valid.")
    if bus_name(bus) != DEFAULT:
        raise invalid("ScheduleExpression is supported only on the default event bus.")


def find_rule(reader: Reader, arn: str) -> Rule | None:
    """The rule as the database has it."""
    row = reader.one(f"SELECT {_COLUMNS} FROM rule WHERE arn = ?", (arn,))
    return Rule.of_row(row, _targets(reader, row[0])) if row is not None else None


def load_rule(reader: Reader, arn: str, bus: str) -> Rule:
    """Raises ResourceNotFoundException."""
    rule = find_rule(reader, arn)
    if rule is None:
        raise rule_not_found(rule_name(arn), bus_name(bus))
    return rule


def all_rules(reader: Reader) -> list[Rule]:
    rows = reader.all(f"SELECT {_COLUMNS} FROM rule ORDER BY id")
    return [Rule.of_row(row, _targets(reader, row[0])) for row in rows]


def insert_rule(
    tx: Transaction, arn: str, bus: str, settings: Mapping[str, Any], tags: Mapping[str, str], created_by: str
) -> None:
    tx.execute(
        "INSERT INTO rule (arn, bus, settings, tags, created_by) VALUES (?, ?, ?, ?, ?)",
        (arn, bus, json.dumps(settings), json.dumps(tags), created_by),
    )


def set_settings(tx: Transaction, rule: Rule, settings: Mapping[str, Any]) -> None:
    tx.execute("UPDATE rule SET settings = ? WHERE id = ?", (json.dumps(settings), rule.id))


def set_tags(tx: Transaction, rule: Rule, tags: Mapping[str, str]) -> None:
    tx.execute("UPDATE rule SET tags = ? WHERE id = ?", (json.dumps(tags), rule.id))


def restart_schedule(tx: Transaction, arn: str, now: float) -> None:
    """Counts the schedule of a rule that is new, or has got another schedule or state, from now."""
    tx.execute("UPDATE rule SET since = ? WHERE arn = ?", (now, arn))
    rule = find_rule(tx, arn)
    if rule is not None:
        set_due(tx, rule, rule.next_due(now))


def set_due(tx: Transaction, rule: Rule, due: float | None) -> None:
    tx.execute("UPDATE rule SET due = ? WHERE id = ?", (due, rule.id))


def put_target(tx: Transaction, rule: Rule, target: Target) -> None:
    tx.execute(
        "INSERT INTO target (rule, id, definition) VALUES (?, ?, ?)"
        " ON CONFLICT (rule, id) DO UPDATE SET definition = excluded.definition",
        (rule.id, target["Id"], json.dumps(target)),
    )


def remove_target(tx: Transaction, rule: Rule, target_id: str) -> bool:
    """Whether there was one."""
    return tx.execute("DELETE FROM target WHERE rule = ? AND id = ?", (rule.id, target_id)) > 0


def _targets(reader: Reader, rule: int) -> tuple[Target, ...]:
    rows = reader.rows("SELECT definition FROM target WHERE rule = ? ORDER BY number", (rule,))
    return tuple(json.loads(definition) for (definition,) in rows)
