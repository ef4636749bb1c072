"""Policies may ask for the tags of queues, topics and schedule groups, and for those that a request gives."""

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

POLICY = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Allow",
            "Action": ["sqs:*", "sns:*", "scheduler:*"],
            "Resource": "*",
            "Condition": {"StringEquals": {"aws:ResourceTag/team": "blue"}},
        },
        {
            "Effect": "Allow",
            "Action": [
                *("sqs:CreateQueue", "sqs:TagQueue", "sns:CreateTopic", "sns:TagResource"),
                "scheduler:CreateScheduleGroup",
            ],
            "Resource": "*",
            "Condition": {"StringEquals": {"aws:RequestTag/team": "blue"}},
        },
    ],
}


@pytest.fixture(scope="module")
def member(server: Any) -> Any:
    """The session of a user who may do everything with what belongs to team blue."""
    iam = server.client("iam")
    iam.create_user(UserName="member")
    iam.put_user_policy(UserName="member", PolicyName="team", PolicyDocument=json.dumps(POLICY))
    key = iam.create_access_key(UserName="member")["AccessKey"]
    return server.session(key["AccessKeyId"], key["SecretAccessKey"])


def test_queues(server: Any, member: Any) -> None:
    root, sqs = server.client("sqs"), server.client("sqs", session=member)
    red = root.create_queue(QueueName="red", tags={"team": "red"})["QueueUrl"]
    blue = sqs.create_queue(QueueName="blue", tags={"team": "blue"})["QueueUrl"]
    sqs.send_message(QueueUrl=blue, MessageBody="hello")
    for call, params in (
        (sqs.send_message, {"QueueUrl": red, "MessageBody": "hello"}),
        (sqs.create_queue, {"QueueName": "other", "tags": {"team": "red"}}),
        (sqs.create_queue, {"QueueName": "other"}),
    ):
        with pytest.raises(ClientError, match="AccessDenied"):
            call(**params)


def test_topics(server: Any, member: Any) -> None:
    sns = server.client("sns", session=member)
    red = server.client("sns").create_topic(Name="red", Tags=[{"Key": "team", "Value": "red"}])["TopicArn"]
    blue = sns.create_topic(Name="blue", Tags=[{"Key": "team", "Value": "blue"}])["TopicArn"]
    sns.publish(TopicArn=blue, Message="hello")
    sns.tag_resource(ResourceArn=blue, Tags=[{"Key": "color", "Value": "dark"}])
    with pytest.raises(ClientError, match="AuthorizationError"):
        sns.tag_resource(ResourceArn=red, Tags=[{"Key": "color", "Value": "dark"}])
    with pytest.raises(ClientError, match="AuthorizationError"):
        sns.create_topic(Name="other")


def test_schedule_groups(server: Any, member: Any) -> None:
    scheduler = server.client("scheduler", session=member)
    server.client("scheduler").create_schedule_group(Name="red", Tags=[{"Key": "team", "Value": "red"}])
    scheduler.create_schedule_group(Name="blue", Tags=[{"Key": "team", "Value": "blue"}])
    assert scheduler.get_schedule_group(Name="blue")["State"] == "ACTIVE"
    with pytest.raises(ClientError, match="AccessDeniedException"):
        scheduler.get_schedule_group(Name="red")
    with pytest.raises(ClientError, match="AccessDeniedException"):
        scheduler.create_schedule_group(Name="other")
