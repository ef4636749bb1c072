"""Group commit: writes roll back alone, are answered when on disk, and survive kill -9."""

import asyncio
import signal
import subprocess
import sys
import threading
from pathlib import Path

import apsw
import pytest

from cloudlet.store import NewerSchemaError, Store, Transaction

_WRITER = """
import asyncio, sys
from pathlib import Path
from cloudlet.store import Store

async def main():
    store = Store(Path(sys.argv[1]), Path(sys.argv[2]))
    async def client(name):
        number = 0
        while True:
            key = f"{name}-{number}"
            await store.write(lambda tx: tx.execute("INSERT INTO item VALUES (?, ?)", (key, key)))
            sys.stdout.write(key + "\\n")
            sys.stdout.flush()
            number += 1
    await asyncio.gather(*(client(name) for name in range(8)))

asyncio.run(main())
"""


def put(tx: Transaction, key: str, value: str) -> None:
    tx.execute("INSERT INTO item VALUES (?, ?)", (key, value))


async def test_a_failing_write_rolls_back_alone(tmp_path: Path, schema: Path) -> None:
    store = Store(tmp_path / "a.db", schema)

    def fails(tx: Transaction) -> None:
        put(tx, "lost", "x")
        raise ValueError("refused")

    results = await asyncio.gather(
        store.write(lambda tx: put(tx, "one", "1")),
        store.write(fails),
        store.write(lambda tx: put(tx, "two", "2")),
        return_exceptions=True,
    )
    assert [type(result) for result in results] == [type(None), ValueError, type(None)]
    assert store.reader.all("SELECT key FROM item ORDER BY key") == [("one",), ("two",)]
    store.close()


async def test_a_write_that_breaks_a_constraint_leaves_the_group_whole(tmp_path: Path, schema: Path) -> None:
    store = Store(tmp_path / "a.db", schema)
    results = await asyncio.gather(
        *(store.write(lambda tx, key=key: put(tx, key, key)) for key in ("a", "b", "a", "c")), return_exceptions=True
    )
    assert [isinstance(result, apsw.ConstraintError) for result in results] == [False, False, True, False]
    assert store.reader.one("SELECT count(*) FROM item") == (3,)
    store.close()


async def test_after_commit_is_called_once_the_data_can_be_read(tmp_path: Path, schema: Path) -> None:
    store = Store(tmp_path / "a.db", schema)
    seen: list[object] = []

    def write(tx: Transaction) -> None:
        put(tx, "k", "v")
        tx.after_commit(lambda: seen.append(store.reader.one("SELECT value FROM item")))

    await store.write(write)
    assert seen == [("v",)]
    store.close()


async def test_after_commit_of_a_failed_write_is_not_called(tmp_path: Path, schema: Path) -> None:
    store = Store(tmp_path / "a.db", schema)
    seen: list[str] = []

    def write(tx: Transaction) -> None:
        tx.after_commit(lambda: seen.append("called"))
        raise ValueError("refused")

    with pytest.raises(ValueError, match="refused"):
        await store.write(write)
    assert seen == []
    store.close()


async def test_trouble_after_a_commit_keeps_no_answer_back(tmp_path: Path, schema: Path) -> None:
    store = Store(tmp_path / "a.db", schema)

    def troubled(tx: Transaction) -> None:
        put(tx, "one", "1")
        tx.after_commit(lambda: next(iter(())))

    def stops(tx: Transaction) -> None:
        next(iter(()))

    writes = (store.write(write) for write in (troubled, stops, lambda tx: put(tx, "two", "2")))
    async with asyncio.timeout(10):
        results = await asyncio.gather(*writes, return_exceptions=True)
    assert [type(result) for result in results] == [type(None), RuntimeError, type(None)]
    assert store.reader.all("SELECT key FROM item ORDER BY key") == [("one",), ("two",)]
    store.close()


async def test_a_write_that_comes_after_the_end_is_refused(tmp_path: Path, schema: Path) -> None:
    store = Store(tmp_path / "a.db", schema)
    store.close()
    with pytest.raises(RuntimeError, match="closed"):
        await store.write(lambda tx: put(tx, "late", "1"))


async def test_a_query_sees_one_snapshot(tmp_path: Path, schema: Path) -> None:
    store = Store(tmp_path / "a.db", schema)
    await store.write(lambda tx: put(tx, "a", "1"))
    loop = asyncio.get_running_loop()

    def count_twice(reader: object) -> tuple[int, int]:
        first = len(list(reader.rows("SELECT * FROM item")))  # type: ignore[attr-defined]
        asyncio.run_coroutine_threadsafe(store.write(lambda tx: put(tx, "b", "2")), loop).result()
        return first, len(list(reader.rows("SELECT * FROM item")))  # type: ignore[attr-defined]

    assert await store.query(count_twice) == (1, 1)
    assert store.reader.one("SELECT count(*) FROM item") == (2,)
    store.close()


def test_what_was_acknowledged_survives_kill_9(tmp_path: Path, schema: Path) -> None:
    database = tmp_path / "a.db"
    for _ in range(3):
        database.unlink(missing_ok=True)
        process = subprocess.Popen(
            [sys.executable, "-c", _WRITER, str(database), str(schema)], stdout=subprocess.PIPE, text=True
        )
        assert process.stdout is not None
        acknowledged = [process.stdout.readline().strip() for _ in range(200)]
        process.send_signal(signal.SIGKILL)
        acknowledged += [line.strip() for line in process.stdout if line.endswith("\n")]
        process.wait()
        found = {key for (key,) in apsw.Connection(str(database)).execute("SELECT key FROM item")}
        assert set(acknowledged) <= found


async def test_a_new_file_is_whole_or_not_there(tmp_path: Path, schema: Path) -> None:
    broken = tmp_path / "broken.sql"
    broken.write_text(f"{schema.read_text()}CREATE TABLE item (twice TEXT);")
    with pytest.raises(apsw.SQLError):
        Store(tmp_path / "a.db", broken)
    assert not (tmp_path / "a.db").exists()
    store = Store(tmp_path / "a.db", schema)
    await store.write(lambda tx: put(tx, "k", "v"))
    assert store.reader.one("SELECT key, value FROM item") == ("k", "v")
    store.close()
    assert {path.name for path in tmp_path.glob("a.db*")} == {"a.db"}
    assert (tmp_path / "a.db").stat().st_mode & 0o777 == 0o600


async def test_the_log_of_a_deleted_file_is_not_taken_for_that_of_a_new_one(tmp_path: Path, schema: Path) -> None:
    store = Store(tmp_path / "a.db", schema)
    await store.write(lambda tx: put(tx, "old", "v"))
    (tmp_path / "b.db-wal").write_bytes((tmp_path / "a.db-wal").read_bytes())
    store.close()
    store = Store(tmp_path / "b.db", schema)
    assert store.reader.one("SELECT key FROM item") is None
    store.close()


async def test_an_older_file_is_migrated(tmp_path: Path, schema: Path) -> None:
    store = Store(tmp_path / "a.db", schema)
    await store.write(lambda tx: put(tx, "k", "v"))
    store.close()
    schema.write_text("-- version: 2\nCREATE TABLE item (key TEXT PRIMARY KEY, value TEXT NOT NULL, extra TEXT);\n")
    (tmp_path / "migrations").mkdir()
    (tmp_path / "migrations" / "2.sql").write_text("ALTER TABLE item ADD COLUMN extra TEXT;")
    store = Store(tmp_path / "a.db", schema)
    assert store.reader.one("SELECT key, value, extra FROM item") == ("k", "v", None)
    store.close()


async def test_a_newer_file_is_refused(tmp_path: Path, schema: Path) -> None:
    newer = tmp_path / "newer.sql"
    newer.write_text(schema.read_text().replace("version: 1", "version: 7"))
    Store(tmp_path / "a.db", newer).close()
    with pytest.raises(NewerSchemaError, match="version 7"):
        Store(tmp_path / "a.db", schema)


async def test_long_writes_take_their_turn(tmp_path: Path, schema: Path) -> None:
    store = Store(tmp_path / "a.db", schema)
    threads: list[str] = []

    def note(tx: Transaction, key: str) -> None:
        put(tx, key, key)
        threads.append(threading.current_thread().name)

    await asyncio.gather(
        store.write(lambda tx: note(tx, "1")),
        store.write(lambda tx: note(tx, "2"), long=True),
        store.write(lambda tx: note(tx, "3")),
    )
    assert [row[0] for row in store.reader.rows("SELECT key FROM item ORDER BY rowid")] == ["1", "2", "3"]
    assert threads == ["MainThread", "a-writer", "MainThread"]
    store.close()


async def test_a_long_write_that_fails_changes_nothing(tmp_path: Path, schema: Path) -> None:
    store = Store(tmp_path / "a.db", schema)

    def fails(tx: Transaction) -> None:
        put(tx, "lost", "x")
        raise ValueError("refused")

    with pytest.raises(ValueError, match="refused"):
        await store.write(fails, long=True)
    assert store.reader.one("SELECT count(*) FROM item") == (0,)
    store.close()


async def test_closing_finishes_what_waits(tmp_path: Path, schema: Path) -> None:
    store = Store(tmp_path / "a.db", schema)
    waiting = [
        asyncio.ensure_future(store.write(lambda tx, n=n: put(tx, str(n), "x"), long=n % 3 == 0)) for n in range(9)
    ]
    await asyncio.sleep(0)
    store.close()
    assert await asyncio.gather(*waiting) == [None] * 9
    with pytest.raises(RuntimeError, match="closed"):
        await store.write(lambda tx: put(tx, "late", "x"))
    assert len(list(apsw.Connection(str(tmp_path / "a.db")).execute("SELECT * FROM item"))) == 9
