"""Large bodies are taken into memory for those only who may have something to say."""

import socket
from http.client import HTTPResponse
from typing import Any
from urllib.parse import urlsplit

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

MANY = 10 * 1024 * 1024
FORM = "application/x-www-form-urlencoded"


def announced(server: Any, headers: dict[str, str], path: str = "/") -> bytes:
    """What a request is answered of whose body nothing but the length has come."""
    where = urlsplit(server.url)
    lines = [f"{name}: {value}" for name, value in {"Host": where.netloc, **headers, "Content-Length": MANY}.items()]
    with socket.create_connection((where.hostname, where.port), timeout=20) as connection:
        connection.sendall("\r\n".join([f"POST {path} HTTP/1.1", *lines, "", ""]).encode())
        answer = HTTPResponse(connection)
        answer.begin()
        return answer.read()


def signed(server: Any, service: str, key: str, headers: dict[str, str], path: str) -> dict[str, str]:
    request = AWSRequest("POST", server.url + path, data=b"", headers=headers)
    SigV4Auth(Credentials(key, "whatever"), service, "us-east-1").add_auth(request)
    return dict(request.headers)


@pytest.mark.parametrize(
    ("service", "path", "headers", "code"),
    [
        ("dynamodb", "/", {"X-Amz-Target": "DynamoDB_20120810.PutItem"}, b"UnrecognizedClientException"),
        ("sns", "/", {"Content-Type": FORM}, b"InvalidClientTokenId"),
        ("s3", "/bucket?delete", {"Content-Type": "application/xml"}, b"InvalidAccessKeyId"),
    ],
)
def test_a_stranger_is_refused_before_the_body(
    server: Any, service: str, path: str, headers: dict[str, str], code: bytes
) -> None:
    assert code in announced(server, signed(server, service, "AKIASTRANGER00000000", headers, path), path)


def test_a_request_without_a_signature_is_refused_before_the_body(server: Any) -> None:
    assert b"MissingAuthenticationToken" in announced(server, {"X-Amz-Target": "DynamoDB_20120810.PutItem"})
