"""Schedules against a real server: roles, queues to look into, times that are about to come."""

import json
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

TRUST = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": {"Service": "scheduler.amazonaws.com"}, "Action": "sts:AssumeRole"}],
}


class Desk:
    """The clients of one server, and what schedules need."""

    def __init__(self, server: Any) -> None:
        self.server = server
        self.scheduler = server.client("scheduler")
        self.sqs = server.client("sqs")
        self.iam = server.client("iam")

    def at(self, seconds: float) -> str:
        """The expression for so many seconds from now."""
        return (datetime.now(UTC) + timedelta(seconds=seconds)).strftime("at(%Y-%m-%dT%H:%M:%S)")

    def role(self, name: str, *actions: str, trust: Any = TRUST) -> str:
        arn: str = self.iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(trust))["Role"]["Arn"]
        statement = {"Effect": "Allow", "Action": list(actions), "Resource": "*"}
        policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
        if actions:
            self.iam.put_role_policy(RoleName=name, PolicyName="allowed", PolicyDocument=policy)
        return arn

    def queue(self, name: str, **attributes: str) -> tuple[str, str]:
        """The URL and the ARN of a new queue."""
        url = self.sqs.create_queue(QueueName=name, Attributes=attributes)["QueueUrl"]
        found = self.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])
        return url, found["Attributes"]["QueueArn"]

    def received(self, url: str) -> dict[str, Any]:
        """The next message."""
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            found = self.sqs.receive_message(QueueUrl=url, WaitTimeSeconds=10, MessageAttributeNames=["All"])
            for message in found.get("Messages", []):
                self.sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
                return message
        pytest.fail("no message came")

    def schedule(self, name: str, expression: str, target: dict[str, Any], **settings: Any) -> str:
        params = {"FlexibleTimeWindow": {"Mode": "OFF"}, **settings}
        arn: str = self.scheduler.create_schedule(Name=name, ScheduleExpression=expression, Target=target, **params)[
            "ScheduleArn"
        ]
        return arn


@pytest.fixture(scope="module")
def desk(server: Any) -> Desk:
    return Desk(server)


@pytest.fixture
def own_desk(own_server: Any) -> Callable[[], Desk]:
    return lambda: Desk(own_server)
