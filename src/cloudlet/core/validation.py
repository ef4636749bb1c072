"""Validation of an operation's input by its model, compiled once per shape into functions that look at nothing else.

What a rule is comes from the model; the words are those of AWS's own framework; which error code carries them is the
service's habit (`_codes`).
"""

from collections.abc import Callable, Mapping
from datetime import datetime
from functools import cache
from typing import Any, cast

from botocore.model import Shape

from cloudlet.core.errors import AwsError
from cloudlet.core.http import Body
from cloudlet.core.model import api_model, is_opaque, item_of, key_of, members_of, operation_model, value_of
from cloudlet.core.patterns import compiled_pattern
from cloudlet.core.validation_errors import Failure, validation_error

# Where a value stands: the path of its parent and its own step, joined only when something is wrong.
Path = tuple[Any, ...]
Check = Callable[[Any, Path, list[Failure]], None]


def validate_input(api: str, operation: str, params: dict[str, Any]) -> None:
    """Raises the API's validation error, with all that is wrong, if the parameters break a rule of the model.

    Values are as services get them: timestamps as datetimes, blobs as bytes, a streaming payload as a Body. Members
    that the model does not know are ignored; None counts as absent. Raises SerializationException for wrong types.
    """
    check = _input_check(api, operation)
    if check is None:
        return
    failures: list[Failure] = []
    check(params, (), failures)
    if failures:
        raise validation_error(api, operation, failures)


@cache
def _input_check(api: str, operation: str) -> Check | None:
    shape = operation_model(api, operation).input_shape
    return None if shape is None else _Compiler.of(api).structure(shape)


class _Compiler:
    """Turns the shapes of one API into checks."""

    def __init__(self, api: str) -> None:
        self._api = api
        self._structures: dict[str, Check] = {}

    @classmethod
    @cache
    def of(cls, api: str) -> "_Compiler":
        api_model(api)
        return cls(api)

    def check(self, shape: Shape) -> Check | None:
        """None for a shape whose values are not looked at."""
        if is_opaque(self._api, shape) or shape.serialization.get("eventstream") or shape.metadata.get("document"):
            return None
        if shape.type_name == "structure":
            return self._structure_once(shape)
        if shape.type_name == "list":
            return self._list(shape)
        if shape.type_name == "map":
            return self._map(shape)
        return _scalar(shape)

    def structure(self, shape: Shape) -> Check:
        checks: dict[str, tuple[str, Check]] = {}
        for name, member in members_of(shape).items():
            check = self.check(member)
            if check is not None:
                checks[name] = (_camel(name), check)
        required = tuple(shape.metadata.get("required", ()))
        members = members_of(shape)

        def check_structure(value: Any, path: Path, failures: list[Failure]) -> None:
            if not isinstance(value, dict):
                raise _wrong_type(value, "structure")
            given = cast("dict[str, Any]", value)
            for name in required:
                if given.get(name) is None:
                    step = (path, _camel(name))
                    failures.append(Failure(step, name, members[name], None, "null", "Member must not be null"))
            for name, member_value in given.items():
                found = checks.get(name)
                if found is not None and member_value is not None:
                    found[1](member_value, (path, found[0]), failures)

        return check_structure

    def _structure_once(self, shape: Shape) -> Check:
        """A structure may hold itself: its check is looked up when it runs."""
        name = shape.name
        if name not in self._structures:
            self._structures[name] = lambda value, path, failures: self._structures[name](value, path, failures)
            self._structures[name] = self.structure(shape)
        return self._structures[name]

    def _list(self, shape: Shape) -> Check:
        length = _length_rules(shape)
        item = item_of(shape)
        check = self.check(item)
        scalar = item.type_name not in ("structure", "list", "map")

        def check_list(value: Any, path: Path, failures: list[Failure]) -> None:
            if not isinstance(value, list | tuple):
                raise _wrong_type(value, "list")
            elements = cast("list[Any]", value)
            for broken, rule in length:
                if broken(elements):
                    failures.append(Failure(path, "", shape, elements, "length", rule))
            if check is None:
                return
            if not scalar:
                for number, element in enumerate(elements, 1):
                    _not_null(element, (path, f"{number}.member"), shape, failures)
                    if element is not None:
                        check(element, (path, f"{number}.member"), failures)
                return
            broken_items: list[Failure] = []
            for element in elements:
                if element is None:
                    raise _wrong_type(element, item.type_name)
                check(element, path, broken_items)
            if broken_items:
                failures.append(_of_elements("Member", item, elements, path, broken_items[0]))

        return check_list

    def _map(self, shape: Shape) -> Check:
        length = _length_rules(shape)
        key, item = key_of(shape), value_of(shape)
        check_key = _scalar(key)
        check_value = self.check(item)
        scalar = item.type_name not in ("structure", "list", "map")

        def check_map(value: Any, path: Path, failures: list[Failure]) -> None:
            if not isinstance(value, dict):
                raise _wrong_type(value, "map")
            entries = cast("dict[Any, Any]", value)
            for broken, rule in length:
                if broken(entries):
                    failures.append(Failure(path, "", shape, entries, "length", rule))
            broken_keys: list[Failure] = []
            broken_values: list[Failure] = []
            for name, element in entries.items():
                check_key(name, path, broken_keys)
                if check_value is not None and element is not None:
                    if scalar:
                        check_value(element, path, broken_values)
                    else:
                        check_value(element, ((path, str(name)), "member"), failures)
            if broken_keys:
                failures.append(_of_elements("Map keys", key, entries, path, broken_keys[0]))
            if broken_values:
                failures.append(_of_elements("Map value", item, entries, path, broken_values[0]))

        return check_map


def _not_null(element: Any, path: Path, shape: Shape, failures: list[Failure]) -> None:
    if element is None:
        failures.append(Failure(path, "", shape, None, "null", "Member must not be null"))


def _of_elements(what: str, shape: Shape, value: Any, path: Path, first: Failure) -> Failure:
    """AWS names the whole collection and all the rules for its scalar elements, not the element."""
    rules = ", ".join(rule for _, rule in _rules(shape))
    return Failure(path, "", shape, value, first.kind, f"{what} must satisfy constraint: [{rules}]", first.value)


Rule = tuple[Callable[[Any], bool], str]


def _scalar(shape: Shape) -> Check:
    accepted, rules = _ACCEPTED.get(shape.type_name, (object,)), _rules(shape)
    kind = shape.type_name
    numeric = kind in ("integer", "long")
    kinds = {rule: _kind(rule) for _, rule in rules}

    def check_type(value: Any, path: Path, failures: list[Failure]) -> None:
        if not isinstance(value, accepted):
            raise _wrong_type(value, kind)

    def check_scalar(value: Any, path: Path, failures: list[Failure]) -> None:
        if not isinstance(value, accepted) or (numeric and isinstance(value, bool)):
            raise _wrong_type(value, kind)
        for broken, rule in rules:
            if broken(value):
                failures.append(Failure(path, "", shape, value, kinds[rule], rule))

    return check_scalar if rules or numeric else check_type


_ACCEPTED: Mapping[str, tuple[type, ...]] = {
    "string": (str,),
    "character": (str,),
    "blob": (bytes, bytearray, memoryview, str, Body),
    "boolean": (bool,),
    "integer": (int,),
    "long": (int,),
    "float": (int, float),
    "double": (int, float),
    "timestamp": (datetime, int, float),
}


def _kind(rule: str) -> str:
    return "enum" if "enum value set" in rule else "pattern" if "regular expression" in rule else "length"


def _rules(shape: Shape) -> tuple[Rule, ...]:
    """What is broken when its function says True, and the rule in AWS's words."""
    if shape.type_name in ("string", "blob", "list", "map"):
        rules = _length_rules(shape)
        pattern = _pattern_rule(shape)
        enum = _enum_rule(shape)
        return (*rules, *pattern, *enum)
    if shape.type_name in ("integer", "long", "float", "double"):
        return _value_rules(shape)
    return ()


def _length_rules(shape: Shape) -> tuple[Rule, ...]:
    rules: list[Rule] = []
    largest, smallest = shape.metadata.get("max"), shape.metadata.get("min")
    if largest is not None:
        limit = int(largest)
        rules.append((lambda value: _length(value) > limit, f"Member must have length less than or equal to {limit}"))
    if smallest is not None and int(smallest) > 0:
        least = int(smallest)
        rules.append(
            (lambda value: _length(value) < least, f"Member must have length greater than or equal to {least}")
        )
    return tuple(rules)


def _length(value: Any) -> int:
    return (value.length or 1) if isinstance(value, Body) else len(value)


def _value_rules(shape: Shape) -> tuple[Rule, ...]:
    rules: list[Rule] = []
    largest, smallest = shape.metadata.get("max"), shape.metadata.get("min")
    if largest is not None:
        rules.append((lambda value: value > largest, f"Member must have value less than or equal to {largest}"))
    if smallest is not None:
        rules.append((lambda value: value < smallest, f"Member must have value greater than or equal to {smallest}"))
    return tuple(rules)


def _pattern_rule(shape: Shape) -> tuple[Rule, ...]:
    text = shape.metadata.get("pattern")
    if text is None or shape.type_name != "string":
        return ()
    pattern = compiled_pattern(text)
    if pattern is None:
        return ()
    matches = pattern.fullmatch
    return ((lambda value: matches(value) is None, f"Member must satisfy regular expression pattern: {text}"),)


# S3 takes `prefix` and gives `Prefix` back; what it gave it takes again.
_ENUMS_IN_ANY_CASE = frozenset({"FilterRuleName"})
# SQS gave a message's own attributes under AttributeNames before it had a parameter for them, and still does.
_ENUMS_WITH_MORE: Mapping[str, frozenset[str]] = {
    "QueueAttributeName": frozenset(
        {
            "ApproximateFirstReceiveTimestamp",
            "ApproximateReceiveCount",
            "AWSTraceHeader",
            "DeadLetterQueueSourceArn",
            "MessageDeduplicationId",
            "MessageGroupId",
            "SenderId",
            "SentTimestamp",
            "SequenceNumber",
        }
    )
}


def _enum_rule(shape: Shape) -> tuple[Rule, ...]:
    values = shape.metadata.get("enum")
    if not values or shape.type_name != "string":
        return ()
    rule = f"Member must satisfy enum value set: [{', '.join(values)}]"
    if shape.name in _ENUMS_IN_ANY_CASE:
        lowered = frozenset(value.lower() for value in values)
        return ((lambda value: value.lower() not in lowered, rule),)
    allowed = frozenset(values) | _ENUMS_WITH_MORE.get(shape.name, frozenset())
    return ((lambda value: value not in allowed, rule),)


def _wrong_type(value: Any, expected: str) -> AwsError:
    if isinstance(value, dict):
        message = "Start of structure or map found where not expected"
    elif isinstance(value, list):
        message = "Start of list found where not expected"
    elif expected in ("structure", "map", "list"):
        message = "Unexpected field type"
    else:
        message = f"{_json_kind(value)} cannot be converted to {_JAVA_TYPES.get(expected, expected.capitalize())}"
    return AwsError("SerializationException", message)


_JAVA_TYPES = {"blob": "ByteBuffer", "timestamp": "Timestamp"}


def _json_kind(value: Any) -> str:
    if isinstance(value, bool):
        return "TRUE_VALUE" if value else "FALSE_VALUE"
    if isinstance(value, str):
        return "STRING_VALUE"
    if value is None:
        return "NULL_VALUE"
    return "DECIMAL_VALUE" if isinstance(value, float) else "NUMBER_VALUE"


def _camel(name: str) -> str:
    """`TableName` → `tableName`; `SSESpecification` → `sSESpecification`, as AWS's framework has it."""
    return name[:1].lower() + name[1:]
