"""Looks at every alarm when one of its periods ends: each minute, or every ten seconds for high resolution."""

import asyncio
import logging
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass

from cloudlet.core.clock import Clock
from cloudlet.core.errors import AwsError
from cloudlet.services.cloudwatch.alarm_changes import AlarmChanges
from cloudlet.services.cloudwatch.alarm_evaluation import Outcome, Watched, outcome, watched
from cloudlet.services.cloudwatch.alarms import METRIC, Alarm, all_alarms, load_alarm
from cloudlet.services.cloudwatch.datums import Datum
from cloudlet.services.cloudwatch.metrics import MetricId
from cloudlet.services.cloudwatch.suppression import held_alarms
from cloudlet.store import Reader, Store, Transaction

_log = logging.getLogger(__name__)
_BATCH = 100
# After an error of the database alarms are not looked at again at once.
_TROUBLE_PAUSE = 10.0


@dataclass(slots=True)
class _Entry:
    watched: Watched
    due: float
    left_alone: float = 0.0


class Evaluator:
    """`take_over` stores what services have measured until now."""

    def __init__(
        self, store: Store, clock: Clock, changes: AlarmChanges, take_over: Callable[[], Awaitable[None]]
    ) -> None:
        self._store = store
        self._clock = clock
        self._changes = changes
        self._take_over = take_over
        self._entries: dict[int, _Entry] = {}
        self._watching: defaultdict[MetricId, set[int]] = defaultdict(set)
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        for alarm in all_alarms(self._store.reader, METRIC):
            self.watch(alarm)
        self._task = asyncio.create_task(self._run(), name="cloudwatch-alarms")

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task

    def watch(self, alarm: Alarm) -> None:
        """Looks at the alarm at once, then at each end of a period."""
        self.forget(alarm.id)
        entry = self._entries[alarm.id] = _Entry(watched(alarm), self._clock.now())
        for metric in entry.watched.metrics:
            self._watching[metric].add(alarm.id)
        self.wake()

    def forget(self, id_: int) -> None:
        entry = self._entries.pop(id_, None)
        for metric in entry.watched.metrics if entry is not None else ():
            self._watching[metric].discard(id_)
            if not self._watching[metric]:
                del self._watching[metric]

    def leave_alone(self, id_: int) -> None:
        """For a whole interval: somebody has set the state by hand and wants to see what comes of it."""
        entry = self._entries.get(id_)
        if entry is not None:
            entry.left_alone = entry.due = _next_end(self._clock.now() + entry.watched.interval, entry.watched.interval)

    def data_arrived(self, datums: Iterable[Datum]) -> None:
        """Data of a period that is over may change what was decided when it ended."""
        now = self._clock.now()
        for datum in datums:
            for id_ in self._watching.get(datum.metric, ()):
                entry = self._entries[id_]
                over = datum.time + datum.resolution <= now // entry.watched.interval * entry.watched.interval
                if over and entry.left_alone <= now:
                    entry.due = now
                    self.wake()

    def wake(self) -> None:
        self._wake.set()

    async def evaluate_due(self) -> None:
        """All alarms whose time has come, and actions whose suppression has ended."""
        now = self._clock.now()
        due = [id_ for id_, entry in self._entries.items() if entry.due <= now]
        for id_ in due:
            entry = self._entries[id_]
            entry.due = _next_end(now, entry.watched.interval)
        if due:
            await self._take_over()
        for start in range(0, len(due), _BATCH):
            await self._evaluate(due[start : start + _BATCH], now)
        for id_, until in held_alarms(self._store.reader):
            if until <= now:
                await self._store.write(lambda tx, id_=id_: self._release(tx, id_, now))

    async def _run(self) -> None:
        while True:
            self._wake.clear()
            pause: float | None = _TROUBLE_PAUSE
            try:
                await self.evaluate_due()
                pause = self._until_next()
            except Exception:  # noqa: BLE001 - a boundary: logged, and tried again
                _log.exception("alarms could not be evaluated")
            with suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await self._wake.wait()

    def _until_next(self) -> float | None:
        due = [entry.due for entry in self._entries.values()]
        due += [until for _, until in held_alarms(self._store.reader)]
        return max(min(due) - self._clock.now(), 0.001) if due else None

    async def _evaluate(self, ids: Sequence[int], now: float) -> None:
        outcomes = await self._store.query(lambda reader: [*_outcomes(reader, ids, now)])
        if outcomes:
            await self._store.write(lambda tx: self._apply(tx, outcomes, now))

    def _apply(self, tx: Transaction, outcomes: Iterable[Outcome], now: float) -> None:
        for found in outcomes:
            alarm = load_alarm(tx, found.alarm.id)
            # An alarm that was put anew meanwhile is due again already.
            entry = self._entries.get(found.alarm.id)
            if alarm is None or entry is None or entry.left_alone > now:
                continue
            if (alarm.version, alarm.state) == (found.alarm.version, found.alarm.state):
                self._changes.set_state(tx, alarm, found.state, found.reason, found.reason_data, now)

    def _release(self, tx: Transaction, id_: int, now: float) -> None:
        alarm = load_alarm(tx, id_)
        if alarm is not None and alarm.suppression is not None and (alarm.suppression["until"] or now + 1) <= now:
            self._changes.release(tx, alarm)


def _outcomes(reader: Reader, ids: Iterable[int], now: float) -> Iterable[Outcome]:
    for id_ in ids:
        alarm = load_alarm(reader, id_)
        if alarm is None:
            continue
        try:
            found = outcome(reader, alarm, now)
        except AwsError as error:
            _log.warning("an alarm's expression makes no sense", extra={"alarm": alarm.arn, "reason": error.message})
            continue
        if found is not None:
            yield found


def _next_end(now: float, interval: int) -> float:
    return (now // interval + 1) * interval
