"""Topics and queues of templates: their inline policies, and the logging of delivery status."""

import json
from typing import Any

TRUST = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": {"Service": "sns.amazonaws.com"}, "Action": "sts:AssumeRole"}],
}


def policy(action: str, resource: dict[str, str]) -> dict[str, Any]:
    statement = {"Effect": "Allow", "Principal": "*", "Action": action, "Resource": resource}
    return {"Version": "2012-10-17", "Statement": [statement]}


def template(rate: int, *, inline: bool) -> str:
    role = {"Fn::GetAtt": "Role.Arn"}
    logging = {"Protocol": "http/s", "SuccessFeedbackRoleArn": role, "SuccessFeedbackSampleRate": rate}
    resources: dict[str, Any] = {
        "Role": {"Type": "AWS::IAM::Role", "Properties": {"AssumeRolePolicyDocument": TRUST}},
        "Topic": {"Type": "AWS::SNS::Topic", "Properties": {"TopicName": "t", "DeliveryStatusLogging": [logging]}},
        "Queue": {"Type": "AWS::SQS::Queue", "Properties": {"QueueName": "q"}},
    }
    if inline:
        opened = {"TopicArn": {"Ref": "Topic"}, "PolicyDocument": policy("sns:Publish", {"Ref": "Topic"})}
        resources["Opened"] = {"Type": "AWS::SNS::TopicInlinePolicy", "Properties": opened}
        taken = {"Queue": {"Ref": "Queue"}, "PolicyDocument": policy("sqs:SendMessage", {"Fn::GetAtt": "Queue.Arn"})}
        resources["Taken"] = {"Type": "AWS::SQS::QueueInlinePolicy", "Properties": taken}
    return json.dumps({"Resources": resources})


def test_inline_policies_and_delivery_status_logging(server: Any) -> None:
    stacks, sns, sqs = server.client("cloudformation"), server.client("sns"), server.client("sqs")
    topic = "arn:aws:sns:us-east-1:000000000000:t"
    often = {"Delay": 0.1, "MaxAttempts": 600}

    stacks.create_stack(StackName="m", TemplateBody=template(10, inline=True), Capabilities=["CAPABILITY_IAM"])
    stacks.get_waiter("stack_create_complete").wait(StackName="m", WaiterConfig=often)
    found = sns.get_topic_attributes(TopicArn=topic)["Attributes"]
    assert found["HTTPSuccessFeedbackSampleRate"] == "10"
    assert json.loads(found["Policy"])["Statement"][0]["Action"] == "sns:Publish"
    url = sqs.get_queue_url(QueueName="q")["QueueUrl"]
    assert "Policy" in sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["Policy"])["Attributes"]

    stacks.update_stack(StackName="m", TemplateBody=template(20, inline=False), Capabilities=["CAPABILITY_IAM"])
    stacks.get_waiter("stack_update_complete").wait(StackName="m", WaiterConfig=often)
    found = sns.get_topic_attributes(TopicArn=topic)["Attributes"]
    assert found["HTTPSuccessFeedbackSampleRate"] == "20"
    assert json.loads(found["Policy"])["Id"] == "__default_policy_ID"
    assert "Attributes" not in sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["Policy"])
    stacks.delete_stack(StackName="m")
    stacks.get_waiter("stack_delete_complete").wait(StackName="m", WaiterConfig=often)
