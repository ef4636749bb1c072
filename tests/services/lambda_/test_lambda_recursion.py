"""Recursive loops: stopped after sixteen invocations, wherever the events pass, unless the function allows them."""

import json
import time
from typing import Any

import pytest
from function_making import Functions
from hypothesis import given
from hypothesis import strategies as st

from cloudlet.services.lambda_.lineage import MOST_INVOCATIONS, header_of_invocation, invocations_before
from waiting import eventually

ARN = "arn:aws:lambda:us-east-1:000000000000:function:loop"


def counter(server: Any, name: str) -> str:
    """A queue that gets a message for each invocation."""
    url: str = server.client("sqs").create_queue(QueueName=name)["QueueUrl"]
    return url


def waiting(server: Any, url: str) -> int:
    attributes = server.client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=["ApproximateNumberOfMessages"])
    return int(attributes["Attributes"]["ApproximateNumberOfMessages"])


def settled(server: Any, url: str) -> int:
    """How many invocations there were, once there are no more."""
    seen = eventually(lambda: waiting(server, url))
    still_since = time.monotonic()
    while time.monotonic() - still_since < 1.5:
        now = waiting(server, url)
        if now != seen:
            seen, still_since = now, time.monotonic()
        time.sleep(0.1)
    return seen


def loop_through_queue(functions: Functions, server: Any, name: str) -> tuple[str, str, str]:
    """The function, its queue's URL, and the queue in which invocations are counted."""
    sqs = server.client("sqs")
    counted = counter(server, f"{name}-count")
    url = sqs.create_queue(QueueName=name, Attributes={"VisibilityTimeout": "3"})["QueueUrl"]
    code = (
        "import boto3\nsqs = boto3.client('sqs')\n"
        "def handler(event, context):\n"
        f"  sqs.send_message(QueueUrl={counted!r}, MessageBody='invoked')\n"
        f"  sqs.send_message(QueueUrl={url!r}, MessageBody='again')\n"
    )
    function = functions.make(code)
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    mapping = functions.client.create_event_source_mapping(FunctionName=function, EventSourceArn=arn)
    return mapping["UUID"], url, counted


def test_a_loop_through_a_queue(functions: Functions, server: Any, lambda_: Any) -> None:
    mapping, url, counted = loop_through_queue(functions, server, "loop")
    server.client("sqs").send_message(QueueUrl=url, MessageBody="start")
    assert settled(server, counted) == MOST_INVOCATIONS
    lambda_.delete_event_source_mapping(UUID=mapping)


def test_a_loop_through_a_topic_ends_in_the_dead_letter_queue(functions: Functions, server: Any, lambda_: Any) -> None:
    sqs, sns = server.client("sqs"), server.client("sns")
    counted, letters = counter(server, "topic-count"), counter(server, "topic-letters")
    topic = sns.create_topic(Name="loop")["TopicArn"]
    code = (
        "import boto3\n"
        "def handler(event, context):\n"
        f"  boto3.client('sqs').send_message(QueueUrl={counted!r}, MessageBody='invoked')\n"
        f"  boto3.client('sns').publish(TopicArn={topic!r}, Message='again')\n"
    )
    target = sqs.get_queue_attributes(QueueUrl=letters, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    name = functions.make(code, DeadLetterConfig={"TargetArn": target}, Timeout=20)
    arn = lambda_.get_function_configuration(FunctionName=name)["FunctionArn"]
    lambda_.add_permission(
        FunctionName=name, StatementId="sns", Action="lambda:InvokeFunction", Principal="sns.amazonaws.com"
    )
    sns.subscribe(TopicArn=topic, Protocol="lambda", Endpoint=arn)
    sns.publish(TopicArn=topic, Message="start")
    assert eventually(lambda: waiting(server, letters)) == 1
    assert waiting(server, counted) == MOST_INVOCATIONS


def test_a_loop_through_a_bucket(functions: Functions, server: Any, lambda_: Any) -> None:
    s3, counted = server.client("s3"), counter(server, "bucket-count")
    s3.create_bucket(Bucket="loop-bucket")
    code = (
        "import boto3\n"
        "def handler(event, context):\n"
        f"  boto3.client('sqs').send_message(QueueUrl={counted!r}, MessageBody='invoked')\n"
        "  boto3.client('s3').put_object(Bucket='loop-bucket', Key='again')\n"
    )
    name = functions.make(code, Timeout=20)
    arn = lambda_.get_function_configuration(FunctionName=name)["FunctionArn"]
    lambda_.add_permission(
        FunctionName=name, StatementId="s3", Action="lambda:InvokeFunction", Principal="s3.amazonaws.com"
    )
    s3.put_bucket_notification_configuration(
        Bucket="loop-bucket",
        NotificationConfiguration={
            "LambdaFunctionConfigurations": [{"LambdaFunctionArn": arn, "Events": ["s3:ObjectCreated:*"]}]
        },
    )
    s3.put_object(Bucket="loop-bucket", Key="start")
    assert settled(server, counted) == MOST_INVOCATIONS


def test_a_function_that_calls_itself_is_told(functions: Functions, lambda_: Any) -> None:
    code = (
        "import boto3, json\n"
        "def handler(event, context):\n"
        "  client = boto3.client('lambda')\n"
        "  try:\n"
        "    answer = client.invoke(FunctionName=context.function_name, Payload=json.dumps(event + 1))\n"
        "  except client.exceptions.RecursiveInvocationException:\n"
        "    return event\n"
        "  return json.loads(answer['Payload'].read())\n"
    )
    name = functions.make(code, Timeout=60)
    assert functions.call(name, 1) == MOST_INVOCATIONS


def test_a_loop_that_is_meant(functions: Functions, server: Any, lambda_: Any) -> None:
    name = functions.make("def handler(event, context): pass")
    assert lambda_.get_function_recursion_config(FunctionName=name)["RecursiveLoop"] == "Terminate"
    code = (
        "import boto3, json\n"
        "def handler(event, context):\n"
        "  if event == 20: return event\n"
        "  answer = boto3.client('lambda').invoke(FunctionName=context.function_name, Payload=json.dumps(event + 1))\n"
        "  return json.loads(answer['Payload'].read())\n"
    )
    name = functions.make(code, Timeout=60)
    assert lambda_.put_function_recursion_config(FunctionName=name, RecursiveLoop="Allow")["RecursiveLoop"] == "Allow"
    assert lambda_.get_function_recursion_config(FunctionName=name)["RecursiveLoop"] == "Allow"
    assert functions.call(name, 1) == 20


def test_the_trace_of_the_caller_goes_on(functions: Functions, lambda_: Any) -> None:
    name = functions.make("import os\ndef handler(event, context): return os.environ['_X_AMZN_TRACE_ID']")
    root = "Root=1-5759e988-bd862e3fe1be46a994272793"

    def add(request: Any, **_: Any) -> None:
        request.headers["X-Amzn-Trace-Id"] = f"{root};Sampled=1"

    lambda_.meta.events.register_first("before-sign.lambda.Invoke", add)
    try:
        seen = functions.call(name)
    finally:
        lambda_.meta.events.unregister("before-sign.lambda.Invoke", add)
    assert seen.startswith(f"{root};Parent=")
    assert ";Sampled=1;Lineage=1:" in seen


@given(st.text())
def test_any_header_may_come(header: str) -> None:
    assert invocations_before(header, ARN) >= 0
    assert invocations_before(header_of_invocation(header, ARN, 0.0), ARN) >= 1


@given(st.lists(st.sampled_from("abc")))
def test_each_function_is_counted(names: list[str]) -> None:
    header: str | None = None
    for name in names:
        header = header_of_invocation(header, name, 1e9)
    for name in "abc":
        assert invocations_before(header, name) == names.count(name)
    assert json.dumps(header).isascii()


@pytest.mark.parametrize("functions_in_chain", [1, 40])
def test_a_header_does_not_grow_for_ever(functions_in_chain: int) -> None:
    header: str | None = None
    for number in range(200):
        header = header_of_invocation(header, f"function-{number % functions_in_chain}", 1e9)
    assert header is not None
    assert len(header) < 1024
