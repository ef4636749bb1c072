"""The one writer of a file: groups of writes are filled on the event loop and committed on a thread.

Statements take microseconds, the fsync at the end of a group hundreds of them. On the thread, every statement would
have to win the interpreter lock back from a busy event loop: an object of 4 KB, some ten statements, went at 1,500 a
second that way, at 2,900 this way. So only the waiting is left to the thread, and the writes that take long.
"""

import asyncio
import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any

import apsw

from cloudlet.store.transaction import Transaction, execute

_log = logging.getLogger(__name__)
_MAX_GROUP = 256
# The event loop is needed for other things: after so long the rest goes into the next group.
_FILL_SECONDS = 0.005


class _Write:
    """A write on its way: what to run, and who waits for it. A long one runs on the thread, in a group of its own."""

    __slots__ = ("after", "error", "function", "future", "long", "result")

    def __init__(self, function: Callable[[Transaction], Any], future: asyncio.Future[Any], long: bool) -> None:
        self.function = function
        self.future = future
        self.long = long
        self.result: Any = None
        self.error: BaseException | None = None
        self.after: list[Callable[[], None]] = []


class Writer:
    """Owns the connection that writes: the event loop uses it between two commits, the thread during one."""

    def __init__(self, connection: apsw.Connection, path: Path) -> None:
        self._connection = connection
        self._path = path
        self._loop = asyncio.get_running_loop()
        self._waiting: deque[_Write] = deque()
        self._committing = False
        self._scheduled = False
        self._closed = False
        self._groups: SimpleQueue[list[_Write] | None] = SimpleQueue()
        self._committed: SimpleQueue[list[_Write]] = SimpleQueue()
        self._thread = threading.Thread(target=self._commit_groups, name=f"{path.stem}-writer", daemon=True)
        self._thread.start()

    def put(self, function: Callable[[Transaction], Any], *, long: bool) -> asyncio.Future[Any]:
        if self._closed:
            raise RuntimeError(f"{self._path} is closed")
        write = _Write(function, self._loop.create_future(), long)
        self._waiting.append(write)
        self._schedule()
        return write.future

    def close(self) -> None:
        """Finishes the writes that are waiting. To be called on the event loop."""
        self._closed = True
        while self._waiting or self._committing:
            if not self._committing:
                self._next_group()
            self._finish(self._committed.get())
        self._groups.put(None)
        self._thread.join()

    def _schedule(self) -> None:
        if not self._committing and not self._scheduled:
            self._scheduled = True
            self._loop.call_soon(self._next_group)

    def _next_group(self) -> None:
        self._scheduled = False
        if self._committing or not self._waiting:
            return
        self._committing = True
        group = [self._waiting.popleft()]
        if not group[0].long:
            self._fill(group)
        self._groups.put(group)

    def _fill(self, group: list[_Write]) -> None:
        """Begins a transaction and runs the first write and those that wait behind it."""
        try:
            execute(self._connection, "BEGIN IMMEDIATE")
            self._run(group[0])
            end = time.monotonic() + _FILL_SECONDS
            while self._waiting and not self._waiting[0].long and len(group) < _MAX_GROUP and time.monotonic() < end:
                group.append(self._waiting.popleft())
                self._run(group[-1])
        except apsw.Error as error:
            self._give_up(group, error)

    def _commit_groups(self) -> None:
        """The thread."""
        while (group := self._groups.get()) is not None:
            self._commit(group)
            self._committed.put(group)
            self._loop.call_soon_threadsafe(self._collect)

    def _commit(self, group: list[_Write]) -> None:
        try:
            if group[0].long:
                execute(self._connection, "BEGIN IMMEDIATE")
                self._run(group[0])
            if not self._connection.get_autocommit():
                execute(self._connection, "COMMIT")
        except apsw.Error as error:
            self._give_up(group, error)

    def _give_up(self, group: list[_Write], error: apsw.Error) -> None:
        """Whoever waits for a write of the group hears of the error; nothing of it is kept."""
        _log.error("a group of writes failed", exc_info=error, extra={"file": str(self._path)})
        for write in group:
            write.error = write.error or error
        if not self._connection.get_autocommit():
            with suppress(apsw.Error):  # the next group's BEGIN tells of what is still wrong
                execute(self._connection, "ROLLBACK")

    def _run(self, write: _Write) -> None:
        transaction = Transaction(self._connection)
        execute(self._connection, "SAVEPOINT one")
        try:
            write.result = write.function(transaction)
        except Exception as error:  # noqa: BLE001 - it is raised where the write is awaited
            # A future takes any error but this one.
            write.error = RuntimeError("a write raised StopIteration") if isinstance(error, StopIteration) else error
            execute(self._connection, "ROLLBACK TO one")
        else:
            write.after = transaction.callbacks
        execute(self._connection, "RELEASE one")

    def _collect(self) -> None:
        with suppress(Empty):  # `close` has finished the group already
            self._finish(self._committed.get_nowait())

    def _finish(self, group: list[_Write]) -> None:
        self._committing = False
        if self._waiting:
            self._schedule()
        for write in group:
            _answer(write)


def _answer(write: _Write) -> None:
    if write.error is None:
        for callback in write.after:
            _call(callback)
    if write.future.cancelled():
        return
    if write.error is not None:
        write.future.set_exception(write.error)
    else:
        write.future.set_result(write.result)


def _call(callback: Callable[[], None]) -> None:
    try:
        callback()
    except Exception:  # noqa: BLE001 - the write is on disk, and others of its group wait for their answers
        _log.exception("a callback after a commit failed")
