"""The filter pattern language: terms; fields and JSON selectors are in `space_pattern` and `json_pattern`."""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache

from cloudlet.services.logs.faults import invalid_parameter
from cloudlet.services.logs.json_pattern import JsonPattern
from cloudlet.services.logs.regular_expression import regular_expression
from cloudlet.services.logs.space_pattern import SpacePattern

Matches = Callable[[str], bool]
# The values in a message, by what a metric filter calls them: `$.latency`, `$bytes`.
Extract = Callable[[str, Iterable[str]], Mapping[str, str]]

_TERM = re.compile(r'\s*([?-]?)(?:"((?:[^"\\]|\\.)*)"|%([^%]*)%|([^\s"]+))(?=\s|$)', re.DOTALL)
_WORD = re.compile(r"\w+")
# Regular expressions in one pattern of fields or properties.
_MOST_EXPRESSIONS = 2


@dataclass(frozen=True, slots=True)
class FilterPattern:
    """`extract` gives the values of what the pattern names, and of the further references that are asked for.

    `has_fields` tells whether there are any; `has_expressions` whether regular expressions are in it.
    """

    matches: Matches
    extract: Extract
    has_fields: bool
    has_expressions: bool


@lru_cache(maxsize=256)
def compiled(pattern: str) -> FilterPattern:
    """Raises InvalidParameterException for what is no pattern."""
    text = pattern.strip()
    if not text:
        return FilterPattern(lambda message: True, _nothing, has_fields=False, has_expressions=False)
    if text.startswith(("{", "[")):
        fields = JsonPattern(text) if text.startswith("{") else SpacePattern(text)
        if fields.expressions > _MOST_EXPRESSIONS:
            raise invalid_parameter("Invalid filter pattern: there may be two regular expressions in it at most.")
        return FilterPattern(fields.matches, fields.extract, has_fields=True, has_expressions=fields.expressions > 0)
    return FilterPattern(_terms(text), _nothing, has_fields=False, has_expressions="%" in text)


def _nothing(message: str, references: Iterable[str]) -> Mapping[str, str]:
    return {}


def _terms(text: str) -> Matches:
    """All of the terms, none of those with a minus; one of those with a question mark, if there are no others.

    A term matches wherever it stands in a message: `ERROR` in `ERRORCODE`, too, as CloudWatch Logs documents it.
    """
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
