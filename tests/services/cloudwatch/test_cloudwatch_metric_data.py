"""GetMetricData and ListMetrics as boto3 sees them."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError

Minute = Callable[[int], datetime]


def put(cloudwatch: Any, name: str, values: dict[datetime, float], **more: Any) -> None:
    data = [{"MetricName": name, "Timestamp": time, "Value": value, **more} for time, value in values.items()]
    cloudwatch.put_metric_data(Namespace="Shop", MetricData=data)


def stat(id_: str, name: str, statistic: str = "Sum", period: int = 60, **more: Any) -> dict[str, Any]:
    metric = {"Namespace": "Shop", "MetricName": name}
    return {"Id": id_, "MetricStat": {"Metric": metric, "Stat": statistic, "Period": period}, **more}


def ask(cloudwatch: Any, queries: list[dict[str, Any]], minute: Minute, **more: Any) -> dict[str, list[float]]:
    """The values of each query, oldest first."""
    answer = cloudwatch.get_metric_data(
        MetricDataQueries=queries,
        StartTime=minute(10),
        EndTime=minute(0),
        ScanBy="TimestampAscending",
        **more,
    )
    return {result["Id"]: result["Values"] for result in answer["MetricDataResults"]}


@pytest.fixture(scope="module", autouse=True)
def data(server: Any) -> None:
    """Orders of each of four minutes, errors of two of them; latencies."""
    cloudwatch = server.client("cloudwatch")
    now = datetime.now().astimezone().replace(second=0, microsecond=0)

    def ago(minutes: int) -> datetime:
        return now - timedelta(minutes=minutes)

    put(cloudwatch, "Orders", {ago(6): 10, ago(5): 20, ago(4): 40, ago(3): 80})
    put(cloudwatch, "Errors", {ago(6): 1, ago(4): 2})
    cloudwatch.put_metric_data(
        Namespace="Shop",
        MetricData=[{"MetricName": "Latency", "Timestamp": ago(5), "Values": [float(n) for n in range(1, 101)]}],
    )


def test_statistics_and_percentiles(cloudwatch: Any, minute: Minute) -> None:
    names = ("Average", "Maximum", "p90", "tm50", "PR(:25)", "IQM", "tc(:10)", "TS(10:20)")
    queries = [stat(f"q{number}", "Latency", name) for number, name in enumerate(names)]
    found = ask(cloudwatch, queries, minute)
    assert [found[f"q{number}"] for number in range(8)] == [[50.5], [100], [90], [25.5], [25], [50.5], [10], [155]]


@pytest.mark.parametrize(
    ("expression", "values"),
    [
        ("m1", [10, 20, 40, 80]),
        ("m1 + 1", [11, 21, 41, 81]),
        ("(m1 - m2) / m1", [0.9, 0.95]),
        ("100 * m2 / m1", [10, 5]),
        ("-m2 ^ 2", [-1, -4]),
        ("m1 / (m1 - 20)", [-1, 2, 80 / 60]),
        ("FILL(m2, 0) / m1", [0.1, 0, 0.05, 0]),
        ("FILL(m2, REPEAT)", [1, 1, 2, 2, 2, 2]),
        ("FILL(m2, LINEAR)", [1, 1.5, 2]),
        ("m1 - AVG(m1)", [-27.5, -17.5, 2.5, 42.5]),
        ("SUM([m1, m2])", [11, 20, 42, 80]),
        ("MAX(METRICS())", [10, 20, 40, 80]),
        ("AVG(METRICS('m'))", [5.5, 20, 21, 80]),
        ("STDDEV([m1, m2])", [4.5, 0, 19, 0]),
        ("DIFF(m1)", [10, 20, 40]),
        ("RATE(m1) * PERIOD(m1)", [10, 20, 40]),
        ("RUNNING_SUM(m1)", [10, 30, 70, 150]),
        ("CEIL(m1 / 30) + FLOOR(m1 / 30) + ABS(0 - m1)", [11, 21, 43, 85]),
        ("IF(m1 > 15 AND m1 < 50, m1, 0)", [0, 20, 40, 0]),
        ("IF(m1 >= 80 || m1 == 10, 1)", [1, 1]),
        ("DATAPOINT_COUNT(m1) * TIME_SERIES(1)", [4] * 10),
        ("FIRST([m2, m1])", [1, 2]),
        ("SLICE(SORT(METRICS(), SUM, DESC), 0, 1)", [10, 20, 40, 80]),
        ("LOG10(m1 * m1 / m1)", pytest.approx([1, 1.30103, 1.60206, 1.90309])),
        ("SUM(SEARCH('{Shop} MetricName=\"Orders\" OR Errors', 'Sum', 60))", [11, 20, 42, 80]),
        ("SEARCH('{Shop} NOT latency AND NOT Errors', 'Sum')", [10, 20, 40, 80]),
    ],
)
def test_metric_math(cloudwatch: Any, minute: Minute, expression: str, values: Any) -> None:
    queries = [
        stat("m1", "Orders", ReturnData=False),
        stat("m2", "Errors", ReturnData=False),
        {"Id": "e1", "Expression": expression, "Period": 60},
    ]
    assert ask(cloudwatch, queries, minute)["e1"] == values


@pytest.mark.parametrize(
    ("expression", "reason"),
    [
        ("m1 +", "Unexpected end of the expression"),
        ("m3 * 2", "Undefined variable 'm3'"),
        ("FOO(m1)", "Unsupported function 'FOO'"),
        ("AVG(m1)", "The expression must result in a time series"),
        ("e1 + 1", "The expression refers to itself"),
        ("[m1, m1] + [m1]", "Unsupported operand type(s) for +: [Timeseries[], Timeseries[]]"),
        ("m1 $ 2", "Unexpected character '$'"),
        ("(" * 60 + "m1" + ")" * 60, "The expression is nested too deeply"),
    ],
)
def test_expressions_that_make_no_sense(cloudwatch: Any, minute: Minute, expression: str, reason: str) -> None:
    with pytest.raises(ClientError) as caught:
        ask(cloudwatch, [stat("m1", "Orders"), {"Id": "e1", "Expression": expression}], minute)
    assert "(ValidationError)" in str(caught.value)
    assert str(caught.value).endswith(f": Error in expression 'e1': {reason}")


def test_long_sums(cloudwatch: Any, minute: Minute) -> None:
    put(cloudwatch, "Summed", {minute(3): 1})
    queries = [stat("m1", "Summed"), {"Id": "e1", "Expression": "+".join(["m1"] * 600)}]
    assert ask(cloudwatch, queries, minute)["e1"] == [600.0]


@pytest.mark.parametrize("expression", ["TIME_SERIES(1)", "FILL(o, 0)", "FILL(o, REPEAT)", "FILL(o, o)"])
def test_series_made_of_nothing_are_bounded(cloudwatch: Any, expression: str) -> None:
    queries = [stat("o", "Orders", period=1), {"Id": "e", "Expression": expression, "Period": 1}]
    with pytest.raises(ClientError, match="too many data points"):
        cloudwatch.get_metric_data(MetricDataQueries=queries, StartTime=0, EndTime=4_000_000_000)


def test_series_made_of_nothing_are_bounded_together(cloudwatch: Any, minute: Minute) -> None:
    many = [{"Id": f"e{number}", "Expression": "TIME_SERIES(1)", "Period": 1} for number in range(20)]
    with pytest.raises(ClientError, match="too many data points"):
        cloudwatch.get_metric_data(MetricDataQueries=many, StartTime=minute(1440), EndTime=minute(0))


def test_what_is_not_there_says_so(cloudwatch: Any, minute: Minute) -> None:
    with pytest.raises(ClientError, match="Metrics Insights") as caught:
        ask(cloudwatch, [{"Id": "q", "Expression": 'SELECT AVG(Orders) FROM "Shop"'}], minute)
    assert "(NotImplemented)" in str(caught.value)


def test_queries_break_rules(cloudwatch: Any, minute: Minute) -> None:
    def message(*queries: dict[str, Any], **more: Any) -> str:
        with pytest.raises(ClientError) as caught:
            ask(cloudwatch, list(queries), minute, **more)
        answer: Any = caught.value.response
        assert answer["Error"]["Code"] == "ValidationError"
        return answer["Error"]["Message"]

    assert message(stat("M1", "Orders")) == (
        "The value M1 for parameter MetricDataQueries.member.1.Id is not matching the expected pattern"
        " ^[a-z][a-zA-Z0-9_]*$."
    )
    assert "not unique" in message(stat("a", "Orders"), stat("a", "Errors"))
    assert "must not have a size greater than 500" in message(*(stat(f"m{n}", "Orders") for n in range(501)))
    assert "Stat is not supported" in message(stat("a", "Orders", "p101"))
    assert "multiple of 60" in message(stat("a", "Orders", period=45))
    assert "exactly one" in message({"Id": "a"})


def test_newest_first_unless_asked_otherwise(cloudwatch: Any, minute: Minute) -> None:
    answer = cloudwatch.get_metric_data(
        MetricDataQueries=[stat("m1", "Orders", Label="all")], StartTime=minute(10), EndTime=minute(0)
    )
    [result] = answer["MetricDataResults"]
    assert result["Values"] == [80, 40, 20, 10]
    assert result["Timestamps"] == sorted(result["Timestamps"], reverse=True)
    assert (result["Label"], result["StatusCode"]) == ("all", "Complete")


def test_labels_tell_what_is_in_the_series(cloudwatch: Any, minute: Minute) -> None:
    label = "${PROP('MetricName')} ${PROP('Stat')}: ${MIN}..${MAX}, last ${LAST}"
    answer = cloudwatch.get_metric_data(
        MetricDataQueries=[stat("m1", "Orders", Label=label), stat("m2", "Errors")],
        StartTime=minute(10),
        EndTime=minute(0),
    )
    assert [result["Label"] for result in answer["MetricDataResults"]] == ["Orders Sum: 10..80, last 80", "Errors"]


def test_pages_of_data_points(cloudwatch: Any, minute: Minute) -> None:
    pages = list(
        cloudwatch.get_paginator("get_metric_data").paginate(
            MetricDataQueries=[stat("m1", "Orders"), stat("m2", "Errors"), stat("none", "Nothing")],
            StartTime=minute(10),
            EndTime=minute(0),
            ScanBy="TimestampAscending",
            MaxDatapoints=3,
        )
    )
    found = [
        [(result["Id"], result["Values"], result["StatusCode"]) for result in page["MetricDataResults"]]
        for page in pages
    ]
    assert found == [
        [("m1", [10, 20, 40], "PartialData"), ("none", [], "Complete")],
        [("m1", [80], "Complete"), ("m2", [1, 2], "Complete")],
    ]


def test_longer_periods_begin_where_the_question_does(cloudwatch: Any, minute: Minute) -> None:
    answer = cloudwatch.get_metric_data(
        MetricDataQueries=[stat("m1", "Orders", period=180)],
        StartTime=minute(6) + timedelta(seconds=30),
        EndTime=minute(0),
        ScanBy="TimestampAscending",
    )
    [result] = answer["MetricDataResults"]
    assert result["Values"] == [70, 80]
    assert result["Timestamps"] == [minute(6), minute(3)]


def test_metrics_are_listed_by_what_they_are_called(cloudwatch: Any) -> None:
    for queue in ("a", "b"):
        dimensions = [{"Name": "Queue", "Value": queue}, {"Name": "Kind", "Value": "fifo"}]
        cloudwatch.put_metric_data(
            Namespace="Other", MetricData=[{"MetricName": "Depth", "Dimensions": dimensions, "Value": 1}]
        )
    cloudwatch.put_metric_data(Namespace="Other", MetricData=[{"MetricName": "Plain", "Value": 1}])

    def listed(**asked: Any) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = cloudwatch.list_metrics(Namespace="Other", **asked)["Metrics"]
        return found

    assert {metric["MetricName"] for metric in listed(RecentlyActive="PT3H")} == {"Depth", "Plain"}
    assert len(listed(Dimensions=[{"Name": "Queue"}])) == 2
    [one] = listed(MetricName="Depth", Dimensions=[{"Name": "Queue", "Value": "b"}])
    assert one["Dimensions"] == [{"Name": "Kind", "Value": "fifo"}, {"Name": "Queue", "Value": "b"}]
    assert listed(Dimensions=[{"Name": "Nothing"}]) == []


def test_pages_of_metrics(cloudwatch: Any) -> None:
    for start in (0, 400):
        data = [{"MetricName": f"metric-{number}", "Value": 1} for number in range(start, start + 400)]
        cloudwatch.put_metric_data(Namespace="Many", MetricData=data)
    pages = list(cloudwatch.get_paginator("list_metrics").paginate(Namespace="Many"))
    assert [len(page["Metrics"]) for page in pages] == [500, 300]
    assert len({metric["MetricName"] for page in pages for metric in page["Metrics"]}) == 800
