"""Events of AWS services on the default bus: S3's."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from event_making import Queue, entry


@pytest.fixture(scope="module")
def s3(server: Any) -> Any:
    return server.client("s3")


def bridged_bucket(s3: Any, name: str) -> str:
    s3.create_bucket(Bucket=name)
    s3.put_bucket_notification_configuration(Bucket=name, NotificationConfiguration={"EventBridgeConfiguration": {}})
    return name


def test_a_bucket_says_that_it_tells_event_bridge(s3: Any) -> None:
    bridged_bucket(s3, "told")
    found = s3.get_bucket_notification_configuration(Bucket="told")
    found.pop("ResponseMetadata")
    assert found == {"EventBridgeConfiguration": {}}
    s3.put_bucket_notification_configuration(Bucket="told", NotificationConfiguration={})
    assert "EventBridgeConfiguration" not in s3.get_bucket_notification_configuration(Bucket="told")


def test_what_happens_to_objects_comes_as_events(
    server: Any, s3: Any, make_queue: Callable[..., Queue], make_rule: Callable[..., str]
) -> None:
    queue = make_queue(server, "from-s3")
    make_rule(server, "from-s3", "aws.s3", {"Arn": queue.arn})
    bucket = bridged_bucket(s3, "telling")
    s3.put_object(Bucket=bucket, Key="a b/ü.txt", Body=b"hello", Tagging="k=v")
    s3.copy_object(Bucket=bucket, Key="copy", CopySource={"Bucket": bucket, "Key": "a b/ü.txt"})
    s3.put_object_tagging(Bucket=bucket, Key="copy", Tagging={"TagSet": [{"Key": "a", "Value": "b"}]})
    s3.delete_object(Bucket=bucket, Key="copy")
    events = queue.events(4)
    assert {event["source"] for event in events} == {"aws.s3"}
    assert {tuple(event["resources"]) for event in events} == {("arn:aws:s3:::telling",)}
    by_reason = {event["detail"].get("reason", event["detail-type"]): event for event in events}
    created = by_reason["PutObject"]
    assert created["detail-type"] == "Object Created"
    assert created["account"] == created["detail"]["requester"] == "000000000000"
    assert created["detail"]["bucket"] == {"name": "telling"}
    about = created["detail"]["object"]
    assert (about["key"], about["size"], about["etag"]) == ("a b/ü.txt", 5, "5d41402abc4b2a76b9719d911017c592")
    assert about["sequencer"] < by_reason["CopyObject"]["detail"]["object"]["sequencer"]
    assert by_reason["Object Tags Added"]["detail"]["object"]["key"] == "copy"
    deleted = by_reason["DeleteObject"]
    assert (deleted["detail-type"], deleted["detail"]["deletion-type"]) == ("Object Deleted", "Permanently Deleted")


def test_the_sources_of_services_are_theirs_alone(server: Any) -> None:
    answer = server.client("events").put_events(Entries=[entry("aws.s3"), entry("awesome")])
    assert answer["FailedEntryCount"] == 1
    assert answer["Entries"][0]["ErrorCode"] == "NotAuthorizedForSourceException"
    assert "EventId" in answer["Entries"][1]


def test_events_of_services_match_by_what_they_are_about(
    server: Any, s3: Any, make_queue: Callable[..., Queue]
) -> None:
    queue = make_queue(server, "pictures")
    pattern = {
        "source": ["aws.s3"],
        "detail-type": ["Object Created"],
        "detail": {"bucket": {"name": ["pictures"]}, "object": {"key": [{"suffix": ".png"}]}},
    }
    events = server.client("events")
    events.put_rule(Name="pictures", EventPattern=json.dumps(pattern))
    events.put_targets(Rule="pictures", Targets=[{"Id": "q", "Arn": queue.arn, "InputPath": "$.detail.object.key"}])
    bridged_bucket(s3, "pictures")
    for key in ("one.txt", "two.png"):
        s3.put_object(Bucket="pictures", Key=key, Body=b"")
    assert queue.events(1) == ["two.png"]
