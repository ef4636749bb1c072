"""Items on disk: read by key, and written together with all that follows: index entries, stream records."""

from collections.abc import Callable
from dataclasses import dataclass

import orjson

from cloudlet.services.dynamodb import streams
from cloudlet.services.dynamodb.keys import Key
from cloudlet.services.dynamodb.tables import Table
from cloudlet.services.dynamodb.values import Stored
from cloudlet.store import Reader, Transaction

READ_WITH_SIZE = "SELECT item, size FROM item WHERE table_id = ? AND pk = ? AND sk = ?"
_WRITE = (
    "INSERT INTO item (table_id, pk, sk, item, size) VALUES (?, ?, ?, ?, ?)"
    " ON CONFLICT DO UPDATE SET item = excluded.item, size = excluded.size"
)
# Nothing is written, and no row changed, if the table is not what it was when it was looked up.
WRITE_IF_FRESH = (
    "INSERT INTO item (table_id, pk, sk, item, size) SELECT id, ?, ?, ?, ? FROM table_ WHERE id = ? AND version = ?"
    " ON CONFLICT DO UPDATE SET item = excluded.item, size = excluded.size"
)
_DELETE = "DELETE FROM item WHERE table_id = ? AND pk = ? AND sk = ?"
_INSERT_ENTRY = "INSERT OR IGNORE INTO index_entry (index_id, pk, sk, item_pk, item_sk) VALUES (?, ?, ?, ?, ?)"
_DELETE_ENTRY = "DELETE FROM index_entry WHERE index_id = ? AND pk = ? AND sk = ? AND item_pk = ? AND item_sk = ?"


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a change comes from: when (epoch seconds), and the service's identity if the user did not make it."""

    time: float
    identity: dict[str, str] | None = None


class Items:
    """The one way to change items. `notify` is called with the topics of streams that got records, after the commit,
    `expiring` when an item was written that has a time to live."""

    def __init__(self, notify: Callable[[str], None], expiring: Callable[[], None]) -> None:
        self._notify = notify
        self._expiring = expiring

    def read(self, reader: Reader, table: Table, key: Key) -> Stored | None:
        row = reader.one(READ_WITH_SIZE, (table.id, *key))
        return None if row is None else Stored(orjson.loads(row[0]), row[0], row[1])

    def put(self, tx: Transaction, table: Table, key: Key, old: Stored | None, new: Stored, origin: Origin) -> None:
        if old is not None and old.item == new.item:
            return
        tx.execute(_WRITE, (table.id, *key, new.raw, new.size))
        if not table.is_plain:
            self._follow(tx, table, key, old, new, origin)

    def delete(self, tx: Transaction, table: Table, key: Key, old: Stored | None, origin: Origin) -> None:
        if old is None:
            return
        tx.execute(_DELETE, (table.id, *key))
        if not table.is_plain:
            self._follow(tx, table, key, old, None, origin)

    def _follow(
        self, tx: Transaction, table: Table, key: Key, old: Stored | None, new: Stored | None, origin: Origin
    ) -> None:
        for index in table.followed:
            before = index.key_of(old.item) if old is not None else None
            after = index.key_of(new.item) if new is not None else None
            if before == after:
                continue
            if before is not None:
                tx.execute(_DELETE_ENTRY, (index.id, *before, *key))
            if after is not None:
                tx.execute(_INSERT_ENTRY, (index.id, *after, *key))
                if index is table.expiry:
                    tx.after_commit(self._expiring)
        if table.stream is not None:
            streams.record(tx, table.stream, table, origin.time, origin.identity, old=old, new=new)
            topic = streams.topic(table.stream.arn)
            tx.after_commit(lambda: self._notify(topic))
