"""Writes levels into the inventory table, many at a time, and never over newer ones.

Files may be loaded twice and out of order: S3 delivers each event at least once, two functions may load two files of
one store at the same moment. So every level carries the version of the file that it came from, and a write is made
on the condition that the level in the table is older. BatchWriteItem knows no conditions; transactions do, at up to
100 writes a request. A condition that fails cancels its whole transaction and says which write it was: that level
is newer already, so it is left out and the others are tried again.

A count says what is on the shelf, and what is reserved for an order was taken off it. So a count stands for all that
was reserved before its file was uploaded. What was reserved afterwards, while the file was on its way, is taken off
what it counts: a level remembers when that was the last time, so such a level fails the condition too.
"""

import random
import time
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from typing import Any

from botocore.exceptions import ClientError
from inventory_file import Row
from late_orders import OrdersSince

_BATCH = 100  # writes in one transaction, DynamoDB's limit
_WRITERS = 4
_ATTEMPTS = 12
_OLDER = "(attribute_not_exists(#version) OR #version < :version)"
_PASSING = {"TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded"}


class Levels:
    def __init__(self, dynamodb: Any, table: str, orders: OrdersSince) -> None:
        self._dynamodb = dynamodb
        self._table = table
        self._orders = orders

    def write(self, rows: Iterable[Row], version: str, counted: str) -> None:
        """Writes the rows of one file. `version` sorts after those of older files; `counted` is an ISO 8601 time.

        Where a file has several lines for an item, the last one counts. The batches are written side by side, at
        most twice as many in memory as there are writers.
        """
        pending: deque[Future[None]] = deque()
        with ThreadPoolExecutor(_WRITERS) as writers:
            for batch in _batches(rows):
                if len(pending) >= 2 * _WRITERS:
                    pending.popleft().result()
                pending.append(writers.submit(self._write_batch, batch, version, counted))
            while pending:
                pending.popleft().result()

    def _write_batch(self, batch: list[Row], version: str, counted: str) -> None:
        writes = [self._put(row, version, counted, {}) for row in batch]
        for attempt in range(_ATTEMPTS):
            try:
                self._dynamodb.transact_write_items(TransactItems=writes)
                return
            except self._dynamodb.exceptions.TransactionCanceledException as cancelled:
                found = _worth_another_try(batch, writes, cancelled)
            if not found:
                return
            batch = [row for row, _ in found]
            writes = [self._put(row, version, counted, level) for row, level in found]
            time.sleep(random.uniform(0, min(1.0, 0.01 * 2**attempt)))
        raise TimeoutError(f"{len(writes)} levels could not be written in {_ATTEMPTS} attempts")

    def _put(self, row: Row, version: str, counted: str, level: dict[str, Any]) -> dict[str, Any]:
        """`level` is what was found in the table; empty at first, when it is not known."""
        item = {
            "Store": {"S": row.store},
            "Item": {"S": row.item},
            "Count": {"N": str(row.count)},
            "Counted": {"S": counted},
            "Version": {"S": f"{version} {row.line:09}"},
        }
        names = {"#version": "Version"}
        values: dict[str, Any] = {":version": item["Version"]}
        reserved = level.get("Reserved", {}).get("S", "")
        if reserved < counted:
            condition = f"{_OLDER} AND (attribute_not_exists(Reserved) OR Reserved < :counted)"
            values[":counted"] = {"S": counted}
        else:
            taken = self._orders.taken(row.store, row.item, counted, reserved)
            item["Count"] = {"N": str(max(0, row.count - taken))}
            item["Reserved"] = level["Reserved"]
            condition = f"{_OLDER} AND Reserved = :reserved AND #count = :count"  # nothing more is taken by then
            names["#count"] = "Count"
            values |= {":reserved": level["Reserved"], ":count": level["Count"]}
        return {
            "Put": {
                "TableName": self._table,
                "Item": item,
                "ConditionExpression": condition,
                "ExpressionAttributeNames": names,
                "ExpressionAttributeValues": values,
                "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
            }
        }


def _worth_another_try(
    batch: list[Row], writes: list[dict[str, Any]], cancelled: ClientError
) -> list[tuple[Row, dict[str, Any]]]:
    """The rows whose levels are not newer in the table already, with what is there where that was the obstacle.

    Raises what no repetition mends.
    """
    reasons: list[dict[str, Any]] = cancelled.response.get("CancellationReasons", [])  # type: ignore[assignment]
    again = []
    for row, write, reason in zip(batch, writes, reasons, strict=True):
        code = reason.get("Code", "None")
        level = reason.get("Item", {})
        if code == "ConditionalCheckFailed" and _version(level) >= _version(write["Put"]["Item"]):
            continue
        if code not in {"None", "ConditionalCheckFailed", *_PASSING}:
            raise cancelled
        again.append((row, level))
    return again


def _version(level: dict[str, Any]) -> str:
    """Empty for one that somebody wrote by hand."""
    return level.get("Version", {}).get("S", "")


def _batches(rows: Iterable[Row]) -> Iterator[list[Row]]:
    """A transaction must not write an item twice: of such rows in one batch, the last stays."""
    remaining = iter(rows)
    while batch := list(islice(remaining, _BATCH)):
        yield list({(row.store, row.item): row for row in batch}.values())
