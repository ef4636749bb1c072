"""The transaction in which an event is taken in: its row, and what is owed to each target of the rules it matches."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from cloudlet.services.events.rules import Rule, Target
from cloudlet.store import Outbox, Reader, Transaction


@dataclass(frozen=True, slots=True)
class NewEvent:
    """An event as targets get it (`body`, JSON). `ingested` is when it came, in epoch seconds.

    `forwarded` says that it came from another bus.
    """

    body: str
    ingested: float
    trace_header: str | None = None
    forwarded: bool = False


@dataclass(frozen=True, slots=True)
class StoredEvent:
    """An event on its way."""

    id: int
    body: str
    ingested: float
    trace_header: str | None
    forwarded: bool


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """Why an event is given up. `condition` is the limit of the retry policy that was reached, if it was."""

    code: str
    message: str
    condition: str | None
    attempts: int


@dataclass(frozen=True, slots=True)
class Errand:
    """A row of the outbox: an event for a target, as the target was when the event came. A letter goes to its queue."""

    event: int
    rule: str
    target: Target
    letter: DeadLetter | None = None

    def payload(self) -> dict[str, Any]:
        found: dict[str, Any] = {"event": self.event, "rule": self.rule, "target": self.target}
        if self.letter is not None:
            letter = self.letter
            found["letter"] = [letter.code, letter.message, letter.condition, letter.attempts]
        return found

    @classmethod
    def of_payload(cls, payload: dict[str, Any]) -> "Errand":
        letter = payload.get("letter")
        return cls(payload["event"], payload["rule"], payload["target"], DeadLetter(*letter) if letter else None)


def take_in(tx: Transaction, outbox: Outbox, event: NewEvent, rules: Sequence[Rule]) -> None:
    """Nothing is written of an event that no target is to get."""
    outstanding = sum(len(rule.targets) for rule in rules)
    if not outstanding:
        return
    row = tx.insert(
        "INSERT INTO event (body, ingested, trace_header, forwarded, outstanding) VALUES (?, ?, ?, ?, ?)",
        (event.body, event.ingested, event.trace_header, event.forwarded, outstanding),
    )
    for rule in rules:
        for target in rule.targets:
            outbox.put(tx, target["Arn"], Errand(row, rule.arn, target).payload())


def stored_event(reader: Reader, id_: int) -> StoredEvent | None:
    row = reader.one("SELECT id, body, ingested, trace_header, forwarded FROM event WHERE id = ?", (id_,))
    return StoredEvent(*row[:4], forwarded=bool(row[4])) if row is not None else None


def delivered(tx: Transaction, event: int) -> None:
    """One delivery of it is over; after the last one the event goes."""
    tx.execute("UPDATE event SET outstanding = outstanding - 1 WHERE id = ?", (event,))
    tx.execute("DELETE FROM event WHERE id = ? AND outstanding <= 0", (event,))
