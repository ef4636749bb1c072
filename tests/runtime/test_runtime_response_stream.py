"""A streamed response is passed on as it comes, at the speed of whoever reads it."""

import asyncio
import base64
import json
import os
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from cloudlet.runtime import Invocation, response_stream, runtime_api
from cloudlet.runtime.runtime_api import LARGEST_RESPONSE, FunctionError, RuntimeApi

STREAM = (
    b"POST /2018-06-01/runtime/invocation/1/response HTTP/1.1\r\nHost: localhost\r\n"
    b"Lambda-Runtime-Function-Response-Mode: streaming\r\nContent-Type: text/plain\r\n"
    b"Transfer-Encoding: chunked\r\n\r\n"
)
END = b"0\r\n\r\n"


class Sink:
    """Keeps what it is given, while it is `open`."""

    def __init__(self) -> None:
        self.content_type = ""
        self.content = bytearray()
        self.gone = False
        self.open = asyncio.Event()
        self.open.set()

    def begin(self, content_type: str) -> None:
        self.content_type = content_type

    async def write(self, chunk: bytes) -> None:
        await self.open.wait()
        if self.gone:
            raise ConnectionResetError
        self.content += chunk


@pytest_asyncio.fixture
async def api() -> AsyncIterator[RuntimeApi]:
    started = RuntimeApi()
    yield started
    started.close()


@pytest_asyncio.fixture
async def writer(api: RuntimeApi) -> AsyncIterator[asyncio.StreamWriter]:
    host, _, port = api.bind().partition(":")
    await api.serve(os.getpid())
    _, opened = await asyncio.open_connection(host, int(port))
    yield opened
    opened.close()


@pytest.fixture
def sink() -> Sink:
    return Sink()


def invoke(api: RuntimeApi, sink: Sink | None) -> asyncio.Future[bytes]:
    return api.invoke(Invocation("1", "arn", b"{}", sink=sink), 0.0)


def chunk(content: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(content), content)


async def wait_for_content(sink: Sink, content: bytes) -> None:
    async with asyncio.timeout(20):
        while sink.content != content:
            await asyncio.sleep(0.001)


async def test_chunks_arrive_before_the_end(api: RuntimeApi, writer: asyncio.StreamWriter, sink: Sink) -> None:
    answer = invoke(api, sink)
    writer.write(STREAM + chunk(b"one "))
    await wait_for_content(sink, b"one ")
    writer.write(chunk(b"two"))
    await wait_for_content(sink, b"one two")
    assert not answer.done()
    writer.write(END)
    assert await answer == b""
    assert sink.content_type == "text/plain"


async def test_a_slow_reader_makes_the_function_wait(api: RuntimeApi, writer: asyncio.StreamWriter, sink: Sink) -> None:
    answer = invoke(api, sink)
    sink.open.clear()
    content = chunk(b"x" * (1 << 16)) * 128
    writer.write(STREAM + content + END)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.3):
            await writer.drain()
    sink.open.set()
    async with asyncio.timeout(20):
        await answer
    assert len(sink.content) == 128 << 16


async def test_a_reader_that_goes_away_does_not_end_the_function(
    api: RuntimeApi, writer: asyncio.StreamWriter, sink: Sink
) -> None:
    answer = invoke(api, sink)
    sink.gone = True
    writer.write(STREAM + chunk(b"x" * (1 << 20)) * 4 + END)
    async with asyncio.timeout(20):
        assert await answer == b""
    assert sink.content == b""


async def test_an_error_on_the_way(api: RuntimeApi, writer: asyncio.StreamWriter, sink: Sink) -> None:
    answer = invoke(api, sink)
    error = {"errorType": "Error", "errorMessage": "no", "trace": []}
    body = base64.b64encode(json.dumps(error).encode())
    writer.write(STREAM + chunk(b"begun") + b"0\r\nLambda-Runtime-Function-Error-Type: Error\r\n")
    writer.write(b"Lambda-Runtime-Function-Error-Body: %b\r\n\r\n" % body)
    with pytest.raises(FunctionError) as raised:
        await answer
    assert json.loads(raised.value.payload) == error
    assert sink.content == b"begun"


async def test_a_response_that_breaks_off(api: RuntimeApi, writer: asyncio.StreamWriter, sink: Sink) -> None:
    answer = invoke(api, sink)
    writer.write(STREAM + chunk(b"begun"))
    await wait_for_content(sink, b"begun")
    writer.close()
    with pytest.raises(FunctionError, match=r"Runtime\.TruncatedResponse"):
        await answer


async def test_a_stream_has_a_limit(
    api: RuntimeApi, writer: asyncio.StreamWriter, sink: Sink, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (response_stream, runtime_api):
        monkeypatch.setattr(module, "LARGEST_STREAM", 1 << 20)
    answer = invoke(api, sink)
    writer.write(STREAM + chunk(b"x" * (1 << 20)) + chunk(b"x"))
    with pytest.raises(FunctionError, match=r"\(1048576 bytes\)"):
        await answer


async def test_without_a_sink_it_is_gathered(api: RuntimeApi, writer: asyncio.StreamWriter) -> None:
    answer = invoke(api, None)
    writer.write(STREAM + chunk(b"one ") + chunk(b"two") + END)
    assert await answer == b"one two"


async def test_what_is_gathered_has_the_limit_of_a_response(api: RuntimeApi, writer: asyncio.StreamWriter) -> None:
    answer = invoke(api, None)
    writer.write(STREAM + chunk(b"x" * (LARGEST_RESPONSE + 1)) + END)
    with pytest.raises(FunctionError, match=rf"\({LARGEST_RESPONSE} bytes\)"):
        await answer


async def test_a_response_in_one_piece_goes_to_the_sink(
    api: RuntimeApi, writer: asyncio.StreamWriter, sink: Sink
) -> None:
    answer = invoke(api, sink)
    writer.write(b"POST /2018-06-01/runtime/invocation/1/response HTTP/1.1\r\nContent-Length: 2\r\n\r\n{}")
    assert await answer == b""
    assert (sink.content_type, sink.content) == ("application/json", b"{}")


async def test_nothing_is_passed_on_after_the_invocations_end(
    api: RuntimeApi, writer: asyncio.StreamWriter, sink: Sink
) -> None:
    answer = invoke(api, sink)
    sink.open.clear()
    writer.write(STREAM + chunk(b"late"))
    await asyncio.sleep(0.05)
    answer.cancel()
    sink.open.set()
    writer.write(chunk(b"later") + END)
    await asyncio.sleep(0.05)
    assert sink.content == b""


@pytest.mark.parametrize(
    ("given", "seen"),
    [
        ("Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1", ";Sampled=1"),
        ("Root=1-5759e988-bd862e3fe1be46a994272793", ";Sampled=0"),
    ],
)
async def test_the_callers_trace_is_handed_over(api: RuntimeApi, given: str, seen: str) -> None:
    host, _, port = api.bind().partition(":")
    await api.serve(os.getpid())
    api.invoke(Invocation("11111111-1111-4111-8111-111111111111", "arn", b"{}", trace_id=given), 0.0)
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(b"GET /2018-06-01/runtime/invocation/next HTTP/1.1\r\n\r\n")
    head = (await reader.readuntil(b"\r\n\r\n")).decode()
    [trace] = [line for line in head.splitlines() if line.startswith("Lambda-Runtime-Trace-Id: ")]
    assert trace.startswith(f"Lambda-Runtime-Trace-Id: {given}")
    assert trace.endswith(seen)
    assert "Parent=" in trace
    writer.close()
