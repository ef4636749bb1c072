"""Frees the space of messages that have outlived their queue's retention period.

Nobody sees them any more from the moment on at which they expire; here their rows go.
"""

import asyncio
import logging
from contextlib import suppress

from cloudlet.core.clock import Clock
from cloudlet.services.sqs import attempts
from cloudlet.services.sqs.queues import Queue, Queues
from cloudlet.services.sqs.sending import DEDUPLICATION_MILLISECONDS
from cloudlet.store import Store, Transaction

_log = logging.getLogger(__name__)
# No retention period is shorter, so what comes later cannot expire sooner.
_SHORTEST_SECONDS = 60.0
_AT_ONCE = 1000


class Retention:
    """Deletes expired rows, and sleeps until the next are due."""

    def __init__(self, store: Store, queues: Queues, clock: Clock) -> None:
        self._store = store
        self._queues = queues
        self._clock = clock
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._task = asyncio.create_task(self._run(), name="sqs-retention")

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task

    async def expire(self) -> int:
        """Deletes what has expired by now; returns how many messages."""
        now = int(self._clock.now() * 1000)
        deleted = 0
        for queue in self._queues.all():
            oldest_kept = now - queue.retention * 1000
            while self._has_expired(queue, oldest_kept):
                deleted += await self._store.write(
                    lambda tx, q=queue, kept=oldest_kept: _delete(tx, q, kept), long=True
                )
        forgotten = now - DEDUPLICATION_MILLISECONDS
        if self._store.reader.one("SELECT 1 FROM deduplication WHERE sent <= ? LIMIT 1", (forgotten,)) is not None:
            await self._store.write(lambda tx: tx.execute("DELETE FROM deduplication WHERE sent <= ?", (forgotten,)))
        attempted = now - attempts.MILLISECONDS
        if self._store.reader.one("SELECT 1 FROM receive_attempt WHERE time <= ? LIMIT 1", (attempted,)) is not None:
            await self._store.write(lambda tx: attempts.forget(tx, now))
        return deleted

    async def _run(self) -> None:
        while True:
            pause = _SHORTEST_SECONDS
            try:
                deleted = await self.expire()
                if deleted:
                    _log.info("expired messages deleted", extra={"count": deleted})
                pause = max(self._until_next(), pause)
            except Exception:  # noqa: BLE001 - a boundary: logged, and tried again
                _log.exception("expired messages could not be deleted")
            await asyncio.sleep(pause)

    def _until_next(self) -> float:
        """Seconds until the oldest message of all queues expires."""
        due: list[float] = []
        for queue in self._queues.all():
            row = self._store.reader.one("SELECT min(sent) FROM message WHERE queue = ?", (queue.id,))
            if row is not None and row[0] is not None:
                due.append(row[0] / 1000 + queue.retention)
        return min(due) - self._clock.now() if due else _SHORTEST_SECONDS

    def _has_expired(self, queue: Queue, oldest_kept: int) -> bool:
        sql = "SELECT 1 FROM message WHERE queue = ? AND sent <= ? LIMIT 1"
        return self._store.reader.one(sql, (queue.id, oldest_kept)) is not None


def _delete(tx: Transaction, queue: Queue, oldest_kept: int) -> int:
    return tx.execute(
        "DELETE FROM message WHERE id IN (SELECT id FROM message WHERE queue = ? AND sent <= ? LIMIT ?)",
        (queue.id, oldest_kept, _AT_ONCE),
    )
