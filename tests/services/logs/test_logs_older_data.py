"""Data of the first version, without filters: it is kept, and gets what a new file has."""

from pathlib import Path

import apsw

from cloudlet import store
from cloudlet.services import logs

FIRST = """
CREATE TABLE log_group (
    id INTEGER PRIMARY KEY AUTOINCREMENT, account TEXT NOT NULL, region TEXT NOT NULL, name TEXT NOT NULL,
    created INTEGER NOT NULL, retention INTEGER, stored_bytes INTEGER NOT NULL DEFAULT 0,
    protected INTEGER NOT NULL DEFAULT 0, tags TEXT NOT NULL DEFAULT '{}', UNIQUE (account, region, name)
);
CREATE TABLE log_stream (
    id INTEGER PRIMARY KEY AUTOINCREMENT, log_group INTEGER NOT NULL REFERENCES log_group ON DELETE CASCADE,
    name TEXT NOT NULL, created INTEGER NOT NULL, first_event INTEGER, last_event INTEGER, last_ingestion INTEGER,
    UNIQUE (log_group, name)
);
CREATE INDEX log_stream_last_event ON log_stream (log_group, last_event, name);
CREATE TABLE log_event (
    id INTEGER PRIMARY KEY AUTOINCREMENT, log_group INTEGER NOT NULL REFERENCES log_group ON DELETE CASCADE,
    log_stream INTEGER NOT NULL REFERENCES log_stream ON DELETE CASCADE, timestamp INTEGER NOT NULL,
    ingested INTEGER NOT NULL, message TEXT NOT NULL
);
CREATE INDEX log_event_of_group ON log_event (log_group, timestamp, id);
CREATE INDEX log_event_of_stream ON log_event (log_stream, timestamp, id);
PRAGMA user_version = 1;
"""
SCHEMA = Path(logs.__file__).with_name("schema.sql")


def columns(path: Path) -> set[tuple[object, ...]]:
    connection = apsw.Connection(str(path))
    return set(
        connection.execute(
            'SELECT t.name, c.name, c.type, c."notnull", c.dflt_value, c.pk FROM sqlite_schema AS t'
            " JOIN pragma_table_info(t.name) AS c WHERE t.type IN ('table', 'index')"
        )
    )


async def test_an_older_file_becomes_as_a_new_one(tmp_path: Path) -> None:
    old = apsw.Connection(str(tmp_path / "old.db"))
    old.execute((Path(store.__file__).with_name("outbox.sql")).read_text())
    old.execute(FIRST)
    old.execute("INSERT INTO log_group (account, region, name, created) VALUES ('0', 'r', 'g', 1)")
    old.close()
    opened = store.Store(tmp_path / "old.db", SCHEMA)
    assert opened.reader.all("SELECT name, filters FROM log_group") == [("g", 0)]
    opened.close()
    store.Store(tmp_path / "new.db", SCHEMA).close()
    assert columns(tmp_path / "old.db") == columns(tmp_path / "new.db")
