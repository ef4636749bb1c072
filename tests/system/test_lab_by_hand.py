"""The lab, done by hand as its students do it through the SDK, with their way of writing functions."""

import json
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.request import urlopen

import pytest

from waiting import eventually

STORES = ("Berlin", "Hamburg", "Munich", "Cologne", "Dresden", "Bremen")
ITEMS = ("Echo Dot", "Echo (2nd Gen)", "Echo Show", "Echo Plus", "Echo Look", "Amazon Tap")

LOAD_INVENTORY = """
import csv, os, urllib.parse
import boto3

s3 = boto3.resource('s3')
dynamodb = boto3.resource('dynamodb')
inventory = dynamodb.Table('Inventory')

def handler(event, context):
    print('Event received by Lambda function: ' + str(event))
    bucket = event['Records'][0]['s3']['bucket']['name']
    key = urllib.parse.unquote_plus(event['Records'][0]['s3']['object']['key'])
    local = '/tmp/inventory.txt'
    s3.meta.client.download_file(bucket, key, local)
    count = 0
    with open(local) as file:
        for row in csv.DictReader(file, delimiter=','):
            count += 1
            inventory.put_item(Item={'Store': row['store'], 'Item': row['item'], 'Count': int(row['count'])})
    return '%d counts inserted' % count
"""

CHECK_STOCK = """
import json
import boto3

def handler(event, context):
    for record in event['Records']:
        image = record['dynamodb'].get('NewImage', None)
        if image and image['Count']['N'] == '0':
            store, item = image['Store']['S'], image['Item']['S']
            message = store + ' is out of stock of ' + item
            sns = boto3.client('sns')
            for topic in sns.list_topics()['Topics']:
                if 'NoStock' in topic['TopicArn']:
                    sns.publish(TopicArn=topic['TopicArn'], Message=message, Subject='Inventory Alert!',
                                MessageStructure='raw')
    return 'Successfully processed {} records.'.format(len(event['Records']))
"""


class Subscriber:
    """An HTTP endpoint that confirms its subscription and keeps what it is told."""

    def __init__(self) -> None:
        self.messages: list[str] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                if body["Type"] == "SubscriptionConfirmation":
                    threading.Thread(target=lambda: urlopen(body["SubscribeURL"]).read()).start()
                elif body["Type"] == "Notification":
                    outer.messages.append(body["Message"])
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, format: str, *args: Any) -> None:
                """Quiet."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self._server.server_port}/alerts"

    def close(self) -> None:
        self._server.shutdown()


class Lab:
    """The lab's resources on one server."""

    def __init__(self, server: Any, make_function: Callable[..., str]) -> None:
        self.server = server
        self.s3 = server.client("s3")
        self.dynamodb = server.client("dynamodb")
        self.sns = server.client("sns")
        self.sqs = server.client("sqs")
        self.lambda_ = server.client("lambda")
        self.subscriber = Subscriber()
        self.alerts: list[str] = []
        self._table()
        self._topic()
        load = make_function(server, "Load-Inventory", LOAD_INVENTORY, "s3:*", "dynamodb:*", Timeout=300)
        make_function(server, "Check-Stock", CHECK_STOCK, "sns:*", "dynamodb:*")
        self._connect(load)

    def _table(self) -> None:
        self.dynamodb.create_table(
            TableName="Inventory",
            KeySchema=[{"AttributeName": "Store", "KeyType": "HASH"}, {"AttributeName": "Item", "KeyType": "RANGE"}],
            AttributeDefinitions=[
                {"AttributeName": "Store", "AttributeType": "S"},
                {"AttributeName": "Item", "AttributeType": "S"},
            ],
            ProvisionedThroughput={"ReadCapacityUnits": 5, "WriteCapacityUnits": 5},
            StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"},
        )
        self.dynamodb.get_waiter("table_exists").wait(TableName="Inventory", WaiterConfig={"Delay": 1})
        self.stream = self.dynamodb.describe_table(TableName="Inventory")["Table"]["LatestStreamArn"]

    def _topic(self) -> None:
        self.topic = self.sns.create_topic(Name="NoStock")["TopicArn"]
        self.queue = self.sqs.create_queue(QueueName="managers")["QueueUrl"]
        arn = self.sqs.get_queue_attributes(QueueUrl=self.queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        statement = {"Effect": "Allow", "Principal": {"Service": "sns.amazonaws.com"}, "Action": "sqs:SendMessage",
                     "Resource": arn, "Condition": {"ArnEquals": {"aws:SourceArn": self.topic}}}  # fmt: skip
        policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
        self.sqs.set_queue_attributes(QueueUrl=self.queue, Attributes={"Policy": policy})
        self.sns.subscribe(TopicArn=self.topic, Protocol="sqs", Endpoint=arn)
        self.sns.subscribe(TopicArn=self.topic, Protocol="http", Endpoint=self.subscriber.url)
        eventually(lambda: self._pending() == 0)

    def _pending(self) -> int:
        found = self.sns.list_subscriptions_by_topic(TopicArn=self.topic)["Subscriptions"]
        return sum(subscription["SubscriptionArn"] == "PendingConfirmation" for subscription in found)

    def _connect(self, load: str) -> None:
        self.s3.create_bucket(Bucket="inventory-uploads")
        self.lambda_.add_permission(
            FunctionName="Load-Inventory", StatementId="s3", Action="lambda:InvokeFunction",
            Principal="s3.amazonaws.com", SourceArn="arn:aws:s3:::inventory-uploads",
        )  # fmt: skip
        self.s3.put_bucket_notification_configuration(
            Bucket="inventory-uploads",
            NotificationConfiguration={
                "LambdaFunctionConfigurations": [{"LambdaFunctionArn": load, "Events": ["s3:ObjectCreated:*"]}]
            },
        )
        self.lambda_.create_event_source_mapping(
            EventSourceArn=self.stream, FunctionName="Check-Stock", StartingPosition="LATEST", BatchSize=100
        )
        eventually(lambda: self._mapping_state() == "Enabled")

    def _mapping_state(self) -> str:
        state: str = self.lambda_.list_event_source_mappings()["EventSourceMappings"][0]["State"]
        return state

    def upload(self, name: str, lines: list[str]) -> None:
        content = "\n".join(["store,item,count", *lines, ""]).encode()
        self.s3.put_object(Bucket="inventory-uploads", Key=name, Body=content)

    def rows(self) -> int:
        pages = self.dynamodb.get_paginator("scan").paginate(TableName="Inventory", Select="COUNT", ConsistentRead=True)
        return sum(page["Count"] for page in pages)

    def collect_alerts(self) -> set[str]:
        """All alerts that the queue got so far."""
        answer = self.sqs.receive_message(QueueUrl=self.queue, MaxNumberOfMessages=10, WaitTimeSeconds=1)
        for message in answer.get("Messages", []):
            self.alerts.append(json.loads(message["Body"])["Message"])
            self.sqs.delete_message(QueueUrl=self.queue, ReceiptHandle=message["ReceiptHandle"])
        return set(self.alerts)


@pytest.fixture
def lab(own_server, make_function):
    built = Lab(own_server, make_function)
    yield built
    built.subscriber.close()


@pytest.mark.timeout(600)
def test_six_stores_at_once_then_a_large_file(lab: Lab) -> None:
    with ThreadPoolExecutor(len(STORES)) as pool:
        for number, store in enumerate(STORES):
            lines = [f"{store},{item},{0 if place == number else 10 + place}" for place, item in enumerate(ITEMS)]
            pool.submit(lab.upload, f"{store}.csv", lines)
    expected = {f"{store} is out of stock of {ITEMS[number]}" for number, store in enumerate(STORES)}
    eventually(lambda: lab.rows() == 36)
    eventually(lambda: lab.collect_alerts() >= expected)
    eventually(lambda: set(lab.subscriber.messages) >= expected)
    assert set(lab.alerts) == set(lab.subscriber.messages) == expected

    lab.upload("large.csv", [f"Leipzig,item {n},{n % 500}" for n in range(2000)])
    eventually(lambda: lab.rows() == 36 + 2000, seconds=240)
    more = {f"Leipzig is out of stock of item {n}" for n in range(0, 2000, 500)}
    eventually(lambda: lab.collect_alerts() >= expected | more)
    assert set(lab.alerts) == expected | more


def test_the_function_logs_what_it_printed(lab: Lab) -> None:
    lab.upload("berlin.csv", ["Berlin,Echo Dot,12"])
    eventually(lambda: lab.rows() == 1)
    logs = lab.server.client("logs")

    def messages() -> str:
        try:
            events = logs.filter_log_events(logGroupName="/aws/lambda/Load-Inventory")["events"]
        except logs.exceptions.ResourceNotFoundException:
            return ""
        return "".join(event["message"] for event in events)

    eventually(lambda: "REPORT RequestId" in messages())
    text = messages()
    assert "START RequestId" in text
    assert "Event received by Lambda function" in text
    assert "END RequestId" in text
