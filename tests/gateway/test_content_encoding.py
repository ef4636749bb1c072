"""Compressed bodies are undone; what is no compressed body, or becomes too large, is refused."""

import gzip
import zlib

import pytest

from cloudlet.core.errors import AwsError, InternalError
from cloudlet.gateway.content_encoding import decoded

LARGEST = 1000


def gzipped(content: bytes) -> bytes:
    """A gzip member without the time in it: contents name the test cases, and parallel workers must agree on them."""
    return gzip.compress(content, mtime=0)


@pytest.mark.parametrize(
    ("content", "encoding"),
    [
        (b"plain", "identity"),
        (gzipped(b"plain"), "gzip"),
        (gzipped(b"pl") + gzipped(b"ain"), "gzip"),
        (zlib.compress(b"plain"), "deflate"),
    ],
)
def test_bodies_are_undone(content: bytes, encoding: str) -> None:
    assert decoded(content, encoding, LARGEST) == b"plain"


@pytest.mark.parametrize(
    ("content", "encoding"),
    [
        (b"plain", "gzip"),
        (b"", "gzip"),
        (gzipped(b"plain")[:-1], "gzip"),
        (gzipped(b"plain") + b"junk", "gzip"),
        (b"plain", "br"),
    ],
)
def test_what_is_not_what_it_says_is_refused(content: bytes, encoding: str) -> None:
    with pytest.raises(InternalError):
        decoded(content, encoding, LARGEST)


def test_a_body_does_not_grow_without_end() -> None:
    assert decoded(gzipped(b"x" * LARGEST), "gzip", LARGEST) == b"x" * LARGEST
    with pytest.raises(AwsError) as caught:
        decoded(gzipped(b"x" * 10_000_000), "gzip", LARGEST)
    assert caught.value.status == 413
