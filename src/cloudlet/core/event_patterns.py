"""Event patterns: EventBridge's language for which events are wanted, compiled once and asked for each event.

An event is flattened into its fields (`detail.state`), each with the elements of arrays that it lies in: fields that a
pattern names together must lie in the same elements, or in elements of different arrays.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, cast

from cloudlet.core.event_conditions import Scalar
from cloudlet.core.event_pattern_reader import Alternative, PatternReader
from cloudlet.core.located_json import LocatedJson


class InvalidPattern(ValueError):
    """A text that is no event pattern, in AWS's words."""


@dataclass(frozen=True, slots=True, eq=False)
class Element:
    """An object or array within an array of an event. Its `number` is greater than that of the one it lies in."""

    parent: "Element | None"
    array: int
    number: int


# Sets of conditions that are kept of what can be met in one place. All that a pattern wants within an array is met by
# one element or not at all, unless the event has names with dots in them, so a set that is dropped is seldom missed;
# to keep all of them would be without bound.
_MOST_SETS = 16

# The fields of an event: each value under the path, with the innermost element that it lies in.
Fields = dict[str, list[tuple[Scalar, Element | None]]]


@dataclass(frozen=True, slots=True)
class EventPattern:
    """A compiled pattern: any of its alternatives, in each of which every condition must hold.

    `steps` are the names that occur in its paths: an event's fields of other names are of no interest.
    """

    alternatives: tuple[Alternative, ...]
    steps: frozenset[str]

    def matches(self, fields: Fields) -> bool:
        return any(_matches(alternative, fields) for alternative in self.alternatives)

    def strings_at(self, path: str) -> frozenset[str] | None:
        """The strings of which the field must be one in any event that matches; None if it may be something else."""
        found: set[str] = set()
        for alternative in self.alternatives:
            condition = alternative.get(path)
            if condition is None or not condition.only_strings:
                return None
            found |= condition.strings
        return frozenset(found)


@lru_cache(maxsize=512)
def compile_pattern(text: str) -> EventPattern:
    """Raises InvalidPattern."""
    try:
        alternatives, steps = PatternReader(LocatedJson(text)).read()
    except ValueError as error:
        raise InvalidPattern(str(error)) from None
    except RecursionError:
        raise InvalidPattern("The pattern is nested too deeply") from None
    return EventPattern(tuple(alternatives), frozenset(steps))


def fields_of(event: Mapping[str, Any], steps: frozenset[str] | None = None) -> Fields:
    """The fields of an event; only those under the names `steps`, if given."""
    fields: Fields = {}
    arrays = elements = 0
    waiting: list[tuple[str, Any, Element | None]] = [("", event, None)]
    while waiting:
        path, value, element = waiting.pop()
        if isinstance(value, dict):
            members = cast("dict[str, Any]", value)
            for name, member in members.items():
                if steps is None or name in steps or "." in name:
                    waiting.append((f"{path}.{name}" if path else name, member, element))
        elif isinstance(value, list):
            arrays += 1
            for item in cast("list[Any]", value):
                if isinstance(item, dict | list):
                    elements += 1
                    waiting.append((path, cast("Any", item), Element(element, arrays, elements)))
                else:
                    waiting.append((path, item, element))
        else:
            fields.setdefault(path, []).append((value, element))
    return fields


def _matches(alternative: Alternative, fields: Fields) -> bool:
    places: list[list[Element]] = []
    for path, condition in alternative.items():
        values = fields.get(path)
        if values is None:
            if condition.absent:
                continue
            return False
        found = [element for value, element in values if condition.accepts(value)]
        if not found:
            return False
        if None not in found:
            places.append(cast("list[Element]", found))
    return len(places) < 2 or _consistent(places)


def _consistent(places: list[list[Element]]) -> bool:
    """Whether each condition can be given one of its places so that no array is entered at two elements.

    From the innermost elements outwards: which sets of conditions (as bits) can be met within an element.
    """
    met: dict[Element | None, int] = {}
    for bit, elements in enumerate(places):
        for element in elements:
            met[element] = met.get(element, 0) | 1 << bit
            inner = element.parent
            while inner is not None and inner not in met:
                met[inner] = 0
                inner = inner.parent
    within: dict[Element | None, dict[int, set[int]]] = {}
    for element in sorted((e for e in met if e is not None), key=lambda e: e.number, reverse=True):
        arrays = within.setdefault(element.parent, {})
        arrays.setdefault(element.array, {0}).update(_unions(met[element], within.get(element, {}).values()))
    return (1 << len(places)) - 1 in _unions(0, within.get(None, {}).values())


def _unions(own: int, arrays: Iterable[set[int]]) -> set[int]:
    """The sets that can be met in an element: its own, with those of one element of each array within."""
    found = {own}
    for choices in arrays:
        widest = _widest(choices)
        found = _widest({one | other for one in found for other in widest})
    return found


def _widest(sets: set[int]) -> set[int]:
    """Those that no other contains; of many, those with the most in them."""
    found: list[int] = []
    for one in sorted(sets, key=int.bit_count, reverse=True):
        if not any(one | other == other for other in found):
            found.append(one)
            if len(found) == _MOST_SETS:
                break
    return set(found)
