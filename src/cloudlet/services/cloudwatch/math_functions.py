"""The functions of metric math. Those that look data up, METRICS and SEARCH, are `math_evaluation`'s."""

import math
import statistics
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from itertools import pairwise

from cloudlet.services.cloudwatch.math_syntax import MathError
from cloudlet.services.cloudwatch.time_series import Series, Value, by_time, mapped, several


@dataclass(slots=True)
class Budget:
    """How many data points the functions of a request may still make where no data is."""

    left: int = 1_000_000


@dataclass(frozen=True, slots=True)
class Range:
    """What the whole query is about: from `start` until before `end`; `period` of series made of nothing."""

    start: int
    end: int
    period: int
    budget: Budget = field(default_factory=Budget)

    def times(self, period: int) -> range:
        """Raises MathError when it is too much: a series has a value at each of them, whatever data there is."""
        found = range(self.start, self.end, period)
        self.budget.left -= len(found)
        if self.budget.left < 0:
            raise MathError("The expressions result in too many data points: ask for less time or a longer period")
        return found


Function = Callable[[Sequence[Value], Range], Value]


def call(name: str, arguments: Sequence[Value], within: Range) -> Value:
    """Raises MathError for an unknown function, or arguments that it does not take."""
    function = _FUNCTIONS.get(name)
    if function is None:
        raise MathError(f"Unsupported function '{name}'")
    least, most = _ARGUMENTS.get(name, (1, 1))
    if not least <= len(arguments) <= most:
        raise MathError(f"Function '{name}' was called with {len(arguments)} arguments")
    return function(arguments, within)


def known_functions() -> frozenset[str]:
    return frozenset(_FUNCTIONS)


def _reduced(reduce: Callable[[list[float]], float]) -> Function:
    """A number of one series; of several, a series with one of the values at each time."""

    def function(arguments: Sequence[Value], within: Range) -> Value:
        value = arguments[0]
        if isinstance(value, Series):
            if not value.values:
                raise NoData
            result = reduce(list(value.values.values()))
            if not math.isfinite(result):
                raise MathError("The result is too large")
            return result
        found = several(value)
        period = max((each.period for each in found), default=within.period)
        return Series(_finite({time: reduce(values) for time, values in by_time(found).items()}), period, "")

    return function


class NoData(Exception):
    """A number was asked of a series that has none: what is made of it has no data either."""


def _each(compute: Callable[[float], float]) -> Function:
    return lambda arguments, within: mapped(compute, arguments[0])


def _of_each_series(compute: Callable[[Series], Mapping[int, float]]) -> Function:
    def function(arguments: Sequence[Value], within: Range) -> Value:
        value = arguments[0]
        if isinstance(value, Series):
            return replace(value, values=_finite(compute(value)))
        return [replace(each, values=_finite(compute(each))) for each in several(value)]

    return function


def _finite(values: Mapping[int, float]) -> dict[int, float]:
    """Where a number is too large, there is no data point."""
    return {time: value for time, value in values.items() if math.isfinite(value)}


def _differences(series: Series) -> dict[int, float]:
    return {time: value - before for (_, before), (time, value) in pairwise(series.values.items())}


def _time_differences(series: Series) -> dict[int, float]:
    return {time: float(time - before) for before, time in pairwise(series.values)}


def _rates(series: Series) -> dict[int, float]:
    pairs = pairwise(series.values.items())
    return {time: (value - before) / (time - earlier) for (earlier, before), (time, value) in pairs}


def _running_sum(series: Series) -> dict[int, float]:
    total = 0.0
    sums: dict[int, float] = {}
    for time, value in series.values.items():
        total += value
        sums[time] = total
    return sums


def _of_time(part: Callable[[datetime], float]) -> Function:
    return _of_each_series(
        lambda series: {time: float(part(datetime.fromtimestamp(time, UTC))) for time in series.values}
    )


def _fill(arguments: Sequence[Value], within: Range) -> Value:
    value, filling = arguments
    if isinstance(value, Series):
        return replace(value, values=_filled(value, filling, within))
    return [replace(each, values=_filled(each, filling, within)) for each in several(value)]


def _filled(series: Series, filling: Value, within: Range) -> dict[int, float]:
    times = within.times(series.period)
    if isinstance(filling, str):
        if filling.upper() == "REPEAT":
            return _repeated(series, times)
        if filling.upper() == "LINEAR":
            return _interpolated(series, times)
        raise MathError(f"FILL does not take '{filling}'")
    if isinstance(filling, float):
        return {time: series.values.get(time, filling) for time in times}
    if isinstance(filling, Series):
        found = {time: series.values.get(time, filling.values.get(time)) for time in times}
        return {time: value for time, value in found.items() if value is not None}
    raise MathError("FILL takes a number, a time series, REPEAT or LINEAR")


def _repeated(series: Series, times: range) -> dict[int, float]:
    last: float | None = None
    filled: dict[int, float] = {}
    for time in times:
        last = series.values.get(time, last)
        if last is not None:
            filled[time] = last
    return filled


def _interpolated(series: Series, times: range) -> dict[int, float]:
    filled = dict(series.values)
    for (earlier, before), (later, after) in pairwise(series.values.items()):
        begin = bisect_right(times, earlier)
        for time in times[begin : bisect_left(times, later, begin)]:
            filled[time] = before + (after - before) * (time - earlier) / (later - earlier)
    return _finite(dict(sorted(filled.items())))


def _if(arguments: Sequence[Value], within: Range) -> Value:
    condition, then = arguments[:2]
    otherwise = arguments[2] if len(arguments) == 3 else None
    if isinstance(condition, float):
        chosen = then if condition else otherwise
        return Series({}, within.period, "") if chosen is None else chosen
    if not isinstance(condition, Series):
        raise MathError("The condition of IF must be a time series or a number")
    if isinstance(then, Series | float) and isinstance(otherwise, Series | float | None):
        chosen = {time: _at(then if value else otherwise, time) for time, value in condition.values.items()}
        return replace(condition, values={time: value for time, value in chosen.items() if value is not None})
    raise MathError("IF takes time series and numbers")


def _at(value: Series | float | None, time: int) -> float | None:
    return value.values.get(time) if isinstance(value, Series) else value


def _period(arguments: Sequence[Value], within: Range) -> Value:
    if not isinstance(arguments[0], Series):
        raise MathError("PERIOD takes a time series")
    return float(arguments[0].period)


def _time_series(arguments: Sequence[Value], within: Range) -> Value:
    if not isinstance(arguments[0], float):
        raise MathError("TIME_SERIES takes a number")
    return Series(dict.fromkeys(within.times(within.period), arguments[0]), within.period, "")


def _first(arguments: Sequence[Value], within: Range) -> Value:
    found = several(arguments[0])
    return found[0] if found else Series({}, within.period, "")


def _last(arguments: Sequence[Value], within: Range) -> Value:
    found = several(arguments[0])
    return found[-1] if found else Series({}, within.period, "")


def _slice(arguments: Sequence[Value], within: Range) -> Value:
    bounds = [int(each) for each in arguments[1:] if isinstance(each, float)]
    if len(bounds) != len(arguments) - 1:
        raise MathError("SLICE takes numbers as bounds")
    found = several(arguments[0])
    return found[bounds[0] :] if len(bounds) == 1 else found[bounds[0] : bounds[1]]


def _sort(arguments: Sequence[Value], within: Range) -> Value:
    found, by, order = several(arguments[0]), arguments[1], arguments[2]
    reduce = _SORTED_BY.get(by) if isinstance(by, str) else None
    if reduce is None or not isinstance(order, str) or order.upper() not in ("ASC", "DESC"):
        raise MathError("SORT takes SUM, AVG, MIN, MAX or STDDEV, and ASC or DESC")
    ordered = sorted(
        (each for each in found if each.values),
        key=lambda each: reduce(list(each.values.values())),
        reverse=order.upper() == "DESC",
    )
    limit = arguments[3] if len(arguments) == 4 else None
    return ordered[: int(limit)] if isinstance(limit, float) else ordered


def _average(values: list[float]) -> float:
    return sum(values) / len(values)


_SORTED_BY: Mapping[str, Callable[[list[float]], float]] = {
    "SUM": sum,
    "AVG": _average,
    "MIN": min,
    "MAX": max,
    "STDDEV": statistics.pstdev,
}
_FUNCTIONS: Mapping[str, Function] = {
    **{name: _reduced(reduce) for name, reduce in _SORTED_BY.items()},
    "DATAPOINT_COUNT": _reduced(lambda values: float(len(values))),
    "ABS": _each(abs),
    "CEIL": _each(lambda value: float(math.ceil(value))),
    "FLOOR": _each(lambda value: float(math.floor(value))),
    "LOG": _each(lambda value: math.log(value) if value > 0 else math.nan),
    "LOG10": _each(lambda value: math.log10(value) if value > 0 else math.nan),
    "DIFF": _of_each_series(_differences),
    "DIFF_TIME": _of_each_series(_time_differences),
    "RATE": _of_each_series(_rates),
    "RUNNING_SUM": _of_each_series(_running_sum),
    "MINUTE": _of_time(lambda moment: moment.minute),
    "HOUR": _of_time(lambda moment: moment.hour),
    "DAY": _of_time(lambda moment: moment.isoweekday()),
    "DATE": _of_time(lambda moment: moment.day),
    "MONTH": _of_time(lambda moment: moment.month),
    "YEAR": _of_time(lambda moment: moment.year),
    "EPOCH": _of_each_series(lambda series: {time: float(time) for time in series.values}),
    "FILL": _fill,
    "IF": _if,
    "PERIOD": _period,
    "TIME_SERIES": _time_series,
    "FIRST": _first,
    "LAST": _last,
    "SLICE": _slice,
    "SORT": _sort,
    "METRIC_COUNT": lambda arguments, within: float(len(several(arguments[0]))),
    "REMOVE_EMPTY": lambda arguments, within: [each for each in several(arguments[0]) if each.values],
}
_ARGUMENTS = {"FILL": (2, 2), "IF": (2, 3), "SLICE": (2, 3), "SORT": (3, 4)}
