"""Time to live: items go when their time has come, and the stream tells who removed them."""

from typing import Any

import pytest

from cloudlet.core.errors import AwsError


async def enable(dynamodb: Any, table: str, enabled: bool = True, attribute: str = "ttl") -> None:
    specification = {"Enabled": enabled, "AttributeName": attribute}
    await dynamodb("UpdateTimeToLive", TableName=table, TimeToLiveSpecification=specification)
    await dynamodb.service.background.rebuild()


async def put(dynamodb: Any, table: str, key: str, ttl: dict[str, Any] | None = None) -> None:
    item = {"p": {"S": key}, **({"ttl": ttl} if ttl else {})}
    await dynamodb("PutItem", TableName=table, Item=item)


async def left(dynamodb: Any, table: str) -> set[str]:
    return {item["p"]["S"] for item in (await dynamodb("Scan", TableName=table))["Items"]}


def at(dynamodb: Any, seconds: float) -> dict[str, Any]:
    return {"N": str(int(dynamodb.clock.now() + seconds))}


async def test_items_go_when_their_time_has_come(dynamodb: Any) -> None:
    table = await dynamodb.table("p:S")
    await put(dynamodb, table, "before it was enabled", at(dynamodb, 10))
    await enable(dynamodb, table)
    await put(dynamodb, table, "soon", at(dynamodb, 10))
    await put(dynamodb, table, "later", at(dynamodb, 1000))
    await put(dynamodb, table, "put off", at(dynamodb, 10))
    await put(dynamodb, table, "put off", at(dynamodb, 500))
    await put(dynamodb, table, "never")
    await put(dynamodb, table, "not a number", {"S": "1"})
    await put(dynamodb, table, "years ago", {"N": "1000"})
    dynamodb.clock.advance(11)
    await dynamodb.service.background.expire()
    assert await left(dynamodb, table) == {"later", "put off", "never", "not a number", "years ago"}


async def test_the_stream_names_the_service(dynamodb: Any) -> None:
    stream = {"StreamEnabled": True, "StreamViewType": "OLD_IMAGE"}
    table = await dynamodb.table("p:S", StreamSpecification=stream)
    await enable(dynamodb, table)
    await put(dynamodb, table, "soon", at(dynamodb, 1))
    dynamodb.clock.advance(2)
    await dynamodb.service.background.expire()
    arn = (await dynamodb("DescribeTable", TableName=table))["Table"]["LatestStreamArn"]
    shard = (await dynamodb.streams("DescribeStream", StreamArn=arn))["StreamDescription"]["Shards"][0]["ShardId"]
    start = await dynamodb.streams("GetShardIterator", StreamArn=arn, ShardId=shard, ShardIteratorType="TRIM_HORIZON")
    records = (await dynamodb.streams("GetRecords", ShardIterator=start["ShardIterator"]))["Records"]
    assert [record["eventName"] for record in records] == ["INSERT", "REMOVE"]
    assert "userIdentity" not in records[0]
    assert records[1]["userIdentity"] == {"PrincipalId": "dynamodb.amazonaws.com", "Type": "Service"}


async def test_time_to_live_is_described_and_ends(dynamodb: Any) -> None:
    table = await dynamodb.table("p:S")

    async def described() -> dict[str, Any]:
        return (await dynamodb("DescribeTimeToLive", TableName=table))["TimeToLiveDescription"]

    assert await described() == {"TimeToLiveStatus": "DISABLED"}
    await enable(dynamodb, table)
    assert await described() == {"TimeToLiveStatus": "ENABLED", "AttributeName": "ttl"}
    with pytest.raises(AwsError, match="TimeToLive is already enabled"):
        await enable(dynamodb, table)
    await put(dynamodb, table, "soon", at(dynamodb, 1))
    await enable(dynamodb, table, enabled=False)
    dynamodb.clock.advance(2)
    await dynamodb.service.background.expire()
    assert await left(dynamodb, table) == {"soon"}
