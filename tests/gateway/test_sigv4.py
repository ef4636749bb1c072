"""Signatures that botocore makes are accepted; whatever differs by one byte is not."""

from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

import pytest
from botocore.auth import S3SigV4Auth, S3SigV4QueryAuth, SigV4Auth, SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from cloudlet.core.access import Credential
from cloudlet.core.context import Principal
from cloudlet.core.errors import AwsError
from cloudlet.core.http import Body, HttpRequest
from cloudlet.gateway.sigv4 import Signed, verify

KEY, SECRET = "AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
ROOT = Principal.root("000000000000")
PROTOCOLS = {"s3": "rest-xml", "dynamodb": "json", "lambda": "rest-json", "iam": "query", "sqs": "json"}


class Keys:
    """One long-term key and one session."""

    def __init__(self, *, active: bool = True, expires: float | None = None) -> None:
        session = Credential("ASIASESSION", SECRET, ROOT, "the-token", expires)
        self.known = {KEY: Credential(KEY, SECRET, ROOT, active=active), "ASIASESSION": session}

    def credential(self, access_key_id: str, session_token: str | None = None) -> Credential | None:
        return self.known.get(access_key_id)


def now() -> float:
    return datetime.now(UTC).timestamp()


def received(request: AWSRequest) -> tuple[HttpRequest, bytes]:
    """What arrives when botocore sends its prepared request."""
    prepared = request.prepare()
    parts = urlsplit(prepared.url)
    headers = {
        name.lower(): value.decode() if isinstance(value, bytes) else value for name, value in prepared.headers.items()
    }
    headers.setdefault("host", parts.netloc)
    body = prepared.body or b""
    body = body.encode() if isinstance(body, str) else body
    return HttpRequest(prepared.method, parts.path or "/", parts.query, headers, Body.of(body)), body


def signed(
    url: str = "http://localhost:4566/",
    *,
    auth: type = SigV4Auth,
    service: str = "dynamodb",
    method: str = "POST",
    body: bytes = b"{}",
    key: str = KEY,
    secret: str = SECRET,
    token: str | None = None,
    headers: dict[str, str] | None = None,
    **options: Any,
) -> tuple[HttpRequest, bytes]:
    request = AWSRequest(method, url, headers or {}, body)
    auth(Credentials(key, secret, token), service, "us-east-1", **options).add_auth(request)
    return received(request)


def check(
    request: tuple[HttpRequest, bytes], *, api: str = "dynamodb", at: float | None = None, keys: Keys | None = None
) -> Signed:
    http, body = request
    return verify(http, body, keys or Keys(), at or now(), api=api, protocol=PROTOCOLS[api])


def refusal(*arguments: Any, **options: Any) -> AwsError:
    with pytest.raises(AwsError) as raised:
        check(*arguments, **options)
    return raised.value


def test_header_signature_names_the_principal() -> None:
    found = check(signed(headers={"X-Amz-Target": "DynamoDB_20120810.GetItem"}))
    assert (found.principal, found.service, found.region) == (ROOT, "dynamodb", "us-east-1")


def test_s3_object_request() -> None:
    url = "http://localhost:4566/bucket/a//b/../%C3%A9%20%281%29%2Bx.txt?versionId=a%2Fb&acl"
    assert check(signed(url, auth=S3SigV4Auth, service="s3", method="PUT", body=b"hello"), api="s3").service == "s3"


def test_presigned_s3_request() -> None:
    request = signed(
        "http://localhost:4566/b/k", auth=S3SigV4QueryAuth, service="s3", method="GET", body=b"", expires=60
    )
    assert check(request, api="s3").principal == ROOT
    assert refusal(request, api="s3", at=now() + 62).message == "Request has expired"


def test_presigned_request_of_another_service() -> None:
    url = "http://localhost:4566/?Action=GetUser"
    assert check(signed(url, auth=SigV4QueryAuth, service="iam", method="GET", body=b""), api="iam").principal == ROOT
