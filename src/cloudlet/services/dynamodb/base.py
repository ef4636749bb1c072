"""What all DynamoDB operations stand on: the data, the catalogue, the table that a call is about."""

from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

from cloudlet.core.context import Call
from cloudlet.core.service import Cloud, Operation, Service
from cloudlet.services.dynamodb.background import Background
from cloudlet.services.dynamodb.definitions import check_name
from cloudlet.services.dynamodb.errors import StaleTable, table_not_found
from cloudlet.services.dynamodb.items import Items
from cloudlet.services.dynamodb.measures import MEASURED, Measures
from cloudlet.services.dynamodb.permissions import counted
from cloudlet.services.dynamodb.tables import Catalogue, Table, name_in_arn, table_arn
from cloudlet.store import Store

T = TypeVar("T")


class DynamoDBBase(Service):
    apis = ("dynamodb", "dynamodbstreams")
    store: Store
    catalogue: Catalogue
    items: Items
    background: Background

    def __init__(self, cloud: Cloud) -> None:
        super().__init__(cloud)
        self.measures = Measures(cloud.metrics, cloud.clock)

    def operations(self) -> list[Operation]:
        return [
            replace(found, handler=self.measures.measured(found.name, found.handler))
            if found.name in MEASURED
            else found
            for found in super().operations()
        ]

    async def start(self) -> None:
        self.store = Store(self.cloud.settings.data / "dynamodb.db", Path(__file__).with_name("schema.sql"))
        self.catalogue = Catalogue(self.store.reader, self.cloud.signals.notify)
        self.items = Items(self.cloud.signals.notify, self._expiring)
        self.background = Background(self.store, self.catalogue, self.items, self.cloud.clock)
        self.background.start()

    async def stop(self) -> None:
        await self.background.stop()
        self.store.close()

    def resource(self, call: Call, params: Mapping[str, Any]) -> str | None:
        given = params.get("TableName") or params.get("ResourceArn") or params.get("StreamArn")
        if given is None:
            if "ShardIterator" in params:
                return params["ShardIterator"].partition("|")[0]
            every = table_arn(call.account, call.region, "*")
            return {"ListTables": every, "ListStreams": f"{every}/stream/*"}.get(call.operation, "*")
        arn = given if given.startswith("arn:") else table_arn(call.account, call.region, given)
        return f"{arn}/index/{params['IndexName']}" if "IndexName" in params else arn

    def counts_as(self, call: Call, params: dict[str, Any]) -> Iterable[tuple[str, dict[str, Any]]]:
        if "RequestItems" in params or "TransactItems" in params:
            return counted(call.operation, params)
        return super().counts_as(call, params)

    def table(self, call: Call, given: str) -> Table:
        """The table of a name or ARN. Raises ResourceNotFoundException."""
        table = self.catalogue.find(call.account, call.region, given)
        if table is None and given.startswith("arn:"):
            table = self.catalogue.find(call.account, call.region, name_in_arn(given) or "")
            if table is not None and table.arn != given:
                table = None
        if table is None:
            check_name(name_in_arn(given) or given)
            raise table_not_found()
        return table

    async def with_fresh_tables(self, attempt: Callable[[], Awaitable[T]]) -> T:
        """Makes an attempt that looks up tables and writes to them; once more if one has changed in between."""
        while True:
            try:
                return await attempt()
            except StaleTable:
                continue

    def _expiring(self) -> None:
        self.background.expiry_wake.set()
