"""What stands after an operator in a filter pattern: numbers, strings with `*`, regular expressions."""

import re
from collections.abc import Callable

from cloudlet.core import wildcards
from cloudlet.services.logs.faults import invalid_parameter

Compare = Callable[[str], bool]

_NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?", re.ASCII)
# What CloudWatch Logs allows in regular expressions; no groups among it.
_REGULAR = re.compile(r"(?:[A-Za-z0-9_#=@/;,\-: ^$?\[\]{}|*+.]|\\.)+", re.ASCII)


def regular_expression(text: str) -> re.Pattern[str]:
    """Raises InvalidParameterException for what CloudWatch Logs does not support."""
    if _REGULAR.fullmatch(text) is None:
        raise invalid_parameter("Invalid filter pattern")
    try:
        return re.compile(text, re.ASCII)
    except re.error:
        raise invalid_parameter("Invalid filter pattern") from None


def number(text: str) -> float | None:
    return float(text) if _NUMBER.fullmatch(text) else None


def comparison(operator: str, operand: str) -> Compare:
    """Compares the text of a value, as a number where both are numbers."""
    if operator in ("=", "!="):
        equals = _equals(operand)
        return equals if operator == "=" else lambda value: not equals(value)
    limit = number(operand)
    if limit is None:
        raise invalid_parameter("Invalid filter pattern")
    compare = _ORDER[operator]

    def ordered(value: str) -> bool:
        found = number(value)
        return found is not None and compare(found, limit)

    return ordered


_ORDER: dict[str, Callable[[float, float], bool]] = {
    "<": lambda left, right: left < right,
    "<=": lambda left, right: left <= right,
    ">": lambda left, right: left > right,
    ">=": lambda left, right: left >= right,
}


def _equals(operand: str) -> Compare:
    if len(operand) > 1 and operand[0] == operand[-1] == "%":
        search = regular_expression(operand[1:-1]).search
        return lambda value: search(value) is not None
    quoted = len(operand) > 1 and operand[0] == operand[-1] == '"'
    text = re.sub(r"\\(.)", r"\1", operand[1:-1]) if quoted else operand
    if "*" in text:
        matches = wildcards.compiled(text).fullmatch
        return lambda value: matches(value) is not None
    wanted = None if quoted else number(text)
    if wanted is None:
        return lambda value: value == text
    return lambda value: number(value) == wanted
