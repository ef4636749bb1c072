"""What stands after an operator in a filter pattern: numbers, strings with `*`, regular expressions."""

import re
from collections.abc import Callable

from cloudlet.core import wildcards
from cloudlet.services.logs.faults import invalid_parameter
from cloudlet.services.logs.regular_expression import regular_expression

Compare = Callable[[str], bool]

_NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?", re.ASCII)


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
        return regular_expression(operand[1:-1])
    quoted = len(operand) > 1 and operand[0] == operand[-1] == '"'
    text = re.sub(r"\\(.)", r"\1", operand[1:-1]) if quoted else operand
    if "*" in text:
        matches = wildcards.compiled(text).fullmatch
        return lambda value: matches(value) is not None
    wanted = None if quoted else number(text)
    if wanted is None:
        return lambda value: value == text
    return lambda value: number(value) == wanted
