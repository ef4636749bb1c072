"""Settings of stages: access logs, throttling, variables."""

import json
import time
from collections.abc import Callable
from typing import Any

import pytest
import requests
from botocore.exceptions import ClientError

JSON = (
    '{"id":"$context.requestId","route":"$context.routeKey","status":"$context.status",'
    '"agent":"$context.identity.userAgent","error":$context.error.messageString}'
)
CLF = (
    '$context.identity.sourceIp - - [$context.requestTime] "$context.httpMethod $context.routeKey $context.protocol" '
    "$context.status $context.responseLength $context.requestId $context.integrationStatus "
    "$context.authorizer.claims.sub"
)


@pytest.fixture(scope="module")
def make_group(server: Any) -> Callable[[str], str]:
    """Makes a log group; returns its ARN."""

    def make(name: str) -> str:
        server.client("logs").create_log_group(logGroupName=name)
        return f"arn:aws:logs:us-east-1:000000000000:log-group:{name}"

    return make


def lines(server: Any, group: str, count: int) -> list[str]:
    """The messages in a log group, once there are so many."""
    logs = server.client("logs")
    deadline = time.monotonic() + 30
    while True:
        found = [event["message"] for event in logs.filter_log_events(logGroupName=group)["events"]]
        if len(found) >= count or time.monotonic() > deadline:
            return found
        time.sleep(0.05)


def test_access_logs_as_json(server: Any, api: Any, make_api: Callable[..., Any], make_group: Any) -> None:
    made = make_api("GET /x")
    log = {"DestinationArn": make_group("/apis/json"), "Format": JSON}
    stage = api.update_stage(ApiId=made.id, StageName="$default", AccessLogSettings=log)
    assert stage["AccessLogSettings"] == log

    good = made.get("/x", **{"user-agent": 'a "quoted" name'})
    made.get("/none")

    written = (json.loads(line.replace('"error":-', '"error":null')) for line in lines(server, "/apis/json", 2))
    first, second = sorted(written, key=lambda line: line["status"])
    assert first == {
        "id": good.headers["apigw-requestid"],
        "route": "GET /x",
        "status": "200",
        "agent": 'a "quoted" name',
        "error": None,
    }
    assert (second["status"], second["route"], second["error"]) == ("404", "-", "Not Found")


def test_access_logs_in_the_common_format(server: Any, api: Any, make_api: Callable[..., Any], make_group: Any) -> None:
    made = make_api("POST /x")
    log = {"DestinationArn": make_group("/apis/clf") + ":*", "Format": CLF}
    api.update_stage(ApiId=made.id, StageName="$default", AccessLogSettings=log)

    answer = requests.post(f"{made.url}/x", data="hello", timeout=20)

    (line,) = lines(server, "/apis/clf", 1)
    assert line.startswith("127.0.0.1 - - [")
    assert f'"POST POST /x HTTP/1.1" 200 {len(answer.content)} {answer.headers["apigw-requestid"]} 200 -' in line


def test_an_access_log_ends_when_its_settings_are_deleted(
    server: Any, api: Any, make_api: Any, make_group: Any
) -> None:
    made = make_api("GET /x")
    log = {"DestinationArn": make_group("/apis/ends"), "Format": "$context.requestId $context.path"}
    api.update_stage(ApiId=made.id, StageName="$default", AccessLogSettings=log)
    made.get("/x")
    assert len(lines(server, "/apis/ends", 1)) == 1
    api.delete_access_log_settings(ApiId=made.id, StageName="$default")
    assert "AccessLogSettings" not in api.get_stage(ApiId=made.id, StageName="$default")
    made.get("/x")
    assert len(lines(server, "/apis/ends", 1)) == 1


@pytest.mark.parametrize(
    ("destination", "format_"),
    [
        ("arn:aws:logs:us-east-1:000000000000:log-group:missing", "$context.requestId"),
        ("/apis/name", "$context.requestId"),
        ("arn:aws:logs:us-east-1:111111111111:log-group:theirs", "$context.requestId"),
        ("arn:aws:logs:us-east-1:000000000000:log-group:missing", "$context.status"),
        ("arn:aws:logs:us-east-1:000000000000:log-group:missing", "$context.requestId\n"),
    ],
)
def test_access_logs_that_cannot_be(api: Any, make_api: Callable[..., Any], destination: str, format_: str) -> None:
    log = {"DestinationArn": destination, "Format": format_}
    with pytest.raises(ClientError, match="BadRequestException"):
        api.update_stage(ApiId=make_api().id, StageName="$default", AccessLogSettings=log)


def statuses(made: Any, path: str, count: int) -> list[int]:
    return [made.get(path).status_code for _ in range(count)]


def test_routes_are_throttled(api: Any, make_api: Callable[..., Any]) -> None:
    made = make_api("GET /slow", "GET /shut", "GET /free")
    api.update_stage(
        ApiId=made.id,
        StageName="$default",
        DefaultRouteSettings={"ThrottlingRateLimit": 0.001, "ThrottlingBurstLimit": 2},
        RouteSettings={
            "GET /shut": {"ThrottlingRateLimit": 0},
            "GET /free": {"ThrottlingRateLimit": 1000, "ThrottlingBurstLimit": 100},
        },
    )
    assert statuses(made, "/slow", 4) == [200, 200, 429, 429]
    assert statuses(made, "/free", 4) == [200] * 4
    assert made.get("/shut").json() == {"message": "Too Many Requests"}

    api.delete_route_settings(ApiId=made.id, StageName="$default", RouteKey="GET /shut")
    assert list(api.get_stage(ApiId=made.id, StageName="$default")["RouteSettings"]) == ["GET /free"]
    assert statuses(made, "/shut", 3) == [200, 200, 429]
    with pytest.raises(ClientError, match="NotFoundException"):
        api.delete_route_settings(ApiId=made.id, StageName="$default", RouteKey="GET /shut")


def test_a_stage_ends(api: Any, make_api: Callable[..., Any]) -> None:
    made = make_api("GET /x")
    api.delete_stage(ApiId=made.id, StageName="$default")
    assert made.get("/x").status_code == 404
    with pytest.raises(ClientError, match="NotFoundException"):
        api.get_stage(ApiId=made.id, StageName="$default")


def test_settings_are_of_routes_that_there_are(api: Any, make_api: Callable[..., Any]) -> None:
    with pytest.raises(ClientError, match="Unable to find Route by key GET /none"):
        api.update_stage(
            ApiId=make_api().id, StageName="$default", RouteSettings={"GET /none": {"ThrottlingRateLimit": 1}}
        )


def test_stage_variables_change_one_by_one(api: Any, make_api: Callable[..., Any]) -> None:
    made = make_api("GET /x")
    api.update_stage(ApiId=made.id, StageName="$default", StageVariables={"a": "1", "b": "2"})
    api.update_stage(ApiId=made.id, StageName="$default", StageVariables={"a": "3", "b": ""})
    assert made.get("/x").json()["stageVariables"] == {"a": "3"}
    with pytest.raises(ClientError, match="Invalid stage variable name"):
        api.update_stage(ApiId=made.id, StageName="$default", StageVariables={"a-b": "1"})


def test_metrics_of_requests(server: Any, api: Any, make_api: Callable[..., Any]) -> None:
    made = make_api("GET /x")
    api.update_stage(ApiId=made.id, StageName="$default", DefaultRouteSettings={"DetailedMetricsEnabled": True})
    made.get("/x")
    made.get("/none")

    dimensions = [{"Name": "ApiId", "Value": made.id}]
    detailed = [
        *dimensions,
        *(
            {"Name": name, "Value": value}
            for name, value in (("Stage", "$default"), ("Method", "GET"), ("Resource", "/x"))
        ),
    ]
    assert (measured(server, "Count", dimensions, 2), measured(server, "4xx", dimensions, 1)) == (2, 1)
    assert measured(server, "Count", detailed, 1) == 1


def measured(server: Any, name: str, dimensions: list[Any], wanted: int) -> float:
    """The sum of a metric of the last minutes, once it is what is wanted or nothing more is to be expected."""
    metrics = server.client("cloudwatch")
    deadline = time.monotonic() + 30
    while True:
        now = time.time()
        found = metrics.get_metric_statistics(
            Namespace="AWS/ApiGateway",
            MetricName=name,
            Dimensions=dimensions,
            StartTime=now - 600,
            EndTime=now + 60,
            Period=60,
            Statistics=["Sum"],
        )
        total = sum(point["Sum"] for point in found["Datapoints"])
        if total >= wanted or time.monotonic() > deadline:
            return total
        time.sleep(0.2)
