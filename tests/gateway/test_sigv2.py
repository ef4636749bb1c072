"""Presigned URLs of Version 2, as boto3 makes them in us-east-1 unless told otherwise."""

from typing import Any
from urllib.parse import urlsplit

import boto3
import pytest
from botocore.config import Config

from cloudlet.core.access import Credential
from cloudlet.core.context import Principal
from cloudlet.core.errors import AwsError
from cloudlet.core.http import Body, HttpRequest
from cloudlet.gateway.sigv4 import Signed, verify

KEY, SECRET = "AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
ROOT = Principal.root("000000000000")
NOW = 1_795_000_000.0
LABELS = {"Bucket": "bucket", "Key": "a/key with+signs.txt"}


class Keys:
    def __init__(self, token: str | None = None) -> None:
        self._token = token

    def credential(self, access_key_id: str, session_token: str | None = None) -> Credential | None:
        return Credential(KEY, SECRET, ROOT, self._token) if access_key_id == KEY else None

    def used(self, credential: Credential, service: str, region: str, now: float) -> None:
        pass


def url(
    monkeypatch: pytest.MonkeyPatch,
    operation: str = "get_object",
    *,
    style: str = "path",
    token: str | None = None,
    endpoint: str = "http://localhost:4566",
    **params: Any,
) -> str:
    monkeypatch.setattr("botocore.auth.time.time", lambda: NOW)
    session = boto3.Session(KEY, SECRET, token, region_name="us-east-1")
    s3 = session.client("s3", endpoint_url=endpoint, config=Config(s3={"addressing_style": style}))  # type: ignore[arg-type]
    return s3.generate_presigned_url(operation, {**LABELS, **params}, ExpiresIn=60)


def check(
    url: str,
    method: str = "GET",
    *,
    at: float = NOW,
    token: str | None = None,
    labels: dict[str, str] = LABELS,
    **headers: str,
) -> Signed:
    parts = urlsplit(url)
    every = {"host": parts.netloc, **{name.replace("_", "-"): value for name, value in headers.items()}}
    request = HttpRequest(method, parts.path, parts.query, every, Body.of(b""))
    return verify(request, b"", Keys(token), at, api="s3", protocol="rest-xml", labels=labels)


def refusal(*arguments: Any, **options: Any) -> str:
    with pytest.raises(AwsError) as raised:
        check(*arguments, **options)
    return raised.value.code


def test_by_path_and_by_host(monkeypatch: pytest.MonkeyPatch) -> None:
    assert check(url(monkeypatch)).principal == ROOT
    by_host = url(monkeypatch, style="virtual")
    assert by_host.startswith("http://bucket.localhost:4566/a/key")
    assert check(by_host).principal == ROOT


def test_what_is_asked_for_is_under_the_signature(monkeypatch: pytest.MonkeyPatch) -> None:
    given = url(monkeypatch, ResponseContentDisposition='attachment; filename="x y"', VersionId="v")
    assert check(given).principal == ROOT
    assert refusal(given.replace("versionId=v", "versionId=w")) == "SignatureDoesNotMatch"
    assert refusal(given + "&acl") == "SignatureDoesNotMatch"
    assert refusal(given + "&encryption") == "AccessDenied"


def test_content_type_and_amazons_headers(monkeypatch: pytest.MonkeyPatch) -> None:
    given = url(monkeypatch, "put_object", ContentType="text/plain", Metadata={"a": "b"})
    assert check(given, "PUT", content_type="text/plain").principal == ROOT
    assert refusal(given, "PUT", content_type="text/html") == "SignatureDoesNotMatch"
    assert refusal(given, "PUT", content_type="text/plain", x_amz_acl="public-read") == "SignatureDoesNotMatch"
    assert refusal(given, "GET", content_type="text/plain") == "SignatureDoesNotMatch"


def test_a_session(monkeypatch: pytest.MonkeyPatch) -> None:
    given = url(monkeypatch, token="the/token+=")
    assert check(given, token="the/token+=").principal == ROOT
    assert refusal(given, token="another") == "InvalidToken"


def test_after_its_time(monkeypatch: pytest.MonkeyPatch) -> None:
    given = url(monkeypatch)
    assert check(given, at=NOW + 60).principal == ROOT
    assert refusal(given, at=NOW + 61) == "AccessDenied"
    later = given.replace(f"Expires={NOW + 60:.0f}", f"Expires={NOW + 600:.0f}")
    assert refusal(later, at=NOW + 61) == "SignatureDoesNotMatch"


def test_the_same_path_in_another_bucket(monkeypatch: pytest.MonkeyPatch) -> None:
    """A URL by path does not open the same path under a bucket's own host."""
    given = url(monkeypatch)
    other = {"Bucket": "other", "Key": "bucket/a/key with+signs.txt"}
    assert refusal(given, labels=other) == "SignatureDoesNotMatch"


def test_an_unknown_key(monkeypatch: pytest.MonkeyPatch) -> None:
    assert refusal(url(monkeypatch).replace(KEY, "AKIANOBODY")) == "InvalidAccessKeyId"
