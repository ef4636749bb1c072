"""Filter policies: which messages a subscription wants. Pure: a policy is compiled once, then asked per message."""

import ipaddress
import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any

from cloudlet.core.errors import AwsError
from cloudlet.core.wildcards import ANY, expression
from cloudlet.services.sns.errors import invalid_parameter

MESSAGE_ATTRIBUTES = "MessageAttributes"
MESSAGE_BODY = "MessageBody"

_LARGEST_POLICY = 256 * 1024
_MOST_KEYS = 5
_MOST_COMBINATIONS = 150
_LARGEST_NUMBER = 1_000_000_000
_ACCURACY = Decimal("0.00001")
_COMPARISONS: dict[str, Callable[[Decimal, Decimal], bool]] = {
    "=": lambda value, bound: value == bound,
    "<": lambda value, bound: value < bound,
    "<=": lambda value, bound: value <= bound,
    ">": lambda value, bound: value > bound,
    ">=": lambda value, bound: value >= bound,
}

# A value of a message: JSON's scalars, numbers as Decimal.
Scalar = str | Decimal | bool | None
# Whether one value of a message is wanted.
Test = Callable[[Scalar], bool]
# Whether an object of a message is wanted: its attributes, its body or an object within.
Match = Callable[[Mapping[str, Any]], bool]


@dataclass(frozen=True, slots=True)
class FilterPolicy:
    """A compiled policy. `scope` says whether it is about the message's attributes or its JSON body."""

    scope: str
    match: Match

    def accepts(self, attributes: Mapping[str, Mapping[str, Any]], body: str) -> bool:
        """`attributes` as in Publish (`{"DataType": …, "StringValue": …}`)."""
        if self.scope == MESSAGE_ATTRIBUTES:
            return self.match(attribute_values(attributes))
        try:
            document = _parse(body)
        except ValueError:
            return False
        return isinstance(document, dict) and self.match(document)


def compile_policy(text: str, scope: str) -> FilterPolicy | None:
    """None for a policy that lets everything pass (`{}`). Raises InvalidParameter for one that breaks a rule."""
    if len(text.encode()) > _LARGEST_POLICY:
        raise _invalid("Filter policy is larger than 256 KB")
    try:
        policy = _parse(text)
    except ValueError:
        raise _invalid("failed to parse JSON.") from None
    if not isinstance(policy, dict):
        raise _invalid("Filter policy must be an object")
    if not policy:
        return None
    leaves = list(_leaves(policy, 1))
    if len({path for path, _, _ in leaves}) > _MOST_KEYS:
        raise _invalid("Filter policy can not have more than 5 keys")
    match = _compile_object(policy, scope)
    combinations = 1
    for _, depth, size in leaves:
        combinations *= depth * size
    if combinations > _MOST_COMBINATIONS:
        raise _too_complex()
    return FilterPolicy(scope, match)


def attribute_values(attributes: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """What a policy can see of message attributes: strings, numbers and arrays; binary ones are not seen."""
    values: dict[str, Any] = {}
    for name, attribute in attributes.items():
        data_type, text = attribute["DataType"], attribute.get("StringValue", "")
        if data_type == "String.Array":
            try:
                values[name] = _parse(text)
            except ValueError:
                values[name] = text
        elif data_type.startswith("Number"):
            values[name] = _number_or_text(text)
        elif data_type.startswith("String"):
            values[name] = text
    return values


def _parse(text: str) -> Any:
    """JSON with its numbers as they are written. Raises ValueError, also for what is nested too deeply to be read."""
    try:
        return json.loads(text, parse_float=Decimal, parse_int=Decimal, parse_constant=_refuse)
    except RecursionError:
        raise ValueError("nested too deeply") from None


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is not JSON")


def _leaves(policy: Mapping[str, Any], depth: int, path: str = "", ors: int = 0) -> Iterator[tuple[str, int, int]]:
    """Of each key with conditions: its path, its depth and how many conditions it has. Raises InvalidParameter."""
    if depth + ors > _MOST_COMBINATIONS:
        raise _too_complex()
    for key, value in policy.items():
        if key == "$or" and isinstance(value, list):
            for alternative in value:
                if isinstance(alternative, dict):
                    yield from _leaves(alternative, depth, path, ors + 1)
        elif isinstance(value, dict):
            yield from _leaves(value, depth + 1, f"{path}.{key}", ors)
        elif isinstance(value, list):
            yield f"{path}.{key}", depth, max(len(value), 1)


def _compile_object(policy: Mapping[str, Any], scope: str) -> Match:
    if not policy:
        raise _invalid("Empty objects are not allowed")
    matches = [_compile_key(key, value, scope) for key, value in policy.items()]
    if len(matches) == 1:
        return matches[0]
    return lambda found: all(match(found) for match in matches)


def _compile_key(key: str, value: Any, scope: str) -> Match:
    if key == "$or" and isinstance(value, list) and len(value) > 1 and all(isinstance(v, dict) for v in value):
        alternatives = [_compile_object(alternative, scope) for alternative in value]
        return lambda found: any(match(found) for match in alternatives)
    if isinstance(value, dict):
        if scope == MESSAGE_ATTRIBUTES:
            raise _invalid("Filter policy scope MessageAttributes does not support nested filter policy")
        return _compile_nested(key, _compile_object(value, scope))
    if not isinstance(value, list):
        raise _invalid(f'"{key}" must be an object or an array')
    if not value:
        raise _invalid("Empty arrays are not allowed")
    return _compile_conditions(key, value)


def _compile_nested(key: str, inner: Match) -> Match:
    def match(found: Mapping[str, Any]) -> bool:
        value = found.get(key)
        if isinstance(value, list):
            return any(isinstance(item, dict) and inner(item) for item in value)
        # An object that is not there is one without any key: `exists: false` within it holds.
        return inner(value if isinstance(value, dict) else {})

    return match


def _compile_conditions(key: str, conditions: list[Any]) -> Match:
    absent_is_fine = False
    tests: list[Test] = []
    for condition in conditions:
        if isinstance(condition, dict) and "exists" in condition:
            if _exists(condition):
                tests.append(lambda _: True)
            else:
                absent_is_fine = True
        else:
            tests.append(_compile_condition(condition))

    def match(found: Mapping[str, Any]) -> bool:
        if key not in found:
            return absent_is_fine
        return any(test(value) for value in _scalars(found[key]) for test in tests)

    return match


def _scalars(value: Any) -> list[Scalar]:
    """A value itself, or those of an array, however deep; objects are no leaves."""
    if isinstance(value, list):
        return [scalar for item in value for scalar in _scalars(item)]
    return [] if isinstance(value, dict) else [value]


def _compile_condition(condition: Any) -> Test:
    if not isinstance(condition, dict):
        return _equals(condition)
    if len(condition) != 1:
        raise _invalid("Only one key allowed in match expression")
    ((operator, operand),) = condition.items()
    if operator == "numeric":
        return _numeric(operand)
    if operator == "anything-but":
        return _anything_but(operand)
    return _text_test(operator, operand)


def _equals(wanted: Any) -> Test:
    if isinstance(wanted, list):
        raise _invalid("Match value must be String, number, true, false, or null")
    if isinstance(wanted, Decimal):
        wanted = _checked_number(wanted)
        return lambda value: isinstance(value, Decimal) and _rounded(value) == wanted
    if isinstance(wanted, str):
        return lambda value: isinstance(value, str) and value == wanted
    return lambda value: value is wanted  # true, false, null


def _text_test(operator: str, operand: Any) -> Test:
    """The operators whose operand is a string."""
    compile_text = _TEXT_OPERATORS.get(operator)
    if compile_text is None:
        raise _invalid(f"Unrecognized match type {operator}")
    if not isinstance(operand, str):
        raise _invalid(f"{operator} match pattern must be a string")
    test = compile_text(operand)
    return lambda value: isinstance(value, str) and test(value)


def _wildcard(pattern: str) -> Callable[[str], bool]:
    r"""`*` stands for any text; `\*` for a star and `\\` for a backslash."""
    if re.search(r"(?<!\\)(?:\\\\)*\*\*", pattern):
        raise _invalid("Consecutive wildcard characters are not allowed")
    parts: list[str] = []
    for part in re.findall(r"\\.|\*|[^\\*]+|\\", pattern, re.DOTALL):
        if part == "*":
            parts.append(ANY)
        elif part in (r"\*", r"\\"):
            parts.append(re.escape(part[1]))
        elif part.startswith("\\"):
            raise _invalid("Invalid escape character in wildcard match pattern")
        else:
            parts.append(re.escape(part))
    compiled = re.compile(expression(parts), re.DOTALL)
    return lambda value: compiled.fullmatch(value) is not None


def _cidr(text: str) -> Callable[[str], bool]:
    try:
        network = ipaddress.ip_network(text, strict=False)
    except ValueError:
        raise _invalid(
            f"Malformed CIDR, one '/' required: {text}" if "/" not in text else f"Malformed CIDR: {text}"
        ) from None

    def test(value: str) -> bool:
        try:
            return ipaddress.ip_address(value) in network
        except ValueError:
            return False

    return test


def _prefix(text: str) -> Callable[[str], bool]:
    return lambda value: value.startswith(text)


def _suffix(text: str) -> Callable[[str], bool]:
    return lambda value: value.endswith(text)


def _equals_ignore_case(text: str) -> Callable[[str], bool]:
    folded = text.lower()
    return lambda value: value.lower() == folded


_TEXT_OPERATORS: dict[str, Callable[[str], Callable[[str], bool]]] = {
    "prefix": _prefix,
    "suffix": _suffix,
    "equals-ignore-case": _equals_ignore_case,
    "wildcard": _wildcard,
    "cidr": _cidr,
}


def _anything_but(operand: Any) -> Test:
    """A value is wanted if it is none of those, or does not have that prefix, suffix, … The key must be there."""
    if isinstance(operand, dict):
        if len(operand) != 1:
            raise _invalid("Only one key allowed in match expression")
        ((operator, operands),) = operand.items()
        if operator == "cidr":
            raise _invalid("Unsupported anything-but pattern: cidr")
        patterns = operands if isinstance(operands, list) else [operands]
        excluded = [_text_test(operator, pattern) for pattern in patterns]
    else:
        values = operand if isinstance(operand, list) else [operand]
        if not all(isinstance(value, str | Decimal) for value in values):
            raise _invalid("Inside anything but list, start|null|boolean is not supported.")
        excluded = [_equals(value) for value in values]
    if not excluded:
        raise _invalid("Empty arrays are not allowed")
    return lambda value: not any(test(value) for test in excluded)


def _numeric(operand: Any) -> Test:
    """`["=", 1]`, or one or two bounds: `[">", 0, "<=", 150]`."""
    if not isinstance(operand, list):
        raise _invalid("Value of numeric must be an array.")
    if len(operand) not in (2, 4):
        raise _invalid("Invalid member in numeric match: too few or too many elements in numeric expression")
    bounds: list[tuple[str, Decimal]] = []
    for operator, bound in zip(operand[::2], operand[1::2], strict=True):
        if operator not in _COMPARISONS:
            raise _invalid(f"Invalid member in numeric match: {operator}")
        if not isinstance(bound, Decimal):
            raise _invalid(f"Value of {operator} must be numeric")
        bounds.append((operator, _checked_number(bound)))
    if len(bounds) == 2:
        (low, below), (high, above) = bounds
        if low not in (">", ">=") or high not in ("<", "<="):
            raise _invalid(f"Bad numeric range operator: {high if low in ('>', '>=') else low}")
        if below >= above:
            raise _invalid("Bottom must be less than top")
    comparisons = [(_COMPARISONS[operator], bound) for operator, bound in bounds]

    def test(value: Scalar) -> bool:
        if not isinstance(value, Decimal):
            return False
        rounded = _rounded(value)
        return all(compare(rounded, bound) for compare, bound in comparisons)

    return test


def _exists(condition: Mapping[str, Any]) -> bool:
    if len(condition) != 1:
        raise _invalid("Only one key allowed in match expression")
    if not isinstance(condition["exists"], bool):
        raise _invalid("exists match pattern must be either true or false.")
    return condition["exists"]


def _checked_number(number: Decimal) -> Decimal:
    if not -_LARGEST_NUMBER <= number <= _LARGEST_NUMBER:
        raise _invalid("Value must be between -1.0E9 and 1.0E9, inclusive")
    return _rounded(number)


def _rounded(number: Decimal) -> Decimal:
    """Numbers are compared with five digits after the point; those out of range are as they are."""
    return number.quantize(_ACCURACY) if abs(number) <= _LARGEST_NUMBER else number


def _number_or_text(text: str) -> Scalar:
    try:
        number = Decimal(text)
    except InvalidOperation:
        return text
    return number if number.is_finite() else text


def _too_complex() -> Exception:
    return _invalid("Filter policy is too complex")


def _invalid(reason: str) -> AwsError:
    return invalid_parameter(f"FilterPolicy: {reason}")
