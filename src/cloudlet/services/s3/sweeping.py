"""Lifecycle rules carried out: at start, at every midnight UTC, and when rules have changed."""

import asyncio
import logging
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import orjson

from cloudlet.core.context import Call, Principal
from cloudlet.core.ids import request_id
from cloudlet.services.s3.base import LIFECYCLE_CHANGED
from cloudlet.services.s3.buckets import Bucket
from cloudlet.services.s3.lifecycle import DAY, Rule, applies, due, expires
from cloudlet.services.s3.multipart import MultipartOperations
from cloudlet.services.s3.objects import live_object, object_version, put_delete_marker, remove_version
from cloudlet.services.s3.occurrences import Occurrence
from cloudlet.store import Reader, Transaction

_log = logging.getLogger(__name__)
_BATCH = 500


@dataclass(frozen=True, slots=True)
class Expired:
    """A version whose time is over. `live` is ended by a delete marker where there is versioning."""

    key: str
    id: int
    version: str
    live: bool


class LifecycleSweeping(MultipartOperations):
    _sweeper: asyncio.Task[None] | None = None

    async def recover(self) -> None:
        await super().recover()
        self._sweeper = asyncio.create_task(self._sweep_for_ever(), name="s3-lifecycle")

    async def stop(self) -> None:
        if self._sweeper is not None:
            self._sweeper.cancel()
            with suppress(asyncio.CancelledError):
                await self._sweeper
        await super().stop()

    async def _sweep_for_ever(self) -> None:
        with self.cloud.signals.listen(LIFECYCLE_CHANGED) as listener:
            while True:
                now = self.cloud.clock.now()
                try:
                    await self.sweep(now)
                except Exception:  # noqa: BLE001 - a boundary: logged, and tried again at the next time
                    _log.exception("lifecycle rules could not be carried out")
                await listener.wait(DAY - now % DAY)

    async def sweep(self, now: float) -> None:
        """Ends what is over at that time."""
        for bucket in list(self.buckets.all()):
            rules: list[Rule] = [r for r in bucket.settings.get("lifecycle", ()) if r["Status"] == "Enabled"]
            if not rules:
                continue
            expired = await self.store.query(lambda reader, b=bucket, r=rules: list(_expired(reader, b, r, now)))
            for start in range(0, len(expired), _BATCH):
                batch = expired[start : start + _BATCH]
                await self.store.write(lambda tx, b=bucket, e=batch: self._end(tx, b, e, now))
            uploads = await self.store.query(lambda reader, b=bucket, r=rules: list(_stale_uploads(reader, b, r, now)))
            for upload in uploads:
                await self.store.write(lambda tx, u=upload: self.abort(tx, u))

    def _end(self, tx: Transaction, bucket: Bucket, expired: list[Expired], now: float) -> None:
        call = _call(bucket, now)
        for found in expired:
            if found.live and bucket.versioning:
                current = live_object(tx, bucket, found.key)
                if current is None or current.id != found.id:
                    continue
                marker = put_delete_marker(tx, bucket, found.key, bucket.account, now)
                self._forget(tx, marker.freed)
                self._tell(tx, call, bucket, "DeleteMarkerCreated", found.key, marker.id, marker.version, now)
                continue
            version = object_version(tx, bucket, found.key, found.version)
            if version is None or version.id != found.id:
                continue
            self._forget(tx, remove_version(tx, bucket, version))
            named = found.version if bucket.versioning else None
            self._tell(tx, call, bucket, "Delete", found.key, found.id, named, now)

    def _tell(
        self,
        tx: Transaction,
        call: Call,
        bucket: Bucket,
        what: str,
        key: str,
        id_: int,
        version: str | None,
        now: float,
    ) -> None:
        self.notifier.put(tx, call, bucket, Occurrence(f"LifecycleExpiration:{what}", key, id_, now, version=version))

    def _forget(self, tx: Transaction, freed: list[str]) -> None:
        if freed:
            tx.after_commit(lambda: self.bodies.delete(freed))


def _call(bucket: Bucket, now: float) -> Call:
    principal = Principal.service("s3.amazonaws.com", bucket.account)
    return Call("s3", "DeleteObject", bucket.account, bucket.region, principal, request_id(), now)


def _expired(reader: Reader, bucket: Bucket, rules: list[Rule], now: float) -> Iterable[Expired]:
    columns = "key, id, version, delete_marker, modified, size, tags"
    for row in reader.rows(f"SELECT {columns} FROM objects WHERE bucket = ? AND live = 1", (bucket.id,)):
        key, id_, version, _, modified, size, tags = row
        if any(_is_over(expires(rule, modified), now) for rule in _applying(rules, key, size, tags)):
            yield Expired(key, id_, version, live=True)
    if bucket.versioning:
        yield from _expired_others(reader, bucket, rules, now)


def _expired_others(reader: Reader, bucket: Bucket, rules: list[Rule], now: float) -> Iterable[Expired]:
    """Noncurrent versions, counted from when they were replaced, and delete markers that hide nothing any more."""
    rows = reader.rows(
        "SELECT key, id, version, delete_marker, modified, size, tags FROM objects WHERE bucket = ? AND live = 0"
        " ORDER BY key, id DESC",
        (bucket.id,),
    )
    key, since, newer = "", 0.0, 0
    first: tuple[Any, ...] | None = None
    for row in rows:
        if row[0] != key:
            if first is not None and newer == 0:
                yield from _lonely_marker(first, rules)
            key, newer = row[0], 0
            live = live_object(reader, bucket, key)
            first = row if live is None and row[3] else None
            since = live.modified if live is not None else 0.0
            if live is None:
                since = row[4]
                continue
        if any(_ends_noncurrent(rule, since, newer, now) for rule in _applying(rules, key, row[5], row[6])):
            yield Expired(key, row[1], row[2], live=False)
        newer += 1
        since = row[4]
    if first is not None and newer == 0:
        yield from _lonely_marker(first, rules)


def _lonely_marker(row: tuple[Any, ...], rules: list[Rule]) -> Iterable[Expired]:
    for rule in _applying(rules, row[0], 0, None):
        if (rule.get("Expiration") or {}).get("ExpiredObjectDeleteMarker"):
            yield Expired(row[0], row[1], row[2], live=False)
            return


def _ends_noncurrent(rule: Rule, since: float, newer: int, now: float) -> bool:
    expiration = rule.get("NoncurrentVersionExpiration")
    if expiration is None or newer < expiration.get("NewerNoncurrentVersions", 0):
        return False
    return due(since, expiration["NoncurrentDays"]) <= now


def _stale_uploads(reader: Reader, bucket: Bucket, rules: list[Rule], now: float) -> Iterable[int]:
    for key, id_, initiated in reader.rows("SELECT key, id, initiated FROM uploads WHERE bucket = ?", (bucket.id,)):
        for rule in _applying(rules, key, 0, None):
            abort = rule.get("AbortIncompleteMultipartUpload")
            if abort is not None and due(initiated, abort["DaysAfterInitiation"]) <= now:
                yield id_
                break


def _applying(rules: list[Rule], key: str, size: int, tags: bytes | None) -> Iterable[Rule]:
    named: dict[str, str] = orjson.loads(tags) if tags else {}
    return (rule for rule in rules if applies(rule, key, size, named))


def _is_over(when: float | None, now: float) -> bool:
    return when is not None and when <= now
