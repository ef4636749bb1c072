"""Integrations with AWS services, without a function between."""

import json
from collections.abc import Callable
from typing import Any
from xml.etree import ElementTree

import pytest
import requests
from botocore.exceptions import ClientError


@pytest.fixture(scope="module")
def queue(server: Any) -> str:
    return server.client("sqs").create_queue(QueueName="orders")["QueueUrl"]


@pytest.fixture(scope="module")
def service(make_api: Callable[..., Any], role: str) -> Callable[..., Any]:
    """Makes an API with one route to an operation."""

    def make(subtype: str, parameters: dict[str, str], credentials: str = role) -> Any:
        return make_api(
            "POST /",
            IntegrationType="AWS_PROXY",
            IntegrationSubtype=subtype,
            PayloadFormatVersion="1.0",
            CredentialsArn=credentials,
            RequestParameters=parameters,
        )

    return make


def test_a_message_is_sent(server: Any, service: Callable[..., Any], queue: str) -> None:
    attributes = json.dumps({"who": {"DataType": "String", "StringValue": "ada"}})
    made = service(
        "SQS-SendMessage",
        {
            "QueueUrl": queue,
            "MessageBody": "$request.body",
            "DelaySeconds": "0",
            "MessageAttributes": attributes,
            "Region": "us-east-1",
        },
    )
    answer = requests.post(f"{made.url}/", data="hello", timeout=20)

    assert answer.status_code == 200
    assert ElementTree.fromstring(answer.text).tag.endswith("SendMessageResponse")
    (message,) = server.client("sqs").receive_message(QueueUrl=queue, MessageAttributeNames=["All"])["Messages"]
    assert (message["Body"], message["MessageAttributes"]["who"]["StringValue"]) == ("hello", "ada")


def test_messages_are_received_and_deleted(server: Any, service: Callable[..., Any]) -> None:
    sqs = server.client("sqs")
    queue = sqs.create_queue(QueueName="taken")["QueueUrl"]
    sqs.send_message(QueueUrl=queue, MessageBody="hello")
    receive = service("SQS-ReceiveMessage", {"QueueUrl": queue, "MaxNumberOfMessages": "1", "AttributeNames": "All"})
    delete = service("SQS-DeleteMessage", {"QueueUrl": queue, "ReceiptHandle": "$request.body.handle"})

    found = ElementTree.fromstring(requests.post(f"{receive.url}/", timeout=20).text)
    handle = next(node.text for node in found.iter() if node.tag.endswith("ReceiptHandle"))
    assert requests.post(f"{delete.url}/", json={"handle": handle}, timeout=20).status_code == 200
    counts = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["All"])["Attributes"]
    assert (counts["ApproximateNumberOfMessages"], counts["ApproximateNumberOfMessagesNotVisible"]) == ("0", "0")


def test_a_queue_is_purged(server: Any, service: Callable[..., Any]) -> None:
    sqs = server.client("sqs")
    queue = sqs.create_queue(QueueName="full")["QueueUrl"]
    sqs.send_message(QueueUrl=queue, MessageBody="hello")
    made = service("SQS-PurgeQueue", {"QueueUrl": queue})
    assert requests.post(f"{made.url}/", timeout=20).status_code == 200
    assert "Messages" not in sqs.receive_message(QueueUrl=queue)


def test_events_are_put(server: Any, service: Callable[..., Any]) -> None:
    made = service(
        "EventBridge-PutEvents",
        {"Detail": "$request.body", "DetailType": "order", "Source": "shop", "Time": "$request.header.x-time"},
    )
    good = requests.post(f"{made.url}/", json={"n": 1}, headers={"x-time": "2026-11-24T10:00:00Z"}, timeout=20)
    assert (good.status_code, good.json()["FailedEntryCount"]) == (200, 0)
    assert good.json()["Entries"][0]["EventId"]


def test_errors_of_the_service_reach_the_client(service: Callable[..., Any], queue: str) -> None:
    made = service("SQS-SendMessage", {"QueueUrl": f"{queue}-none", "MessageBody": "$request.body"})
    answer = requests.post(f"{made.url}/", data="hello", timeout=20)
    assert answer.status_code == 400
    assert "NonExistentQueue" in answer.text


def test_the_role_counts(server: Any, service: Callable[..., Any], queue: str) -> None:
    trust = {
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", "Principal": {"Service": "apigateway.amazonaws.com"}, "Action": "sts:AssumeRole"}
        ],
    }
    iam = server.client("iam")
    poor = iam.create_role(RoleName="poor", AssumeRolePolicyDocument=json.dumps(trust))["Role"]["Arn"]
    made = service("SQS-SendMessage", {"QueueUrl": queue, "MessageBody": "x"}, poor)
    assert requests.post(f"{made.url}/", timeout=20).status_code == 403

    trust["Statement"][0]["Principal"] = {"Service": "lambda.amazonaws.com"}
    other = iam.create_role(RoleName="other", AssumeRolePolicyDocument=json.dumps(trust))["Role"]["Arn"]
    made = service("SQS-SendMessage", {"QueueUrl": queue, "MessageBody": "x"}, other)
    answer = requests.post(f"{made.url}/", timeout=20)
    assert (answer.status_code, answer.json()) == (500, {"message": "Internal Server Error"})


@pytest.mark.parametrize(
    ("subtype", "parameters", "code"),
    [
        ("SQS-SendMessage", {"QueueUrl": "q"}, "BadRequestException"),
        ("SQS-SendMessage", {"QueueUrl": "q", "MessageBody": "b", "Color": "blue"}, "BadRequestException"),
        ("SQS-SendMessage", {"QueueUrl": "q", "MessageBody": "$request.nothing"}, "BadRequestException"),
        ("SQS-Nothing", {"QueueUrl": "q"}, "BadRequestException"),
        ("StepFunctions-StartExecution", {"StateMachineArn": "a"}, "NotImplemented"),
    ],
)
def test_what_cannot_be(service: Callable[..., Any], subtype: str, parameters: dict[str, str], code: str) -> None:
    with pytest.raises(ClientError, match=code):
        service(subtype, parameters)
