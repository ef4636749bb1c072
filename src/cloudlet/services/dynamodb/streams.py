"""Streams: one record for each change of an item, written in the change's own transaction, kept for a day.

A stream has one shard, so its records are in the order of the changes. A sequence number is the record's row, behind
a constant that gives it AWS's length.
"""

import os
from datetime import UTC, datetime
from typing import Any

import orjson

from cloudlet.services.dynamodb.tables import StreamSettings, Table, table_arn
from cloudlet.services.dynamodb.values import Stored, item_size
from cloudlet.store import Reader, Transaction

RETENTION = 24 * 3600.0
_FIRST = 100_000_000_000_000_000_000


def topic(arn: str) -> str:
    """The signal's name that says that the stream has new records."""
    return f"dynamodb-stream:{arn}"


def sequence_number(sequence: int) -> str:
    return str(_FIRST + sequence)


def sequence_of(number: str) -> int:
    """Raises ValueError for what is no sequence number of ours."""
    sequence = int(number) - _FIRST
    if sequence < 0:
        raise ValueError(number)
    return sequence


def shard_id(stream_id: int, created: float) -> str:
    return f"shardId-{int(created * 1000):020d}-{stream_id:08x}"


def create(tx: Transaction, account: str, region: str, table_name: str, view_type: str, keys: Any, now: float) -> Any:
    """Opens a stream; returns what the table's document holds of it. `keys` is the table's KeySchema."""
    label = datetime.fromtimestamp(now, UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3]
    base = f"{table_arn(account, region, table_name)}/stream/"
    while tx.one("SELECT 1 FROM stream WHERE arn = ?", (base + label,)) is not None:
        now += 0.001
        label = datetime.fromtimestamp(now, UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3]
    id_ = tx.insert(
        "INSERT INTO stream (account, region, table_name, arn, label, view_type, key_schema, start, created)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (account, region, table_name, base + label, label, view_type, orjson.dumps(keys), _last(tx) + 1, now),
    )
    return {"Id": id_, "Arn": base + label, "Label": label, "ViewType": view_type}


def disable(tx: Transaction, id_: int, now: float) -> None:
    """Closes a stream; what it has can be read for a day."""
    tx.execute("UPDATE stream SET disabled = ?, ending = ? WHERE id = ?", (now, _last(tx), id_))


def _last(tx: Transaction) -> int:
    row = tx.one("SELECT seq FROM sqlite_sequence WHERE name = 'stream_record'")
    return row[0] if row is not None else 0


def record(
    tx: Transaction,
    stream: StreamSettings,
    table: Table,
    now: float,
    identity: dict[str, str] | None,
    *,
    old: Stored | None,
    new: Stored | None,
) -> None:
    """Adds the record of a change. The sequence number is its row's, set when it is read."""
    present = new if new is not None else old
    assert present is not None
    keys = table.keys.part(present.item)
    change: dict[str, Any] = {"ApproximateCreationDateTime": int(now), "Keys": keys}
    size = item_size(keys)
    if old is not None and stream.view_type in ("OLD_IMAGE", "NEW_AND_OLD_IMAGES"):
        change["OldImage"] = orjson.Fragment(old.raw)
        size += old.size
    if new is not None and stream.view_type in ("NEW_IMAGE", "NEW_AND_OLD_IMAGES"):
        change["NewImage"] = orjson.Fragment(new.raw)
        size += new.size
    change["SizeBytes"] = size
    change["StreamViewType"] = stream.view_type
    document: dict[str, Any] = {
        "eventID": os.urandom(16).hex(),
        "eventName": "INSERT" if old is None else "REMOVE" if new is None else "MODIFY",
        "eventVersion": "1.1",
        "eventSource": "aws:dynamodb",
        "awsRegion": table.region,
        "dynamodb": change,
    }
    if identity is not None:
        document["userIdentity"] = identity
    tx.execute(
        "INSERT INTO stream_record (stream_id, created, record) VALUES (?, ?, ?)",
        (stream.id, now, orjson.dumps(document)),
    )


def records_after(reader: Reader, stream_id: int, sequence: int, since: float, limit: int) -> list[dict[str, Any]]:
    """The records after a sequence, created since a time, each with its sequence number; together at most 1 MiB."""
    found: list[dict[str, Any]] = []
    total = 0
    for row_sequence, raw in reader.rows(
        "SELECT sequence, record FROM stream_record WHERE stream_id = ? AND sequence > ? AND created >= ?"
        " ORDER BY sequence LIMIT ?",
        (stream_id, sequence, since, limit),
    ):
        total += len(raw)
        if found and total > 1 << 20:
            break
        document = orjson.loads(raw)
        document["dynamodb"]["SequenceNumber"] = sequence_number(row_sequence)
        found.append(document)
    return found


def oldest(reader: Reader, stream_id: int, since: float) -> int | None:
    """The sequence of the oldest record that has not been trimmed."""
    row = reader.one(
        "SELECT sequence FROM stream_record WHERE stream_id = ? AND created >= ? ORDER BY sequence LIMIT 1",
        (stream_id, since),
    )
    return row[0] if row is not None else None


def trim(tx: Transaction, now: float, at_once: int) -> int:
    """Removes records and closed streams that are past their day; returns how many records went."""
    gone = tx.execute(
        "DELETE FROM stream_record WHERE sequence IN"
        " (SELECT sequence FROM stream_record WHERE created < ? ORDER BY sequence LIMIT ?)",
        (now - RETENTION, at_once),
    )
    tx.execute("DELETE FROM stream WHERE disabled < ?", (now - RETENTION,))
    return gone
