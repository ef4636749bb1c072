"""Metric math expressions as trees: numbers, texts, names, operators, lists and calls of functions."""

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass


class MathError(Exception):
    """What is wrong with an expression, in words for its author."""


@dataclass(frozen=True, slots=True)
class Number:
    value: float


@dataclass(frozen=True, slots=True)
class Text:
    value: str


@dataclass(frozen=True, slots=True)
class Name:
    """The id of another query, or a word such as REPEAT."""

    name: str


@dataclass(frozen=True, slots=True)
class Items:
    """`[m1, m2]`"""

    items: tuple["Node", ...]


@dataclass(frozen=True, slots=True)
class Operation:
    """`operator` is spelled as in Python's terms: `and`, `==`, `^`. A sign is an operation on zero."""

    operator: str
    left: "Node"
    right: "Node"


@dataclass(frozen=True, slots=True)
class FunctionCall:
    function: str
    arguments: tuple["Node", ...]


Node = Number | Text | Name | Items | Operation | FunctionCall

_TOKEN = re.compile(
    r"""\s*(?:
      (?P<number>(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)
    | (?P<name>[A-Za-z_]\w*)
    | (?P<text>"[^"]*"|'[^']*')
    | (?P<sign>==|!=|<=|>=|&&|\|\||[-+*/^<>(),\[\]])
    )""",
    re.VERBOSE,
)
_SPELLINGS = {"&&": "and", "||": "or", "AND": "and", "OR": "or"}
_STRENGTH = {"or": 1, "and": 2}
_STRENGTH |= dict.fromkeys(("==", "!=", "<", ">", "<=", ">="), 3)
_STRENGTH |= {"+": 4, "-": 4, "*": 5, "/": 5, "^": 6}
_DEEPEST = 50


def parse(text: str) -> Node:
    """Raises MathError."""
    return _Parser(text).whole()


def names_in(node: Node) -> Iterator[str]:
    """All names in it, words such as REPEAT among them."""
    return (each.name for each in _nodes(node) if isinstance(each, Name))


def calls_in(node: Node) -> Iterator[FunctionCall]:
    return (each for each in _nodes(node) if isinstance(each, FunctionCall))


def _nodes(node: Node) -> Iterator[Node]:
    """The node and all below it, from left to right; without recursion, since long sums are deep trees."""
    waiting = [node]
    while waiting:
        each = waiting.pop()
        yield each
        if isinstance(each, Operation):
            waiting += (each.right, each.left)
        elif isinstance(each, Items):
            waiting += reversed(each.items)
        elif isinstance(each, FunctionCall):
            waiting += reversed(each.arguments)


class _Parser:
    """By strength of operators: what binds weaker than asked for is left to the caller."""

    def __init__(self, text: str) -> None:
        self._tokens = list(_tokens(text))
        self._at = 0
        self._depth = 0

    def whole(self) -> Node:
        node = self._expression(1)
        if self._at < len(self._tokens):
            raise MathError(f"Unexpected token '{self._tokens[self._at][1]}'")
        return node

    def _expression(self, strength: int) -> Node:
        self._depth += 1
        if self._depth > _DEEPEST:
            raise MathError("The expression is nested too deeply")
        left = self._operand()
        while (operator := self._operator()) is not None and _STRENGTH[operator] >= strength:
            self._at += 1
            left = Operation(operator, left, self._expression(_STRENGTH[operator] + 1))
        self._depth -= 1
        return left

    def _operator(self) -> str | None:
        if self._at == len(self._tokens):
            return None
        kind, token = self._tokens[self._at]
        token = _SPELLINGS.get(token, token) if kind in ("sign", "name") else ""
        return token if token in _STRENGTH else None

    def _operand(self) -> Node:
        kind, token = self._next()
        if kind == "number":
            return _number(token)
        if kind == "text":
            return Text(token[1:-1])
        if kind == "name":
            return FunctionCall(token.upper(), self._until(")")) if self._skip("(") else Name(token)
        if token == "(":
            node = self._expression(1)
            self._expect(")")
            return node
        if token == "[":
            return Items(self._until("]"))
        if token in "+-":
            return Operation(token, Number(0.0), self._expression(_STRENGTH["^"]))
        raise MathError(f"Unexpected token '{token}'")

    def _until(self, end: str) -> tuple[Node, ...]:
        items: list[Node] = []
        if self._skip(end):
            return ()
        while True:
            items.append(self._expression(1))
            if not self._skip(","):
                self._expect(end)
                return tuple(items)

    def _next(self) -> tuple[str, str]:
        if self._at == len(self._tokens):
            raise MathError("Unexpected end of the expression")
        self._at += 1
        return self._tokens[self._at - 1]

    def _skip(self, token: str) -> bool:
        if self._at < len(self._tokens) and self._tokens[self._at] == ("sign", token):
            self._at += 1
            return True
        return False

    def _expect(self, token: str) -> None:
        if not self._skip(token):
            found = self._tokens[self._at][1] if self._at < len(self._tokens) else "end of the expression"
            raise MathError(f"Expected '{token}' but found '{found}'")


def _number(token: str) -> Number:
    value = float(token)
    if math.isinf(value):
        raise MathError(f"{token} is too large")
    return Number(value)


def _tokens(text: str) -> Iterator[tuple[str, str]]:
    at = 0
    end = len(text.rstrip())
    while at < end:
        found = _TOKEN.match(text, at)
        if found is None or found.lastgroup is None:
            raise MathError(f"Unexpected character '{text[at:].strip()[:1]}'")
        yield found.lastgroup, found[found.lastgroup]
        at = found.end()
