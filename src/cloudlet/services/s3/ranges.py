"""The Range header: one range of bytes, in the forms that S3 knows."""

import re
from dataclasses import dataclass

from cloudlet.services.s3.errors import invalid_argument, s3_error

_RANGE = re.compile(r"bytes=(\d*)-(\d*)")
_COPY_RANGE = re.compile(r"bytes=(\d+)-(\d+)")


@dataclass(frozen=True, slots=True)
class ByteRange:
    """`length` bytes from `start`, of `size` in all."""

    start: int
    length: int
    size: int

    @property
    def content_range(self) -> str:
        return f"bytes {self.start}-{self.start + self.length - 1}/{self.size}"


def parse_range(header: str, size: int) -> ByteRange | None:
    """None if the header is not a single range of bytes: it is then ignored. Raises InvalidRange (416)."""
    match = _RANGE.fullmatch(header.strip())
    if match is None or match[0] == "bytes=-":
        return None
    first, last = match.groups()
    if not first:
        length = min(int(last), size)
        if length == 0:
            raise unsatisfiable(header, size)
        return ByteRange(size - length, length, size)
    start = int(first)
    if last and int(last) < start:
        return None
    if start >= size:
        raise unsatisfiable(header, size)
    end = min(int(last), size - 1) if last else size - 1
    return ByteRange(start, end - start + 1, size)


def parse_copy_range(text: str, size: int) -> ByteRange:
    """Of UploadPartCopy: both ends are given and within the source. Raises InvalidArgument or InvalidRange."""
    match = _COPY_RANGE.fullmatch(text)
    if match is None or int(match[2]) < int(match[1]):
        raise invalid_argument(
            "The x-amz-copy-source-range value must be of the form bytes=first-last where first and last are the "
            "zero-based offsets of the first and last bytes to copy",
            "x-amz-copy-source-range",
            text,
        )
    start, end = int(match[1]), int(match[2])
    if end >= size:
        raise unsatisfiable(text, size)
    return ByteRange(start, end - start + 1, size)


def unsatisfiable(requested: str, size: int) -> Exception:
    return s3_error(
        "InvalidRange",
        headers={"Content-Range": f"bytes */{size}"},
        ActualObjectSize=size,
        RangeRequested=requested,
    )
