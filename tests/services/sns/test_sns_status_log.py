"""What became of deliveries stands in CloudWatch Logs, where a topic names a role for it."""

import json
import time
from typing import Any

import pytest
from botocore.exceptions import ClientError

ACCOUNT = "000000000000"
TRUST = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": {"Service": "sns.amazonaws.com"}, "Action": "sts:AssumeRole"}],
}


@pytest.fixture(scope="module")
def role(server: Any) -> str:
    iam = server.client("iam")
    arn: str = iam.create_role(RoleName="feedback", AssumeRolePolicyDocument=json.dumps(TRUST))["Role"]["Arn"]
    actions = ["logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents"]
    statement = {"Effect": "Allow", "Action": actions, "Resource": "*"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    iam.put_role_policy(RoleName="feedback", PolicyName="logs", PolicyDocument=document)
    return arn


def logged(server: Any, group: str) -> dict[str, Any]:
    """The first entry of a log group, once there is one."""
    logs = server.client("logs")
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        if logs.describe_log_groups(logGroupNamePrefix=group)["logGroups"]:
            for event in logs.filter_log_events(logGroupName=group)["events"]:
                entry: dict[str, Any] = json.loads(event["message"])
                return entry
    pytest.fail(f"nothing in {group}")


def test_successes_and_failures_are_logged(server: Any, role: str) -> None:
    sns, sqs = server.client("sns"), server.client("sqs")
    attributes = {
        "SQSSuccessFeedbackRoleArn": role,
        "SQSSuccessFeedbackSampleRate": "100",
        "SQSFailureFeedbackRoleArn": role,
    }
    topic = sns.create_topic(Name="watched", Attributes=attributes)["TopicArn"]
    assert sns.get_topic_attributes(TopicArn=topic)["Attributes"]["SQSSuccessFeedbackSampleRate"] == "100"
    queue = f"arn:aws:sqs:us-east-1:{ACCOUNT}:inbox"
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=queue)
    sns.publish(TopicArn=topic, Message="to nobody")
    failure = logged(server, f"sns/us-east-1/{ACCOUNT}/watched/Failure")
    assert (failure["status"], failure["delivery"]["destination"]) == ("FAILURE", queue)
    assert (failure["delivery"]["statusCode"], failure["delivery"]["attempts"]) == (403, 1)

    statement = {"Effect": "Allow", "Principal": "*", "Action": "sqs:SendMessage", "Resource": queue}
    sqs.create_queue(QueueName="inbox", Attributes={"Policy": json.dumps({"Statement": [statement]})})
    sent = sns.publish(TopicArn=topic, Message="to somebody")
    success = logged(server, f"sns/us-east-1/{ACCOUNT}/watched")
    assert (success["status"], success["notification"]["messageId"]) == ("SUCCESS", sent["MessageId"])
    assert (success["delivery"]["attempts"], success["delivery"]["statusCode"]) == (1, 200)
    assert success["notification"]["topicArn"] == topic


@pytest.mark.parametrize(
    ("name", "value", "code"),
    [
        ("SQSSuccessFeedbackRoleArn", "nonsense", "InvalidParameter"),
        ("HTTPSuccessFeedbackSampleRate", "101", "InvalidParameter"),
        ("ApplicationSuccessFeedbackRoleArn", f"arn:aws:iam::{ACCOUNT}:role/feedback", "NotImplemented"),
        ("SQSFailureFeedbackRoleArn", "arn:aws:iam::111111111111:role/other", "AuthorizationError"),
    ],
)
def test_what_is_refused(server: Any, role: str, name: str, value: str, code: str) -> None:
    sns = server.client("sns")
    topic = sns.create_topic(Name="plain")["TopicArn"]
    with pytest.raises(ClientError, match=code):
        sns.set_topic_attributes(TopicArn=topic, AttributeName=name, AttributeValue=value)
