"""Requests as older and other clients send them, over HTTP."""

from typing import Any

import orjson
import pytest
import requests
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.exceptions import ClientError

KEYS = Credentials("AKIAROOTOFTHETESTS00", "secret-of-the-root-of-the-tests")


def send(
    server: Any, service: str, body: str | bytes = b"", *, method: str = "POST", path: str = "/", **headers: str
) -> requests.Response:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    request = AWSRequest(method=method, url=server.url + path, data=body, headers=named)
    SigV4Auth(KEYS, service, "us-east-1").add_auth(request)
    return requests.request(method, server.url + path, data=body, headers=dict(request.headers), timeout=30)


FORM = {"content_type": "application/x-www-form-urlencoded; charset=utf-8"}


def test_sqs_by_form(server: Any) -> None:
    made = send(server, "sqs", "Action=CreateQueue&QueueName=by-form&Version=2012-11-05", **FORM)
    assert made.status_code == 200
    assert made.headers["content-type"] == "text/xml"
    url = f"{server.url}/000000000000/by-form"
    assert f"<CreateQueueResult><QueueUrl>{url}</QueueUrl></CreateQueueResult>" in made.text
    send(server, "sqs", f"Action=SendMessage&QueueUrl={url}&MessageBody=%3Chello%3E", **FORM)
    got = send(server, "sqs", f"Action=ReceiveMessage&QueueUrl={url}&AttributeName.1=All", **FORM)
    assert "<Body>&lt;hello&gt;</Body>" in got.text
    assert "<Attribute><Name>SenderId</Name>" in got.text


def test_sqs_errors_by_form(server: Any) -> None:
    url = f"{server.url}/000000000000/none"
    gone = send(server, "sqs", f"Action=SendMessage&QueueUrl={url}&MessageBody=m", **FORM)
    assert gone.status_code == 400
    assert "<Code>AWS.SimpleQueueService.NonExistentQueue</Code>" in gone.text
    missing = send(server, "sqs", f"Action=SendMessage&QueueUrl={url}", **FORM)
    assert "<Message>The request must contain the parameter MessageBody.</Message>" in missing.text


def test_a_get_with_the_action_in_the_query(server: Any) -> None:
    path = "/?Action=GetCallerIdentity&Version=2011-06-15"
    assert "<Account>000000000000</Account>" in send(server, "sts", method="GET", path=path).text


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"{", "com.amazon.coral.service#SerializationException"),
        (b'{"Limit": "many"}', "com.amazon.coral.service#SerializationException"),
        (b'{"Limit": 1000}', "com.amazon.coral.validate#ValidationException"),
    ],
)
def test_what_dynamodb_cannot_read(server: Any, body: bytes, code: str) -> None:
    answer = send(server, "dynamodb", body, x_amz_target="DynamoDB_20120810.ListTables")
    assert (answer.status_code, answer.json()["__type"]) == (400, code)
    assert answer.headers["x-amzn-requestid"]
    assert answer.headers["x-amz-crc32"]


def test_an_operation_that_is_not_there(server: Any) -> None:
    answer = send(server, "dynamodb", b"{}", x_amz_target="DynamoDB_20120810.CreateBackup")
    assert (answer.status_code, orjson.loads(answer.content)["message"]) == (
        501,
        "Cloudlet does not implement the operation CreateBackup of dynamodb.",
    )


def test_malformed_xml_of_s3(server: Any) -> None:
    server.client("s3").create_bucket(Bucket="malformed")
    answer = send(
        server, "s3", b"<Tagging>", method="PUT", path="/malformed?tagging", x_amz_content_sha256="UNSIGNED-PAYLOAD"
    )
    assert answer.status_code == 400
    assert "<Code>MalformedXML</Code>" in answer.text


@pytest.mark.parametrize(
    ("service", "call"),
    [
        ("kinesis", lambda client: client.list_streams()),
        ("ses", lambda client: client.list_identities()),
        ("glacier", lambda client: client.list_vaults()),
        ("codepipeline", lambda client: client.list_pipelines()),
        ("route53", lambda client: client.list_hosted_zones()),
    ],
)
def test_services_that_are_not_there(server: Any, service: str, call: Any) -> None:
    with pytest.raises(ClientError) as caught:
        call(server.client(service))
    assert "(NotImplemented)" in str(caught.value)
    assert "Cloudlet does not implement" in str(caught.value)
