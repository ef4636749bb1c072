"""The operations on single items."""

from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

import orjson

from cloudlet.core.context import Call
from cloudlet.core.service import operation
from cloudlet.services.dynamodb import capacity, legacy
from cloudlet.services.dynamodb.base import DynamoDBBase
from cloudlet.services.dynamodb.errors import StaleTable, validation
from cloudlet.services.dynamodb.expressions.placeholders import Placeholders
from cloudlet.services.dynamodb.expressions.projections import Projection
from cloudlet.services.dynamodb.items import READ_WITH_SIZE, WRITE_IF_FRESH, Origin
from cloudlet.services.dynamodb.keys import key_given
from cloudlet.services.dynamodb.tables import check_fresh
from cloudlet.services.dynamodb.values import Item
from cloudlet.services.dynamodb.writes import (
    Outcome,
    Put,
    Write,
    conditional_delete,
    conditional_put,
    put_of,
    update_of,
)
from cloudlet.store import Transaction

if TYPE_CHECKING:
    from types_boto3_dynamodb import type_defs as t

_RETURNS = {"NONE", "ALL_OLD"}
_ASKS_FOR_MORE = (
    "ConditionExpression",
    "Expected",
    "ExpressionAttributeNames",
    "ExpressionAttributeValues",
    "ReturnValues",
    "ReturnConsumedCapacity",
    "ReturnItemCollectionMetrics",
    "ConditionalOperator",
)


class ItemOperations(DynamoDBBase):
    @operation("PutItem")
    async def put_item(self, call: Call, params: "t.PutItemInputTypeDef") -> dict[str, Any]:
        if any(name in params for name in _ASKS_FOR_MORE):
            return await self.with_fresh_tables(partial(self._put, call, params))
        return await self.with_fresh_tables(partial(self._put_blindly, call, params))

    @operation("UpdateItem")
    async def update_item(self, call: Call, params: "t.UpdateItemInputTypeDef") -> dict[str, Any]:
        return await self.with_fresh_tables(partial(self._update, call, params))

    @operation("DeleteItem")
    async def delete_item(self, call: Call, params: "t.DeleteItemInputTypeDef") -> dict[str, Any]:
        return await self.with_fresh_tables(partial(self._delete, call, params))

    @operation("GetItem")
    async def get_item(self, call: Call, params: "t.GetItemInputTypeDef") -> dict[str, Any]:
        projection = projection_of(params)
        table = self.table(call, params["TableName"])
        key, _ = key_given(table.keys, params["Key"])
        row = self.store.reader.one(READ_WITH_SIZE, (table.id, *key))
        consistent = params.get("ConsistentRead", False)
        self.measures.read(table, capacity.read_units(row[1] if row is not None else 0, consistent=consistent))
        output: dict[str, Any] = {}
        if row is not None:
            output["Item"] = shown_item(call, row[0], projection)
        wanted = capacity.wanted(params)
        if wanted is not None:
            consumed = capacity.Consumed(table, wanted)
            consumed.add_read(row[1] if row is not None else 0, consistent=consistent)
            output["ConsumedCapacity"] = consumed.shown()
        return output

    async def _put_blindly(self, call: Call, params: Mapping[str, Any]) -> dict[str, Any]:
        """Of all that does not depend on the item that is replaced: one statement, if nothing follows from it."""
        table = self.table(call, params["TableName"])
        put = put_of(table, params["Item"])
        if not table.is_plain:
            await self._perform(call, put)
            return {}
        assert put.new is not None
        bindings = (*put.key, put.new.raw, put.new.size, table.id, table.version)

        def write(tx: Transaction) -> None:
            if not tx.execute(WRITE_IF_FRESH, bindings):
                raise StaleTable

        await self.store.write(write)
        self.measures.wrote_blindly(table, put.new.size)
        return {}

    async def _put(self, call: Call, params: Mapping[str, Any]) -> dict[str, Any]:
        legacy.check_not_mixed(params)
        wanted = _return_values(params, _RETURNS)
        put: Put = conditional_put(self.table(call, params["TableName"]), params)
        outcome = await self._perform(call, put)
        output = _old_attributes(outcome) if wanted == "ALL_OLD" else {}
        return {**output, **_metrics(put, outcome, params)}

    async def _delete(self, call: Call, params: Mapping[str, Any]) -> dict[str, Any]:
        legacy.check_not_mixed(params)
        wanted = _return_values(params, _RETURNS)
        delete = conditional_delete(self.table(call, params["TableName"]), params)
        outcome = await self._perform(call, delete)
        output = _old_attributes(outcome) if wanted == "ALL_OLD" else {}
        return {**output, **_metrics(delete, outcome, params)}

    async def _update(self, call: Call, params: Mapping[str, Any]) -> dict[str, Any]:
        legacy.check_not_mixed(params)
        update = update_of(self.table(call, params["TableName"]), params)
        outcome = await self._perform(call, update)
        wanted = params.get("ReturnValues", "NONE")
        returned = outcome.old if wanted.endswith("OLD") else outcome.new
        attributes: Item = returned.item if returned is not None and wanted != "NONE" else {}
        if wanted.startswith("UPDATED"):
            projection = update.update.projection if update.update is not None else None
            attributes = projection.apply(attributes) if projection is not None else {}
        output: dict[str, Any] = {"Attributes": attributes} if attributes else {}
        return {**output, **_metrics(update, outcome, params)}

    async def _perform(self, call: Call, write: Write) -> Outcome:
        origin = Origin(call.time)

        def run(tx: Transaction) -> Outcome:
            check_fresh(tx, write.table)
            return write.perform(tx, self.items, origin)

        outcome = await self.store.write(run)
        self.measures.wrote([write], [outcome])
        return outcome


def projection_of(params: Mapping[str, Any]) -> Projection | None:
    """Of GetItem's parameters, or of one table in a batch."""
    if "ProjectionExpression" not in params and "AttributesToGet" not in params:
        if "ExpressionAttributeNames" in params:
            Placeholders.of(params, "ProjectionExpression")
        return None
    legacy.check_not_mixed(params)
    if "AttributesToGet" in params:
        return legacy.attributes_to_get(params["AttributesToGet"])
    placeholders = Placeholders.of(params, "ProjectionExpression")
    projection = Projection.of(params["ProjectionExpression"], placeholders)
    placeholders.check_all_used()
    return projection


def shown_item(call: Call, raw: bytes, projection: Projection | None) -> Any:
    """An item for the answer: over HTTP the stored text itself where it is wanted whole."""
    if projection is not None:
        return projection.apply(orjson.loads(raw))
    return orjson.Fragment(raw) if call.http is not None else orjson.loads(raw)


def _return_values(params: Mapping[str, Any], allowed: set[str]) -> str:
    wanted = params.get("ReturnValues", "NONE")
    if wanted not in allowed:
        raise validation("ReturnValues can only be ALL_OLD or NONE")
    return wanted


def _old_attributes(outcome: Outcome) -> dict[str, Any]:
    return {"Attributes": outcome.old.item} if outcome.old is not None else {}


def _metrics(write: Write, outcome: Outcome, params: Mapping[str, Any]) -> dict[str, Any]:
    output: dict[str, Any] = {}
    wanted = capacity.wanted(params)
    if wanted is not None:
        consumed = capacity.Consumed(write.table, wanted)
        consumed.add_outcome(outcome)
        output["ConsumedCapacity"] = consumed.shown()
    if params.get("ReturnItemCollectionMetrics") == "SIZE" and write.table.has_local_indexes:
        output["ItemCollectionMetrics"] = collection_metrics(write)
    return output


def collection_metrics(write: Write) -> dict[str, Any]:
    """AWS estimates a collection's size to the gigabyte."""
    name = write.table.keys.hash[0]
    return {"ItemCollectionKey": {name: write.key_item[name]}, "SizeEstimateRangeGB": [0.0, 1.0]}
