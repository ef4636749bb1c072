"""The flagship application as deployed on a server, with what its tests ask of it."""

import json
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import requests

APPLICATION = Path(__file__).parents[2] / "apps" / "inventory"
Value = TypeVar("Value")


def eventually(found: Callable[[], Value | None], seconds: float = 60) -> Value:
    deadline = time.monotonic() + seconds
    while True:
        value = found()
        if value is not None:
            return value
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.02)


class Application:
    """The deployed stack with a queue that hears every alert."""

    def __init__(self, server: Any) -> None:
        self.server = server
        stack = server.client("cloudformation").describe_stacks(StackName="inventory")["Stacks"][0]
        self.outputs: dict[str, str] = {output["OutputKey"]: output["OutputValue"] for output in stack["Outputs"]}
        self.url = self.outputs["DashboardUrl"]
        self.s3, self.dynamodb, self.sqs = (server.client(name) for name in ("s3", "dynamodb", "sqs"))
        self._queue = self._subscribed_queue()
        self.alerts: Counter[tuple[str, str]] = Counter()

    def _subscribed_queue(self) -> str:
        topic = self.outputs["TopicArn"]
        url: str = self.sqs.create_queue(QueueName="alerts")["QueueUrl"]
        arn = self.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        statement = {
            "Effect": "Allow",
            "Principal": {"Service": "sns.amazonaws.com"},
            "Action": "sqs:SendMessage",
            "Resource": arn,
            "Condition": {"ArnEquals": {"aws:SourceArn": topic}},
        }
        policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
        self.sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": policy})
        self.server.client("sns").subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)
        return url

    def upload(self, name: str, content: bytes) -> None:
        self.s3.put_object(Bucket=self.outputs["BucketName"], Key=f"inventory/{name}", Body=content)

    def levels(self) -> dict[tuple[str, str], int]:
        pages = self.dynamodb.get_paginator("scan").paginate(TableName=self.outputs["TableName"])
        return {
            (row["Store"]["S"], row["Item"]["S"]): int(row["Count"]["N"]) for page in pages for row in page["Items"]
        }

    def upload_of(self, file: str) -> dict[str, Any] | None:
        uploads = requests.get(f"{self.url}api/uploads", timeout=30).json()["uploads"]
        return next((upload for upload in uploads if upload["file"] == file), None)

    def load(self, name: str, content: bytes) -> dict[str, Any]:
        """Uploads a file and waits for what came of it."""
        before = (self.upload_of(name) or {}).get("version")
        self.upload(name, content)

        def result() -> dict[str, Any] | None:
            upload = self.upload_of(name)
            return upload if upload and upload["version"] != before else None

        return eventually(result)

    def wait_for_alert(self, store: str, item: str) -> None:
        """Collects alerts until this one has come."""

        def heard() -> bool | None:
            answer = self.sqs.receive_message(QueueUrl=self._queue, MaxNumberOfMessages=10, WaitTimeSeconds=1)
            for message in answer.get("Messages", []):
                attributes = json.loads(message["Body"])["MessageAttributes"]
                self.alerts[attributes["store"]["Value"], attributes["item"]["Value"]] += 1
                self.sqs.delete_message(QueueUrl=self._queue, ReceiptHandle=message["ReceiptHandle"])
            return True if (store, item) in self.alerts else None

        eventually(heard)
