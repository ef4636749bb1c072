"""The queries of GetMetricData and of alarms: their rules, and what is read from them."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cloudlet.core.errors import NotImplementedByCloudlet
from cloudlet.services.cloudwatch.errors import validation_error
from cloudlet.services.cloudwatch.math_functions import known_functions
from cloudlet.services.cloudwatch.math_syntax import MathError, Node, calls_in, names_in, parse
from cloudlet.services.cloudwatch.metrics import MetricId, sorted_dimensions
from cloudlet.services.cloudwatch.statistics import statistic
from cloudlet.services.cloudwatch.times import is_period

_ID = re.compile(r"[a-z][a-zA-Z0-9_]*")
_MOST_QUERIES = 500
_LOOKING_UP = frozenset({"METRICS", "SEARCH"})
_NOT_HERE = frozenset({"ANOMALY_DETECTION_BAND", "DB_PERF_INSIGHTS", "INSIGHT_RULE_METRIC", "LAMBDA", "SERVICE_QUOTA"})
WORDS = frozenset({"REPEAT", "LINEAR", "ASC", "DESC", "SUM", "AVG", "MIN", "MAX", "STDDEV"})


@dataclass(frozen=True, slots=True)
class MetricStat:
    """A statistic of one metric, in periods of so many seconds."""

    metric: MetricId
    statistic: str
    period: int
    unit: str | None


@dataclass(frozen=True, slots=True)
class Query:
    """Either `stat` or `expression` is there."""

    id: str
    stat: MetricStat | None
    expression: Node | None
    period: int | None
    label: str | None
    returned: bool


def read_queries(place: tuple[str, str], given: Sequence[Mapping[str, Any]], name: str) -> list[Query]:
    """`name` is the parameter's. Raises ValidationError."""
    if len(given) > _MOST_QUERIES:
        raise validation_error(f"The collection {name} must not have a size greater than {_MOST_QUERIES}.")
    wrong = [
        f"The value {query['Id']} for parameter {name}.member.{number}.Id is not matching the expected pattern"
        f" ^{_ID.pattern}$."
        for number, query in enumerate(given, 1)
        if _ID.fullmatch(query["Id"]) is None
    ]
    if wrong:
        raise validation_error("\n".join(wrong))
    if len({query["Id"] for query in given}) < len(given):
        raise validation_error(f"The values for parameter id in {name} are not unique.")
    queries = [_query(place, query, f"{name}.member.{number}") for number, query in enumerate(given, 1)]
    _check_references(queries)
    return queries


def _query(place: tuple[str, str], given: Mapping[str, Any], path: str) -> Query:
    stat, expression = given.get("MetricStat"), given.get("Expression")
    if (stat is None) == (expression is None):
        raise validation_error(
            f"The parameters {path}.Expression and {path}.MetricStat are mutually exclusive;"
            " exactly one of them must be specified."
        )
    account = given.get("AccountId")
    if account is not None and account != place[0]:
        raise NotImplementedByCloudlet("metrics of another account")
    period = given.get("Period")
    if period is not None:
        _check_period(period, f"{path}.Period")
    return Query(
        id=given["Id"],
        stat=None if stat is None else _stat(place, stat, f"{path}.MetricStat"),
        expression=None if expression is None else _parsed(given["Id"], expression),
        period=period,
        label=given.get("Label"),
        returned=given.get("ReturnData", True),
    )


def _stat(place: tuple[str, str], given: Mapping[str, Any], path: str) -> MetricStat:
    metric = given["Metric"]
    for member in ("Namespace", "MetricName"):
        if not metric.get(member):
            raise validation_error(f"The parameter {path}.Metric.{member} is required.")
    _check_period(given["Period"], f"{path}.Period")
    if statistic(given["Stat"]) is None:
        raise validation_error(f"The value {given['Stat']} for parameter {path}.Stat is not supported.")
    dimensions = sorted_dimensions(metric.get("Dimensions") or ())
    return MetricStat(
        MetricId(*place, metric["Namespace"], metric["MetricName"], dimensions),
        given["Stat"],
        given["Period"],
        given.get("Unit"),
    )


def _check_period(period: int, path: str) -> None:
    if not is_period(period):
        words = "must be a value in the set [ 1, 5, 10, 20, 30 ] or a multiple of 60."
        raise validation_error(f"The parameter {path} {words}")


def _parsed(id_: str, expression: str) -> Node:
    if re.match(r"\s*SELECT\s", expression, re.IGNORECASE):
        raise NotImplementedByCloudlet("Metrics Insights queries")
    try:
        tree = parse(expression)
    except MathError as error:
        raise in_expression(id_, error) from None
    for call in calls_in(tree):
        if call.function in _NOT_HERE:
            raise NotImplementedByCloudlet(f"the function {call.function} of metric math")
        if call.function not in _LOOKING_UP and call.function not in known_functions():
            raise in_expression(id_, MathError(f"Unsupported function '{call.function}'"))
    return tree


def _check_references(queries: Sequence[Query]) -> None:
    known = {query.id for query in queries}
    for query in queries:
        for name in names_in(query.expression) if query.expression is not None else ():
            if name not in known and name.upper() not in WORDS:
                raise in_expression(query.id, MathError(f"Undefined variable '{name}'"))


def in_expression(id_: str, error: MathError) -> Exception:
    return validation_error(f"Error in expression '{id_}': {error}")
