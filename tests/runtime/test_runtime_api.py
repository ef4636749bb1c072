"""The Runtime API gathers no more than a response may hold, and nothing from strangers."""

import asyncio
import json
import os
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from cloudlet.runtime import Invocation
from cloudlet.runtime import runtime_api as module
from cloudlet.runtime.runtime_api import LARGEST_RESPONSE, FunctionError, RuntimeApi

HOST = b"Host: localhost\r\n"
RESPONSE = b"POST /2018-06-01/runtime/invocation/1/response HTTP/1.1\r\n" + HOST


class Client:
    """The runtime's side, here in the process of the test."""

    def __init__(self, address: str) -> None:
        self._host, _, self._port = address.partition(":")

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await asyncio.open_connection(self._host, int(self._port))


@pytest_asyncio.fixture
async def api() -> AsyncIterator[RuntimeApi]:
    started = RuntimeApi()
    yield started
    started.close()


@pytest_asyncio.fixture
async def client(api: RuntimeApi) -> Client:
    address = api.bind()
    await api.serve(os.getpid())
    return Client(address)


def invoke(api: RuntimeApi) -> asyncio.Future[bytes]:
    return api.invoke(Invocation("1", "arn", b"{}"), 0.0)


async def send_without_end(writer: asyncio.StreamWriter, data: bytes) -> None:
    async with asyncio.timeout(20):
        while True:
            writer.write(data)
            await writer.drain()


async def test_a_response_as_large_as_may_be(api: RuntimeApi, client: Client) -> None:
    answer = invoke(api)
    reader, writer = await client.connect()
    writer.write(RESPONSE + b"Content-Length: %d\r\n\r\n" % LARGEST_RESPONSE + b"x" * LARGEST_RESPONSE)
    assert (await reader.readline()).startswith(b"HTTP/1.1 202")
    assert len(await answer) == LARGEST_RESPONSE
    writer.close()


@pytest.mark.parametrize("framing", [b"Content-Length: 1000000000000", b"Transfer-Encoding: chunked"])
async def test_a_response_without_end_fails_when_it_is_too_large(
    api: RuntimeApi, client: Client, framing: bytes
) -> None:
    answer = invoke(api)
    _, writer = await client.connect()
    writer.write(RESPONSE + framing + b"\r\n\r\n")
    with pytest.raises(ConnectionError):
        await send_without_end(writer, b"10000\r\n" + b"x" * 65536 + b"\r\n")
    with pytest.raises(FunctionError) as raised:
        await answer
    assert json.loads(raised.value.payload) == {
        "errorType": "Function.ResponseSizeTooLarge",
        "errorMessage": "Response payload size exceeded maximum allowed payload size (6291556 bytes).",
    }
    writer.close()


async def test_headers_without_end_are_not_gathered(client: Client) -> None:
    _, writer = await client.connect()
    writer.write(RESPONSE + b"X: ")
    with pytest.raises(ConnectionError):
        await send_without_end(writer, b"x" * 65536)
    writer.close()


async def test_strangers_are_not_listened_to(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "holds_connection", lambda *_: False)
    _, writer = await client.connect()
    writer.write(b"x" * (64 << 20))
    with pytest.raises(ConnectionError):
        await writer.drain()
    writer.close()


async def test_who_reads_no_replies_gets_no_more(api: RuntimeApi, client: Client) -> None:
    _, writer = await client.connect()
    writer.write((b"GET / HTTP/1.1\r\n" + HOST + b"\r\n") * 500_000)
    for _ in range(100):
        await asyncio.sleep(0.005)
        for connection in api._connections:
            assert connection._transport is not None
            assert connection._transport.get_write_buffer_size() < 14_000_000
    writer.close()


async def test_an_environment_has_a_limited_number_of_connections(client: Client) -> None:
    connected = [await client.connect() for _ in range(200)]
    async with asyncio.timeout(20):
        ended = [await reader.read() for reader, _ in connected[128:]]
    assert set(ended) == {b""}
    _, first = connected[0]
    assert not first.is_closing()
    for _, writer in connected:
        writer.close()
