"""The grammar of condition, update and projection expressions, parsed by recursive descent."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Generic, TypeVar

from cloudlet.core.errors import AwsError
from cloudlet.services.dynamodb.errors import validation
from cloudlet.services.dynamodb.expressions.nodes import (
    Action,
    AddAction,
    And,
    Arithmetic,
    Between,
    Comparison,
    Condition,
    DeleteAction,
    Function,
    Membership,
    Not,
    Operand,
    Or,
    Path,
    RemoveAction,
    SetAction,
    Step,
    ValueRef,
)
from cloudlet.services.dynamodb.expressions.reserved import RESERVED
from cloudlet.services.dynamodb.expressions.tokens import END, syntax_error, tokens_of

T = TypeVar("T")

_COMPARATORS = frozenset(("=", "<>", "<", "<=", ">", ">="))
# How many operands each takes; those that answer true or false, those that have a size, those of updates.
PREDICATES = {"attribute_exists": 1, "attribute_not_exists": 1, "attribute_type": 2, "begins_with": 2, "contains": 2}
_SIZE = {"size": 1}
_UPDATE_FUNCTIONS = {"if_not_exists": 2, "list_append": 2}
_KNOWN = {**PREDICATES, **_SIZE, **_UPDATE_FUNCTIONS}
_MOST_OPTIONS = 100
_MOST_OPERATORS = 300
_DEEPEST = 150
_LONGEST_PATH = 32


@dataclass(frozen=True, slots=True)
class Parsed(Generic[T]):
    """An expression: the parameter that it came in, its tree, the placeholders in it."""

    what: str
    tree: T
    names: frozenset[str]
    values: frozenset[str]


@lru_cache(maxsize=2048)
def parse_condition(text: str, what: str) -> Parsed[Condition]:
    """Of a condition, filter or key condition expression. Raises ValidationException."""
    return _Parser(text, what).whole(_Parser.condition)


@lru_cache(maxsize=1024)
def parse_update(text: str, what: str) -> Parsed[tuple[Action, ...]]:
    return _Parser(text, what).whole(_Parser.update)


@lru_cache(maxsize=1024)
def parse_projection(text: str, what: str) -> Parsed[tuple[Path, ...]]:
    return _Parser(text, what).whole(lambda parser: tuple(parser.separated(parser.path)))


@dataclass(frozen=True, slots=True)
class _Parenthesised:
    inner: "Condition | Operand"


class _Parser:
    def __init__(self, text: str, what: str) -> None:
        self._text = text
        self._what = what
        self._tokens = tokens_of(text, what)
        self._at = 0
        self._depth = 0
        self._operators = 0
        self._names: set[str] = set()
        self._values: set[str] = set()

    def whole(self, rule: "Callable[[_Parser], T]") -> Parsed[T]:
        tree = rule(self)
        if self._tokens[self._at].kind != END:
            raise self._unexpected()
        return Parsed(self._what, tree, frozenset(self._names), frozenset(self._values))

    # Conditions

    def condition(self) -> Condition:
        return self._condition(self._either())

    def _either(self) -> "Condition | Operand | _Parenthesised":
        left = self._both()
        while self._is_word("OR"):
            self._operator()
            left = Or(self._condition(left), self._condition(self._both()))
        return left

    def _both(self) -> "Condition | Operand | _Parenthesised":
        left = self._negation()
        while self._is_word("AND"):
            self._operator()
            left = And(self._condition(left), self._condition(self._negation()))
        return left

    def _negation(self) -> "Condition | Operand | _Parenthesised":
        negations = 0
        while self._is_word("NOT"):
            self._operator()
            negations += 1
        node = self._predicate()
        for _ in range(negations):
            node = Not(self._condition(node))
        return node

    def _predicate(self) -> "Condition | Operand | _Parenthesised":
        node = self._term()
        token = self._tokens[self._at]
        if token.kind in _COMPARATORS:
            self._operator()
            return Comparison(token.kind, self._operand(node), self._operand(self._term()))
        if self._is_word("BETWEEN"):
            self._operator()
            low = self._operand(self._term())
            if not self._is_word("AND"):
                raise self._unexpected()
            self._at += 1
            return Between(self._operand(node), low, self._operand(self._term()))
        if self._is_word("IN"):
            self._operator()
            self._expect("(")
            options = self.separated(lambda: self._operand(self._term()))
            self._expect(")")
            if len(options) > _MOST_OPTIONS:
                raise self._wrong_count("IN", len(options) + 1)
            return Membership(self._operand(node), tuple(options))
        return node

    def _term(self) -> "Condition | Operand | _Parenthesised":
        """An operand, a function, or something in parentheses: what it is, shows only after them."""
        if self._tokens[self._at].kind != "(":
            return self._simple_operand()
        self._depth += 1
        if self._depth > _DEEPEST:
            raise self._invalid("The expression nested too deeply;")
        self._at += 1
        inner = self._either()
        self._expect(")")
        self._depth -= 1
        if isinstance(inner, _Parenthesised):
            raise self._invalid("The expression has redundant parentheses;")
        return _Parenthesised(inner)

    def _condition(self, node: "Condition | Operand | _Parenthesised") -> Condition:
        inner = node.inner if isinstance(node, _Parenthesised) else node
        if isinstance(inner, Path | ValueRef | Arithmetic):
            raise self._unexpected()
        if isinstance(inner, Function) and inner.name not in PREDICATES:
            raise self._misused(inner.name)
        return inner

    def _operand(self, node: "Condition | Operand | _Parenthesised") -> Operand:
        inner = node.inner if isinstance(node, _Parenthesised) else node
        if isinstance(inner, Function) and inner.name in PREDICATES:
            raise self._misused(inner.name)
        if not isinstance(inner, Path | ValueRef | Function):
            raise self._unexpected()
        return inner

    # Updates

    def update(self) -> tuple[Action, ...]:
        sections: dict[str, Callable[[], Action]] = {
            "SET": self._set_action,
            "REMOVE": lambda: RemoveAction(self.path()),
            "ADD": lambda: AddAction(self.path(), self._value()),
            "DELETE": lambda: DeleteAction(self.path(), self._value()),
        }
        seen: set[str] = set()
        actions: list[Action] = []
        while True:
            token = self._tokens[self._at]
            if token.upper not in sections:
                raise self._unexpected()
            if token.upper in seen:
                raise self._invalid(f'The "{token.upper}" section can only be used once in an update expression;')
            seen.add(token.upper)
            self._at += 1
            actions += self.separated(sections[token.upper])
            if self._tokens[self._at].kind == END:
                return tuple(actions)

    def _set_action(self) -> Action:
        path = self.path()
        self._expect("=")
        left = self._update_operand()
        operator = self._tokens[self._at].kind
        if operator not in ("+", "-"):
            return SetAction(path, left)
        self._operator()
        return SetAction(path, Arithmetic(operator, left, self._update_operand()))

    def _update_operand(self) -> Operand:
        if self._tokens[self._at].kind == "(":
            self._at += 1
            operand = self._update_operand()
            self._expect(")")
            return operand
        operand = self._simple_operand()
        if isinstance(operand, Function) and operand.name not in _UPDATE_FUNCTIONS:
            raise self._misused(operand.name)
        return operand

    def _value(self) -> ValueRef:
        token = self._tokens[self._at]
        if token.kind != ":":
            raise self._unexpected()
        self._at += 1
        self._values.add(token.text)
        return ValueRef(token.text)

    # What all have

    def separated(self, rule: Callable[[], T]) -> list[T]:
        found = [rule()]
        while self._tokens[self._at].kind == ",":
            self._at += 1
            found.append(rule())
        return found

    def path(self) -> Path:
        steps: list[Step] = [self._name()]
        while True:
            kind = self._tokens[self._at].kind
            if kind == ".":
                self._at += 1
                steps.append(self._name())
            elif kind == "[":
                self._at += 1
                steps.append(self._index())
                self._expect("]")
            else:
                break
        if len(steps) > _LONGEST_PATH:
            raise self._invalid(f"The document path has too many nesting levels; nesting levels: {len(steps)}")
        return Path(tuple(steps))

    def _name(self) -> str:
        token = self._tokens[self._at]
        if token.kind == "#":
            self._names.add(token.text)
        elif token.kind != "name":
            raise self._unexpected()
        elif token.upper in RESERVED:
            raise self._invalid(f"Attribute name is a reserved keyword; reserved keyword: {token.text}")
        self._at += 1
        return token.text

    def _index(self) -> int:
        token = self._tokens[self._at]
        if token.kind != "index":
            raise self._unexpected()
        if len(token.text) > 9:
            raise self._invalid(f"List index is not within the allowable range; index: [{token.text}]")
        self._at += 1
        return int(token.text)

    def _simple_operand(self) -> Operand:
        token = self._tokens[self._at]
        if token.kind == ":":
            return self._value()
        if token.kind == "name" and self._tokens[self._at + 1].kind == "(":
            return self._function(token.text)
        return self.path()

    def _function(self, name: str) -> Function:
        if name not in _KNOWN:
            raise self._invalid(f"Invalid function name; function: {name}")
        updates = self._what == "UpdateExpression"
        if (name in _UPDATE_FUNCTIONS) != updates:
            raise self._misused(name)
        self._depth += 1
        if self._depth > _DEEPEST:
            raise self._invalid("The expression nested too deeply;")
        self._at += 2
        arguments = self.separated(self._update_operand if updates else lambda: self._operand(self._term()))
        self._expect(")")
        self._depth -= 1
        if len(arguments) != _KNOWN[name]:
            raise self._wrong_count(name, len(arguments))
        if name.startswith(("attribute_exists", "attribute_not_exists", "if_not")) and not isinstance(
            arguments[0], Path
        ):
            raise self._invalid(f"Operator or function requires a document path; operator or function: {name}")
        return Function(name, tuple(arguments))

    def _is_word(self, word: str) -> bool:
        return self._tokens[self._at].upper == word

    def _operator(self) -> None:
        self._at += 1
        self._operators += 1
        if self._operators > _MOST_OPERATORS:
            raise self._invalid(
                "The expression contains too many operators; operator count: "
                f"{self._operators}, maximum allowed: {_MOST_OPERATORS}"
            )

    def _expect(self, kind: str) -> None:
        if self._tokens[self._at].kind != kind:
            raise self._unexpected()
        self._at += 1

    def _unexpected(self) -> AwsError:
        token = self._tokens[self._at]
        before = self._tokens[max(self._at - 1, 0)]
        after = self._tokens[min(self._at + 1, len(self._tokens) - 1)]
        return syntax_error(self._what, self._text, token.text, before.start, after.end)

    def _invalid(self, message: str) -> AwsError:
        return validation(f"Invalid {self._what}: {message}")

    def _misused(self, name: str) -> AwsError:
        return self._invalid(f"The function is not allowed to be used this way in an expression; function: {name}")

    def _wrong_count(self, name: str, count: int) -> AwsError:
        return self._invalid(
            "Incorrect number of operands for operator or function; "
            f"operator or function: {name}, number of operands: {count}"
        )
