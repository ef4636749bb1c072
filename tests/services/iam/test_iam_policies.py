"""Managed policies with their versions and attachments, inline policies, AWS's own."""

from typing import Any

import orjson
import pytest

from cloudlet.authz.documents import parse_policy
from cloudlet.core.context import Principal
from cloudlet.services.iam.aws_managed import AWS_MANAGED

ARN = "arn:aws:iam::000000000000:policy/p"


async def test_versions(access: Any, policy: Any) -> None:
    await access.call("CreatePolicy", PolicyName="p", PolicyDocument=policy.allow("s3:GetObject"))
    for number in range(2, 6):
        document = policy.allow(f"s3:Get{number}")
        made = await access.call("CreatePolicyVersion", PolicyArn=ARN, PolicyDocument=document, SetAsDefault=True)
        assert made["PolicyVersion"]["VersionId"] == f"v{number}"
    refused = await access.refusal("CreatePolicyVersion", PolicyArn=ARN, PolicyDocument=policy.allow("s3:*"))
    assert refused.code == "LimitExceeded"
    refused = await access.refusal("DeletePolicyVersion", PolicyArn=ARN, VersionId="v5")
    assert refused.message == "Cannot delete the default version of a policy."
    await access.call("SetDefaultPolicyVersion", PolicyArn=ARN, VersionId="v1")
    await access.call("DeletePolicyVersion", PolicyArn=ARN, VersionId="v5")
    listed = (await access.call("ListPolicyVersions", PolicyArn=ARN))["Versions"]
    assert [(v["VersionId"], v["IsDefaultVersion"]) for v in listed] == [
        ("v4", False),
        ("v3", False),
        ("v2", False),
        ("v1", True),
    ]
    again = await access.call("CreatePolicyVersion", PolicyArn=ARN, PolicyDocument=policy.allow("s3:*"))
    assert again["PolicyVersion"]["VersionId"] == "v6"


async def test_a_policy_in_use_stays(access: Any, policy: Any) -> None:
    await access.call("CreatePolicy", PolicyName="p", PolicyDocument=policy.allow("s3:GetObject"))
    await access.call("CreateUser", UserName="ann", PermissionsBoundary=ARN)
    await access.call("CreateGroup", GroupName="g")
    await access.call("AttachGroupPolicy", GroupName="g", PolicyArn=ARN)
    shown = (await access.call("GetPolicy", PolicyArn=ARN))["Policy"]
    assert (shown["AttachmentCount"], shown["PermissionsBoundaryUsageCount"]) == (1, 1)
    held = await access.call("ListEntitiesForPolicy", PolicyArn=ARN)
    assert [group["GroupName"] for group in held["PolicyGroups"]] == ["g"]
    assert (await access.refusal("DeletePolicy", PolicyArn=ARN)).code == "DeleteConflict"
    await access.call("DetachGroupPolicy", GroupName="g", PolicyArn=ARN)
    await access.call("DeleteUserPermissionsBoundary", UserName="ann")
    await access.call("DeletePolicy", PolicyArn=ARN)
    assert (await access.refusal("GetPolicy", PolicyArn=ARN)).message == f"Policy {ARN} was not found."


async def test_attaching_twice_is_attaching_once(access: Any) -> None:
    await access.call("CreateGroup", GroupName="g")
    for _ in range(2):
        await access.call("AttachGroupPolicy", GroupName="g", PolicyArn="arn:aws:iam::aws:policy/AmazonSQSFullAccess")
    listed = (await access.call("ListAttachedGroupPolicies", GroupName="g"))["AttachedPolicies"]
    assert [attached["PolicyName"] for attached in listed] == ["AmazonSQSFullAccess"]
    refused = await access.refusal("AttachGroupPolicy", GroupName="g", PolicyArn="arn:aws:iam::aws:policy/None")
    assert refused.code == "NoSuchEntity"


async def test_at_most_ten_are_attached(access: Any) -> None:
    await access.call("CreateGroup", GroupName="g")
    arns = list(AWS_MANAGED)
    for arn in arns[:10]:
        await access.call("AttachGroupPolicy", GroupName="g", PolicyArn=arn)
    refused = await access.refusal("AttachGroupPolicy", GroupName="g", PolicyArn=arns[10])
    assert refused.message == "Cannot exceed quota for PoliciesPerGroup: 10"


async def test_inline_policies(access: Any, policy: Any) -> None:
    await access.call("CreateGroup", GroupName="g")
    await access.call("PutGroupPolicy", GroupName="g", PolicyName="a", PolicyDocument=policy.allow("s3:*"))
    await access.call("PutGroupPolicy", GroupName="g", PolicyName="b", PolicyDocument=policy.allow("sqs:*"))
    assert (await access.call("ListGroupPolicies", GroupName="g"))["PolicyNames"] == ["a", "b"]
    long = policy.allow("s3:*", resource="arn:aws:s3:::" + "x" * 5000)
    refused = await access.refusal("PutGroupPolicy", GroupName="g", PolicyName="c", PolicyDocument=long)
    assert refused.message == "Maximum policy size of 5120 bytes exceeded for group g"
    await access.call("DeleteGroupPolicy", GroupName="g", PolicyName="a")
    refused = await access.refusal("GetGroupPolicy", GroupName="g", PolicyName="a")
    assert refused.message == "The group policy with name a cannot be found."


async def test_aws_own_policies_can_be_seen_but_not_changed(access: Any, policy: Any) -> None:
    arn = "arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole"
    shown = (await access.call("GetPolicy", PolicyArn=arn))["Policy"]
    assert (shown["Path"], shown["DefaultVersionId"]) == ("/service-role/", "v1")
    refused = await access.refusal("CreatePolicyVersion", PolicyArn=arn, PolicyDocument=policy.allow("*"))
    assert refused.code == "AccessDenied"
    listed = await access.call("ListPolicies", Scope="AWS", PathPrefix="/service-role/")
    assert arn in [found["Arn"] for found in listed["Policies"]]
    assert (await access.call("ListPolicies", Scope="Local"))["Policies"] == []


@pytest.mark.parametrize("arn", AWS_MANAGED)
def test_every_policy_of_aws_is_one(arn: str) -> None:
    ours = AWS_MANAGED[arn]
    assert parse_policy(orjson.dumps(ours.document).decode(), "identity").statements
    assert arn == f"arn:aws:iam::aws:policy{ours.path}{ours.name}"


async def test_another_accounts_policy_is_not_there(access: Any, policy: Any) -> None:
    await access.call("CreatePolicy", PolicyName="p", PolicyDocument=policy.allow("s3:*"))
    refused = await access.refusal("GetPolicy", PolicyArn=ARN, as_=Principal.root("111111111111"))
    assert refused.code == "AccessDenied"
