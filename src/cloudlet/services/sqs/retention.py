"""Frees the space of messages that have outlived their queue's retention period."""

from cloudlet.core.clock import Clock
from cloudlet.services.sqs import attempts
from cloudlet.services.sqs.queues import Queue, Queues
from cloudlet.services.sqs.sending import DEDUPLICATION_MILLISECONDS
from cloudlet.store import Expiry, Store, Transaction

_AT_ONCE = 1000


class Retention:
    """Deletes expired rows when they are due."""

    def __init__(self, store: Store, queues: Queues, clock: Clock) -> None:
        self._store = store
        self._queues = queues
        self._clock = clock
        self._expiry = Expiry("messages", self.expire, self._until_next)

    def start(self) -> None:
        self._expiry.start()

    async def stop(self) -> None:
        await self._expiry.stop()

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

    def _until_next(self) -> float | None:
        """Seconds until the oldest message of all queues expires."""
        due: list[float] = []
        for queue in self._queues.all():
            row = self._store.reader.one("SELECT min(sent) FROM message WHERE queue = ?", (queue.id,))
            if row is not None and row[0] is not None:
                due.append(row[0] / 1000 + queue.retention)
        return min(due) - self._clock.now() if due else None

    def _has_expired(self, queue: Queue, oldest_kept: int) -> bool:
        sql = "SELECT 1 FROM message WHERE queue = ? AND sent <= ? LIMIT 1"
        return self._store.reader.one(sql, (queue.id, oldest_kept)) is not None


def _delete(tx: Transaction, queue: Queue, oldest_kept: int) -> int:
    return tx.execute(
        "DELETE FROM message WHERE id IN (SELECT id FROM message WHERE queue = ? AND sent <= ? LIMIT ?)",
        (queue.id, oldest_kept, _AT_ONCE),
    )
