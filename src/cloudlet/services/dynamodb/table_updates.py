"""What UpdateTable changes in a table's document."""

from collections.abc import Mapping
from typing import Any

from cloudlet.core.errors import AwsError
from cloudlet.services.dynamodb import definitions, streams, tables
from cloudlet.services.dynamodb.errors import invalid_values, validation
from cloudlet.services.dynamodb.tables import Document, Table
from cloudlet.store import Transaction

_CHANGES = (
    "BillingMode",
    "DeletionProtectionEnabled",
    "GlobalSecondaryIndexUpdates",
    "OnDemandThroughput",
    "ProvisionedThroughput",
    "StreamSpecification",
    "TableClass",
)
_MOST_GLOBAL = 20


class TableUpdate:
    """One UpdateTable inside its transaction; changes the table's document in place."""

    def __init__(self, tx: Transaction, table: Table, params: Mapping[str, Any], now: float) -> None:
        self._tx = tx
        self._table = table
        self._document: Document = table.document
        self._params = params
        self._now = now

    def apply(self) -> None:
        params, document = self._params, self._document
        if not any(name in params and params[name] != [] for name in _CHANGES):
            raise validation(
                "At least one of ProvisionedThroughput, BillingMode, UpdateStreamEnabled, "
                "GlobalSecondaryIndexUpdates or SSESpecification or ReplicaUpdates is required"
            )
        if "AttributeDefinitions" in params:
            document["AttributeDefinitions"] = definitions.merged_definitions(
                self._table, params["AttributeDefinitions"]
            )
        self._billing()
        if "DeletionProtectionEnabled" in params:
            document["DeletionProtectionEnabled"] = params["DeletionProtectionEnabled"]
        if "TableClass" in params:
            document["TableClass"] = params["TableClass"]
        if "StreamSpecification" in params:
            self._stream(params["StreamSpecification"])
        if "GlobalSecondaryIndexUpdates" in params:
            self._indexes(params["GlobalSecondaryIndexUpdates"])
        _forget_unused_definitions(document)

    def _billing(self) -> None:
        params, document = self._params, self._document
        if "BillingMode" not in params and "ProvisionedThroughput" not in params:
            if "OnDemandThroughput" in params:
                document["OnDemandThroughput"] = dict(params["OnDemandThroughput"])
            return
        mode = params.get("BillingMode", document["BillingMode"])
        if mode == "PROVISIONED" and document["BillingMode"] == mode:
            same = params.get("ProvisionedThroughput") == document["ProvisionedThroughput"]
            if same and "GlobalSecondaryIndexUpdates" not in params:
                units = document["ProvisionedThroughput"]
                raise validation(
                    "The provisioned throughput for the table will not change. The requested value equals the "
                    f"current value. Current ReadCapacityUnits provisioned for the table: "
                    f"{units['ReadCapacityUnits']}. Requested ReadCapacityUnits: {units['ReadCapacityUnits']}. "
                    f"Current WriteCapacityUnits provisioned for the table: {units['WriteCapacityUnits']}. Requested "
                    f"WriteCapacityUnits: {units['WriteCapacityUnits']}. Refer to the Amazon DynamoDB Developer Guide "
                    "for current limits and how to request higher limits."
                )
        given = {"ProvisionedThroughput": document.get("ProvisionedThroughput"), **params, "BillingMode": mode}
        if mode == "PAY_PER_REQUEST" and "ProvisionedThroughput" not in params:
            del given["ProvisionedThroughput"]
        settings = definitions.billing(given, self._now)
        if mode == "PAY_PER_REQUEST" and document["BillingMode"] == mode:
            del settings["LastUpdateToPayPerRequestDateTime"]
        document.update(settings)
        if mode == "PAY_PER_REQUEST":
            document.pop("ProvisionedThroughput", None)
            for index in document.get("GlobalSecondaryIndexes", ()):
                index.pop("ProvisionedThroughput", None)

    def _stream(self, specification: Mapping[str, Any]) -> None:
        view_type = definitions.stream_view_type(specification)
        stream = self._document.get("Stream")
        if view_type is not None:
            if stream is not None:
                raise validation(f"Table already has an enabled stream: TableName: {self._table.name}")
            table = self._table
            self._document["Stream"] = streams.create(
                self._tx, table.account, table.region, table.name, view_type, self._document["KeySchema"], self._now
            )
            return
        if stream is None:
            raise validation("Table is already has stream disabled: TableName: " + self._table.name)
        streams.disable(self._tx, stream["Id"], self._now)
        self._document["LatestStream"] = {"Arn": stream["Arn"], "Label": stream["Label"]}
        del self._document["Stream"]

    def _indexes(self, updates: list[Mapping[str, Any]]) -> None:
        changes = [update for update in updates if "Create" in update or "Delete" in update]
        if len(changes) > 1:
            raise _only_one()
        names = [each["IndexName"] for update in updates if len(update) == 1 for each in update.values()]
        if len(set(names)) != len(names):
            raise invalid_values(
                "Only one global secondary index update per index is allowed simultaneously. "
                f"Index: {next(name for name in names if names.count(name) > 1)}"
            )
        kinds = {"Create": self._create_index, "Update": self._update_index, "Delete": self._delete_index}
        for update in updates:
            given = [(change, update[kind]) for kind, change in kinds.items() if kind in update]
            if len(given) != 1:
                raise invalid_values(
                    "A GlobalSecondaryIndexUpdate must have exactly one of the operations Create, Update and Delete"
                )
            change, of = given[0]
            change(of)

    def _create_index(self, given: Mapping[str, Any]) -> None:
        document = self._document
        present = document.setdefault("GlobalSecondaryIndexes", [])
        if self._table.index(given["IndexName"]) is not None:
            raise validation(f"Attempting to create an index which already exists: {given['IndexName']}")
        if any(each["Status"] == "CREATING" for each in present):
            raise _only_one()
        if len(present) >= _MOST_GLOBAL:
            raise invalid_values(f"Number of GlobalSecondaryIndexes exceeds per-table limit of {_MOST_GLOBAL}")
        definitions.check_defined(given["KeySchema"], self._params.get("AttributeDefinitions", ()))
        index = definitions.global_index(document, given, "CREATING")
        index["Id"] = tables.insert_index(self._tx, self._table.id, given["IndexName"], backfilling=True)
        present.append(index)

    def _update_index(self, given: Mapping[str, Any]) -> None:
        definitions.check_index_options(given)
        index = self._found(given["IndexName"])
        if "ProvisionedThroughput" in given:
            if self._document["BillingMode"] == "PAY_PER_REQUEST":
                raise invalid_values(
                    "Neither ReadCapacityUnits nor WriteCapacityUnits can be specified for index: "
                    f"{given['IndexName']} when BillingMode is PAY_PER_REQUEST"
                )
            index["ProvisionedThroughput"] = dict(given["ProvisionedThroughput"])
        if "OnDemandThroughput" in given:
            index["OnDemandThroughput"] = dict(given["OnDemandThroughput"])

    def _delete_index(self, given: Mapping[str, Any]) -> None:
        index = self._found(given["IndexName"])
        tables.drop_index(self._tx, index["Id"])
        self._document["GlobalSecondaryIndexes"].remove(index)

    def _found(self, name: str) -> Document:
        for index in self._document.get("GlobalSecondaryIndexes", ()):
            if index["IndexName"] == name:
                return index
        raise AwsError("ResourceNotFoundException", f"Requested resource not found: Index: {name} not found")


def _only_one() -> AwsError:
    return AwsError(
        "LimitExceededException",
        "Subscriber limit exceeded: Only 1 online index can be created or deleted simultaneously per table",
    )


def _forget_unused_definitions(document: Document) -> None:
    indexes = (*document.get("LocalSecondaryIndexes", ()), *document.get("GlobalSecondaryIndexes", ()))
    used = {each["AttributeName"] for schema in (document, *indexes) for each in schema["KeySchema"]}
    document["AttributeDefinitions"] = [
        each for each in document["AttributeDefinitions"] if each["AttributeName"] in used
    ]
