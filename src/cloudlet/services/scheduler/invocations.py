"""What the outbox holds: an invocation that is due, or the dead letter of one that was given up."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from cloudlet.core.ids import lower_id
from cloudlet.services.scheduler.inputs import Occasion
from cloudlet.services.scheduler.schedules import Schedule

_MOST_ATTEMPTS = 185
_LONGEST_SECONDS = 86400


@dataclass(frozen=True, slots=True)
class Due:
    """One invocation of a schedule's target, as both were when it fell due. Times in epoch seconds.

    `planned` is when its first attempt is due: the scheduled time or, in a flexible time window, later. `modified` is
    the schedule's last change, set where nothing comes after this invocation.
    """

    schedule: int
    schedule_arn: str
    group_arn: str
    target: Mapping[str, Any]
    scheduled: float
    planned: float
    execution_id: str
    modified: float | None

    @classmethod
    def of(cls, schedule: Schedule, scheduled: float, planned: float, last: bool) -> "Due":
        return cls(
            schedule.id,
            schedule.arn,
            schedule.group_arn,
            schedule.settings["Target"],
            scheduled,
            planned,
            lower_id(16),
            schedule.modified if last else None,
        )

    @property
    def place(self) -> tuple[str, str]:
        """The account and the region."""
        parts = self.schedule_arn.split(":")
        return parts[4], parts[3]

    @property
    def group(self) -> str:
        return self.group_arn.rpartition("/")[2]

    @property
    def occasion(self) -> Occasion:
        return Occasion(self.schedule_arn, *self.place, self.scheduled, self.execution_id)

    @property
    def most_retries(self) -> int:
        return self.target.get("RetryPolicy", {}).get("MaximumRetryAttempts", _MOST_ATTEMPTS)

    @property
    def given_up_at(self) -> float:
        return self.planned + self.target.get("RetryPolicy", {}).get("MaximumEventAgeInSeconds", _LONGEST_SECONDS)

    @property
    def dead_letter_queue(self) -> str | None:
        return self.target.get("DeadLetterConfig", {}).get("Arn")

    def payload(self) -> dict[str, Any]:
        return {"kind": "due", **asdict(self)}


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A message for a dead-letter queue, with its attributes; `until` (epoch seconds) it is tried again."""

    queue: str
    role: str
    group_arn: str
    body: str
    attributes: Mapping[str, str]
    until: float

    def payload(self) -> dict[str, Any]:
        return {"kind": "dead letter", **asdict(self)}


def read(payload: Mapping[str, Any]) -> Due | DeadLetter:
    members = {name: value for name, value in payload.items() if name != "kind"}
    return Due(**members) if payload["kind"] == "due" else DeadLetter(**members)
