"""Asynchronous invocation: accepted durably, retried, and what is owed to destinations and dead-letter queues."""

import json
from typing import Any

import pytest
from function_making import Functions, make_role

from waiting import eventually


@pytest.fixture(scope="module")
def sqs(server: Any) -> Any:
    return server.client("sqs")


def make_queue(sqs: Any, name: str) -> tuple[str, str]:
    """Its URL and its ARN."""
    url = sqs.create_queue(QueueName=name)["QueueUrl"]
    return url, sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]


def receive(sqs: Any, url: str) -> dict[str, Any]:
    """The next message."""

    def message() -> Any:
        answer = sqs.receive_message(QueueUrl=url, WaitTimeSeconds=1, MessageAttributeNames=["All"])
        return (answer.get("Messages") or [None])[0]

    found: dict[str, Any] = eventually(message)
    return found


def test_an_event_runs_and_its_success_is_told(functions: Functions, lambda_: Any, sqs: Any) -> None:
    url, arn = make_queue(sqs, "succeeded")
    name = functions.make("def handler(event, context): return {'doubled': event * 2}")
    lambda_.put_function_event_invoke_config(FunctionName=name, DestinationConfig={"OnSuccess": {"Destination": arn}})
    answer = lambda_.invoke(FunctionName=name, InvocationType="Event", Payload="21")
    assert (answer["StatusCode"], answer["Payload"].read()) == (202, b"")
    record = json.loads(receive(sqs, url)["Body"])
    assert record["requestContext"]["condition"] == "Success"
    assert record["requestContext"]["functionArn"].endswith(f":function:{name}:$LATEST")
    assert record["requestContext"]["requestId"] == answer["ResponseMetadata"]["RequestId"]
    assert (record["requestPayload"], record["responsePayload"]) == (21, {"doubled": 42})
    assert record["responseContext"] == {"statusCode": 200, "executedVersion": "$LATEST"}


def test_an_event_that_fails_goes_to_its_destination_and_dead_letter_queue(
    functions: Functions, lambda_: Any, sqs: Any
) -> None:
    failures, failures_arn = make_queue(sqs, "failures")
    letters, letters_arn = make_queue(sqs, "letters")
    name = functions.make(
        "def handler(event, context): raise ValueError('never')", DeadLetterConfig={"TargetArn": letters_arn}
    )
    lambda_.put_function_event_invoke_config(
        FunctionName=name, MaximumRetryAttempts=0, DestinationConfig={"OnFailure": {"Destination": failures_arn}}
    )
    id_ = lambda_.invoke(FunctionName=name, InvocationType="Event", Payload='{"a": 1}')["ResponseMetadata"]["RequestId"]
    record = json.loads(receive(sqs, failures)["Body"])
    assert (record["requestContext"]["condition"], record["requestContext"]["approximateInvokeCount"]) == (
        "RetriesExhausted",
        1,
    )
    assert record["responseContext"]["functionError"] == "Unhandled"
    assert record["responsePayload"]["errorMessage"] == "never"
    letter = receive(sqs, letters)
    assert json.loads(letter["Body"]) == {"a": 1}
    attributes = {name: value["StringValue"] for name, value in letter["MessageAttributes"].items()}
    assert attributes == {"RequestID": id_, "ErrorCode": "200", "ErrorMessage": "never"}


def test_a_function_as_destination(functions: Functions, lambda_: Any, sqs: Any) -> None:
    url, _ = make_queue(sqs, "forwarded")
    code = f"import boto3, json\ndef handler(event, context):\n  boto3.client('sqs').send_message(QueueUrl={url!r}, "
    second = functions.make(code + "MessageBody=json.dumps(event['responsePayload']))", Timeout=20)
    arn = lambda_.get_function_configuration(FunctionName=second)["FunctionArn"]
    first = functions.make("def handler(event, context): return 'done'")
    lambda_.put_function_event_invoke_config(FunctionName=first, DestinationConfig={"OnSuccess": {"Destination": arn}})
    lambda_.invoke(FunctionName=first, InvocationType="Event")
    assert json.loads(receive(sqs, url)["Body"]) == "done"


def test_event_invoke_configurations(functions: Functions, lambda_: Any) -> None:
    name = functions.make("def handler(event, context): pass")
    with pytest.raises(lambda_.exceptions.ResourceNotFoundException, match="doesn't have an EventInvokeConfig"):
        lambda_.get_function_event_invoke_config(FunctionName=name)
    lambda_.put_function_event_invoke_config(FunctionName=name, MaximumRetryAttempts=1)
    lambda_.update_function_event_invoke_config(FunctionName=name, MaximumEventAgeInSeconds=60)
    found = lambda_.get_function_event_invoke_config(FunctionName=name)
    assert (found["MaximumRetryAttempts"], found["MaximumEventAgeInSeconds"]) == (1, 60)
    lambda_.put_function_event_invoke_config(FunctionName=name, MaximumRetryAttempts=2)
    assert "MaximumEventAgeInSeconds" not in lambda_.get_function_event_invoke_config(FunctionName=name)
    assert len(lambda_.list_function_event_invoke_configs(FunctionName=name)["FunctionEventInvokeConfigs"]) == 1
    lambda_.delete_function_event_invoke_config(FunctionName=name)
    assert lambda_.list_function_event_invoke_configs(FunctionName=name)["FunctionEventInvokeConfigs"] == []


def test_accepted_events_survive_kill_9(own_server: Any) -> None:
    sqs = own_server.client("sqs")
    url, arn = make_queue(sqs, "survivors")
    functions = Functions(own_server.client("lambda"), make_role(own_server, "survivor"))
    name = functions.make("import time\ndef handler(event, context):\n  time.sleep(0.3)\n  return event", Timeout=30)
    functions.client.put_function_event_invoke_config(
        FunctionName=name, DestinationConfig={"OnSuccess": {"Destination": arn}}
    )
    for number in range(10):
        functions.client.invoke(FunctionName=name, InvocationType="Event", Payload=str(number))
    own_server.restart()
    sqs = own_server.client("sqs")
    arrived: set[int] = set()

    def all_arrived() -> bool:
        answer = sqs.receive_message(QueueUrl=url, WaitTimeSeconds=1, MaxNumberOfMessages=10)
        arrived.update(json.loads(message["Body"])["responsePayload"] for message in answer.get("Messages", []))
        return arrived == set(range(10))

    eventually(all_arrived, 40)


def test_an_event_may_not_be_larger_than_a_megabyte(functions: Functions, lambda_: Any) -> None:
    name = functions.make("def handler(event, context): pass")
    payload = json.dumps("x" * (1 << 20))
    with pytest.raises(lambda_.exceptions.RequestTooLargeException, match="limit 1048576 bytes"):
        lambda_.invoke(FunctionName=name, InvocationType="Event", Payload=payload)
