"""Live Tail, through boto3: what is added to log groups is seen as it comes."""

import json
import threading
from typing import Any

import pytest
from botocore.exceptions import ClientError
from log_groups import make_group, now, put

from waiting import eventually

ARN = "arn:aws:logs:us-east-1:000000000000:log-group:"


@pytest.fixture(scope="module")
def logs(server: Any) -> Any:
    """The clients of AWS put `stream-` before the endpoint's name, unless told not to."""
    return server.client("logs", inject_host_prefix=False)


def tail(logs: Any, *groups: str, **params: Any) -> tuple[dict[str, Any], Any]:
    """The session's start and its stream, of which the start is read."""
    stream = logs.start_live_tail(logGroupIdentifiers=[ARN + group for group in groups], **params)["responseStream"]
    events = iter(stream)
    return next(events)["sessionStart"], (stream, events)


def until(tailed: Any, wanted: int) -> list[dict[str, Any]]:
    """The results of the session until there are so many."""
    stream, events = tailed
    results: list[dict[str, Any]] = []
    for event in events:
        results += event["sessionUpdate"]["sessionResults"]
        if len(results) >= wanted:
            break
    stream.close()
    return results


def test_what_a_session_tells(logs: Any) -> None:
    group = make_group(logs, "/tail/all")
    start, tailed = tail(logs, group, logEventFilterPattern="ERROR")
    assert start["logGroupIdentifiers"] == [ARN + group]
    assert start["logEventFilterPattern"] == "ERROR"
    assert start["requestId"]
    assert start["sessionId"]
    at = now()
    put(logs, group, "ERROR one", "fine", "ERROR two", at=at)
    results = until(tailed, 2)
    ingested = {result.pop("ingestionTime") for result in results}
    assert len(ingested) == 1
    assert results == [
        {"logStreamName": "s", "logGroupIdentifier": ARN + group, "message": message, "timestamp": timestamp}
        for message, timestamp in [("ERROR one", at), ("ERROR two", at + 2)]
    ]


def test_an_update_comes_every_second_even_if_nothing_does(logs: Any) -> None:
    _, (stream, events) = tail(logs, make_group(logs, "/tail/silent"))
    assert next(events) == {"sessionUpdate": {"sessionMetadata": {"sampled": False}, "sessionResults": []}}
    stream.close()


@pytest.mark.parametrize(
    "params", [{"logStreamNames": ["web-1", "absent"]}, {"logStreamNamePrefixes": ["web"]}], ids=["names", "prefixes"]
)
def test_single_streams(logs: Any, params: dict[str, Any]) -> None:
    group = make_group(logs, f"/tail/{next(iter(params))}", "web-1", "db-1")
    _, tailed = tail(logs, group, **params)
    put(logs, group, "of db", stream="db-1")
    put(logs, group, "of web", stream="web-1")
    assert [result["message"] for result in until(tailed, 1)] == ["of web"]


def test_several_groups(logs: Any) -> None:
    groups = [make_group(logs, "/tail/a"), make_group(logs, "/tail/b")]
    _, tailed = tail(logs, *groups)
    for group in groups:
        put(logs, group, f"of {group}")
    found = {(result["logGroupIdentifier"], result["message"]) for result in until(tailed, 2)}
    assert found == {(ARN + group, f"of {group}") for group in groups}


def test_of_much_there_is_a_sample(logs: Any) -> None:
    group = make_group(logs, "/tail/much")
    _, (stream, events) = tail(logs, group)
    put(logs, group, *[f"event {number}" for number in range(2000)])
    updates = [event["sessionUpdate"] for event in (next(events), next(events))]
    sampled = next(update for update in updates if update["sessionResults"])
    assert sampled["sessionMetadata"]["sampled"] is True
    assert len(sampled["sessionResults"]) == 500
    stream.close()


@pytest.mark.parametrize(
    ("params", "code"),
    [
        ({"logGroupIdentifiers": [ARN + "/absent"]}, "ResourceNotFoundException"),
        ({"logGroupIdentifiers": [ARN + "/tail:*"]}, "InvalidParameterException"),
        ({"logStreamNames": ["a"], "logStreamNamePrefixes": ["b"]}, "InvalidParameterException"),
        (
            {"logGroupIdentifiers": [ARN + "/a", ARN + "/b"], "logStreamNames": ["a"]},
            "InvalidParameterException",
        ),
        ({"logEventFilterPattern": "{ $.a"}, "InvalidParameterException"),
    ],
)
def test_what_is_refused(logs: Any, params: dict[str, Any], code: str) -> None:
    if not logs.describe_log_groups(logGroupNamePrefix="/tail/refused")["logGroups"]:
        make_group(logs, "/tail/refused")
    with pytest.raises(ClientError) as caught:
        logs.start_live_tail(**{"logGroupIdentifiers": [ARN + "/tail/refused"], **params})
    assert caught.value.response["Error"]["Code"] == code  # type: ignore[typeddict-item]


def test_who_stops_reading_makes_room(server: Any) -> None:
    logs = server.client("logs", inject_host_prefix=False, max_pool_connections=20)
    group = make_group(logs, "/tail/full")
    streams = [eventually(lambda: _session(logs, group), what="room for a session") for _ in range(15)]
    with pytest.raises(ClientError, match="LimitExceededException"):
        tail(logs, group)
    for stream in streams:
        stream.close()
    eventually(lambda: _session(logs, group), what="room for another session").close()


def _session(logs: Any, group: str) -> Any:
    """Its stream; None if there are too many sessions, of which some may end."""
    try:
        return tail(logs, group)[1][0]
    except logs.exceptions.LimitExceededException:
        return None


def test_a_stop_of_the_server_ends_the_sessions(own_server: Any) -> None:
    logs = own_server.client("logs", inject_host_prefix=False)
    group = make_group(logs, "/tail/stopped")
    _, (_, events) = tail(logs, group)
    reader = threading.Thread(target=lambda: list(events))
    reader.start()
    assert own_server.stop() == 0
    reader.join(20)
    assert not reader.is_alive()


def test_a_user_must_be_allowed_each_group(server: Any) -> None:
    root, iam = server.client("logs"), server.client("iam")
    make_group(root, "/tail/mine")
    make_group(root, "/tail/theirs")
    iam.create_user(UserName="tailor")
    statement = {"Effect": "Allow", "Action": "logs:StartLiveTail", "Resource": f"{ARN}/tail/mine:*"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    iam.put_user_policy(UserName="tailor", PolicyName="p", PolicyDocument=document)
    key = iam.create_access_key(UserName="tailor")["AccessKey"]
    session = server.session(key["AccessKeyId"], key["SecretAccessKey"])
    logs = server.client("logs", session=session, inject_host_prefix=False)
    tail(logs, "/tail/mine")[1][0].close()
    with pytest.raises(ClientError, match="AccessDeniedException"):
        tail(logs, "/tail/mine", "/tail/theirs")
