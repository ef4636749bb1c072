"""When a schedule is to be fired: its expression in its time zone, between its dates."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self
from zoneinfo import ZoneInfo

from cloudlet.core.schedules import At, Rate, Schedule, parse

# Schedules are precise to the minute: what was due a moment before its creation is fired all the same.
_GRACE_SECONDS = 60.0
# No event may be older than a day, so what was missed before needs no exact time.
_OLDEST_SECONDS = 86400.0
# The latest time that was missed is looked for from the end.
_LOOK_BACK = (60.0, 3600.0)


@dataclass(frozen=True, slots=True)
class Timetable:
    """All times in epoch seconds; `start` and `end` are None where there is no such bound."""

    expression: Schedule
    zone: ZoneInfo
    start: float | None
    end: float | None
    counted_from: float

    @classmethod
    def of(cls, settings: Mapping[str, Any], counted_from: float) -> Self:
        """`settings` have been checked."""
        expression = parse(settings["ScheduleExpression"])
        zone = ZoneInfo(settings["ScheduleExpressionTimezone"])
        if isinstance(expression, At):
            return cls(expression, zone, None, None, counted_from)
        return cls(expression, zone, settings.get("StartDate"), settings.get("EndDate"), counted_from)

    def first(self, created: float) -> float | None:
        """When a schedule that is made now is due. A rate begins at once, or at its start."""
        return self.next_after(created if not isinstance(self.expression, At | Rate) else created - _GRACE_SECONDS)

    def next_after(self, time: float) -> float | None:
        """The first time after `time`, None if there is none any more."""
        if self.start is not None and time < self.start:
            time = self.start - 0.001
        due = self.expression.next_after(time, self.zone, self.counted_from)
        return None if due is None or (self.end is not None and due > self.end) else due

    def latest(self, due: float, now: float) -> float:
        """The last time that has come by now, of those from `due` on. One firing makes up for all that were missed."""
        if due < now - _OLDEST_SECONDS:
            recent = self.next_after(now - _OLDEST_SECONDS)
            if recent is None or recent > now:
                return due
            due = recent
        for seconds in _LOOK_BACK:
            recent = self.next_after(max(due, now - seconds))
            if recent is not None and recent <= now:
                due = recent
                break
        while (following := self.next_after(due)) is not None and following <= now:
            due = following
        return due
