"""kill -9 at random moments: what was acknowledged is there afterwards, and so is every event that follows from it."""

import json
import random
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import BotoCoreError, ClientError

BIG = bytes(range(256)) * 512  # 128 KiB: a blob file


class Writers:
    """Threads that write until the server dies, and remember what it acknowledged."""

    def __init__(self, server: Any, round_: int) -> None:
        self._server = server
        self._round = round_
        self.objects: dict[str, bytes] = {}
        self.items: set[str] = set()
        self.messages: set[str] = set()
        self._threads = [
            threading.Thread(target=self._until_death, args=(self._put_object, worker)) for worker in ("a", "b")
        ]
        self._threads += [
            threading.Thread(target=self._until_death, args=(self._put_item, worker)) for worker in ("a", "b")
        ]
        self._threads.append(threading.Thread(target=self._until_death, args=(self._publish, "a")))

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def wait_until_busy(self) -> None:
        """Until every kind of write has been acknowledged a few times."""
        while min(len(self.objects), len(self.items), len(self.messages)) < 5:
            assert all(thread.is_alive() for thread in self._threads)
            time.sleep(0.01)

    def join(self) -> None:
        for thread in self._threads:
            thread.join()

    def _until_death(self, step: Callable[[Any, str], None], worker: str) -> None:
        clients = {name: self._server.client(name) for name in ("s3", "dynamodb", "sns")}
        number = 0
        while True:
            try:
                step(clients, f"{self._round}-{worker}-{number}")
            except (BotoCoreError, ClientError):
                return
            number += 1

    def _put_object(self, clients: Any, name: str) -> None:
        content = BIG if random.random() < 0.3 else name.encode()
        clients["s3"].put_object(Bucket="crash", Key=name, Body=content)
        self.objects[name] = content

    def _put_item(self, clients: Any, name: str) -> None:
        clients["dynamodb"].put_item(TableName="crash", Item={"id": {"S": name}})
        self.items.add(name)

    def _publish(self, clients: Any, name: str) -> None:
        clients["sns"].publish(TopicArn="arn:aws:sns:us-east-1:000000000000:crash", Message=name)
        self.messages.add(name)


def make_queue(server: Any, name: str, service: str) -> tuple[str, str]:
    sqs = server.client("sqs")
    url = sqs.create_queue(QueueName=name)["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    statement = {"Effect": "Allow", "Principal": {"Service": service}, "Action": "sqs:SendMessage", "Resource": arn}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": policy, "VisibilityTimeout": "600"})
    return url, arn


def build(server: Any) -> tuple[str, str, str]:
    """A bucket and a topic that each feed a queue, and a table with a stream: queue URLs and stream ARN."""
    uploads, uploads_arn = make_queue(server, "uploads", "s3.amazonaws.com")
    news, news_arn = make_queue(server, "news", "sns.amazonaws.com")
    s3 = server.client("s3")
    s3.create_bucket(Bucket="crash")
    s3.put_bucket_notification_configuration(
        Bucket="crash",
        NotificationConfiguration={
            "QueueConfigurations": [{"QueueArn": uploads_arn, "Events": ["s3:ObjectCreated:*"]}]
        },
    )
    sns = server.client("sns")
    topic = sns.create_topic(Name="crash")["TopicArn"]
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=news_arn, Attributes={"RawMessageDelivery": "true"})
    table = server.client("dynamodb").create_table(
        TableName="crash",
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
        StreamSpecification={"StreamEnabled": True, "StreamViewType": "KEYS_ONLY"},
    )["TableDescription"]
    server.client("dynamodb").get_waiter("table_exists").wait(TableName="crash", WaiterConfig={"Delay": 1})
    return uploads, news, table["LatestStreamArn"]


def drain(server: Any, url: str, read: Callable[[str], list[str]], wanted: set[str]) -> set[str]:
    """Receives until all that is wanted has come, or nothing comes for ten seconds."""
    sqs = server.client("sqs")
    found: set[str] = set()
    quiet_since = time.monotonic()
    while not wanted <= found and time.monotonic() - quiet_since < 10:
        for message in sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, WaitTimeSeconds=1).get("Messages", []):
            found.update(read(message["Body"]))
            sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
            quiet_since = time.monotonic()
    return found


def keys_of_event(body: str) -> list[str]:
    return [record["s3"]["object"]["key"] for record in json.loads(body).get("Records", [])]


def streamed(server: Any, arn: str) -> set[str]:
    """The ids of all records in the stream."""
    streams = server.client("dynamodbstreams")
    found: set[str] = set()
    for shard in streams.describe_stream(StreamArn=arn)["StreamDescription"]["Shards"]:
        iterator = streams.get_shard_iterator(
            StreamArn=arn, ShardId=shard["ShardId"], ShardIteratorType="TRIM_HORIZON"
        )["ShardIterator"]
        while iterator:
            answer = streams.get_records(ShardIterator=iterator)
            found |= {record["dynamodb"]["Keys"]["id"]["S"] for record in answer["Records"]}
            iterator = answer.get("NextShardIterator") if answer["Records"] else None
    return found


@pytest.mark.timeout(300)
def test_nothing_acknowledged_is_lost(own_server) -> None:
    uploads, news, stream = build(own_server)
    rounds: list[Writers] = []
    for number in range(4):
        writers = Writers(own_server, number)
        writers.start()
        writers.wait_until_busy()
        time.sleep(random.uniform(0.0, 1.0))
        own_server.kill9()
        writers.join()
        own_server.start()
        rounds.append(writers)
    s3, dynamodb = own_server.client("s3"), own_server.client("dynamodb")
    objects = {name: content for writers in rounds for name, content in writers.objects.items()}
    items = {name for writers in rounds for name in writers.items}
    messages = {name for writers in rounds for name in writers.messages}
    for name, content in objects.items():
        assert s3.get_object(Bucket="crash", Key=name)["Body"].read() == content
    pages = dynamodb.get_paginator("scan").paginate(TableName="crash")
    assert items <= {item["id"]["S"] for page in pages for item in page["Items"]}
    assert objects.keys() <= drain(own_server, uploads, keys_of_event, set(objects))
    assert messages <= drain(own_server, news, lambda body: [body], messages)
    assert items <= streamed(own_server, stream)


def test_a_message_received_but_not_deleted_comes_again(own_server) -> None:
    sqs = own_server.client("sqs")
    url = sqs.create_queue(QueueName="work", Attributes={"VisibilityTimeout": "2"})["QueueUrl"]
    sqs.send_message(QueueUrl=url, MessageBody="once more")
    assert sqs.receive_message(QueueUrl=url)["Messages"][0]["Body"] == "once more"
    own_server.restart()
    again = own_server.client("sqs").receive_message(QueueUrl=url, WaitTimeSeconds=20)
    assert again["Messages"][0]["Body"] == "once more"


def test_an_asynchronous_invocation_survives(own_server, make_function) -> None:
    table = own_server.client("dynamodb")
    table.create_table(
        TableName="seen",
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    source = (
        "import boto3\n"
        "table = boto3.resource('dynamodb').Table('seen')\n"
        "def handler(event, context):\n"
        "    table.put_item(Item={'id': event['id']})\n"
    )
    make_function(own_server, "note", source)
    client = own_server.client("lambda")
    for number in range(10):
        payload = json.dumps({"id": str(number)})
        answer = client.invoke(FunctionName="note", InvocationType="Event", Payload=payload)
        assert answer["StatusCode"] == 202
    own_server.restart()
    deadline = time.monotonic() + 60
    reader = own_server.client("dynamodb")
    while reader.scan(TableName="seen", Select="COUNT")["Count"] < 10:
        assert time.monotonic() < deadline
        time.sleep(0.1)
