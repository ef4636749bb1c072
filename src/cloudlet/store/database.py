"""One SQLite file: a single writer that commits in groups, and readers that do not wait for it.

Writes that wait together share one transaction and one fsync; each runs under its own savepoint, so one that fails
rolls back alone. A write is answered only when it is on disk (WAL, synchronous=FULL).
"""

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

import apsw

from cloudlet.store.migration import create, migrate
from cloudlet.store.transaction import Reader, Transaction, execute
from cloudlet.store.writer import Writer

T = TypeVar("T")


class Store:
    """A service's database file."""

    def __init__(self, path: Path, schema: Path) -> None:
        """Opens or creates the file, migrating an older one. `schema` is the service's schema.sql.

        Raises NewerSchemaError if the file was written by a newer Cloudlet.
        """
        self.path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists():
            create(path, schema)
        self._loop = asyncio.get_running_loop()
        self._connection = _connect(path)
        migrate(self._connection, path, schema)
        self.reader = Reader(_connect(path, readonly=True))
        self._readers = ThreadPoolExecutor(max_workers=4, thread_name_prefix=f"{path.stem}-reader")
        self._local = threading.local()
        self._opened: list[apsw.Connection] = []
        self._writer = Writer(self._connection, path)

    async def write(self, function: Callable[[Transaction], T], *, long: bool = False) -> T:
        """Runs the function in a transaction and returns its result once that is on disk.

        No waiting, no network, no state but its arguments and the database. What it raises rolls it back, alone, and
        is raised here. A `long` one, of more than a few milliseconds, runs on a thread, in a transaction of its own.
        """
        return await self._writer.put(function, long=long)

    def read(self, function: Callable[[Reader], T]) -> T:
        """Runs short queries, on the caller's thread (the event loop), against one consistent snapshot."""
        connection = self.reader._connection  # pyright: ignore[reportPrivateUsage]
        execute(connection, "BEGIN")
        try:
            return function(self.reader)
        finally:
            execute(connection, "COMMIT")

    async def query(self, function: Callable[[Reader], T]) -> T:
        """Runs queries that may take long, on a reader thread, against one consistent snapshot."""
        return await self._loop.run_in_executor(self._readers, self._query, function)

    def close(self) -> None:
        """Finishes the writes that are waiting and closes the file."""
        self._writer.close()
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
        execute(connection, "BEGIN")
        try:
            return function(Reader(connection))
        finally:
            execute(connection, "COMMIT")


def _connect(path: Path, *, readonly: bool = False) -> apsw.Connection:
    connection = apsw.Connection(str(path), statementcachesize=256)
    connection.set_busy_timeout(10_000)
    # A statement's plan depends on its text alone. Else SQLite may plan it anew for other values: 40 µs each time.
    connection.config(apsw.SQLITE_DBCONFIG_ENABLE_QPSG, 1)
    for pragma in (
        "journal_mode=WAL",
        "synchronous=FULL",
        "cache_size=-16384",
        "mmap_size=268435456",
        "foreign_keys=ON",
        # The log is written back to the file after 32 MB, not after 4: that takes fsyncs of its own, in some commit.
        "wal_autocheckpoint=8192",
    ):
        execute(connection, f"PRAGMA {pragma}")
    if readonly:
        execute(connection, "PRAGMA query_only=ON")
    return connection
