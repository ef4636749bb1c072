"""Writes levels into the inventory table, many at a time, and never over newer ones.

Files may be loaded twice and out of order: S3 delivers each event at least once, two functions may load two files of
one store at the same moment. So every level carries the version of the file that it came from, and a write is made
on the condition that the level in the table is older. BatchWriteItem knows no conditions; transactions do, at up to
100 writes a request. A condition that fails cancels its whole transaction and says which write it was: that level
is newer already, so it is left out and the others are tried again.
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

_BATCH = 100  # writes in one transaction, DynamoDB's limit
_WRITERS = 4
_ATTEMPTS = 12
_PASSING = {"TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded"}


class Levels:
    def __init__(self, dynamodb: Any, table: str) -> None:
        self._dynamodb = dynamodb
        self._table = table

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
        writes = [self._put(row, version, counted) for row in batch]
        for attempt in range(_ATTEMPTS):
            try:
                self._dynamodb.transact_write_items(TransactItems=writes)
                return
            except self._dynamodb.exceptions.TransactionCanceledException as cancelled:
                writes = _worth_another_try(writes, cancelled)
            if not writes:
                return
            time.sleep(random.uniform(0, min(1.0, 0.01 * 2**attempt)))
        raise TimeoutError(f"{len(writes)} levels could not be written in {_ATTEMPTS} attempts")

    def _put(self, row: Row, version: str, counted: str) -> dict[str, Any]:
        version_of_line = {"S": f"{version} {row.line:09}"}
        return {
            "Put": {
                "TableName": self._table,
                "Item": {
                    "Store": {"S": row.store},
                    "Item": {"S": row.item},
                    "Count": {"N": str(row.count)},
                    "Counted": {"S": counted},
                    "Version": version_of_line,
                },
                "ConditionExpression": "attribute_not_exists(#version) OR #version < :version",
                "ExpressionAttributeNames": {"#version": "Version"},
                "ExpressionAttributeValues": {":version": version_of_line},
            }
        }


def _batches(rows: Iterable[Row]) -> Iterator[list[Row]]:
    """A transaction must not write an item twice: of such rows in one batch, the last stays."""
    remaining = iter(rows)
    while batch := list(islice(remaining, _BATCH)):
        yield list({(row.store, row.item): row for row in batch}.values())


def _worth_another_try(writes: list[dict[str, Any]], cancelled: ClientError) -> list[dict[str, Any]]:
    """Without those that are newer in the table already. Raises what no repetition mends."""
    reasons: list[dict[str, Any]] = cancelled.response.get("CancellationReasons", [])  # type: ignore[assignment]
    again = []
    for write, reason in zip(writes, reasons, strict=True):
        code = reason.get("Code", "None")
        if code == "None" or code in _PASSING:
            again.append(write)
        elif code != "ConditionalCheckFailed":
            raise cancelled
    return again
