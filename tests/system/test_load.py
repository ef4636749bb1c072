"""Many events through functions: all are processed, in order where order is promised, in little memory."""

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path
from typing import Any

import pytest

from waiting import eventually

STANDARD_MESSAGES = 10_000
GROUPS, PER_GROUP = 50, 40
KEYS, PER_KEY = 100, 1_000
LARGEST_SERVER = 400 << 20  # bytes

# A row per message: one that is processed twice is still one row.
RECORD = """
import boto3
table = boto3.resource("dynamodb").Table("processed")

def handler(event, context):
    with table.batch_writer(overwrite_by_pkeys=["id"]) as batch:
        for record in event["Records"]:
            batch.put_item(Item={"id": record["body"]})
"""

# A row per group, to whose list each batch adds what it has got.
IN_ORDER = """
import boto3
from collections import defaultdict
table = boto3.resource("dynamodb").Table("groups")

def handler(event, context):
    seen = defaultdict(list)
    for record in event["Records"]:
        seen[record["attributes"]["MessageGroupId"]].append(int(record["body"]))
    for group, numbers in seen.items():
        table.update_item(
            Key={"id": group},
            UpdateExpression="SET seen = list_append(if_not_exists(seen, :none), :numbers)",
            ExpressionAttributeValues={":none": [], ":numbers": numbers})
"""

# Each key counts upwards in the stream; its last number is in a row. What is lost, repeated or out of order fails.
COUNT = """
import boto3
dynamodb = boto3.client("dynamodb")

def rows(keys):
    wanted = [{"id": {"S": key}} for key in keys]
    found = dynamodb.batch_get_item(RequestItems={"counted": {"Keys": wanted, "ConsistentRead": True}})
    return {row["id"]["S"]: int(row["n"]["N"]) for row in found["Responses"]["counted"]}

def handler(event, context):
    news = [record["dynamodb"]["NewImage"] for record in event["Records"]]
    last = rows({new["id"]["S"] for new in news})
    for new in news:
        key, number = new["id"]["S"], int(new["n"]["N"])
        if number != last.get(key, 0) + 1:
            raise ValueError(f"{key}: {number} after {last.get(key, 0)}")
        last[key] = number
    puts = [{"PutRequest": {"Item": {"id": {"S": key}, "n": {"N": str(n)}}}} for key, n in last.items()]
    for at in range(0, len(puts), 25):
        dynamodb.batch_write_item(RequestItems={"counted": puts[at:at + 25]})
"""


class Memory:
    """The most that the server's own process has had in memory, in bytes, since it was last cleared."""

    def __init__(self, pid: int) -> None:
        self._folder = Path(f"/proc/{pid}")
        (self._folder / "clear_refs").write_text("5")

    def peak(self) -> int:
        line = next(line for line in (self._folder / "status").read_text().splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) << 10


def batched(things: Iterable[Any], size: int) -> Iterator[list[Any]]:
    """Lists of so many each."""
    left = iter(things)
    while batch := list(islice(left, size)):
        yield batch


def make_table(server: Any, name: str, **more: Any) -> dict[str, Any]:
    client = server.client("dynamodb")
    made: dict[str, Any] = client.create_table(
        TableName=name,
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
        **more,
    )["TableDescription"]
    client.get_waiter("table_exists").wait(TableName=name, WaiterConfig={"Delay": 1})
    return made


def make_queue(server: Any, name: str, **attributes: str) -> tuple[str, str]:
    sqs = server.client("sqs")
    url = sqs.create_queue(QueueName=name, Attributes={"VisibilityTimeout": "60", **attributes})["QueueUrl"]
    return url, sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]


def send_all(server: Any, url: str, entries: Iterable[dict[str, Any]]) -> None:
    def send(batch: list[dict[str, Any]]) -> None:
        answer = sqs.send_message_batch(QueueUrl=url, Entries=batch)
        assert len(answer["Successful"]) == len(batch)

    sqs = server.client("sqs", max_pool_connections=4)
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(send, batched(entries, 10)))


def is_empty(server: Any, url: str) -> bool:
    names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    found = server.client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"]
    return all(int(found[name]) == 0 for name in names)


@pytest.mark.timeout(300)
def test_a_queue_of_ten_thousand_messages(server: Any, make_function: Callable[..., str]) -> None:
    make_table(server, "processed")
    make_function(server, "record", RECORD)
    url, arn = make_queue(server, "many")
    memory = Memory(server.pid)
    send_all(server, url, ({"Id": str(n), "MessageBody": f"message-{n}"} for n in range(STANDARD_MESSAGES)))
    server.client("lambda").create_event_source_mapping(FunctionName="record", EventSourceArn=arn)
    eventually(lambda: is_empty(server, url), 200)
    pages = server.client("dynamodb").get_paginator("scan").paginate(TableName="processed", Select="COUNT")
    assert sum(page["Count"] for page in pages) == STANDARD_MESSAGES
    assert memory.peak() < LARGEST_SERVER


@pytest.mark.timeout(300)
def test_a_fifo_queue_keeps_the_order_of_each_group(server: Any, make_function: Callable[..., str]) -> None:
    make_table(server, "groups")
    make_function(server, "in-order", IN_ORDER)
    url, arn = make_queue(server, "ordered.fifo", FifoQueue="true", ContentBasedDeduplication="false")
    server.client("lambda").create_event_source_mapping(FunctionName="in-order", EventSourceArn=arn)
    sqs = server.client("sqs")
    for number in range(PER_GROUP):
        for groups in batched(range(GROUPS), 10):
            entries = [
                {
                    "Id": str(group),
                    "MessageBody": str(number),
                    "MessageGroupId": f"group-{group}",
                    "MessageDeduplicationId": f"{group}-{number}",
                }
                for group in groups
            ]
            sqs.send_message_batch(QueueUrl=url, Entries=entries)
    eventually(lambda: is_empty(server, url), 200)
    rows = server.resource("dynamodb").Table("groups").scan()["Items"]
    assert len(rows) == GROUPS
    assert all([int(number) for number in row["seen"]] == list(range(PER_GROUP)) for row in rows)


@pytest.mark.timeout(600)
def test_a_stream_of_a_hundred_thousand_records(server: Any, make_function: Callable[..., str]) -> None:
    stream = {"StreamEnabled": True, "StreamViewType": "NEW_IMAGE"}
    source = make_table(server, "counting", StreamSpecification=stream)
    make_table(server, "counted")
    make_function(server, "count", COUNT, Timeout=60)
    memory = Memory(server.pid)
    server.client("lambda").create_event_source_mapping(
        FunctionName="count",
        EventSourceArn=source["LatestStreamArn"],
        StartingPosition="TRIM_HORIZON",
        BatchSize=2_000,
        MaximumRetryAttempts=0,
    )
    dynamodb = server.client("dynamodb", max_pool_connections=4)

    def count(keys: list[int]) -> None:
        for number in range(1, PER_KEY + 1):
            items = [{"id": {"S": f"key-{key}"}, "n": {"N": str(number)}} for key in keys]
            dynamodb.batch_write_item(RequestItems={"counting": [{"PutRequest": {"Item": item}} for item in items]})

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(count, batched(range(KEYS), 25)))

    def counts() -> dict[str, int]:
        return {row["id"]: int(row["n"]) for row in server.resource("dynamodb").Table("counted").scan()["Items"]}

    eventually(lambda: counts() == {f"key-{key}": PER_KEY for key in range(KEYS)}, 400)
    assert memory.peak() < LARGEST_SERVER
