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
# A request with its head and with what frames its chunks.
_LARGEST_REQUEST = 2 * LARGEST_RESPONSE
_TOO_LARGE = (
    b'{"errorType":"Function.ResponseSizeTooLarge","errorMessage":'
    b'"Response payload size exceeded maximum allowed payload size (%d bytes)."}' % LARGEST_RESPONSE
)


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


class ResponseTooLarge(FunctionError):
    """Raised in place of the response. The runtime takes the refusal badly: it exits."""


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

        The future holds the response, or raises FunctionError or ResponseTooLarge.
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
                self._handle_answer(connection, id_, kind == b"error", body)
            case b"POST", [b"init", b"error"]:
                connection.reply(202, b'{"status":"OK"}')
                self.fail(InitError(body))
            case _:
                connection.reply(404, b'{"errorMessage":"Not found","errorType":"NotFound"}')

    def refuse(self, connection: "_Connection", path: bytes) -> None:
        """The body is larger than any may be. If it is of the answer that is awaited, the function has failed."""
        connection.reply(413, _TOO_LARGE)
        match path.removeprefix(_PREFIX).split(b"/"):
            case [b"invocation", id_, (b"response" | b"error")] if self._awaits(id_):
                self._settle(ResponseTooLarge(_TOO_LARGE))
            case _:
                pass

    def _hand_over(self) -> None:
        """Once there are both an invocation and a runtime that asks for one."""
        if self._polling is not None and self._next is not None:
            polling, (payload, headers) = self._polling, self._next
            self._polling = self._next = None
            polling.reply(200, payload, headers)

    def _handle_answer(self, connection: "_Connection", id_: bytes, failed: bool, body: bytes) -> None:
        if self._awaits(id_):
            connection.reply(202, b'{"status":"OK"}')
            self._settle(FunctionError(body) if failed else body)
        else:
            connection.reply(400, b'{"errorMessage":"Invalid request ID","errorType":"InvalidRequestID"}')

    def _awaits(self, id_: bytes) -> bool:
        return self._answer is not None and self._invocation is not None and id_ == self._invocation.request_id.encode()

    def _settle(self, result: bytes | FunctionError) -> None:
        answer, self._answer = self._answer, None
        if answer is None or answer.done():
            return  # timed out a moment ago
        if isinstance(result, FunctionError):
            answer.set_exception(result)
        else:
            answer.set_result(result)


class _Connection(asyncio.Protocol):
    """One keep-alive connection; requests come one after another."""

    def __init__(self, api: RuntimeApi) -> None:
        self._api = api
        self._parser = httptools.HttpRequestParser(self)
        self._transport: asyncio.Transport | None = None
        self._url = b""
        self._body: list[bytes] = []
        self._body_size = 0
        self._received = 0
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
        self._url = b""
        self._body = []
        self._body_size = 0

    def on_url(self, url: bytes) -> None:
        self._url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        if name.lower() == b"expect" and self._transport is not None:
            self._transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def on_body(self, body: bytes) -> None:
        self._body_size += len(body)
        if self._body_size > LARGEST_RESPONSE:
            raise ValueError("too large")  # ends the parsing
        self._body.append(body)

    def on_message_complete(self) -> None:
        self._received = 0
        self._api.handle(self, self._parser.get_method(), self._url, b"".join(self._body))

    def reply(self, status: int, body: bytes, headers: list[str] | None = None) -> None:
        if self._transport is None:
            return
        if self._transport.get_write_buffer_size() > _LARGEST_REQUEST:
            self.close()  # it asks on and on, and reads no reply
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

    def _end(self) -> None:
        """Nothing more of this connection can be understood, or none is wanted."""
        if self._body_size > LARGEST_RESPONSE:
            self._api.refuse(self, self._url)
        if self._transport is not None:
            self._transport.close()


def _trace_id(request_id: str, now: float) -> str:
    digits = request_id.replace("-", "")
    return f"Root=1-{int(now):08x}-{digits[:24]};Parent={digits[16:]};Sampled=0"
