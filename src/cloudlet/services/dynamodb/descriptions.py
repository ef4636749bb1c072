"""TableDescription and its parts, made of a table's document."""

from typing import Any

from cloudlet.services.dynamodb.tables import Document, Table

_NO_THROUGHPUT = {"ReadCapacityUnits": 0, "WriteCapacityUnits": 0}
_OPTIONAL = ("OnDemandThroughput", "SSEDescription")


def table_description(
    table: Table, *, status: str = "ACTIVE", count: int = 0, size: int = 0, index_counts: dict[int, int] | None = None
) -> dict[str, Any]:
    """`count` and `size` (bytes) are of the items, `index_counts` entries by index id."""
    document, counts = table.document, index_counts or {}
    description: dict[str, Any] = {
        "TableName": table.name,
        "TableArn": table.arn,
        "TableId": document["TableId"],
        "TableStatus": status,
        "CreationDateTime": document["CreationDateTime"],
        "AttributeDefinitions": document["AttributeDefinitions"],
        "KeySchema": document["KeySchema"],
        "ItemCount": count,
        "TableSizeBytes": size,
        "ProvisionedThroughput": _throughput(document),
        "DeletionProtectionEnabled": document["DeletionProtectionEnabled"],
        **{name: document[name] for name in _OPTIONAL if document.get(name)},
    }
    if document["BillingMode"] == "PAY_PER_REQUEST":
        description["BillingModeSummary"] = {
            "BillingMode": "PAY_PER_REQUEST",
            "LastUpdateToPayPerRequestDateTime": document["LastUpdateToPayPerRequestDateTime"],
        }
    if "TableClass" in document:
        description["TableClassSummary"] = {"TableClass": document["TableClass"]}
    for kind in ("GlobalSecondaryIndexes", "LocalSecondaryIndexes"):
        if document.get(kind):
            described = [_index(table, each, counts, count, size) for each in document[kind]]
            if kind == "GlobalSecondaryIndexes":
                for each, source in zip(described, document[kind], strict=True):
                    each.update(_global(source))
            description[kind] = described
    description.update(_stream(document))
    return description


def _throughput(document: Document) -> dict[str, Any]:
    given = document.get("ProvisionedThroughput") or _NO_THROUGHPUT
    return {"NumberOfDecreasesToday": 0, **given}


def _index(table: Table, index: Document, counts: dict[int, int], count: int, size: int) -> dict[str, Any]:
    entries = counts.get(index["Id"], 0)
    return {
        "IndexName": index["IndexName"],
        "IndexArn": f"{table.arn}/index/{index['IndexName']}",
        "KeySchema": index["KeySchema"],
        "Projection": index["Projection"],
        "ItemCount": entries,
        "IndexSizeBytes": size * entries // count if count else 0,
    }


def _global(index: Document) -> dict[str, Any]:
    described: dict[str, Any] = {"IndexStatus": index["Status"], "ProvisionedThroughput": _throughput(index)}
    if index["Status"] == "CREATING":
        described["Backfilling"] = True
    if "OnDemandThroughput" in index:
        described["OnDemandThroughput"] = index["OnDemandThroughput"]
    return described


def _stream(document: Document) -> dict[str, Any]:
    stream = document.get("Stream")
    latest = stream or document.get("LatestStream")
    described: dict[str, Any] = {}
    if stream:
        described["StreamSpecification"] = {"StreamEnabled": True, "StreamViewType": stream["ViewType"]}
    if latest:
        described["LatestStreamArn"] = latest["Arn"]
        described["LatestStreamLabel"] = latest["Label"]
    return described
