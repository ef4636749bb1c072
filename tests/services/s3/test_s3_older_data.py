"""Data of the first version, which did not measure what buckets hold: it is kept, and opens."""

from pathlib import Path

import apsw

from cloudlet import store
from cloudlet.services import s3

FIRST = """
CREATE TABLE buckets (
    id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL UNIQUE, account TEXT NOT NULL, region TEXT NOT NULL,
    created REAL NOT NULL, versioning TEXT NOT NULL DEFAULT ''
);
INSERT INTO buckets (name, account, region, created) VALUES ('b', '0', 'r', 1.0);
PRAGMA user_version = 1;
"""


async def test_an_older_file_gets_the_new_table(tmp_path: Path) -> None:
    old = apsw.Connection(str(tmp_path / "s3.db"))
    old.execute((Path(store.__file__).with_name("outbox.sql")).read_text())
    old.execute(FIRST)
    old.close()
    opened = store.Store(tmp_path / "s3.db", Path(s3.__file__).with_name("schema.sql"))
    assert opened.reader.all("SELECT name, day FROM buckets LEFT JOIN storage_measured ON bucket = id") == [("b", None)]
    opened.close()
