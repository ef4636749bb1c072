"""Rules and event buses of templates, and the rules that SAM makes of functions' events."""

import json
import time
from typing import Any

import pytest
from stack_making import Stack

SAM = """
Transform: AWS::Serverless-2016-10-31
Resources:
  Runs: {Type: AWS::SQS::Queue}
  Bus: {Type: AWS::Events::EventBus, Properties: {Name: sam-bus}}
  Listener:
    Type: AWS::Serverless::Function
    Properties:
      Runtime: python3.11
      Handler: index.handler
      Environment: {Variables: {QUEUE: !Ref Runs}}
      Policies: [{SQSSendMessagePolicy: {QueueName: !GetAtt Runs.QueueName}}]
      InlineCode: |
        import boto3, json, os
        def handler(event, context):
            boto3.client("sqs").send_message(QueueUrl=os.environ["QUEUE"], MessageBody=json.dumps(event))
      Events:
        OwnBus:
          Type: EventBridgeRule
          Properties:
            EventBusName: !Ref Bus
            Pattern: {source: [sam.own]}
            InputPath: $.detail
            RetryPolicy: {MaximumRetryAttempts: 3, MaximumEventAgeInSeconds: 600}
            DeadLetterConfig: {Type: SQS}
        OldName:
          Type: CloudWatchEvent
          Properties:
            Pattern: {source: [sam.default], detail: {n: [{numeric: [">", 1]}]}}
        Often:
          Type: Schedule
          Properties:
            Schedule: rate(1 hour)
            Name: sam-often
            Enabled: false
            Input: '{"often": true}'
Outputs:
  Queue: {Value: !Ref Runs}
"""


def rules_template(targets: list[dict[str, Any]], **settings: Any) -> dict[str, Any]:
    bus = {"EventBusName": {"Ref": "Bus"}, "EventPattern": {"source": ["a"]}}
    rule = {"ScheduleExpression": "rate(5 minutes)", "Targets": targets, **settings}
    return {
        "Resources": {
            "Bus": {"Type": "AWS::Events::EventBus", "Properties": {"Name": "cfn-bus"}},
            "Queue": {"Type": "AWS::SQS::Queue"},
            "OnBus": {"Type": "AWS::Events::Rule", "Properties": bus},
            "OnDefault": {"Type": "AWS::Events::Rule", "Properties": rule},
        },
        "Outputs": {
            "OnBus": {"Value": {"Ref": "OnBus"}},
            "OnBusArn": {"Value": {"Fn::GetAtt": "OnBus.Arn"}},
            "OnDefault": {"Value": {"Ref": "OnDefault"}},
            "BusArn": {"Value": {"Fn::GetAtt": "Bus.Arn"}},
        },
    }


def target(id_: str, **settings: Any) -> dict[str, Any]:
    return {"Id": id_, "Arn": {"Fn::GetAtt": "Queue.Arn"}, **settings}


def test_rules_are_made_changed_and_deleted(server: Any) -> None:
    events = server.client("events")
    stack = Stack(server, "rules")
    one = target("one", RetryPolicy={"MaximumRetryAttempts": "4"})
    outputs = stack.deploy("create", rules_template([one, target("two")], Description="first"))
    bus, _, on_bus = outputs["OnBus"].partition("|")
    assert bus == "cfn-bus"
    assert outputs["OnBusArn"] == f"arn:aws:events:us-east-1:000000000000:rule/cfn-bus/{on_bus}"
    assert outputs["BusArn"] == "arn:aws:events:us-east-1:000000000000:event-bus/cfn-bus"
    name = outputs["OnDefault"]
    targets = events.list_targets_by_rule(Rule=name)["Targets"]
    assert [found["Id"] for found in targets] == ["one", "two"]
    assert targets[0]["RetryPolicy"] == {"MaximumRetryAttempts": 4}

    stack.deploy("update", rules_template([target("two", Input='{"a": 1}'), target("three")], State="DISABLED"))
    rule = events.describe_rule(Name=name)
    assert rule["State"] == "DISABLED"
    assert "Description" not in rule
    targets = {found["Id"]: found for found in events.list_targets_by_rule(Rule=name)["Targets"]}
    assert set(targets) == {"two", "three"}
    assert targets["two"]["Input"] == '{"a": 1}'

    stack.delete()
    with pytest.raises(events.exceptions.ResourceNotFoundException):
        events.describe_rule(Name=name)
    with pytest.raises(events.exceptions.ResourceNotFoundException):
        events.describe_event_bus(Name="cfn-bus")


def statement_template(**permission: Any) -> dict[str, Any]:
    whole = {
        "Effect": "Allow",
        "Principal": {"AWS": "222222222222"},
        "Action": "events:PutEvents",
        "Resource": {"Fn::GetAtt": "Bus.Arn"},
    }
    on_bus = {"EventBusName": {"Ref": "Bus"}}
    return {
        "Resources": {
            "Bus": {"Type": "AWS::Events::EventBus", "Properties": {"Name": "policy-bus"}},
            "Parts": {
                "Type": "AWS::Events::EventBusPolicy",
                "Properties": {"StatementId": "parts", "Action": "events:PutEvents", **on_bus, **permission},
            },
            "Whole": {
                "Type": "AWS::Events::EventBusPolicy",
                "Properties": {"StatementId": "whole", "Statement": whole, **on_bus},
            },
        }
    }


def test_statements_of_a_policy_come_and_go_one_by_one(server: Any) -> None:
    events = server.client("events")
    stack = Stack(server, "statements")

    def statements() -> dict[str, Any]:
        policy = json.loads(events.describe_event_bus(Name="policy-bus")["Policy"])
        return {statement["Sid"]: statement["Principal"] for statement in policy["Statement"]}

    stack.deploy("create", statement_template(Principal="111111111111"))
    assert statements() == {"parts": {"AWS": "arn:aws:iam::111111111111:root"}, "whole": {"AWS": "222222222222"}}
    stack.deploy("update", statement_template(Principal="333333333333"))
    assert statements()["parts"] == {"AWS": "arn:aws:iam::333333333333:root"}
    without = statement_template(Principal="333333333333")
    del without["Resources"]["Parts"]
    stack.deploy("update", without)
    assert set(statements()) == {"whole"}
    stack.delete()


def test_a_bus_that_is_named_already_is_not_taken_over(server: Any) -> None:
    server.client("events").create_event_bus(Name="taken")
    client = server.client("cloudformation")
    resources = {"Bus": {"Type": "AWS::Events::EventBus", "Properties": {"Name": "taken"}}}
    client.create_stack(StackName="taken", TemplateBody=json.dumps({"Resources": resources}))
    deadline = time.monotonic() + 60
    while (status := client.describe_stacks(StackName="taken")["Stacks"][0]["StackStatus"]) != "ROLLBACK_COMPLETE":
        assert time.monotonic() < deadline, status
        time.sleep(0.1)
    assert server.client("events").describe_event_bus(Name="taken")["Name"] == "taken"


def test_a_function_gets_the_events_that_its_template_names(server: Any) -> None:
    events, sqs = server.client("events"), server.client("sqs")
    queue = Stack(server, "sam-events").deploy("create", SAM)["Queue"]
    rule = events.describe_rule(Name="sam-often")
    assert (rule["State"], rule["ScheduleExpression"]) == ("DISABLED", "rate(1 hour)")
    entries = [
        {"Source": "sam.own", "DetailType": "t", "Detail": '{"own": 1}', "EventBusName": "sam-bus"},
        {"Source": "sam.default", "DetailType": "t", "Detail": '{"n": 2}'},
        {"Source": "sam.default", "DetailType": "t", "Detail": '{"n": 1}'},
    ]
    assert events.put_events(Entries=entries)["FailedEntryCount"] == 0
    found: list[Any] = []
    deadline = time.monotonic() + 60
    while len(found) < 2:
        assert time.monotonic() < deadline, server.log()[-3000:]
        answer = sqs.receive_message(QueueUrl=queue, WaitTimeSeconds=5, MaxNumberOfMessages=10)
        for message in answer.get("Messages", []):
            found.append(json.loads(message["Body"]))
            sqs.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
    assert {"own": 1} in found
    assert [event["detail"] for event in found if "detail" in event] == [{"n": 2}]
