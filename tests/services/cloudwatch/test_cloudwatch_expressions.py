"""Whatever stands in an expression, a search or a rule: it is understood, or refused in words that are the author's."""

import asyncio
import json
from collections.abc import Iterator, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cloudlet.core.context import Call, Principal
from cloudlet.core.errors import AwsError, NotImplementedByCloudlet
from cloudlet.core.metrics import Samples
from cloudlet.services import cloudwatch
from cloudlet.services.cloudwatch import alarm_rules, math_syntax, search_expressions
from cloudlet.services.cloudwatch.datapoints import put_datum
from cloudlet.services.cloudwatch.datums import Datum
from cloudlet.services.cloudwatch.math_functions import known_functions
from cloudlet.services.cloudwatch.math_syntax import (
    FunctionCall,
    Items,
    MathError,
    Name,
    Node,
    Number,
    Operation,
    Text,
)
from cloudlet.services.cloudwatch.metric_data import MetricDataRequest
from cloudlet.services.cloudwatch.metrics import MetricId
from cloudlet.store import Store

NOW = 1_700_000_100.0
PLACE = ("000000000000", "us-east-1")
CALL = Call("cloudwatch", "GetMetricData", *PLACE, Principal.service("monitoring.amazonaws.com", PLACE[0]), "id", NOW)
VALUES = {"m1": (1.0, 5.0, 0.0, -3.0), "m2": (2.0, 0.5), "huge": (1e300, 1e300, -1e300), "none": ()}
FUNCTIONS = sorted(known_functions() | {"METRICS", "SEARCH"})
WORDS = ["REPEAT", "LINEAR", "SUM", "AVG", "ASC", "DESC", "REMOVE_EMPTY"]
OPERATORS = ["+", "-", "*", "/", "^", "==", "!=", "<", ">", "<=", ">=", "and", "or"]

names = st.sampled_from([*VALUES, "m3", *WORDS]).map(Name)
numbers = st.floats(0, 1e300).map(Number)
texts = st.text('abcm{}=(),." ', max_size=12).map(lambda text: Text(text.replace('"', "")))


def branches(nodes: st.SearchStrategy[Node]) -> st.SearchStrategy[Node]:
    several = st.lists(nodes, max_size=4).map(tuple)
    return st.one_of(
        st.builds(Operation, st.sampled_from(OPERATORS), nodes, nodes),
        st.builds(FunctionCall, st.sampled_from([*FUNCTIONS, "UNKNOWN"]), several),
        st.builds(Items, several),
    )


nodes = st.recursive(st.one_of(names, numbers, texts), branches, max_leaves=12)


def written(node: Node) -> str:
    """The expression that a tree stands for, with all its parentheses."""
    match node:
        case Number(value):
            return repr(value)
        case Text(value):
            return f'"{value}"'
        case Name(name):
            return name
        case Items(items):
            return f"[{', '.join(map(written, items))}]"
        case Operation(operator, left, right):
            sign = operator.upper() if operator in ("and", "or") else operator
            return f"({written(left)}) {sign} ({written(right)})"
        case FunctionCall(function, arguments):
            return f"{function}({', '.join(map(written, arguments))})"


@given(nodes)
def test_an_expression_is_read_as_it_is_written(node: Node) -> None:
    assert math_syntax.parse(written(node)) == node


@given(st.one_of(st.text(), st.text("m1 +-*/^<>=!&|()[],.\"'eE0AND", max_size=40)))
def test_any_text_is_an_expression_or_refused(text: str) -> None:
    with suppress(MathError):
        math_syntax.parse(text)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """Metrics with some values, a minute apart."""
    folder = tmp_path_factory.mktemp("expressions")

    async def filled() -> Store:
        made = Store(folder / "cloudwatch.db", Path(cloudwatch.__file__).with_name("schema.sql"))
        for name, values in VALUES.items():
            for number, value in enumerate(values):
                samples = Samples()
                samples.add(value)
                time = int(NOW) // 60 * 60 - 600 + number * 60
                datum = Datum(MetricId(*PLACE, "Shop", name, ()), time, 60, "None", samples)
                await made.write(lambda tx, d=datum: put_datum(tx, d))
        return made

    loop = asyncio.new_event_loop()
    made = loop.run_until_complete(filled())
    yield made
    made.close()
    loop.close()


def values_of(store: Store, expression: str) -> list[float]:
    """Of all series that the expression results in, the newest first; none if it is refused."""
    try:
        answer = MetricDataRequest(CALL, request(expression)).answer(store.reader)
    except NotImplementedByCloudlet:
        return []
    except AwsError as error:
        if error.code != "ValidationException":
            raise
        return []
    found = [value for result in answer["MetricDataResults"] for value in result["Values"]]
    json.dumps(found, allow_nan=False)
    return found


def request(expression: str) -> dict[str, Any]:
    metrics = [
        {
            "Id": name,
            "ReturnData": False,
            "MetricStat": {"Metric": {"Namespace": "Shop", "MetricName": name}, "Period": 60, "Stat": "Sum"},
        }
        for name in VALUES
    ]
    return {
        "MetricDataQueries": [*metrics, {"Id": "e", "Expression": expression}],
        "StartTime": datetime.fromtimestamp(NOW - 1200, UTC),
        "EndTime": datetime.fromtimestamp(NOW, UTC),
    }


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=400)
@given(nodes)
def test_any_expression_has_values_or_is_refused(store: Store, node: Node) -> None:
    values_of(store, written(node))


@pytest.mark.parametrize(
    "expression",
    [
        "m1 + CEIL(1e999)",
        "m1 * FLOOR(SUM(huge) * 1e200)",
        "SLICE(METRICS(), LOG(0))",
        "SLICE(METRICS(), 1e999)",
        "SORT(METRICS(), SUM, ASC, LOG10(0))",
        "STDDEV(huge * huge) * m1",
        "SUM(huge * 1e8) + SUM(huge * 1e8) + m1",
        "STDDEV(METRICS())",
        "m1 ^ 0.5",
        "m1 / m1",
        "TIME_SERIES(-8 ^ 0.5)",
        "IF(none, m1)",
        "AVG(none) + m1",
        "MINUTE(m1) ^ EPOCH(m1)",
        "DIFF(huge * 1e8)",
        "RUNNING_SUM(huge * 1e8)",
        "RATE(huge * 1e8)",
        "FILL(huge * 1e8, LINEAR)",
        "MAX([huge * 1e8, m1]) + 1",
        "SUM([huge * 1e8, huge * 1e8])",
        "STDDEV([huge * 1e8, huge * 1e8])",
        "SORT([huge * 1e8, m1], SUM, DESC)",
        "SORT(m1, m1, m1)",
    ],
)
def test_numbers_that_are_too_large_or_none(store: Store, expression: str) -> None:
    values_of(store, expression)


def test_parts_of_the_time_can_be_computed_with(store: Store) -> None:
    assert values_of(store, "MINUTE(m2) + HOUR(m2)") == [28.0, 27.0]


searched = st.recursive(
    st.sampled_from(["errors", '"Errors"', "{Shop}", "{Shop,Kind}", 'MetricName="m1"', "Kind=(a OR b)", "'x y'"]),
    lambda inner: st.one_of(
        st.builds("({} AND {})".format, inner, inner),
        st.builds("({} OR {})".format, inner, inner),
        st.builds("NOT ({})".format, inner),
    ),
    max_leaves=6,
)


@given(searched)
def test_a_search_and_its_opposite_share_the_metrics(text: str) -> None:
    found, others = search_expressions.compile_search(text), search_expressions.compile_search(f"NOT ({text})")
    for name, dimensions in (("m1", ()), ("Errors", (("Kind", "a"),)), ("x y", (("Other", "c"),))):
        metric = MetricId(*PLACE, "Shop", name, dimensions)
        assert found(metric) is not others(metric)


@given(st.one_of(st.text(), st.text("a{},()=\"' ORANDT", max_size=40)))
def test_any_text_is_a_search_or_refused(text: str) -> None:
    with suppress(MathError):
        matches = search_expressions.compile_search(text)
        assert matches(MetricId(*PLACE, "Shop", "m1", (("Kind", "a"),))) in (True, False)


Truth = tuple[str, bool]
STATES: Mapping[str, str] = {"a": "ALARM", 'b "1"': "OK", "c\\d": "INSUFFICIENT_DATA"}


def state(state: str, alarm: str) -> Truth:
    quoted = alarm.replace("\\", "\\\\").replace('"', '\\"')
    return f'{state}("{quoted}")', STATES.get(alarm) == state


rules: st.SearchStrategy[Truth] = st.recursive(
    st.one_of(
        st.builds(state, st.sampled_from(["ALARM", "OK", "INSUFFICIENT_DATA"]), st.sampled_from([*STATES, "gone"])),
        st.sampled_from([("TRUE", True), ("FALSE", False)]),
    ),
    lambda inner: st.one_of(
        st.builds(lambda a, b: (f"({a[0]} AND {b[0]})", a[1] and b[1]), inner, inner),
        st.builds(lambda a, b: (f"({a[0]} OR {b[0]})", a[1] or b[1]), inner, inner),
        st.builds(lambda a: (f"NOT ({a[0]})", not a[1]), inner),
    ),
    max_leaves=10,
)


@given(rules)
def test_a_rule_holds_as_it_is_written(rule: Truth) -> None:
    text, holds = rule
    assert alarm_rules.parse_rule(text).holds(STATES.get) is holds


@given(st.one_of(st.text(), st.text('ALRMOKNDTFUSE()" \\a', max_size=40)))
def test_any_text_is_a_rule_or_refused(text: str) -> None:
    try:
        rule = alarm_rules.parse_rule(text)
    except AwsError as error:
        if error.code != "ValidationException":
            raise
    else:
        assert rule.holds(STATES.get) in (True, False)
