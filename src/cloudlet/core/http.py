"""HTTP as services see it, where one answers HTTP itself (websites, HTTP APIs, streamed bodies)."""

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field


class Body:
    """The bytes of a request: in memory if they were few, else a stream that is read once."""

    def __init__(self, content: bytes | None, stream: AsyncIterator[bytes] | None, length: int | None) -> None:
        self.content = content
        self.length = length
        self.trailers: dict[str, str] = {}  # trailing headers, by name in lower case, once the body is read
        self._stream = stream

    @classmethod
    def of(cls, content: bytes) -> "Body":
        return cls(content, None, len(content))

    @classmethod
    def streamed(cls, stream: AsyncIterator[bytes], length: int | None) -> "Body":
        """`length` is the number of bytes to come, None where the sender did not say."""
        return cls(None, stream, length)

    async def __aiter__(self) -> AsyncIterator[bytes]:
        if self.content is not None:
            if self.content:
                yield self.content
            return
        assert self._stream is not None
        async for chunk in self._stream:
            yield chunk

    async def read(self) -> bytes:
        """All of it in memory: for bodies that are known to be small."""
        if self.content is None:
            self.content = b"".join([chunk async for chunk in self])
        return self.content


@dataclass(slots=True)
class HttpRequest:
    """`path` and `query` as they were on the wire (percent-encoded); header names in lower case.

    Several headers of one name are joined in `headers`, and one by one in `repeated`, which is None without any.
    """

    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    body: Body
    scheme: str = "http"
    client: str = ""
    repeated: Mapping[str, list[str]] | None = None

    @property
    def host(self) -> str:
        """The Host header, with its port."""
        return self.headers.get("host", "")


@dataclass(slots=True)
class HttpResponse:
    """`content_length` is set where a streamed body's length is known beforehand."""

    status: int = 200
    headers: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])
    body: bytes | AsyncIterator[bytes] = b""
    content_length: int | None = None
