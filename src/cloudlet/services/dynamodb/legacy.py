"""The parameters from before expressions (Expected, AttributeUpdates, KeyConditions, filters), as the same trees."""

from collections.abc import Mapping, Sequence
from typing import Any

from cloudlet.core.errors import AwsError
from cloudlet.services.dynamodb.errors import invalid_values, validation
from cloudlet.services.dynamodb.expressions.conditions import BoundCondition, in_order, shown
from cloudlet.services.dynamodb.expressions.nodes import (
    Action,
    AddAction,
    And,
    Between,
    Comparison,
    Condition,
    DeleteAction,
    Function,
    Membership,
    Not,
    Or,
    Path,
    RemoveAction,
    SetAction,
    ValueRef,
)
from cloudlet.services.dynamodb.expressions.placeholders import Placeholders
from cloudlet.services.dynamodb.expressions.projections import Projection
from cloudlet.services.dynamodb.expressions.updates import BoundUpdate
from cloudlet.services.dynamodb.values import Value, kind_of, normalised

# Parameters of old and of new requests, which must not be mixed.
_OLD = (
    "AttributesToGet",
    "AttributeUpdates",
    "ConditionalOperator",
    "Expected",
    "KeyConditions",
    "QueryFilter",
    "ScanFilter",
)
_NEW = (
    "ConditionExpression",
    "FilterExpression",
    "KeyConditionExpression",
    "ProjectionExpression",
    "UpdateExpression",
)
_SYMBOLS = {"EQ": "=", "NE": "<>", "LT": "<", "LE": "<=", "GT": ">", "GE": ">="}
_COUNTS = {"NULL": 0, "NOT_NULL": 0, "BETWEEN": 2}
_SCALARS = frozenset(("S", "N", "B"))
_ADDABLE = frozenset(("N", "SS", "NS", "BS", "L"))
_SETS = frozenset(("SS", "NS", "BS"))


def check_not_mixed(params: Mapping[str, Any]) -> None:
    """Raises ValidationException for a request that has parameters of both kinds."""
    old = [name for name in _OLD if name in params]
    if not old:
        return
    new = [name for name in _NEW if name in params]
    # KeyConditions only exclude their own successor.
    clash = new if old != ["KeyConditions"] else [name for name in new if name == "KeyConditionExpression"]
    if clash:
        raise validation(
            "Can not use both expression and non-expression parameters in the same request: Non-expression "
            f"parameters: {{{', '.join(old)}}} Expression parameters: {{{', '.join(new)}}}"
        )
    if "ConditionalOperator" in params:
        conditions = next((params[name] for name in ("Expected", "QueryFilter", "ScanFilter") if name in params), None)
        if not conditions:
            raise validation(
                "ConditionalOperator cannot be used without Filter or Expected"
                if conditions is None
                else "ConditionalOperator can only be used when Filter or Expected has two or more elements"
            )


class _Values:
    """Makes up placeholders for values."""

    def __init__(self) -> None:
        self.placeholders = Placeholders()

    def add(self, value: Value) -> ValueRef:
        name = f":{len(self.placeholders.values)}"
        self.placeholders.values[name] = value
        return ValueRef(name)


def expected(given: Mapping[str, Mapping[str, Any]], operator: str) -> BoundCondition:
    values = _Values()
    return _all(values, [_expected(values, name, each) for name, each in given.items()], operator)


def filters(given: Mapping[str, Mapping[str, Any]], operator: str) -> BoundCondition | None:
    """QueryFilter or ScanFilter."""
    if not given:
        return None
    values = _Values()
    conditions = [
        _comparison(values, name, each["ComparisonOperator"], _checked(each["ComparisonOperator"], each))
        for name, each in given.items()
    ]
    return _all(values, conditions, operator)


def key_conditions(given: Mapping[str, Mapping[str, Any]]) -> list[tuple[str, str, list[Value]]]:
    """Attribute, operator as in KeyConditionExpression (=, <, BETWEEN, begins_with …) and values."""
    found: list[tuple[str, str, list[Value]]] = []
    for name, each in given.items():
        operator = each["ComparisonOperator"]
        values = _checked(operator, each)
        if operator in ("BEGINS_WITH", "BETWEEN"):
            found.append((name, {"BEGINS_WITH": "begins_with"}.get(operator, operator), values))
        elif operator in _SYMBOLS and operator != "NE":
            found.append((name, _SYMBOLS[operator], values))
        else:
            raise validation("Attempted conditional constraint is not an indexable operation")
    return found


def attributes_to_get(names: Sequence[str]) -> Projection:
    if "" in names:
        raise invalid_values("Empty attribute name")
    if len(set(names)) != len(names):
        duplicate = next(name for name in names if names.count(name) > 1)
        raise invalid_values(f"Duplicate value in attribute name: {duplicate}")
    return Projection((name,) for name in names)


def attribute_updates(given: Mapping[str, Mapping[str, Any]]) -> BoundUpdate:
    if "" in given:
        raise invalid_values("Empty attribute name")
    values = _Values()
    actions = [_action(values, name, each) for name, each in given.items()]
    return BoundUpdate(actions, values.placeholders, legacy=True)


def _action(values: _Values, name: str, given: Mapping[str, Any]) -> Action:
    action, path = given.get("Action", "PUT"), Path((name,))
    if "Value" not in given:
        if action != "DELETE":
            raise invalid_values("Only DELETE action is allowed when no attribute value is specified")
        return RemoveAction(path)
    value, _ = normalised(given["Value"])
    kind = kind_of(value)
    if action == "PUT":
        return SetAction(path, values.add(value))
    allowed = _ADDABLE if action == "ADD" else _SETS
    if kind not in allowed:
        raise invalid_values(f"{action} action with value is not supported for the type {kind}")
    return AddAction(path, values.add(value)) if action == "ADD" else DeleteAction(path, values.add(value))


def _all(values: _Values, conditions: list[Condition], operator: str) -> BoundCondition:
    tree = conditions[0]
    for each in conditions[1:]:
        tree = Or(tree, each) if operator == "OR" else And(tree, each)
    return BoundCondition(tree, values.placeholders)


def _expected(values: _Values, name: str, given: Mapping[str, Any]) -> Condition:
    if "ComparisonOperator" in given:
        if "Exists" in given:
            raise invalid_values(f"Exists and ComparisonOperator cannot be used together for Attribute: {name}")
        if "Value" in given and "AttributeValueList" in given:
            raise invalid_values(f"Value and AttributeValueList cannot be used together for Attribute: {name}")
        operator = given["ComparisonOperator"]
        return _comparison(values, name, operator, _checked(operator, given))
    if "AttributeValueList" in given:
        raise invalid_values(f"AttributeValueList can only be used with a ComparisonOperator for Attribute: {name}")
    if "Value" in given:
        if given.get("Exists", True) is False:
            raise invalid_values(f"Value cannot be used when Exists is false for Attribute: {name}")
        return _comparison(values, name, "EQ", [normalised(given["Value"])[0]])
    if "Exists" not in given:
        raise invalid_values(f"Value must be provided when Exists is null for Attribute: {name}")
    if given["Exists"]:
        raise invalid_values(f"Value must be provided when Exists is true for Attribute: {name}")
    return Function("attribute_not_exists", (Path((name,)),))


def _checked(operator: str, given: Mapping[str, Any]) -> list[Value]:
    """The values of a comparison, as many and of such types as the operator takes."""
    raw = given.get("AttributeValueList")
    if raw is None:
        raw = [given["Value"]] if "Value" in given else []
    found = [normalised(each)[0] for each in raw]
    wanted = _COUNTS.get(operator, 1)
    if (operator == "IN" and not found) or (operator != "IN" and len(found) != wanted):
        raise invalid_values(f"Invalid number of argument(s) for the {operator} ComparisonOperator")
    for value in found:
        _check_type(operator, value)
    if operator in ("IN", "BETWEEN") and len({kind_of(value) for value in found}) > 1:
        raise invalid_values("AttributeValues inside AttributeValueList must all be of the same type")
    if operator == "BETWEEN" and not in_order(*found):
        raise validation(
            "The BETWEEN condition was provided a range where the lower bound is greater than the upper bound: "
            f"lower bound operand: AttributeValue: {shown(found[0])}, "
            f"upper bound operand: AttributeValue: {shown(found[1])}"
        )
    return found


def _check_type(operator: str, value: Value) -> None:
    kind = kind_of(value)
    if operator in ("LT", "LE", "GT", "GE", "BETWEEN", "IN", "CONTAINS", "NOT_CONTAINS"):
        allowed = kind in _SCALARS or (operator.endswith("CONTAINS") and kind in ("BOOL", "NULL"))
    else:
        allowed = operator != "BEGINS_WITH" or kind in ("S", "B")
    if not allowed:
        raise _unsupported_type(operator)


def _unsupported_type(operator: str) -> AwsError:
    return invalid_values(f"ComparisonOperator {operator} is not valid for this AttributeValue type")


def _comparison(values: _Values, name: str, operator: str, given: list[Value]) -> Condition:
    path = Path((name,))
    if operator in _SYMBOLS:
        return Comparison(_SYMBOLS[operator], path, values.add(given[0]))
    if operator == "BETWEEN":
        return Between(path, values.add(given[0]), values.add(given[1]))
    if operator == "IN":
        return Membership(path, tuple(values.add(each) for each in given))
    if operator == "NULL":
        return Function("attribute_not_exists", (path,))
    if operator == "NOT_NULL":
        return Function("attribute_exists", (path,))
    if operator == "BEGINS_WITH":
        return Function("begins_with", (path, values.add(given[0])))
    contains = Function("contains", (path, values.add(given[0])))
    if operator == "CONTAINS":
        return contains
    return And(Function("attribute_exists", (path,)), Not(contains))
