"""Stacks over the wire, as boto3 and the command line tools drive them."""

import io
import json
import time
import zipfile
from typing import Any

import pytest
import requests
from botocore.exceptions import ClientError, WaiterError

QUEUES = """
Description: two queues
Parameters:
  Seconds: {Type: Number, Default: 45, MaxValue: 100, Description: how long}
Conditions:
  Long: !Equals [!Ref Seconds, "100"]
Resources:
  Dead:
    Type: AWS::SQS::Queue
  Jobs:
    Type: AWS::SQS::Queue
    Metadata: {owner: shop}
    Properties:
      VisibilityTimeout: !Ref Seconds
      RedrivePolicy: {deadLetterTargetArn: !GetAtt Dead.Arn, maxReceiveCount: 3}
  Extra:
    Type: AWS::SQS::Queue
    Condition: Long
Outputs:
  Url: {Value: !Ref Jobs, Description: where jobs go, Export: {Name: !Sub "${AWS::StackName}-jobs"}}
  Arn: {Value: !GetAtt Jobs.Arn}
"""


@pytest.fixture(scope="module")
def cloudformation(server: Any) -> Any:
    return server.client("cloudformation")


def wait(client: Any, waiter: str, name: str) -> None:
    client.get_waiter(waiter).wait(StackName=name, WaiterConfig={"Delay": 0.1, "MaxAttempts": 600})


def create(client: Any, name: str, body: str, **params: Any) -> dict[str, Any]:
    client.create_stack(StackName=name, TemplateBody=body, **params)
    wait(client, "stack_create_complete", name)
    stack: dict[str, Any] = client.describe_stacks(StackName=name)["Stacks"][0]
    return stack


def outputs(stack: dict[str, Any]) -> dict[str, str]:
    return {each["OutputKey"]: each["OutputValue"] for each in stack["Outputs"]}


def test_a_stack_is_described_as_it_was_made(server: Any, cloudformation: Any) -> None:
    stack = create(cloudformation, "queues", QUEUES, Tags=[{"Key": "team", "Value": "blue"}])

    assert stack["StackStatus"] == "CREATE_COMPLETE"
    assert stack["Description"] == "two queues"
    assert stack["Parameters"] == [{"ParameterKey": "Seconds", "ParameterValue": "45"}]
    assert stack["Outputs"][0]["ExportName"] == "queues-jobs"
    url = outputs(stack)["Url"]
    assert "queues-Jobs-" in url
    sqs = server.client("sqs")
    attributes = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["VisibilityTimeout", "RedrivePolicy"])
    assert attributes["Attributes"]["VisibilityTimeout"] == "45"
    assert sqs.list_queue_tags(QueueUrl=url)["Tags"] == {"team": "blue"}
    assert cloudformation.list_exports()["Exports"][0]["Value"] == url
    detail = cloudformation.describe_stack_resource(StackName="queues", LogicalResourceId="Jobs")
    assert json.loads(detail["StackResourceDetail"]["Metadata"]) == {"owner": "shop"}
    assert detail["StackResourceDetail"]["PhysicalResourceId"] == url
    listed = cloudformation.list_stack_resources(StackName="queues")["StackResourceSummaries"]
    assert [each["LogicalResourceId"] for each in listed] == ["Dead", "Jobs"]


def test_update_in_place_and_conditions(cloudformation: Any) -> None:
    create(cloudformation, "grows", QUEUES)
    with pytest.raises(ClientError, match="No updates are to be performed"):
        cloudformation.update_stack(StackName="grows", UsePreviousTemplate=True)

    seconds = [{"ParameterKey": "Seconds", "ParameterValue": "100"}]
    cloudformation.update_stack(StackName="grows", UsePreviousTemplate=True, Parameters=seconds)
    wait(cloudformation, "stack_update_complete", "grows")

    resources = cloudformation.describe_stack_resources(StackName="grows")["StackResources"]
    states = {each["LogicalResourceId"]: each["ResourceStatus"] for each in resources}
    assert states == {"Dead": "CREATE_COMPLETE", "Jobs": "UPDATE_COMPLETE", "Extra": "CREATE_COMPLETE"}


def test_a_change_set_tells_before_it_does(cloudformation: Any) -> None:
    name = "reviewed"
    made = cloudformation.create_change_set(
        StackName=name, ChangeSetName="first", ChangeSetType="CREATE", TemplateBody=QUEUES
    )
    cloudformation.get_waiter("change_set_create_complete").wait(ChangeSetName=made["Id"])
    assert cloudformation.describe_stacks(StackName=name)["Stacks"][0]["StackStatus"] == "REVIEW_IN_PROGRESS"
    cloudformation.execute_change_set(ChangeSetName="first", StackName=name)
    wait(cloudformation, "stack_create_complete", name)

    renamed = QUEUES.replace("Metadata:", "UpdateReplacePolicy: Retain\n    Metadata:").replace(
        "VisibilityTimeout:", "QueueName: own-name\n      VisibilityTimeout:"
    )
    second = cloudformation.create_change_set(
        StackName=name,
        ChangeSetName="second",
        TemplateBody=renamed.replace("  Dead:\n    Type: AWS::SQS::Queue\n", "").replace(
            "RedrivePolicy: {deadLetterTargetArn: !GetAtt Dead.Arn, maxReceiveCount: 3}", "DelaySeconds: 1"
        ),
    )
    described = cloudformation.describe_change_set(ChangeSetName=second["Id"])
    changes = {each["ResourceChange"]["LogicalResourceId"]: each["ResourceChange"] for each in described["Changes"]}
    assert (changes["Jobs"]["Action"], changes["Jobs"]["Replacement"]) == ("Modify", "True")
    assert changes["Dead"]["Action"] == "Remove"
    assert {each["Target"]["Name"] for each in changes["Jobs"]["Details"]} == {
        "DelaySeconds",
        "QueueName",
        "RedrivePolicy",
    }
    cloudformation.execute_change_set(ChangeSetName=second["Id"])
    wait(cloudformation, "stack_update_complete", name)
    assert outputs(cloudformation.describe_stacks(StackName=name)["Stacks"][0])["Url"].endswith("/own-name")


def test_a_change_set_without_changes_fails(cloudformation: Any) -> None:
    create(cloudformation, "same", QUEUES)
    cloudformation.create_change_set(StackName="same", ChangeSetName="none", TemplateBody=QUEUES)

    described = cloudformation.describe_change_set(StackName="same", ChangeSetName="none")

    assert (described["Status"], described["ExecutionStatus"]) == ("FAILED", "UNAVAILABLE")
    assert "didn't contain changes" in described["StatusReason"]
    with pytest.raises(ClientError, match="cannot be executed in its current status of"):
        cloudformation.execute_change_set(StackName="same", ChangeSetName="none")
    cloudformation.delete_change_set(StackName="same", ChangeSetName="none")
    assert cloudformation.list_change_sets(StackName="same")["Summaries"] == []


def test_rolled_back_with_a_reason(cloudformation: Any) -> None:
    bad = QUEUES.replace("maxReceiveCount: 3", "maxReceiveCount: 0")
    cloudformation.create_stack(StackName="bad", TemplateBody=bad)
    with pytest.raises(WaiterError):
        wait(cloudformation, "stack_create_complete", "bad")

    events = cloudformation.describe_stack_events(StackName="bad")["StackEvents"]
    assert events[0]["ResourceStatus"] == "ROLLBACK_COMPLETE"
    failed = next(each for each in events if each["ResourceStatus"] == "CREATE_FAILED")
    assert failed["LogicalResourceId"] == "Jobs"
    assert "HandlerErrorCode: InvalidRequest" in failed["ResourceStatusReason"]


def test_deletion(server: Any, cloudformation: Any) -> None:
    stack = create(cloudformation, "short", QUEUES)
    cloudformation.delete_stack(StackName="short")
    wait(cloudformation, "stack_delete_complete", "short")

    with pytest.raises(ClientError, match="Stack with id short does not exist"):
        cloudformation.describe_stacks(StackName="short")
    assert cloudformation.describe_stacks(StackName=stack["StackId"])["Stacks"][0]["StackStatus"] == "DELETE_COMPLETE"
    with pytest.raises(ClientError):
        server.client("sqs").get_queue_attributes(QueueUrl=outputs(stack)["Url"], AttributeNames=["All"])
    cloudformation.delete_stack(StackName="short")


def test_templates_are_given_back(cloudformation: Any) -> None:
    create(cloudformation, "kept", QUEUES)

    assert cloudformation.get_template(StackName="kept")["TemplateBody"] == QUEUES
    processed = cloudformation.get_template(StackName="kept", TemplateStage="Processed")["TemplateBody"]
    assert processed["Resources"]["Jobs"]["Properties"]["VisibilityTimeout"] == {"Ref": "Seconds"}


def test_templates_are_summarised(cloudformation: Any) -> None:
    role = """
    Transform: AWS::Serverless-2016-10-31
    Parameters: {Name: {Type: String, NoEcho: true, AllowedValues: [a, b]}}
    Resources:
      Hello:
        Type: AWS::Serverless::Function
        Properties: {Runtime: python3.11, Handler: index.handler, InlineCode: "def handler(e, c): pass"}
    """
    summary = cloudformation.get_template_summary(TemplateBody=role)
    assert summary["Capabilities"] == ["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"]
    assert summary["DeclaredTransforms"] == ["AWS::Serverless-2016-10-31"]
    assert summary["Parameters"][0]["ParameterConstraints"] == {"AllowedValues": ["a", "b"]}
    assert cloudformation.validate_template(TemplateBody=QUEUES)["Parameters"] == [
        {"ParameterKey": "Seconds", "DefaultValue": "45", "NoEcho": False, "Description": "how long"}
    ]
    with pytest.raises(ClientError, match="Template format error: YAML not well-formed"):
        cloudformation.validate_template(TemplateBody="a: }")


def test_templates_from_s3(server: Any, cloudformation: Any) -> None:
    storage = server.client("s3")
    storage.create_bucket(Bucket="templates")
    storage.put_object(Bucket="templates", Key="a/queues.yaml", Body=QUEUES.encode())

    for url in (f"{server.url}/templates/a/queues.yaml", "https://templates.s3.amazonaws.com/a/queues.yaml"):
        assert cloudformation.validate_template(TemplateURL=url)["Description"] == "two queues"
    with pytest.raises(ClientError, match="S3 error"):
        cloudformation.validate_template(TemplateURL=f"{server.url}/templates/none.yaml")


@pytest.mark.parametrize(
    ("params", "code", "message"),
    [
        ({"StackName": "1st"}, "ValidationError", "regular expression pattern"),
        ({"TemplateBody": "{}"}, "ValidationError", "At least one Resources member must be defined"),
        (
            {"TemplateBody": '{"Resources": {"A": {"Type": "AWS::EC2::Instance"}}}'},
            "ValidationError",
            "Unrecognized resource types: [AWS::EC2::Instance]",
        ),
        (
            {"Parameters": [{"ParameterKey": "Seconds", "ParameterValue": "101"}]},
            "ValidationError",
            "Parameter 'Seconds' must be a number not greater than 100",
        ),
        (
            {"Parameters": [{"ParameterKey": "X", "ParameterValue": "1"}]},
            "ValidationError",
            "do not exist in the template",
        ),
        (
            {"TemplateBody": "Resources: {A: {Type: AWS::SQS::Queue, Properties: {QueueName: !Ref B}}}"},
            "ValidationError",
            "Unresolved resource dependencies [B]",
        ),
        ({"NotificationARNs": ["arn:aws:sns:us-east-1:000000000000:t"]}, "NotImplemented", "NotificationARNs"),
    ],
)
def test_what_create_stack_refuses(cloudformation: Any, params: dict[str, Any], code: str, message: str) -> None:
    with pytest.raises(ClientError) as caught:
        cloudformation.create_stack(**{"StackName": "refused", "TemplateBody": QUEUES, **params})
    assert caught.value.response.get("Error", {}).get("Code") == code
    assert message in str(caught.value)


def test_names_are_unique_among_stacks_that_live(cloudformation: Any) -> None:
    create(cloudformation, "once", QUEUES)
    with pytest.raises(cloudformation.exceptions.AlreadyExistsException, match=r"Stack \[once\] already exists"):
        cloudformation.create_stack(StackName="once", TemplateBody=QUEUES)
    with pytest.raises(ClientError, match=r"Stack \[never\] does not exist"):
        cloudformation.update_stack(StackName="never", TemplateBody=QUEUES)


def test_all_of_iam(server: Any, cloudformation: Any) -> None:
    template = json.dumps({"Resources": IAM_RESOURCES})
    with pytest.raises(cloudformation.exceptions.InsufficientCapabilitiesException, match="CAPABILITY_NAMED_IAM"):
        cloudformation.create_stack(StackName="people", TemplateBody=template, Capabilities=["CAPABILITY_IAM"])

    create(cloudformation, "people", template, Capabilities=["CAPABILITY_NAMED_IAM"])

    iam = server.client("iam")
    assert iam.list_user_policies(UserName="ada")["PolicyNames"] == ["own"]
    (group,) = iam.list_groups_for_user(UserName="ada")["Groups"]
    assert group["GroupName"].startswith("people-Staff-")
    resources = {
        each["LogicalResourceId"]: each["PhysicalResourceId"]
        for each in cloudformation.describe_stack_resources(StackName="people")["StackResources"]
    }
    attached = iam.list_attached_role_policies(RoleName=resources["Worker"])["AttachedPolicies"]
    assert [each["PolicyArn"] for each in attached] == [resources["Reading"]]
    assert iam.list_role_policies(RoleName=resources["Worker"])["PolicyNames"] == ["inline", "later"]
    cloudformation.delete_stack(StackName="people")
    wait(cloudformation, "stack_delete_complete", "people")
    with pytest.raises(iam.exceptions.NoSuchEntityException):
        iam.get_user(UserName="ada")


ALLOW = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"}]}
IAM_RESOURCES: dict[str, Any] = {
    "Reading": {"Type": "AWS::IAM::ManagedPolicy", "Properties": {"PolicyDocument": ALLOW}},
    "Worker": {
        "Type": "AWS::IAM::Role",
        "Properties": {
            "AssumeRolePolicyDocument": {
                "Version": "2012-10-17",
                "Statement": [
                    {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
                ],
            },
            "ManagedPolicyArns": [{"Ref": "Reading"}],
            "Policies": [{"PolicyName": "inline", "PolicyDocument": ALLOW}],
        },
    },
    "Later": {
        "Type": "AWS::IAM::Policy",
        "Properties": {"PolicyName": "later", "PolicyDocument": ALLOW, "Roles": [{"Ref": "Worker"}]},
    },
    "Staff": {"Type": "AWS::IAM::Group"},
    "Ada": {
        "Type": "AWS::IAM::User",
        "Properties": {"UserName": "ada", "Policies": [{"PolicyName": "own", "PolicyDocument": ALLOW}]},
    },
    "Membership": {
        "Type": "AWS::IAM::UserToGroupAddition",
        "Properties": {"GroupName": {"Ref": "Staff"}, "Users": [{"Ref": "Ada"}]},
    },
    "Key": {"Type": "AWS::IAM::AccessKey", "Properties": {"UserName": {"Ref": "Ada"}}},
}

FUNCTION = """
import json
def handler(event, context):
    return {"statusCode": 200, "headers": {"content-type": "text/plain"}, "body": VERSION + event["rawPath"]}
"""

SAM = """
Transform: AWS::Serverless-2016-10-31
Resources:
  Hello:
    Type: AWS::Serverless::Function
    Properties:
      Runtime: python3.11
      Handler: hello.handler
      CodeUri: {Bucket: code, Key: %s}
      AutoPublishAlias: live
      Events:
        Page: {Type: HttpApi, Properties: {Path: "/{proxy+}", Method: get}}
        Jobs: {Type: SQS, Properties: {Queue: !GetAtt Jobs.Arn}}
  Jobs: {Type: AWS::SQS::Queue}
Outputs:
  Endpoint: {Value: !GetAtt ServerlessHttpApi.ApiEndpoint}
"""


def test_a_sam_application_runs_and_is_updated(server: Any, cloudformation: Any) -> None:
    storage = server.client("s3")
    storage.create_bucket(Bucket="code")
    for version in ("one", "two"):
        package = io.BytesIO()
        with zipfile.ZipFile(package, "w") as archive:
            archive.writestr("hello.py", f"VERSION = {version!r}\n{FUNCTION}")
        storage.put_object(Bucket="code", Key=version, Body=package.getvalue())
    with pytest.raises(cloudformation.exceptions.InsufficientCapabilitiesException, match="CAPABILITY_AUTO_EXPAND"):
        cloudformation.create_stack(StackName="app", TemplateBody=SAM % "one", Capabilities=["CAPABILITY_IAM"])
    capabilities = ["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"]

    stack = create(cloudformation, "app", SAM % "one", Capabilities=capabilities)
    endpoint = outputs(stack)["Endpoint"]
    assert requests.get(f"{endpoint}/x", timeout=20).text == "one/x"

    cloudformation.update_stack(StackName="app", TemplateBody=SAM % "two", Capabilities=capabilities)
    wait(cloudformation, "stack_update_complete", "app")
    assert requests.get(f"{endpoint}/x", timeout=20).text == "two/x"

    cloudformation.delete_stack(StackName="app")
    wait(cloudformation, "stack_delete_complete", "app")
    assert requests.get(f"{endpoint}/x", timeout=20).status_code == 404


def test_a_sam_template_that_is_wrong(cloudformation: Any) -> None:
    wrong = SAM.replace("CodeUri: {Bucket: code, Key: %s}", "CodeUri: {Bucket: code}")
    cloudformation.create_change_set(
        StackName="wrong",
        ChangeSetName="one",
        ChangeSetType="CREATE",
        TemplateBody=wrong,
        Capabilities=["CAPABILITY_IAM"],
    )

    described = cloudformation.describe_change_set(StackName="wrong", ChangeSetName="one")

    assert described["Status"] == "FAILED"
    assert (
        "Transform AWS::Serverless-2016-10-31 failed with: Invalid Serverless Application" in described["StatusReason"]
    )


@pytest.mark.parametrize("delay", [0.05, 0.1, 0.15, 0.25])
def test_a_killed_server_makes_nothing_twice(own_server: Any, delay: float) -> None:
    storage = own_server.client("s3")
    storage.create_bucket(Bucket="code")
    package = io.BytesIO()
    with zipfile.ZipFile(package, "w") as archive:
        archive.writestr("hello.py", f"VERSION = 'one'\n{FUNCTION}")
    storage.put_object(Bucket="code", Key="one", Body=package.getvalue())
    client = own_server.client("cloudformation")
    capabilities = ["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"]
    client.create_stack(StackName="app", TemplateBody=SAM % "one", Capabilities=capabilities)
    time.sleep(delay)

    own_server.restart()

    client = own_server.client("cloudformation")
    wait(client, "stack_create_complete", "app")
    endpoint = outputs(client.describe_stacks(StackName="app")["Stacks"][0])["Endpoint"]
    assert requests.get(f"{endpoint}/x", timeout=20).text == "one/x"
    assert len(own_server.client("apigatewayv2").get_apis()["Items"]) == 1
    functions = own_server.client("lambda")
    assert len(functions.list_functions()["Functions"]) == 1
    assert len(functions.list_event_source_mappings()["EventSourceMappings"]) == 1
    assert len(own_server.client("iam").list_roles()["Roles"]) == 1


@pytest.mark.parametrize("delay", [0.0, 0.03, 0.08, 0.2])
def test_a_killed_server_goes_on_with_what_was_under_way(own_server: Any, delay: float) -> None:
    client = own_server.client("cloudformation")
    names = [f"Q{number}" for number in range(30)]
    queues = {
        name: {"Type": "AWS::SQS::Queue", **({"DependsOn": names[at - 1]} if at % 3 else {})}
        for at, name in enumerate(names)
    }
    client.create_stack(StackName="many", TemplateBody=json.dumps({"Resources": queues}))
    time.sleep(delay)

    own_server.restart()

    wait(own_server.client("cloudformation"), "stack_create_complete", "many")
    assert len(own_server.client("sqs").list_queues()["QueueUrls"]) == len(names)


def many(size: int, color: str) -> str:
    """Queues in chains; another colour changes each in place, and gives every third a new name, so a new queue."""
    queues: dict[str, Any] = {}
    for at in range(size):
        properties: dict[str, Any] = {"VisibilityTimeout": len(color)}
        if at % 3 == 0:
            properties["QueueName"] = f"{color}-{at}"
        queues[f"Q{at}"] = {"Type": "AWS::SQS::Queue", "Properties": properties}
        if at % 3:
            queues[f"Q{at}"]["DependsOn"] = f"Q{at - 1}"
    return json.dumps({"Resources": queues})


@pytest.mark.parametrize("delay", [0.02, 0.1])
def test_a_killed_server_goes_on_with_an_update_and_a_deletion(own_server: Any, delay: float) -> None:
    client = own_server.client("cloudformation")
    stack_id = create(client, "many", many(24, "red"))["StackId"]
    client.update_stack(StackName="many", TemplateBody=many(24, "yellow"))
    time.sleep(delay)
    own_server.restart()

    wait(own_server.client("cloudformation"), "stack_update_complete", "many")
    urls = own_server.client("sqs").list_queues()["QueueUrls"]
    assert len(urls) == 24
    assert not [url for url in urls if "/red-" in url]

    own_server.client("cloudformation").delete_stack(StackName="many")
    time.sleep(delay)
    own_server.restart()

    wait(own_server.client("cloudformation"), "stack_delete_complete", stack_id)
    assert "QueueUrls" not in own_server.client("sqs").list_queues()
