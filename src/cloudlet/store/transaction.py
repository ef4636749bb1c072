"""What can be done with a connection: queries, and within a write, statements."""

# apsw's own annotations of bindings are incomplete.
# pyright: reportUnknownMemberType=false

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import apsw

Row = tuple[Any, ...]
Bindings = Iterable[Any]


class Reader:
    """Queries on one connection."""

    def __init__(self, connection: apsw.Connection) -> None:
        self._connection = connection

    def rows(self, sql: str, bindings: Bindings = ()) -> Iterator[Row]:
        return execute(self._connection, sql, bindings)

    def all(self, sql: str, bindings: Bindings = ()) -> list[Row]:
        return list(self.rows(sql, bindings))

    def one(self, sql: str, bindings: Bindings = ()) -> Row | None:
        """The first row, None if there is none."""
        return next(self.rows(sql, bindings), None)


class Transaction(Reader):
    """What a write may do. Its effects are seen by nobody until the group is on disk."""

    def __init__(self, connection: apsw.Connection) -> None:
        super().__init__(connection)
        self.callbacks: list[Callable[[], None]] = []

    def execute(self, sql: str, bindings: Bindings = ()) -> int:
        """Runs a statement; returns the number of rows that it changed."""
        for _ in execute(self._connection, sql, bindings):
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
        self.callbacks.append(callback)


def execute(connection: apsw.Connection, sql: str, bindings: Bindings = ()) -> Iterator[Row]:
    return connection.execute(sql, tuple(bindings))
