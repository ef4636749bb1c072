"""What a target is given: the schedule's input with its context attributes, or the notification that stands for one."""

import json
from collections.abc import Mapping
from dataclasses import dataclass

import orjson

from cloudlet.core.ids import request_id
from cloudlet.core.timestamps import to_iso8601


@dataclass(frozen=True, slots=True)
class Occasion:
    """One invocation. `scheduled` is the time that the schedule's expression named, in epoch seconds."""

    schedule_arn: str
    account: str
    region: str
    scheduled: float
    execution_id: str

    @property
    def scheduled_time(self) -> str:
        return to_iso8601(float(int(self.scheduled)))


def rendered(text: str, occasion: Occasion, attempt: int) -> str:
    """The input with the values of its context attributes."""
    for name, value in _context(occasion, attempt).items():
        text = text.replace(f"<aws.scheduler.{name}>", value)
    return text


def default_notification(occasion: Occasion) -> str:
    """What a templated target is given where the schedule has no input."""
    return json.dumps(
        {
            "version": "0",
            "id": request_id(),
            "detail-type": "Scheduled Event",
            "source": "aws.scheduler",
            "account": occasion.account,
            "time": occasion.scheduled_time,
            "region": occasion.region,
            "resources": [occasion.schedule_arn],
            "detail": "{}",
        }
    )


def is_json(text: str) -> bool:
    """Whether the input will be JSON once its context attributes have values."""
    example = Occasion("arn", "000000000000", "us-east-1", 0.0, "0")
    try:
        orjson.loads(rendered(text, example, 1))
    except ValueError:
        return False
    return True


def _context(occasion: Occasion, attempt: int) -> Mapping[str, str]:
    return {
        "schedule-arn": occasion.schedule_arn,
        "scheduled-time": occasion.scheduled_time,
        "execution-id": occasion.execution_id,
        "attempt-number": str(attempt),
    }
