"""Update expressions: checked against a request's values, applied to items."""

from collections.abc import Iterable, Sequence
from typing import Any

from cloudlet.core.errors import AwsError
from cloudlet.services.dynamodb import numbers
from cloudlet.services.dynamodb.errors import invalid_values, validation
from cloudlet.services.dynamodb.expressions.nodes import (
    Action,
    AddAction,
    Arithmetic,
    DeleteAction,
    Function,
    Operand,
    Path,
    RemoveAction,
    SetAction,
    ValueRef,
)
from cloudlet.services.dynamodb.expressions.parser import parse_update
from cloudlet.services.dynamodb.expressions.paths import Steps, check_disjoint, child, value_at
from cloudlet.services.dynamodb.expressions.placeholders import Placeholders
from cloudlet.services.dynamodb.expressions.projections import Projection
from cloudlet.services.dynamodb.values import Item, Value, kind_of, ordered

_LONG_NAMES = {
    "S": "STRING",
    "N": "NUMBER",
    "B": "BINARY",
    "SS": "STRING_SET",
    "NS": "NUMBER_SET",
    "BS": "BINARY_SET",
    "BOOL": "BOOLEAN",
    "NULL": "NULL",
    "L": "LIST",
    "M": "MAP",
}
_SETS = frozenset(("SS", "NS", "BS"))


class BoundUpdate:
    """Actions with the values of their request."""

    __slots__ = ("_legacy", "_placeholders", "actions", "projection")

    def __init__(self, actions: Sequence[Action], placeholders: Placeholders, *, legacy: bool = False) -> None:
        """`legacy`: of AttributeUpdates, which have their own words for a wrong type."""
        self._placeholders = placeholders
        self.actions = [(placeholders.steps(action.path), action) for action in actions]
        self._legacy = legacy
        check_disjoint((steps for steps, _ in self.actions), "UpdateExpression")
        self.projection = Projection(steps for steps, _ in self.actions) if actions else None

    @classmethod
    def of(cls, text: str, placeholders: Placeholders) -> "BoundUpdate":
        """Raises ValidationException for what is wrong whatever the item is."""
        parsed = parse_update(text, "UpdateExpression")
        placeholders.use(parsed)
        for action in parsed.tree:
            _check(action, placeholders)
        return cls(parsed.tree, placeholders)

    def check_keys(self, key_names: Iterable[str]) -> None:
        names = frozenset(key_names)
        for steps, _ in self.actions:
            if steps[0] in names:
                raise invalid_values(f"Cannot update attribute {steps[0]}. This attribute is part of the key")

    def apply(self, old: Item, new: Item) -> None:
        """Changes `new`, a copy of `old` that shares nothing with it. All actions see the old item.

        Raises ValidationException where the item does not allow it.
        """
        removals: list[Steps] = []
        changes: list[tuple[Steps, Value]] = []
        for steps, action in self.actions:
            value = self._result(steps, action, old)
            if value is None:
                removals.append(steps)
            else:
                changes.append((steps, value))
        for steps, value in sorted(changes, key=lambda change: change[0]):
            _put(new, steps, value)
        for steps in sorted(removals, reverse=True):
            _remove(new, steps)

    def makes_item(self) -> bool:
        """Whether it brings an item into being where there is none: removing from nothing leaves nothing."""
        return not self.actions or any(isinstance(action, SetAction | AddAction) for _, action in self.actions)

    def _result(self, steps: Steps, action: Action, old: Item) -> Value | None:
        """What an action leaves at its path; None for nothing."""
        if isinstance(action, SetAction):
            return self._operand(action.value, old)
        if isinstance(action, RemoveAction):
            return None
        present = value_at(old, steps)
        operand = self._placeholders.values[action.value.name]
        if isinstance(action, AddAction):
            return operand if present is None else self._sum(present, operand)
        return None if present is None else self._without(present, operand)

    def _sum(self, present: Value, operand: Value) -> Value:
        kind = kind_of(operand)
        if kind not in present:
            raise self._mismatch()
        if kind == "N":
            return {"N": numbers.added(present["N"], operand["N"])}
        if kind == "L":
            return {"L": present["L"] + operand["L"]}
        return {kind: ordered(list({*present[kind], *operand[kind]}), kind)}

    def _without(self, present: Value, operand: Value) -> Value | None:
        kind = kind_of(operand)
        if kind not in present:
            raise self._mismatch()
        gone = set(operand[kind])
        left = [element for element in present[kind] if element not in gone]
        return {kind: left} if left else None

    def _mismatch(self) -> AwsError:
        return invalid_values("Type mismatch for attribute to update") if self._legacy else _wrong_operand()

    def _operand(self, operand: Operand, old: Item) -> Value:
        if isinstance(operand, ValueRef):
            return self._placeholders.values[operand.name]
        if isinstance(operand, Path):
            value = value_at(old, self._placeholders.steps(operand))
            if value is None:
                raise validation("The provided expression refers to an attribute that does not exist in the item")
            return value
        if isinstance(operand, Arithmetic):
            left, right = self._operand(operand.left, old), self._operand(operand.right, old)
            if "N" not in left or "N" not in right:
                raise _wrong_operand()
            calculate = numbers.added if operand.operator == "+" else numbers.subtracted
            return {"N": calculate(left["N"], right["N"])}
        return self._function(operand, old)

    def _function(self, function: Function, old: Item) -> Value:
        first, second = function.arguments
        if function.name == "if_not_exists":
            assert isinstance(first, Path)
            present = value_at(old, self._placeholders.steps(first))
            return self._operand(second, old) if present is None else present
        left, right = self._operand(first, old), self._operand(second, old)
        if "L" not in left or "L" not in right:
            raise _wrong_operand()
        return {"L": left["L"] + right["L"]}


def _parent(item: Item, steps: Steps) -> Value:
    value: Value | None = {"M": item}
    for step in steps[:-1]:
        value = None if value is None else child(value, step)
    if value is None or ("L" if type(steps[-1]) is int else "M") not in value:
        raise validation("The document path provided in the update expression is invalid for update")
    return value


def _put(item: Item, steps: Steps, value: Value) -> None:
    parent, last = _parent(item, steps), steps[-1]
    if type(last) is not int:
        parent["M"][last] = value
    elif last < len(parent["L"]):
        parent["L"][last] = value
    else:
        parent["L"].append(value)


def _remove(item: Item, steps: Steps) -> None:
    parent, last = _parent(item, steps), steps[-1]
    if type(last) is not int:
        parent["M"].pop(last, None)
    elif last < len(parent["L"]):
        del parent["L"][last]


def _wrong_operand() -> AwsError:
    return validation("An operand in the update expression has an incorrect data type")


def _check(action: Action, placeholders: Placeholders) -> None:
    """What AWS refuses by the values of the request alone."""
    if isinstance(action, SetAction):
        _check_operand(action.value, placeholders)
    elif isinstance(action, AddAction | DeleteAction):
        name, allowed = ("ADD", {*_SETS, "N"}) if isinstance(action, AddAction) else ("DELETE", _SETS)
        kind = kind_of(placeholders.values[action.value.name])
        if kind not in allowed:
            raise validation(
                f"Invalid UpdateExpression: Incorrect operand type for operator or function; operator: {name}, "
                f"operand type: {_LONG_NAMES[kind]}, typeSet: ALLOWED_FOR_{name}_OPERAND"
            )


def _check_operand(operand: Operand, placeholders: Placeholders) -> None:
    if isinstance(operand, Arithmetic):
        _check_constants(operand.operator, (operand.left, operand.right), "N", placeholders)
    elif isinstance(operand, Function):
        if operand.name == "list_append":
            if any(isinstance(each, Function) and each.name == "list_append" for each in operand.arguments):
                raise validation(
                    "Invalid UpdateExpression: The function is not allowed to be used this way in an expression; "
                    "function: list_append"
                )
            _check_constants(operand.name, operand.arguments, "L", placeholders)
        for argument in operand.arguments:
            _check_operand(argument, placeholders)


def _check_constants(name: str, operands: Iterable[Any], kind: str, placeholders: Placeholders) -> None:
    for operand in operands:
        _check_operand(operand, placeholders)
        if isinstance(operand, ValueRef):
            found = kind_of(placeholders.values[operand.name])
            if found != kind:
                raise validation(
                    "Invalid UpdateExpression: Incorrect operand type for operator or function; "
                    f"operator or function: {name}, operand type: {found}"
                )
