"""Expressions that stand for parts of a request: `$request.header.name`, `${context.requestId}-${stageVariables.v}`."""

import re
from dataclasses import dataclass

REQUEST = frozenset(("request.header", "request.querystring", "request.body", "request.path"))
RESPONSE = frozenset(("response.header", "response.body"))
SURROUNDINGS = frozenset(("context", "stageVariables"))
IDENTITY = frozenset(("request.header", "request.querystring")) | SURROUNDINGS
# Those that mean the whole of something when they stand alone.
_WHOLE = frozenset(("request.body", "request.path", "response.body"))
_VARIABLE = re.compile(
    r"(request\.(?:header|querystring|body|path)|response\.(?:header|body)|context|stageVariables)(?:\.(.+)|(\[.+))?"
)
_BRACED = re.compile(r"\$\{([^{}]*)\}")


@dataclass(frozen=True, slots=True)
class Variable:
    """`where` is `request.header` or another place; `name` is what to look for there, empty for all of it."""

    where: str
    name: str


@dataclass(frozen=True, slots=True)
class Expression:
    """Texts and variables in their order."""

    parts: tuple[str | Variable, ...]


def parse(text: str, places: frozenset[str]) -> Expression:
    """Raises ValueError for a variable that is none, or from another place than `places`."""
    if text.startswith("$") and not text.startswith("${"):
        return Expression((_variable(text[1:], places),))
    parts: list[str | Variable] = []
    for number, part in enumerate(_BRACED.split(text)):
        if number % 2:
            parts.append(_variable(part, places))
        elif part:
            parts.append(part)
    return Expression(tuple(parts))


def _variable(text: str, places: frozenset[str]) -> Variable:
    match = _VARIABLE.fullmatch(text)
    if match is None or match[1] not in places:
        raise ValueError(f"Invalid mapping expression specified: ${text}")
    name = match[2] or match[3] or ""
    if not name and match[1] not in _WHOLE:
        raise ValueError(f"Invalid mapping expression specified: ${text}")
    return Variable(match[1], name.lower() if match[1].endswith("header") else name)
