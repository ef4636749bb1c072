"""The Range header."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudlet.core.errors import AwsError
from cloudlet.services.s3.ranges import ByteRange, parse_copy_range, parse_range


@given(size=st.integers(1, 1000), start=st.integers(0, 1200), length=st.integers(1, 1200))
def test_a_range_is_what_slicing_gives(size: int, start: int, length: int) -> None:
    body = bytes(size)
    wanted = body[start : start + length]
    header = f"bytes={start}-{start + length - 1}"
    if not wanted:
        with pytest.raises(AwsError, match="InvalidRange"):
            parse_range(header, size)
    else:
        assert parse_range(header, size) == ByteRange(start, len(wanted), size)


@given(size=st.integers(1, 1000), last=st.integers(1, 1200))
def test_a_suffix_is_what_slicing_gives(size: int, last: int) -> None:
    found = parse_range(f"bytes=-{last}", size)
    assert found is not None
    assert found.length == len(bytes(size)[-last:])
    assert found.start + found.length == size


@pytest.mark.parametrize("header", ["", "bytes", "bytes=-", "items=0-1", "bytes=2-1", "bytes=0-1,3-4", "bytes=a-b"])
def test_what_is_no_range_is_ignored(header: str) -> None:
    assert parse_range(header, 10) is None


@pytest.mark.parametrize("header", ["bytes=10-", "bytes=-0", "bytes=99-100"])
def test_unsatisfiable(header: str) -> None:
    with pytest.raises(AwsError) as caught:
        parse_range(header, 10)
    assert (caught.value.code, caught.value.status) == ("InvalidRange", 416)
    assert caught.value.headers == {"Content-Range": "bytes */10"}


def test_ranges_of_copies_are_strict() -> None:
    assert parse_copy_range("bytes=0-9", 10) == ByteRange(0, 10, 10)
    for text in ("bytes=0-10", "bytes=0-", "bytes=5-4", "0-9"):
        with pytest.raises(AwsError):
            parse_copy_range(text, 10)
