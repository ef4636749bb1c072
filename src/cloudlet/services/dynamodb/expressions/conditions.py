"""Conditions: checked against a request's values, evaluated against items."""

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

from cloudlet.core.errors import AwsError
from cloudlet.services.dynamodb.errors import validation
from cloudlet.services.dynamodb.expressions.nodes import (
    And,
    Between,
    Comparison,
    Condition,
    Function,
    Membership,
    Not,
    Operand,
    Or,
    Path,
    ValueRef,
)
from cloudlet.services.dynamodb.expressions.parser import parse_condition
from cloudlet.services.dynamodb.expressions.paths import shown as shown_path
from cloudlet.services.dynamodb.expressions.paths import value_at
from cloudlet.services.dynamodb.expressions.placeholders import Placeholders
from cloudlet.services.dynamodb.values import Item, Value, binary, kind_of

_TYPES = frozenset(("B", "NULL", "SS", "BOOL", "L", "BS", "N", "NS", "S", "M"))
_SCALARS = frozenset(("S", "N", "B"))
_SIZELESS = frozenset(("N", "BOOL", "NULL"))


class BoundCondition:
    """A condition with the values of its request."""

    __slots__ = ("_placeholders", "tree")

    def __init__(self, tree: Condition, placeholders: Placeholders) -> None:
        self.tree = tree
        self._placeholders = placeholders

    @classmethod
    def of(cls, text: str, what: str, placeholders: Placeholders) -> "BoundCondition":
        """Raises ValidationException for what is wrong whatever the item is."""
        parsed = parse_condition(text, what)
        placeholders.use(parsed)
        _Check(what, placeholders).condition(parsed.tree)
        return cls(parsed.tree, placeholders)

    def holds(self, item: Item) -> bool:
        """`item` is empty if there is none."""
        return _holds(self.tree, item, self._placeholders)

    def attributes(self) -> set[str]:
        """The top-level attributes that it looks at."""
        found: set[str] = set()
        _collect(self.tree, self._placeholders, found)
        return found


def _collect(node: Any, placeholders: Placeholders, found: set[str]) -> None:
    if isinstance(node, Path):
        found.add(str(placeholders.steps(node)[0]))
    elif isinstance(node, And | Or | Comparison):
        _collect(node.left, placeholders, found)
        _collect(node.right, placeholders, found)
    elif isinstance(node, Not):
        _collect(node.condition, placeholders, found)
    elif isinstance(node, Between):
        for operand in (node.operand, node.low, node.high):
            _collect(operand, placeholders, found)
    elif isinstance(node, Membership):
        for operand in (node.operand, *node.options):
            _collect(operand, placeholders, found)
    elif isinstance(node, Function):
        for operand in node.arguments:
            _collect(operand, placeholders, found)


def _holds(node: Condition, item: Item, placeholders: Placeholders) -> bool:
    if isinstance(node, Comparison):
        left, right = _value(node.left, item, placeholders), _value(node.right, item, placeholders)
        return _COMPARE[node.operator](left, right)
    if isinstance(node, And):
        return _holds(node.left, item, placeholders) and _holds(node.right, item, placeholders)
    if isinstance(node, Or):
        return _holds(node.left, item, placeholders) or _holds(node.right, item, placeholders)
    if isinstance(node, Not):
        return not _holds(node.condition, item, placeholders)
    if isinstance(node, Between):
        value = _value(node.operand, item, placeholders)
        low, high = _value(node.low, item, placeholders), _value(node.high, item, placeholders)
        return _ordered(low, value, "<=") and _ordered(value, high, "<=")
    if isinstance(node, Membership):
        value = _value(node.operand, item, placeholders)
        return value is not None and any(_value(each, item, placeholders) == value for each in node.options)
    values = [_value(each, item, placeholders) for each in node.arguments]
    return _PREDICATES[node.name](*values)


def _value(operand: Operand, item: Item, placeholders: Placeholders) -> Value | None:
    if isinstance(operand, Path):
        return value_at(item, placeholders.steps(operand))
    if isinstance(operand, ValueRef):
        return placeholders.values[operand.name]
    assert isinstance(operand, Function)
    return _size(_value(operand.arguments[0], item, placeholders))


def _size(value: Value | None) -> Value | None:
    if value is None:
        return None
    ((kind, content),) = value.items()
    if kind in _SIZELESS:
        return None
    return {"N": str(len(binary(content)) if kind == "B" else len(content))}


def _ordered(left: Value | None, right: Value | None, operator: str) -> bool:
    """Compares scalars of the same type; all else is in no order."""
    if left is None or right is None:
        return False
    kind = kind_of(left)
    if kind not in _SCALARS or kind not in right:
        return False
    one, other = _comparable(left), _comparable(right)
    if operator == "<":
        return one < other
    if operator == "<=":
        return one <= other
    return one > other if operator == ">" else one >= other


def in_order(low: Value, high: Value) -> bool:
    """Whether two scalars of the same type are in order, or equal."""
    return _ordered(low, high, "<=")


def _comparable(value: Value) -> Any:
    ((kind, content),) = value.items()
    # Python's order of texts, by code point, is that of their UTF-8 bytes.
    return Decimal(content) if kind == "N" else binary(content) if kind == "B" else content


_COMPARE: Mapping[str, Callable[[Value | None, Value | None], bool]] = {
    "=": lambda left, right: left is not None and left == right,
    "<>": lambda left, right: left is None or left != right,
    "<": lambda left, right: _ordered(left, right, "<"),
    "<=": lambda left, right: _ordered(left, right, "<="),
    ">": lambda left, right: _ordered(left, right, ">"),
    ">=": lambda left, right: _ordered(left, right, ">="),
}


def _begins_with(value: Value | None, prefix: Value | None) -> bool:
    if value is None or prefix is None:
        return False
    if "S" in value and "S" in prefix:
        return value["S"].startswith(prefix["S"])
    return "B" in value and "B" in prefix and binary(value["B"]).startswith(binary(prefix["B"]))


def contains(value: Value | None, wanted: Value | None) -> bool:
    """Part of a string or of bytes, element of a set or list."""
    if value is None or wanted is None:
        return False
    ((kind, content),) = value.items()
    ((wanted_kind, wanted_content),) = wanted.items()
    if kind == "L":
        return wanted in content
    if kind in ("SS", "NS", "BS"):
        return wanted_kind == kind[0] and wanted_content in content
    if kind != wanted_kind:
        return False
    if kind == "B":
        return binary(wanted_content) in binary(content)
    return kind == "S" and wanted_content in content


_PREDICATES: Mapping[str, Callable[..., bool]] = {
    "attribute_exists": lambda value: value is not None,
    "attribute_not_exists": lambda value: value is None,
    "attribute_type": lambda value, kind: value is not None and kind is not None and kind.get("S") in value,
    "begins_with": _begins_with,
    "contains": contains,
}


class _Check:
    """What AWS refuses by the values of the request alone."""

    def __init__(self, what: str, placeholders: Placeholders) -> None:
        self._what = what
        self._placeholders = placeholders

    def condition(self, node: Condition) -> None:
        if isinstance(node, And | Or):
            self.condition(node.left)
            self.condition(node.right)
        elif isinstance(node, Not):
            self.condition(node.condition)
        elif isinstance(node, Comparison):
            self._distinct(node.operator, node.left, (node.right,))
            for operand in (node.left, node.right):
                self._operand(operand)
                if node.operator not in ("=", "<>"):
                    self._scalar(node.operator, operand)
        elif isinstance(node, Between):
            self._between(node)
        elif isinstance(node, Membership):
            self._distinct("IN", node.operand, node.options)
            for operand in (node.operand, *node.options):
                self._operand(operand)
        else:
            self._function(node)

    def _between(self, node: Between) -> None:
        for operand in (node.operand, node.low, node.high):
            self._operand(operand)
            self._scalar("BETWEEN", operand)
        low, high = self._constant(node.low), self._constant(node.high)
        if low is None or high is None:
            return
        if kind_of(low) != kind_of(high):
            rule = "The BETWEEN operator requires same data type for lower and upper bounds"
        elif not _ordered(low, high, "<="):
            rule = "The BETWEEN operator requires upper bound to be greater than or equal to lower bound"
        else:
            return
        raise self._invalid(
            f"{rule}; lower bound operand: AttributeValue: {shown(low)}, "
            f"upper bound operand: AttributeValue: {shown(high)}"
        )

    def _function(self, node: Function) -> None:
        for operand in node.arguments:
            self._operand(operand)
        if len(node.arguments) < 2:
            return
        if node.name != "attribute_type":
            self._distinct(node.name, node.arguments[0], node.arguments[1:], "operator or function")
        constant = self._constant(node.arguments[1])
        if node.name == "begins_with":
            for operand in node.arguments:
                value = self._constant(operand)
                if value is not None and kind_of(value) not in ("S", "B"):
                    raise self._wrong_type(node.name, kind_of(value))
        elif node.name == "attribute_type":
            if constant is None:
                raise self._invalid(
                    "Incorrect operand type for operator or function; operator or function: attribute_type, "
                    "operand type: {NULL}"
                )
            if "S" not in constant:
                raise self._wrong_type(node.name, kind_of(constant))
            if constant["S"] not in _TYPES:
                raise self._invalid(
                    f"Invalid attribute type name found; type: {constant['S']}, "
                    "valid types: {B,NULL,SS,BOOL,L,BS,N,NS,S,M}"
                )

    def _operand(self, operand: Operand) -> None:
        if not isinstance(operand, Function):
            return
        (inner,) = operand.arguments
        if isinstance(inner, Function):
            raise self._invalid(
                f"The function is not allowed to be used this way in an expression; function: {inner.name}"
            )
        constant = self._constant(inner)
        if constant is not None and kind_of(constant) in _SIZELESS:
            raise self._wrong_type("size", kind_of(constant))

    def _distinct(self, name: str, first: Operand, others: tuple[Operand, ...], word: str = "operator") -> None:
        if isinstance(first, Path):
            steps = self._placeholders.steps(first)
            if any(isinstance(each, Path) and self._placeholders.steps(each) == steps for each in others):
                raise self._invalid(
                    "The first operand must be distinct from the remaining operands for this operator or function; "
                    f"{word}: {name}, first operand: {shown_path(steps)}"
                )

    def _scalar(self, operator: str, operand: Operand) -> None:
        constant = self._constant(operand)
        if constant is not None and kind_of(constant) not in _SCALARS:
            raise self._wrong_type(operator, kind_of(constant), "operator")

    def _constant(self, operand: Operand) -> Value | None:
        return self._placeholders.values[operand.name] if isinstance(operand, ValueRef) else None

    def _wrong_type(self, name: str, kind: str, word: str = "operator or function") -> AwsError:
        return self._invalid(f"Incorrect operand type for operator or function; {word}: {name}, operand type: {kind}")

    def _invalid(self, message: str) -> AwsError:
        return validation(f"Invalid {self._what}: {message}")


def shown(value: Value) -> str:
    """A value as AWS prints it in errors."""
    ((kind, content),) = value.items()
    return f"{{{kind}:{content}}}"
