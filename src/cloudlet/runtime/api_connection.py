"""HTTP as the processes of an execution environment speak it: keep-alive connections, bodies gathered or passed on."""

import asyncio
from dataclasses import dataclass, field
from typing import Protocol, cast

import httptools

# AWS's limit of a response, with the room that it leaves for the envelope.
LARGEST_RESPONSE = 6 * 1024 * 1024 + 100
# A request with its head and with what frames its chunks.
_LARGEST_REQUEST = 2 * LARGEST_RESPONSE
_JSON = ("Content-Type: application/json",)
_REASONS = {200: "OK", 202: "Accepted", 400: "Bad Request", 403: "Forbidden", 404: "Not Found"}


@dataclass(slots=True)
class Request:
    """`headers` have names in lower case; trailers are among them when the request is handled."""

    method: str
    path: str
    headers: dict[str, str] = field(default_factory=dict[str, str])
    body: bytes = b""


class BodyReader(Protocol):
    """Takes the body of a request piece by piece, however long it is."""

    def feed(self, chunk: bytes) -> None:
        """Raises ValueError if no more is wanted: the request is refused then."""
        ...

    def lose(self) -> None:
        """The connection has ended before the body did."""
        ...


class Handler(Protocol):
    """Whoever answers the requests of connections."""

    def connected(self, connection: "Connection", port: int) -> None:
        """Somebody has connected from this port; nothing is read before `accept`."""
        ...

    def disconnected(self, connection: "Connection") -> None: ...

    def reader(self, connection: "Connection", request: Request) -> BodyReader | None:
        """What takes the body of a request that begins; None if it is to be gathered."""
        ...

    def handle(self, connection: "Connection", request: Request) -> None:
        """The request is complete. The answer is given by `reply`, now or later."""
        ...

    def refuse(self, connection: "Connection", request: Request) -> None:
        """The body is larger than any may be; the connection is closed after a reply."""
        ...


class Connection(asyncio.Protocol):
    """One keep-alive connection; requests come one after another."""

    def __init__(self, handler: Handler) -> None:
        self._handler = handler
        self._parser = httptools.HttpRequestParser(self)
        self._transport: asyncio.Transport | None = None
        self._request = Request("", "")
        self._url = b""
        self._body: list[bytes] = []
        self._body_size = 0
        self._reader: BodyReader | None = None
        self._received = 0
        self._early: list[bytes] | None = []  # until the connection is accepted
        self._is_refused = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._handler.connected(self, transport.get_extra_info("peername")[1])

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        reader, self._reader = self._reader, None
        if reader is not None:
            reader.lose()
        self._handler.disconnected(self)

    @property
    def closed(self) -> bool:
        return self._transport is None

    def accept(self) -> None:
        """What has come until now counts, and what will come."""
        early, self._early, self._received = b"".join(self._early or ()), None, 0
        if early:
            self.data_received(early)

    def data_received(self, data: bytes) -> None:
        self._received += len(data)
        if self._early is not None:
            self._early.append(data)
            if self._received > _LARGEST_REQUEST:
                self.close()
            return
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError:
            self._end()
        else:
            if self._received > _LARGEST_REQUEST:
                self.close()

    # What the parser calls.
    def on_message_begin(self) -> None:
        self._request = Request("", "")
        self._url = b""
        self._body = []
        self._body_size = 0

    def on_url(self, url: bytes) -> None:
        self._url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        self._request.headers[name.decode("latin-1").lower()] = value.decode("latin-1")

    def on_headers_complete(self) -> None:
        request = self._request
        request.method, request.path = self._parser.get_method().decode(), self._url.decode("latin-1")
        if "expect" in request.headers and self._transport is not None:
            self._transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        self._reader = self._handler.reader(self, request)

    def on_body(self, body: bytes) -> None:
        if self._reader is not None:
            self._received = 0
            self._take(self._reader, body)
            return
        self._body_size += len(body)
        if self._body_size > LARGEST_RESPONSE:
            self._is_refused = True
            raise ValueError("too large")  # ends the parsing
        self._body.append(body)

    def on_message_complete(self) -> None:
        self._received = 0
        self._reader = None
        self._request.body = b"".join(self._body)
        self._handler.handle(self, self._request)

    def reply(self, status: int, body: bytes, headers: tuple[str, ...] = _JSON) -> None:
        if self._transport is None:
            return
        if self._transport.get_write_buffer_size() > _LARGEST_REQUEST:
            self.close()  # it asks on and on, and reads no reply
            return
        head = [f"HTTP/1.1 {status} {_REASONS.get(status, '')}", f"Content-Length: {len(body)}", *headers]
        self._transport.write("\r\n".join(head).encode() + b"\r\n\r\n" + body)

    def pause(self) -> None:
        """Reads no more, so that whoever sends has to wait."""
        if self._transport is not None:
            self._transport.pause_reading()

    def resume(self) -> None:
        if self._transport is not None:
            self._transport.resume_reading()

    def close(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    def _take(self, reader: BodyReader, body: bytes) -> None:
        try:
            reader.feed(body)
        except ValueError:
            self._is_refused = True
            self._reader = None
            raise

    def _end(self) -> None:
        """Nothing more of this connection can be understood, or none is wanted."""
        if self._is_refused:
            self._handler.refuse(self, self._request)
        if self._transport is not None:
            self._transport.close()
