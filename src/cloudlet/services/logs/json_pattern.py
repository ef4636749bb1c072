"""Filter patterns for events that are JSON objects: `{ ($.level = "ERROR") && ($.latency > 100) }`."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import lru_cache
from typing import Any

import orjson

from cloudlet.services.logs.comparisons import comparison
from cloudlet.services.logs.faults import invalid_parameter

Condition = Callable[[Any], bool]
Select = Callable[[Any], Iterator[Any]]

_PLACE = r"""\$(?:\.?\[(?:\d+|\*|'[^']*'|"[^"]*")\]|\.[\w*-]+)*"""
_SELECTOR = re.compile(_PLACE)
_TOKEN = re.compile(
    rf"""\s*(?:(?P<mark>\(|\)|&&|\|\|)
    |(?P<selector>{_PLACE})
    |(?P<operator>!=|<=|>=|=|<|>)
    |(?P<operand>"(?:[^"\\]|\\.)*"|%[^%]*%|[^\s()&|=<>!"]+))""",
    re.VERBOSE,
)
_STEP = re.compile(
    r"""\.?\[(?:(?P<index>\d+)|(?P<all>\*)|'(?P<single>[^']*)'|"(?P<double>[^"]*)")\]|\.(?P<name>[\w*-]+)"""
)
_MISSING = object()


class JsonPattern:
    """Raises InvalidParameterException for what is no pattern. Events that are not JSON do not match."""

    def __init__(self, text: str) -> None:
        if not text.endswith("}"):
            raise invalid_parameter("Invalid filter pattern")
        tokens = _tokens(text[1:-1])
        self._condition = _Parser(tokens).parse()
        self._selectors = [token for kind, token in tokens if kind == "selector"]
        self.expressions = sum(kind == "operand" and token.startswith("%") for kind, token in tokens)

    def matches(self, message: str) -> bool:
        event = _event(message)
        return event is not _MISSING and self._condition(event)

    def extract(self, message: str, references: Iterable[str]) -> Mapping[str, str]:
        """The first value of each property that the pattern names, or that is asked for, where it is a simple one."""
        event = _event(message)
        values: dict[str, str] = {}
        for reference in (*self._selectors, *references):
            found = next(_simple(selector(reference)(event)), None)
            if found is not None:
                values[reference] = _text(found)
        return values


def _event(message: str) -> Any:
    """The JSON value that the message is; `_MISSING` if it is none."""
    if not message.lstrip().startswith(("{", "[")):
        return _MISSING
    try:
        return orjson.loads(message)
    except orjson.JSONDecodeError:
        return _MISSING


class _Parser:
    """`or` of `and` of conditions, with parentheses."""

    def __init__(self, tokens: list[tuple[str, str]]) -> None:
        self._tokens = tokens
        self._next = 0
        self._depth = 0

    def parse(self) -> Condition:
        condition = self._alternatives()
        if self._next != len(self._tokens):
            raise invalid_parameter("Invalid filter pattern")
        return condition

    def _alternatives(self) -> Condition:
        conditions = [self._all()]
        while self._take("mark", "||"):
            conditions.append(self._all())
        return conditions[0] if len(conditions) == 1 else lambda event: any(c(event) for c in conditions)

    def _all(self) -> Condition:
        conditions = [self._one()]
        while self._take("mark", "&&"):
            conditions.append(self._one())
        return conditions[0] if len(conditions) == 1 else lambda event: all(c(event) for c in conditions)

    def _one(self) -> Condition:
        if not self._take("mark", "("):
            return self._condition()
        self._depth += 1
        if self._depth > 50:
            raise invalid_parameter("Invalid filter pattern")
        condition = self._alternatives()
        if not self._take("mark", ")"):
            raise invalid_parameter("Invalid filter pattern")
        self._depth -= 1
        return condition

    def _condition(self) -> Condition:
        select = selector(self._expect("selector"))
        if self._peek("operator"):
            operator = self._expect("operator")
            return _compared(select, comparison(operator, self._expect("operand")))
        words = (self._expect("operand").upper(), self._expect("operand").upper())
        if words not in _STATES:
            raise invalid_parameter("Invalid filter pattern")
        wanted = _STATES[words]
        return lambda event: any(value is wanted for value in select(event))

    def _peek(self, kind: str) -> bool:
        return self._next < len(self._tokens) and self._tokens[self._next][0] == kind

    def _take(self, kind: str, text: str) -> bool:
        if self._next < len(self._tokens) and self._tokens[self._next] == (kind, text):
            self._next += 1
            return True
        return False

    def _expect(self, kind: str) -> str:
        if not self._peek(kind):
            raise invalid_parameter("Invalid filter pattern")
        self._next += 1
        return self._tokens[self._next - 1][1]


_STATES: dict[tuple[str, str], Any] = {
    ("IS", "NULL"): None,
    ("IS", "TRUE"): True,
    ("IS", "FALSE"): False,
    ("NOT", "EXISTS"): _MISSING,
}


def _compared(select: Select, compare: Callable[[str], bool]) -> Condition:
    """Only text, numbers and booleans can be compared; what is not there is not unequal either."""

    def condition(event: Any) -> bool:
        return any(compare(_text(value)) for value in _simple(select(event)))

    return condition


def _simple(values: Iterator[Any]) -> Iterator[str | float | bool]:
    return (value for value in values if isinstance(value, str | int | float))


def _text(value: str | float | bool) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def _tokens(text: str) -> list[tuple[str, str]]:
    tokens: list[tuple[str, str]] = []
    position = 0
    text = text.rstrip()
    while position < len(text):
        found = _TOKEN.match(text, position)
        if found is None or found.lastgroup is None:
            raise invalid_parameter("Invalid filter pattern")
        tokens.append((found.lastgroup, found[found.lastgroup]))
        position = found.end()
    return tokens


@lru_cache(maxsize=256)
def selector(text: str) -> Select:
    """The values at a place in an event (`$.users[0].email`). Raises InvalidParameterException."""
    if _SELECTOR.fullmatch(text) is None:
        raise invalid_parameter("Invalid filter pattern")
    steps: list[str | int | None] = []
    for found in _STEP.finditer(text, 1):
        if found["index"] is not None:
            steps.append(int(found["index"]))
        elif found["all"] is not None or found["name"] == "*":
            steps.append(None)
        else:
            steps.append(next(name for name in (found["name"], found["single"], found["double"]) if name is not None))
    if not steps:
        raise invalid_parameter("Invalid filter pattern")
    return lambda event: _select(event, steps)


def _select(value: Any, steps: list[str | int | None]) -> Iterator[Any]:
    """The values at the end of the steps (None is a wildcard); `_MISSING` where there is nothing."""
    if not steps:
        yield value
        return
    step, rest = steps[0], steps[1:]
    if step is None:
        items: list[Any] = list(value.values()) if isinstance(value, dict) else value if isinstance(value, list) else []
        for item in items:
            yield from _select(item, rest)
        if not items:
            yield _MISSING
    elif isinstance(step, int):
        inside = isinstance(value, list) and step < len(value)
        yield from _select(value[step], rest) if inside else (_MISSING,)
    else:
        inside = isinstance(value, dict) and step in value
        yield from _select(value[step], rest) if inside else (_MISSING,)
