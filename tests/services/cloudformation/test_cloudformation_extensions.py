"""Custom resources, nested stacks and loops over the wire."""

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError, WaiterError

from cloudlet.services.cloudformation.foreach import expand

ROLE = {
    "Type": "AWS::IAM::Role",
    "Properties": {
        "AssumeRolePolicyDocument": {
            "Version": "2012-10-17",
            "Statement": [
                {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
            ],
        }
    },
}
CODE = """
import cfnresponse

def handler(event, context):
    wish = event["ResourceProperties"]["Wish"]
    if wish == "fail" and event["RequestType"] == "Create":
        cfnresponse.send(event, context, cfnresponse.FAILED, {}, reason="no such wish")
        return
    data = {"Echo": wish + "/" + event["RequestType"], "Count": event["ResourceProperties"].get("Count")}
    cfnresponse.send(event, context, cfnresponse.SUCCESS, data, "thing-" + wish)
"""


def custom(wish: str) -> str:
    resources = {
        "Role": ROLE,
        "Maker": {
            "Type": "AWS::Lambda::Function",
            "Properties": {
                "Runtime": "python3.11",
                "Handler": "index.handler",
                "Role": {"Fn::GetAtt": ["Role", "Arn"]},
                "Code": {"ZipFile": CODE},
            },
        },
        "Thing": {
            "Type": "Custom::Thing",
            "Properties": {"ServiceToken": {"Fn::GetAtt": ["Maker", "Arn"]}, "Wish": wish, "Count": 3},
        },
    }
    outputs = {
        "Id": {"Value": {"Ref": "Thing"}},
        "Echo": {"Value": {"Fn::GetAtt": ["Thing", "Echo"]}},
        "Count": {"Value": {"Fn::GetAtt": ["Thing", "Count"]}},
    }
    return json.dumps({"Resources": resources, "Outputs": outputs})


@pytest.fixture(scope="module")
def cloudformation(server: Any) -> Any:
    return server.client("cloudformation")


def wait(client: Any, waiter: str, name: str) -> None:
    client.get_waiter(waiter).wait(StackName=name, WaiterConfig={"Delay": 0.1, "MaxAttempts": 600})


def outputs(client: Any, name: str) -> dict[str, str]:
    stack = client.describe_stacks(StackName=name)["Stacks"][0]
    return {each["OutputKey"]: each["OutputValue"] for each in stack["Outputs"]}


def events(client: Any, name: str) -> list[str]:
    found = client.describe_stack_events(StackName=name)["StackEvents"]
    return [f"{each['LogicalResourceId']} {each['ResourceStatus']}" for each in reversed(found)]


def test_a_custom_resource_lives_by_what_its_function_answers(cloudformation: Any) -> None:
    capabilities = ["CAPABILITY_IAM"]
    cloudformation.create_stack(StackName="wishes", TemplateBody=custom("one"), Capabilities=capabilities)
    wait(cloudformation, "stack_create_complete", "wishes")
    assert outputs(cloudformation, "wishes") == {"Id": "thing-one", "Echo": "one/Create", "Count": "3"}

    cloudformation.update_stack(StackName="wishes", TemplateBody=custom("two"), Capabilities=capabilities)
    wait(cloudformation, "stack_update_complete", "wishes")
    assert outputs(cloudformation, "wishes")["Id"] == "thing-two"
    assert "Thing DELETE_COMPLETE" in events(cloudformation, "wishes")

    stack_id = cloudformation.describe_stacks(StackName="wishes")["Stacks"][0]["StackId"]
    cloudformation.delete_stack(StackName="wishes")
    wait(cloudformation, "stack_delete_complete", stack_id)


def test_a_custom_resource_that_fails_says_why(cloudformation: Any) -> None:
    cloudformation.create_stack(StackName="sad", TemplateBody=custom("fail"), Capabilities=["CAPABILITY_IAM"])
    with pytest.raises(WaiterError):
        wait(cloudformation, "stack_create_complete", "sad")

    found = cloudformation.describe_stack_events(StackName="sad")["StackEvents"]
    reasons = [each.get("ResourceStatusReason", "") for each in found if each["ResourceStatus"] == "CREATE_FAILED"]
    assert any("no such wish" in reason for reason in reasons)


CHILD = """
Parameters: {Seconds: {Type: Number}}
Resources: {Queue: {Type: AWS::SQS::Queue, Properties: {VisibilityTimeout: !Ref Seconds}}}
Outputs: {Url: {Value: !Ref Queue}}
"""


def test_nested_stacks(server: Any, cloudformation: Any) -> None:
    storage = server.client("s3")
    storage.create_bucket(Bucket="nested-templates")
    storage.put_object(Bucket="nested-templates", Key="child.yaml", Body=CHILD.encode())

    def parent(seconds: int) -> str:
        properties = {"TemplateURL": f"{server.url}/nested-templates/child.yaml", "Parameters": {"Seconds": seconds}}
        return json.dumps(
            {
                "Resources": {"Child": {"Type": "AWS::CloudFormation::Stack", "Properties": properties}},
                "Outputs": {"Url": {"Value": {"Fn::GetAtt": ["Child", "Outputs.Url"]}}},
            }
        )

    cloudformation.create_stack(StackName="parent", TemplateBody=parent(10))
    wait(cloudformation, "stack_create_complete", "parent")
    url = outputs(cloudformation, "parent")["Url"]
    cloudformation.update_stack(StackName="parent", TemplateBody=parent(20))
    wait(cloudformation, "stack_update_complete", "parent")

    sqs = server.client("sqs")
    attributes = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["VisibilityTimeout"])["Attributes"]
    assert attributes == {"VisibilityTimeout": "20"}
    cloudformation.delete_stack(StackName="parent")
    wait(cloudformation, "stack_delete_complete", "parent")
    with pytest.raises(ClientError):
        sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["VisibilityTimeout"])


def test_loops_are_written_out(cloudformation: Any) -> None:
    template = """
    Transform: AWS::LanguageExtensions
    Parameters: {Names: {Type: CommaDelimitedList, Default: "Fast,Slow"}}
    Resources:
      Fn::ForEach::Queues:
        - Name
        - !Ref Names
        - Queue${Name}: {Type: AWS::SQS::Queue, Properties: {QueueName: !Sub "loop-${Name}"}}
    Outputs:
      Fn::ForEach::Urls:
        - Name
        - [Fast, Slow]
        - Url${Name}: {Value: !GetAtt "Queue${Name}.Arn"}
    """
    cloudformation.create_stack(StackName="loops", TemplateBody=template, Capabilities=["CAPABILITY_AUTO_EXPAND"])
    wait(cloudformation, "stack_create_complete", "loops")

    assert outputs(cloudformation, "loops") == {
        "UrlFast": "arn:aws:sqs:us-east-1:000000000000:loop-Fast",
        "UrlSlow": "arn:aws:sqs:us-east-1:000000000000:loop-Slow",
    }


def test_loops_within_loops() -> None:
    inner = {"Fn::ForEach::B": ["Y", ["1", "2"], {"${X}${Y}": {"Ref": "Y"}}]}
    assert expand({"Fn::ForEach::A": ["X", ["a", "b"], inner]}, {}) == {"a1": "1", "a2": "2", "b1": "1", "b2": "2"}
