"""ExpressionAttributeNames and ExpressionAttributeValues: checked, looked up, and all of them used."""

import re
from collections.abc import Mapping
from typing import Any

from cloudlet.core.errors import AwsError
from cloudlet.services.dynamodb.errors import validation
from cloudlet.services.dynamodb.expressions.nodes import Path, Step
from cloudlet.services.dynamodb.expressions.parser import Parsed
from cloudlet.services.dynamodb.values import Value, normalised

_NAME = re.compile(r"#[A-Za-z0-9_]+", re.ASCII)
_VALUE = re.compile(r":[A-Za-z0-9_]+", re.ASCII)
_LONGEST = 255
_NO_NAMES: Mapping[str, str] = {}


class Placeholders:
    """What stands behind the placeholders of one request's expressions. Values are in canonical form."""

    __slots__ = ("_used_names", "_used_values", "names", "values")

    def __init__(self, names: Mapping[str, str] | None = None, values: Mapping[str, Any] | None = None) -> None:
        """Raises ValidationException for malformed placeholders or values."""
        self.names = _NO_NAMES if names is None else _checked_names(names)
        self.values: dict[str, Value] = {} if values is None else _checked_values(values)
        self._used_names: frozenset[str] = frozenset()
        self._used_values: frozenset[str] = frozenset()

    @classmethod
    def of(cls, params: Mapping[str, Any], *expressions: str) -> "Placeholders":
        """Of a request that may have the expressions named; without one of them there must be no placeholders."""
        names, values = params.get("ExpressionAttributeNames"), params.get("ExpressionAttributeValues")
        if names is None and values is None:
            return cls()
        if names is not None and not any(name in params for name in expressions):
            raise validation("ExpressionAttributeNames can only be specified when using expressions")
        with_values = [name for name in expressions if name != "ProjectionExpression"]
        if values is not None and not any(name in params for name in with_values):
            absent = " and ".join(with_values) + (" are null" if len(with_values) > 1 else " is null")
            raise validation(f"ExpressionAttributeValues can only be specified when using expressions: {absent}")
        return cls(names, values)

    def use(self, parsed: Parsed[Any]) -> None:
        """Notes what an expression uses. Raises ValidationException for what is not defined."""
        for name in parsed.names:
            if name not in self.names:
                raise validation(
                    f"Invalid {parsed.what}: An expression attribute name used in the document path is not defined; "
                    f"attribute name: {name}"
                )
        for name in parsed.values:
            if name not in self.values:
                raise validation(
                    f"Invalid {parsed.what}: An expression attribute value used in expression is not defined; "
                    f"attribute value: {name}"
                )
        self._used_names |= parsed.names
        self._used_values |= parsed.values

    def check_all_used(self) -> None:
        unused = [name for name in self.values if name not in self._used_values]
        if unused:
            raise _unused("Values", unused)
        unused = [name for name in self.names if name not in self._used_names]
        if unused:
            raise _unused("Names", unused)

    def steps(self, path: Path) -> tuple[Step, ...]:
        """The path with names in the place of placeholders."""
        names = self.names
        if not names:
            return path.steps
        return tuple(names[step] if type(step) is str and step[0] == "#" else step for step in path.steps)


def _unused(which: str, unused: list[str]) -> AwsError:
    keys = ", ".join(unused)
    return validation(f"Value provided in ExpressionAttribute{which} unused in expressions: keys: {{{keys}}}")


def _checked_names(names: Mapping[str, str]) -> Mapping[str, str]:
    if not names:
        raise validation("ExpressionAttributeNames must not be empty")
    for key, name in names.items():
        _check_key(key, _NAME, "ExpressionAttributeNames")
        if not isinstance(name, str) or not name:
            raise validation(f"ExpressionAttributeNames contains invalid value: Empty attribute name for key {key}")
    return names


def _checked_values(values: Mapping[str, Any]) -> dict[str, Value]:
    if not values:
        raise validation("ExpressionAttributeValues must not be empty")
    checked: dict[str, Value] = {}
    for key, value in values.items():
        _check_key(key, _VALUE, "ExpressionAttributeValues")
        try:
            checked[key] = normalised(value)[0]
        except AwsError as error:
            if error.code != "ValidationException":
                raise
            raise validation(
                f"ExpressionAttributeValues contains invalid value: {error.message} for key {key}"
            ) from None
    return checked


def _check_key(key: str, pattern: re.Pattern[str], parameter: str) -> None:
    if pattern.fullmatch(key) is None:
        raise validation(f'{parameter} contains invalid key: Syntax error; key: "{key}"')
    if len(key) > _LONGEST:
        raise validation(
            f"{parameter} contains invalid key: The expression attribute map contains a key that is too long; "
            f"key: {key}"
        )
