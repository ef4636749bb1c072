"""Code signing configurations: packages count as unsigned, which a configuration refuses or lets pass."""

from typing import Any

import pytest
from botocore.exceptions import ClientError
from function_making import Functions, zipped

PUBLISHERS = {"SigningProfileVersionArns": ["arn:aws:signer:us-east-1:000000000000:/signing-profiles/shop/abcdefghij"]}
CODE = "def handler(event, context): return 1"


def create(lambda_: Any, policy: str | None = None) -> str:
    policies = {} if policy is None else {"CodeSigningPolicies": {"UntrustedArtifactOnDeployment": policy}}
    created = lambda_.create_code_signing_config(AllowedPublishers=PUBLISHERS, **policies)
    arn: str = created["CodeSigningConfig"]["CodeSigningConfigArn"]
    return arn


def test_configurations(lambda_: Any) -> None:
    created = lambda_.create_code_signing_config(AllowedPublishers=PUBLISHERS, Description="ours", Tags={"a": "b"})
    config = created["CodeSigningConfig"]
    arn = config["CodeSigningConfigArn"]
    assert config["CodeSigningPolicies"] == {"UntrustedArtifactOnDeployment": "Warn"}
    assert lambda_.get_code_signing_config(CodeSigningConfigArn=arn)["CodeSigningConfig"] == config
    assert lambda_.list_tags(Resource=arn)["Tags"] == {"a": "b"}
    updated = lambda_.update_code_signing_config(
        CodeSigningConfigArn=arn, CodeSigningPolicies={"UntrustedArtifactOnDeployment": "Enforce"}
    )["CodeSigningConfig"]
    assert (updated["Description"], updated["CodeSigningPolicies"]["UntrustedArtifactOnDeployment"]) == (
        "ours",
        "Enforce",
    )
    assert arn in [each["CodeSigningConfigArn"] for each in lambda_.list_code_signing_configs()["CodeSigningConfigs"]]
    lambda_.delete_code_signing_config(CodeSigningConfigArn=arn)
    with pytest.raises(lambda_.exceptions.ResourceNotFoundException, match="cannot be found"):
        lambda_.get_code_signing_config(CodeSigningConfigArn=arn)


def test_who_enforces_signatures_gets_no_unsigned_code(functions: Functions, lambda_: Any) -> None:
    enforcing = create(lambda_, "Enforce")
    with pytest.raises(ClientError) as refused:
        functions.make(CODE, CodeSigningConfigArn=enforcing)
    assert "(CodeVerificationFailedException)" in str(refused.value)
    name = functions.make(CODE)
    lambda_.put_function_code_signing_config(FunctionName=name, CodeSigningConfigArn=enforcing)
    with pytest.raises(lambda_.exceptions.CodeVerificationFailedException):
        lambda_.update_function_code(FunctionName=name, ZipFile=zipped(app=CODE))
    assert functions.call(name) == 1
    lambda_.delete_function_code_signing_config(FunctionName=name)
    lambda_.update_function_code(FunctionName=name, ZipFile=zipped(app=CODE))


def test_who_is_warned_gets_it(functions: Functions, lambda_: Any) -> None:
    arn = create(lambda_)
    name = functions.make(CODE, CodeSigningConfigArn=arn)
    assert lambda_.get_function_code_signing_config(FunctionName=name)["CodeSigningConfigArn"] == arn
    [function] = lambda_.list_functions_by_code_signing_config(CodeSigningConfigArn=arn)["FunctionArns"]
    assert function.endswith(f":function:{name}")
    with pytest.raises(lambda_.exceptions.ResourceConflictException):
        lambda_.delete_code_signing_config(CodeSigningConfigArn=arn)


def test_a_configuration_that_is_none(functions: Functions, lambda_: Any) -> None:
    name = functions.make(CODE)
    missing = "arn:aws:lambda:us-east-1:000000000000:code-signing-config:csc-00000000000000000"
    with pytest.raises(lambda_.exceptions.CodeSigningConfigNotFoundException):
        lambda_.put_function_code_signing_config(FunctionName=name, CodeSigningConfigArn=missing)
