"""The Lambda Runtime API of one execution environment: HTTP on a loopback port of its own.

The runtime in the environment asks for the next invocation and posts its response or its error.
"""

import asyncio
import logging
import socket
from typing import cast

import httptools

from cloudlet.runtime.function import Invocation
from cloudlet.runtime.processes import holds_connection

_log = logging.getLogger(__name__)

_PREFIX = b"/2018-06-01/runtime/"
# How often, and after how long, a connection is looked for in /proc before it is refused.
_TRIES = 20
_AGAIN_SECONDS = 0.01
# AWS's limit of a response, with the room that it leaves for the envelope.
LARGEST_RESPONSE = 6 * 1024 * 1024 + 100


class InitError(Exception):
    """The runtime reported that the function could not be loaded. `payload` is its error object."""

    def __init__(self, payload: bytes) -> None:
        super().__init__(payload.decode(errors="replace"))
        self.payload = payload


class FunctionError(Exception):
    """The function raised. `payload` is the error object that the runtime made of it."""

    def __init__(self, payload: bytes) -> None:
        super().__init__(payload.decode(errors="replace"))
        self.payload = payload


class RuntimeApi:
    """Serves the processes of one environment alone, although all environments share the loopback interface."""

    def __init__(self) -> None:
        self._socket = socket.socket()
        self._port = 0
        self._pid = 0
        self._loop = asyncio.get_running_loop()
        self._server: asyncio.Server | None = None
        self._connections: set[_Connection] = set()
        self._polling: _Connection | None = None
        self._next: tuple[bytes, list[str]] | None = None
        self._invocation: Invocation | None = None
        self._answer: asyncio.Future[bytes] | None = None
        self.ready: asyncio.Future[None] = self._loop.create_future()

    def bind(self) -> str:
        """Returns the address for AWS_LAMBDA_RUNTIME_API; who connects waits for `serve`."""
        self._socket.bind(("127.0.0.1", 0))
        self._socket.listen()
        self._port = self._socket.getsockname()[1]
        return f"127.0.0.1:{self._port}"

    async def serve(self, pid: int) -> None:
        """Answers the process and its descendants."""
        self._pid = pid
        self._server = await self._loop.create_server(lambda: _Connection(self), sock=self._socket)

    def close(self) -> None:
        if self._server is not None:
            self._server.close()
        self._socket.close()
        for connection in list(self._connections):
            connection.close()

    def invoke(self, invocation: Invocation, deadline: float) -> asyncio.Future[bytes]:
        """Hands the invocation to the runtime, which has been `ready`. `deadline` is in epoch seconds.

        The future holds the response, or raises FunctionError.
        """
        self._invocation = invocation
        answer = self._answer = self._loop.create_future()
        headers = [
            f"Lambda-Runtime-Aws-Request-Id: {invocation.request_id}",
            f"Lambda-Runtime-Deadline-Ms: {int(deadline * 1000)}",
            f"Lambda-Runtime-Invoked-Function-Arn: {invocation.arn}",
            f"Lambda-Runtime-Trace-Id: {_trace_id(invocation.request_id, deadline)}",
            "Content-Type: application/json",
        ]
        if invocation.client_context is not None:
            headers.append(f"Lambda-Runtime-Client-Context: {invocation.client_context}")
        self._next = (invocation.payload, headers)
        self._hand_over()
        return answer

    def fail(self, error: Exception) -> None:
        """What was awaited will not come: the environment has ended."""
        for future in (self.ready, self._answer):
            if future is not None and not future.done():
                future.set_exception(error)
                future.exception()  # it may be that nobody waits for it

    def connected(self, connection: "_Connection", port: int, tries: int = _TRIES) -> None:
        """Listens to the connection once it is known to come from the environment. /proc may miss what is there."""
        if connection.closed:
            return
        if holds_connection(self._pid, port, self._port):
            self._connections.add(connection)
            connection.accept()
        elif tries > 1:
            self._loop.call_later(_AGAIN_SECONDS, self.connected, connection, port, tries - 1)
        else:
            _log.warning("a connection to a Runtime API from outside its environment was refused")
            connection.close()

    def disconnected(self, connection: "_Connection") -> None:
        self._connections.discard(connection)
        if self._polling is connection:
            self._polling = None

    def handle(self, connection: "_Connection", method: bytes, path: bytes, body: bytes) -> None:
        step = path.removeprefix(_PREFIX).split(b"/")
        match method, step:
            case b"GET", [b"invocation", b"next"]:
                self._polling = connection
                if not self.ready.done():
                    self.ready.set_result(None)
                self._hand_over()
            case b"POST", [b"invocation", id_, (b"response" | b"error") as kind]:
                self._handle_answer(connection, id_.decode(), kind == b"error", body)
            case b"POST", [b"init", b"error"]:
                connection.reply(202, b'{"status":"OK"}')
                self.fail(InitError(body))
            case _:
                connection.reply(404, b'{"errorMessage":"Not found","errorType":"NotFound"}')

    def _hand_over(self) -> None:
        """Once there are both an invocation and a runtime that asks for one."""
        if self._polling is not None and self._next is not None:
            polling, (payload, headers) = self._polling, self._next
            self._polling = self._next = None
            polling.reply(200, payload, headers)

    def _handle_answer(self, connection: "_Connection", id_: str, failed: bool, body: bytes) -> None:
        answer = self._answer
        if self._invocation is None or id_ != self._invocation.request_id or answer is None:
            connection.reply(400, b'{"errorMessage":"Invalid request ID","errorType":"InvalidRequestID"}')
            return
        self._answer = None
        if not failed and len(body) > LARGEST_RESPONSE:
            message = f"Response payload size exceeded maximum allowed payload size ({LARGEST_RESPONSE} bytes)."
            error = f'{{"errorType":"Function.ResponseSizeTooLarge","errorMessage":"{message}"}}'.encode()
            connection.reply(413, error)
            failed, body = True, error
        else:
            connection.reply(202, b'{"status":"OK"}')
        if answer.done():
            return  # timed out a moment ago
        if failed:
            answer.set_exception(FunctionError(body))
        else:
            answer.set_result(body)


class _Connection(asyncio.Protocol):
    """One keep-alive connection; requests come one after another."""

    def __init__(self, api: RuntimeApi) -> None:
        self._api = api
        self._parser = httptools.HttpRequestParser(self)
        self._transport: asyncio.Transport | None = None
        self._url = b""
        self._body: list[bytes] = []
        self._early: list[bytes] | None = []  # until the connection is accepted

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._api.connected(self, transport.get_extra_info("peername")[1])

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        self._api.disconnected(self)

    @property
    def closed(self) -> bool:
        return self._transport is None

    def accept(self) -> None:
        """What has come until now counts, and what will come."""
        early, self._early = b"".join(self._early or ()), None
        if early:
            self.data_received(early)

    def data_received(self, data: bytes) -> None:
        if self._early is not None:
            self._early.append(data)
            return
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError:
            self.close()

    # What the parser calls.
    def on_message_begin(self) -> None:
        self._url = b""
        self._body = []

    def on_url(self, url: bytes) -> None:
        self._url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        if name.lower() == b"expect" and self._transport is not None:
            self._transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def on_body(self, body: bytes) -> None:
        self._body.append(body)

    def on_message_complete(self) -> None:
        self._api.handle(self, self._parser.get_method(), self._url, b"".join(self._body))

    def reply(self, status: int, body: bytes, headers: list[str] | None = None) -> None:
        if self._transport is None:
            return
        head = [
            f"HTTP/1.1 {status} OK",
            f"Content-Length: {len(body)}",
            *(headers or ["Content-Type: application/json"]),
        ]
        self._transport.write("\r\n".join(head).encode() + b"\r\n\r\n" + body)

    def close(self) -> None:
        if self._transport is not None:
            self._transport.abort()


def _trace_id(request_id: str, now: float) -> str:
    digits = request_id.replace("-", "")
    return f"Root=1-{int(now):08x}-{digits[:24]};Parent={digits[16:]};Sampled=0"
