"""What the kernel tells of the processes of an execution environment, mostly in /proc."""

import contextlib
import errno
import os
import socket
import struct
from collections.abc import Iterator
from pathlib import Path

_PAGE = os.sysconf("SC_PAGE_SIZE")
_GONE = (FileNotFoundError, ProcessLookupError)

# A question for one TCP socket (linux/netlink.h, linux/sock_diag.h, linux/inet_diag.h).
_NETLINK_SOCK_DIAG, _SOCK_DIAG_BY_FAMILY, _REQUEST, _ERROR = 4, 20, 1, 2
_HEADER = struct.Struct("=IHHII")  # length, type, flags, sequence, port
_QUESTION = struct.Struct("=BBBxI")  # family, protocol, extensions, states
_SOCKET_PORTS = struct.Struct("!HH4s12x4s12x")  # of the socket and of its peer, with their addresses
_ANY_SOCKET = struct.pack("=III", 0, 0xFFFFFFFF, 0xFFFFFFFF)  # interface, cookie
_ERROR_NUMBER = struct.Struct("=i")
_ANSWER_INODE = struct.Struct("=68xI")  # the last member
_LOOPBACK = socket.inet_aton("127.0.0.1")


def children(pid: int) -> list[int]:
    """The processes that a process has started and that have not ended."""
    with contextlib.suppress(*_GONE):
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    return []


def tree(pid: int) -> Iterator[int]:
    """A process and its descendants."""
    waiting = [pid]
    while waiting:
        process = waiting.pop()
        yield process
        waiting += children(process)


def anonymous_memory(pid: int, inherited: int = 0) -> int:
    """Bytes of anonymous memory of a process and its descendants.

    `inherited` bytes of each, if it has them, do not count: it shares them with the process of which it was forked.
    """
    total = 0
    for process in tree(pid):
        with contextlib.suppress(*_GONE):
            resident, shared = Path(f"/proc/{process}/statm").read_text().split()[1:3]
            own = (int(resident) - int(shared)) * _PAGE
            total += own - inherited if own >= inherited else own
    return total


def holds_connection(pid: int, port: int, to: int) -> bool:
    """Whether it was the process or a descendant that connected from one port of the loopback interface to another."""
    inode = _socket_inode(port, to)
    return inode is not None and any(f"socket:[{inode}]" in _open_files(process) for process in tree(pid))


def _socket_inode(port: int, to: int) -> int | None:
    """One port may have several connections, if they go to different ones."""
    try:
        return _ask_for_inode(port, to)
    except OSError:  # not every machine answers that
        return _search_inode(port, to)


def _ask_for_inode(port: int, to: int) -> int | None:
    """In 40 µs, however many connections there are."""
    question = _QUESTION.pack(socket.AF_INET, socket.IPPROTO_TCP, 0, 0xFFFFFFFF)
    question += _SOCKET_PORTS.pack(port, to, _LOOPBACK, _LOOPBACK) + _ANY_SOCKET
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, _NETLINK_SOCK_DIAG) as kernel:
        header = _HEADER.pack(_HEADER.size + len(question), _SOCK_DIAG_BY_FAMILY, _REQUEST, 1, 0)
        kernel.send(header + question)
        message = kernel.recv(4096, socket.MSG_DONTWAIT)
    if _HEADER.unpack_from(message)[1] != _ERROR:
        return _ANSWER_INODE.unpack_from(message, _HEADER.size)[0]
    number = -_ERROR_NUMBER.unpack_from(message, _HEADER.size)[0]
    if number != errno.ENOENT:
        raise OSError(number, os.strerror(number))
    return None


def _search_inode(port: int, to: int) -> int | None:
    """In milliseconds: the kernel walks through all of its tables."""
    wanted = [f"0100007F:{port:04X}", f"0100007F:{to:04X}"]
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        fields = line.split(maxsplit=10)
        if fields[1:3] == wanted:
            return int(fields[9])
    return None


def _open_files(pid: int) -> set[str]:
    found: set[str] = set()
    with contextlib.suppress(*_GONE):
        for entry in os.scandir(f"/proc/{pid}/fd"):
            with contextlib.suppress(*_GONE):
                found.add(os.readlink(entry.path))
    return found
