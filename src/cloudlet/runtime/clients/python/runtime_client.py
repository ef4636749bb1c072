"""The Runtime API for awslambdaric where its own extension module is not made for the interpreter.

It has the extension's name and functions. It loads nothing but sockets: each cold start would pay for more.
"""

from __future__ import annotations

import os
import socket

_PREFIX = "/2018-06-01/runtime/invocation/"
_CHUNK = 1 << 16

_connection: socket.socket | None = None
_user_agent = ""


def initialize_client(user_agent: str) -> None:
    global _user_agent
    _user_agent = user_agent


def next() -> tuple[bytes, dict[str, str]]:  # noqa: A001 - the name is the extension's
    """The event of the next invocation, and the headers that come with it."""
    return _ask("GET", f"{_PREFIX}next")


def post_invocation_result(invoke_id: str, content: bytes, content_type: str, invocation_id: str | None = None) -> None:
    _ask("POST", f"{_PREFIX}{invoke_id}/response", content, f"Content-Type: {content_type}\r\n")


def post_error(invoke_id: str, error: str, xray_fault: str, invocation_id: str | None = None) -> None:
    headers = "Content-Type: application/json\r\nLambda-Runtime-Function-Error-Type: Unhandled\r\n"
    _ask("POST", f"{_PREFIX}{invoke_id}/error", error.encode(), headers)


def _ask(method: str, path: str, body: bytes = b"", headers: str = "") -> tuple[bytes, dict[str, str]]:
    global _connection
    if _connection is None:
        host, _, port = os.environ["AWS_LAMBDA_RUNTIME_API"].rpartition(":")
        _connection = socket.create_connection((host, int(port)))
    head = f"{method} {path} HTTP/1.1\r\nHost: localhost\r\nUser-Agent: {_user_agent}\r\n{headers}"
    _connection.sendall(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
    return _read_answer(_connection)


def _read_answer(connection: socket.socket) -> tuple[bytes, dict[str, str]]:
    received = bytearray()
    while (end := received.find(b"\r\n\r\n")) < 0:
        received += _read(connection)
    first, *lines = received[:end].decode().split("\r\n")
    headers = dict(line.split(": ", 1) for line in lines)
    body = received[end + 4 :]
    while len(body) < int(headers["Content-Length"]):
        body += _read(connection)
    if not first.split()[1].startswith("2"):
        raise RuntimeError(f"The Runtime API answered {first}: {body.decode(errors='replace')}")
    return bytes(body), headers


def _read(connection: socket.socket) -> bytes:
    chunk = connection.recv(_CHUNK)
    if not chunk:
        raise RuntimeError("The Runtime API has closed the connection.")
    return chunk
