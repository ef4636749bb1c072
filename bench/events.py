"""The event plane: from an upload, a message or an event to the first line of a warm function, or to all targets."""

import json
import statistics
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from bench.functions import make_function
from bench.measure import Measure
from bench.peers import RunningPeer

# Says when it began; the name of what it was called for comes back with it.
_CLOCK = """
import time
started = time.time
import boto3, json, os
sqs = boto3.client("sqs")

def handler(event, context):
    now = started()
    record = event["Records"][0]
    name = record["s3"]["object"]["key"] if "s3" in record else record["body"]
    sqs.send_message(QueueUrl=os.environ["STARTS"], MessageBody=json.dumps([name, now]))
"""
_WARM_UP = 3
_TIMES = 15
_QUEUES = 5
_GIVE_UP = 20.0


def measure_events(peer: RunningPeer, role: str) -> Iterator[Measure]:
    yield _upload_to_start(peer, role)
    yield _message_to_start(peer, role)
    yield _fan_out(peer)


def _upload_to_start(peer: RunningPeer, role: str) -> Measure:
    starts, function = _clock(peer, "uploaded", role)
    s3 = peer.client("s3")
    s3.create_bucket(Bucket="bench-uploads")
    peer.client("lambda").add_permission(
        FunctionName="uploaded", StatementId="s3", Action="lambda:InvokeFunction", Principal="s3.amazonaws.com",
        SourceArn="arn:aws:s3:::bench-uploads",
    )  # fmt: skip
    s3.put_bucket_notification_configuration(
        Bucket="bench-uploads",
        NotificationConfiguration={
            "LambdaFunctionConfigurations": [{"LambdaFunctionArn": function, "Events": ["s3:ObjectCreated:*"]}]
        },
    )
    return _one_after_another(
        "S3 upload to function start", starts, lambda name: s3.put_object(Bucket="bench-uploads", Key=name, Body=b"1")
    )


def _message_to_start(peer: RunningPeer, role: str) -> Measure:
    starts, function = _clock(peer, "queued", role)
    sqs = peer.client("sqs")
    url = sqs.create_queue(QueueName="bench-work")["QueueUrl"]
    peer.client("lambda").create_event_source_mapping(EventSourceArn=_arn(sqs, url), FunctionName=function, BatchSize=1)
    return _one_after_another(
        "SQS message to function start", starts, lambda name: sqs.send_message(QueueUrl=url, MessageBody=name)
    )


def _fan_out(peer: RunningPeer) -> Measure:
    """One event to five queues, each with a client that waits: until the last of them has it."""
    sqs, events = peer.client("sqs"), peer.client("events")
    urls = [sqs.create_queue(QueueName=f"bench-fan-{number}")["QueueUrl"] for number in range(_QUEUES)]
    rule = events.put_rule(Name="bench-fan", EventPattern='{"source": ["bench"]}')["RuleArn"]
    targets = []
    for number, url in enumerate(urls):
        arn = _arn(sqs, url)
        sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": _policy(arn, rule)})
        targets.append({"Id": str(number), "Arn": arn})
    events.put_targets(Rule="bench-fan", Targets=targets)
    times = []
    with ThreadPoolExecutor(_QUEUES) as pool:
        for _ in range(_WARM_UP + _TIMES):
            waiting = [pool.submit(_take, sqs, url) for url in urls]
            time.sleep(0.05)  # all of them wait when the event comes
            sent = time.time()
            entry = {"Source": "bench", "DetailType": "tick", "Detail": "{}"}
            events.put_events(Entries=[entry])
            arrived = [one.result() for one in waiting]
            if None in arrived:
                return Measure("EventBridge to five queues", None, "ms", note="not delivered")
            times.append(max(at for at in arrived if at is not None) - sent)
    return _median("EventBridge to five queues", times)


def _clock(peer: RunningPeer, name: str, role: str) -> tuple["_Starts", str]:
    sqs = peer.client("sqs")
    url = sqs.create_queue(QueueName=f"bench-{name}")["QueueUrl"]
    function = make_function(peer, name, _CLOCK, role, Environment={"Variables": {"STARTS": url}})
    return _Starts(sqs, url), function


class _Starts:
    """When the function began, from the queue into which it says so."""

    def __init__(self, sqs: Any, url: str) -> None:
        self._sqs = sqs
        self._url = url

    def of(self, name: str) -> float | None:
        deadline = time.monotonic() + _GIVE_UP
        while time.monotonic() < deadline:
            for message in self._sqs.receive_message(QueueUrl=self._url, WaitTimeSeconds=2).get("Messages", []):
                self._sqs.delete_message(QueueUrl=self._url, ReceiptHandle=message["ReceiptHandle"])
                told, at = json.loads(message["Body"])
                if told == name:
                    return float(at)
        return None


def _one_after_another(title: str, starts: _Starts, cause: Callable[[str], Any]) -> Measure:
    times = []
    for number in range(_WARM_UP + _TIMES):
        sent = time.time()
        cause(f"{number}")
        started = starts.of(f"{number}")
        if started is None:
            return Measure(title, None, "ms", note="function not called")
        times.append(started - sent)
    return _median(title, times)


def _median(title: str, times: list[float]) -> Measure:
    return Measure(title, statistics.median(times[_WARM_UP:]) * 1000, "ms", note=f"median of {_TIMES}")


def _take(sqs: Any, url: str) -> float | None:
    """When a message has come, in epoch seconds."""
    found = sqs.receive_message(QueueUrl=url, WaitTimeSeconds=10).get("Messages", [])
    arrived = time.time()
    for message in found:
        sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
    return arrived if found else None


def _arn(sqs: Any, url: str) -> str:
    arn: str = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    return arn


def _policy(queue: str, rule: str) -> str:
    statement = {
        "Effect": "Allow",
        "Principal": {"Service": "events.amazonaws.com"},
        "Action": "sqs:SendMessage",
        "Resource": queue,
        "Condition": {"ArnEquals": {"aws:SourceArn": rule}},
    }
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})
