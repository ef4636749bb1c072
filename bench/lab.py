"""The lab end to end: six stores upload at once; rows in the table and alerts in a queue are counted."""

import json
import statistics
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from bench.functions import make_function
from bench.measure import Measure
from bench.peers import RunningPeer

_STORES = ("Berlin", "Hamburg", "Munich", "Cologne", "Dresden", "Bremen")
_ITEMS = ("Echo Dot", "Echo (2nd Gen)", "Echo Show", "Echo Plus", "Echo Look", "Amazon Tap")
_GIVE_UP = 30.0

_LOAD = """
import csv, urllib.parse, boto3
s3 = boto3.client("s3")
table = boto3.resource("dynamodb").Table("lab-inventory")

def handler(event, context):
    for record in event["Records"]:
        bucket = record["s3"]["bucket"]["name"]
        key = urllib.parse.unquote_plus(record["s3"]["object"]["key"])
        s3.download_file(bucket, key, "/tmp/inventory.txt")
        with open("/tmp/inventory.txt") as file:
            for row in csv.DictReader(file):
                table.put_item(Item={"Store": row["store"], "Item": row["item"], "Count": int(row["count"])})
"""
_CHECK = """
import boto3
sns = boto3.client("sns")

def handler(event, context):
    for record in event["Records"]:
        image = record["dynamodb"].get("NewImage")
        if image and int(image["Count"]["N"]) == 0:
            topic = next(t["TopicArn"] for t in sns.list_topics()["Topics"] if t["TopicArn"].endswith(":lab-alerts"))
            sns.publish(TopicArn=topic, Subject="Out of stock", Message=image["Store"]["S"] + ": " + image["Item"]["S"])
"""


def measure_lab(peer: RunningPeer, role: str) -> Iterator[Measure]:
    """Time from the first upload to the last row and alert; what is missing after 30 seconds was lost."""
    queue_url = _build(peer, role)
    s3 = peer.client("s3")
    files = {store: _inventory(store, number) for number, store in enumerate(_STORES)}
    started = time.perf_counter()
    with ThreadPoolExecutor(6) as pool:
        uploads = [
            pool.submit(s3.put_object, Bucket="lab-uploads", Key=f"{store}.csv", Body=content)
            for store, content in files.items()
        ]
        for upload in uploads:
            upload.result()
    rows, alerts = 0, set[str]()
    sqs, dynamodb = peer.client("sqs"), peer.client("dynamodb")
    while (rows < 36 or len(alerts) < 6) and time.perf_counter() - started < _GIVE_UP:
        alerts |= _receive(sqs, queue_url, wait=1 if len(alerts) < 6 else 0)
        rows = dynamodb.scan(TableName="lab-inventory", Select="COUNT", ConsistentRead=True)["Count"]
    seconds = time.perf_counter() - started
    complete = rows == 36 and len(alerts) == 6
    note = f"{rows} of 36 rows, {len(alerts)} of 6 alerts"
    yield Measure("Lab of six files", seconds if complete else None, "s", note=note)
    yield _upload_to_alert(s3, sqs, queue_url)


def _upload_to_alert(s3: Any, sqs: Any, queue_url: str) -> Measure:
    """From an upload to the managers' message, once the functions are warm; each time another item is out of stock."""
    while _receive(sqs, queue_url, wait=1):
        pass  # what a server delivers twice, or late
    times = []
    for item in _ITEMS:
        started = time.perf_counter()
        s3.put_object(Bucket="lab-uploads", Key=f"late-{item}.csv", Body=f"store,item,count\nBonn,{item},0\n".encode())
        alert = f"Bonn: {item}"
        while alert not in _receive(sqs, queue_url, wait=1):
            if time.perf_counter() - started > _GIVE_UP:
                return Measure("Upload to alert, warm", None, "ms", note="no alert")
        times.append(time.perf_counter() - started)
    return Measure("Upload to alert, warm", statistics.median(times) * 1000, "ms", note=f"median of {len(times)}")


def _inventory(store: str, number: int) -> bytes:
    """Each store is out of one item."""
    lines = [f"{store},{item},{0 if place == number else 10 + place}" for place, item in enumerate(_ITEMS)]
    return "\n".join(["store,item,count", *lines, ""]).encode()


def _receive(sqs: Any, queue_url: str, wait: int) -> set[str]:
    answer = sqs.receive_message(QueueUrl=queue_url, MaxNumberOfMessages=10, WaitTimeSeconds=wait)
    bodies = set()
    for message in answer.get("Messages", []):
        bodies.add(json.loads(message["Body"])["Message"])
        sqs.delete_message(QueueUrl=queue_url, ReceiptHandle=message["ReceiptHandle"])
    return bodies


def _build(peer: RunningPeer, role: str) -> str:
    """The lab's resources, made by hand as its students do. Returns the URL of the queue that gets the alerts."""
    table = peer.client("dynamodb").create_table(
        TableName="lab-inventory",
        KeySchema=[{"AttributeName": "Store", "KeyType": "HASH"}, {"AttributeName": "Item", "KeyType": "RANGE"}],
        AttributeDefinitions=[
            {"AttributeName": "Store", "AttributeType": "S"},
            {"AttributeName": "Item", "AttributeType": "S"},
        ],
        BillingMode="PAY_PER_REQUEST",
        StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"},
    )["TableDescription"]
    load = make_function(peer, "lab-load", _LOAD, role)
    make_function(peer, "lab-check", _CHECK, role)
    peer.client("lambda").create_event_source_mapping(
        EventSourceArn=table["LatestStreamArn"], FunctionName="lab-check", StartingPosition="TRIM_HORIZON"
    )
    _notify(peer, load)
    return _subscribe_queue(peer)


def _notify(peer: RunningPeer, function: str) -> None:
    s3 = peer.client("s3")
    s3.create_bucket(Bucket="lab-uploads")
    peer.client("lambda").add_permission(
        FunctionName="lab-load", StatementId="s3", Action="lambda:InvokeFunction", Principal="s3.amazonaws.com",
        SourceArn="arn:aws:s3:::lab-uploads",
    )  # fmt: skip
    s3.put_bucket_notification_configuration(
        Bucket="lab-uploads",
        NotificationConfiguration={
            "LambdaFunctionConfigurations": [{"LambdaFunctionArn": function, "Events": ["s3:ObjectCreated:*"]}]
        },
    )


def _subscribe_queue(peer: RunningPeer) -> str:
    sqs, sns = peer.client("sqs"), peer.client("sns")
    url: str = sqs.create_queue(QueueName="lab-managers")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    topic = sns.create_topic(Name="lab-alerts")["TopicArn"]
    policy = {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": {"Service": "sns.amazonaws.com"},
                "Action": "sqs:SendMessage",
                "Resource": arn,
                "Condition": {"ArnEquals": {"aws:SourceArn": topic}},
            }
        ],
    }
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": json.dumps(policy)})
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)
    return url
