"""What a service owes to others: rows written in the same transaction as the change that they follow from.

Each row is delivered at least once, however often the process dies in between.
"""

import asyncio
import logging
import random
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import apsw
import orjson

from cloudlet.core.clock import Clock
from cloudlet.store.database import Store
from cloudlet.store.transaction import Transaction

_log = logging.getLogger(__name__)
_LONGEST_PAUSE = 300.0
# While the database takes no writes (a full disk), or a completion fails, deliveries are not repeated faster than this.
_TROUBLE_PAUSE = 10.0


@dataclass(frozen=True, slots=True)
class Delivery:
    """A row under way. `attempts` counts the earlier ones; `created` is in epoch seconds."""

    id: int
    target: str
    payload: dict[str, Any]
    lane: str | None
    attempts: int
    created: float


class Retry(Exception):
    """Raised by a delivery that is to be tried again after so many seconds."""

    def __init__(self, after: float) -> None:
        super().__init__(f"again in {after} s")
        self.after = after


# What a finished delivery writes in the transaction that removes its row: a dead letter, a result for a destination.
Completion = Callable[[Transaction], None]
Deliver = Callable[[Delivery], Awaitable[Completion | None]]


class Outbox:
    """The outbox of one store, and the dispatcher that empties it.

    `deliver` returns when the row has arrived or has been given up. It raises Retry to be called again after a time
    of its own choice; any other error is logged and tried again with exponential back-off. Where targets may be slow,
    `per_target` bounds the attempts under way to each, so that the rows of others do not wait behind them;
    `concurrency` bounds those to all.
    """

    def __init__(
        self, store: Store, clock: Clock, deliver: Deliver, *, concurrency: int = 64, per_target: int | None = None
    ) -> None:
        self._store = store
        self._clock = clock
        self._deliver = deliver
        self._concurrency = concurrency
        self._per_target = per_target
        self._attempts_to: Counter[str] = Counter()
        self._wake = asyncio.Event()
        self._under_way: dict[int, asyncio.Task[None]] = {}
        self._dispatcher: asyncio.Task[None] | None = None
        self._stopping: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def put(
        self, tx: Transaction, target: str, payload: dict[str, Any], *, lane: str | None = None, delay: float = 0.0
    ) -> None:
        """Adds a row inside a write; it starts travelling when that is on disk, `delay` seconds later."""
        now = self._clock.now()
        tx.execute(
            "INSERT INTO outbox (target, payload, lane, due, created) VALUES (?, ?, ?, ?, ?)",
            (target, orjson.dumps(payload), lane, now + delay, now),
        )
        tx.after_commit(self._wake.set)

    def start(self) -> None:
        self._dispatcher = asyncio.create_task(self._dispatch(), name=f"outbox-{self._store.path.stem}")

    async def stop(self) -> None:
        """Takes up nothing new and lets what is under way end; rows not delivered stay for the next start."""
        if not self._stopping.done():
            self._stopping.set_result(None)
        if self._dispatcher is not None:
            self._dispatcher.cancel()
            with suppress(asyncio.CancelledError):
                await self._dispatcher
        if self._under_way:
            _, late = await asyncio.wait(self._under_way.values(), timeout=5.0)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)

    def statistics(self) -> dict[str, int]:
        row = self._store.reader.one("SELECT count(*) FROM outbox")
        return {"waiting": row[0] if row else 0, "under_way": len(self._under_way)}

    async def _dispatch(self) -> None:
        while True:
            self._wake.clear()
            try:
                pause = self._start_all_due()
            except apsw.Error:
                _log.exception("the outbox cannot be read", extra={"file": str(self._store.path)})
                pause = _TROUBLE_PAUSE
            with suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await self._wake.wait()

    def _start_all_due(self) -> float | None:
        """Starts what is due; returns the seconds until more is, None if only a signal can say so."""
        now = self._clock.now()
        while self._start_due(now):
            pass  # a target has become busy: those behind it may have room
        return self._until_next(now)

    def _start_due(self, now: float) -> bool:
        """Starts what is due; returns whether a target has reached its bound by that."""
        became_busy = False
        for delivery in self._due(now):
            attempts = self._attempts_to[delivery.target]
            if self._per_target is not None and attempts >= self._per_target:
                continue
            self._attempts_to[delivery.target] += 1
            self._under_way[delivery.id] = asyncio.create_task(self._attempt(delivery))
            became_busy = became_busy or attempts + 1 == self._per_target
        return became_busy

    def _busy(self) -> list[str]:
        """The targets to which as many attempts are under way as may be."""
        if self._per_target is None:
            return []
        return [target for target, attempts in self._attempts_to.items() if attempts >= self._per_target]

    def _due(self, now: float) -> list[Delivery]:
        room = self._concurrency - len(self._under_way)
        if room <= 0:
            return []
        rows = self._store.reader.all(
            "SELECT id, target, payload, lane, attempts, created FROM outbox"
            " WHERE lane IS NULL AND due <= ? AND target NOT IN (SELECT value FROM json_each(?))"
            " AND id NOT IN (SELECT value FROM json_each(?)) ORDER BY due, id LIMIT ?",
            (now, _json(self._busy()), _json(list(self._under_way)), room),
        )
        rows += self._store.reader.all(
            "SELECT id, target, payload, lane, attempts, created FROM outbox"
            " WHERE id IN (SELECT min(id) FROM outbox WHERE lane IS NOT NULL GROUP BY lane) AND due <= ?",
            (now,),
        )
        fresh = [row for row in rows if row[0] not in self._under_way]
        return [Delivery(r[0], r[1], orjson.loads(r[2]), r[3], r[4], r[5]) for r in fresh[:room]]

    def _until_next(self, now: float) -> float | None:
        """Seconds until a row that waits for its time is due; None if none does (a signal comes with a new one)."""
        if len(self._under_way) >= self._concurrency:
            return None
        row = self._store.reader.one("SELECT min(due) FROM outbox WHERE due > ?", (now,))
        return None if row is None or row[0] is None else max(row[0] - now, 0.001)

    async def _attempt(self, delivery: Delivery) -> None:
        try:
            await self._record(delivery, await self._outcome(delivery))
        except Exception:  # noqa: BLE001 - a boundary: without a record of it, the delivery happens again
            _log.exception("a delivery could not be recorded", extra={"target": delivery.target})
            # It holds its place meanwhile, so that it does not happen again at once.
            await asyncio.wait((self._stopping,), timeout=_TROUBLE_PAUSE)
        finally:
            self._under_way.pop(delivery.id, None)
            self._attempts_to[delivery.target] -= 1
            if not self._attempts_to[delivery.target]:
                del self._attempts_to[delivery.target]
            self._wake.set()

    async def _outcome(self, delivery: Delivery) -> Completion | Retry | None:
        try:
            return await self._deliver(delivery)
        except Retry as retry:
            return retry
        except Exception:  # noqa: BLE001 - a boundary: logged, and tried again
            pause = min(2.0 ** min(delivery.attempts, 10), _LONGEST_PAUSE) * random.uniform(0.5, 1.0)
            _log.exception("delivery failed", extra={"target": delivery.target, "again_in": round(pause, 1)})
            return Retry(pause)

    async def _record(self, delivery: Delivery, outcome: Completion | Retry | None) -> None:
        if isinstance(outcome, Retry):
            await self._postpone(delivery, outcome.after)
        else:
            await self._store.write(lambda tx: _finish(tx, delivery.id, outcome))

    async def _postpone(self, delivery: Delivery, seconds: float) -> None:
        due = self._clock.now() + seconds
        await self._store.write(
            lambda tx: tx.execute("UPDATE outbox SET attempts = attempts + 1, due = ? WHERE id = ?", (due, delivery.id))
        )


def _json(values: list[Any]) -> str:
    return orjson.dumps(values).decode()


def _finish(tx: Transaction, id_: int, completion: Completion | None) -> None:
    tx.execute("DELETE FROM outbox WHERE id = ?", (id_,))
    if completion is not None:
        completion(tx)
