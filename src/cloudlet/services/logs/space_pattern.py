"""Filter patterns for events that are fields with spaces between them: `[ip, user, ..., status = 4*, bytes]`."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from cloudlet.services.logs.comparisons import Compare, comparison
from cloudlet.services.logs.faults import invalid_parameter

# A field of an event: in brackets, in quotes, or up to the next space.
_FIELD = re.compile(r'\[([^\]]*)\]|"([^"]*)"|(\S+)')
_CONDITION = re.compile(r"\s*([\w.-]+)?\s*(?:(!=|<=|>=|=|<|>)\s*(.+?))?\s*", re.DOTALL)
_EXPRESSION = re.compile(r"=\s*%[^%]*%")
_ELLIPSIS = "..."


@dataclass(frozen=True, slots=True)
class _Field:
    """`name` is empty where the pattern gives none; the field's number in the event stands for it then."""

    name: str
    alternatives: tuple[tuple[Compare, ...], ...]

    def allows(self, value: str) -> bool:
        return any(all(condition(value) for condition in group) for group in self.alternatives)


class SpacePattern:
    """As many fields as the event has, any number where the dots are.

    Raises InvalidParameterException for what is no pattern.
    """

    def __init__(self, text: str) -> None:
        if not text.endswith("]"):
            raise invalid_parameter("Invalid filter pattern")
        parts = [part.strip() for part in _split(text[1:-1], ",")]
        if parts.count(_ELLIPSIS) > 1:
            raise invalid_parameter("Invalid filter pattern")
        self._open = _ELLIPSIS in parts
        middle = parts.index(_ELLIPSIS) if self._open else len(parts)
        self._before = [_field(part) for part in parts[:middle]]
        self._after = [_field(part) for part in parts[middle + 1 :]]
        self.expressions = len(_EXPRESSION.findall(text))

    def matches(self, message: str) -> bool:
        values = _values(message)
        fields = self._fields(len(values))
        return fields is not None and all(
            field is None or field.allows(value) for field, value in zip(fields, values, strict=True)
        )

    def extract(self, message: str, references: Iterable[str]) -> Mapping[str, str]:
        """All fields of the event by `$name`, those without a name by `$number`."""
        values = _values(message)
        fields = self._fields(len(values)) or [None] * len(values)
        return {
            f"${field.name if field is not None and field.name else number}": value
            for number, (field, value) in enumerate(zip(fields, values, strict=True), 1)
        }

    def _fields(self, count: int) -> list[_Field | None] | None:
        """The fields of an event that has so many, None for those where the dots are; None if they do not fit."""
        spare = count - len(self._before) - len(self._after)
        if spare < 0 or (spare and not self._open):
            return None
        return [*self._before, *[None] * spare, *self._after]


def _values(message: str) -> list[str]:
    return [next(part for part in found.groups() if part is not None) for found in _FIELD.finditer(message)]


def _field(text: str) -> _Field:
    """A name alone takes anything; conditions may be joined by `||` and, stronger, `&&`."""
    if not text:
        return _Field("", ((),))
    found = [[_condition(part) for part in _split(part, "&&")] for part in _split(text, "||")]
    alternatives = tuple(tuple(compare for _, compare in group if compare is not None) for group in found)
    return _Field(found[0][0][0], alternatives)


def _condition(text: str) -> tuple[str, Compare | None]:
    """The field's name, and what its value must be."""
    found = _CONDITION.fullmatch(text)
    if found is None or (found[1] is None and found[2] is None):
        raise invalid_parameter("Invalid filter pattern")
    return found[1] or "", comparison(found[2], found[3]) if found[2] is not None else None


def _split(text: str, separator: str) -> list[str]:
    """Splits outside of quotes and regular expressions."""
    parts: list[str] = [""]
    inside = ""
    position = 0
    while position < len(text):
        character = text[position]
        if not inside and text.startswith(separator, position):
            parts.append("")
            position += len(separator)
            continue
        if character in '"%' and inside in ("", character):
            inside = "" if inside else character
        parts[-1] += character
        position += 1
    return parts
