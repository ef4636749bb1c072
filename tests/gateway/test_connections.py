"""What a connection does with bytes, before any service is asked: raw sockets against the port alone."""

import asyncio
import gc
import socket
import weakref
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from cloudlet.core.http import HttpRequest, HttpResponse
from cloudlet.gateway import connection as connection_module
from cloudlet.gateway import http_server as http_server_module
from cloudlet.gateway.connection import Application, Send
from cloudlet.gateway.http_server import HttpServer


async def echo(request: HttpRequest, send: Send) -> None:
    body = await request.body.read()
    headers = [("x-path", request.path), ("x-query", request.query), ("x-one", request.headers.get("x-one", "-"))]
    await send(HttpResponse(200, headers, b"%s:%d" % (request.method.encode(), len(body))))


def echo_and_set(ended: asyncio.Event) -> Application:
    """Also where the echo fails."""

    async def application(request: HttpRequest, send: Send) -> None:
        try:
            await echo(request, send)
        finally:
            ended.set()

    return application


@asynccontextmanager
async def serving(application: Application) -> AsyncIterator[tuple[HttpServer, int]]:
    listener = socket.create_server(("127.0.0.1", 0))
    server = HttpServer(application)
    await server.start([listener])
    try:
        yield server, listener.getsockname()[1]
    finally:
        await server.close()


@asynccontextmanager
async def connected(application: Any) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    async with serving(application) as (_, port):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        try:
            yield reader, writer
        finally:
            writer.close()


async def answer_of(reader: asyncio.StreamReader) -> tuple[str, dict[str, str], bytes]:
    """The next answer: status line, headers by name in lower case, body."""
    head = (await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 20)).decode("latin-1")
    status, *lines = head.rstrip("\r\n").split("\r\n")
    headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines)}
    body = await reader.readexactly(int(headers["content-length"])) if "content-length" in headers else b""
    return status, headers, body


async def test_requests_follow_each_other_on_one_connection() -> None:
    async with connected(echo) as (reader, writer):
        for number in range(3):
            writer.write(b"PUT /a%%20b?x=%d HTTP/1.1\r\nhost: h\r\ncontent-length: 5\r\n\r\nhello" % number)
            status, headers, body = await answer_of(reader)
            assert (status, body) == ("HTTP/1.1 200 OK", b"PUT:5")
            assert (headers["x-path"], headers["x-query"]) == ("/a%20b", f"x={number}")
            assert "connection" not in headers
            assert headers["date"].endswith(" GMT")


async def test_requests_sent_at_once_are_answered_in_order() -> None:
    turns = {"/first": asyncio.Event(), "/second": asyncio.Event(), "/third": asyncio.Event()}
    begun: list[str] = []

    async def one_at_a_time(request: HttpRequest, send: Send) -> None:
        begun.append(request.path)
        await turns[request.path].wait()
        await echo(request, send)

    async with connected(one_at_a_time) as (reader, writer):
        writer.write(b"".join(b"GET %s HTTP/1.1\r\nhost: h\r\n\r\n" % path.encode() for path in turns))
        for path in reversed(turns):
            turns[path].set()
        for path in turns:
            _, headers, _ = await answer_of(reader)
            assert headers["x-path"] == path
        assert begun == list(turns)


@pytest.mark.parametrize("size", [5, 200_000])
async def test_a_client_that_asks_first_is_invited_and_sends_its_body(size: int) -> None:
    async with connected(echo) as (reader, writer):
        for _ in range(2):
            writer.write(b"PUT /a HTTP/1.1\r\nhost: h\r\nexpect: 100-continue\r\ncontent-length: %d\r\n\r\n" % size)
            assert await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 20) == b"HTTP/1.1 100 Continue\r\n\r\n"
            writer.write(b"x" * size)
            assert (await answer_of(reader))[2] == b"PUT:%d" % size


async def test_a_client_that_does_not_wait_is_not_invited() -> None:
    async with connected(echo) as (reader, writer):
        writer.write(b"PUT /a HTTP/1.1\r\nhost: h\r\nexpect: 100-continue\r\ncontent-length: 5\r\n\r\nhello")
        assert (await answer_of(reader))[0] == "HTTP/1.1 200 OK"


async def test_who_is_refused_uninvited_must_connect_again() -> None:
    """Whether the body follows cannot be known, nor therefore where the next request begins."""

    async def refuse(request: HttpRequest, send: Send) -> None:
        await send(HttpResponse(403, [], b"no"))

    async with connected(refuse) as (reader, writer):
        writer.write(b"PUT /a HTTP/1.1\r\nhost: h\r\nexpect: 100-continue\r\ncontent-length: 900000\r\n\r\n")
        status, headers, _ = await answer_of(reader)
        assert status == "HTTP/1.1 403 Forbidden"
        assert headers["connection"] == "close"
        assert await asyncio.wait_for(reader.read(), 20) == b""


async def test_what_is_left_of_a_refused_body_is_not_taken_for_a_request() -> None:
    async def refuse_puts(request: HttpRequest, send: Send) -> None:
        if request.method == "PUT":
            await send(HttpResponse(403, [], b"no"))
        else:
            await echo(request, send)

    async with connected(refuse_puts) as (reader, writer):
        trap = b"GET /trap HTTP/1.1\r\nhost: h\r\n\r\n" * 30_000
        writer.write(b"PUT /a HTTP/1.1\r\nhost: h\r\ncontent-length: %d\r\n\r\n" % len(trap))
        assert (await answer_of(reader))[0] == "HTTP/1.1 403 Forbidden"
        writer.write(trap + b"GET /next HTTP/1.1\r\nhost: h\r\n\r\n")
        assert (await answer_of(reader))[1]["x-path"] == "/next"


async def test_a_streamed_body_makes_its_sender_wait() -> None:
    """While the application does not read, no more than a little is taken in."""
    read = asyncio.Event()

    async def late(request: HttpRequest, send: Send) -> None:
        await read.wait()
        await echo(request, send)

    size = 64 * 1024 * 1024
    async with connected(late) as (reader, writer):
        writer.write(b"PUT /a HTTP/1.1\r\nhost: h\r\ncontent-length: %d\r\n\r\n" % size)
        writer.write(bytes(size))
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(writer.drain(), 1)
        read.set()
        await writer.drain()
        assert (await answer_of(reader))[2] == b"PUT:%d" % size


async def test_headers_behind_a_chunked_body_do_not_count() -> None:
    async with connected(echo) as (reader, writer):
        writer.write(b"PUT /a HTTP/1.1\r\nhost: h\r\nx-one: before\r\ntransfer-encoding: chunked\r\n\r\n")
        writer.write(b"5\r\nhello\r\n3;ext=1\r\n123\r\n0\r\nx-one: behind\r\n\r\n")
        _, headers, body = await answer_of(reader)
        assert (headers["x-one"], body) == ("before", b"PUT:8")


async def test_repeated_headers_are_joined_and_empty_ones_kept() -> None:
    async with connected(echo) as (reader, writer):
        writer.write(b"GET / HTTP/1.1\r\nhost: h\r\nX-One: a\r\nx-ONE: b\r\nx-one:\r\n\r\n")
        assert (await answer_of(reader))[1]["x-one"] == "a,b,"


async def test_an_absolute_target_is_taken_apart() -> None:
    async with connected(echo) as (reader, writer):
        writer.write(b"GET http://other/b/k?x=1 HTTP/1.1\r\nhost: other\r\n\r\n")
        _, headers, _ = await answer_of(reader)
        assert (headers["x-path"], headers["x-query"]) == ("/b/k", "x=1")


@pytest.mark.parametrize(
    "request_head",
    [b"GET / HTTP/1.0\r\nhost: h\r\n\r\n", b"GET / HTTP/1.1\r\nhost: h\r\nconnection: close\r\n\r\n"],
)
async def test_a_client_that_wants_no_more_is_let_go(request_head: bytes) -> None:
    async with connected(echo) as (reader, writer):
        writer.write(request_head)
        _, headers, _ = await answer_of(reader)
        assert headers["connection"] == "close"
        assert await asyncio.wait_for(reader.read(), 20) == b""


async def test_another_protocol_is_not_offered() -> None:
    async with connected(echo) as (reader, writer):
        offer = b"connection: upgrade, http2-settings\r\nupgrade: h2c\r\nhttp2-settings: AAMAAABk\r\n"
        for number in range(2):
            writer.write(b"GET /%d HTTP/1.1\r\nhost: h\r\n%b\r\n" % (number, offer))
            assert (await answer_of(reader))[1]["x-path"] == f"/{number}"


async def send_without_end(writer: asyncio.StreamWriter) -> None:
    for _ in range(10_000):
        writer.write(b"y" * 4096)
        await writer.drain()


FRAMED = {
    "length": b"content-length: 12\r\n\r\nGET /x HTTP/",
    "chunks": b"transfer-encoding: chunked\r\n\r\n5\r\nGET /\r\n7\r\nx HTTP/\r\n0\r\n\r\n",
}


@pytest.mark.parametrize("pace", [1, 1000])
@pytest.mark.parametrize("framing", FRAMED)
@pytest.mark.parametrize("method", [b"PUT", b"POST"])
async def test_a_body_behind_an_offer_of_another_protocol_is_a_body(framing: str, method: bytes, pace: int) -> None:
    """Java's and curl's clients offer HTTP/2 with whatever they send."""
    offer = b"host: h\r\nconnection: Upgrade, HTTP2-Settings\r\nhttp2-settings: AAM\r\nupgrade: h2c\r\n"
    sent = b"%b /first HTTP/1.1\r\n%b%bGET /second HTTP/1.1\r\nhost: h\r\n\r\n" % (method, offer, FRAMED[framing])
    async with connected(echo) as (reader, writer):
        for start in range(0, len(sent), pace):
            writer.write(sent[start : start + pace])
            await asyncio.sleep(0)
        _, headers, body = await answer_of(reader)
        assert (headers["x-path"], body) == ("/first", method + b":12")
        assert (await answer_of(reader))[1]["x-path"] == "/second"


@pytest.mark.parametrize("size", [5, 900_000])
async def test_an_offer_and_a_question_before_the_body(size: int) -> None:
    async with connected(echo) as (reader, writer):
        offer = b"host: h\r\nconnection: upgrade\r\nupgrade: h2c\r\nexpect: 100-continue\r\n"
        writer.write(b"PUT /a HTTP/1.1\r\n%bcontent-length: %d\r\n\r\n" % (offer, size))
        assert await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 20) == b"HTTP/1.1 100 Continue\r\n\r\n"
        writer.write(b"x" * size)
        assert (await answer_of(reader))[2] == b"PUT:%d" % size


async def test_any_number_of_offers_is_read() -> None:
    async with connected(echo) as (reader, writer):
        writer.write(b"GET / HTTP/1.1\r\nconnection: upgrade\r\nupgrade: a\r\n\r\n" * 3000)
        for _ in range(3000):
            assert (await answer_of(reader))[0] == "HTTP/1.1 200 OK"


@pytest.mark.parametrize("endless", [b"0\r\nx-one: ", b"0\r\n" + b"x: y\r\n" * 20_000, b"5;"])
async def test_what_stands_around_chunks_has_an_end(endless: bytes) -> None:
    async with connected(echo) as (reader, writer):
        writer.write(b"PUT / HTTP/1.1\r\nhost: h\r\ntransfer-encoding: chunked\r\n\r\n" + endless)
        with pytest.raises(OSError, match=r"reset|closed|lost|pipe"):
            await send_without_end(writer)
        del reader


@pytest.mark.parametrize(
    "nonsense",
    [
        b"hello\r\n\r\n",
        b"GET / HTTP/9.9\r\nhost: h\r\n\r\n",
        b"GET / HTTP/1.1\r\nhost: h\r\nbad header: x\r\n\r\n",
        b"PUT / HTTP/1.1\r\nhost: h\r\ncontent-length: 5\r\ncontent-length: 6\r\n\r\nhello",
        b"PUT / HTTP/1.1\r\nhost: h\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
        b"PUT / HTTP/1.1\r\nhost: h\r\ncontent-length: -5\r\n\r\nhello",
        b"CONNECT h:1 HTTP/1.1\r\nhost: h\r\n\r\n",
    ],
)
async def test_what_is_not_http_is_refused(nonsense: bytes) -> None:
    async def unreachable(request: HttpRequest, send: Send) -> None:
        raise AssertionError("an invalid request reached the application")

    async with connected(unreachable) as (reader, writer):
        writer.write(nonsense)
        status, headers, _ = await answer_of(reader)
        assert status == "HTTP/1.1 400 Bad Request"
        assert headers["connection"] == "close"
        assert await asyncio.wait_for(reader.read(), 20) == b""


async def test_nonsense_behind_a_request_does_not_spoil_its_answer() -> None:
    async with connected(echo) as (reader, writer):
        writer.write(b"GET /good HTTP/1.1\r\nhost: h\r\n\r\nnonsense\r\n\r\n")
        assert (await answer_of(reader))[1]["x-path"] == "/good"
        assert await asyncio.wait_for(reader.read(), 20) == b""


async def test_an_invalid_chunk_ends_the_request_that_reads_it() -> None:
    ended = asyncio.Event()
    async with connected(echo_and_set(ended)) as (reader, writer):
        writer.write(b"PUT / HTTP/1.1\r\nhost: h\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n")
        await writer.drain()
        writer.write(b"not a size\r\n")
        assert (await answer_of(reader))[0] == "HTTP/1.1 400 Bad Request"
        assert await asyncio.wait_for(reader.read(), 20) == b""
        await asyncio.wait_for(ended.wait(), 20)


async def chunks_of(*chunks: bytes) -> AsyncIterator[bytes]:
    for chunk in chunks:
        yield chunk


async def test_a_stream_of_known_length_is_sent_as_it_is() -> None:
    async def answer(request: HttpRequest, send: Send) -> None:
        await send(HttpResponse(200, [], chunks_of(b"one", b"", b"two"), content_length=6))

    async with connected(answer) as (reader, writer):
        writer.write(b"GET / HTTP/1.1\r\nhost: h\r\n\r\n")
        assert (await answer_of(reader))[2] == b"onetwo"


async def test_a_stream_of_unknown_length_is_chunked_or_ends_with_the_connection() -> None:
    async def answer(request: HttpRequest, send: Send) -> None:
        await send(HttpResponse(200, [], chunks_of(b"one", b"", b"two")))

    async with connected(answer) as (reader, writer):
        writer.write(b"GET / HTTP/1.1\r\nhost: h\r\n\r\n")
        _, headers, _ = await answer_of(reader)
        assert headers["transfer-encoding"] == "chunked"
        assert await asyncio.wait_for(reader.readuntil(b"0\r\n\r\n"), 20) == b"3\r\none\r\n3\r\ntwo\r\n0\r\n\r\n"
        writer.write(b"GET / HTTP/1.0\r\nhost: h\r\n\r\n")
        _, headers, _ = await answer_of(reader)
        assert "transfer-encoding" not in headers
        assert await asyncio.wait_for(reader.read(), 20) == b"onetwo"


@pytest.mark.parametrize("length", [5, 7])
async def test_a_stream_that_is_not_what_was_said_is_cut_off(length: int) -> None:
    async def answer(request: HttpRequest, send: Send) -> None:
        await send(HttpResponse(200, [], chunks_of(b"one", b"two"), content_length=length))

    async with connected(answer) as (reader, writer):
        writer.write(b"GET / HTTP/1.1\r\nhost: h\r\n\r\n")
        await reader.readuntil(b"\r\n\r\n")
        try:
            rest = await asyncio.wait_for(reader.read(), 20)
        except ConnectionResetError:
            rest = b""
        assert len(rest) != length


@pytest.mark.parametrize(
    ("response", "length"),
    [
        (HttpResponse(200, [("Content-Length", "1234")], b""), "1234"),
        (HttpResponse(200, [], b"12345"), "5"),
        (HttpResponse(200, [], chunks_of(b"never sent"), content_length=10), "10"),
        (HttpResponse(404, [("content-type", "text/plain")], b""), "0"),
    ],
)
async def test_head_tells_the_length_and_sends_no_body(response: HttpResponse, length: str) -> None:
    async def answer(request: HttpRequest, send: Send) -> None:
        await send(response if request.method == "HEAD" else HttpResponse(200, [], b"next"))

    async with connected(answer) as (reader, writer):
        writer.write(b"HEAD / HTTP/1.1\r\nhost: h\r\n\r\nGET / HTTP/1.1\r\nhost: h\r\n\r\n")
        head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 20)
        assert f"\r\ncontent-length: {length}\r\n".encode() in head.lower()
        assert (await answer_of(reader))[2] == b"next"


@pytest.mark.parametrize(("status", "given"), [(204, []), (304, []), (204, [("Content-Length", "5")])])
async def test_some_answers_have_no_body_and_no_length(status: int, given: list[tuple[str, str]]) -> None:
    async def answer(request: HttpRequest, send: Send) -> None:
        await send(HttpResponse(status, [("ETag", '"1"'), *given], b""))

    async with connected(answer) as (reader, writer):
        writer.write(b"GET / HTTP/1.1\r\nhost: h\r\n\r\n")
        found, headers, _ = await answer_of(reader)
        assert found.startswith(f"HTTP/1.1 {status} ")
        assert "content-length" not in headers
        assert "transfer-encoding" not in headers


async def test_a_header_that_is_none_is_not_sent() -> None:
    async def answer(request: HttpRequest, send: Send) -> None:
        await send(HttpResponse(200, [("x-a: 1\r\nx-injected", "2")], b""))

    async with connected(answer) as (reader, writer):
        writer.write(b"GET / HTTP/1.1\r\nhost: h\r\n\r\n")
        status, headers, _ = await answer_of(reader)
        assert status == "HTTP/1.1 500 Internal Server Error"
        assert "x-injected" not in headers


async def test_what_an_answer_says_of_the_connection_is_not_passed_on() -> None:
    said = [("Transfer-Encoding", "chunked"), ("Connection", "close"), ("Keep-Alive", "x"), ("Upgrade", "h2c")]

    async def answer(request: HttpRequest, send: Send) -> None:
        await send(HttpResponse(200, [*said, ("Date", "never"), ("content-length", "99")], b"hello"))

    async with connected(answer) as (reader, writer):
        for _ in range(2):
            writer.write(b"GET / HTTP/1.1\r\nhost: h\r\n\r\n")
            _, headers, body = await answer_of(reader)
            assert body == b"hello"
            assert not headers.keys() & {"transfer-encoding", "connection", "keep-alive", "upgrade"}
            assert headers["date"] != "never"


async def test_a_client_that_has_said_all_gets_its_answer() -> None:
    async def slow(request: HttpRequest, send: Send) -> None:
        await asyncio.sleep(0.1)
        await echo(request, send)

    async with connected(slow) as (reader, writer):
        writer.write(b"GET /asked HTTP/1.1\r\nhost: h\r\n\r\n")
        writer.write_eof()
        _, headers, _ = await answer_of(reader)
        assert (headers["x-path"], headers["connection"]) == ("/asked", "close")
        assert await asyncio.wait_for(reader.read(), 20) == b""


async def test_a_body_that_stops_in_the_middle_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection_module, "_IDLE_SECONDS", 0.2)
    ended = asyncio.Event()
    async with connected(echo_and_set(ended)) as (_, writer):
        writer.write(b"PUT / HTTP/1.1\r\nhost: h\r\ncontent-length: 900000\r\n\r\nhello")
        await asyncio.wait_for(ended.wait(), 20)


async def test_an_application_that_is_cancelled_ends_the_connection() -> None:
    async def cancelled(request: HttpRequest, send: Send) -> None:
        never = asyncio.get_running_loop().create_future()
        never.cancel()
        await never

    async with connected(cancelled) as (reader, writer):
        writer.write(b"GET / HTTP/1.1\r\nhost: h\r\n\r\n")
        assert await asyncio.wait_for(reader.read(), 20) == b""


async def test_nothing_is_kept_of_connections_that_are_over() -> None:
    lost: list[weakref.ref[Any]] = []

    class Watched(connection_module.Connection):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            lost.append(weakref.ref(self))
            super().connection_made(transport)

    gc.disable()
    try:
        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(http_server_module, "Connection", Watched)
            async with serving(echo) as (_, port):
                for sent in (b"GET / HTTP/1.1\r\nhost: h\r\n\r\n", b"PUT / HTTP/1.1\r\ncontent-length: 99\r\n\r\nx"):
                    _, writer = await asyncio.open_connection("127.0.0.1", port)
                    writer.write(sent)
                    await asyncio.sleep(0.05)
                    writer.close()
                    await writer.wait_closed()
        for _ in range(100):
            if all(each() is None for each in lost):
                break
            await asyncio.sleep(0.05)
        assert len(lost) == 2
        assert [each() for each in lost] == [None, None]
    finally:
        gc.enable()


async def test_a_client_that_leaves_stops_the_stream_to_it() -> None:
    stopped = asyncio.Event()

    async def endless() -> AsyncIterator[bytes]:
        try:
            while True:
                yield bytes(65536)
                await asyncio.sleep(0)
        finally:
            stopped.set()

    async def answer(request: HttpRequest, send: Send) -> None:
        await send(HttpResponse(200, [], endless()))

    async with connected(answer) as (reader, writer):
        writer.write(b"GET / HTTP/1.1\r\nhost: h\r\n\r\n")
        await reader.readexactly(100_000)
        writer.close()
        await asyncio.wait_for(stopped.wait(), 20)


async def test_an_idle_connection_is_closed_and_one_in_use_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection_module, "_IDLE_SECONDS", 0.2)
    released = asyncio.Event()

    async def slow(request: HttpRequest, send: Send) -> None:
        await released.wait()
        await echo(request, send)

    async with connected(slow) as (reader, writer):
        writer.write(b"GET / HTTP/1.1\r\nhost: h\r\n\r\n")
        await asyncio.sleep(0.6)
        released.set()
        assert (await answer_of(reader))[0] == "HTTP/1.1 200 OK"
        assert await asyncio.wait_for(reader.read(), 20) == b""


async def test_closing_answers_what_is_under_way_and_takes_nothing_new() -> None:
    begun, released = asyncio.Event(), asyncio.Event()

    async def slow(request: HttpRequest, send: Send) -> None:
        begun.set()
        await released.wait()
        await echo(request, send)

    async with serving(slow) as (server, port):
        _, earlier = await asyncio.open_connection("127.0.0.1", port)
        earlier.close()
        await earlier.wait_closed()
        await asyncio.sleep(0.05)
        idle_reader, idle_writer = await asyncio.open_connection("127.0.0.1", port)
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET /under-way HTTP/1.1\r\nhost: h\r\n\r\n")
        await begun.wait()
        closing = asyncio.create_task(server.close())
        assert await asyncio.wait_for(idle_reader.read(), 20) == b""
        with pytest.raises(OSError, match=r"refused|failed"):
            await asyncio.open_connection("127.0.0.1", port)
        released.set()
        _, headers, _ = await answer_of(reader)
        assert (headers["x-path"], headers["connection"]) == ("/under-way", "close")
        await asyncio.wait_for(closing, 20)
        idle_writer.close()
        writer.close()


async def test_a_generator_that_nobody_reads_any_more_is_closed() -> None:
    closed = asyncio.Event()

    async def endless() -> AsyncIterator[bytes]:
        try:
            while True:
                yield b"x" * 65536
                await asyncio.sleep(0)
        finally:
            closed.set()

    async def stream(request: HttpRequest, send: Send) -> None:
        await send(HttpResponse(200, [], endless()))

    async with connected(stream) as (reader, writer):
        writer.write(b"GET / HTTP/1.1\r\nhost: h\r\n\r\n")
        await reader.readexactly(1000)
        writer.transport.abort()
        await asyncio.wait_for(closed.wait(), 20)
