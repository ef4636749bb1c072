"""Scheduled rules: when each falls due next is on disk, a timer waits for the first of them."""

import asyncio
import logging
from contextlib import suppress

import orjson

from cloudlet.core.ids import request_id
from cloudlet.core.service import Cloud
from cloudlet.core.timestamps import to_iso8601
from cloudlet.services.events.directory import Directory
from cloudlet.services.events.ingestion import NewEvent, take_in
from cloudlet.services.events.measures import Measures
from cloudlet.services.events.rules import Rule, set_due
from cloudlet.store import Outbox, Store, Transaction

_log = logging.getLogger(__name__)
_TROUBLE_PAUSE = 5.0
# The clock of the machine may be set: what is due is looked at this often, whatever it says.
_LONGEST_PAUSE = 60.0


class Timetable:
    """What fell due while nobody was there to see it is made up for once, not for each time that was missed."""

    def __init__(self, cloud: Cloud, store: Store, outbox: Outbox, directory: Directory, measures: Measures) -> None:
        self._cloud = cloud
        self._store = store
        self._outbox = outbox
        self._directory = directory
        self._measures = measures
        self._changed = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._task = asyncio.create_task(self._run(), name="scheduled rules")

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task

    def changed_after(self, tx: Transaction) -> None:
        """To be called in a write that changes when something is due."""
        tx.after_commit(self._changed.set)

    async def _run(self) -> None:
        while True:
            self._changed.clear()
            try:
                pause = await self._fire_due()
            except Exception:  # noqa: BLE001 - a boundary: logged, and tried again
                _log.exception("scheduled rules could not be triggered")
                pause = _TROUBLE_PAUSE
            with suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await self._changed.wait()

    async def _fire_due(self) -> float | None:
        """Returns the seconds until the next rule is due, None if none is."""
        now = self._cloud.clock.now()
        rows = self._store.reader.all("SELECT arn, due FROM rule WHERE due <= ? ORDER BY due", (now,))
        fired: list[Rule] = []
        if rows:
            fired = await self._store.write(lambda tx: self._fire(tx, rows, now))
            self._measures.scheduled(fired, now)
        row = self._store.reader.one("SELECT min(due) FROM rule WHERE due IS NOT NULL")
        if row is None or row[0] is None:
            return None
        return min(max(row[0] - self._cloud.clock.now(), 0.0), _LONGEST_PAUSE)

    def _fire(self, tx: Transaction, rows: list[tuple[str, float]], now: float) -> list[Rule]:
        fired: list[Rule] = []
        for arn, due in rows:
            rule = self._directory.find_rule(arn)
            if rule is None:  # it is being deleted
                continue
            take_in(tx, self._outbox, _scheduled_event(rule, due, now), [rule])
            set_due(tx, rule, rule.next_due(now))
            fired.append(rule)
        return fired


def _scheduled_event(rule: Rule, due: float, now: float) -> NewEvent:
    account, region = rule.place
    body = {
        "version": "0",
        "id": request_id(),
        "detail-type": "Scheduled Event",
        "source": "aws.events",
        "account": account,
        "time": to_iso8601(float(int(due))),
        "region": region,
        "resources": [rule.arn],
        "detail": {},
    }
    return NewEvent(orjson.dumps(body).decode(), now)
