"""The operations on tables."""

from typing import TYPE_CHECKING, Any

from cloudlet.core.context import Call
from cloudlet.core.errors import NotImplementedByCloudlet
from cloudlet.core.service import Cloud, operation
from cloudlet.services.dynamodb import definitions, streams, tables
from cloudlet.services.dynamodb.base import DynamoDBBase
from cloudlet.services.dynamodb.descriptions import table_description
from cloudlet.services.dynamodb.errors import named_table_not_found, table_exists, validation
from cloudlet.services.dynamodb.table_updates import TableUpdate
from cloudlet.services.dynamodb.tables import Table, name_in_arn
from cloudlet.store import Reader, Transaction

if TYPE_CHECKING:
    from types_boto3_dynamodb import type_defs as t

_LARGEST_PAGE = 100
_UNSUPPORTED_UPDATES = (
    "DisassociationProtectionEnabled",
    "GlobalTableSettingsReplicationMode",
    "GlobalTableWitnessUpdates",
    "MultiRegionConsistency",
    "ReplicaUpdates",
    "SSESpecification",
    "VectorIndexUpdates",
    "WarmThroughput",
)
# Counts are kept for the longer the more was counted: AWS renews its own every six hours.
_COUNTED_PER_SECOND = 10_000


class TableOperations(DynamoDBBase):
    def __init__(self, cloud: Cloud) -> None:
        super().__init__(cloud)
        # Until when the counts of a table are good enough, and the counts.
        self._counts: dict[int, tuple[float, tuple[int, int, dict[int, int]] | None]] = {}

    @operation("CreateTable")
    async def create_table(self, call: Call, params: "t.CreateTableInputTypeDef") -> dict[str, Any]:
        name = params["TableName"]
        if name.startswith("arn:"):
            name = name_in_arn(name) or name
        definitions.check_name(name)
        document = definitions.table_document(params, call.time)
        view_type = definitions.stream_view_type(params.get("StreamSpecification", {}))

        def create(tx: Transaction) -> Table:
            if tables.load_if_there(tx, call.account, call.region, name) is not None:
                raise table_exists(name)
            if view_type is not None:
                keys = document["KeySchema"]
                document["Stream"] = streams.create(tx, call.account, call.region, name, view_type, keys, call.time)
            return tables.insert(tx, self.catalogue, call.account, call.region, name, document)

        table = await self.store.write(create)
        description = table_description(table, status="CREATING")
        for index in description.get("GlobalSecondaryIndexes", ()):
            index["IndexStatus"] = "CREATING"
        return {"TableDescription": description}

    @operation("DescribeTable")
    async def describe_table(self, call: Call, params: "t.DescribeTableInputTypeDef") -> dict[str, Any]:
        return {"Table": await self._described(call, self.named_table(call, params["TableName"]))}

    @operation("ListTables")
    async def list_tables(self, call: Call, params: "t.ListTablesInputTypeDef") -> dict[str, Any]:
        names = [table.name for table in self.catalogue.of(call.account, call.region)]
        after = params.get("ExclusiveStartTableName")
        if after is not None:
            names = [name for name in names if name > after]
        limit = params.get("Limit", _LARGEST_PAGE)
        output: dict[str, Any] = {"TableNames": names[:limit]}
        if len(names) > limit:
            output["LastEvaluatedTableName"] = names[limit - 1]
        return output

    @operation("UpdateTable")
    async def update_table(self, call: Call, params: "t.UpdateTableInputTypeDef") -> dict[str, Any]:
        for name in _UNSUPPORTED_UPDATES:
            if name in params:
                raise NotImplementedByCloudlet(f"the parameter {name} of UpdateTable")
        name = self.named_table(call, params["TableName"]).name

        def update(tx: Transaction) -> Table:
            table = tables.load(tx, call.account, call.region, name)
            TableUpdate(tx, table, params, call.time).apply()
            return tables.change(tx, self.catalogue, table, table.document)

        table = await self.store.write(update)
        self.background.rebuild_wake.set()
        return {"TableDescription": table_description(table, status="UPDATING")}

    @operation("DeleteTable")
    async def delete_table(self, call: Call, params: "t.DeleteTableInputTypeDef") -> dict[str, Any]:
        name = self.named_table(call, params["TableName"]).name

        def delete(tx: Transaction) -> Table:
            table = tables.load(tx, call.account, call.region, name)
            if table.document["DeletionProtectionEnabled"]:
                raise validation(
                    "Resource cannot be deleted as it is currently protected against deletion. "
                    "Disable deletion protection first."
                )
            tables.delete(tx, self.catalogue, table)
            if table.stream is not None:
                streams.disable(tx, table.stream.id, call.time)
            return table

        table = await self.store.write(delete)
        self.background.rebuild_wake.set()
        return {"TableDescription": _without_parts(table_description(table, status="DELETING"))}

    def named_table(self, call: Call, given: str) -> Table:
        """As `table`, in the words of the operations on tables."""
        name = name_in_arn(given) or given if given.startswith("arn:") else given
        definitions.check_name(name)
        table = self.catalogue.find(call.account, call.region, name)
        if table is None:
            raise named_table_not_found(name)
        return table

    async def _described(self, call: Call, table: Table) -> dict[str, Any]:
        until, counted = self._counts.get(table.id, (0.0, None))
        if counted is None or until <= call.time:
            counted = await self.store.query(lambda reader: _count(reader, table))
            self._counts[table.id] = (call.time + counted[0] / _COUNTED_PER_SECOND, counted)
        count, size, by_index = counted
        return table_description(table, count=count, size=size, index_counts=by_index)


def _count(reader: Reader, table: Table) -> tuple[int, int, dict[int, int]]:
    row = reader.one("SELECT count(*), coalesce(sum(size), 0) FROM item WHERE table_id = ?", (table.id,))
    assert row is not None
    entries = {
        index.id: (reader.one("SELECT count(*) FROM index_entry WHERE index_id = ?", (index.id,)) or (0,))[0]
        for index in table.indexes
    }
    return row[0], row[1], entries


def _without_parts(description: dict[str, Any]) -> dict[str, Any]:
    """A table that is going is described without its keys and indexes."""
    gone = ("AttributeDefinitions", "KeySchema", "CreationDateTime", "GlobalSecondaryIndexes", "LocalSecondaryIndexes")
    return {name: value for name, value in description.items() if name not in gone}
