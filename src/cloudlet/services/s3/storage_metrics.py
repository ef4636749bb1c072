"""What buckets hold, measured once a day under AWS/S3: their bytes by storage class, and how many objects.

The time of the measurement is the day's start, as on AWS. A bucket that is filled for the first time on a day is
measured within a minute, so that there is something to see of it.
"""

import asyncio
import logging
from collections import defaultdict
from collections.abc import Iterable

import apsw

from cloudlet.core.clock import Clock
from cloudlet.core.metrics import Metrics
from cloudlet.services.s3.buckets import Bucket, Buckets
from cloudlet.services.s3.lifecycle import DAY
from cloudlet.store import Reader, Store, Transaction

_log = logging.getLogger(__name__)
_NAMESPACE = "AWS/S3"
_ALL_TYPES = "AllStorageTypes"
# By storage class: what AWS calls their share of a bucket.
_STORAGE_TYPES = {
    "STANDARD": "StandardStorage",
    "STANDARD_IA": "StandardIAStorage",
    "ONEZONE_IA": "OneZoneIAStorage",
    "REDUCED_REDUNDANCY": "ReducedRedundancyStorage",
    "INTELLIGENT_TIERING": "IntelligentTieringFAStorage",
    "GLACIER_IR": "GlacierInstantRetrievalStorage",
}


class StorageMetrics:
    def __init__(self, metrics: Metrics, clock: Clock, buckets: Buckets, store: Store) -> None:
        self._metrics = metrics
        self._clock = clock
        self._buckets = buckets
        self._store = store
        self._measured: dict[int, int] = dict(store.reader.rows("SELECT bucket, day FROM storage_measured"))
        self._measuring: asyncio.Task[None] | None = None
        metrics.add_gauge(lambda _: self.measure_soon())

    def measure_soon(self) -> None:
        """Measures the buckets that were not yet today."""
        if self._measuring is None or self._measuring.done():
            due = self._due(int(self._clock.now() // DAY))
            if due:
                self._measuring = asyncio.create_task(self._measure_all(due), name="s3-storage-metrics")

    async def stop(self) -> None:
        if self._measuring is not None:
            await self._measuring

    def _due(self, day: int) -> list[Bucket]:
        buckets = list(self._buckets.all())
        there = {bucket.id for bucket in buckets}
        self._measured = {id_: measured for id_, measured in self._measured.items() if id_ in there}
        return [bucket for bucket in buckets if self._measured.get(bucket.id, -1) < day]

    async def _measure_all(self, buckets: Iterable[Bucket]) -> None:
        try:
            for bucket in buckets:
                await self._measure(bucket)
        except apsw.Error:
            _log.exception("what buckets hold could not be measured")

    async def _measure(self, bucket: Bucket) -> None:
        """Nothing is said of a bucket without objects."""
        day = int(self._clock.now() // DAY)
        sizes, count = await self._store.query(lambda reader: _contents(reader, bucket))
        if not count:
            return
        await self._store.write(lambda tx: _note(tx, bucket, day))
        self._measured[bucket.id] = day
        for storage_type, size in sizes.items():
            self._record(bucket, "BucketSizeBytes", storage_type, float(size), "Bytes", day)
        self._record(bucket, "NumberOfObjects", _ALL_TYPES, float(count), "Count", day)

    def _record(self, bucket: Bucket, name: str, storage_type: str, value: float, unit: str, day: int) -> None:
        dimensions = ((("BucketName", bucket.name), ("StorageType", storage_type)),)
        self._metrics.record((bucket.account, bucket.region), _NAMESPACE, name, dimensions, value, unit, day * DAY)


def _contents(reader: Reader, bucket: Bucket) -> tuple[dict[str, int], int]:
    """Bytes by storage type, and the number of all versions, delete markers and parts of unfinished uploads."""
    sizes: dict[str, int] = defaultdict(int)
    count = 0
    for live in (1, 0):  # each has an index of its own
        for storage_class, size, objects in reader.rows(
            "SELECT json_extract(CAST(headers AS TEXT), '$.StorageClass') AS class, sum(size), count(*) FROM objects"
            f" WHERE bucket = ? AND live = {live} GROUP BY class",
            (bucket.id,),
        ):
            sizes[_STORAGE_TYPES.get(storage_class or "STANDARD", "StandardStorage")] += size
            count += objects
    row = reader.one(
        "SELECT coalesce(sum(size), 0), count(*) FROM parts WHERE upload IN (SELECT id FROM uploads WHERE bucket = ?)",
        (bucket.id,),
    )
    if row is not None and row[1]:
        sizes["StandardStorage"] += row[0]
        count += row[1]
    return sizes, count


def _note(tx: Transaction, bucket: Bucket, day: int) -> None:
    """Unless the bucket is gone meanwhile."""
    tx.execute(
        "INSERT OR REPLACE INTO storage_measured (bucket, day) SELECT id, ? FROM buckets WHERE id = ?",
        (day, bucket.id),
    )
