"""IAM and STS as boto3 sees them: a real server, real signatures, and what is refused changes nothing."""

import json
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError

if TYPE_CHECKING:
    from tests.conftest import Server

LAMBDA_TRUST = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
        ],
    }
)


def allow(*actions: str, resource: str = "*") -> str:
    statement = {"Effect": "Allow", "Action": list(actions), "Resource": resource}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def code_of(call: Any, **params: Any) -> str:
    """The error code with which the call is refused."""
    with pytest.raises(ClientError) as raised:
        call(**params)
    return raised.value.response["Error"]["Code"]


def test_the_root_is_who_it_says(server: "Server") -> None:
    identity = server.client("sts").get_caller_identity()
    assert identity["Arn"] == "arn:aws:iam::000000000000:root"
    assert identity["Account"] == identity["UserId"] == "000000000000"


def test_a_role_comes_back_with_its_documents_decoded(server: "Server") -> None:
    iam = server.client("iam")
    iam.create_role(RoleName="reader", AssumeRolePolicyDocument=LAMBDA_TRUST, Tags=[{"Key": "team", "Value": "a"}])
    iam.put_role_policy(RoleName="reader", PolicyName="own", PolicyDocument=allow("s3:GetObject"))
    role = iam.get_role(RoleName="reader")["Role"]
    assert role["AssumeRolePolicyDocument"] == json.loads(LAMBDA_TRUST)
    assert role["Tags"] == [{"Key": "team", "Value": "a"}]
    policy = iam.get_role_policy(RoleName="reader", PolicyName="own")["PolicyDocument"]
    assert policy["Statement"][0]["Action"] == ["s3:GetObject"]
