"""Queries answered: statistics read from the data, and the expressions that are made of them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from cloudlet.services.cloudwatch.datapoints import period_samples, without_units
from cloudlet.services.cloudwatch.math_functions import Budget, NoData, Range, call
from cloudlet.services.cloudwatch.math_syntax import FunctionCall, Items, MathError, Name, Node, Number, Operation, Text
from cloudlet.services.cloudwatch.metric_queries import WORDS, MetricStat, Query, in_expression
from cloudlet.services.cloudwatch.metrics import find_metric, metric_of_row
from cloudlet.services.cloudwatch.search_expressions import compile_search
from cloudlet.services.cloudwatch.statistics import statistic
from cloudlet.services.cloudwatch.time_series import Series, Value, operate, several
from cloudlet.store import Reader

_DEFAULT_PERIOD = 300
_MOST_FOUND = 500
_SEARCHED_DAYS = 14


class Evaluation:
    """The answers to queries that may refer to each other, from one snapshot of the data.

    `start_of` tells where periods of a length begin, since that is rounded by it.
    """

    def __init__(
        self,
        reader: Reader,
        place: tuple[str, str],
        queries: Sequence[Query],
        start_of: Callable[[int], int],
        end: float,
        now: float,
    ) -> None:
        self._reader = reader
        self._place = place
        self._queries: Mapping[str, Query] = {query.id: query for query in queries}
        self._start_of = start_of
        self._end = end
        self._now = now
        self._budget = Budget()
        self._values: dict[str, Value] = {}
        self._under_way: set[str] = set()

    def series_of(self, id_: str) -> Sequence[Series]:
        """The series that a query results in. Raises ValidationError for an expression that makes no sense."""
        value = self._value(id_)
        try:
            return several(value)
        except MathError:
            raise in_expression(id_, MathError("The expression must result in a time series")) from None

    def _value(self, id_: str) -> Value:
        found = self._values.get(id_)
        if found is None:
            if id_ in self._under_way:
                raise in_expression(id_, MathError("The expression refers to itself"))
            self._under_way.add(id_)
            query = self._queries[id_]
            found = self._values[id_] = self._read(query.stat) if query.stat is not None else self._computed(query)
            self._under_way.discard(id_)
        return found

    def _read(self, stat: MetricStat) -> Series:
        values: dict[int, float] = {}
        compute = statistic(stat.statistic)
        metric = find_metric(self._reader, stat.metric)
        if metric is not None and compute is not None:
            start = self._start_of(stat.period)
            found = period_samples(self._reader, metric, start, self._end, stat.period, now=self._now, unit=stat.unit)
            for time, samples in sorted(without_units(found).items()):
                value = compute(samples)
                if value is not None:
                    values[time] = value
        return Series(values, stat.period, stat.metric.name, stat.metric, stat.statistic)

    def _computed(self, query: Query) -> Value:
        assert query.expression is not None
        period = query.period or self._shortest_period()
        within = Range(self._start_of(period), int(self._end), period, self._budget)
        try:
            value = self._evaluate(query.expression, within)
        except NoData:
            value = Series({}, period, "")
        except MathError as error:
            raise in_expression(query.id, error) from None
        return replace(value, label=query.id) if isinstance(value, Series) else value

    def _shortest_period(self) -> int:
        periods = [query.stat.period for query in self._queries.values() if query.stat is not None]
        return min(periods, default=_DEFAULT_PERIOD)

    def _evaluate(self, node: Node, within: Range) -> Value:
        if isinstance(node, Number):
            return node.value
        if isinstance(node, Text):
            return node.value
        if isinstance(node, Name):
            return self._named(node.name)
        if isinstance(node, Operation):
            return self._operated(node, within)
        if isinstance(node, Items):
            return [series for item in node.items for series in several(self._evaluate(item, within))]
        return self._called(node, within)

    def _operated(self, node: Operation, within: Range) -> Value:
        """A long sum is deep on its left: it is gone down in a loop."""
        left: Node = node
        operations: list[Operation] = []
        while isinstance(left, Operation):
            operations.append(left)
            left = left.left
        value = self._evaluate(left, within)
        for each in reversed(operations):
            value = operate(each.operator, value, self._evaluate(each.right, within))
        return value

    def _named(self, name: str) -> Value:
        if name in self._queries:
            return self._value(name)
        if name.upper() in WORDS:
            return name.upper()
        raise MathError(f"Undefined variable '{name}'")

    def _called(self, node: FunctionCall, within: Range) -> Value:
        arguments = [self._evaluate(argument, within) for argument in node.arguments]
        if node.function == "METRICS":
            return self._metrics(arguments)
        if node.function == "SEARCH":
            return self._search(arguments, within)
        return call(node.function, arguments, within)

    def _metrics(self, arguments: Sequence[Value]) -> Value:
        """All metrics of the request, or those with the text in their ids."""
        part = arguments[0] if arguments else ""
        if len(arguments) > 1 or not isinstance(part, str):
            raise MathError("METRICS takes a text")
        found = [query.id for query in self._queries.values() if query.stat is not None and part in query.id]
        return [series for id_ in found for series in several(self._value(id_))]

    def _search(self, arguments: Sequence[Value], within: Range) -> Value:
        if not 2 <= len(arguments) <= 3:
            raise MathError("SEARCH takes a search expression, a statistic and a period")
        text, stat = arguments[:2]
        period = arguments[2] if len(arguments) == 3 else float(within.period)
        if not isinstance(text, str) or not isinstance(stat, str) or not isinstance(period, float):
            raise MathError("SEARCH takes a search expression, a statistic and a period")
        if statistic(stat) is None:
            raise MathError(f"Unsupported statistic '{stat}'")
        matches = compile_search(text)
        rows = self._reader.rows(
            "SELECT account, region, namespace, name, dimensions FROM metric"
            " WHERE account = ? AND region = ? AND last_time > ? ORDER BY namespace, name, dimensions",
            (*self._place, self._now - _SEARCHED_DAYS * 86400),
        )
        found = [metric for metric in map(metric_of_row, rows) if matches(metric)][:_MOST_FOUND]
        series = (self._read(MetricStat(metric, stat, int(period), None)) for metric in found)
        return [each for each in series if each.values]
