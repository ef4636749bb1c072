"""The operations on what tables have beside items: time to live, tags, limits, backups."""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from cloudlet.core.arn import Arn
from cloudlet.core.context import Call
from cloudlet.core.errors import AwsError
from cloudlet.core.service import operation
from cloudlet.services.dynamodb import definitions, tables
from cloudlet.services.dynamodb.base import DynamoDBBase
from cloudlet.services.dynamodb.errors import (
    arn_not_found,
    invalid_values,
    table_not_found,
    validation,
)
from cloudlet.services.dynamodb.tables import Document, Table, name_in_arn
from cloudlet.store import Transaction

if TYPE_CHECKING:
    from types_boto3_dynamodb import type_defs as t


class SettingOperations(DynamoDBBase):
    @operation("UpdateTimeToLive")
    async def update_time_to_live(self, call: Call, params: "t.UpdateTimeToLiveInputTypeDef") -> dict[str, Any]:
        specification = params["TimeToLiveSpecification"]
        name = self.table(call, params["TableName"]).name

        def update(tx: Transaction) -> None:
            table = tables.load(tx, call.account, call.region, name)
            change = _enable if specification["Enabled"] else _disable
            change(tx, table, specification["AttributeName"])
            tables.change(tx, self.catalogue, table, table.document)

        await self.store.write(update)
        self.background.rebuild_wake.set()
        return {"TimeToLiveSpecification": specification}

    @operation("DescribeTimeToLive")
    async def describe_time_to_live(self, call: Call, params: "t.DescribeTimeToLiveInputTypeDef") -> dict[str, Any]:
        expiry = self.table(call, params["TableName"]).expiry
        if expiry is None:
            return {"TimeToLiveDescription": {"TimeToLiveStatus": "DISABLED"}}
        described = {"TimeToLiveStatus": "ENABLED", "AttributeName": expiry.attribute}
        return {"TimeToLiveDescription": described}

    @operation("TagResource")
    async def tag_resource(self, call: Call, params: "t.TagResourceInputTypeDef") -> None:
        added: Sequence[Mapping[str, Any]] = params["Tags"]
        if not added:
            raise invalid_values("The number of tags must be at least 1")
        await self._change_tags(call, params["ResourceArn"], lambda tags: definitions.checked_tags(tags, added))

    @operation("UntagResource")
    async def untag_resource(self, call: Call, params: "t.UntagResourceInputTypeDef") -> None:
        gone = set(params["TagKeys"])
        if not gone:
            raise invalid_values("The number of tag keys must be at least 1")
        await self._change_tags(
            call, params["ResourceArn"], lambda tags: {key: tags[key] for key in tags if key not in gone}
        )

    @operation("ListTagsOfResource")
    async def list_tags_of_resource(self, call: Call, params: "t.ListTagsOfResourceInputTypeDef") -> dict[str, Any]:
        """A table has at most 50 tags: one page."""
        tags = self._tagged(call, params["ResourceArn"]).document["Tags"]
        return {"Tags": [{"Key": key, "Value": tags[key]} for key in sorted(tags)]}

    @operation("DescribeLimits")
    async def describe_limits(self, call: Call, params: dict[str, Any]) -> dict[str, Any]:
        return {
            "AccountMaxReadCapacityUnits": 80_000,
            "AccountMaxWriteCapacityUnits": 80_000,
            "TableMaxReadCapacityUnits": 40_000,
            "TableMaxWriteCapacityUnits": 40_000,
        }

    @operation("DescribeEndpoints")
    async def describe_endpoints(self, call: Call, params: dict[str, Any]) -> dict[str, Any]:
        host = call.http.headers.get("host") if call.http is not None else None
        address = host or self.cloud.settings.endpoint_url.partition("//")[2]
        return {"Endpoints": [{"Address": address, "CachePeriodInMinutes": 1440}]}

    @operation("DescribeContinuousBackups")
    async def describe_continuous_backups(
        self, call: Call, params: "t.DescribeContinuousBackupsInputTypeDef"
    ) -> dict[str, Any]:
        """There are none: what AWS says of a table by itself would be untrue here."""
        name = params["TableName"]
        if self.catalogue.find(call.account, call.region, name_in_arn(name) or name) is None:
            raise AwsError("TableNotFoundException", f"Table not found: {name}")
        return {
            "ContinuousBackupsDescription": {
                "ContinuousBackupsStatus": "DISABLED",
                "PointInTimeRecoveryDescription": {"PointInTimeRecoveryStatus": "DISABLED"},
            }
        }

    def _tagged(self, call: Call, text: str) -> Table:
        if not text.startswith("arn:"):
            raise validation(f"Invalid resourceArn: ARNs must start with 'arn:': {text}")
        name = name_in_arn(text)
        if name is None:
            raise validation(f"Invalid TableArn: Invalid ResourceArn provided as input {text}")
        arn = Arn.parse(text)
        if arn.resource != f"table/{name}":
            raise invalid_values(
                f"Invalid resource arn provided, only table or stream is accepted. Provided resource arn: {text}"
            )
        table = self.catalogue.find(arn.account, arn.region, name)
        if table is None or arn.account != call.account or arn.region != call.region:
            raise arn_not_found(text)
        return table

    async def _change_tags(self, call: Call, arn: str, changed: Callable[[Document], Document]) -> None:
        name = self._tagged(call, arn).name

        def change(tx: Transaction) -> None:
            table = tables.load_if_there(tx, call.account, call.region, name)
            if table is None:
                raise table_not_found()
            table.document["Tags"] = changed(table.document["Tags"])
            tables.change(tx, self.catalogue, table, table.document)

        await self.store.write(change)


def _enable(tx: Transaction, table: Table, attribute: str) -> None:
    if not attribute:
        raise validation(
            "1 validation error detected: Value '' at 'timeToLiveSpecification.attributeName' failed to satisfy "
            "constraint: Member must have length greater than or equal to 1"
        )
    if table.expiry is not None:
        if table.expiry.attribute == attribute:
            raise validation("TimeToLive is already enabled")
        raise validation(
            f"TimeToLive is active on a different AttributeName: current AttributeName is {table.expiry.attribute}"
        )
    index = tables.insert_index(tx, table.id, attribute, backfilling=True)
    table.document["TimeToLive"] = {"Id": index, "AttributeName": attribute}


def _disable(tx: Transaction, table: Table, attribute: str) -> None:
    if table.expiry is None:
        raise validation("TimeToLive is already disabled")
    if table.expiry.attribute != attribute:
        raise validation(
            f"TimeToLive is active on a different AttributeName: current AttributeName is {table.expiry.attribute}"
        )
    tables.drop_index(tx, table.expiry.id)
    del table.document["TimeToLive"]
