"""Whose connection it is: by the kernel's answer to one question, or by its tables where it does not answer."""

import os
import socket
import subprocess
from collections.abc import Iterator

import pytest

from cloudlet.runtime import processes
from cloudlet.runtime.processes import holds_connection


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield listening


@pytest.fixture(params=["asks", "searches"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError

    if request.param == "searches":
        monkeypatch.setattr(processes, "_ask_for_inode", refuse)
    else:
        monkeypatch.setattr(processes, "_search_inode", refuse)


def port(of: socket.socket) -> int:
    return of.getsockname()[1]


@pytest.mark.usefixtures("way")
def test_a_connection_is_of_who_made_it(listener: socket.socket) -> None:
    with socket.create_connection(listener.getsockname()) as own, subprocess.Popen(["/bin/cat"], stdin=-1) as other:
        assert holds_connection(os.getpid(), port(own), port(listener))
        assert not holds_connection(other.pid, port(own), port(listener))


@pytest.mark.usefixtures("way")
def test_descendants_count(listener: socket.socket) -> None:
    with socket.create_connection(listener.getsockname()) as own:
        number, to = port(own), port(listener)
        with subprocess.Popen(["/bin/sh", "-c", "cat; :"], stdin=-1, pass_fds=[own.fileno()]) as heir:
            own.close()
            assert holds_connection(heir.pid, number, to)


@pytest.mark.usefixtures("way")
def test_a_connection_to_somewhere_else_does_not_count(listener: socket.socket) -> None:
    with socket.create_server(("127.0.0.1", 0)) as elsewhere, socket.create_connection(listener.getsockname()) as own:
        assert not holds_connection(os.getpid(), port(own), port(elsewhere))
        assert not holds_connection(os.getpid(), 1, port(listener))
