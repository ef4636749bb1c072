"""Metric filters: what they take, how they are listed and tested, and what CloudWatch gets of them."""

import time
from datetime import UTC, datetime
from typing import Any

import pytest
from botocore.exceptions import ClientError
from log_groups import make_group, now, put

from waiting import eventually

ACCESS = '127.0.0.1 Prod frank [10/Oct/2000:13:25:15 -0700] "GET /index.html HTTP/1.0" {} {}'


@pytest.fixture(scope="module")
def logs(server: Any) -> Any:
    return server.client("logs")


def add_filter(logs: Any, group: str, pattern: str, name: str = "f", **transformation: Any) -> None:
    given = {"metricName": "Count", "metricNamespace": f"Test{group}", "metricValue": "1", **transformation}
    logs.put_metric_filter(logGroupName=group, filterName=name, filterPattern=pattern, metricTransformations=[given])


def statistics(server: Any, group: str, metric: str = "Count", **dimensions: str) -> dict[str, Any] | None:
    """All that was measured, as one; None while there is nothing."""
    end = time.time() + 120
    points = server.client("cloudwatch").get_metric_statistics(
        Namespace=f"Test{group}",
        MetricName=metric,
        Dimensions=[{"Name": name, "Value": value} for name, value in dimensions.items()],
        StartTime=datetime.fromtimestamp(end - 3600, UTC),
        EndTime=datetime.fromtimestamp(end, UTC),
        Period=3600 * 24,
        Statistics=["SampleCount", "Sum", "Maximum"],
    )["Datapoints"]
    return points[0] if points else None


def measured(server: Any, group: str, count: int, metric: str = "Count", **dimensions: str) -> dict[str, Any]:
    """What was measured once there are so many samples."""

    def look() -> dict[str, Any] | None:
        found = statistics(server, group, metric, **dimensions)
        return found if found is not None and found["SampleCount"] >= count else None

    return eventually(look, what=f"{count} samples of {metric}")


def test_matches_are_counted(server: Any, logs: Any) -> None:
    group = make_group(logs, "/counted")
    add_filter(logs, group, "ERROR", unit="Count")
    put(logs, group, "ERROR one", "fine", "ERROR two")
    put(logs, group, "ERROR three")
    found = measured(server, group, 3)
    assert (found["SampleCount"], found["Sum"], found["Unit"]) == (3, 3, "Count")


def test_values_and_dimensions_of_json(server: Any, logs: Any) -> None:
    group = make_group(logs, "/json")
    dimensions = {"Path": "$.request.path", "Status": "$.status"}
    add_filter(logs, group, "{ $.latency = * }", metricValue="$.latency", dimensions=dimensions)
    put(
        logs,
        group,
        '{"latency": 12.5, "request": {"path": "/a"}, "status": 200}',
        '{"latency": 7.5, "request": {"path": "/a"}, "status": 200}',
        '{"latency": 100, "request": {"path": "/b"}, "status": 500}',
        '{"latency": "slow", "request": {"path": "/b"}, "status": 500}',
        '{"latency": 5, "status": 500}',
    )
    found = measured(server, group, 1, Path="/b", Status="500")
    assert (found["SampleCount"], found["Sum"]) == (1, 100)
    found = measured(server, group, 2, Path="/a", Status="200")
    assert (found["Sum"], found["Maximum"]) == (20, 12.5)


def test_values_of_fields(server: Any, logs: Any) -> None:
    group = make_group(logs, "/fields")
    pattern = "[ip, server, user, timestamp, request, status = 4*, bytes]"
    add_filter(logs, group, pattern, metricValue="$bytes", dimensions={"Server": "$server"})
    put(logs, group, ACCESS.format(404, 1534), ACCESS.format(200, 1), ACCESS.format(403, 66))
    assert measured(server, group, 2, Server="Prod")["Sum"] == 1600


def test_a_default_where_nothing_matches(server: Any, logs: Any) -> None:
    group = make_group(logs, "/default")
    add_filter(logs, group, "ERROR", metricValue="5", defaultValue=0.5)
    put(logs, group, "fine", "fine")
    assert measured(server, group, 1)["Sum"] == 0.5
    put(logs, group, "ERROR")
    assert measured(server, group, 2)["Maximum"] == 5


def test_the_time_is_that_of_the_event(server: Any, logs: Any) -> None:
    group = make_group(logs, "/time")
    add_filter(logs, group, "")
    at = now() - 30 * 60_000
    put(logs, group, "old", at=at)
    measured(server, group, 1)
    (point,) = server.client("cloudwatch").get_metric_statistics(
        Namespace=f"Test{group}",
        MetricName="Count",
        StartTime=datetime.fromtimestamp(at / 1000 - 120, UTC),
        EndTime=datetime.fromtimestamp(at / 1000 + 120, UTC),
        Period=60,
        Statistics=["Sum"],
    )["Datapoints"]
    assert point["Timestamp"].timestamp() == at // 60_000 * 60


def test_how_filters_are_described_changed_and_deleted(logs: Any) -> None:
    group = make_group(logs, "/metrics/described")
    for name in ("one", "two"):
        add_filter(logs, group, "ERROR", name, metricName=f"Metric-{name}", defaultValue=0, unit="Count")
    add_filter(logs, group, "WARN", "two", metricName="Metric-two")
    page = logs.describe_metric_filters(logGroupName=group, limit=1)
    (two,) = logs.describe_metric_filters(logGroupName=group, nextToken=page["nextToken"])["metricFilters"]
    assert abs(two.pop("creationTime") - now()) < 60_000
    assert two == {
        "filterName": "two",
        "filterPattern": "WARN",
        "metricTransformations": [
            {"metricName": "Metric-two", "metricNamespace": f"Test{group}", "metricValue": "1"},
        ],
        "logGroupName": group,
        "applyOnTransformedLogs": False,
    }
    (by_metric,) = logs.describe_metric_filters(metricName="Metric-one", metricNamespace=f"Test{group}")[
        "metricFilters"
    ]
    assert by_metric["filterName"] == "one"
    assert by_metric["metricTransformations"][0]["defaultValue"] == 0
    assert logs.describe_log_groups(logGroupNamePrefix=group)["logGroups"][0]["metricFilterCount"] == 2
    logs.delete_metric_filter(logGroupName=group, filterName="one")
    with pytest.raises(ClientError, match="The specified metric filter does not exist"):
        logs.delete_metric_filter(logGroupName=group, filterName="one")


@pytest.mark.parametrize(
    ("pattern", "transformation", "message"),
    [
        ("{ $.a", {}, "Invalid filter pattern"),
        ("ERROR", {"metricValue": "$.a"}, "Invalid metric transformation"),
        ("{ $.a = 1 }", {"metricValue": "a"}, "Invalid metric transformation"),
        ("ERROR", {"dimensions": {"A": "$.a"}}, "The specified filter pattern does not support dimensions"),
        (
            "{ $.a = 1 }",
            {"dimensions": {"A": "$.a"}, "defaultValue": 0},
            "dimensions and default value are mutually exclusive",
        ),
        (
            "{ $.a = 1 }",
            {"dimensions": dict.fromkeys("ABCD", "$.a")},
            "Invalid metric transformation",
        ),
    ],
)
def test_what_is_refused(logs: Any, pattern: str, transformation: dict[str, Any], message: str) -> None:
    if not logs.describe_log_groups(logGroupNamePrefix="/metrics/refused")["logGroups"]:
        make_group(logs, "/metrics/refused")
    with pytest.raises(ClientError, match=message) as caught:
        add_filter(logs, "/metrics/refused", pattern, **transformation)
    assert caught.value.response["Error"]["Code"] == "InvalidParameterException"  # type: ignore[typeddict-item]


def test_how_many_there_may_be(logs: Any) -> None:
    group = make_group(logs, "/metrics/many")
    for number in range(5):
        add_filter(logs, group, "%expression%", f"expression-{number}")
    with pytest.raises(ClientError, match="LimitExceededException"):
        add_filter(logs, group, "%expression%", "expression-5")
    for number in range(95):
        add_filter(logs, group, "term", f"term-{number}")
    add_filter(logs, group, "%another%", "expression-4")
    with pytest.raises(ClientError, match="LimitExceededException"):
        add_filter(logs, group, "term", "term-95")


def test_a_pattern_can_be_tried(logs: Any) -> None:
    found = logs.test_metric_filter(
        filterPattern="[ip, server, user, timestamp, request, status = 4*, bytes]",
        logEventMessages=[ACCESS.format(200, 1), ACCESS.format(404, 1534)],
    )["matches"]
    assert found == [
        {
            "eventNumber": 1,
            "eventMessage": ACCESS.format(404, 1534),
            "extractedValues": {
                "$ip": "127.0.0.1",
                "$server": "Prod",
                "$user": "frank",
                "$timestamp": "10/Oct/2000:13:25:15 -0700",
                "$request": "GET /index.html HTTP/1.0",
                "$status": "404",
                "$bytes": "1534",
            },
        }
    ]
    found = logs.test_metric_filter(
        filterPattern='{ $.eventType = "Update*" }', logEventMessages=['{"eventType": "UpdateTrail"}', "no"]
    )["matches"]
    assert [match["extractedValues"] for match in found] == [{"$.eventType": "UpdateTrail"}]


def test_nothing_is_lost_by_kill_9_between_the_answer_and_the_metric(own_server: Any) -> None:
    logs = own_server.client("logs")
    group = make_group(logs, "/killed")
    add_filter(logs, group, "ERROR")
    for _ in range(10):
        put(logs, group, "ERROR")
    own_server.restart()
    assert measured(own_server, group, 10)["Sum"] >= 10
