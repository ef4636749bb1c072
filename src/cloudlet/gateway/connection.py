"""One client's connection: bytes become requests, answered one after another, and their answers become bytes.

httptools parses. That no web framework stands between it and the application is for speed: building a framework's
messages and taking them apart again took a quarter of a GetItem (docs/design.md).
"""

import asyncio
import logging
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import cast

import httptools

from cloudlet.core.http import Body, HttpRequest, HttpResponse
from cloudlet.gateway.bodies import IN_MEMORY, ClientGone, IncomingBody
from cloudlet.gateway.wire import response_head

Send = Callable[[HttpResponse], Awaitable[None]]
Application = Callable[[HttpRequest, Send], Awaitable[None]]

_log = logging.getLogger(__name__)

# Request line and headers together; AWS takes less.
_LARGEST_HEAD = 128 * 1024
# Nothing heard and nothing to answer for so long ends the connection; longer than load balancers keep theirs.
_IDLE_SECONDS = 65.0
# Up to here a body is worth copying behind its head, to go out in one write.
_ONE_WRITE = 64 * 1024
_NO_BODY = (204, 304)


@dataclass(slots=True, eq=False)
class _Exchange:
    """A request and what its answer must heed. `chunks` gathers a small body; `incoming` is a large one's."""

    request: HttpRequest
    keep_alive: bool
    understands_chunks: bool
    chunks: list[bytes]
    incoming: IncomingBody | None
    awaits_invitation: bool  # the client sends its body once it has seen 100 Continue
    complete: bool = False


class Connection(asyncio.Protocol):
    """`opened` is told once there is a connection, `lost` when it is over."""

    def __init__(
        self,
        application: Application,
        opened: Callable[["Connection"], None],
        lost: Callable[["Connection"], None],
    ) -> None:
        self._application = application
        self._opened = opened
        self._lost = lost
        self._loop = asyncio.get_running_loop()
        self._parser = httptools.HttpRequestParser(self)
        self._transport: asyncio.Transport
        self._client = ""
        self._url = b""
        self._headers: dict[str, str] = {}
        self._repeated: dict[str, list[str]] | None = None
        self._in_head = False
        self._framing = b""  # set while a body waits to be read by another parser, see _feed
        self._overhead = 0  # bytes since the request began, or its body grew
        self._arriving: _Exchange | None = None
        self._waiting: deque[_Exchange] = deque()
        self._answering: _Exchange | None = None
        self._task: asyncio.Task[None] | None = None
        self._head_sent = False
        self._last = False  # no request after the one that arrived, or is answered, is taken
        self._gone = False
        self._writable: asyncio.Future[None] | None = None
        self._heard = self._loop.time()
        self._idle_timer: asyncio.TimerHandle | None = None

    def close(self) -> None:
        """In order: what is under way is answered first."""
        self._last = True
        if self._answering is None:
            self._transport.close()

    def abort(self) -> None:
        """At once."""
        if self._task is not None:
            self._task.cancel()
        self._transport.abort()

    # What the event loop tells

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        peer = transport.get_extra_info("peername")
        address = peer[0] if peer else ""
        # This machine has one address, whichever of those of `localhost` a client prefers.
        self._client = "127.0.0.1" if address == "::1" else address
        self._idle_timer = self._loop.call_later(_IDLE_SECONDS, self._end_if_idle)
        self._opened(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self._gone = True
        del self._parser  # it refers to this connection, and the collector seldom looks for such cycles
        if self._idle_timer is not None:
            self._idle_timer.cancel()
        for exchange in (self._answering, self._arriving, *self._waiting):
            if exchange is not None and exchange.incoming is not None:
                exchange.incoming.lose()
        self._waiting.clear()
        self._arriving = None
        self.resume_writing()
        self._lost(self)

    def data_received(self, data: bytes) -> None:
        self._heard = self._loop.time()
        if self._last and self._arriving is None:
            return
        self._overhead += len(data)
        try:
            self._feed(data)
        except httptools.HttpParserError as error:
            if not (self._last and self._arriving is None):
                _log.info("not HTTP", extra={"client": self._client, "reason": str(error)})
                self._refuse(b"The request is not valid HTTP.")
            return
        if self._overhead > _LARGEST_HEAD and (self._in_head or self._arriving is not None):
            self._refuse(b"The headers of the request are too large.")
        elif self._arriving is not None and self._arriving.incoming is None:
            self._invite(self._arriving)

    def eof_received(self) -> bool:
        """Who has said all that he wants to say may still wait for an answer: the connection stays half open for it."""
        self._last = True
        return self._answering is not None and self._arriving is None

    def pause_writing(self) -> None:
        if self._writable is None:
            self._writable = self._loop.create_future()

    def resume_writing(self) -> None:
        if self._writable is not None:
            if not self._writable.done():
                self._writable.set_result(None)
            self._writable = None

    def _feed(self, data: bytes) -> None:
        """No other protocol is spoken here: what offers one is read as if it had not (RFC 9110, 7.8).

        The parser stops there, and takes a body for the other protocol: one that knows nothing but its framing goes on.
        """
        while data:
            try:
                self._parser.feed_data(data)
                return
            except httptools.HttpParserUpgrade as offer:
                data = data[offer.args[0] :]
                if self._framing:
                    self._parser = httptools.HttpRequestParser(self)
                    data = b"POST / HTTP/1.1\r\n%b\r\n\r\n%b" % (self._framing, data)
                elif self._last:
                    return

    # What the parser tells

    def on_message_begin(self) -> None:
        if self._framing:
            return
        self._url = b""
        self._headers = {}
        self._repeated = None
        self._in_head = True

    def on_url(self, url: bytes) -> None:
        self._url += url

    def on_header(self, raw_name: bytes, raw_value: bytes | None) -> None:
        if not self._in_head:
            return  # behind a chunked body: what was signed and decided upon does not change any more
        name = raw_name.lower().decode("latin-1")
        value = raw_value.decode("latin-1") if raw_value else ""
        headers = self._headers
        if name in headers:
            self._repeat(name, value)
        else:
            headers[name] = value

    def _repeat(self, name: str, value: str) -> None:
        earlier = self._headers[name]
        self._repeated = self._repeated or {}
        self._repeated.setdefault(name, [earlier]).append(value)
        self._headers[name] = f"{earlier}; {value}" if name == "cookie" else f"{earlier},{value}"

    def on_headers_complete(self) -> None:
        if self._framing:
            self._framing = b""
            return
        self._in_head = False
        headers = self._headers
        length = _declared_length(headers)
        incoming: IncomingBody | None = None
        if length is None or length > IN_MEMORY:
            incoming = IncomingBody(self._invite_answered, self._pause_reading)
        path, query = _path_and_query(self._url)
        modern = self._parser.get_http_version() == "1.1"
        exchange = _Exchange(
            request=HttpRequest(
                method=self._parser.get_method().decode("ascii"),
                path=path,
                query=query,
                headers=headers,
                body=Body.of(b"") if incoming is None else Body.streamed(incoming.chunks(), length),
                client=self._client,
                repeated=self._repeated,
            ),
            keep_alive=modern and self._parser.should_keep_alive(),
            understands_chunks=modern,
            chunks=[],
            incoming=incoming,
            awaits_invitation=length != 0 and modern and headers.get("expect", "").lower() == "100-continue",
        )
        self._arriving = exchange
        if length != 0 and self._parser.should_upgrade():
            name = "content-length" if "content-length" in headers else "transfer-encoding"
            self._framing = f"{name}: {headers[name]}".encode("latin-1")
        if incoming is not None:
            self._enqueue(exchange)

    def on_body(self, chunk: bytes) -> None:
        exchange = self._arriving
        assert exchange is not None
        exchange.awaits_invitation = False
        self._overhead = 0
        if exchange.incoming is None:
            exchange.chunks.append(chunk)
        else:
            exchange.incoming.feed(chunk)

    def on_message_complete(self) -> None:
        if self._framing:
            return
        exchange = self._arriving
        assert exchange is not None
        self._arriving = None
        exchange.complete = True
        self._overhead = 0
        exchange.awaits_invitation = False
        if not exchange.keep_alive:
            self._last = True
        if exchange.incoming is not None:
            exchange.incoming.end()
            return
        chunks = exchange.chunks
        if chunks:
            exchange.request.body = Body.of(chunks[0] if len(chunks) == 1 else b"".join(chunks))
        self._enqueue(exchange)

    # One request after another

    def _enqueue(self, exchange: _Exchange) -> None:
        if self._answering is None:
            self._begin(exchange)
        else:
            self._waiting.append(exchange)
            self._pause_reading(True)

    def _begin(self, exchange: _Exchange) -> None:
        self._answering = exchange
        self._head_sent = False
        self._task = self._loop.create_task(self._answer(exchange))

    async def _answer(self, exchange: _Exchange) -> None:
        try:
            await self._application(exchange.request, self._send)
        except ClientGone:
            _log.debug("a request or its answer was cut off", extra={"path": exchange.request.path})
            if not self._gone and not self._head_sent:
                self._write(exchange, HttpResponse(400, [], b"The request is not valid HTTP."))
        except asyncio.CancelledError:
            self._transport.abort()
            raise
        except Exception:  # noqa: BLE001 - the boundary: logged here, and the client is not left waiting
            _log.exception("an answer could not be sent", extra={"path": exchange.request.path})
            exchange.keep_alive = False
            if self._head_sent:
                self._transport.abort()  # so that the client sees that its answer is not whole
            else:
                self._write(exchange, HttpResponse(500, [], b"Internal Server Error"))
        self._finish(exchange)

    def _finish(self, exchange: _Exchange) -> None:
        self._answering = None
        self._task = None
        self._heard = self._loop.time()
        if self._gone:
            return
        if exchange.incoming is not None and not exchange.complete:
            exchange.incoming.discard()
        if not exchange.keep_alive or (self._last and not self._waiting and self._arriving is None):
            self._transport.close()
        elif self._waiting:
            self._begin(self._waiting.popleft())
        else:
            self._pause_reading(False)
            if self._arriving is not None and self._arriving.incoming is None:
                self._invite(self._arriving)

    def _end_if_idle(self) -> None:
        left = _IDLE_SECONDS - (self._loop.time() - self._heard)
        answering = self._answering
        if answering is not None and (answering.incoming is None or not answering.incoming.is_awaited):
            left = _IDLE_SECONDS  # the client waits for us
        if left > 0:
            self._idle_timer = self._loop.call_later(left, self._end_if_idle)
        elif answering is None:
            self._transport.close()
        else:
            self._transport.abort()

    # Reading

    def _invite_answered(self) -> None:
        if self._answering is not None:
            self._invite(self._answering)

    def _invite(self, exchange: _Exchange) -> None:
        """Lets a client that asked first send its body, unless another's answer is being written."""
        if exchange.awaits_invitation and self._answering in (None, exchange):
            exchange.awaits_invitation = False
            self._transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def _pause_reading(self, pause: bool) -> None:
        if self._gone or self._transport.is_closing():
            return
        if pause:
            self._transport.pause_reading()
        elif not self._waiting:
            self._transport.resume_reading()

    def _refuse(self, message: bytes) -> None:
        """Ends a connection that cannot be understood any more; what is being answered still is."""
        self._last = True
        if self._arriving is not None and self._arriving.incoming is not None:
            self._arriving.incoming.lose()
        self._arriving = None
        if self._answering is not None:
            self._answering.keep_alive = False
            return
        response = HttpResponse(400, [("content-type", "text/plain; charset=utf-8")], message)
        self._transport.write(response_head(response, len(message), keep_alive=False, chunked=False) + message)
        self._transport.close()

    # Writing

    async def _send(self, response: HttpResponse) -> None:
        """Raises ClientGone, or ValueError where a header's name is none."""
        exchange = self._answering
        assert exchange is not None
        if not isinstance(response.body, bytes):
            await self._stream_all(exchange, response, response.body)
        elif self._gone:
            raise ClientGone
        else:
            self._write(exchange, response)
        if self._writable is not None:
            await self._until_writable()

    def _write(self, exchange: _Exchange, response: HttpResponse) -> None:
        body = response.body
        assert isinstance(body, bytes)
        head_only = exchange.request.method == "HEAD"
        length = response.content_length
        if length is None and not (head_only and _says_length(response)):
            length = len(body)
        head = self._head(exchange, response, length, chunked=False)
        self._head_sent = True
        if head_only or response.status in _NO_BODY:
            self._transport.write(head)
        elif len(body) <= _ONE_WRITE:
            self._transport.write(head + body)
        else:
            self._transport.writelines((head, body))

    async def _stream_all(self, exchange: _Exchange, response: HttpResponse, body: AsyncIterator[bytes]) -> None:
        """Whoever makes the body learns if nobody reads on: its generator is closed."""
        try:
            if self._gone:
                raise ClientGone
            await self._stream(exchange, response, body)
        finally:
            if isinstance(body, AsyncGenerator):
                await body.aclose()

    async def _stream(self, exchange: _Exchange, response: HttpResponse, body: AsyncIterator[bytes]) -> None:
        length = response.content_length
        bodiless = exchange.request.method == "HEAD" or response.status in _NO_BODY
        chunked = length is None and not bodiless and not _says_length(response)
        if chunked and not exchange.understands_chunks:
            exchange.keep_alive = chunked = False  # the end of the connection is the end of the body
        head = self._head(exchange, response, length, chunked=chunked)
        self._head_sent = True
        self._transport.write(head)
        if bodiless:
            return
        left = length
        async for chunk in body:
            if not chunk:
                continue
            await self._until_writable()
            if left is not None:
                left -= len(chunk)
                if left < 0:
                    raise ValueError("the body is longer than was said")
            self._transport.write(b"%x\r\n%b\r\n" % (len(chunk), chunk) if chunked else chunk)
        if left:
            raise ValueError("the body is shorter than was said")
        if chunked:
            await self._until_writable()
            self._transport.write(b"0\r\n\r\n")

    def _head(self, exchange: _Exchange, response: HttpResponse, length: int | None, *, chunked: bool) -> bytes:
        if exchange.awaits_invitation or (self._last and not self._waiting):
            # Whoever was not invited may or may not send its body: where the next request begins cannot be known.
            exchange.keep_alive = False
        if response.status in _NO_BODY:
            length = None
        return response_head(response, length, keep_alive=exchange.keep_alive, chunked=chunked)

    async def _until_writable(self) -> None:
        if self._writable is not None:
            await self._writable
        if self._gone:
            raise ClientGone


def _says_length(response: HttpResponse) -> bool:
    return any(name.lower() == "content-length" for name, _ in response.headers)


def _declared_length(headers: dict[str, str]) -> int | None:
    """None where only the end of the body tells; the parser has seen to it that a declared length is a number."""
    declared = headers.get("content-length")
    if declared is not None:
        return int(declared)
    return None if "transfer-encoding" in headers else 0


def _path_and_query(url: bytes) -> tuple[str, str]:
    """Both as they were on the wire; a proxy's absolute form names the host, too, which is left out."""
    if url.startswith(b"/") and b"#" not in url:
        path, _, query = url.decode("latin-1").partition("?")
        return path, query
    parsed = httptools.parse_url(url)
    return (parsed.path or b"/").decode("latin-1"), (parsed.query or b"").decode("latin-1")
