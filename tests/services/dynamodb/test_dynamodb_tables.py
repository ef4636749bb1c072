"""Tables: their life, their settings, what a definition must not be."""

import json
from collections.abc import Callable
from typing import Any, cast

import pytest
from botocore.exceptions import ClientError

from cloudlet.core.context import Principal
from cloudlet.core.errors import AwsError

KEY = [{"AttributeName": "p", "KeyType": "HASH"}]
DEFINITIONS = [{"AttributeName": "p", "AttributeType": "S"}]
GSI = {
    "IndexName": "by-g",
    "KeySchema": [{"AttributeName": "g", "KeyType": "HASH"}],
    "Projection": {"ProjectionType": "ALL"},
}


def test_a_table_lives(client: Any) -> None:
    settings: dict[str, Any] = {"KeySchema": KEY, "AttributeDefinitions": DEFINITIONS}
    created = client.create_table(TableName="life", BillingMode="PAY_PER_REQUEST", **settings)["TableDescription"]
    assert created["TableStatus"] == "CREATING"
    assert created["TableArn"] == "arn:aws:dynamodb:us-east-1:000000000000:table/life"
    client.get_waiter("table_exists").wait(TableName="life")
    with pytest.raises(ClientError, match="ResourceInUseException"):
        client.create_table(TableName="life", BillingMode="PAY_PER_REQUEST", **settings)
    client.put_item(TableName="life", Item={"p": {"S": "x"}})
    assert client.describe_table(TableName="life")["Table"]["ItemCount"] == 1
    client.delete_table(TableName="life")
    client.get_waiter("table_not_exists").wait(TableName="life")
    client.create_table(TableName="life", BillingMode="PAY_PER_REQUEST", **settings)
    assert client.scan(TableName="life")["Count"] == 0


def test_tables_are_listed_page_by_page(client: Any, make_table: Callable[..., str]) -> None:
    made = {make_table("p:S") for _ in range(5)}
    listed: list[str] = []
    for page in client.get_paginator("list_tables").paginate(PaginationConfig={"PageSize": 2}):
        assert len(page["TableNames"]) <= 2
        listed += page["TableNames"]
    assert listed == sorted(listed)
    assert made <= set(listed)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"TableName": "ab"}, "TableName must be at least 3 characters long and at most 255 characters long"),
        ({"KeySchema": [{"AttributeName": "q", "KeyType": "HASH"}]}, "are not defined in AttributeDefinitions"),
        ({"KeySchema": [{"AttributeName": "p", "KeyType": "RANGE"}]}, "is not a HASH key type"),
        ({"BillingMode": "PROVISIONED"}, "must both be specified when BillingMode is PROVISIONED"),
        (
            {"AttributeDefinitions": [*DEFINITIONS, {"AttributeName": "q", "AttributeType": "S"}]},
            "does not exactly match number of attributes defined in AttributeDefinitions",
        ),
        ({"GlobalSecondaryIndexes": []}, "List of GlobalSecondaryIndexes is empty"),
        ({"LocalSecondaryIndexes": [{**GSI, "KeySchema": KEY}]}, "Table KeySchema does not have a range key"),
    ],
)
def test_wrong_definitions_are_refused(client: Any, change: dict[str, Any], message: str) -> None:
    params = {
        "TableName": "wrong",
        "KeySchema": KEY,
        "AttributeDefinitions": DEFINITIONS,
        "BillingMode": "PAY_PER_REQUEST",
        **change,
    }
    with pytest.raises(ClientError) as caught:
        client.create_table(**params)
    assert cast(Any, caught.value.response)["Error"]["Code"] == "ValidationException"
    assert message in cast(Any, caught.value.response)["Error"]["Message"]


def test_an_index_is_made_of_what_is_there(client: Any, make_table: Callable[..., str]) -> None:
    table = make_table("p:S")
    for number in range(10):
        item: dict[str, Any] = {"p": {"S": str(number)}}
        if number % 2:
            item["g"] = {"S": "odd"}
        client.put_item(TableName=table, Item=item)
    client.update_table(
        TableName=table,
        AttributeDefinitions=[{"AttributeName": "g", "AttributeType": "S"}],
        GlobalSecondaryIndexUpdates=[{"Create": GSI}],
    )
    while client.describe_table(TableName=table)["Table"]["GlobalSecondaryIndexes"][0]["IndexStatus"] != "ACTIVE":
        pass
    assert client.scan(TableName=table, IndexName="by-g")["Count"] == 5
    client.update_table(TableName=table, GlobalSecondaryIndexUpdates=[{"Delete": {"IndexName": "by-g"}}])
    with pytest.raises(ClientError, match="does not have the specified index: by-g"):
        client.scan(TableName=table, IndexName="by-g")


def test_a_protected_table_is_not_deleted(client: Any, make_table: Callable[..., str]) -> None:
    table = make_table("p:S", DeletionProtectionEnabled=True)
    with pytest.raises(ClientError, match="protected against deletion"):
        client.delete_table(TableName=table)
    client.update_table(TableName=table, DeletionProtectionEnabled=False)
    client.delete_table(TableName=table)


def test_tags(client: Any, make_table: Callable[..., str]) -> None:
    table = make_table("p:S", Tags=[{"Key": "team", "Value": "shop"}])
    arn = client.describe_table(TableName=table)["Table"]["TableArn"]
    client.tag_resource(ResourceArn=arn, Tags=[{"Key": "stage", "Value": "test"}])
    client.untag_resource(ResourceArn=arn, TagKeys=["team"])
    assert client.list_tags_of_resource(ResourceArn=arn)["Tags"] == [{"Key": "stage", "Value": "test"}]


def test_what_is_not_there_says_so(client: Any, make_table: Callable[..., str]) -> None:
    table = make_table("p:S")
    backups = client.describe_continuous_backups(TableName=table)["ContinuousBackupsDescription"]
    assert backups["ContinuousBackupsStatus"] == "DISABLED"
    with pytest.raises(ClientError, match="NotImplemented"):
        client.execute_statement(Statement=f'SELECT * FROM "{table}"')
    warm = {"ReadUnitsPerSecond": 15_000, "WriteUnitsPerSecond": 5_000}
    with pytest.raises(ClientError, match=r"NotImplemented.*WarmThroughput of UpdateTable"):
        client.update_table(TableName=table, WarmThroughput=warm)
    with pytest.raises(ClientError, match=r"NotImplemented.*WarmThroughput of CreateTable"):
        make_table("p:S", WarmThroughput=warm)
    index = {"IndexName": "warm", "KeySchema": [{"AttributeName": "p", "KeyType": "HASH"}], "WarmThroughput": warm}
    with pytest.raises(ClientError, match=r"NotImplemented.*WarmThroughput of global indexes"):
        make_table("p:S", GlobalSecondaryIndexes=[{**index, "Projection": {"ProjectionType": "ALL"}}])


async def test_accounts_and_regions_have_their_own_tables(dynamodb: Any) -> None:
    table = await dynamodb.table("p:S")
    stranger = Principal.root("111111111111")
    for as_, region in ((stranger, "us-east-1"), (Principal.root("000000000000"), "eu-central-1")):
        with pytest.raises(AwsError, match="ResourceNotFoundException"):
            await dynamodb.cloud.call("dynamodb", "DescribeTable", {"TableName": table}, as_=as_, region=region)


def test_a_policy_is_kept_by_revision(client: Any, make_table: Callable[..., str]) -> None:
    arn = client.describe_table(TableName=make_table("p:S"))["Table"]["TableArn"]
    with pytest.raises(ClientError, match="PolicyNotFoundException"):
        client.get_resource_policy(ResourceArn=arn)
    statement = {"Effect": "Allow", "Principal": {"AWS": "111111111111"}, "Action": "dynamodb:GetItem", "Resource": arn}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    revision = client.put_resource_policy(ResourceArn=arn, Policy=policy)["RevisionId"]
    assert client.get_resource_policy(ResourceArn=arn)["Policy"] == policy
    with pytest.raises(ClientError, match="PolicyNotFoundException"):
        client.delete_resource_policy(ResourceArn=arn, ExpectedRevisionId="another")
    assert client.delete_resource_policy(ResourceArn=arn, ExpectedRevisionId=revision)["RevisionId"] == revision
    with pytest.raises(ClientError, match="Invalid policy document"):
        client.put_resource_policy(ResourceArn=arn, Policy="{}")


async def test_what_was_left_of_a_deleted_table_goes(dynamodb: Any) -> None:
    table = await dynamodb.table("p:S")
    for number in range(3):
        await dynamodb("PutItem", TableName=table, Item={"p": {"S": str(number)}})
    await dynamodb("DeleteTable", TableName=table)
    await dynamodb.service.background.rebuild()
    assert dynamodb.service.store.reader.one("SELECT count(*) FROM item") == (0,)


def test_nothing_acknowledged_is_lost(own_server: Any) -> None:
    client = own_server.client("dynamodb")
    client.create_table(
        TableName="kept",
        KeySchema=KEY,
        AttributeDefinitions=DEFINITIONS,
        BillingMode="PAY_PER_REQUEST",
        StreamSpecification={"StreamEnabled": True, "StreamViewType": "KEYS_ONLY"},
    )
    for number in range(20):
        client.put_item(TableName="kept", Item={"p": {"S": str(number)}})
    own_server.restart()
    client = own_server.client("dynamodb")
    assert client.scan(TableName="kept", Select="COUNT")["Count"] == 20
    streams = own_server.client("dynamodbstreams")
    arn = streams.list_streams(TableName="kept")["Streams"][0]["StreamArn"]
    shard = streams.describe_stream(StreamArn=arn)["StreamDescription"]["Shards"][0]["ShardId"]
    start = streams.get_shard_iterator(StreamArn=arn, ShardId=shard, ShardIteratorType="TRIM_HORIZON")
    assert len(streams.get_records(ShardIterator=start["ShardIterator"])["Records"]) == 20
