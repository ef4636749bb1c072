"""The Lambda Runtime API of one execution environment: HTTP on a loopback port of its own.

The runtime in the environment asks for the next invocation and posts its response or its error. A response may be
streamed: it comes in chunks then, and an error on the way comes as trailers behind them.
"""

import asyncio
import base64
import binascii
import logging
import socket

import orjson

from cloudlet.runtime import extensions
from cloudlet.runtime.api_connection import LARGEST_RESPONSE, Connection, Request
from cloudlet.runtime.extensions import Extensions
from cloudlet.runtime.failures import FunctionError, InitError, ResponseTooLarge
from cloudlet.runtime.function import Invocation
from cloudlet.runtime.processes import holds_connection
from cloudlet.runtime.response_stream import LARGEST_STREAM, ResponseStream

_log = logging.getLogger(__name__)

_PREFIX = "/2018-06-01/runtime/"
# How often, and after how long, a connection is looked for in /proc before it is refused.
_TRIES = 20
_AGAIN_SECONDS = 0.01
# Connections of an environment: a function that opens more and more would take the files that Cloudlet may open.
_MOST_CONNECTIONS = 128
# A connection that breaks off tells of the end of its process, which is then heard of, or of a broken response.
_BROKEN_SECONDS = 0.5
_OK = b'{"status":"OK"}'
_JSON = "application/json"
_ERROR_TYPE = "lambda-runtime-function-error-type"
_ERROR_BODY = "lambda-runtime-function-error-body"


class RuntimeApi:
    """Serves the processes of one environment alone, although all environments share the loopback interface.

    `extensions` answers what is asked of the Extensions API at the same address.
    """

    def __init__(self, extensions: Extensions | None = None) -> None:
        self._extensions = extensions
        self._socket = socket.socket()
        self._port = 0
        self._pid = 0
        self._loop = asyncio.get_running_loop()
        self._server: asyncio.Server | None = None
        self._connections: set[Connection] = set()
        self._polling: Connection | None = None
        self._next: tuple[bytes, tuple[str, ...]] | None = None
        self._invocation: Invocation | None = None
        self._answer: asyncio.Future[bytes] | None = None
        self._stream: ResponseStream | None = None
        self._end: Exception | None = None
        self._asked: asyncio.Event = asyncio.Event()
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
        self._server = await self._loop.create_server(lambda: Connection(self), sock=self._socket)

    def close(self) -> None:
        if self._server is not None:
            self._server.close()
        self._socket.close()
        for connection in list(self._connections):
            connection.close()

    def invoke(self, invocation: Invocation, deadline: float) -> asyncio.Future[bytes]:
        """Hands the invocation to the runtime, which has been `ready`. `deadline` is in epoch seconds.

        The future holds the response, which is empty if it went to a sink, or raises FunctionError or
        ResponseTooLarge.
        """
        self._invocation = invocation
        answer = self._answer = self._loop.create_future()
        answer.add_done_callback(self._abandon_stream)
        trace_id = _trace_id(invocation, deadline)
        headers = [
            f"Lambda-Runtime-Aws-Request-Id: {invocation.request_id}",
            f"Lambda-Runtime-Deadline-Ms: {int(deadline * 1000)}",
            f"Lambda-Runtime-Invoked-Function-Arn: {invocation.arn}",
            f"Lambda-Runtime-Trace-Id: {trace_id}",
            "Content-Type: application/json",
        ]
        if invocation.client_context is not None:
            headers.append(f"Lambda-Runtime-Client-Context: {invocation.client_context}")
        self._next = (invocation.payload, tuple(headers))
        if self._end is None:
            self._hand_over()
            if self._extensions:
                self._extensions.tell_of_invocation(invocation, deadline, trace_id)
        else:
            self.fail(self._end)
        return answer

    @property
    def has_handed_over(self) -> bool:
        """Whether the runtime has taken the last invocation."""
        return self._next is None

    async def polling(self) -> None:
        """Returns when the runtime asks for the next invocation, or has ended."""
        await self._asked.wait()

    def fail(self, error: Exception) -> None:
        """What was awaited will not come, nor anything after it: the environment has ended."""
        self._end = error
        self._asked.set()
        for future in (self.ready, self._answer):
            if future is not None and not future.done():
                future.set_exception(error)
                future.exception()  # it may be that nobody waits for it

    def connected(self, connection: Connection, port: int, tries: int = _TRIES) -> None:
        """Listens to the connection once it is known to come from the environment. /proc may miss what is there."""
        if connection.closed:
            return
        if len(self._connections) >= _MOST_CONNECTIONS:
            connection.close()
        elif holds_connection(self._pid, port, self._port):
            self._connections.add(connection)
            connection.accept()
        elif tries > 1:
            self._loop.call_later(_AGAIN_SECONDS, self.connected, connection, port, tries - 1)
        else:
            _log.warning("a connection to a Runtime API from outside its environment was refused")
            connection.close()

    def disconnected(self, connection: Connection) -> None:
        self._connections.discard(connection)
        if self._polling is connection:
            self._polling = None
        if self._extensions is not None:
            self._extensions.disconnected(connection)

    def reader(self, connection: Connection, request: Request) -> ResponseStream | None:
        """A streamed response goes to the invocation's sink as it comes; without one it is gathered."""
        answer, invocation = self._answer, self._invocation
        if request.headers.get("lambda-runtime-function-response-mode") != "streaming" or answer is None:
            return None
        if _answered(request) is None or invocation is None or invocation.sink is None or self._stream is not None:
            return None
        if not self._awaits(request):
            return None
        content_type = request.headers.get("content-type", "application/octet-stream")
        self._stream = ResponseStream(invocation.sink, content_type, connection, lambda: self._break_off(answer))
        return self._stream

    def handle(self, connection: Connection, request: Request) -> None:
        if self._extensions is not None and request.path.startswith(extensions.PREFIX):
            self._extensions.handle(connection, request)
        elif self._extensions is not None and request.method == "PUT" and request.path == extensions.TELEMETRY:
            self._extensions.subscribe(connection, request)
        else:
            self._handle_runtime(connection, request)

    def _handle_runtime(self, connection: Connection, request: Request) -> None:
        step = request.path.removeprefix(_PREFIX).split("/")
        match request.method, step:
            case "GET", ["invocation", "next"]:
                self._polling = connection
                self._asked.set()
                if not self.ready.done():
                    self.ready.set_result(None)
                self._hand_over()
            case "POST", ["invocation", _, "response" | "error"]:
                self._handle_answer(connection, request)
            case "POST", ["init", "error"]:
                connection.reply(202, _OK)
                self.fail(InitError(_error_object(request, request.body)))
            case _:
                connection.reply(404, b'{"errorMessage":"Not found","errorType":"NotFound"}')

    def refuse(self, connection: Connection, request: Request) -> None:
        """The body is larger than any may be. If it is of the answer that is awaited, the function has failed."""
        refusal = _too_large(LARGEST_RESPONSE if self._stream is None else LARGEST_STREAM)
        connection.reply(413, refusal)
        if self._awaits(request):
            self._settle(ResponseTooLarge(refusal))

    def _hand_over(self) -> None:
        """Once there are both an invocation and a runtime that asks for one."""
        if self._polling is not None and self._next is not None:
            polling, (payload, headers) = self._polling, self._next
            self._polling = self._next = None
            self._asked.clear()
            polling.reply(200, payload, headers)

    def _handle_answer(self, connection: Connection, request: Request) -> None:
        if not self._awaits(request):
            connection.reply(400, b'{"errorMessage":"Invalid request ID","errorType":"InvalidRequestID"}')
            return
        stream, answer = self._stream, self._answer
        failure = _failure(request)
        if failure is None and stream is None and self._invocation is not None and self._invocation.sink is not None:
            # In one piece: nothing of it is passed on before it is known to be no error.
            content_type = request.headers.get("content-type", _JSON)
            stream = self._stream = ResponseStream(self._invocation.sink, content_type, connection, lambda: None)
            stream.feed(request.body)
            request.body = b""
        connection.reply(202, _OK)
        if stream is None:
            self._settle(failure or request.body)
        else:
            self._invocation = None  # it is answered, but for what is still on its way
            stream.end(lambda: self._settle(failure or b"", answer))

    def _awaits(self, request: Request) -> bool:
        """Whether this is the answer to the invocation that runs."""
        id_ = _answered(request)
        return self._answer is not None and self._invocation is not None and id_ == self._invocation.request_id

    def _settle(self, result: bytes | FunctionError, answer: asyncio.Future[bytes] | None = None) -> None:
        answer, self._answer = answer or self._answer, None
        if answer is None or answer.done():
            return  # timed out a moment ago
        if isinstance(result, FunctionError):
            answer.set_exception(result)
        else:
            answer.set_result(result)

    def _abandon_stream(self, _: asyncio.Future[bytes]) -> None:
        stream, self._stream = self._stream, None
        if stream is not None:
            stream.abandon()

    def _break_off(self, answer: asyncio.Future[bytes]) -> None:
        """The runtime closed the connection within a response."""

        def settle() -> None:
            if not answer.done():
                message = {"errorType": "Runtime.TruncatedResponse", "errorMessage": "Response was truncated"}
                answer.set_exception(FunctionError(orjson.dumps(message)))

        self._loop.call_later(_BROKEN_SECONDS, settle)


def _answered(request: Request) -> str | None:
    """The id of the invocation that a request answers."""
    match request.method, request.path.removeprefix(_PREFIX).split("/"):
        case "POST", ["invocation", id_, "response" | "error"]:
            return id_
        case _:
            return None


def _failure(request: Request) -> FunctionError | None:
    """The error that an answer tells of: an answer of its own, or in the trailers of a response that has begun."""
    if request.path.endswith("/error"):
        return FunctionError(_error_object(request, request.body))
    if _ERROR_TYPE not in request.headers:
        return None
    try:
        body = base64.b64decode(request.headers.get(_ERROR_BODY, ""), validate=True)
    except binascii.Error:
        body = b""
    return FunctionError(_error_object(request, body))


def _error_object(request: Request, body: bytes) -> bytes:
    """The error as the runtime describes it, or what little its header says."""
    return body or orjson.dumps({"errorType": request.headers.get(_ERROR_TYPE, "Runtime.Unknown"), "errorMessage": ""})


def _too_large(most: int) -> bytes:
    message = f"Response payload size exceeded maximum allowed payload size ({most} bytes)."
    return orjson.dumps({"errorType": "Function.ResponseSizeTooLarge", "errorMessage": message})


def _trace_id(invocation: Invocation, now: float) -> str:
    """The caller's, complete; without one a new one, which is not sampled."""
    digits = invocation.request_id.replace("-", "")
    given = invocation.trace_id or f"Root=1-{int(now):08x}-{digits[:24]}"
    if "Parent=" not in given:
        given += f";Parent={digits[16:]}"
    return given if "Sampled=" in given else f"{given};Sampled=0"
