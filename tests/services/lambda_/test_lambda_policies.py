"""Resource policies, of layer versions and of functions as whole documents."""

import json
from typing import Any

import pytest
from function_making import Functions, zipped


def test_permissions_of_layer_versions(lambda_: Any) -> None:
    arn = lambda_.publish_layer_version(LayerName="shared", Content={"ZipFile": zipped(shared="x = 1")})
    version = {"LayerName": "shared", "VersionNumber": arn["Version"]}
    with pytest.raises(lambda_.exceptions.ResourceNotFoundException, match="No policy"):
        lambda_.get_layer_version_policy(**version)
    added = lambda_.add_layer_version_permission(
        **version, StatementId="all", Action="lambda:GetLayerVersion", Principal="*", OrganizationId="o-abcdefghij"
    )
    statement = json.loads(added["Statement"])
    assert (statement["Principal"], statement["Resource"]) == ("*", arn["LayerVersionArn"])
    assert statement["Condition"] == {"StringEquals": {"aws:PrincipalOrgID": "o-abcdefghij"}}
    with pytest.raises(lambda_.exceptions.ResourceConflictException):
        lambda_.add_layer_version_permission(
            **version, StatementId="all", Action="lambda:GetLayerVersion", Principal="123456789012"
        )
    found = lambda_.get_layer_version_policy(**version)
    assert json.loads(found["Policy"])["Statement"] == [statement]
    assert found["RevisionId"] == added["RevisionId"]
    with pytest.raises(lambda_.exceptions.PreconditionFailedException):
        lambda_.remove_layer_version_permission(**version, StatementId="all", RevisionId="other")
    lambda_.remove_layer_version_permission(**version, StatementId="all", RevisionId=found["RevisionId"])
    with pytest.raises(lambda_.exceptions.ResourceNotFoundException):
        lambda_.remove_layer_version_permission(**version, StatementId="all")


def test_a_function_policy_as_a_whole(functions: Functions, lambda_: Any) -> None:
    name = functions.make("def handler(event, context): pass")
    arn = lambda_.get_function_configuration(FunctionName=name)["FunctionArn"]
    statement = {
        "Sid": "other",
        "Effect": "Allow",
        "Principal": {"AWS": "arn:aws:iam::123456789012:root"},
        "Action": "lambda:InvokeFunction",
        "Resource": arn,
    }
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    put = lambda_.put_resource_policy(ResourceArn=arn, Policy=policy)
    assert json.loads(lambda_.get_policy(FunctionName=name)["Policy"])["Statement"] == [statement]
    found = lambda_.get_resource_policy(ResourceArn=arn)
    assert found["RevisionId"] == put["RevisionId"]
    with pytest.raises(lambda_.exceptions.PreconditionFailedException):
        lambda_.delete_resource_policy(ResourceArn=arn, RevisionId="00000000-0000-0000-0000-000000000000")
    with pytest.raises(lambda_.exceptions.InvalidParameterValueException):
        lambda_.put_resource_policy(ResourceArn=arn, Policy='{"Statement": 1}')
    lambda_.delete_resource_policy(ResourceArn=arn)
    with pytest.raises(lambda_.exceptions.ResourceNotFoundException):
        lambda_.get_policy(FunctionName=name)


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("s3.amazonaws.com", {"Service": "s3.amazonaws.com"}),
        ("alexa-appkit.amazon.com", {"Service": "alexa-appkit.amazon.com"}),
        ("123456789012", {"AWS": "arn:aws:iam::123456789012:root"}),
        ("*", "*"),
    ],
)
def test_who_may_be_permitted(functions: Functions, lambda_: Any, given: str, shown: Any) -> None:
    name = functions.make("def handler(event, context): pass")
    permission = {"FunctionName": name, "StatementId": "it", "Action": "lambda:InvokeFunction", "Principal": given}
    statement = json.loads(lambda_.add_permission(**permission, EventSourceToken="token")["Statement"])
    assert statement["Principal"] == shown
    assert statement["Condition"] == {"StringEquals": {"lambda:EventSourceToken": "token"}}


def test_nobody_is_no_principal(functions: Functions, lambda_: Any) -> None:
    name = functions.make("def handler(event, context): pass")
    permission = {"FunctionName": name, "StatementId": "it", "Action": "lambda:InvokeFunction"}
    with pytest.raises(lambda_.exceptions.InvalidParameterValueException, match="principal was invalid"):
        lambda_.add_permission(**permission, Principal="nobody")
