"""Streams: a record for each change, in order, for a day."""

from collections.abc import Callable
from typing import Any

import pytest

from cloudlet.core.errors import AwsError

KEY = {"p": {"S": "x"}}
STREAM = {"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"}


class Reader:
    """Reads a table's stream on from where it was."""

    def __init__(self, dynamodb: Any, arn: str, iterator: str) -> None:
        self._dynamodb = dynamodb
        self._arn = arn
        self.iterator: str | None = iterator

    @classmethod
    async def of(cls, dynamodb: Any, table: str, start: str = "TRIM_HORIZON", **more: Any) -> "Reader":
        arn = (await dynamodb("DescribeTable", TableName=table))["Table"]["LatestStreamArn"]
        stream = (await dynamodb.streams("DescribeStream", StreamArn=arn))["StreamDescription"]
        given = {"StreamArn": arn, "ShardId": stream["Shards"][0]["ShardId"], "ShardIteratorType": start, **more}
        return cls(dynamodb, arn, (await dynamodb.streams("GetShardIterator", **given))["ShardIterator"])

    async def read(self, **params: Any) -> list[dict[str, Any]]:
        answer = await self._dynamodb.streams("GetRecords", ShardIterator=self.iterator, **params)
        self.iterator = answer.get("NextShardIterator")
        return answer["Records"]


async def change(dynamodb: Any, table: str) -> None:
    """Inserts, modifies and removes an item."""
    await dynamodb("PutItem", TableName=table, Item={**KEY, "n": {"N": "1"}})
    await dynamodb("PutItem", TableName=table, Item={**KEY, "n": {"N": "2"}})
    await dynamodb("DeleteItem", TableName=table, Key=KEY)


@pytest.mark.parametrize(
    ("view_type", "images"),
    [
        ("KEYS_ONLY", [set(), set(), set()]),
        ("NEW_IMAGE", [{"NewImage"}, {"NewImage"}, set()]),
        ("OLD_IMAGE", [set(), {"OldImage"}, {"OldImage"}]),
        ("NEW_AND_OLD_IMAGES", [{"NewImage"}, {"NewImage", "OldImage"}, {"OldImage"}]),
    ],
)
async def test_records_have_the_images_of_the_view_type(dynamodb: Any, view_type: str, images: Any) -> None:
    table = await dynamodb.table("p:S", StreamSpecification={"StreamEnabled": True, "StreamViewType": view_type})
    await change(dynamodb, table)
    records = await (await Reader.of(dynamodb, table)).read()
    assert [record["eventName"] for record in records] == ["INSERT", "MODIFY", "REMOVE"]
    assert [{"NewImage", "OldImage"} & set(record["dynamodb"]) for record in records] == images
    assert all(record["dynamodb"]["Keys"] == KEY for record in records)
    numbers = [int(record["dynamodb"]["SequenceNumber"]) for record in records]
    assert numbers == sorted(set(numbers))


async def test_where_nothing_changes_there_is_no_record(dynamodb: Any) -> None:
    table = await dynamodb.table("p:S", StreamSpecification=STREAM)
    for _ in range(2):
        await dynamodb("PutItem", TableName=table, Item={**KEY, "n": {"N": "1.0"}})
    await dynamodb("DeleteItem", TableName=table, Key={"p": {"S": "nobody"}})
    assert len(await (await Reader.of(dynamodb, table)).read()) == 1


async def test_iterators_start_where_they_are_told(dynamodb: Any) -> None:
    table = await dynamodb.table("p:S", StreamSpecification=STREAM)
    await change(dynamodb, table)
    latest = await Reader.of(dynamodb, table, "LATEST")
    assert await latest.read() == []
    await dynamodb("PutItem", TableName=table, Item={**KEY, "n": {"N": "9"}})
    assert [record["eventName"] for record in await latest.read()] == ["INSERT"]
    everything = await (await Reader.of(dynamodb, table)).read()
    second = everything[1]["dynamodb"]["SequenceNumber"]
    at = await Reader.of(dynamodb, table, "AT_SEQUENCE_NUMBER", SequenceNumber=second)
    after = await Reader.of(dynamodb, table, "AFTER_SEQUENCE_NUMBER", SequenceNumber=second)
    assert await at.read() == everything[1:]
    assert await after.read(Limit=1) == everything[2:3]
    assert await after.read() == everything[3:]


async def test_a_rolled_back_transaction_leaves_no_record(dynamodb: Any) -> None:
    table = await dynamodb.table("p:S", StreamSpecification=STREAM)
    put = {"Put": {"TableName": table, "Item": KEY}}
    other = {"p": {"S": "y"}}
    check = {"ConditionCheck": {"TableName": table, "Key": other, "ConditionExpression": "attribute_exists(p)"}}
    with pytest.raises(AwsError, match="TransactionCanceledException"):
        await dynamodb("TransactWriteItems", TransactItems=[put, check])
    assert await (await Reader.of(dynamodb, table)).read() == []


async def test_a_commit_wakes_who_listens(dynamodb: Any) -> None:
    table = await dynamodb.table("p:S", StreamSpecification=STREAM)
    arn = (await dynamodb("DescribeTable", TableName=table))["Table"]["LatestStreamArn"]
    with dynamodb.cloud.signals.listen(f"dynamodb-stream:{arn}") as listener:
        await dynamodb("PutItem", TableName=table, Item=KEY)
        assert await listener.wait(timeout=10)


async def test_a_closed_stream_is_read_to_its_end_for_a_day(dynamodb: Any) -> None:
    table = await dynamodb.table("p:S", StreamSpecification=STREAM)
    await change(dynamodb, table)
    arn = (await dynamodb("DescribeTable", TableName=table))["Table"]["LatestStreamArn"]
    await dynamodb("UpdateTable", TableName=table, StreamSpecification={"StreamEnabled": False})
    await dynamodb("PutItem", TableName=table, Item=KEY)
    reader = await Reader.of(dynamodb, table)
    assert len(await reader.read()) == 3
    assert reader.iterator is None
    await dynamodb("UpdateTable", TableName=table, StreamSpecification=STREAM)
    assert len((await dynamodb.streams("ListStreams", TableName=table))["Streams"]) == 2
    dynamodb.clock.advance(86_401)
    with pytest.raises(AwsError, match="ResourceNotFoundException"):
        await dynamodb.streams("DescribeStream", StreamArn=arn)


async def test_records_are_kept_for_a_day(dynamodb: Any) -> None:
    table = await dynamodb.table("p:S", StreamSpecification=STREAM)
    await change(dynamodb, table)
    dynamodb.clock.advance(86_401)
    await dynamodb("PutItem", TableName=table, Item={"p": {"S": "fresh"}})
    assert len(await (await Reader.of(dynamodb, table)).read()) == 1
    await dynamodb.service.background.trim()
    assert dynamodb.service.store.reader.one("SELECT count(*) FROM stream_record") == (1,)


async def test_an_iterator_ages(dynamodb: Any) -> None:
    table = await dynamodb.table("p:S", StreamSpecification=STREAM)
    reader = await Reader.of(dynamodb, table)
    dynamodb.clock.advance(901)
    with pytest.raises(AwsError, match="ExpiredIteratorException"):
        await reader.read()


def test_boto3_reads_records(server: Any, client: Any, make_table: Callable[..., str]) -> None:
    table = make_table("p:S", StreamSpecification=STREAM)
    client.put_item(TableName=table, Item={**KEY, "b": {"B": b"\x00\x01"}})
    streams = server.client("dynamodbstreams")
    arn = streams.list_streams(TableName=table)["Streams"][0]["StreamArn"]
    shard = streams.describe_stream(StreamArn=arn)["StreamDescription"]["Shards"][0]["ShardId"]
    start = streams.get_shard_iterator(StreamArn=arn, ShardId=shard, ShardIteratorType="TRIM_HORIZON")
    (record,) = streams.get_records(ShardIterator=start["ShardIterator"])["Records"]
    assert record["dynamodb"]["NewImage"] == {**KEY, "b": {"B": b"\x00\x01"}}
    assert record["eventSource"] == "aws:dynamodb"
