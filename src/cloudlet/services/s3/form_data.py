"""multipart/form-data as browsers post it: the fields in memory, the file, which comes last, as a stream."""

import re
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

from cloudlet.services.s3.errors import s3_error

_LARGEST_FIELDS = 20 * 1024
_BOUNDARY = re.compile(r'boundary=(?:"([^"]{1,70})"|([^\s;,]{1,70}))', re.IGNORECASE)
_NAME = re.compile(r'[;\s]name="((?:[^"\\]|\\.)*)"')
_FILE_NAME = re.compile(r'[;\s]filename="((?:[^"\\]|\\.)*)"')


@dataclass(slots=True)
class Form:
    """`fields` by name in lower case, with the spelling of the form's own names in `names`."""

    fields: dict[str, str] = field(default_factory=dict[str, str])
    file_name: str = ""
    file: AsyncIterator[bytes] | None = None


def boundary_of(content_type: str) -> bytes:
    """Raises MalformedPOSTRequest."""
    match = _BOUNDARY.search(content_type)
    if match is None:
        raise _malformed()
    return (match[1] or match[2]).encode("latin-1")


async def read_form(body: AsyncIterator[bytes], boundary: bytes) -> Form:
    """Reads up to the file, whose content stays to be read. Raises MalformedPOSTRequest or a limit's error."""
    source = _Source(body)
    form = Form()
    delimiter = b"\r\n--" + boundary
    source.buffer += b"\r\n"  # so that the first delimiter is like the others
    await source.until(delimiter, keep=False)
    while True:
        end = await source.take(2)
        if end == b"--":
            return form
        if end != b"\r\n":
            raise _malformed()
        name, file_name = _disposition((await source.until(b"\r\n\r\n", keep=True)).decode("utf-8", "replace"))
        if name.lower() == "file":
            form.file_name = file_name
            form.file = source.stream(delimiter)
            return form
        text = await source.until(delimiter, keep=True)
        form.fields[name.lower()] = text.decode("utf-8", "replace")


class _Source:
    """Bytes to come, searched for delimiters."""

    def __init__(self, body: AsyncIterator[bytes]) -> None:
        self._body = body
        self._fields = 0
        self.buffer = bytearray()

    async def take(self, count: int) -> bytes:
        while len(self.buffer) < count:
            await self._more()
        taken = bytes(self.buffer[:count])
        del self.buffer[:count]
        return taken

    async def until(self, delimiter: bytes, *, keep: bool) -> bytes:
        """What comes before the delimiter, which is passed over."""
        while (end := self.buffer.find(delimiter)) < 0:
            if len(self.buffer) + self._fields > _LARGEST_FIELDS:
                raise s3_error("MaxPostPreDataLengthExceededError")
            await self._more()
        taken = bytes(self.buffer[:end])
        del self.buffer[: end + len(delimiter)]
        if keep:
            self._fields += len(taken)
        return taken

    async def stream(self, delimiter: bytes) -> AsyncIterator[bytes]:
        """The file: everything up to the delimiter. What follows the file is not looked at."""
        while (end := self.buffer.find(delimiter)) < 0:
            ready = len(self.buffer) - len(delimiter)
            if ready > 0:
                yield bytes(self.buffer[:ready])
                del self.buffer[:ready]
            await self._more()
        if end:
            yield bytes(self.buffer[:end])
        async for _ in self._body:
            pass

    async def _more(self) -> None:
        chunk = await anext(self._body, None)
        if chunk is None:
            raise _malformed()
        self.buffer += chunk


def _disposition(headers: str) -> tuple[str, str]:
    """The name of a part and of its file."""
    name, file_name = _NAME.search(headers), _FILE_NAME.search(headers)
    if name is None:
        raise _malformed()
    return name[1], file_name[1].replace("\\", "/").rpartition("/")[2] if file_name is not None else ""


def _malformed() -> Exception:
    return s3_error("MalformedPOSTRequest")
