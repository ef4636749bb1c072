"""TracingConfig: whether an invocation is sampled, in the trace header that goes on from function to function."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from function_making import Functions

from waiting import eventually

ROOT = "Root=1-5759e988-bd862e3fe1be46a994272793"
TRACE = "import os\ndef handler(event, context): return os.environ['_X_AMZN_TRACE_ID']"
ACTIVE = {"Mode": "Active"}

# As the X-Ray SDK sends its segments: with its socket, and to the address that its variable names.
SEND_SEGMENT = """
import os, socket
host, _, port = os.environ["AWS_XRAY_DAEMON_ADDRESS"].partition(":")
assert (host, port) == (os.environ["_AWS_XRAY_DAEMON_ADDRESS"], os.environ["_AWS_XRAY_DAEMON_PORT"])
emitter = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
emitter.setblocking(False)
def handler(event, context):
    return [emitter.sendto(b"x" * 1000, (host, int(port))) for _ in range(10)]
"""


@contextmanager
def header_sent(client: Any, header: str) -> Iterator[None]:
    """The client's calls carry the trace header."""

    def add(request: Any, **_: Any) -> None:
        request.headers["X-Amzn-Trace-Id"] = header

    client.meta.events.register_first("before-sign", add)
    try:
        yield
    finally:
        client.meta.events.unregister("before-sign", add)


@pytest.mark.parametrize(
    ("mode", "sent", "sampled"),
    [
        ("Active", None, "1"),
        ("Active", ROOT, "1"),
        ("Active", f"{ROOT};Sampled=?", "1"),
        ("Active", f"{ROOT};Sampled=0", "0"),
        ("PassThrough", None, "0"),
        ("PassThrough", f"{ROOT};Sampled=1", "1"),
    ],
)
def test_who_decides_what_is_sampled(
    functions: Functions, lambda_: Any, mode: str, sent: str | None, sampled: str
) -> None:
    name = functions.make(TRACE, TracingConfig={"Mode": mode})
    if sent is None:
        seen = functions.call(name)
    else:
        with header_sent(lambda_, sent):
            seen = functions.call(name)
        assert seen.startswith(f"{ROOT};Parent=")
    assert f";Sampled={sampled};" in seen


def test_the_mode_is_shown_and_changed(functions: Functions, lambda_: Any) -> None:
    name = functions.make(TRACE, TracingConfig=ACTIVE)
    assert lambda_.get_function_configuration(FunctionName=name)["TracingConfig"] == ACTIVE
    changed = lambda_.update_function_configuration(FunctionName=name, TracingConfig={"Mode": "PassThrough"})
    assert changed["TracingConfig"] == {"Mode": "PassThrough"}
    assert ";Sampled=0;" in functions.call(name)
    assert lambda_.update_function_configuration(FunctionName=name, TracingConfig=ACTIVE)["TracingConfig"] == ACTIVE
    assert ";Sampled=1;" in functions.call(name)


def test_it_goes_on_with_what_the_function_calls(functions: Functions, server: Any) -> None:
    inner = functions.make(TRACE)
    call = "import boto3\ndef handler(event, context):\n"
    call += f"  return boto3.client('lambda').invoke(FunctionName={inner!r})['Payload'].read().decode()"
    outer = functions.make(call, TracingConfig=ACTIVE, Timeout=30)
    assert ";Sampled=1;" in functions.call(outer)


def test_it_goes_on_to_destinations(functions: Functions, server: Any, lambda_: Any) -> None:
    sqs = server.client("sqs")
    url = sqs.create_queue(QueueName="traced-results")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    name = functions.make(TRACE, TracingConfig=ACTIVE)
    lambda_.put_function_event_invoke_config(FunctionName=name, DestinationConfig={"OnSuccess": {"Destination": arn}})
    lambda_.invoke(FunctionName=name, InvocationType="Event", Payload=b"{}")
    names = ["AWSTraceHeader"]
    received = eventually(lambda: sqs.receive_message(QueueUrl=url, AttributeNames=names).get("Messages"))
    assert ";Sampled=1;" in received[0]["Attributes"]["AWSTraceHeader"]


def test_a_traced_topic_passes_the_header_on(functions: Functions, server: Any, lambda_: Any) -> None:
    sns, sqs = server.client("sns"), server.client("sqs")
    topic = sns.create_topic(Name="traced", Attributes={"TracingConfig": "Active"})["TopicArn"]
    assert sns.get_topic_attributes(TopicArn=topic)["Attributes"]["TracingConfig"] == "Active"
    url = sqs.create_queue(QueueName="of-traced-topic")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    statement = {"Effect": "Allow", "Principal": "*", "Action": "sqs:SendMessage", "Resource": arn}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": policy})
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)
    with header_sent(sns, f"{ROOT};Sampled=1"):
        sns.publish(TopicArn=topic, Message="traced")
    names = ["AWSTraceHeader"]
    received = eventually(lambda: sqs.receive_message(QueueUrl=url, AttributeNames=names).get("Messages"))
    assert received[0]["Attributes"]["AWSTraceHeader"] == f"{ROOT};Sampled=1"


def test_segments_go_nowhere_without_an_error(functions: Functions) -> None:
    assert functions.call(functions.make(SEND_SEGMENT, TracingConfig=ACTIVE)) == [1000] * 10


def test_no_function_gets_the_segments_of_others(functions: Functions) -> None:
    listen = "import os, socket\ndef handler(event, context):\n  host, port = os.environ['AWS_XRAY_DAEMON_ADDRESS']"
    listen += ".split(':')\n  try: socket.socket(socket.AF_INET, socket.SOCK_DGRAM).bind((host, int(port)))\n"
    listen += "  except PermissionError: return 'refused'"
    assert functions.call(functions.make(listen)) == "refused"
