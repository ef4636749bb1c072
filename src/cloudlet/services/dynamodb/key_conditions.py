"""Key conditions of queries: which partition, and which range of sort keys."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from cloudlet.core.errors import AwsError
from cloudlet.services.dynamodb.errors import invalid_values, validation
from cloudlet.services.dynamodb.expressions.conditions import BoundCondition
from cloudlet.services.dynamodb.expressions.nodes import And, Between, Comparison, Condition, Function, Path, ValueRef
from cloudlet.services.dynamodb.expressions.placeholders import Placeholders
from cloudlet.services.dynamodb.keys import KeySchema, after_all, beginnings, joined, partition
from cloudlet.services.dynamodb.values import Value, kind_of

# Attribute, operator (=, <, <=, >, >=, BETWEEN, begins_with), values.
Row = tuple[str, str, list[Value]]
_MIRRORED = {"=": "=", "<": ">", "<=": ">=", ">": "<", ">=": "<="}


@dataclass(frozen=True, slots=True)
class KeyRange:
    """The partition, and the sort keys from `low` up to `high` (not itself; None: to the end)."""

    partition: bytes
    hash_values: tuple[Value, ...]
    low: bytes = b""
    high: bytes | None = None

    def holds(self, sort: bytes) -> bool:
        return self.low <= sort and (self.high is None or sort < self.high)


def rows_of_expression(text: str, placeholders: Placeholders) -> list[Row]:
    """Raises ValidationException for a condition of any other form than those of keys."""
    bound = BoundCondition.of(text, "KeyConditionExpression", placeholders)
    rows = [_row(each, placeholders) for each in _flat(bound.tree)]
    names = [name for name, _, _ in rows]
    if len(set(names)) != len(names):
        raise _invalid("KeyConditionExpressions must only contain one condition per key")
    return rows


def _flat(tree: Condition) -> Iterable[Condition]:
    if isinstance(tree, And):
        yield from _flat(tree.left)
        yield from _flat(tree.right)
    else:
        yield tree


def _row(condition: Condition, placeholders: Placeholders) -> Row:
    if isinstance(condition, Comparison) and condition.operator in _MIRRORED:
        operator, left, right = condition.operator, condition.left, condition.right
        if isinstance(left, ValueRef):
            operator, left, right = _MIRRORED[operator], right, left
        return _attribute(left, placeholders), operator, [_constant(right, placeholders)]
    if isinstance(condition, Between):
        bounds = [_constant(condition.low, placeholders), _constant(condition.high, placeholders)]
        return _attribute(condition.operand, placeholders), "BETWEEN", bounds
    if isinstance(condition, Function) and condition.name == "begins_with":
        first, second = condition.arguments
        return _attribute(first, placeholders), "begins_with", [_constant(second, placeholders)]
    name = getattr(condition, "operator", None) or getattr(condition, "name", None) or _WORDS[type(condition).__name__]
    raise _invalid(f"Invalid operator used in KeyConditionExpression: {name}")


_WORDS = {"Or": "OR", "Not": "NOT", "Membership": "IN"}


def _attribute(operand: Any, placeholders: Placeholders) -> str:
    if isinstance(operand, Path):
        name, *nested = placeholders.steps(operand)
        if nested:
            raise _invalid("KeyConditionExpressions cannot have conditions on nested attributes")
        return str(name)
    if isinstance(operand, Function):
        raise _invalid("KeyConditionExpressions cannot contain nested operations")
    raise _invalid("KeyConditionExpressions must have a key attribute on one side")


def _constant(operand: Any, placeholders: Placeholders) -> Value:
    if not isinstance(operand, ValueRef):
        if isinstance(operand, Path):
            raise _invalid(
                "Invalid condition in KeyConditionExpression: Multiple attribute names used in one condition"
            )
        raise _invalid("KeyConditionExpressions cannot contain nested operations")
    return placeholders.values[operand.name]


def _invalid(message: str) -> AwsError:
    return validation(f"Invalid KeyConditionExpression: {message}")


def key_range(schema: KeySchema, rows: list[Row]) -> KeyRange:
    """Raises ValidationException for conditions that do not name one partition and one range of it."""
    given = {name: (operator, values) for name, operator, values in rows}
    _check_names(schema, given)
    hash_values: list[Value] = []
    for name in schema.hash:
        operator, values = given[name]
        if operator != "=":
            raise validation("Query key condition not supported")
        _check_value(schema, name, values)
        hash_values.append(values[0])
    low, high = _sort_range(schema, given)
    return KeyRange(partition(joined(hash_values)), tuple(hash_values), low, high)


def _check_names(schema: KeySchema, given: dict[str, tuple[str, list[Value]]]) -> None:
    unknown = [name for name in given if name not in schema.names]
    if len(schema.names) > 2 and any(given.get(name, ("",))[0] != "=" for name in schema.hash):
        raise validation(
            "Query key condition not supported: all HASH key attributes "
            f"({', '.join(schema.hash)}) need equality conditions"
        )
    for name in schema.hash:
        if name not in given:
            raise validation(f"Query condition missed key schema element: {name}")
    if not unknown:
        return
    missing = next((name for name in schema.range if name not in given), None)
    if missing is not None and len(given) <= len(schema.names):
        raise validation(f"Query condition missed key schema element: {missing}")
    raise validation(
        "Conditions can be of length 1 or 2 only" if len(given) > 2 else "Query key condition not supported"
    )


def _check_value(schema: KeySchema, name: str, values: list[Value]) -> None:
    kind = schema.types[name]
    for value in values:
        if kind not in value:
            raise invalid_values("Condition parameter type does not match schema type")
        if not value[kind]:
            raise invalid_values(
                f"One or more parameter values are not valid. The AttributeValue for a key attribute cannot contain "
                f"an empty {'string' if kind == 'S' else 'binary'} value. Key: {name}"
            )


def _sort_range(schema: KeySchema, given: dict[str, tuple[str, list[Value]]]) -> tuple[bytes, bytes | None]:
    """Equality on the first sort key attributes, any operator on the next; the others must be left out."""
    width = len(schema.range)
    equal: list[Value] = []
    for position, name in enumerate(schema.range):
        if name not in given:
            if any(later in given for later in schema.range[position:]):
                raise _gap(schema)
            break
        operator, values = given[name]
        _check_value(schema, name, values)
        if operator != "=":
            if any(later in given for later in schema.range[position + 1 :]):
                raise _gap(schema)
            return _bounds(equal, operator, values, width)
        equal.append(values[0])
    if not equal:
        return b"", None
    start = beginnings(equal, False, width)
    return start, _after(start, width)


def _gap(schema: KeySchema) -> AwsError:
    return validation(
        f"Query key condition not supported: of the RANGE key attributes ({', '.join(schema.range)}) all before the "
        "last that has a condition need equality conditions"
    )


def _bounds(equal: list[Value], operator: str, values: list[Value], width: int) -> tuple[bytes, bytes | None]:
    first = beginnings([*equal, values[0]], operator == "begins_with", width)
    start = beginnings(equal, False, width) if equal else b""
    end = after_all(start) if equal else None
    if operator == "begins_with":
        if kind_of(values[0]) == "N":
            raise validation("Query key condition not supported")
        return first, after_all(first)
    if operator == "BETWEEN":
        return first, _after(beginnings([*equal, values[1]], False, width), width)
    if operator == "<":
        return start, first
    if operator == "<=":
        return start, _after(first, width)
    return (first if operator == ">=" else _after(first, width) or b""), end


def _after(encoded: bytes, width: int) -> bytes | None:
    """The first bytes after all keys that begin so: a single key is only itself, a composite may go on."""
    return encoded + b"\x00" if width == 1 else after_all(encoded)
