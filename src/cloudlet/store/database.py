"""One SQLite file: a single writer that commits in groups, and readers that do not wait for it.

Writes that wait together share one transaction and one fsync; each runs under its own savepoint, so one that fails
rolls back alone. A write is answered only when it is on disk (WAL, synchronous=FULL).
"""

# apsw's own annotations of bindings are incomplete.
# pyright: reportUnknownMemberType=false

import asyncio
import logging
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from queue import SimpleQueue
from typing import Any, TypeVar, cast

import apsw

from cloudlet.store.migration import migrate

T = TypeVar("T")
Row = tuple[Any, ...]
Bindings = Iterable[Any]

_log = logging.getLogger(__name__)
_MAX_GROUP = 256


class Reader:
    """Queries on one connection."""

    def __init__(self, connection: apsw.Connection) -> None:
        self._connection = connection

    def rows(self, sql: str, bindings: Bindings = ()) -> Iterator[Row]:
        return _execute(self._connection, sql, bindings)

    def all(self, sql: str, bindings: Bindings = ()) -> list[Row]:
        return list(self.rows(sql, bindings))

    def one(self, sql: str, bindings: Bindings = ()) -> Row | None:
        """The first row, None if there is none."""
        return next(self.rows(sql, bindings), None)


class Transaction(Reader):
    """What a write may do. Its effects are seen by nobody until the group is on disk."""

    def __init__(self, connection: apsw.Connection) -> None:
        super().__init__(connection)
        self._after: list[Callable[[], None]] = []

    def execute(self, sql: str, bindings: Bindings = ()) -> int:
        """Runs a statement; returns the number of rows that it changed."""
        for _ in _execute(self._connection, sql, bindings):
            pass
        return self._connection.changes()

    def many(self, sql: str, rows: Iterable[Bindings]) -> None:
        """Runs a statement once per row of bindings."""
        self._connection.executemany(sql, (tuple(row) for row in rows))

    def insert(self, sql: str, bindings: Bindings = ()) -> int:
        """Runs an INSERT; returns the row id."""
        self.execute(sql, bindings)
        return self._connection.last_insert_rowid()

    def after_commit(self, callback: Callable[[], None]) -> None:
        """To be called on the event loop once the write is on disk: to send signals, not to do work."""
        self._after.append(callback)


class _Write:
    """A write on its way: what to run, and who waits for it."""

    __slots__ = ("after", "error", "function", "future", "result")

    def __init__(self, function: Callable[[Transaction], Any], future: asyncio.Future[Any]) -> None:
        self.function = function
        self.future = future
        self.result: Any = None
        self.error: BaseException | None = None
        self.after: list[Callable[[], None]] = []


class Store:
    """A service's database file."""

    def __init__(self, path: Path, schema: Path) -> None:
        """Opens or creates the file, migrating an older one. `schema` is the service's schema.sql.

        Raises NewerSchemaError if the file was written by a newer Cloudlet.
        """
        self.path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch(mode=0o600)  # SQLite gives its other files the same mode
        self._loop = asyncio.get_running_loop()
        self._connection = _connect(path)
        migrate(self._connection, path, schema)
        self.reader = Reader(_connect(path, readonly=True))
        self._readers = ThreadPoolExecutor(max_workers=4, thread_name_prefix=f"{path.stem}-reader")
        self._local = threading.local()
        self._opened: list[apsw.Connection] = []
        self._queue: SimpleQueue[_Write | None] = SimpleQueue()
        self._closed = False
        self._writer = threading.Thread(target=self._write_groups, name=f"{path.stem}-writer", daemon=True)
        self._writer.start()

    async def write(self, function: Callable[[Transaction], T]) -> T:
        """Runs the function in a transaction and returns its result once that is on disk.

        It runs on the writer's thread: no waiting, no network, no state but its arguments and the database. What it
        raises rolls it back, alone, and is raised here.
        """
        if self._closed:
            raise RuntimeError(f"{self.path} is closed")
        write = _Write(function, self._loop.create_future())
        self._queue.put(write)
        return await write.future

    def read(self, function: Callable[[Reader], T]) -> T:
        """Runs short queries, on the caller's thread (the event loop), against one consistent snapshot."""
        connection = self.reader._connection  # pyright: ignore[reportPrivateUsage]
        _execute(connection, "BEGIN")
        try:
            return function(self.reader)
        finally:
            _execute(connection, "COMMIT")

    async def query(self, function: Callable[[Reader], T]) -> T:
        """Runs queries that may take long, on a reader thread, against one consistent snapshot."""
        return await self._loop.run_in_executor(self._readers, self._query, function)

    def close(self) -> None:
        """Finishes the writes that are waiting and closes the file."""
        self._closed = True
        self._queue.put(None)
        self._writer.join()
        self._readers.shutdown(wait=True)
        for connection in self._opened:
            connection.close()
        self.reader._connection.close()  # pyright: ignore[reportPrivateUsage]
        self._connection.close()

    def _query(self, function: Callable[[Reader], T]) -> T:
        connection: apsw.Connection | None = getattr(self._local, "connection", None)
        if connection is None:
            connection = self._local.connection = _connect(self.path, readonly=True)
            self._opened.append(connection)
        _execute(connection, "BEGIN")
        try:
            return function(Reader(connection))
        finally:
            _execute(connection, "COMMIT")

    def _write_groups(self) -> None:
        while (first := self._queue.get()) is not None:
            group = [first]
            closing = False
            while len(group) < _MAX_GROUP and not self._queue.empty():
                following = self._queue.get()
                if following is None:
                    closing = True
                    break
                group.append(following)
            self._commit(group)
            if not self._loop.is_closed():
                self._loop.call_soon_threadsafe(_answer, group)
            if closing:
                return

    def _commit(self, group: list[_Write]) -> None:
        try:
            _execute(self._connection, "BEGIN IMMEDIATE")
            for write in group:
                self._run(write)
            _execute(self._connection, "COMMIT")
        except BaseException as error:  # noqa: BLE001 - whoever waits for a write of the group must hear of it
            _log.exception("a group of writes failed", extra={"file": str(self.path)})
            for write in group:
                write.error = write.error or error
            if not self._connection.get_autocommit():
                with suppress(apsw.Error):  # the next group's BEGIN tells of what is still wrong
                    _execute(self._connection, "ROLLBACK")

    def _run(self, write: _Write) -> None:
        transaction = Transaction(self._connection)
        _execute(self._connection, "SAVEPOINT one")
        try:
            write.result = write.function(transaction)
        except Exception as error:  # noqa: BLE001 - it is raised where the write is awaited
            # A future takes any error but this one.
            write.error = RuntimeError("a write raised StopIteration") if isinstance(error, StopIteration) else error
            _execute(self._connection, "ROLLBACK TO one")
        else:
            write.after = transaction._after  # pyright: ignore[reportPrivateUsage]
        _execute(self._connection, "RELEASE one")


def _execute(connection: apsw.Connection, sql: str, bindings: Bindings = ()) -> Iterator[Row]:
    return cast("Iterator[Row]", connection.execute(sql, tuple(bindings)))


def _answer(group: list[_Write]) -> None:
    for write in group:
        if write.error is None:
            for callback in write.after:
                _call(callback)
        if write.future.cancelled():
            continue
        if write.error is not None:
            write.future.set_exception(write.error)
        else:
            write.future.set_result(write.result)


def _call(callback: Callable[[], None]) -> None:
    try:
        callback()
    except Exception:  # noqa: BLE001 - the write is on disk, and others of its group wait for their answers
        _log.exception("a callback after a commit failed")


def _connect(path: Path, *, readonly: bool = False) -> apsw.Connection:
    connection = apsw.Connection(str(path), statementcachesize=256)
    connection.set_busy_timeout(10_000)
    for pragma in (
        "journal_mode=WAL",
        "synchronous=FULL",
        "cache_size=-16384",
        "mmap_size=268435456",
        "foreign_keys=ON",
    ):
        _execute(connection, f"PRAGMA {pragma}")
    if readonly:
        _execute(connection, "PRAGMA query_only=ON")
    return connection
