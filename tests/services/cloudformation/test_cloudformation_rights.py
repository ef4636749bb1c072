"""With whose rights a stack's resources are made."""

import json
import time
from typing import Any

import pytest
from botocore.exceptions import ClientError, WaiterError

QUEUE = json.dumps({"Resources": {"Jobs": {"Type": "AWS::SQS::Queue"}}})
BUCKET = json.dumps({"Resources": {"Files": {"Type": "AWS::S3::Bucket"}}})
TRUST = {
    "Version": "2012-10-17",
    "Statement": [
        {"Effect": "Allow", "Principal": {"Service": "cloudformation.amazonaws.com"}, "Action": "sts:AssumeRole"}
    ],
}


def allowing(*actions: str) -> str:
    statement = {"Effect": "Allow", "Action": list(actions), "Resource": "*"}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


@pytest.fixture(scope="module")
def role(server: Any) -> str:
    """A role for CloudFormation that may make queues."""
    iam = server.client("iam")
    made = iam.create_role(RoleName="builder", AssumeRolePolicyDocument=json.dumps(TRUST))["Role"]
    iam.put_role_policy(RoleName="builder", PolicyName="queues", PolicyDocument=allowing("sqs:*"))
    return str(made["Arn"])


def client_of(server: Any, name: str, *actions: str) -> Any:
    """CloudFormation as a user who may do these things."""
    iam = server.client("iam")
    iam.create_user(UserName=name)
    iam.put_user_policy(UserName=name, PolicyName="own", PolicyDocument=allowing(*actions))
    key = iam.create_access_key(UserName=name)["AccessKey"]
    return server.client("cloudformation", session=server.session(key["AccessKeyId"], key["SecretAccessKey"]))


def status(client: Any, name: str) -> str:
    try:
        client.get_waiter("stack_create_complete").wait(StackName=name, WaiterConfig={"Delay": 0.1, "MaxAttempts": 600})
    except WaiterError:
        while "IN_PROGRESS" in (found := client.describe_stacks(StackName=name)["Stacks"][0]["StackStatus"]):
            time.sleep(0.05)
        return str(found)
    return "CREATE_COMPLETE"


def reasons(client: Any, name: str) -> str:
    return str(
        [each.get("ResourceStatusReason") for each in client.describe_stack_events(StackName=name)["StackEvents"]]
    )


def test_resources_are_made_with_the_rights_of_the_one_who_asks(server: Any) -> None:
    ada = client_of(server, "ada", "cloudformation:*", "sqs:*")
    ada.create_stack(StackName="may", TemplateBody=QUEUE)
    ada.create_stack(StackName="may-not", TemplateBody=BUCKET)

    assert status(ada, "may") == "CREATE_COMPLETE"
    assert status(ada, "may-not") == "ROLLBACK_COMPLETE"
    assert "not authorized to perform: s3:CreateBucket" in reasons(ada, "may-not")


def test_a_role_handed_over_is_used_instead(server: Any, role: str) -> None:
    bob = client_of(server, "bob", "cloudformation:*", "iam:PassRole")
    bob.create_stack(StackName="by-role", TemplateBody=QUEUE, RoleARN=role)
    bob.create_stack(StackName="beyond-role", TemplateBody=BUCKET, RoleARN=role)

    assert status(bob, "by-role") == "CREATE_COMPLETE"
    assert bob.describe_stacks(StackName="by-role")["Stacks"][0]["RoleARN"] == role
    assert status(bob, "beyond-role") == "ROLLBACK_COMPLETE"
    assert "assumed-role/builder/AWSCloudFormation is not authorized" in reasons(bob, "beyond-role")


def test_nobody_hands_over_a_role_without_being_allowed_to(server: Any, role: str) -> None:
    eve = client_of(server, "eve", "cloudformation:*")
    with pytest.raises(ClientError, match="iam:PassRole"):
        eve.create_stack(StackName="stolen", TemplateBody=QUEUE, RoleARN=role)


def test_without_rights_on_stacks_nothing_is_told(server: Any) -> None:
    server.client("cloudformation").create_stack(StackName="secret", TemplateBody=QUEUE)
    mallory = client_of(server, "mallory", "sqs:*")
    for call in (
        lambda: mallory.describe_stacks(StackName="secret"),
        lambda: mallory.get_template(StackName="secret"),
        lambda: mallory.delete_stack(StackName="secret"),
        lambda: mallory.create_stack(StackName="own", TemplateBody=QUEUE),
    ):
        with pytest.raises(ClientError) as caught:
            call()
        assert caught.value.response.get("Error", {}).get("Code") == "AccessDenied"


def test_accounts_and_regions_do_not_see_each_other(server: Any) -> None:
    elsewhere = server.session().client("cloudformation", endpoint_url=server.url, region_name="eu-west-1")
    elsewhere.create_stack(StackName="far", TemplateBody=QUEUE)
    assert status(elsewhere, "far") == "CREATE_COMPLETE"
    with pytest.raises(ClientError, match="does not exist"):
        server.client("cloudformation").describe_stacks(StackName="far")
