"""Uploads from a browser's form: the policy decides what is taken."""

from collections.abc import AsyncIterator
from typing import Any

import requests
from hypothesis import assume, given
from hypothesis import strategies as st

from cloudlet.services.s3.form_data import read_form


def post(s3: Any, bucket: str, content: bytes, *conditions: Any, **extra: str) -> requests.Response:
    form = s3.generate_presigned_post(bucket, "in/${filename}", Fields=dict(extra), Conditions=list(conditions))
    return requests.post(form["url"], data=form["fields"], files={"file": ("a b.csv", content)}, timeout=10)


def test_the_file_becomes_an_object(s3: Any, bucket: str) -> None:
    answer = post(s3, bucket, b"1,2", {"Content-Type": "text/csv"}, **{"Content-Type": "text/csv"})
    assert answer.status_code == 204
    got = s3.get_object(Bucket=bucket, Key="in/a b.csv")
    assert (got["Body"].read(), got["ContentType"], got["ETag"]) == (b"1,2", "text/csv", answer.headers["ETag"])


def test_large_files(s3: Any, bucket: str) -> None:
    content = bytes(range(256)) * 8000
    assert post(s3, bucket, content).status_code == 204
    assert s3.get_object(Bucket=bucket, Key="in/a b.csv")["Body"].read() == content


def test_the_policy_is_the_law(s3: Any, bucket: str) -> None:
    too_large = post(s3, bucket, b"x" * 11, ["content-length-range", 0, 10])
    assert (too_large.status_code, "EntityTooLarge" in too_large.text) == (400, True)
    extra = post(s3, bucket, b"x", **{"x-amz-meta-a": "1"})
    assert (extra.status_code, "Extra input fields" in extra.text) == (403, True)
    assert "Contents" not in s3.list_objects_v2(Bucket=bucket)


def test_a_form_without_a_policy_is_anonymous(server: Any, bucket: str) -> None:
    answer = requests.post(f"{server.url}/{bucket}", data={"key": "k"}, files={"file": b"x"}, timeout=10)
    assert answer.status_code == 403


@given(st.binary(max_size=200), st.integers(1, 50))
async def test_whatever_the_pieces_the_file_is_the_same(content: bytes, size: int) -> None:
    body = b'--B\r\nContent-Disposition: form-data; name="key"\r\n\r\nk\r\n'
    body += b'--B\r\nContent-Disposition: form-data; name="file"; filename="f"\r\n\r\n' + content + b"\r\n--B--\r\n"
    assume(b"\r\n--B" not in content)

    async def pieces() -> AsyncIterator[bytes]:
        for start in range(0, len(body), size):
            yield body[start : start + size]

    form = await read_form(pieces(), b"B")
    assert (form.fields, form.file_name) == ({"key": "k"}, "f")
    assert form.file is not None
    assert b"".join([chunk async for chunk in form.file]) == content
