"""Schedules and schedule groups of templates, and the schedules that SAM makes of functions' events."""

import time
from typing import Any

import pytest
from stack_making import Stack

TRUST = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": {"Service": "scheduler.amazonaws.com"}, "Action": "sts:AssumeRole"}],
}
ROLE = {"Type": "AWS::IAM::Role", "Properties": {"AssumeRolePolicyDocument": TRUST}}
SAM = """
Transform: AWS::Serverless-2016-10-31
Resources:
  Runs: {Type: AWS::SQS::Queue}
  Nightly:
    Type: AWS::Serverless::Function
    Properties:
      Runtime: python3.11
      Handler: index.handler
      Environment: {Variables: {QUEUE: !Ref Runs}}
      Policies: [{SQSSendMessagePolicy: {QueueName: !GetAtt Runs.QueueName}}]
      InlineCode: |
        import boto3, os
        def handler(event, context):
            boto3.client("sqs").send_message(QueueUrl=os.environ["QUEUE"], MessageBody=event["report"])
      Events:
        Schedule:
          Type: ScheduleV2
          Properties:
            ScheduleExpression: rate(1 minute)
            Input: '{"report": "nightly"}'
            DeadLetterConfig: {Type: SQS}
            RetryPolicy: {MaximumRetryAttempts: 2}
"""


def template(expression: str, group: str, **settings: Any) -> dict[str, Any]:
    schedule = {
        "ScheduleExpression": expression,
        "FlexibleTimeWindow": {"Mode": "FLEXIBLE", "MaximumWindowInMinutes": "10"},
        "GroupName": {"Ref": group},
        "Target": {"Arn": {"Fn::GetAtt": "Queue.Arn"}, "RoleArn": {"Fn::GetAtt": "Role.Arn"}, "Input": {"a": 1}},
        **settings,
    }
    return {
        "Resources": {
            "Role": ROLE,
            "Queue": {"Type": "AWS::SQS::Queue"},
            "Day": {"Type": "AWS::Scheduler::ScheduleGroup", "Properties": {"Tags": [{"Key": "k", "Value": "v"}]}},
            "Night": {"Type": "AWS::Scheduler::ScheduleGroup", "Properties": {"Name": "night"}},
            "Schedule": {"Type": "AWS::Scheduler::Schedule", "Properties": schedule},
        },
        "Outputs": {
            "Name": {"Value": {"Ref": "Schedule"}},
            "Arn": {"Value": {"Fn::GetAtt": "Schedule.Arn"}},
            "Group": {"Value": {"Ref": "Day"}},
            "GroupArn": {"Value": {"Fn::GetAtt": "Day.Arn"}},
        },
    }


@pytest.fixture(scope="module")
def scheduler(server: Any) -> Any:
    return server.client("scheduler")


def test_a_schedule_in_a_group_of_the_same_stack(server: Any, scheduler: Any) -> None:
    stack = Stack(server, "schedules")
    made = stack.deploy("create", template("rate(1 hour)", "Day", StartDate="2099-01-01T00:00:00Z"))
    assert made["Arn"].endswith(f":schedule/{made['Group']}/{made['Name']}")
    assert made["GroupArn"].endswith(f":schedule-group/{made['Group']}")
    assert scheduler.list_tags_for_resource(ResourceArn=made["GroupArn"])["Tags"][0] == {"Key": "k", "Value": "v"}
    found = scheduler.get_schedule(Name=made["Name"], GroupName=made["Group"])
    assert (found["StartDate"].isoformat(), found["Target"]["Input"]) == ("2099-01-01T00:00:00+00:00", '{"a": 1}')

    stack.deploy("update", template("cron(0 1 * * ? *)", "Day", State="DISABLED"))
    found = scheduler.get_schedule(Name=made["Name"], GroupName=made["Group"])
    assert (found["ScheduleExpression"], found["State"]) == ("cron(0 1 * * ? *)", "DISABLED")

    moved = stack.deploy("update", template("cron(0 1 * * ? *)", "Night", State="DISABLED"))
    assert moved["Arn"].endswith(f":schedule/night/{made['Name']}")
    assert scheduler.list_schedules(GroupName=made["Group"])["Schedules"] == []

    stack.delete()
    assert scheduler.list_schedules(NamePrefix=made["Name"])["Schedules"] == []
    assert [group["Name"] for group in scheduler.list_schedule_groups()["ScheduleGroups"]] == ["default"]


def test_sams_schedule_invokes_its_function(server: Any, scheduler: Any) -> None:
    stack = Stack(server, "nightly")
    stack.deploy("create", SAM)
    found = stack.client.describe_stack_resources(StackName="nightly")["StackResources"]
    queue = next(each["PhysicalResourceId"] for each in found if each["LogicalResourceId"] == "Runs")
    sqs = server.client("sqs")
    deadline = time.monotonic() + 60
    while not (messages := sqs.receive_message(QueueUrl=queue, WaitTimeSeconds=10).get("Messages")):
        assert time.monotonic() < deadline
    assert messages[0]["Body"] == "nightly"
    stack.delete()
