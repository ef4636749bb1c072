"""Definitions of tables and indexes: what CreateTable and UpdateTable ask for, checked beyond what the model can say.

The document of a table holds the members of its description that do not change by themselves, under AWS's names, and
`Stream` (Id, Arn, Label, ViewType), `TimeToLive` (Id, AttributeName), `Tags`; each index has `Id` and `Status`.
"""

import re
import uuid
from collections.abc import Mapping, Sequence
from typing import Any

from cloudlet.authz.documents import MalformedPolicy, parse_policy
from cloudlet.core.errors import AwsError, NotImplementedByCloudlet
from cloudlet.services.dynamodb.errors import invalid_values, validation
from cloudlet.services.dynamodb.tables import Document, Table

_NAME = re.compile(r"[a-zA-Z0-9_.-]+", re.ASCII)
_MOST_LOCAL = 5
_MOST_GLOBAL = 20
_MOST_KEYS_OF_A_KIND = 4
_MOST_NON_KEY_ATTRIBUTES = 100
_MOST_TAGS = 50
_TAG = re.compile(r"[\w\s+\-=.:/@]*")
_LARGEST_POLICY = 20 * 1024
_UNSUPPORTED = ("VectorIndexes", "GlobalTableSourceArn", "GlobalTableSettingsReplicationMode", "WarmThroughput")


def check_name(name: str) -> None:
    if not 3 <= len(name) <= 255:
        raise validation("TableName must be at least 3 characters long and at most 255 characters long")
    if _NAME.fullmatch(name) is None:
        raise validation(
            f"1 validation error detected: Value '{name}' at 'tableName' failed to satisfy constraint: "
            f"Member must satisfy regular expression pattern: {_NAME.pattern}"
        )


def table_document(params: Mapping[str, Any], now: float) -> Document:
    """The document of a new table; indexes have no ids yet, the stream none at all."""
    for name in _UNSUPPORTED:
        if name in params:
            raise NotImplementedByCloudlet(f"the parameter {name} of CreateTable")
    definitions = _attribute_definitions(params)
    _check_key_schema(params.get("KeySchema", ()), definitions)
    document: Document = {
        "AttributeDefinitions": definitions,
        "KeySchema": list(params["KeySchema"]),
        "CreationDateTime": now,
        "TableId": str(uuid.uuid4()),
        "DeletionProtectionEnabled": params.get("DeletionProtectionEnabled", False),
        "Tags": checked_tags({}, params.get("Tags", ())),
        **billing(params, now),
    }
    if "TableClass" in params:
        document["TableClass"] = params["TableClass"]
    if "SSESpecification" in params:
        document["SSEDescription"] = _encryption(params["SSESpecification"])
    if "ResourcePolicy" in params:
        document["ResourcePolicy"] = resource_policy(params["ResourcePolicy"])
    _add_indexes(document, params)
    _check_definitions_used(document)
    return document


def billing(params: Mapping[str, Any], now: float) -> Document:
    """BillingMode and throughput, which must fit together."""
    mode = params.get("BillingMode", "PROVISIONED")
    throughput = params.get("ProvisionedThroughput")
    if mode == "PAY_PER_REQUEST":
        if throughput:
            raise invalid_values(
                "Neither ReadCapacityUnits nor WriteCapacityUnits can be specified when BillingMode is PAY_PER_REQUEST"
            )
        on_demand = params.get("OnDemandThroughput")
        extra = {"OnDemandThroughput": dict(on_demand)} if on_demand else {}
        return {"BillingMode": mode, "LastUpdateToPayPerRequestDateTime": now, **extra}
    if not throughput:
        raise invalid_values(
            "ReadCapacityUnits and WriteCapacityUnits must both be specified when BillingMode is PROVISIONED"
        )
    return {"BillingMode": mode, "ProvisionedThroughput": dict(throughput)}


def _attribute_definitions(params: Mapping[str, Any]) -> list[dict[str, str]]:
    definitions = [dict(each) for each in params.get("AttributeDefinitions", ())]
    names = [each["AttributeName"] for each in definitions]
    for name in names:
        if names.count(name) > 1:
            raise validation(
                f"One or more parameter values were invalid: Duplicate AttributeName in AttributeDefinitions: {name}"
            )
    return definitions


def _check_key_schema(schema: Sequence[Mapping[str, str]], definitions: Sequence[Mapping[str, str]]) -> None:
    if not schema:
        raise validation(
            "1 validation error detected: Value null at 'keySchema' failed to satisfy constraint: "
            "Member must not be null"
        )
    if len(schema) > 2:
        raise validation(
            f"1 validation error detected: Value '{_shown(schema)}' at 'keySchema' failed to satisfy constraint: "
            "Member must have length less than or equal to 2"
        )
    if schema[0]["KeyType"] != "HASH":
        raise validation("Invalid KeySchema: The first KeySchemaElement is not a HASH key type")
    if len(schema) == 2:
        if schema[0]["AttributeName"] == schema[1]["AttributeName"]:
            raise validation("Both the Hash Key and the Range Key element in the KeySchema have the same name")
        if schema[1]["KeyType"] != "RANGE":
            raise validation("Invalid KeySchema: The second KeySchemaElement is not a RANGE key type")
    check_defined(schema, definitions)


def check_defined(schema: Sequence[Mapping[str, str]], definitions: Sequence[Mapping[str, str]]) -> None:
    defined = [each["AttributeName"] for each in definitions]
    names = [each["AttributeName"] for each in schema]
    if any(name not in defined for name in names):
        raise invalid_values(
            "Some index key attributes are not defined in AttributeDefinitions. "
            f"Keys: [{', '.join(names)}], AttributeDefinitions: [{', '.join(defined)}]"
        )


def _shown(schema: Sequence[Mapping[str, str]]) -> str:
    return (
        "["
        + ", ".join(
            f"KeySchemaElement(attributeName={each['AttributeName']}, keyType={each['KeyType']})" for each in schema
        )
        + "]"
    )


def _add_indexes(document: Document, params: Mapping[str, Any]) -> None:
    local = _given(params, "LocalSecondaryIndexes", _MOST_LOCAL)
    if local:
        document["LocalSecondaryIndexes"] = [local_index(document, each) for each in local]
    globals_ = _given(params, "GlobalSecondaryIndexes", _MOST_GLOBAL)
    if globals_:
        document["GlobalSecondaryIndexes"] = [global_index(document, each) for each in globals_]
    names = [each["IndexName"] for each in (*local, *globals_)]
    for name in names:
        if names.count(name) > 1:
            raise invalid_values(f"Duplicate index name: {name}")
    _check_projected(document)


def _given(params: Mapping[str, Any], name: str, most: int) -> Sequence[Mapping[str, Any]]:
    if name not in params:
        return ()
    given = params[name]
    if not given:
        raise invalid_values(f"List of {name} is empty")
    if len(given) > most:
        raise invalid_values(f"Number of {name} exceeds per-table limit of {most}")
    return given


def local_index(document: Document, given: Mapping[str, Any]) -> Document:
    name, schema = given["IndexName"], given["KeySchema"]
    table_hash = document["KeySchema"][0]["AttributeName"]
    if len(document["KeySchema"]) < 2:
        raise invalid_values(
            "Table KeySchema does not have a range key, which is required when specifying a LocalSecondaryIndex"
        )
    _check_key_schema(schema, document["AttributeDefinitions"])
    if len(schema) < 2:
        raise invalid_values(f"Index KeySchema does not have a range key for index: {name}")
    if schema[0]["AttributeName"] != table_hash:
        raise invalid_values(
            f"Index KeySchema does not have the same leading hash key as table KeySchema for index: {name}. "
            f"index hash key: {schema[0]['AttributeName']}, table hash key: {table_hash}"
        )
    return {
        "IndexName": name,
        "KeySchema": list(schema),
        "Projection": _projection(given.get("Projection", {})),
        "Status": "ACTIVE",
    }


def check_index_options(given: Mapping[str, Any]) -> None:
    """Of a global index that is made or updated. Raises NotImplementedByCloudlet."""
    if "WarmThroughput" in given:
        raise NotImplementedByCloudlet("the parameter WarmThroughput of global indexes")


def global_index(document: Document, given: Mapping[str, Any], status: str = "ACTIVE") -> Document:
    check_index_options(given)
    schema = given["KeySchema"]
    _check_global_schema(schema, document["AttributeDefinitions"])
    index: Document = {
        "IndexName": given["IndexName"],
        "KeySchema": list(schema),
        "Projection": _projection(given.get("Projection", {})),
        "Status": status,
    }
    throughput = given.get("ProvisionedThroughput")
    if document["BillingMode"] == "PROVISIONED":
        if not throughput:
            raise invalid_values(f"ProvisionedThroughput is not specified for index: {given['IndexName']}")
        index["ProvisionedThroughput"] = dict(throughput)
    elif throughput:
        raise invalid_values(
            "Neither ReadCapacityUnits nor WriteCapacityUnits can be specified for index: "
            f"{given['IndexName']} when BillingMode is PAY_PER_REQUEST"
        )
    if "OnDemandThroughput" in given:
        index["OnDemandThroughput"] = dict(given["OnDemandThroughput"])
    return index


def _check_global_schema(schema: Sequence[Mapping[str, str]], definitions: Sequence[Mapping[str, str]]) -> None:
    """Global indexes may have up to four attributes in either part of their key."""
    kinds = [each["KeyType"] for each in schema]
    hashes, ranges = kinds.count("HASH"), kinds.count("RANGE")
    if kinds[0] != "HASH":
        raise validation("Invalid KeySchema: The first KeySchemaElement is not a HASH key type")
    if kinds != ["HASH"] * hashes + ["RANGE"] * ranges:
        raise validation("Invalid KeySchema: All HASH key elements must precede the RANGE key elements")
    if hashes > _MOST_KEYS_OF_A_KIND or ranges > _MOST_KEYS_OF_A_KIND:
        raise validation(
            f"Invalid KeySchema: The number of key attributes exceeds the limit of {_MOST_KEYS_OF_A_KIND} HASH and "
            f"{_MOST_KEYS_OF_A_KIND} RANGE attributes"
        )
    names = [each["AttributeName"] for each in schema]
    if len(set(names)) != len(names):
        if len(names) == 2:
            raise validation("Both the Hash Key and the Range Key element in the KeySchema have the same name")
        raise validation("Invalid KeySchema: Some index key attribute have the same name")
    check_defined(schema, definitions)


def _projection(given: Mapping[str, Any]) -> Document:
    kind = given.get("ProjectionType")
    names = given.get("NonKeyAttributes")
    if kind is None:
        raise invalid_values("Unknown ProjectionType: null")
    if kind == "INCLUDE":
        if not names:
            raise invalid_values("ProjectionType is INCLUDE, but NonKeyAttributes is not specified")
        if len(set(names)) != len(names):
            raise invalid_values("Duplicate NonKeyAttributes")
        return {"ProjectionType": kind, "NonKeyAttributes": list(names)}
    if names is not None:
        raise invalid_values(f"ProjectionType is {kind}, but NonKeyAttributes is specified")
    return {"ProjectionType": kind}


def _check_projected(document: Document) -> None:
    indexes = (*document.get("LocalSecondaryIndexes", ()), *document.get("GlobalSecondaryIndexes", ()))
    count = sum(len(each["Projection"].get("NonKeyAttributes", ())) for each in indexes)
    if count > _MOST_NON_KEY_ATTRIBUTES:
        raise invalid_values(
            f"Number of NonKeyAttributes across all indexes exceeds the limit of {_MOST_NON_KEY_ATTRIBUTES}"
        )


def _check_definitions_used(document: Document) -> None:
    defined = [each["AttributeName"] for each in document["AttributeDefinitions"]]
    indexes = (*document.get("LocalSecondaryIndexes", ()), *document.get("GlobalSecondaryIndexes", ()))
    schemas = [document["KeySchema"], *(each["KeySchema"] for each in indexes)]
    used = list(dict.fromkeys(each["AttributeName"] for schema in schemas for each in schema))
    if set(defined) == set(used):
        return
    if not indexes:
        raise invalid_values(
            "Number of attributes in KeySchema does not exactly match number of attributes defined in "
            "AttributeDefinitions"
        )
    raise invalid_values(
        f"Some AttributeDefinitions are not used. AttributeDefinitions: [{', '.join(defined)}], "
        f"keys used: [{', '.join(used)}]"
    )


def stream_view_type(specification: Mapping[str, Any]) -> str | None:
    """The view type of a stream that is to be on, None for off."""
    enabled, view_type = specification.get("StreamEnabled"), specification.get("StreamViewType")
    if enabled and not view_type:
        raise invalid_values("StreamViewType cannot be null or empty when StreamEnabled is true")
    if not enabled and view_type:
        raise invalid_values("StreamViewType cannot be specified when StreamEnabled is false")
    return view_type if enabled else None


def _encryption(specification: Mapping[str, Any]) -> Document | None:
    """Keys of one's own would have to encrypt something; Cloudlet's data lies on a disk of its owner."""
    if specification.get("Enabled") or specification.get("KMSMasterKeyId"):
        raise NotImplementedByCloudlet("encryption of tables with KMS keys (SSESpecification)")
    return None


def resource_policy(policy: str) -> Document:
    """A policy, by which other accounts get in, as it is kept. Raises ValidationException if it is none."""
    if len(policy.encode()) > _LARGEST_POLICY:
        raise validation(f"Invalid policy document: larger than {_LARGEST_POLICY} bytes")
    try:
        parse_policy(policy, "resource")
    except MalformedPolicy as error:
        raise validation(f"Invalid policy document: {error}") from None
    return {"Policy": policy, "RevisionId": str(uuid.uuid4())}


def checked_tags(present: Mapping[str, str], added: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """The tags after adding some."""
    keys = [tag["Key"] for tag in added]
    if len(set(keys)) != len(keys):
        raise validation("One or more parameter values were invalid: Duplicate tag keys are not allowed")
    if any(_TAG.fullmatch(text) is None for tag in added for text in (tag["Key"], tag["Value"])):
        raise invalid_values("Tag keys and values can contain only letters, whitespace, numbers and _.:/=+-@")
    if any(key.lower().startswith("aws:") for key in keys):
        raise AwsError("AccessDeniedException", "Tag keys starting with 'aws:' are reserved for system use")
    tags = {**present, **{tag["Key"]: tag["Value"] for tag in added}}
    if len(tags) > _MOST_TAGS:
        raise validation(f"One or more parameter values were invalid: Too many tags; at most {_MOST_TAGS}")
    return tags


def merged_definitions(table: Table, given: Sequence[Mapping[str, str]]) -> list[dict[str, str]]:
    """The table's attribute definitions with those that an update adds."""
    merged = {each["AttributeName"]: dict(each) for each in table.document["AttributeDefinitions"]}
    for each in given:
        known = merged.setdefault(each["AttributeName"], dict(each))
        if known["AttributeType"] != each["AttributeType"]:
            name = each["AttributeName"]
            raise invalid_values(
                "Attributes cannot be redefined. Please check that your attribute has the same type as previously "
                f"defined. Existing schema: Schema:[SchemaElement: key{{{name}:{known['AttributeType']}:HASH}}] "
                f"New schema: Schema:[SchemaElement: key{{{name}:{each['AttributeType']}:HASH}}]"
            )
    return list(merged.values())
