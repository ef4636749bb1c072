"""The Condition element: operators, compiled with the values that the policy gives them."""

import base64
import binascii
import ipaddress
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any, Literal, cast

from cloudlet.authz.patterns import Context, Pattern

# Whether a request's value meets one of the policy's values.
Test = Callable[[str, Context], bool]

_OPERATOR = re.compile(r"(?:(ForAllValues|ForAnyValue):)?([A-Za-z]+?)(IfExists)?")


class InvalidCondition(ValueError):
    """A condition that no request could be held against, in words for the policy's author."""


@dataclass(frozen=True, slots=True)
class Condition:
    """One operator on one key."""

    key: str
    tests: tuple[Test, ...]
    negated: bool
    if_exists: bool
    quantifier: Literal["", "ForAllValues", "ForAnyValue"]

    def holds(self, context: Context) -> bool:
        found = context.get(self.key)
        if found is None or (not isinstance(found, str) and not found):
            return self._holds_without_value()
        if isinstance(found, str):
            return self._meets(found, context)
        if self.quantifier == "ForAllValues" or (self.negated and not self.quantifier):
            return all(self._meets(value, context) for value in found)
        return any(self._meets(value, context) for value in found)

    def _holds_without_value(self) -> bool:
        if self.quantifier:
            return self.quantifier == "ForAllValues" or self.if_exists
        return self.negated or self.if_exists

    def _meets(self, value: str, context: Context) -> bool:
        return any(test(value, context) for test in self.tests) != self.negated


@dataclass(frozen=True, slots=True)
class NullCondition:
    """`"Null": {"key": "true"}`: the key is absent."""

    key: str
    absent: bool

    def holds(self, context: Context) -> bool:
        found = context.get(self.key)
        return (not found and found != "") == self.absent


def compile_conditions(element: Any, *, variables: bool) -> tuple[Condition | NullCondition, ...]:
    """All of them must hold. Raises InvalidCondition."""
    if not isinstance(element, Mapping):
        raise InvalidCondition("Syntax errors in policy.")
    compiled: list[Condition | NullCondition] = []
    for operator, keys in element.items():  # pyright: ignore[reportUnknownVariableType]
        if not isinstance(keys, Mapping):
            raise InvalidCondition("Syntax errors in policy.")
        for key, values in keys.items():  # pyright: ignore[reportUnknownVariableType]
            compiled.append(_condition(str(operator), str(key), _texts(values), variables))  # pyright: ignore[reportUnknownArgumentType]
    return tuple(compiled)


def _condition(operator: str, key: str, values: Sequence[str], variables: bool) -> Condition | NullCondition:
    match = _OPERATOR.fullmatch(operator)
    if match is None:
        raise InvalidCondition(f"Invalid Condition type : {operator}.")
    quantifier, name, if_exists = match[1] or "", match[2], match[3] is not None
    if name == "Null" and not quantifier and not if_exists and len(values) == 1 and values[0].lower() in _BOOLEANS:
        return NullCondition(key.lower(), values[0].lower() == "true")
    negated, positive = _NEGATIONS.get(name, (False, name))
    make = _TESTS.get(positive)
    if make is None:
        raise InvalidCondition(f"Invalid Condition type : {operator}.")
    tests = tuple(make(value, variables) for value in values)
    return Condition(key.lower(), tests, negated, if_exists, quantifier)  # type: ignore[arg-type] - the regex's words


def _texts(values: Any) -> list[str]:
    """A policy's values: one or a list; numbers and booleans stand for their texts."""
    many = cast("list[Any]", values) if isinstance(values, list) else [values]
    texts: list[str] = []
    for value in many:
        if isinstance(value, bool):
            texts.append(str(value).lower())
        elif isinstance(value, str | int | float):
            texts.append(str(value))
        else:
            raise InvalidCondition("Syntax errors in policy.")
    return texts


def _string(value: str, variables: bool, *, wildcards: bool = False, ignore_case: bool = False) -> Test:
    pattern = Pattern.of_text(value, wildcards=wildcards, ignore_case=ignore_case, variables=variables)
    return pattern.matches


def _arn(value: str, variables: bool) -> Test:
    return Pattern.of_arn(value, variables=variables).matches


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise InvalidCondition(f"Invalid number in Condition: {text}.") from None


def _seconds(text: str) -> float:
    """ISO 8601 or seconds since the epoch."""
    if re.fullmatch(r"-?[0-9]+(\.[0-9]+)?", text):
        return float(text)
    try:
        found = datetime.fromisoformat(text)
        return (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        raise InvalidCondition(f"Invalid date in Condition: {text}.") from None


def _ordered(
    read: Callable[[str], float], compare: Callable[[float, float], bool], value: str, variables: bool
) -> Test:
    limit = read(value)

    def test(given: str, context: Context) -> bool:
        try:
            return compare(read(given), limit)
        except InvalidCondition:
            return False

    return test


def _boolean(value: str, variables: bool) -> Test:
    if value.lower() not in _BOOLEANS:
        raise InvalidCondition(f"Invalid boolean in Condition: {value}.")
    wanted = value.lower()
    return lambda given, context: given.lower() == wanted


def _binary(value: str, variables: bool) -> Test:
    try:
        wanted = base64.b64decode(value, validate=True)
    except binascii.Error:
        raise InvalidCondition(f"Invalid base64 in Condition: {value}.") from None

    def test(given: str, context: Context) -> bool:
        try:
            return base64.b64decode(given, validate=True) == wanted
        except binascii.Error:
            return False

    return test


def _address(value: str, variables: bool) -> Test:
    try:
        network = ipaddress.ip_network(value, strict=False)
    except ValueError:
        raise InvalidCondition(f"Invalid IP address in Condition: {value}.") from None

    def test(given: str, context: Context) -> bool:
        try:
            return ipaddress.ip_address(given) in network
        except ValueError:
            return False

    return test


_BOOLEANS = ("true", "false")
_NEGATIONS = {
    "StringNotEquals": (True, "StringEquals"),
    "StringNotEqualsIgnoreCase": (True, "StringEqualsIgnoreCase"),
    "StringNotLike": (True, "StringLike"),
    "NumericNotEquals": (True, "NumericEquals"),
    "DateNotEquals": (True, "DateEquals"),
    "NotIpAddress": (True, "IpAddress"),
    "ArnNotEquals": (True, "ArnEquals"),
    "ArnNotLike": (True, "ArnLike"),
}
_TESTS: dict[str, Callable[[str, bool], Test]] = {
    "StringEquals": _string,
    "StringEqualsIgnoreCase": partial(_string, ignore_case=True),
    "StringLike": partial(_string, wildcards=True),
    "Bool": _boolean,
    "BinaryEquals": _binary,
    "IpAddress": _address,
    "ArnEquals": _arn,
    "ArnLike": _arn,
}
for _prefix, _read in (("Numeric", _number), ("Date", _seconds)):
    _TESTS.update(
        {
            f"{_prefix}Equals": partial(_ordered, _read, float.__eq__),
            f"{_prefix}LessThan": partial(_ordered, _read, float.__lt__),
            f"{_prefix}LessThanEquals": partial(_ordered, _read, float.__le__),
            f"{_prefix}GreaterThan": partial(_ordered, _read, float.__gt__),
            f"{_prefix}GreaterThanEquals": partial(_ordered, _read, float.__ge__),
        }
    )
