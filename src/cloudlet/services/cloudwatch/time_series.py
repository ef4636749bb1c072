"""Time series, and what metric math does with their values."""

import math
import operator
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from cloudlet.services.cloudwatch.math_syntax import MathError
from cloudlet.services.cloudwatch.metrics import MetricId


@dataclass(frozen=True, slots=True)
class Series:
    """Values by time (epoch seconds, rising). `metric` and `statistic` tell where they come from, if from a metric."""

    values: Mapping[int, float]
    period: int
    label: str
    metric: MetricId | None = None
    statistic: str = ""


# A scalar, a series, several, or a word.
Value = float | Series | Sequence[Series] | str

_OPERATORS: Mapping[str, Callable[[float, float], float]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
    "^": operator.pow,
    "==": lambda left, right: float(left == right),
    "!=": lambda left, right: float(left != right),
    "<": lambda left, right: float(left < right),
    ">": lambda left, right: float(left > right),
    "<=": lambda left, right: float(left <= right),
    ">=": lambda left, right: float(left >= right),
    "and": lambda left, right: float(bool(left) and bool(right)),
    "or": lambda left, right: float(bool(left) or bool(right)),
}


def operate(sign: str, left: Value, right: Value) -> Value:
    """A value at each time that both sides have. Raises MathError for sides that do not go together."""
    compute = _OPERATORS[sign]
    if isinstance(left, str) or isinstance(right, str):
        raise MathError(f"Unsupported operand type(s) for {sign}: String")
    if isinstance(left, Sequence) and isinstance(right, Sequence):
        raise MathError(f"Unsupported operand type(s) for {sign}: [Timeseries[], Timeseries[]]")
    if isinstance(left, Sequence):
        return [_of_two(compute, each, right) for each in left if not isinstance(right, Sequence)]
    if isinstance(right, Sequence):
        return [_of_two(compute, left, each) for each in right]
    if isinstance(left, float) and isinstance(right, float):
        result = _tried(compute, left, right)
        if result is None:
            raise MathError(f"{left} {sign} {right} is no number")
        return result
    return _of_two(compute, left, right)


def _of_two(compute: Callable[[float, float], float], left: float | Series, right: float | Series) -> Series:
    if isinstance(left, Series) and isinstance(right, Series):
        pairs = {time: (value, right.values[time]) for time, value in left.values.items() if time in right.values}
        series = left if left.period >= right.period else right
    elif isinstance(left, Series):
        assert isinstance(right, float)
        pairs, series = {time: (value, right) for time, value in left.values.items()}, left
    else:
        assert isinstance(right, Series)
        pairs, series = {time: (left, value) for time, value in right.values.items()}, right
    computed = ((time, _tried(compute, *pair)) for time, pair in pairs.items())
    return replace(series, values={time: value for time, value in computed if value is not None})


def _tried(compute: Callable[[float, float], float], left: float, right: float) -> float | None:
    """None where there is no such number: a division by zero leaves no data point."""
    try:
        result = compute(left, right)
    except (ZeroDivisionError, OverflowError):
        return None
    return result if isinstance(result, float) and math.isfinite(result) else None


def mapped(compute: Callable[[float], float], value: Value) -> Value:
    """Each value by itself. Raises MathError."""
    if isinstance(value, Series):
        tried = ((time, _tried(lambda each, _: compute(each), each, 0.0)) for time, each in value.values.items())
        return replace(value, values={time: each for time, each in tried if each is not None})
    if isinstance(value, float):
        result = _tried(lambda each, _: compute(each), value, 0.0)
        if result is None:
            raise MathError(f"The function has no value at {value}")
        return result
    found = (mapped(compute, each) for each in several(value))
    return [each for each in found if isinstance(each, Series)]


def several(value: Value) -> Sequence[Series]:
    """An array of one, where it is one series. Raises MathError."""
    if isinstance(value, Series):
        return [value]
    if isinstance(value, str | int | float):
        raise MathError("A time series, or an array of them, is expected")
    return value


def by_time(series: Iterable[Series]) -> dict[int, list[float]]:
    """The values that several series have at each time."""
    found: dict[int, list[float]] = {}
    for each in series:
        for time, value in each.values.items():
            found.setdefault(time, []).append(value)
    return dict(sorted(found.items()))
