"""Headers that never end are not taken in."""

import socket
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests


def send_without_end(connection: socket.socket, what: bytes) -> None:
    for _ in range(100_000):
        connection.sendall(what)


@pytest.mark.parametrize("endless", [b"x-one: " + b"a" * 100 + b"\r\n", b"a"])
def test_the_connection_ends(server: Any, endless: bytes) -> None:
    where = urlsplit(server.url)
    block = endless * (4096 // len(endless))
    with socket.create_connection((where.hostname, where.port), timeout=20) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nhost: localhost\r\nx-first: ")
        with pytest.raises(OSError, match=r"reset|pipe"):
            send_without_end(connection, block)


def test_large_headers_are_fine(server: Any) -> None:
    answer = requests.get(f"{server.url}/_cloudlet/health", headers={"x-large": "a" * 60_000}, timeout=20)
    assert answer.status_code == 200
