"""A closed loop of prepared requests over keep-alive connections, so that the client is not what is measured."""

import selectors
import socket
import time
from dataclasses import dataclass, field
from itertools import cycle
from typing import Any

from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from botocore.client import BaseClient


@dataclass(slots=True)
class Result:
    """`latencies` in seconds, one for each answer; `failed` counts answers that were not 2xx."""

    seconds: float = 0.0
    failed: int = 0
    first_failure: str = ""
    latencies: list[float] = field(default_factory=list[float])

    @property
    def per_second(self) -> float:
        return (len(self.latencies) - self.failed) / self.seconds

    def percentile(self, share: float) -> float:
        ordered = sorted(self.latencies)
        return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


def prepare(client: BaseClient, operation: str, **params: Any) -> bytes:
    """The bytes that the client would send for an operation (its Python name), signed; nothing is sent."""
    caught: list[AWSPreparedRequest] = []

    def catch(request: AWSPreparedRequest, **_: Any) -> AWSResponse:
        caught.append(request)
        return AWSResponse(request.url, 200, {}, _Empty())  # type: ignore[arg-type]

    client.meta.events.register_first("before-send", catch)
    try:
        getattr(client, operation)(**params)
    except Exception:
        if not caught:
            raise
    finally:
        client.meta.events.unregister("before-send", catch)
    return _to_bytes(caught[0])


def closed_loop(port: int, requests: list[bytes], *, connections: int = 16, seconds: float = 4.0) -> Result:
    """Every connection sends its next request as soon as the last one is answered."""
    result = Result()
    selector = selectors.DefaultSelector()
    upcoming = cycle(requests)
    clients = [_Connection(port) for _ in range(connections)]
    for client in clients:
        selector.register(client.socket, selectors.EVENT_READ, client)
    started = time.perf_counter()
    for client in clients:
        client.send(next(upcoming))
    end = started + seconds
    while (now := time.perf_counter()) < end:
        for key, _ in selector.select(1.0):
            client = key.data
            status = client.receive()
            if client.closed:
                # Some servers end a connection after so many requests: the request goes out again on a new one.
                selector.unregister(client.socket)
                client.reconnect()
                selector.register(client.socket, selectors.EVENT_READ, client)
                continue
            if status is None:
                continue
            result.latencies.append(time.perf_counter() - client.sent)
            if not status.startswith(b"2"):
                result.failed += 1
                result.first_failure = result.first_failure or client.last.decode("utf-8", "replace")[:500]
            if client.ended:
                selector.unregister(client.socket)
                client.renew()
                selector.register(client.socket, selectors.EVENT_READ, client)
            client.send(next(upcoming))
    result.seconds = now - started
    for client in clients:
        client.socket.close()
    return result


class _Empty:
    def stream(self, **_: Any) -> list[bytes]:
        return []

    def read(self, *_: Any, **__: Any) -> bytes:
        return b""


class _Connection:
    def __init__(self, port: int) -> None:
        self._port = port
        self.socket = _connect(port)
        self.closed = False
        self.ended = False
        self.sent = 0.0
        self.last = b""
        self._request = b""
        self._buffer = b""

    def send(self, request: bytes) -> None:
        self.sent = time.perf_counter()
        self._request = request
        try:
            self.socket.sendall(request)
        except (BrokenPipeError, ConnectionResetError):
            self.closed = True

    def renew(self) -> None:
        """A new connection after a server that does not keep them has answered."""
        self.socket.close()
        self.socket = _connect(self._port)
        self.closed = self.ended = False
        self._buffer = b""

    def reconnect(self) -> None:
        self.renew()
        self.socket.sendall(self._request)

    def receive(self) -> bytes | None:
        """Reads what has come; the status when an answer is complete."""
        try:
            chunk = self.socket.recv(262_144)
        except ConnectionResetError:
            chunk = b""
        if not chunk:
            self.closed = True
            return None
        self._buffer += chunk
        head, separator, body = self._buffer.partition(b"\r\n\r\n")
        if not separator:
            return None
        lower = head.lower()
        at = lower.find(b"content-length:")
        if at >= 0:
            complete = len(body) >= int(lower[at + 15 : (lower + b"\r\n").find(b"\r\n", at)])
        elif b"transfer-encoding: chunked" in lower:
            complete = body.endswith(b"0\r\n\r\n")
        else:
            complete = True
        if not complete:
            return None
        self.last, self._buffer = self._buffer, b""
        self.ended = b"connection: close" in lower or lower.startswith(b"http/1.0")
        return head.split(b" ", 2)[1]


def _connect(port: int) -> socket.socket:
    connection = socket.create_connection(("127.0.0.1", port))
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return connection


def _to_bytes(request: AWSPreparedRequest) -> bytes:
    path = "/" + request.url.split("://", 1)[1].partition("/")[2]
    body = request.body or b""
    content = body.encode() if isinstance(body, str) else body if isinstance(body, bytes) else body.read()
    headers = {
        name.lower(): value.decode() if isinstance(value, bytes) else value for name, value in request.headers.items()
    }
    headers.pop("expect", None)  # the body follows at once
    headers |= {"host": request.url.split("/")[2], "content-length": str(len(content))}
    lines = [f"{request.method} {path} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items())]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + content
