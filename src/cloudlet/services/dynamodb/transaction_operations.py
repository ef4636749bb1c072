"""TransactWriteItems and TransactGetItems: all or nothing, at one moment."""

import hashlib
from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

import orjson

from cloudlet.core.context import Call
from cloudlet.core.errors import AwsError
from cloudlet.core.service import operation
from cloudlet.services.dynamodb import capacity
from cloudlet.services.dynamodb.base import DynamoDBBase
from cloudlet.services.dynamodb.batch_operations import metrics
from cloudlet.services.dynamodb.errors import validation
from cloudlet.services.dynamodb.item_operations import projection_of, shown_item
from cloudlet.services.dynamodb.items import READ_WITH_SIZE, Origin
from cloudlet.services.dynamodb.keys import key_given
from cloudlet.services.dynamodb.tables import Table, check_fresh
from cloudlet.services.dynamodb.writes import (
    Outcome,
    Put,
    Write,
    condition_check,
    conditional_delete,
    conditional_put,
    put_of,
    update_of,
)
from cloudlet.store import Reader, Transaction

if TYPE_CHECKING:
    from types_boto3_dynamodb import type_defs as t

_LARGEST = 4 << 20
_TOKEN_SECONDS = 600.0
_KINDS = {
    "ConditionCheck": condition_check,
    "Put": conditional_put,
    "Delete": conditional_delete,
    "Update": update_of,
}
_REASONS = {
    "ConditionalCheckFailedException": "ConditionalCheckFailed",
    "ValidationException": "ValidationError",
}


class TransactionOperations(DynamoDBBase):
    @operation("TransactWriteItems")
    async def transact_write_items(self, call: Call, params: "t.TransactWriteItemsInputTypeDef") -> dict[str, Any]:
        return await self.with_fresh_tables(partial(self._transact_write, call, params))

    @operation("TransactGetItems")
    async def transact_get_items(self, call: Call, params: "t.TransactGetItemsInputTypeDef") -> dict[str, Any]:
        gets = [each["Get"] for each in params["TransactItems"]]
        projections = [projection_of(get) for get in gets]
        tables = [self.table(call, get["TableName"]) for get in gets]
        keys = [key_given(table.keys, get["Key"])[0] for table, get in zip(tables, gets, strict=True)]
        if len({(table.id, key) for table, key in zip(tables, keys, strict=True)}) != len(gets):
            raise validation("Transaction request cannot include multiple operations on one item")

        def read(reader: Reader) -> list[Any]:
            return [reader.one(READ_WITH_SIZE, (table.id, *key)) for table, key in zip(tables, keys, strict=True)]

        rows = self.store.read(read)
        if sum(row[1] for row in rows if row is not None) > _LARGEST:
            raise validation("Transaction request size has exceeded the maximum of 4194304 bytes")
        for table, row in zip(tables, rows, strict=True):
            self.measures.read(table, 2 * capacity.read_units(row[1] if row is not None else 0, consistent=True))
        responses = [
            {} if row is None else {"Item": shown_item(call, row[0], projection)}
            for row, projection in zip(rows, projections, strict=True)
        ]
        output: dict[str, Any] = {"Responses": responses}
        wanted = capacity.wanted(params)
        if wanted is not None:
            consumed: dict[int, capacity.Consumed] = {}
            for table, row in zip(tables, rows, strict=True):
                used = consumed.setdefault(table.id, capacity.Consumed(table, wanted, factor=2))
                used.add_read(row[1] if row is not None else 0, consistent=True)
            output["ConsumedCapacity"] = capacity.of_tables(consumed.values(), detailed_kind="ReadCapacityUnits")
        return output

    async def _transact_write(self, call: Call, params: Mapping[str, Any]) -> dict[str, Any]:
        writes: list[Write] = []
        for each in params["TransactItems"]:
            writes.append(self._write(call, each, len(writes), len(params["TransactItems"])))
        if sum(write.new.size for write in writes if isinstance(write, Put) and write.new is not None) > _LARGEST:
            raise validation("Transaction request is too large: its aggregate size cannot exceed 4 MB")
        if len({(write.table.id, write.key) for write in writes}) != len(writes):
            raise validation("Transaction request cannot include multiple operations on one item")
        token = params.get("ClientRequestToken")
        digest = _digest(params)
        origin = Origin(call.time)

        def run(tx: Transaction) -> list[Outcome]:
            for table in {write.table.id: write.table for write in writes}.values():
                check_fresh(tx, table)
            if token is not None and _is_repeated(tx, call, token, digest):
                return []
            return self._perform_all(tx, writes, origin)

        outcomes = await self.store.write(run)
        if outcomes:
            self.measures.wrote(writes, outcomes, factor=2)
            return metrics(writes, outcomes, params, factor=2)
        wanted = capacity.wanted(params)
        if wanted is None:
            return {}
        # A transaction repeated under its token only reads what it wrote.
        repeated: dict[int, capacity.Consumed] = {}
        for write in writes:
            used = repeated.setdefault(write.table.id, capacity.Consumed(write.table, wanted, factor=2))
            used.add_read(0, consistent=True)
        return {"ConsumedCapacity": capacity.of_tables(repeated.values(), detailed_kind="ReadCapacityUnits")}

    def _perform_all(self, tx: Transaction, writes: list[Write], origin: Origin) -> list[Outcome]:
        """Goes on after a failure, to tell all that is wrong; what was written until then is rolled back."""
        outcomes: list[Outcome] = []
        reasons: list[dict[str, Any]] = []
        for write in writes:
            try:
                outcomes.append(write.perform(tx, self.items, origin))
                reasons.append({"Code": "None"})
            except AwsError as error:
                reasons.append({"Code": _REASONS[error.code], "Message": error.message, **error.fields})
        if len(outcomes) != len(writes):
            raise _cancelled(reasons)
        return outcomes

    def _write(self, call: Call, given: Mapping[str, Any], position: int, count: int) -> Write:
        """Raises ValidationException for a wrong request, TransactionCanceledException for a wrong item or key."""
        if len(given) != 1:
            raise validation("TransactItems can only contain one of Check, Put, Update or Delete")
        ((kind, params),) = given.items()
        table = self.table(call, params["TableName"])
        try:
            return _KINDS[kind](table, params)
        except AwsError:
            problem = _problem_of_item(table, kind, params)
            if problem is None:
                raise
        reasons: list[dict[str, Any]] = [{"Code": "None"} for _ in range(count)]
        reasons[position] = {"Code": "ValidationError", "Message": problem.message}
        raise _cancelled(reasons)


def _problem_of_item(table: Table, kind: str, params: Mapping[str, Any]) -> AwsError | None:
    """What is wrong with the item or key alone."""
    try:
        if kind == "Put":
            put_of(table, params["Item"])
        else:
            key_given(table.keys, params["Key"])
    except AwsError as error:
        return error if error.code == "ValidationException" else None
    return None


def _cancelled(reasons: list[dict[str, Any]]) -> AwsError:
    codes = ", ".join(reason["Code"] for reason in reasons)
    return AwsError(
        "TransactionCanceledException",
        f"Transaction cancelled, please refer cancellation reasons for specific reasons [{codes}]",
        fields={"CancellationReasons": reasons},
    )


def _digest(params: Mapping[str, Any]) -> bytes:
    asked = orjson.dumps(params["TransactItems"], option=orjson.OPT_SORT_KEYS)
    return hashlib.sha256(asked).digest()


def _is_repeated(tx: Transaction, call: Call, token: str, digest: bytes) -> bool:
    """Notes the token. Raises IdempotentParameterMismatchException if it stood for something else."""
    tx.execute("DELETE FROM request_token WHERE expires <= ?", (call.time,))
    identity = (call.account, call.region, token)
    row = tx.one("SELECT digest FROM request_token WHERE account = ? AND region = ? AND token = ?", identity)
    if row is None:
        tx.execute(
            "INSERT INTO request_token (account, region, token, digest, expires) VALUES (?, ?, ?, ?, ?)",
            (*identity, digest, call.time + _TOKEN_SECONDS),
        )
        return False
    if row[0] != digest:
        raise AwsError(
            "IdempotentParameterMismatchException",
            "Request rejected because it used a client request token that was previously used with different "
            "parameters",
        )
    return True
