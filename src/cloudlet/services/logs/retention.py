"""Frees the space of log events that have outlived their log group's retention.

Nobody sees them any more from the moment on at which they expire; here their rows go.
"""

import asyncio
import logging
from contextlib import suppress

from cloudlet.core.clock import Clock
from cloudlet.store import Store, Transaction

_log = logging.getLogger(__name__)
_DAY = 86_400_000
# What is written or changed meanwhile cannot be due earlier by more than this; CloudWatch Logs takes up to 72 hours.
_SHORTEST_SECONDS = 60.0
_LONGEST_SECONDS = 3600.0
_AT_ONCE = 5000


class Retention:
    """Deletes expired events, and sleeps until the next are due."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._task = asyncio.create_task(self._run(), name="logs-retention")

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task

    async def expire(self) -> int:
        """Deletes what has expired by now; returns how many events."""
        now = int(self._clock.now() * 1000)
        deleted = 0
        for group, days in self._groups():
            oldest_kept = now - days * _DAY
            while self._oldest(group, before=oldest_kept) is not None:
                deleted += await self._store.write(
                    lambda tx, g=group, kept=oldest_kept: _delete(tx, g, kept), long=True
                )
        return deleted

    async def _run(self) -> None:
        while True:
            pause = _SHORTEST_SECONDS
            try:
                deleted = await self.expire()
                if deleted:
                    _log.info("expired log events deleted", extra={"count": deleted})
                pause = min(max(self._until_next(), _SHORTEST_SECONDS), _LONGEST_SECONDS)
            except Exception:  # noqa: BLE001 - a boundary: logged, and tried again
                _log.exception("expired log events could not be deleted")
            await asyncio.sleep(pause)

    def _until_next(self) -> float:
        """Seconds until the oldest event of all groups expires."""
        due = [oldest + days * _DAY for group, days in self._groups() if (oldest := self._oldest(group)) is not None]
        return min(due) / 1000 - self._clock.now() if due else _LONGEST_SECONDS

    def _groups(self) -> list[tuple[int, int]]:
        rows = self._store.reader.all("SELECT id, retention FROM log_group WHERE retention IS NOT NULL")
        return [(row[0], row[1]) for row in rows]

    def _oldest(self, group: int, before: int | None = None) -> int | None:
        row = self._store.reader.one("SELECT min(timestamp) FROM log_event WHERE log_group = ?", (group,))
        oldest: int | None = row[0] if row is not None else None
        return None if oldest is None or (before is not None and oldest >= before) else oldest


def _delete(tx: Transaction, group: int, oldest_kept: int) -> int:
    expired = "SELECT id FROM log_event WHERE log_group = ? AND timestamp < ? ORDER BY timestamp LIMIT ?"
    bindings = (group, oldest_kept, _AT_ONCE)
    row = tx.one(f"SELECT sum(length(CAST(message AS BLOB)) + 26) FROM log_event WHERE id IN ({expired})", bindings)
    size = row[0] if row is not None and row[0] is not None else 0
    tx.execute("UPDATE log_group SET stored_bytes = max(0, stored_bytes - ?) WHERE id = ?", (size, group))
    return tx.execute(f"DELETE FROM log_event WHERE id IN ({expired})", bindings)
