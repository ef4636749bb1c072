"""What users may do whose policies name queues: that, and nothing with the others."""

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

QUEUES = "arn:aws:sqs:us-east-1:000000000000"


def client_of(server: Any, name: str, action: str, resource: str) -> Any:
    iam = server.client("iam")
    iam.create_user(UserName=name)
    statement = {"Effect": "Allow", "Action": action, "Resource": resource}
    document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    iam.put_user_policy(UserName=name, PolicyName="p", PolicyDocument=document)
    key = iam.create_access_key(UserName=name)["AccessKey"]
    return server.client("sqs", session=server.session(key["AccessKeyId"], key["SecretAccessKey"]))


def test_the_right_to_one_queue_is_none_to_list_them_all(server: Any) -> None:
    sqs = client_of(server, "of-one", "sqs:*", f"{QUEUES}:mine*")
    url = sqs.create_queue(QueueName="mine")["QueueUrl"]
    sqs.send_message(QueueUrl=url, MessageBody="m")
    with pytest.raises(ClientError, match="AccessDenied"):
        sqs.list_queues()
    assert url in client_of(server, "of-all", "sqs:ListQueues", f"{QUEUES}:*").list_queues()["QueueUrls"]


def test_a_move_task_is_its_source_queues(server: Any) -> None:
    sqs = server.client("sqs")
    dead = sqs.create_queue(QueueName="dead")["QueueUrl"]
    policy = json.dumps({"deadLetterTargetArn": f"{QUEUES}:dead", "maxReceiveCount": 1})
    sqs.create_queue(QueueName="alive", Attributes={"RedrivePolicy": policy})
    for _ in range(10):
        sqs.send_message(QueueUrl=dead, MessageBody="m")
    task = {"SourceArn": f"{QUEUES}:dead", "DestinationArn": f"{QUEUES}:alive", "MaxNumberOfMessagesPerSecond": 1}
    handle = sqs.start_message_move_task(**task)["TaskHandle"]
    other = client_of(server, "of-others", "sqs:*", f"{QUEUES}:others*")
    with pytest.raises(ClientError, match=f"sqs:CancelMessageMoveTask on resource: {QUEUES}:dead"):
        other.cancel_message_move_task(TaskHandle=handle)
    mover = client_of(server, "mover", "sqs:CancelMessageMoveTask", f"{QUEUES}:dead")
    assert "ApproximateNumberOfMessagesMoved" in mover.cancel_message_move_task(TaskHandle=handle)


def test_tags_at_creation_need_the_right_to_tag(server: Any) -> None:
    sqs = client_of(server, "creator", "sqs:CreateQueue", "*")
    sqs.create_queue(QueueName="untagged")
    with pytest.raises(ClientError, match="sqs:TagQueue"):
        sqs.create_queue(QueueName="tagged", tags={"a": "b"})
