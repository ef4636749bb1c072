"""Pages of a query or scan: rows of a table or index in key order, up to a limit or 1 MiB, from a key on."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import orjson

from cloudlet.services.dynamodb.capacity import projected
from cloudlet.services.dynamodb.expressions.conditions import BoundCondition
from cloudlet.services.dynamodb.expressions.projections import Projection
from cloudlet.services.dynamodb.keys import Key
from cloudlet.services.dynamodb.tables import Index, Table
from cloudlet.services.dynamodb.values import Item, item_size
from cloudlet.store import Reader

LARGEST_PAGE = 1 << 20

# The position of a row: its key in the table, or (in an index) its key there and then that in the table.
Position = tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Range:
    """Rows of one partition (a query) or of all from `low` up to `high` (a segment of a scan), after a position."""

    partition: bytes | None
    low: bytes
    high: bytes | None
    after: Position | None = None
    backwards: bool = False


@dataclass(frozen=True, slots=True)
class Shape:
    """What of a row is answered: the index's attributes, the filter, the projection, or only the count.

    `raw` items may be handed on as the JSON text that they are.
    """

    filter: BoundCondition | None = None
    projection: Projection | None = None
    counts_only: bool = False
    whole: bool = False
    raw: bool = False


@dataclass(slots=True)
class Page:
    items: list[Any]
    count: int
    scanned: int
    size: int
    last: Item | None


def read_page(
    reader: Reader, table: Table, index: Index | None, range_: Range, shape: Shape, limit: int | None
) -> Page:
    """`last` is set if there may be more: the item, or its key at least, that was looked at last."""
    page = Page([], 0, 0, 0, None)
    narrow = index is not None and index.projected is not None and not shape.whole
    verbatim = shape.raw and not narrow and shape.filter is None and shape.projection is None
    last: bytes | None = None
    for raw, size in _rows(reader, table, index, range_):
        if page.scanned == limit or (page.scanned and page.size + size > LARGEST_PAGE):
            assert last is not None
            page.last = orjson.loads(last)
            return page
        last = raw
        page.scanned += 1
        if verbatim:
            page.size += size
            page.count += 1
            if not shape.counts_only:
                page.items.append(orjson.Fragment(raw))
            continue
        item: Item = orjson.loads(raw)
        if narrow:
            assert index is not None
            item = projected(index, item)
            size = item_size(item)
        page.size += size
        if shape.filter is not None and not shape.filter.holds(item):
            continue
        page.count += 1
        if not shape.counts_only:
            page.items.append(item if shape.projection is None else shape.projection.apply(item))
    if page.scanned == limit and last is not None:
        page.last = orjson.loads(last)
    return page


def _rows(reader: Reader, table: Table, index: Index | None, range_: Range) -> Iterator[tuple[bytes, int]]:
    sql, bindings = _table_query(table, range_) if index is None else _index_query(table, index, range_)
    return reader.rows(sql, bindings)  # type: ignore[return-value] - two columns


def _table_query(table: Table, range_: Range) -> tuple[str, list[Any]]:
    where, bindings = _where(range_, "pk", "sk", ("pk", "sk"))
    order = _order(("pk", "sk"), range_.backwards)
    return f"SELECT item, size FROM item WHERE table_id = ?{where} ORDER BY {order}", [table.id, *bindings]


def _index_query(table: Table, index: Index, range_: Range) -> tuple[str, list[Any]]:
    columns = ("e.pk", "e.sk", "e.item_pk", "e.item_sk")
    where, bindings = _where(range_, "e.pk", "e.sk", columns)
    # CROSS JOIN keeps the order of the loops: entries first, each one's item then.
    return (
        "SELECT i.item, i.size FROM index_entry e CROSS JOIN item i"
        " ON i.table_id = ? AND i.pk = e.item_pk AND i.sk = e.item_sk"
        f" WHERE e.index_id = ?{where} ORDER BY {_order(columns, range_.backwards)}",
        [table.id, index.id, *bindings],
    )


def _where(range_: Range, pk: str, sk: str, columns: tuple[str, ...]) -> tuple[str, list[Any]]:
    ranged = pk if range_.partition is None else sk
    where, bindings = "", []
    if range_.partition is not None:
        where += f" AND {pk} = ?"
        bindings.append(range_.partition)
    if range_.low:
        where += f" AND {ranged} >= ?"
        bindings.append(range_.low)
    if range_.high is not None:
        where += f" AND {ranged} < ?"
        bindings.append(range_.high)
    if range_.after is not None:
        names = columns if range_.partition is None else columns[1:]
        after = range_.after if range_.partition is None else range_.after[1:]
        where += f" AND ({', '.join(names)}) {'<' if range_.backwards else '>'} ({', '.join('?' * len(names))})"
        bindings += after
    return where, bindings


def _order(columns: tuple[str, ...], backwards: bool) -> str:
    return ", ".join(f"{column} DESC" for column in columns) if backwards else ", ".join(columns)


def position_of(table: Table, index: Index | None, item: Item, key: Key) -> Position:
    """Where an item with this key stands."""
    if index is None:
        return key
    entry = index.key_of(item)
    assert entry is not None
    return (*entry, *key)
