"""The filter pattern language: terms, space-delimited fields, and JSON selectors (in `json_pattern`)."""

import re
from collections.abc import Callable
from functools import lru_cache

from cloudlet.services.logs.comparisons import comparison
from cloudlet.services.logs.faults import invalid_parameter
from cloudlet.services.logs.json_pattern import json_pattern
from cloudlet.services.logs.regular_expression import regular_expression

Matches = Callable[[str], bool]

_TERM = re.compile(r'\s*([?-]?)(?:"((?:[^"\\]|\\.)*)"|%([^%]*)%|([^\s"]+))(?=\s|$)', re.DOTALL)
_WORD = re.compile(r"\w+")
# A field of a space-delimited event: in brackets, in quotes, or up to the next space.
_FIELD = re.compile(r'\[([^\]]*)\]|"([^"]*)"|(\S+)')
_CONDITION = re.compile(r"\s*([\w.-]+)?\s*(?:(!=|<=|>=|=|<|>)\s*(.+?))?\s*", re.DOTALL)
_ELLIPSIS = "..."


@lru_cache(maxsize=256)
def compiled(pattern: str) -> Matches:
    """Whether a message matches. Raises InvalidParameterException for what is no pattern."""
    text = pattern.strip()
    if not text:
        return lambda message: True
    if text.startswith("{"):
        return json_pattern(text)
    if text.startswith("["):
        return _space_delimited(text)
    return _terms(text)


def _terms(text: str) -> Matches:
    """All of the terms, none of those with a minus; one of those with a question mark, if there are no others."""
    required: list[Matches] = []
    excluded: list[Matches] = []
    optional: list[Matches] = []
    position = 0
    while position < len(text):
        found = _TERM.match(text, position)
        if found is None:
            raise invalid_parameter("Invalid filter pattern")
        sign, quoted, expression, word = found.groups()
        {"?": optional, "-": excluded, "": required}[sign].append(_term(quoted, expression, word))
        position = found.end()
        while position < len(text) and text[position].isspace():
            position += 1
    if not required and not excluded:
        return lambda message: any(matches(message) for matches in optional)
    return lambda message: (
        all(matches(message) for matches in required) and not any(matches(message) for matches in excluded)
    )


def _term(quoted: str | None, expression: str | None, word: str | None) -> Matches:
    if expression is not None:
        return regular_expression(expression)
    if word is not None and _WORD.fullmatch(word) is None:
        raise invalid_parameter(f"Invalid character(s) in term '{word}'")
    term = re.sub(r"\\(.)", r"\1", quoted) if quoted is not None else str(word)
    return lambda message: term in message


Field = Callable[[str], bool]


def _space_delimited(text: str) -> Matches:
    """`[ip, user, ..., status = 4*, bytes]`: as many fields as the message has, any number where the dots are."""
    if not text.endswith("]"):
        raise invalid_parameter("Invalid filter pattern")
    parts = [part.strip() for part in _split(text[1:-1], ",")]
    if parts.count(_ELLIPSIS) > 1:
        raise invalid_parameter("Invalid filter pattern")
    if _ELLIPSIS in parts:
        middle = parts.index(_ELLIPSIS)
        before, after = [_field(part) for part in parts[:middle]], [_field(part) for part in parts[middle + 1 :]]
        return lambda message: _matches_ends(_fields(message), before, after)
    fields = [_field(part) for part in parts]

    def matches(message: str) -> bool:
        values = _fields(message)
        return len(values) == len(fields) and all(map(_applies, fields, values))

    return matches


def _matches_ends(values: list[str], before: list[Field], after: list[Field]) -> bool:
    if len(values) < len(before) + len(after):
        return False
    tail = values[len(values) - len(after) :]
    return all(map(_applies, before, values)) and all(map(_applies, after, tail))


def _applies(field: Field, value: str) -> bool:
    return field(value)


def _fields(message: str) -> list[str]:
    return [next(part for part in found if part is not None) for found in map(_groups, _FIELD.finditer(message))]


def _groups(found: re.Match[str]) -> tuple[str | None, ...]:
    return found.groups()


def _field(text: str) -> Field:
    """A name alone takes anything; conditions may be joined by `||` and, stronger, `&&`."""
    alternatives = [[_condition(part) for part in _split(part, "&&")] for part in _split(text, "||")]
    return lambda value: any(all(condition(value) for condition in group) for group in alternatives)


def _condition(text: str) -> Field:
    found = _CONDITION.fullmatch(text)
    if found is None or (found[1] is None and found[2] is None):
        raise invalid_parameter("Invalid filter pattern")
    if found[2] is None:
        return lambda value: True
    return comparison(found[2], found[3])


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
