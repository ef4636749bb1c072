"""Event buses: what is kept of one, and its row."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cloudlet.core.errors import NotImplementedByCloudlet
from cloudlet.services.events.faults import bus_not_found
from cloudlet.services.events.names import DEFAULT, bus_name
from cloudlet.store import Reader, Transaction

_COLUMNS = "arn, settings, policy, tags, created, modified"
_SETTINGS = ("Description", "DeadLetterConfig", "LogConfig")


@dataclass(frozen=True, slots=True)
class EventBus:
    """A bus as its row was when it last changed. Times in epoch seconds, None of a default bus without a row."""

    arn: str
    settings: Mapping[str, Any]
    policy: Mapping[str, Any] | None
    tags: Mapping[str, str]
    created: float | None
    modified: float | None

    @property
    def name(self) -> str:
        return bus_name(self.arn)

    @classmethod
    def of_row(cls, row: tuple[Any, ...]) -> "EventBus":
        arn, settings, policy, tags, created, modified = row
        return cls(
            arn, json.loads(settings), json.loads(policy) if policy else None, json.loads(tags), created, modified
        )

    @classmethod
    def untouched(cls, arn: str) -> "EventBus":
        """The default bus, which exists by itself."""
        return cls(arn, {}, None, {}, None, None)

    def description(self) -> dict[str, Any]:
        """As the API shows it in lists."""
        shown: dict[str, Any] = {"Name": self.name, "Arn": self.arn}
        if "Description" in self.settings:
            shown["Description"] = self.settings["Description"]
        if self.policy is not None:
            shown["Policy"] = json.dumps(self.policy, separators=(",", ":"))
        if self.created is not None:
            shown |= {"CreationTime": self.created, "LastModifiedTime": self.modified}
        return shown


def settings_of(params: Mapping[str, Any]) -> dict[str, Any]:
    """What of CreateEventBus or UpdateEventBus is kept. Raises NotImplementedByCloudlet."""
    for name in ("KmsKeyIdentifier", "EventSourceName"):
        if params.get(name):
            raise NotImplementedByCloudlet(f"the {name} of an event bus")
    if params.get("LogConfig", {}).get("Level", "OFF") != "OFF":
        raise NotImplementedByCloudlet("logs of an event bus")
    return {name: params[name] for name in _SETTINGS if name in params}


def load_bus(reader: Reader, arn: str) -> EventBus:
    """The bus as the database has it. Raises ResourceNotFoundException."""
    row = reader.one(f"SELECT {_COLUMNS} FROM event_bus WHERE arn = ?", (arn,))
    if row is not None:
        return EventBus.of_row(row)
    if bus_name(arn) == DEFAULT:
        return EventBus.untouched(arn)
    raise bus_not_found(bus_name(arn))


def all_buses(reader: Reader) -> list[EventBus]:
    return [EventBus.of_row(row) for row in reader.rows(f"SELECT {_COLUMNS} FROM event_bus")]


def save_bus(tx: Transaction, bus: EventBus, now: float) -> EventBus:
    """Writes the bus as it is; returns it with its times."""
    policy = json.dumps(bus.policy) if bus.policy is not None else None
    tx.execute(
        "INSERT INTO event_bus (arn, settings, policy, tags, created, modified) VALUES (?, ?, ?, ?, ?, ?)"
        " ON CONFLICT (arn) DO UPDATE SET settings = excluded.settings, policy = excluded.policy,"
        " tags = excluded.tags, modified = excluded.modified",
        (bus.arn, json.dumps(bus.settings), policy, json.dumps(bus.tags), now, now),
    )
    return load_bus(tx, bus.arn)
