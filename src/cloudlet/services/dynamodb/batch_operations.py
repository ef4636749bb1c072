"""BatchGetItem and BatchWriteItem. All that is asked for is done: nothing comes back unprocessed but beyond 16 MiB."""

from collections import defaultdict
from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from cloudlet.core.context import Call
from cloudlet.core.service import operation
from cloudlet.services.dynamodb import capacity
from cloudlet.services.dynamodb.base import DynamoDBBase
from cloudlet.services.dynamodb.errors import validation
from cloudlet.services.dynamodb.expressions.projections import Projection
from cloudlet.services.dynamodb.item_operations import collection_metrics, projection_of, shown_item
from cloudlet.services.dynamodb.items import READ_WITH_SIZE, Origin
from cloudlet.services.dynamodb.keys import Key, key_given
from cloudlet.services.dynamodb.tables import Table, check_fresh
from cloudlet.services.dynamodb.writes import Outcome, Write, delete_of, put_of
from cloudlet.store import Reader, Transaction

if TYPE_CHECKING:
    from types_boto3_dynamodb import type_defs as t

_MOST_WRITES = 25
_MOST_GETS = 100
_LARGEST_ANSWER = 16 << 20

# Of one table: its description, the keys asked for (as given, and encoded), the projection, consistency.
_Asked = tuple[Table, list[tuple[Mapping[str, Any], Key]], Projection | None, bool]


class BatchOperations(DynamoDBBase):
    @operation("BatchWriteItem")
    async def batch_write_item(self, call: Call, params: "t.BatchWriteItemInputTypeDef") -> dict[str, Any]:
        return await self.with_fresh_tables(partial(self._batch_write, call, params))

    @operation("BatchGetItem")
    async def batch_get_item(self, call: Call, params: "t.BatchGetItemInputTypeDef") -> dict[str, Any]:
        requests = params["RequestItems"]
        count = sum(len(each["Keys"]) for each in requests.values())
        if count > _MOST_GETS:
            raise validation("Too many items requested for the BatchGetItem call")
        asked = {name: self._asked(call, name, each) for name, each in requests.items()}
        wanted = capacity.wanted(params)
        output, consumed = self.store.read(lambda reader: _get(reader, call, asked, requests, wanted))
        for used in consumed:
            self.measures.read(used.table, used.units)
        return output

    async def _batch_write(self, call: Call, params: Mapping[str, Any]) -> dict[str, Any]:
        writes = self._writes(call, params["RequestItems"])
        origin = Origin(call.time)

        def run(tx: Transaction) -> list[Outcome]:
            for table in {write.table.id: write.table for write in writes}.values():
                check_fresh(tx, table)
            return [write.perform(tx, self.items, origin) for write in writes]

        outcomes = await self.store.write(run)
        self.measures.wrote(writes, outcomes)
        return {"UnprocessedItems": {}, **metrics(writes, outcomes, params)}

    def _writes(self, call: Call, requests: Mapping[str, Any]) -> list[Write]:
        if not requests:
            raise validation("The batch write request list cannot be empty")
        if sum(len(each) for each in requests.values()) > _MOST_WRITES:
            raise validation("Too many items requested for the BatchWriteItem call")
        writes: list[Write] = []
        for name, each_table in requests.items():
            table = self.table(call, name)
            writes += [_write(table, request) for request in each_table]
        if len({(write.table.id, write.key) for write in writes}) != len(writes):
            raise validation("Provided list of item keys contains duplicates")
        return writes

    def _asked(self, call: Call, name: str, given: Mapping[str, Any]) -> _Asked:
        projection = projection_of(given)
        table = self.table(call, name)
        keys = [(each, key_given(table.keys, each)[0]) for each in given["Keys"]]
        if len({key for _, key in keys}) != len(keys):
            raise validation("Provided list of item keys contains duplicates")
        return table, keys, projection, given.get("ConsistentRead", False)


def _write(table: Table, request: Mapping[str, Any]) -> Write:
    if len(request) != 1:
        raise validation(
            "Supplied WriteRequest has more than one request set, must contain exactly one of Put and Delete"
            if request
            else "Supplied WriteRequest is empty, must contain exactly one of Put and Delete"
        )
    if "PutRequest" in request:
        return put_of(table, request["PutRequest"]["Item"])
    return delete_of(table, request["DeleteRequest"]["Key"])


def _get(
    reader: Reader, call: Call, asked: Mapping[str, _Asked], requests: Mapping[str, Any], wanted: str | None
) -> tuple[dict[str, Any], list[capacity.Consumed]]:
    """The answer, and what it consumed of each table."""
    responses: dict[str, list[Any]] = {name: [] for name in asked}
    unprocessed: dict[str, Any] = {}
    consumed: list[capacity.Consumed] = []
    total = 0
    for name, (table, keys, projection, consistent) in asked.items():
        used = capacity.Consumed(table, wanted or "NONE")
        consumed.append(used)
        for given, key in keys:
            row = reader.one(READ_WITH_SIZE, (table.id, *key))
            if row is not None and total + row[1] > _LARGEST_ANSWER:
                left = unprocessed.setdefault(name, {**requests[name], "Keys": []})
                left["Keys"].append(given)
                continue
            used.add_read(row[1] if row is not None else 0, consistent=consistent)
            if row is not None:
                total += row[1]
                responses[name].append(shown_item(call, row[0], projection))
    output: dict[str, Any] = {"Responses": responses, "UnprocessedKeys": unprocessed}
    if wanted is not None:
        output["ConsumedCapacity"] = capacity.of_tables(consumed)
    return output, consumed


def metrics(
    writes: list[Write], outcomes: list[Outcome], params: Mapping[str, Any], *, factor: int = 1
) -> dict[str, Any]:
    """ConsumedCapacity by table and ItemCollectionMetrics, where they are wanted."""
    output: dict[str, Any] = {}
    wanted = capacity.wanted(params)
    if wanted is not None:
        consumed: dict[int, capacity.Consumed] = {}
        for write, outcome in zip(writes, outcomes, strict=True):
            table = write.table
            consumed.setdefault(table.id, capacity.Consumed(table, wanted, factor)).add_outcome(outcome)
        kind = "WriteCapacityUnits" if factor > 1 else None
        output["ConsumedCapacity"] = capacity.of_tables(consumed.values(), detailed_kind=kind)
    if params.get("ReturnItemCollectionMetrics") == "SIZE":
        collections: defaultdict[str, list[Any]] = defaultdict(list)
        for write in writes:
            found = collection_metrics(write)
            if write.table.has_local_indexes and found not in collections[write.table.name]:
                collections[write.table.name].append(found)
        output["ItemCollectionMetrics"] = dict(collections)
    return output
