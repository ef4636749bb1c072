"""Targets are called when their schedules fall due, as the schedules' roles, with what the schedules say."""

import json
import re
import time
from typing import Any

import pytest

ACCOUNT = "000000000000"
FORWARD = """
import json, os, boto3

def handler(event, context):
    boto3.client("sqs").send_message(QueueUrl=os.environ["QUEUE"], MessageBody=json.dumps(event))
"""


@pytest.fixture(scope="module")
def role(desk: Any) -> str:
    return desk.role("everything", "*")


def test_a_queue_gets_the_input_with_its_context(desk: Any, role: str) -> None:
    url, arn = desk.queue("context")
    wanted = {
        "schedule": "<aws.scheduler.schedule-arn>",
        "time": "<aws.scheduler.scheduled-time>",
        "execution": "<aws.scheduler.execution-id>",
        "attempt": "<aws.scheduler.attempt-number>",
    }
    expression = desk.at(1)
    schedule = desk.schedule("context", expression, {"Arn": arn, "RoleArn": role, "Input": json.dumps(wanted)})
    found = json.loads(desk.received(url)["Body"])
    assert re.fullmatch("[a-z0-9]{16}", found.pop("execution"))
    assert found == {"schedule": schedule, "time": f"{expression[3:-1]}Z", "attempt": "1"}


def test_a_function_gets_a_notification_where_there_is_no_input(desk: Any, role: str, make_function: Any) -> None:
    url, _ = desk.queue("notified")
    function = make_function(desk.server, "forward", FORWARD, Environment={"Variables": {"QUEUE": url}})
    expression = desk.at(1)
    schedule = desk.schedule("notify", expression, {"Arn": function, "RoleArn": role})
    event = json.loads(desk.received(url)["Body"])
    assert event.pop("id")
    assert event == {
        "version": "0",
        "detail-type": "Scheduled Event",
        "source": "aws.scheduler",
        "account": ACCOUNT,
        "time": f"{expression[3:-1]}Z",
        "region": "us-east-1",
        "resources": [schedule],
        "detail": "{}",
    }


def test_a_topic_passes_it_on(desk: Any, role: str) -> None:
    sns = desk.server.client("sns")
    topic = sns.create_topic(Name="scheduled")["TopicArn"]
    url, arn = desk.queue("subscribed")
    policy = {
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": {"Service": "sns.amazonaws.com"},
                "Action": "sqs:SendMessage",
                "Resource": arn,
            }
        ]
    }
    desk.sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": json.dumps(policy)})
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn, Attributes={"RawMessageDelivery": "true"})
    desk.schedule("publish", desk.at(0), {"Arn": topic, "RoleArn": role, "Input": "not even JSON"})
    assert desk.received(url)["Body"] == "not even JSON"


def test_an_event_bus_gets_an_event(desk: Any, role: str) -> None:
    events = desk.server.client("events")
    bus = events.create_event_bus(Name="shop")["EventBusArn"]
    url, arn = desk.queue("events")
    events.put_rule(Name="all", EventBusName="shop", EventPattern=json.dumps({"source": ["shop.clock"]}))
    allowed = {"Service": "events.amazonaws.com"}
    statement = {"Effect": "Allow", "Principal": allowed, "Action": "sqs:SendMessage", "Resource": arn}
    desk.sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": json.dumps({"Statement": [statement]})})
    events.put_targets(Rule="all", EventBusName="shop", Targets=[{"Id": "queue", "Arn": arn}])
    target = {
        "Arn": bus,
        "RoleArn": role,
        "Input": '{"report": "nightly"}',
        "EventBridgeParameters": {"DetailType": "due", "Source": "shop.clock"},
    }
    schedule = desk.schedule("event", desk.at(0), target)
    event = json.loads(desk.received(url)["Body"])
    assert (event["detail-type"], event["source"], event["detail"]) == ("due", "shop.clock", {"report": "nightly"})
    assert event["resources"] == [schedule]


def test_a_fifo_queue_gets_it_in_a_message_group(desk: Any, role: str) -> None:
    url, arn = desk.queue("ordered.fifo", FifoQueue="true", ContentBasedDeduplication="true")
    group = {"SqsParameters": {"MessageGroupId": "night"}}
    desk.schedule("ordered", desk.at(0), {"Arn": arn, "RoleArn": role, "Input": "one", **group})
    assert desk.received(url)["Body"] == "one"


def test_any_operation_may_be_a_target(desk: Any, role: str) -> None:
    desk.server.client("dynamodb").create_table(
        TableName="runs",
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    item = {"id": {"S": "<aws.scheduler.schedule-arn>"}}
    target = {
        "Arn": "arn:aws:scheduler:::aws-sdk:dynamodb:putItem",
        "RoleArn": role,
        "Input": json.dumps({"tableName": "runs", "Item": item}),
    }
    arn = desk.schedule("put", desk.at(0), target)
    table = desk.server.resource("dynamodb").Table("runs")
    deadline = time.monotonic() + 60
    while not (found := table.scan()["Items"]):
        assert time.monotonic() < deadline
    assert found == [{"id": arn}]


def test_an_object_may_be_written(desk: Any, role: str) -> None:
    s3 = desk.server.client("s3")
    s3.create_bucket(Bucket="reports")
    target = {
        "Arn": "arn:aws:scheduler:::aws-sdk:s3:putObject",
        "RoleArn": role,
        "Input": json.dumps({"Bucket": "reports", "Key": "<aws.scheduler.execution-id>", "Body": "all is well"}),
    }
    desk.schedule("write", desk.at(0), target)
    deadline = time.monotonic() + 60
    while not (found := s3.list_objects_v2(Bucket="reports").get("Contents")):
        assert time.monotonic() < deadline
    assert s3.get_object(Bucket="reports", Key=found[0]["Key"])["Body"].read() == b"all is well"


def test_a_rate_begins_at_once_and_goes_on(desk: Any, role: str) -> None:
    url, arn = desk.queue("rate")
    desk.schedule("rate", "rate(1 minute)", {"Arn": arn, "RoleArn": role, "Input": "tick"})
    assert desk.received(url)["Body"] == "tick"
    desk.scheduler.delete_schedule(Name="rate")


def test_a_schedule_that_is_complete_may_delete_itself(desk: Any, role: str) -> None:
    url, arn = desk.queue("complete")
    target = {"Arn": arn, "RoleArn": role, "Input": "done"}
    desk.schedule("leaves", desk.at(0), target, ActionAfterCompletion="DELETE")
    desk.schedule("stays", desk.at(0), target)
    assert {desk.received(url)["Body"], desk.received(url)["Body"]} == {"done"}
    deadline = time.monotonic() + 60
    while desk.scheduler.list_schedules(NamePrefix="leaves")["Schedules"]:
        assert time.monotonic() < deadline
    assert desk.scheduler.get_schedule(Name="stays")["State"] == "ENABLED"


def test_what_is_disabled_or_deleted_is_not_invoked(desk: Any, role: str) -> None:
    url, arn = desk.queue("silence")
    target = {"Arn": arn, "RoleArn": role}
    soon = desk.at(6)  # long after the deletion, also on a busy machine
    desk.schedule("disabled", soon, {**target, "Input": "disabled"}, State="DISABLED")
    desk.schedule("deleted", soon, {**target, "Input": "deleted"})
    desk.schedule("past", desk.at(-120), {**target, "Input": "past"})
    desk.scheduler.delete_schedule(Name="deleted")
    desk.schedule("later", desk.at(7), {**target, "Input": "later"})
    assert desk.received(url)["Body"] == "later"


def test_what_cannot_be_delivered_becomes_a_dead_letter(desk: Any, role: str) -> None:
    url, arn = desk.queue("dead")
    target = {
        "Arn": f"arn:aws:sqs:us-east-1:{ACCOUNT}:nowhere",
        "RoleArn": role,
        "Input": "attempt <aws.scheduler.attempt-number>",
        "RetryPolicy": {"MaximumRetryAttempts": 1},
        "DeadLetterConfig": {"Arn": arn},
    }
    expression = desk.at(0)
    schedule = desk.schedule("lost", expression, target)
    message = desk.received(url)
    assert message["Body"] == "attempt 2"
    attributes = {name: value["StringValue"] for name, value in message["MessageAttributes"].items()}
    assert attributes.pop("EXECUTION_ID")
    assert attributes.pop("ERROR_MESSAGE") == "The specified queue does not exist."
    assert attributes == {
        "ERROR_CODE": "AWS.SimpleQueueService.NonExistentQueue",
        "EXHAUSTED_RETRY_CONDITION": "MaximumRetryAttempts",
        "IS_PAYLOAD_TRUNCATED": "false",
        "RETRY_ATTEMPTS": "1",
        "SCHEDULED_TIME": f"{expression[3:-1]}Z",
        "SCHEDULE_ARN": schedule,
        "TARGET_ARN": target["Arn"],
    }


def test_the_role_decides_what_a_schedule_may_do(desk: Any) -> None:
    url, _ = desk.queue("forbidden")
    dead, dead_arn = desk.queue("forbidden-dead")
    role = desk.role("letters-only", "sqs:GetQueueUrl")
    desk.iam.put_role_policy(
        RoleName="letters-only",
        PolicyName="letters",
        PolicyDocument=json.dumps(
            {
                "Version": "2012-10-17",
                "Statement": [{"Effect": "Allow", "Action": "sqs:SendMessage", "Resource": dead_arn}],
            }
        ),
    )
    target = {
        "Arn": "arn:aws:scheduler:::aws-sdk:sqs:sendMessage",
        "RoleArn": role,
        "Input": json.dumps({"QueueUrl": url, "MessageBody": "secret"}),
        "RetryPolicy": {"MaximumRetryAttempts": 0},
        "DeadLetterConfig": {"Arn": dead_arn},
    }
    desk.schedule("forbidden", desk.at(0), target)
    attributes = desk.received(dead)["MessageAttributes"]
    assert attributes["ERROR_CODE"]["StringValue"] == "AccessDenied"
    assert (
        "letters-only/scheduler is not authorized to perform: sqs:SendMessage"
        in (attributes["ERROR_MESSAGE"]["StringValue"])
    )
