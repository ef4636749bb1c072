"""Header values that clients choose: none of them can write a header of its own."""

from typing import Any

import pytest
import requests

from cloudlet.gateway.wire import header_value


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("text/html; charset=utf-8", b"text/html; charset=utf-8"),
        ("a\r\nSet-Cookie: b", b"a  Set-Cookie: b"),
        ("a\x00b\x7f\tc", b"a b \tc"),
        ("GrÃ¶Ã\x9fe", "Größe".encode()),
        ("東京", "東京".encode()),
        ("\ud800", b"?"),
    ],
)
def test_values(text: str, expected: bytes) -> None:
    assert header_value(text) == expected


def test_a_presigned_url_cannot_split_the_answer(server: Any) -> None:
    s3 = server.client("s3", signature_version="s3v4")
    s3.create_bucket(Bucket="headers")
    s3.put_object(Bucket="headers", Key="k", Body=b"x")
    asked = {
        "ResponseContentType": "text/plain\r\nX-Injected: yes",
        "ResponseContentDisposition": 'attachment; filename="東京"',
    }
    url = s3.generate_presigned_url("get_object", Params={"Bucket": "headers", "Key": "k", **asked})
    answer = requests.get(url, timeout=30)
    assert answer.status_code == 200, answer.text
    assert "x-injected" not in answer.headers
    assert answer.headers["content-disposition"].encode("latin-1").decode() == 'attachment; filename="東京"'
