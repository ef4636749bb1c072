"""Frees the space of log events that have outlived their log group's retention."""

from cloudlet.core.clock import Clock
from cloudlet.store import Expiry, Store, Transaction

_DAY = 86_400_000
_AT_ONCE = 5000


class Retention:
    """Deletes expired events when they are due."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._expiry = Expiry("log events", self.expire, self._until_next)

    def start(self) -> None:
        self._expiry.start()

    async def stop(self) -> None:
        await self._expiry.stop()

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

    def _until_next(self) -> float | None:
        """Seconds until the oldest event of all groups expires."""
        due = [oldest + days * _DAY for group, days in self._groups() if (oldest := self._oldest(group)) is not None]
        return min(due) / 1000 - self._clock.now() if due else None

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
