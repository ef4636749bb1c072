"""aws-chunked uploads to a real server: what SDKs send when they stream."""

import base64
import zlib
from typing import Any

import pytest
import requests
from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest

BUCKET = "chunked"


@pytest.fixture(scope="module")
def s3(server: Any) -> Any:
    client = server.client("s3")
    client.create_bucket(Bucket=BUCKET)
    return client


def upload(server: Any, frames: bytes, length: int, *, key: str = "k") -> requests.Response:
    """Signs the headers as botocore does for a trailing checksum, then sends the frames in pieces."""
    headers = {
        "Content-Encoding": "aws-chunked",
        "Content-Length": str(len(frames)),
        "X-Amz-Decoded-Content-Length": str(length),
        "X-Amz-Trailer": "x-amz-checksum-crc32",
    }
    request = AWSRequest("PUT", f"{server.url}/{BUCKET}/{key}", headers, b"")
    request.context["checksum"] = {"request_algorithm": {"in": "trailer"}}
    S3SigV4Auth(server.session().get_credentials(), "s3", "us-east-1").add_auth(request)
    signed = dict(request.headers.items())
    # botocore signs the payload unless the endpoint is https; what it would send there is the same.
    assert signed["X-Amz-Content-SHA256"] == "STREAMING-UNSIGNED-PAYLOAD-TRAILER"
    assert request.url
    return requests.put(request.url, data=frames, headers=signed, timeout=20)


def framed(content: bytes, *, checksum: bytes | None = None, size: int = 64 * 1024) -> bytes:
    chunks = [content[at : at + size] for at in range(0, len(content), size)]
    crc = base64.b64encode(zlib.crc32(content).to_bytes(4, "big")) if checksum is None else checksum
    frames = b"".join(b"%x\r\n%b\r\n" % (len(chunk), chunk) for chunk in chunks)
    return frames + b"0\r\nx-amz-checksum-crc32:%b\r\n\r\n" % crc


@pytest.mark.parametrize("length", [0, 5, 64 * 1024, 1_000_000])
def test_what_was_meant_is_stored(server: Any, s3: Any, length: int) -> None:
    content = bytes(range(256)) * (length // 256) + b"x" * (length % 256)
    answer = upload(server, framed(content), length)
    assert answer.status_code == 200, answer.text
    found = s3.get_object(Bucket=BUCKET, Key="k")
    assert found["Body"].read() == content
    assert found.get("ContentEncoding", "") == ""


@pytest.mark.parametrize(
    ("frames", "length", "code"),
    [
        (framed(b"hello", checksum=b"AAAAAA=="), 5, "BadDigest"),
        (framed(b"hello"), 6, "IncompleteBody"),
        (framed(b"hello")[:-30], 5, "IncompleteBody"),
        (framed(b"x" * 500_000)[:-100_000], 500_000, "IncompleteBody"),
        (framed(b"x" * 500_000, checksum=b"AAAAAA=="), 500_000, "BadDigest"),
        (b"not framed\r\nat all", 5, "InvalidRequest"),
        (framed(b"hello").replace(b"crc32:", b"sha1:"), 5, "MalformedTrailerError"),
    ],
)
def test_what_is_not_right_is_not_stored(server: Any, s3: Any, frames: bytes, length: int, code: str) -> None:
    answer = upload(server, frames, length, key="wrong")
    assert (answer.status_code, code in answer.text) == (400, True), answer.text
    listed = s3.list_objects_v2(Bucket=BUCKET, Prefix="wrong")
    assert listed["KeyCount"] == 0
