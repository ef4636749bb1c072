"""The data folder: one Cloudlet at a time, and a note for the command line on where that one is."""

import fcntl
import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TextIO


class DataFolderInUse(Exception):
    """Another server has this data folder; nothing in it was touched."""


@dataclass(frozen=True, slots=True)
class RunningServer:
    pid: int
    url: str
    version: str


class DataFolder:
    """Holds the folder's lock until it is released or the process ends, however it ends."""

    def __init__(self, path: Path) -> None:
        """Raises DataFolderInUse."""
        self.path = path
        if not path.exists():
            path.mkdir(parents=True, mode=0o700)
        self._lock = _lock(path)

    def announce(self, url: str, version: str) -> None:
        """Writes server.json, where clients on this machine find the server."""
        note = self.path / "server.json"
        partial = note.with_suffix(".partial")
        partial.write_text(json.dumps(asdict(RunningServer(os.getpid(), url, version))))
        partial.rename(note)

    def release(self) -> None:
        (self.path / "server.json").unlink(missing_ok=True)
        self._lock.close()


def running_server(path: Path) -> RunningServer | None:
    """The server that has this data folder, None if none runs."""
    try:
        lock = _lock(path)
    except DataFolderInUse:
        try:
            return RunningServer(**json.loads((path / "server.json").read_text()))
        except FileNotFoundError:
            return None  # it is just starting
    except FileNotFoundError:
        return None
    lock.close()
    return None


def _lock(path: Path) -> TextIO:
    lock = open(path / "lock", "a+")  # noqa: SIM115 - it is held open: that is the lock
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        lock.close()
        raise DataFolderInUse(f"another Cloudlet is running on the data folder {path}") from None
    return lock
