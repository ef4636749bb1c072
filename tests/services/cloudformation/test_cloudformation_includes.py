"""AWS::Include: what a template keeps in S3 is written in before anything else is done with it."""

import json
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

QUEUE = """
Type: AWS::SQS::Queue
Properties:
  QueueName: included
  VisibilityTimeout: !Ref Seconds
"""


@pytest.fixture(scope="module", autouse=True)
def bucket(server: Any) -> None:
    s3 = server.client("s3")
    s3.create_bucket(Bucket="snippets")
    s3.put_object(Bucket="snippets", Key="queue.yaml", Body=QUEUE)
    s3.put_object(Bucket="snippets", Key="outputs.json", Body=json.dumps({"Outputs": {"More": {"Value": "yes"}}}))
    s3.put_object(Bucket="snippets", Key="properties.json", Body=json.dumps({"DelaySeconds": 3}))


def include(key: str) -> dict[str, Any]:
    return {"Name": "AWS::Include", "Parameters": {"Location": f"s3://snippets/{key}"}}


def create(server: Any, name: str, template: dict[str, Any], **more: Any) -> Any:
    cloudformation = server.client("cloudformation")
    cloudformation.create_stack(
        StackName=name, TemplateBody=json.dumps(template), Capabilities=["CAPABILITY_AUTO_EXPAND"], **more
    )
    cloudformation.get_waiter("stack_create_complete").wait(StackName=name, WaiterConfig={"Delay": 1})
    return cloudformation.describe_stacks(StackName=name)["Stacks"][0]


def test_a_resource_a_part_of_one_and_a_section(server: Any) -> None:
    template = {
        "Transform": [include("outputs.json")],
        "Parameters": {"Seconds": {"Type": "Number", "Default": 17}, "Where": {"Type": "String"}},
        "Resources": {
            "First": {"Fn::Transform": {"Name": "AWS::Include", "Parameters": {"Location": {"Ref": "Where"}}}},
            "Second": {
                "Type": "AWS::SQS::Queue",
                "Properties": {"QueueName": "second", "Fn::Transform": include("properties.json")},
            },
        },
        "Outputs": {"Url": {"Value": {"Ref": "First"}}},
    }
    where = [{"ParameterKey": "Where", "ParameterValue": "s3://snippets/queue.yaml"}]
    stack = create(server, "including", template, Parameters=where)
    outputs = {output["OutputKey"]: output["OutputValue"] for output in stack["Outputs"]}
    assert outputs["More"] == "yes"
    sqs = server.client("sqs")
    first = sqs.get_queue_attributes(QueueUrl=outputs["Url"], AttributeNames=["VisibilityTimeout"])["Attributes"]
    second = sqs.get_queue_attributes(
        QueueUrl=sqs.get_queue_url(QueueName="second")["QueueUrl"], AttributeNames=["DelaySeconds"]
    )["Attributes"]
    assert (first["VisibilityTimeout"], second["DelaySeconds"]) == ("17", "3")


@pytest.mark.parametrize("location", ["s3://snippets/missing", "https://snippets/queue.yaml", ["s3://a/b"]])
def test_what_cannot_be_included_is_refused(server: Any, location: Any) -> None:
    wrong = {"Fn::Transform": {"Name": "AWS::Include", "Parameters": {"Location": location}}}
    with pytest.raises(ClientError) as refused:
        create(server, "wrong", {"Resources": {"Queue": wrong}})
    assert "(ValidationError)" in str(refused.value)


def test_an_include_has_to_be_acknowledged(server: Any) -> None:
    template = json.dumps({"Resources": {"Queue": {"Fn::Transform": include("queue.yaml")}}})
    with pytest.raises(ClientError) as refused:
        server.client("cloudformation").create_stack(StackName="unasked", TemplateBody=template)
    assert "(InsufficientCapabilitiesException)" in str(refused.value)


def test_include_is_read_with_the_rights_of_the_caller(server: Any) -> None:
    iam = server.client("iam")
    iam.create_user(UserName="deployer")
    allowed = {"Effect": "Allow", "Action": ["cloudformation:*", "sqs:*"], "Resource": "*"}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [allowed]})
    iam.put_user_policy(UserName="deployer", PolicyName="deploy", PolicyDocument=policy)
    key = iam.create_access_key(UserName="deployer")["AccessKey"]
    session = server.session(key["AccessKeyId"], key["SecretAccessKey"])
    template = json.dumps({"Resources": {"Queue": {"Fn::Transform": include("queue.yaml")}}})
    with pytest.raises(ClientError, match="S3 error"):
        server.client("cloudformation", session=session).create_stack(
            StackName="secret", TemplateBody=template, Capabilities=["CAPABILITY_AUTO_EXPAND"]
        )


def test_local_files_are_uploaded_with_the_template(server: Any, tmp_path: Path) -> None:
    """As the command line deploys them: an include, and a nested stack with an include of its own."""
    from rich.console import Console

    from cloudlet.cli.artifacts import Artifacts
    from cloudlet.cli.template import read_template

    class Connection:
        endpoint, region = server.url, "us-east-1"

        def client(self, name: str) -> Any:
            return server.client(name)

    (tmp_path / "inner").mkdir()
    (tmp_path / "inner" / "queue.yaml").write_text(QUEUE.replace("included", "nested").replace("!Ref Seconds", "9"))
    (tmp_path / "inner" / "template.yaml").write_text(
        "Resources:\n  Queue:\n    Fn::Transform: {Name: AWS::Include, Parameters: {Location: queue.yaml}}\n"
    )
    stack = "Type: AWS::CloudFormation::Stack, Properties: {TemplateURL: inner/template.yaml}"
    outer = f"Resources:\n  Nested: {{{stack}}}\n"
    (tmp_path / "template.yaml").write_text(outer)
    template = read_template(tmp_path / "template.yaml")
    Artifacts(Connection(), Console(quiet=True)).package(template, tmp_path)  # type: ignore[arg-type]
    create(server, "outer", template)
    assert server.client("sqs").get_queue_url(QueueName="nested")["QueueUrl"]
