"""Log groups, log streams and log events, through boto3."""

import time
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

DAY = 86_400_000


@pytest.fixture(scope="module")
def logs(server: Any) -> Any:
    return server.client("logs")


@pytest.fixture
def group(logs: Any, request: pytest.FixtureRequest) -> Iterator[str]:
    """A log group of the test's own, with a stream `one`."""
    name = f"/test/{request.node.name.partition('[')[0]}"
    logs.create_log_group(logGroupName=name)
    logs.create_log_stream(logGroupName=name, logStreamName="one")
    yield name
    logs.delete_log_group(logGroupName=name)


def now() -> int:
    return int(time.time() * 1000)


def put(logs: Any, group: str, stream: str, *messages: str, at: int | None = None) -> dict[str, Any]:
    """The events are a millisecond apart."""
    start = at if at is not None else now()
    events = [{"timestamp": start + number, "message": message} for number, message in enumerate(messages)]
    answer: dict[str, Any] = logs.put_log_events(logGroupName=group, logStreamName=stream, logEvents=events)
    return answer


def messages(answer: dict[str, Any]) -> list[str]:
    return [event["message"] for event in answer["events"]]


def refused(call: Any, **params: Any) -> tuple[str, str]:
    with pytest.raises(ClientError) as caught:
        call(**params)
    error: dict[str, str] = caught.value.response["Error"]  # type: ignore[assignment]
    return error["Code"], error["Message"]


def test_what_was_put_can_be_read(logs: Any, group: str) -> None:
    start = now()
    put(logs, group, "one", "first", "Größe", at=start)
    events = logs.get_log_events(logGroupName=group, logStreamName="one", startFromHead=True)["events"]
    assert [(event["timestamp"], event["message"]) for event in events] == [(start, "first"), (start + 1, "Größe")]
    assert abs(events[0]["ingestionTime"] - start) < 60_000


def test_groups_and_streams_are_made_once(logs: Any, group: str) -> None:
    assert refused(logs.create_log_group, logGroupName=group) == (
        "ResourceAlreadyExistsException",
        "The specified log group already exists",
    )
    code, message = refused(logs.create_log_stream, logGroupName=group, logStreamName="one")
    assert (code, message) == ("ResourceAlreadyExistsException", "The specified log stream already exists")


def test_what_does_not_exist(logs: Any, group: str) -> None:
    no_group = ("ResourceNotFoundException", "The specified log group does not exist.")
    no_stream = ("ResourceNotFoundException", "The specified log stream does not exist.")
    events = [{"timestamp": now(), "message": "m"}]
    assert refused(logs.put_log_events, logGroupName="none", logStreamName="s", logEvents=events) == no_group
    assert refused(logs.put_log_events, logGroupName=group, logStreamName="s", logEvents=events) == no_stream
    assert refused(logs.get_log_events, logGroupName=group, logStreamName="s") == no_stream
    assert refused(logs.filter_log_events, logGroupName="none") == no_group
    assert refused(logs.describe_log_streams, logGroupName="none") == no_group
    assert refused(logs.delete_log_group, logGroupName="none") == no_group
    assert refused(logs.delete_log_stream, logGroupName=group, logStreamName="s") == no_stream


def test_names_are_checked(logs: Any, group: str) -> None:
    code, message = refused(logs.create_log_group, logGroupName="a b")
    assert code == "InvalidParameterException"
    assert "Member must satisfy regular expression pattern" in message
    assert refused(logs.create_log_group, logGroupName="aws/mine")[0] == "InvalidParameterException"
    assert refused(logs.create_log_stream, logGroupName=group, logStreamName="a:b")[0] == "InvalidParameterException"


def test_groups_are_listed(logs: Any) -> None:
    names = [f"/listed/{number}" for number in range(5)]
    for name in names:
        logs.create_log_group(logGroupName=name, tags={"a": "b"})
    pages = logs.get_paginator("describe_log_groups").paginate(
        logGroupNamePrefix="/listed/", PaginationConfig={"PageSize": 2}
    )
    assert [[found["logGroupName"] for found in page["logGroups"]] for page in pages] == [
        names[:2],
        names[2:4],
        names[4:],
    ]
    found = logs.describe_log_groups(logGroupNamePattern="ed/3")["logGroups"]
    assert [one["logGroupArn"] for one in found] == ["arn:aws:logs:us-east-1:000000000000:log-group:/listed/3"]
    assert found[0]["arn"] == f"{found[0]['logGroupArn']}:*"
    assert refused(logs.describe_log_groups, nextToken="nonsense")[0] == "InvalidParameterException"


def test_streams_are_listed_by_name_or_by_last_event(logs: Any, group: str) -> None:
    start = now()
    for number, name in enumerate(("c", "a", "b")):
        logs.create_log_stream(logGroupName=group, logStreamName=name)
        put(logs, group, name, "event", at=start + number)
    by_name = logs.describe_log_streams(logGroupName=group)["logStreams"]
    assert [stream["logStreamName"] for stream in by_name] == ["a", "b", "c", "one"]
    assert "lastEventTimestamp" not in by_name[3]
    pages = logs.get_paginator("describe_log_streams").paginate(
        logGroupName=group, orderBy="LastEventTime", descending=True, PaginationConfig={"PageSize": 3}
    )
    by_time = [[stream["logStreamName"] for stream in page["logStreams"]] for page in pages]
    assert by_time == [["b", "a", "c"], ["one"]]
    found = logs.describe_log_streams(logGroupName=group, logStreamNamePrefix="o")["logStreams"]
    assert [stream["logStreamName"] for stream in found] == ["one"]


def test_pages_forwards_and_backwards(logs: Any, group: str) -> None:
    put(logs, group, "one", *"abcdef")
    stream = {"logGroupName": group, "logStreamName": "one"}
    newest = logs.get_log_events(**stream, limit=2)
    assert messages(newest) == ["e", "f"]
    before = logs.get_log_events(**stream, limit=2, nextToken=newest["nextBackwardToken"])
    assert messages(before) == ["c", "d"]
    assert messages(logs.get_log_events(**stream, limit=2, nextToken=before["nextForwardToken"])) == ["e", "f"]
    end = logs.get_log_events(**stream, nextToken=newest["nextForwardToken"])
    assert (end["events"], end["nextForwardToken"]) == ([], newest["nextForwardToken"])
    put(logs, group, "one", "g", at=now() + 1000)
    assert messages(logs.get_log_events(**stream, nextToken=end["nextForwardToken"])) == ["g"]
    assert refused(logs.get_log_events, **stream, nextToken="x")[0] == "InvalidParameterException"


def test_times_bound_what_is_read(logs: Any, group: str) -> None:
    start = now()
    put(logs, group, "one", "a", "b", "c", at=start)
    bounds = {"startTime": start + 1, "endTime": start + 2}
    assert messages(logs.get_log_events(logGroupName=group, logStreamName="one", **bounds)) == ["b"]
    # A search includes its end, other than the reading of a stream.
    assert messages(logs.filter_log_events(logGroupName=group, **bounds)) == ["b", "c"]


def test_search_over_streams(logs: Any, group: str) -> None:
    start = now()
    logs.create_log_stream(logGroupName=group, logStreamName="two")
    put(logs, group, "one", "ERROR in one", "fine", at=start)
    put(logs, group, "two", '{"level": "ERROR"}', at=start + 1)
    found = logs.filter_log_events(logGroupName=group, filterPattern="ERROR")
    assert [(event["logStreamName"], event["message"]) for event in found["events"]] == [
        ("one", "ERROR in one"),
        ("two", '{"level": "ERROR"}'),
    ]
    assert "nextToken" not in found
    by_json = logs.filter_log_events(logGroupName=group, filterPattern='{ $.level = "ERROR" }')
    assert messages(by_json) == ['{"level": "ERROR"}']
    assert len(logs.filter_log_events(logGroupName=group, logStreamNames=["two"])["events"]) == 1
    assert len(logs.filter_log_events(logGroupName=group, logStreamNamePrefix="on")["events"]) == 2
    assert messages(logs.filter_log_events(logGroupName=group, startFromHead=False))[-1] == "ERROR in one"
    identifier = f"arn:aws:logs:us-east-1:000000000000:log-group:{group}"
    assert len(logs.filter_log_events(logGroupIdentifier=identifier)["events"]) == 3
    assert refused(logs.filter_log_events, logGroupName=group, filterPattern="{ broken")[0] == (
        "InvalidParameterException"
    )


def test_pages_of_a_search(logs: Any, group: str) -> None:
    put(logs, group, "one", *(f"event {number}" for number in range(10)))
    pages = logs.get_paginator("filter_log_events").paginate(
        logGroupName=group, filterPattern="event", PaginationConfig={"PageSize": 4}
    )
    found = [event for page in pages for event in page["events"]]
    assert [event["message"] for event in found] == [f"event {number}" for number in range(10)]
    assert len({event["eventId"] for event in found}) == 10


def test_a_search_from_the_newest_goes_on_backwards(logs: Any, group: str) -> None:
    put(logs, group, "one", "a", "b", "c")
    page = logs.filter_log_events(logGroupName=group, startFromHead=False, limit=2)
    assert messages(page) == ["c", "b"]
    assert messages(logs.filter_log_events(logGroupName=group, nextToken=page["nextToken"])) == ["a"]
    code, _ = refused(logs.filter_log_events, logGroupName=group, startFromHead=False, startTime=1)
    assert code == "InvalidParameterException"


def test_batches_with_faults_are_refused(logs: Any, group: str) -> None:
    stream = {"logGroupName": group, "logStreamName": "one"}
    start = now()
    backwards = [{"timestamp": start, "message": "a"}, {"timestamp": start - 1, "message": "b"}]
    assert "chronological order" in refused(logs.put_log_events, **stream, logEvents=backwards)[1]
    too_long = [{"timestamp": start - DAY - 1, "message": "a"}, {"timestamp": start, "message": "b"}]
    assert "24 hours" in refused(logs.put_log_events, **stream, logEvents=too_long)[1]
    too_large = [{"timestamp": start, "message": "x" * 1_048_576}]
    assert refused(logs.put_log_events, **stream, logEvents=too_large)[1] == (
        "Upload too large: 1048602 bytes exceeds limit of 1048576"
    )
    assert logs.get_log_events(**stream)["events"] == []


def test_events_too_old_or_too_new_are_left_out(logs: Any, group: str) -> None:
    assert put(logs, group, "one", "old", at=now() - 15 * DAY)["rejectedLogEventsInfo"] == {"tooOldLogEventEndIndex": 1}
    assert put(logs, group, "one", "new", at=now() + DAY)["rejectedLogEventsInfo"] == {"tooNewLogEventStartIndex": 0}
    assert "rejectedLogEventsInfo" not in put(logs, group, "one", "now")
    assert messages(logs.get_log_events(logGroupName=group, logStreamName="one")) == ["now"]


def test_retention(logs: Any, group: str) -> None:
    put(logs, group, "one", "two days ago", at=now() - 2 * DAY)
    put(logs, group, "one", "today")
    logs.put_retention_policy(logGroupName=group, retentionInDays=1)
    assert logs.describe_log_groups(logGroupNamePrefix=group)["logGroups"][0]["retentionInDays"] == 1
    assert messages(logs.get_log_events(logGroupName=group, logStreamName="one")) == ["today"]
    assert messages(logs.filter_log_events(logGroupName=group)) == ["today"]
    rejected = put(logs, group, "one", "late", at=now() - 2 * DAY)["rejectedLogEventsInfo"]
    assert rejected == {"expiredLogEventEndIndex": 1}
    logs.delete_retention_policy(logGroupName=group)
    assert "retentionInDays" not in logs.describe_log_groups(logGroupNamePrefix=group)["logGroups"][0]
    assert refused(logs.put_retention_policy, logGroupName=group, retentionInDays=2)[0] == "InvalidParameterException"


def test_tags(logs: Any, group: str) -> None:
    arn = f"arn:aws:logs:us-east-1:000000000000:log-group:{group}"
    logs.tag_resource(resourceArn=arn, tags={"team": "inventory", "stage": "test"})
    logs.untag_resource(resourceArn=arn, tagKeys=["stage"])
    assert logs.list_tags_for_resource(resourceArn=arn)["tags"] == {"team": "inventory"}
    assert logs.list_tags_log_group(logGroupName=group)["tags"] == {"team": "inventory"}
    many = {f"key-{number}": "" for number in range(50)}
    assert refused(logs.tag_resource, resourceArn=arn, tags=many)[0] == "TooManyTagsException"


def test_stored_bytes(logs: Any, group: str) -> None:
    put(logs, group, "one", "12345", "Ä")
    assert logs.describe_log_groups(logGroupNamePrefix=group)["logGroups"][0]["storedBytes"] == 5 + 2 + 2 * 26
    logs.delete_log_stream(logGroupName=group, logStreamName="one")
    assert logs.describe_log_groups(logGroupNamePrefix=group)["logGroups"][0]["storedBytes"] == 0


def test_protected_groups_stay(logs: Any) -> None:
    logs.create_log_group(logGroupName="/protected", deletionProtectionEnabled=True)
    assert refused(logs.delete_log_group, logGroupName="/protected")[0] == "ValidationException"
    logs.put_log_group_deletion_protection(logGroupIdentifier="/protected", deletionProtectionEnabled=False)
    logs.delete_log_group(logGroupName="/protected")


def test_what_is_not_there_says_so(logs: Any, group: str) -> None:
    assert refused(logs.create_log_group, logGroupName="/k", kmsKeyId="arn:aws:kms:x")[0] == "NotImplemented"
    query = {"logGroupName": group, "startTime": 0, "endTime": 1, "queryString": "fields @message"}
    assert refused(logs.start_query, **query)[0] == "NotImplemented"
    account_policy = {"policyName": "p", "policyDocument": "{}", "policyType": "SUBSCRIPTION_FILTER_POLICY"}
    assert refused(logs.put_account_policy, **account_policy)[0] == "NotImplemented"


def test_a_listing_of_groups_by_pattern(logs: Any, group: str) -> None:
    logs.create_log_group(logGroupName="/catalogued/one")
    logs.create_log_group(logGroupName="/other/catalogued")
    for pattern, expected in [("catalogued", 2), ("^/catalogued", 1), ("^/catalogued|^/other", 2), ("nobody", 0)]:
        found = logs.list_log_groups(logGroupNamePattern=pattern)["logGroups"]
        assert len(found) == expected
    page = logs.list_log_groups(logGroupNamePattern="catalogued", limit=1)
    assert page["logGroups"] == [
        {
            "logGroupName": "/catalogued/one",
            "logGroupArn": "arn:aws:logs:us-east-1:000000000000:log-group:/catalogued/one",
            "logGroupClass": "STANDARD",
        }
    ]
    rest = logs.list_log_groups(logGroupNamePattern="catalogued", nextToken=page["nextToken"])
    assert [each["logGroupName"] for each in rest["logGroups"]] == ["/other/catalogued"]


def test_a_batch_may_span_a_day_of_what_is_kept(logs: Any, group: str) -> None:
    """What is too old does not count; of the rest, a day is the most."""
    start = now()
    events = [{"timestamp": time_, "message": "m"} for time_ in (start - 20 * DAY, start - DAY + 1000, start)]
    answer = logs.put_log_events(logGroupName=group, logStreamName="one", logEvents=events)
    assert answer["rejectedLogEventsInfo"] == {"tooOldLogEventEndIndex": 1}
    events = [{"timestamp": time_, "message": "m"} for time_ in (start - DAY - 1000, start)]
    code, _ = refused(logs.put_log_events, logGroupName=group, logStreamName="one", logEvents=events)
    assert code == "InvalidParameterException"


def test_regions_are_apart(server: Any, logs: Any, group: str) -> None:
    elsewhere = server.session().client("logs", endpoint_url=server.url, region_name="eu-central-1")
    assert elsewhere.describe_log_groups(logGroupNamePrefix=group)["logGroups"] == []
