"""Schema versions: a new file gets schema.sql, an older one its migrations, a newer one is refused."""

# apsw's own annotations of bindings are incomplete.
# pyright: reportUnknownMemberType=false

import os
import re
from pathlib import Path

import apsw

from cloudlet.store.blobs import sync_folder

_OUTBOX = Path(__file__).with_name("outbox.sql")


class NewerSchemaError(Exception):
    """The data was written by a newer Cloudlet; opening it could lose what this one does not know."""


def create(path: Path, schema: Path) -> None:
    """Makes a new file, whole or not at all, with two fsyncs. SQLite, left to itself, waits for seven."""
    partial = path.with_name(f"{path.name}.partial")
    partial.unlink(missing_ok=True)  # of a start that was cut short
    path.with_name(f"{path.name}-wal").unlink(missing_ok=True)  # of a file that somebody deleted
    partial.touch(mode=0o600)  # SQLite gives its other files the same mode
    connection = apsw.Connection(str(partial))
    try:
        connection.pragma("synchronous", "OFF")
        connection.pragma("journal_mode", "MEMORY")
        migrate(connection, path, schema)
        connection.pragma("journal_mode", "WAL")
    finally:
        connection.close()
    with partial.open("rb") as file:
        os.fsync(file.fileno())
    partial.rename(path)
    sync_folder(path.parent)


def migrate(connection: apsw.Connection, path: Path, schema: Path) -> None:
    """Brings the file to the version in the first line of schema.sql (`-- version: 3`).

    `migrations/3.sql` beside it makes version 3 of version 2. All of it happens, or nothing.
    """
    script = schema.read_text()
    match = re.match(r"-- version: (\d+)\n", script)
    if match is None:
        raise ValueError(f"{schema} does not begin with its version")
    wanted = int(match[1])
    found = int(connection.pragma("user_version"))
    if found > wanted:
        raise NewerSchemaError(
            f"{path} has schema version {found}; this Cloudlet knows up to {wanted}. Use a newer one."
        )
    if found == wanted:
        return
    steps = (
        [_OUTBOX.read_text(), script]
        if found == 0
        else [(schema.parent / "migrations" / f"{version}.sql").read_text() for version in range(found + 1, wanted + 1)]
    )
    with connection:
        for step in steps:
            connection.execute(step)
        connection.pragma("user_version", wanted)
