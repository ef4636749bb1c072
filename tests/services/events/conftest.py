"""Queues and rules for the tests of EventBridge."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from event_making import Queue


@pytest.fixture
def make_queue() -> Callable[..., Queue]:
    """Makes a queue whose policy lets rules send to it (unless told otherwise)."""

    def make(server: Any, name: str, *, open_to_rules: bool = True, **attributes: str) -> Queue:
        sqs = server.client("sqs")
        url = sqs.create_queue(QueueName=name, Attributes=attributes)["QueueUrl"]
        arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        if open_to_rules:
            statement = {
                "Effect": "Allow",
                "Principal": {"Service": "events.amazonaws.com"},
                "Action": "sqs:SendMessage",
                "Resource": arn,
            }
            policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
            sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": policy})
        return Queue(server, url, arn)

    return make


@pytest.fixture
def make_rule() -> Callable[..., str]:
    """Makes a rule of the default bus (or another) for events of a source, with targets; returns its ARN."""

    def make(server: Any, name: str, source: str, *targets: dict[str, Any], bus: str = "default") -> str:
        events = server.client("events")
        pattern = json.dumps({"source": [source]})
        arn: str = events.put_rule(Name=name, EventPattern=pattern, EventBusName=bus)["RuleArn"]
        numbered = [{"Id": str(number), **target} for number, target in enumerate(targets)]
        if numbered:
            assert events.put_targets(Rule=name, EventBusName=bus, Targets=numbered)["FailedEntryCount"] == 0
        return arn

    return make
