"""The clock: schedules that have fallen due become invocations in the outbox, in the transaction that moves them on."""

import asyncio
import logging
import random
from contextlib import suppress

from cloudlet.core.clock import Clock
from cloudlet.core.signals import Signals
from cloudlet.services.scheduler.invocations import Due
from cloudlet.services.scheduler.schedules import Schedule, due_schedules, next_due, set_due
from cloudlet.store import Outbox, Store, Transaction

# Notified when a schedule may be due earlier than was known.
CHANGED = "scheduler:changed"
# Schedules in one write: it holds up others for some milliseconds.
_AT_ONCE = 50
# The system's clock may be set, or the machine sleep: the time is looked at again after so long.
_LONGEST_PAUSE = 60.0
_TROUBLE_PAUSE = 10.0

_log = logging.getLogger(__name__)


class Firing:
    def __init__(self, store: Store, outbox: Outbox, clock: Clock, signals: Signals) -> None:
        self._store = store
        self._outbox = outbox
        self._clock = clock
        self._signals = signals
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._task = asyncio.create_task(self._run(), name="scheduler-firing")

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task

    async def _run(self) -> None:
        with self._signals.listen(CHANGED) as listener:
            while True:
                try:
                    pause = await self._fire_all_due()
                except Exception:  # noqa: BLE001 - a boundary: logged, and tried again
                    _log.exception("schedules that are due could not be fired")
                    pause = _TROUBLE_PAUSE
                await listener.wait(pause)

    async def _fire_all_due(self) -> float | None:
        """Returns the seconds until the next is due, None if only a signal can say so."""
        while (due := next_due(self._store.reader)) is not None:
            pause = due - self._clock.now()
            if pause > 0:
                return min(pause, _LONGEST_PAUSE)
            await self._store.write(self._fire_some)
        return None

    def _fire_some(self, tx: Transaction) -> None:
        now = self._clock.now()
        for schedule in due_schedules(tx, now, _AT_ONCE):
            self._fire(tx, schedule, now)

    def _fire(self, tx: Transaction, schedule: Schedule, now: float) -> None:
        assert schedule.due is not None
        timetable = schedule.timetable
        following = timetable.next_after(now)
        scheduled = timetable.latest(schedule.due, now)
        planned = scheduled + _within_window(schedule)
        set_due(tx, schedule.id, following)
        invocation = Due.of(schedule, scheduled, planned, last=following is None)
        self._outbox.put(tx, schedule.settings["Target"]["Arn"], invocation.payload(), delay=max(0.0, planned - now))


def _within_window(schedule: Schedule) -> float:
    """Seconds after the scheduled time, at random within a flexible time window."""
    minutes = schedule.settings["FlexibleTimeWindow"].get("MaximumWindowInMinutes", 0)
    return random.uniform(0.0, minutes * 60.0)
