"""How long data is kept: short periods become part of longer ones, the longest go after 455 days."""

from cloudlet.core.clock import Clock
from cloudlet.core.metrics import Samples
from cloudlet.services.cloudwatch.datapoints import DAY, KEPT, LONGER, expired, merge_row, oldest_times, put_samples
from cloudlet.store import Expiry, Store, Transaction

_BATCH = 500
_HISTORY_DAYS = 30


class Retention:
    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._expiry = Expiry("metric data", self._expire, self._until_next)

    def start(self) -> None:
        self._expiry.start()

    async def stop(self) -> None:
        await self._expiry.stop()

    async def _expire(self) -> int:
        now = self._clock.now()
        moved = 0
        for resolution in KEPT:
            while batch := await self._store.write(lambda tx, r=resolution: _roll_up(tx, r, now), long=True):
                moved += batch
        await self._store.write(lambda tx: _forget(tx, now), long=True)
        return moved

    def _until_next(self) -> float | None:
        now = self._clock.now()
        due = [time + KEPT[resolution] - now for resolution, time in oldest_times(self._store.reader)]
        return min(due, default=None)


def _roll_up(tx: Transaction, resolution: int, now: float) -> int:
    """Moves the oldest data points into longer ones; returns how many there were."""
    rows = expired(tx, resolution, now - KEPT[resolution], _BATCH)
    for metric, time, unit, *columns in rows:
        if resolution in LONGER:
            samples = Samples()
            merge_row(samples, tuple(columns))
            longer = LONGER[resolution]
            put_samples(tx, metric, time // longer * longer, longer, unit, samples)
        tx.execute(
            "DELETE FROM datapoint WHERE metric = ? AND time = ? AND resolution = ? AND unit = ?",
            (metric, time, resolution, unit),
        )
    return len(rows)


def _forget(tx: Transaction, now: float) -> None:
    """Metrics without data, and what alarms did a month ago."""
    tx.execute("DELETE FROM metric WHERE last_time < ?", (now - KEPT[3600],))
    tx.execute("DELETE FROM alarm_history WHERE time < ?", (now - _HISTORY_DAYS * DAY,))
