"""SQS through boto3, over both of its protocols, against a running server."""

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import requests
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.exceptions import ClientError


@pytest.fixture
def sqs(server: Any) -> Any:
    return server.client("sqs")


def test_a_message_goes_round(sqs: Any, server: Any) -> None:
    url = sqs.create_queue(QueueName="round", Attributes={"VisibilityTimeout": "60"}, tags={"a": "b"})["QueueUrl"]
    assert url == f"{server.url}/000000000000/round"
    assert sqs.get_queue_url(QueueName="round")["QueueUrl"] == url
    attributes = {"cover": {"DataType": "Binary", "BinaryValue": b"\x00\xff"}}
    sqs.send_message(QueueUrl=url, MessageBody="hällo <&>", MessageAttributes=attributes)
    asked = {"MessageAttributeNames": ["All"], "MessageSystemAttributeNames": ["All"]}
    (message,) = sqs.receive_message(QueueUrl=url, **asked)["Messages"]
    assert message["Body"] == "hällo <&>"
    assert message["MessageAttributes"] == attributes
    assert message["Attributes"]["ApproximateReceiveCount"] == "1"
    sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
    assert "Messages" not in sqs.receive_message(QueueUrl=url)


def test_errors_have_their_old_codes_and_their_classes(sqs: Any) -> None:
    told = r"\(AWS.SimpleQueueService.NonExistentQueue\).*: The specified queue does not exist\."
    with pytest.raises(sqs.exceptions.QueueDoesNotExist, match=told):
        sqs.get_queue_url(QueueName="missing")
    url = sqs.create_queue(QueueName="errors")["QueueUrl"]
    with pytest.raises(sqs.exceptions.ReceiptHandleIsInvalid):
        sqs.delete_message(QueueUrl=url, ReceiptHandle="nonsense")
    with pytest.raises(sqs.exceptions.EmptyBatchRequest):
        sqs.send_message_batch(QueueUrl=url, Entries=[])
    with pytest.raises(sqs.exceptions.InvalidAttributeName):
        sqs.create_queue(QueueName="x", Attributes={"Colour": "red"})
    with pytest.raises(ClientError, match=r"\(InvalidParameterValue\)"):
        sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=11)


def test_a_waiting_receiver_is_woken(sqs: Any, server: Any) -> None:
    url = sqs.create_queue(QueueName="woken")["QueueUrl"]
    started = threading.Event()

    def receive() -> Any:
        waiting = server.client("sqs")
        started.set()
        return waiting.receive_message(QueueUrl=url, WaitTimeSeconds=20)

    with ThreadPoolExecutor() as pool:
        receiver = pool.submit(receive)
        started.wait()
        sqs.send_message(QueueUrl=url, MessageBody="wake up")
        assert receiver.result()["Messages"][0]["Body"] == "wake up"


def test_a_waiting_receiver_gets_what_becomes_visible_by_time(sqs: Any) -> None:
    url = sqs.create_queue(QueueName="by-time")["QueueUrl"]
    sqs.send_message(QueueUrl=url, MessageBody="later", DelaySeconds=1)
    assert "Messages" not in sqs.receive_message(QueueUrl=url)
    (message,) = sqs.receive_message(QueueUrl=url, WaitTimeSeconds=20)["Messages"]
    assert message["Body"] == "later"


def test_what_was_sent_survives_kill_9(own_server: Any) -> None:
    sqs = own_server.client("sqs")
    url = sqs.create_queue(QueueName="durable")["QueueUrl"]
    for number in range(10):
        sqs.send_message(QueueUrl=url, MessageBody=str(number))
    own_server.restart()
    received = own_server.client("sqs").receive_message(QueueUrl=url, MaxNumberOfMessages=10)["Messages"]
    assert sorted(message["Body"] for message in received) == sorted(map(str, range(10)))


def form(server: Any, url: str, **fields: str) -> requests.Response:
    """A call as SDKs made them before SQS spoke JSON."""
    request = AWSRequest("POST", url, data={"Version": "2012-11-05", **fields})
    request.headers["Content-Type"] = "application/x-www-form-urlencoded"
    SigV4Auth(server.session().get_credentials(), "sqs", "us-east-1").add_auth(request)
    prepared = request.prepare()
    return requests.post(prepared.url, data=prepared.body, headers=dict(prepared.headers), timeout=30)


def test_the_query_protocol_is_spoken_too(sqs: Any, server: Any) -> None:
    url = sqs.create_queue(QueueName="old")["QueueUrl"]
    sent = form(server, server.url, Action="SendMessage", QueueUrl=url, MessageBody="from of old")
    assert sent.status_code == 200
    assert "<MD5OfMessageBody>" in sent.text
    received = form(server, server.url, Action="ReceiveMessage", QueueUrl=url)
    assert "<Body>from of old</Body>" in received.text
    missing = form(server, server.url, Action="GetQueueUrl", QueueName="missing")
    assert missing.status_code == 400
    assert "<Code>AWS.SimpleQueueService.NonExistentQueue</Code>" in missing.text


def test_a_form_may_be_sent_to_the_queue_itself(sqs: Any, server: Any) -> None:
    url = sqs.create_queue(QueueName="itself")["QueueUrl"]
    sent = form(server, url, Action="SendMessage", MessageBody="to the queue")
    assert sent.status_code == 200, sent.text
    assert sqs.receive_message(QueueUrl=url)["Messages"][0]["Body"] == "to the queue"


def stranger(server: Any) -> tuple[str, Any]:
    """Another account: its number and a client of its root."""
    request = AWSRequest("POST", f"{server.url}/_cloudlet/accounts", data=json.dumps({"name": "stranger"}))
    SigV4Auth(server.session().get_credentials(), "iam", "us-east-1").add_auth(request)
    answer = requests.post(
        f"{server.url}/_cloudlet/accounts", data=request.body, headers=dict(request.headers.items()), timeout=30
    )
    account = answer.json()
    session = server.session(account["access_key_id"], account["secret_access_key"])
    return account["id"], server.client("sqs", session=session)


def test_another_accounts_queue_is_open_only_by_its_policy(sqs: Any, server: Any) -> None:
    url = sqs.create_queue(QueueName="theirs")["QueueUrl"]
    account, other = stranger(server)
    with pytest.raises(ClientError, match="AccessDenied"):
        other.send_message(QueueUrl=url, MessageBody="let me in")
    sqs.add_permission(QueueUrl=url, Label="partner", AWSAccountIds=[account], Actions=["SendMessage"])
    other.send_message(QueueUrl=url, MessageBody="thank you")
    with pytest.raises(ClientError, match="AccessDenied"):
        other.receive_message(QueueUrl=url)
    assert sqs.receive_message(QueueUrl=url)["Messages"][0]["Body"] == "thank you"


def test_the_largest_message(sqs: Any) -> None:
    url = sqs.create_queue(QueueName="large")["QueueUrl"]
    body = "x" * 1_048_576
    sqs.send_message(QueueUrl=url, MessageBody=body)
    assert sqs.receive_message(QueueUrl=url)["Messages"][0]["Body"] == body
    with pytest.raises(ClientError, match="Message must be shorter than 1048576 bytes"):
        sqs.send_message(QueueUrl=url, MessageBody=body + "x")


def test_attributes_of_messages_are_given_under_their_old_parameter_too(sqs: Any) -> None:
    url = sqs.create_queue(QueueName="old-parameter")["QueueUrl"]
    sqs.send_message(QueueUrl=url, MessageBody="x")
    (message,) = sqs.receive_message(QueueUrl=url, AttributeNames=["SentTimestamp", "SenderId"])["Messages"]
    assert set(message["Attributes"]) == {"SentTimestamp", "SenderId"}
    with pytest.raises(ClientError, match="Unknown Attribute SentTimestamp"):
        sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["SentTimestamp"])
