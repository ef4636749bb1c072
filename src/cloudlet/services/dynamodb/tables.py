"""Tables as the operations see them, and the catalogue that keeps them in memory as they are on disk."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import orjson

from cloudlet.core.arn import Arn
from cloudlet.services.dynamodb.errors import StaleTable, named_table_not_found
from cloudlet.services.dynamodb.keys import Key, KeySchema, check_index_key, index_key
from cloudlet.services.dynamodb.values import Item
from cloudlet.store import Reader, Transaction

Document = dict[str, Any]
EXPIRY_BYTES = 8
_COLUMNS = "id, version, account, region, name, document"


@dataclass(frozen=True, slots=True)
class Index:
    """A secondary index. `projected` are the attributes that it has, None for all; `ready` once it may be read."""

    id: int
    name: str
    kind: Literal["global", "local"]
    keys: KeySchema
    projected: frozenset[str] | None
    ready: bool

    def key_of(self, item: Item) -> Key | None:
        """Where the item stands in the index; None if it does not."""
        return index_key(self.keys, item)

    def check(self, item: Item) -> None:
        """Raises ValidationException for an item that the index cannot take."""
        check_index_key(self.keys, self.name, item)


@dataclass(frozen=True, slots=True)
class ExpiryIndex:
    """Items by their time to live."""

    id: int
    attribute: str

    def key_of(self, item: Item) -> Key | None:
        value = item.get(self.attribute)
        text = value.get("N") if value is not None else None
        if text is None:
            return None
        seconds = int(text.partition(".")[0] or 0)
        if not 0 <= seconds < 1 << 62:
            return None
        return seconds.to_bytes(EXPIRY_BYTES, "big"), b""

    def check(self, item: Item) -> None:
        """An item that has no time to live, or nonsense, never expires."""


@dataclass(frozen=True, slots=True)
class StreamSettings:
    """The stream that a table writes to."""

    id: int
    arn: str
    view_type: str


@dataclass(frozen=True, slots=True)
class Table:
    id: int
    version: int
    account: str
    region: str
    name: str
    keys: KeySchema
    indexes: tuple[Index, ...]
    expiry: ExpiryIndex | None
    stream: StreamSettings | None
    document: Document

    @property
    def arn(self) -> str:
        return table_arn(self.account, self.region, self.name)

    @property
    def followed(self) -> tuple[Index | ExpiryIndex, ...]:
        """All that has to follow a change of an item."""
        return self.indexes if self.expiry is None else (*self.indexes, self.expiry)

    @property
    def has_local_indexes(self) -> bool:
        return any(index.kind == "local" for index in self.indexes)

    def index(self, name: str) -> Index | None:
        return next((index for index in self.indexes if index.name == name), None)

    @property
    def is_plain(self) -> bool:
        """Whether nothing follows from a change of an item."""
        return not self.indexes and self.stream is None and self.expiry is None


def table_arn(account: str, region: str, name: str) -> str:
    return f"arn:aws:dynamodb:{region}:{account}:table/{name}"


def name_in_arn(text: str) -> str | None:
    """The table's name in the ARN of a table or of something of it; None if it is no such ARN."""
    try:
        arn = Arn.parse(text)
    except ValueError:
        return None
    parts = arn.resource.split("/")
    return parts[1] if arn.service == "dynamodb" and parts[0] == "table" and len(parts) > 1 else None


def key_schema(elements: Iterable[Mapping[str, str]], definitions: Iterable[Mapping[str, str]]) -> KeySchema:
    types = {each["AttributeName"]: each["AttributeType"] for each in definitions}
    rows = [(each["AttributeName"], each["KeyType"]) for each in elements]
    return KeySchema(
        tuple(name for name, kind in rows if kind == "HASH"),
        tuple(name for name, kind in rows if kind == "RANGE"),
        {name: types[name] for name, _ in rows},
    )


def _table(row: tuple[Any, ...]) -> Table:
    id_, version, account, region, name, raw = row
    document: Document = orjson.loads(raw)
    definitions = document["AttributeDefinitions"]
    keys = key_schema(document["KeySchema"], definitions)
    indexes = [_index(each, "global", keys, definitions) for each in document.get("GlobalSecondaryIndexes", ())]
    indexes += [_index(each, "local", keys, definitions) for each in document.get("LocalSecondaryIndexes", ())]
    stream, expiry = document.get("Stream"), document.get("TimeToLive")
    return Table(
        id=id_,
        version=version,
        account=account,
        region=region,
        name=name,
        keys=keys,
        indexes=tuple(indexes),
        expiry=ExpiryIndex(expiry["Id"], expiry["AttributeName"]) if expiry else None,
        stream=StreamSettings(stream["Id"], stream["Arn"], stream["ViewType"]) if stream else None,
        document=document,
    )


def _index(
    document: Document, kind: Literal["global", "local"], keys: KeySchema, definitions: Iterable[Mapping[str, str]]
) -> Index:
    own = key_schema(document["KeySchema"], definitions)
    projection = document["Projection"]
    projected = None
    if projection["ProjectionType"] != "ALL":
        projected = frozenset((*keys.names, *own.names, *projection.get("NonKeyAttributes", ())))
    return Index(document["Id"], document["IndexName"], kind, own, projected, document["Status"] == "ACTIVE")


class Catalogue:
    """All tables, as committed. To be used on the event loop. `notify` hears `dynamodb-table:<arn>` at each change."""

    def __init__(self, reader: Reader, notify: Callable[[str], None]) -> None:
        self._notify = notify
        self._tables: dict[tuple[str, str, str], Table] = {}
        for row in reader.all(f"SELECT {_COLUMNS} FROM table_"):
            self.put(_table(row))

    def find(self, account: str, region: str, name: str) -> Table | None:
        return self._tables.get((account, region, name))

    def of(self, account: str, region: str) -> list[Table]:
        """In order of their names."""
        found = [table for (a, r, _), table in self._tables.items() if a == account and r == region]
        return sorted(found, key=lambda table: table.name)

    def all(self) -> list[Table]:
        return list(self._tables.values())

    def put(self, table: Table) -> None:
        self._tables[table.account, table.region, table.name] = table
        self._notify(f"dynamodb-table:{table.arn}")

    def drop(self, table: Table) -> None:
        self._tables.pop((table.account, table.region, table.name), None)
        self._notify(f"dynamodb-table:{table.arn}")


def load(reader: Reader, account: str, region: str, name: str) -> Table:
    """The table as it is inside the transaction. Raises ResourceNotFoundException."""
    table = load_if_there(reader, account, region, name)
    if table is None:
        raise named_table_not_found(name)
    return table


def load_if_there(reader: Reader, account: str, region: str, name: str) -> Table | None:
    row = reader.one(
        f"SELECT {_COLUMNS} FROM table_ WHERE account = ? AND region = ? AND name = ?", (account, region, name)
    )
    return _table(row) if row is not None else None


def load_by_id(reader: Reader, id_: int) -> Table | None:
    row = reader.one(f"SELECT {_COLUMNS} FROM table_ WHERE id = ?", (id_,))
    return _table(row) if row is not None else None


def check_fresh(tx: Transaction, table: Table) -> None:
    """Raises StaleTable if the table has changed since it was looked up."""
    row = tx.one("SELECT version FROM table_ WHERE id = ?", (table.id,))
    if row is None or row[0] != table.version:
        raise StaleTable


def insert(tx: Transaction, catalogue: Catalogue, account: str, region: str, name: str, document: Document) -> Table:
    """Adds a table whose document is complete but for the ids that `complete` sets; see `save`."""
    id_ = tx.insert(
        "INSERT INTO table_ (account, region, name, version, document) VALUES (?, ?, ?, 0, '{}')",
        (account, region, name),
    )
    for each in (*document.get("GlobalSecondaryIndexes", ()), *document.get("LocalSecondaryIndexes", ())):
        each["Id"] = insert_index(tx, id_, each["IndexName"], backfilling=False)
    return save(tx, catalogue, (id_, 0, account, region, name), document)


def insert_index(tx: Transaction, table_id: int, name: str, *, backfilling: bool) -> int:
    return tx.insert(
        "INSERT INTO index_ (table_id, name, backfilling) VALUES (?, ?, ?)", (table_id, name, int(backfilling))
    )


def drop_index(tx: Transaction, id_: int) -> None:
    """The index is gone; its entries follow in the background."""
    tx.execute("DELETE FROM index_ WHERE id = ?", (id_,))
    tx.execute("INSERT INTO purge (kind, id) VALUES ('index', ?)", (id_,))


def change(tx: Transaction, catalogue: Catalogue, table: Table, document: Document) -> Table:
    return save(tx, catalogue, (table.id, table.version, table.account, table.region, table.name), document)


def save(tx: Transaction, catalogue: Catalogue, identity: tuple[int, int, str, str, str], document: Document) -> Table:
    """Writes the document; the catalogue has it once it is on disk."""
    id_, version, account, region, name = identity
    raw = orjson.dumps(document)
    tx.execute("UPDATE table_ SET version = ?, document = ? WHERE id = ?", (version + 1, raw, id_))
    table = _table((id_, version + 1, account, region, name, raw))
    tx.after_commit(lambda: catalogue.put(table))
    return table


def delete(tx: Transaction, catalogue: Catalogue, table: Table) -> None:
    """The table is gone; its items follow in the background."""
    tx.execute("DELETE FROM table_ WHERE id = ?", (table.id,))
    tx.execute("INSERT INTO purge (kind, id) VALUES ('table', ?)", (table.id,))
    for index in table.followed:
        drop_index(tx, index.id)
    tx.after_commit(lambda: catalogue.drop(table))
