"""Tables."""

from collections.abc import Iterator
from typing import Any

from cloudlet.core.errors import AwsError, NotImplementedByCloudlet
from cloudlet.services.cloudformation.resources.resource_type import (
    Attributes,
    Context,
    Properties,
    ResourceType,
    changed,
    present,
    removed_tags,
)

_AS_THEY_ARE = (
    "AttributeDefinitions",
    "BillingMode",
    "DeletionProtectionEnabled",
    "KeySchema",
    "LocalSecondaryIndexes",
    "OnDemandThroughput",
    "ProvisionedThroughput",
    "TableClass",
    "Tags",
)
_INDEX_MEMBERS = ("IndexName", "KeySchema", "OnDemandThroughput", "Projection", "ProvisionedThroughput")


class Table(ResourceType):
    type = "AWS::DynamoDB::Table"
    properties = frozenset(
        (
            *_AS_THEY_ARE,
            "GlobalSecondaryIndexes",
            "PointInTimeRecoverySpecification",
            "SSESpecification",
            "StreamSpecification",
            "TableName",
            "TimeToLiveSpecification",
        )
    )
    required = frozenset(("KeySchema",))
    immutable = frozenset(("KeySchema", "LocalSecondaryIndexes", "TableName"))
    name_property = "TableName"
    tags = "list"

    async def find(self, context: Context, name: str, properties: Properties) -> str | None:
        found = await context.call_if_there("dynamodb", "DescribeTable", {"TableName": name})
        return name if found is not None else None

    async def create(self, context: Context, name: str, properties: Properties) -> str:
        params = present(properties, *_AS_THEY_ARE) | {"TableName": name}
        if "GlobalSecondaryIndexes" in properties:
            params["GlobalSecondaryIndexes"] = [_index(each) for each in properties["GlobalSecondaryIndexes"]]
        if "StreamSpecification" in properties:
            params["StreamSpecification"] = _stream(properties)
        if "SSESpecification" in properties:
            params["SSESpecification"] = _encryption(properties["SSESpecification"])
        await context.call("dynamodb", "CreateTable", params)
        await self.adopt(context, name, properties)
        return name

    async def adopt(self, context: Context, physical_id: str, properties: Properties) -> None:
        await _stable(context, physical_id)
        await self._configure(context, physical_id, {}, properties)

    async def attributes(self, context: Context, physical_id: str, properties: Properties) -> Attributes:
        table = (await context.call("dynamodb", "DescribeTable", {"TableName": physical_id}))["Table"]
        found = {"Arn": table["TableArn"]}
        if table.get("LatestStreamArn") and table.get("StreamSpecification", {}).get("StreamEnabled"):
            found["StreamArn"] = table["LatestStreamArn"]
        return found

    async def update(self, context: Context, physical_id: str, before: Properties, after: Properties) -> None:
        """One UpdateTable for each thing that DynamoDB changes one at a time."""
        for params in _updates(before, after):
            await context.call("dynamodb", "UpdateTable", {"TableName": physical_id, **params})
            await _stable(context, physical_id)
        await self._configure(context, physical_id, before, after)
        arn = _arn(context, physical_id)
        if gone := removed_tags(before, after):
            await context.call("dynamodb", "UntagResource", {"ResourceArn": arn, "TagKeys": gone})
        if changed(before, after, "Tags") and after.get("Tags"):
            await context.call("dynamodb", "TagResource", {"ResourceArn": arn, "Tags": after["Tags"]})

    async def delete(self, context: Context, physical_id: str, properties: Properties) -> None:
        await context.call("dynamodb", "DeleteTable", {"TableName": physical_id})

    async def _configure(self, context: Context, name: str, before: Properties, after: Properties) -> None:
        if changed(before, after, "TimeToLiveSpecification"):
            old, new = before.get("TimeToLiveSpecification"), after.get("TimeToLiveSpecification")
            wanted = new or {**(old or {}), "Enabled": False}
            params = {"TableName": name, "TimeToLiveSpecification": wanted}
            if new is not None or str((old or {}).get("Enabled", "")).lower() == "true":
                await context.call("dynamodb", "UpdateTimeToLive", params)
        if changed(before, after, "PointInTimeRecoverySpecification"):
            wanted = after.get("PointInTimeRecoverySpecification", {"PointInTimeRecoveryEnabled": False})
            params = {"TableName": name, "PointInTimeRecoverySpecification": wanted}
            await context.call("dynamodb", "UpdateContinuousBackups", params)


def _updates(before: Properties, after: Properties) -> Iterator[Properties]:
    for name in ("BillingMode", "DeletionProtectionEnabled", "TableClass"):
        if changed(before, after, name):
            billing = {"ProvisionedThroughput": after["ProvisionedThroughput"]} if _is_provisioned(after) else {}
            default = {"BillingMode": "PROVISIONED", "DeletionProtectionEnabled": False, "TableClass": "STANDARD"}
            yield {name: after.get(name, default[name]), **(billing if name == "BillingMode" else {})}
    if changed(before, after, "ProvisionedThroughput") and _is_provisioned(after) and _is_provisioned(before):
        yield {"ProvisionedThroughput": after["ProvisionedThroughput"]}
    if changed(before, after, "StreamSpecification"):
        if "StreamSpecification" in before:
            yield {"StreamSpecification": {"StreamEnabled": False}}
        if "StreamSpecification" in after:
            yield {"StreamSpecification": _stream(after)}
    if changed(before, after, "SSESpecification"):
        yield {"SSESpecification": _encryption(after.get("SSESpecification", {"SSEEnabled": False}))}
    yield from _index_updates(before, after)


def _index_updates(before: Properties, after: Properties) -> Iterator[Properties]:
    old = {each["IndexName"]: _index(each) for each in before.get("GlobalSecondaryIndexes", [])}
    new = {each["IndexName"]: _index(each) for each in after.get("GlobalSecondaryIndexes", [])}
    for name in old:
        if name not in new:
            yield _index_update("Delete", {"IndexName": name})
    for name, index in new.items():
        if name not in old:
            definitions = {"AttributeDefinitions": after.get("AttributeDefinitions", [])}
            yield definitions | _index_update("Create", index)
        elif old[name] != index:
            if changed(old[name], index, "KeySchema", "Projection"):
                raise NotImplementedByCloudlet(
                    f"changing the keys or projection of the index {name}; give it a new name"
                )
            yield _index_update("Update", {key: index[key] for key in index if key not in ("KeySchema", "Projection")})


def _index_update(action: str, index: Properties) -> Properties:
    return {"GlobalSecondaryIndexUpdates": [{action: index}]}


def _index(declared: Properties) -> Properties:
    for name in declared:
        if name not in _INDEX_MEMBERS:
            raise AwsError("ValidationError", f"Encountered unsupported property {name}")
    return declared


def _is_provisioned(properties: Properties) -> bool:
    return properties.get("BillingMode", "PROVISIONED") == "PROVISIONED" and "ProvisionedThroughput" in properties


def _stream(properties: Properties) -> Properties:
    return {"StreamEnabled": True, "StreamViewType": properties["StreamSpecification"].get("StreamViewType")}


def _encryption(declared: Properties) -> Properties:
    wanted: dict[str, Any] = {"Enabled": declared.get("SSEEnabled")}
    return wanted | present(declared, "KMSMasterKeyId", "SSEType")


async def _stable(context: Context, name: str) -> None:
    """Waits until the table and its indexes are ACTIVE."""
    with context.cloud.signals.listen(f"dynamodb-table:{_arn(context, name)}") as listener:
        while True:
            table = (await context.call("dynamodb", "DescribeTable", {"TableName": name}))["Table"]
            states = [each.get("IndexStatus", "ACTIVE") for each in table.get("GlobalSecondaryIndexes", [])]
            if all(state == "ACTIVE" for state in (table["TableStatus"], *states)):
                return
            await listener.wait()


def _arn(context: Context, name: str) -> str:
    return f"arn:aws:dynamodb:{context.region}:{context.account}:table/{name}"


TYPES = (Table,)
