"""Event notifications: what is sent, for which keys, and which destinations are taken."""

import json
import time
from typing import Any
from uuid import uuid4

import pytest
import requests


@pytest.fixture
def queue(server: Any, bucket: str) -> tuple[str, str]:
    """URL and ARN of a queue that S3 may send to on behalf of the bucket."""
    return make_queue(server, bucket, f"queue-{uuid4().hex[:8]}")


def make_queue(server: Any, bucket: str, name: str) -> tuple[str, str]:
    sqs = server.client("sqs")
    arn = f"arn:aws:sqs:us-east-1:000000000000:{name}"
    statement = {
        "Effect": "Allow",
        "Principal": {"Service": "s3.amazonaws.com"},
        "Action": "sqs:SendMessage",
        "Resource": arn,
        "Condition": {"ArnLike": {"aws:SourceArn": f"arn:aws:s3:::{bucket}"}},
    }
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    return sqs.create_queue(QueueName=name, Attributes={"Policy": policy})["QueueUrl"], arn


def subscribe(s3: Any, bucket: str, arn: str, events: list[str], **rules: str) -> None:
    entry: dict[str, Any] = {"Id": "mine", "QueueArn": arn, "Events": events}
    if rules:
        entry["Filter"] = {"Key": {"FilterRules": [{"Name": n, "Value": v} for n, v in rules.items()]}}
    s3.put_bucket_notification_configuration(Bucket=bucket, NotificationConfiguration={"QueueConfigurations": [entry]})


def received(server: Any, url: str, count: int) -> list[dict[str, Any]]:
    """The next messages of the queue: `count` of them, or fewer if they do not come within 20 seconds."""
    sqs = server.client("sqs")
    found: list[dict[str, Any]] = []
    deadline = time.monotonic() + 20
    while len(found) < count and time.monotonic() < deadline:
        for message in sqs.receive_message(QueueUrl=url, WaitTimeSeconds=2).get("Messages", []):
            found.append(json.loads(message["Body"]))
            sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
    return found


def test_a_queue_hears_of_new_objects(server: Any, s3: Any, bucket: str, queue: tuple[str, str]) -> None:
    url, arn = queue
    subscribe(s3, bucket, arn, ["s3:ObjectCreated:*"])
    (test,) = received(server, url, 1)
    assert (test["Event"], test["Bucket"]) == ("s3:TestEvent", bucket)
    etag = s3.put_object(Bucket=bucket, Key="a b/ü.csv", Body=b"1,2")["ETag"]
    ((record,),) = [message["Records"] for message in received(server, url, 1)]
    assert (record["eventVersion"], record["eventSource"], record["eventName"]) == (
        "2.1",
        "aws:s3",
        "ObjectCreated:Put",
    )
    assert record["s3"]["bucket"]["arn"] == f"arn:aws:s3:::{bucket}"
    assert record["s3"]["configurationId"] == "mine"
    thing = record["s3"]["object"]
    assert (thing["key"], thing["size"], thing["eTag"]) == ("a+b/%C3%BC.csv", 3, etag.strip('"'))
    assert int(thing["sequencer"], 16) > 0


def test_filters_and_removals(server: Any, s3: Any, bucket: str, queue: tuple[str, str]) -> None:
    url, arn = queue
    subscribe(s3, bucket, arn, ["s3:ObjectRemoved:*"], prefix="in/", suffix=".csv")
    received(server, url, 1)
    for key in ("in/1.csv", "in/1.txt", "out/1.csv"):
        s3.put_object(Bucket=bucket, Key=key, Body=b"")
        s3.delete_object(Bucket=bucket, Key=key)
    ((record,),) = [message["Records"] for message in received(server, url, 1)]
    assert (record["eventName"], record["s3"]["object"]["key"]) == ("ObjectRemoved:Delete", "in/1.csv")
    assert "size" not in record["s3"]["object"]


def test_sequencers_tell_which_change_came_later(server: Any, s3: Any, bucket: str, queue: tuple[str, str]) -> None:
    url, arn = queue
    subscribe(s3, bucket, arn, ["s3:ObjectCreated:*", "s3:ObjectRemoved:*"])
    received(server, url, 1)
    for _ in range(2):
        s3.put_object(Bucket=bucket, Key="k", Body=b"")
        s3.delete_object(Bucket=bucket, Key="k")
    records = [message["Records"][0] for message in received(server, url, 4)]
    records.sort(key=lambda record: record["s3"]["object"]["sequencer"])
    assert [record["eventName"].split(":")[0] for record in records] == ["ObjectCreated", "ObjectRemoved"] * 2
    assert len({record["s3"]["object"]["sequencer"] for record in records}) == 4


def test_the_configuration_comes_back(s3: Any, bucket: str, queue: tuple[str, str]) -> None:
    subscribe(s3, bucket, queue[1], ["s3:ObjectCreated:Put"], prefix="in/")
    (found,) = s3.get_bucket_notification_configuration(Bucket=bucket)["QueueConfigurations"]
    assert found["Id"] == "mine"
    assert found["Filter"] == {"Key": {"FilterRules": [{"Name": "Prefix", "Value": "in/"}]}}
    s3.put_bucket_notification_configuration(Bucket=bucket, NotificationConfiguration={})
    assert "QueueConfigurations" not in s3.get_bucket_notification_configuration(Bucket=bucket)


def test_destinations_are_tried_first(s3: Any, bucket: str, error_of: Any) -> None:
    entry = {"QueueArn": "arn:aws:sqs:us-east-1:000000000000:none", "Events": ["s3:ObjectCreated:*"]}
    refused = error_of(
        s3.put_bucket_notification_configuration,
        Bucket=bucket,
        NotificationConfiguration={"QueueConfigurations": [entry]},
    )
    assert refused == ("InvalidArgument", 400)


def test_overlapping_configurations_are_refused(s3: Any, bucket: str, queue: tuple[str, str], error_of: Any) -> None:
    entries = [{"QueueArn": queue[1], "Events": [event]} for event in ("s3:ObjectCreated:*", "s3:ObjectCreated:Put")]
    refused = error_of(
        s3.put_bucket_notification_configuration,
        Bucket=bucket,
        NotificationConfiguration={"QueueConfigurations": entries},
    )
    assert refused == ("InvalidArgument", 400)


def test_events_survive_kill_9(own_server: Any) -> None:
    s3 = own_server.client("s3")
    s3.create_bucket(Bucket="events")
    url, arn = make_queue(own_server, "events", "events")
    subscribe(s3, "events", arn, ["s3:ObjectCreated:*"])
    for number in range(20):
        s3.put_object(Bucket="events", Key=f"k{number}", Body=b"x")
    own_server.restart()
    keys: set[str] = set()
    while len(keys) < 20:  # what was on its way may come twice
        messages = received(own_server, url, 1)
        assert messages
        keys |= {record["s3"]["object"]["key"] for message in messages for record in message.get("Records", [])}
    assert keys == {f"k{number}" for number in range(20)}


class Upload:
    """A body in two pieces, with something that is done before the second is sent."""

    def __init__(self, between: Any) -> None:
        self._pieces = iter([b"a" * 200_000, b"b" * 200_000])
        self._between = between

    def __len__(self) -> int:
        return 400_000

    def read(self, _: int = -1) -> bytes:
        piece = next(self._pieces, b"")
        if piece.startswith(b"b"):
            self._between()
        return piece


def test_an_upload_that_ends_after_the_configuration_is_told(
    server: Any, s3: Any, bucket: str, queue: tuple[str, str]
) -> None:
    url, arn = queue
    address = s3.generate_presigned_url("put_object", Params={"Bucket": bucket, "Key": "slow"})
    upload: Any = Upload(lambda: subscribe(s3, bucket, arn, ["s3:ObjectCreated:*"]))
    assert requests.put(address, data=upload, timeout=20).status_code == 200
    events = [
        message["Records"][0]["s3"]["object"]["key"] for message in received(server, url, 2) if "Records" in message
    ]
    assert events == ["slow"]
