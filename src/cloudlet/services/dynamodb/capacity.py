"""Consumed capacity by AWS's rules: writes by the KiB, reads by 4 KiB and by half where they need not be consistent."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from cloudlet.services.dynamodb.tables import Index, Table
from cloudlet.services.dynamodb.values import Item, item_size

if TYPE_CHECKING:
    from cloudlet.services.dynamodb.writes import Outcome

_WRITE_UNIT = 1024
_READ_UNIT = 4096


def write_units(old_size: int, new_size: int) -> float:
    """Of one write of an item; sizes are 0 where there is none."""
    return float(max(1, -(-max(old_size, new_size) // _WRITE_UNIT)))


def read_units(size: int, *, consistent: bool) -> float:
    """Of one read of so many bytes, at least the smallest."""
    units = max(1, -(-size // _READ_UNIT))
    return float(units) if consistent else units / 2


def projected(index: Index, item: Item) -> Item:
    if index.projected is None:
        return item
    return {name: value for name, value in item.items() if name in index.projected}


def index_units(index: Index, old: Item | None, new: Item | None) -> float:
    """What a change of an item costs in an index: nothing where its entry stays as it is."""
    before = projected(index, old) if old is not None and index.key_of(old) is not None else None
    after = projected(index, new) if new is not None and index.key_of(new) is not None else None
    if before == after:
        return 0.0
    if before is None or after is None:
        return write_units(item_size(before or {}), item_size(after or {}))
    if index.key_of(before) == index.key_of(after):
        return write_units(item_size(before), item_size(after))
    return write_units(item_size(before), 0) + write_units(0, item_size(after))


@dataclass(slots=True)
class Consumed:
    """What a request consumed of one table. `factor` is 2 in transactions."""

    table: Table
    wanted: str
    factor: int = 1
    units: float = 0.0
    by_index: dict[str, float] = field(default_factory=dict[str, float])

    def add_write(self, old: Item | None, new: Item | None, old_size: int, new_size: int) -> None:
        self.units += self.factor * write_units(old_size, new_size)
        for index in self.table.indexes:
            units = index_units(index, old, new)
            if units:
                self.add_index(index.name, self.factor * units)

    def add_outcome(self, outcome: "Outcome") -> None:
        old, new = outcome.old, outcome.new
        self.add_write(
            old.item if old is not None else None,
            new.item if new is not None else None,
            old.size if old is not None else 0,
            new.size if new is not None else 0,
        )

    def add_read(self, size: int, *, consistent: bool) -> None:
        self.units += self.factor * read_units(size, consistent=consistent)

    def add_index(self, name: str, units: float) -> None:
        self.by_index[name] = self.by_index.get(name, 0.0) + units

    def shown(self, *, detailed_kind: str | None = None) -> dict[str, Any]:
        """The ConsumedCapacity; `detailed_kind` (ReadCapacityUnits) is added in transactions."""
        total = self.units + sum(self.by_index.values())
        shown = {"TableName": self.table.name, **_units(total, detailed_kind)}
        if self.wanted == "INDEXES":
            shown["Table"] = _units(self.units, detailed_kind)
            for kind, member in (("global", "GlobalSecondaryIndexes"), ("local", "LocalSecondaryIndexes")):
                parts = {
                    index.name: _units(self.by_index[index.name], detailed_kind)
                    for index in self.table.indexes
                    if index.kind == kind and index.name in self.by_index
                }
                if parts:
                    shown[member] = parts
        return shown


def _units(units: float, detailed_kind: str | None) -> dict[str, float]:
    return {"CapacityUnits": units, **({detailed_kind: units} if detailed_kind else {})}


def wanted(params: Mapping[str, Any]) -> str | None:
    """TOTAL, INDEXES, or None."""
    asked = params.get("ReturnConsumedCapacity", "NONE")
    return None if asked == "NONE" else asked


def of_tables(consumed: Iterable[Consumed], *, detailed_kind: str | None = None) -> list[dict[str, Any]]:
    return [each.shown(detailed_kind=detailed_kind) for each in consumed]
