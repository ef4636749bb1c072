"""What goes on behind the operations: items expire, indexes are filled, deleted tables' rows go, streams are trimmed.

Each task sleeps until the next thing is due or until it is woken, and works in short writes.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress

import orjson

from cloudlet.core.clock import Clock
from cloudlet.core.errors import AwsError
from cloudlet.services.dynamodb import streams, tables
from cloudlet.services.dynamodb.items import Items, Origin
from cloudlet.services.dynamodb.keys import Key
from cloudlet.services.dynamodb.tables import EXPIRY_BYTES, Catalogue, ExpiryIndex, Index, Table
from cloudlet.store import Store, Transaction

_log = logging.getLogger(__name__)

_AT_ONCE = 200
# A time to live that is further back than this is taken for a mistake, as AWS does.
_OLDEST_EXPIRY = 5 * 365 * 86400
_EXPIRED = Origin(0.0, {"PrincipalId": "dynamodb.amazonaws.com", "Type": "Service"})
_LONGEST_SLEEP = 3600.0
_AFTER_TROUBLE = 60.0


class Background:
    def __init__(self, store: Store, catalogue: Catalogue, items: Items, clock: Clock) -> None:
        self._store = store
        self._catalogue = catalogue
        self._items = items
        self._clock = clock
        self._tasks: list[asyncio.Task[None]] = []
        self.expiry_wake = asyncio.Event()
        self.rebuild_wake = asyncio.Event()

    def start(self) -> None:
        self.rebuild_wake.set()
        trimming_wake = asyncio.Event()
        self._tasks = [
            asyncio.create_task(self._repeat(self.expire, self.expiry_wake), name="dynamodb-expiry"),
            asyncio.create_task(self._repeat(self.rebuild, self.rebuild_wake), name="dynamodb-rebuild"),
            asyncio.create_task(self._repeat(self.trim, trimming_wake), name="dynamodb-trim"),
        ]

    async def stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        for task in self._tasks:
            with suppress(asyncio.CancelledError):
                await task

    async def expire(self) -> float | None:
        """Deletes the items whose time has come; returns the seconds until the next one's."""
        next_due: list[float] = []
        for table in self._catalogue.all():
            if table.expiry is None:
                continue
            while await self._store.write(lambda tx, t=table: self._expire_some(tx, t), long=True) == _AT_ONCE:
                pass
            due = self._next_expiry(table.expiry)
            if due is not None:
                next_due.append(due)
        return max(min(next_due) - self._clock.now(), 0.0) + 0.001 if next_due else None

    async def rebuild(self) -> None:
        """Fills new indexes and frees what deleted tables and indexes had."""
        for (index_id,) in self._store.reader.all("SELECT id FROM index_ WHERE backfilling = 1"):
            while await self._store.write(lambda tx, i=index_id: self._backfill_some(tx, i), long=True):
                pass
        for kind, id_ in self._store.reader.all("SELECT kind, id FROM purge"):
            while await self._store.write(lambda tx, k=kind, i=id_: _purge_some(tx, k, i), long=True):
                pass

    async def trim(self) -> float:
        """Removes stream records that are past their day; returns the seconds until the next ones are."""
        now = self._clock.now()
        while await self._store.write(lambda tx: streams.trim(tx, now, _AT_ONCE), long=True) == _AT_ONCE:
            pass
        row = self._store.reader.one("SELECT created FROM stream_record ORDER BY sequence LIMIT 1")
        return _LONGEST_SLEEP if row is None else max(row[0] + streams.RETENTION - now, 1.0)

    async def _repeat(self, work: Callable[[], Awaitable[float | None]], wake: asyncio.Event) -> None:
        while True:
            wake.clear()
            pause: float | None = _AFTER_TROUBLE
            try:
                pause = await work()
            except Exception:  # noqa: BLE001 - a boundary: logged, and tried again later
                _log.exception("background work failed", extra={"work": work.__name__})
            with suppress(TimeoutError):
                async with asyncio.timeout(None if pause is None else min(pause, _LONGEST_SLEEP)):
                    await wake.wait()

    def _next_expiry(self, index: ExpiryIndex) -> float | None:
        row = self._store.reader.one(
            "SELECT pk FROM index_entry WHERE index_id = ? AND pk > ? ORDER BY pk LIMIT 1",
            (index.id, _moment(self._clock.now())),
        )
        return float(int.from_bytes(row[0], "big")) if row is not None else None

    def _expire_some(self, tx: Transaction, seen: Table) -> int:
        """Returns how many entries it looked at; the table is read anew, it may have changed."""
        table = tables.load_by_id(tx, seen.id)
        if table is None or table.expiry is None:
            return 0
        now = self._clock.now()
        rows = tx.all(
            "SELECT item_pk, item_sk FROM index_entry WHERE index_id = ? AND pk BETWEEN ? AND ? LIMIT ?",
            (table.expiry.id, _moment(now - _OLDEST_EXPIRY), _moment(now), _AT_ONCE),
        )
        origin = Origin(now, _EXPIRED.identity)
        for pk, sk in rows:
            self._items.delete(tx, table, (pk, sk), self._items.read(tx, table, (pk, sk)), origin)
        return len(rows)

    def _backfill_some(self, tx: Transaction, index_id: int) -> bool:
        """Adds the entries of the next items; whether there may be more."""
        row = tx.one("SELECT table_id, position_pk, position_sk FROM index_ WHERE id = ?", (index_id,))
        table = tables.load_by_id(tx, row[0]) if row is not None else None
        index = next((each for each in table.followed if each.id == index_id), None) if table is not None else None
        if row is None or table is None or index is None:
            return False
        found = tx.all(
            "SELECT pk, sk, item FROM item WHERE table_id = ? AND (pk, sk) > (?, ?) ORDER BY pk, sk LIMIT ?",
            (table.id, row[1] or b"", row[2] or b"", _AT_ONCE),
        )
        _add_entries(tx, index, found)
        if len(found) == _AT_ONCE:
            tx.execute("UPDATE index_ SET position_pk = ?, position_sk = ? WHERE id = ?", (*found[-1][:2], index_id))
            return True
        tx.execute("UPDATE index_ SET backfilling = 0 WHERE id = ?", (index_id,))
        document = table.document
        for each in document.get("GlobalSecondaryIndexes", ()):
            if each["Id"] == index_id:
                each["Status"] = "ACTIVE"
        tables.change(tx, self._catalogue, table, document)
        tx.after_commit(self.expiry_wake.set)
        return False


def _add_entries(tx: Transaction, index: Index | ExpiryIndex, rows: list[tuple[bytes, bytes, bytes]]) -> None:
    """Items that the index cannot take are left out, as AWS does."""
    entries: list[tuple[Key | None, bytes, bytes]] = []
    for pk, sk, raw in rows:
        item = orjson.loads(raw)
        with suppress(AwsError):
            index.check(item)
            entries.append((index.key_of(item), pk, sk))
    tx.many(
        "INSERT OR IGNORE INTO index_entry (index_id, pk, sk, item_pk, item_sk) VALUES (?, ?, ?, ?, ?)",
        [(index.id, *key, pk, sk) for key, pk, sk in entries if key is not None],
    )


def _purge_some(tx: Transaction, kind: str, id_: int) -> bool:
    table, column, key = (
        ("item", "table_id", "pk, sk") if kind == "table" else ("index_entry", "index_id", "pk, sk, item_pk, item_sk")
    )
    gone = tx.execute(
        f"DELETE FROM {table} WHERE {column} = ? AND ({key}) IN (SELECT {key} FROM {table} WHERE {column} = ? LIMIT ?)",
        (id_, id_, _AT_ONCE),
    )
    if gone < _AT_ONCE:
        tx.execute("DELETE FROM purge WHERE kind = ? AND id = ?", (kind, id_))
    return gone == _AT_ONCE


def _moment(seconds: float) -> bytes:
    return max(int(seconds), 0).to_bytes(EXPIRY_BYTES, "big")
