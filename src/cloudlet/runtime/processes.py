"""What /proc tells of the processes of an execution environment."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

_PAGE = os.sysconf("SC_PAGE_SIZE")
_GONE = (FileNotFoundError, ProcessLookupError)


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


def _socket_inode(port: int, to: int) -> str | None:
    """One port may have several connections, if they go to different ones."""
    wanted = [f"0100007F:{port:04X}", f"0100007F:{to:04X}"]
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        fields = line.split(maxsplit=10)
        if fields[1:3] == wanted:
            return fields[9]
    return None


def _open_files(pid: int) -> set[str]:
    found: set[str] = set()
    with contextlib.suppress(*_GONE):
        for entry in os.scandir(f"/proc/{pid}/fd"):
            with contextlib.suppress(*_GONE):
                found.add(os.readlink(entry.path))
    return found
