"""Reads a file of orders, CSV or JSON: good orders, and for everything else where it stands and why it is refused.

An order is taken as a whole or not at all, so one bad line refuses the order that it belongs to, and no other.
"""

import csv
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

COLUMNS = ("order", "store", "item", "count")
# An order is reserved in one transaction, of at most a hundred writes: its items, and the order itself.
MOST_ITEMS = 99
LONGEST_ORDER = 100
LONGEST_STORE = 100
LONGEST_ITEM = 200
LONGEST_CUSTOMER = 200

_WHOLE_NUMBER = re.compile(r"-?[0-9]+")
_LARGEST_COUNT = 999_999_999


@dataclass(frozen=True, slots=True)
class Order:
    """`items` says how many pieces are wanted of each item, an item once; `line` is where the order begins."""

    line: int
    order: str
    store: str
    items: tuple[tuple[str, int], ...]
    customer: str = ""


@dataclass(frozen=True, slots=True)
class Refused:
    """A line (of JSON: an order, counted from 1) that is not taken, why not, and the beginning of its text."""

    line: int
    reason: str
    text: str


class _Bad(Exception):
    """Its message tells the shop what to correct."""


def read_orders(name: str, content: bytes) -> list[Order | Refused]:
    """What a file says, in its order. The end of its name tells CSV from JSON."""
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return [Refused(1, "the file is not UTF-8 text", "")]
    if not text.strip():
        return [Refused(1, "the file is empty", "")]
    if name.lower().endswith(".csv"):
        return _read_csv(text)
    if name.lower().endswith(".json"):
        return _read_json(text)
    return [Refused(1, "the file's name must end in .csv or .json", "")]


# ── CSV: a line is an item of an order ──────────────────────────────────────────────────────────────────────────────


@dataclass(slots=True)
class _Gathered:
    """The lines of one order, which need not stand together."""

    line: int
    store: str
    customer: str = ""
    items: list[tuple[str, int]] = field(default_factory=list)
    bad: Refused | None = None


def _read_csv(text: str) -> list[Order | Refused]:
    lines = _numbered_lines(text)
    number, header = next(lines)
    delimiter = ";" if header.count(";") > header.count(",") else ","
    try:
        columns = _columns(_fields(header, delimiter))
    except _Bad as error:
        return [Refused(number, str(error), header[:200])]
    gathered: dict[str, _Gathered] = {}
    nobodys: list[Order | Refused] = []
    for number, line in lines:
        try:
            fields = _fields(line, delimiter)
            order = _name("order", _field(fields, columns, "order"), LONGEST_ORDER)
        except _Bad as error:
            nobodys.append(Refused(number, str(error), line[:200]))
            continue
        found = gathered.setdefault(order, _Gathered(number, _field(fields, columns, "store")))
        try:
            _gather(found, fields, columns)
        except _Bad as error:
            found.bad = found.bad or Refused(number, f"order {order}: {error}", line[:200])
    orders = [found.bad or _order(found, order) for order, found in gathered.items()]
    return sorted([*nobodys, *orders], key=lambda entry: entry.line)


def _numbered_lines(text: str) -> Iterator[tuple[int, str]]:
    for number, line in enumerate(re.split(r"\r\n|\n|\r", text), start=1):
        if line.strip():
            yield number, line


def _fields(line: str, delimiter: str) -> list[str]:
    try:
        return next(csv.reader([line], delimiter=delimiter, skipinitialspace=True, strict=True))
    except csv.Error as error:
        raise _Bad(f"the quotes are wrong ({error})") from None


def _columns(header: list[str]) -> dict[str, int]:
    """Where the columns stand; customer may be missing."""
    names = [name.strip().lower() for name in header]
    missing = [column for column in COLUMNS if column not in names]
    if missing:
        raise _Bad(f"the first line must name the columns {','.join(COLUMNS)}; missing: {', '.join(missing)}")
    return {column: names.index(column) for column in (*COLUMNS, "customer") if column in names}


def _field(fields: list[str], columns: dict[str, int], column: str) -> str:
    """Empty where the line ends before it."""
    place = columns.get(column, len(fields))
    return fields[place].strip() if place < len(fields) else ""


def _gather(found: _Gathered, fields: list[str], columns: dict[str, int]) -> None:
    store = _name("store", _field(fields, columns, "store"), LONGEST_STORE)
    if store != found.store:
        raise _Bad(f"an order is for one store, this one names {found.store} and {store}")
    item = _name("item", _field(fields, columns, "item"), LONGEST_ITEM)
    found.items.append((item, _count(_field(fields, columns, "count"))))
    found.customer = found.customer or _customer(_field(fields, columns, "customer"))


def _order(found: _Gathered, order: str) -> Order | Refused:
    try:
        return Order(found.line, order, found.store, _items(found.items), found.customer)
    except _Bad as error:
        return Refused(found.line, f"order {order}: {error}", "")


# ── JSON: an order, or a list of orders ─────────────────────────────────────────────────────────────────────────────


def _read_json(text: str) -> list[Order | Refused]:
    try:
        content = json.loads(text)
    except json.JSONDecodeError as error:
        return [Refused(error.lineno, f"the file is not JSON: {error.msg}", text.splitlines()[error.lineno - 1][:200])]
    except RecursionError:
        return [Refused(1, "the file is not JSON that anybody would write: it is nested too deeply", "")]
    entries: list[Any] = content if isinstance(content, list) else [content]
    orders: dict[str, Order] = {}
    read: list[Order | Refused] = []
    for number, entry in enumerate(entries, start=1):
        try:
            order = _json_order(number, entry)
            if order.order in orders:
                raise _Bad(f"order {order.order}: the file has this order twice")
            orders[order.order] = order
            read.append(order)
        except _Bad as error:
            read.append(Refused(number, str(error), json.dumps(entry, ensure_ascii=False)[:200]))
    return read or [Refused(1, "the list is empty", "")]


def _json_order(number: int, entry: Any) -> Order:
    if not isinstance(entry, dict):
        raise _Bad('an order is an object: {"order": …, "store": …, "items": [{"item": …, "count": …}]}')
    order = _name("order", _json_text(entry, "order"), LONGEST_ORDER)
    try:
        store = _name("store", _json_text(entry, "store"), LONGEST_STORE)
        items = entry.get("items")
        if not isinstance(items, list) or not items:
            raise _Bad('items must be a list: [{"item": …, "count": …}]')
        wanted = _items([_json_item(item) for item in items])
        return Order(number, order, store, wanted, _customer(_json_text(entry, "customer")))
    except _Bad as error:
        raise _Bad(f"order {order}: {error}") from None


def _json_item(item: Any) -> tuple[str, int]:
    if not isinstance(item, dict):
        raise _Bad('an item is an object: {"item": …, "count": …}')
    return _name("item", _json_text(item, "item"), LONGEST_ITEM), _count(_json_text(item, "count"))


def _json_text(entry: dict[str, Any], name: str) -> str:
    """Numbers are taken as they would be written; nothing is empty."""
    value = entry.get(name)
    if value is None:
        return ""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise _Bad(f"the {name} must be text or a number")
    return str(value).strip()


# ── What both have in common ────────────────────────────────────────────────────────────────────────────────────────


def _items(lines: list[tuple[str, int]]) -> tuple[tuple[str, int], ...]:
    """Each item once: what several lines want of it is added up."""
    wanted: dict[str, int] = {}
    for item, count in lines:
        wanted[item] = wanted.get(item, 0) + count
    if len(wanted) > MOST_ITEMS:
        raise _Bad(f"an order has at most {MOST_ITEMS} different items, this one has {len(wanted)}")
    return tuple(wanted.items())


def _name(column: str, name: str, longest: int) -> str:
    if not name:
        raise _Bad(f"the {column} is empty")
    if len(name) > longest:
        raise _Bad(f"the {column} is longer than {longest} characters")
    if not name.isprintable():
        raise _Bad(f"the {column} contains control characters")
    return name


def _customer(name: str) -> str:
    return _name("customer", name, LONGEST_CUSTOMER) if name else ""


def _count(text: str) -> int:
    if not text:
        raise _Bad("the count is empty")
    if not _WHOLE_NUMBER.fullmatch(text):
        raise _Bad(f"the count is not a whole number: {text[:40]}")
    if len(text) > 20 or int(text) > _LARGEST_COUNT:
        raise _Bad(f"the count is too large: {text[:40]}")
    if int(text) < 1:
        raise _Bad(f"the count must be at least 1: {text[:40]}")
    return int(text)
