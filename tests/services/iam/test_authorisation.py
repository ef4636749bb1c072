"""How calls are judged on their way in: what they count as, whose resources they touch, on whose behalf."""

import json
from typing import Any

import pytest

from cloudlet.core.context import FIRST_ACCOUNT, Call, Principal
from cloudlet.core.errors import AwsError
from cloudlet.core.service import Cloud, Service, operation

THERE = "111111111111"
QUEUE = f"arn:aws:sqs:us-east-1:{FIRST_ACCOUNT}:q"


class Shelf(Service):
    """Stands in for SQS: one resource with one policy."""

    apis = ("sqs",)

    def __init__(self, cloud: Cloud) -> None:
        super().__init__(cloud)
        self.policy: dict[str, Any] | None = None
        self.keys: dict[str, str] = {}

    def resource(self, call: Call, params: dict[str, Any]) -> str | None:
        return QUEUE

    def resource_policy(self, call: Call, params: dict[str, Any]) -> dict[str, Any] | None:
        return self.policy

    def condition_keys(self, call: Call, params: dict[str, Any]) -> dict[str, str]:
        return self.keys

    def counts_as(self, call: Call, params: dict[str, Any]) -> Any:
        if call.operation == "DeleteMessageBatch":
            return [("ReceiveMessage", params), ("DeleteMessage", params)]
        return super().counts_as(call, params)

    @operation("PurgeQueue")
    async def purge(self, call: Call, params: dict[str, Any]) -> dict[str, Any]:
        return {"account": call.account}

    @operation("DeleteMessageBatch")
    async def delete(self, call: Call, params: dict[str, Any]) -> dict[str, Any]:
        return {}


@pytest.fixture
def shelf(access: Any) -> Shelf:
    added = Shelf(access.cloud)
    access.cloud.add(added)
    return added


async def purge(access: Any, as_: Principal, **options: Any) -> Any:
    params = {"QueueUrl": "http://localhost/q"}
    return await access.cloud.call("sqs", "PurgeQueue", params, as_=as_, region="us-east-1", **options)


async def refusal(access: Any, as_: Principal, **options: Any) -> str:
    with pytest.raises(AwsError) as raised:
        await purge(access, as_, **options)
    assert raised.value.code == "AccessDenied"
    return raised.value.message


def open_to(principal: Any, **more: Any) -> dict[str, Any]:
    statement = {"Effect": "Allow", "Principal": principal, "Action": "sqs:*", "Resource": QUEUE, **more}
    return {"Version": "2012-10-17", "Statement": [statement]}


async def test_the_root_may_do_everything_in_its_own_account(access: Any, shelf: Shelf) -> None:
    assert await purge(access, Principal.root(FIRST_ACCOUNT))


async def test_another_accounts_root_only_what_the_resource_allows(access: Any, shelf: Shelf) -> None:
    root = Principal.root(THERE)
    assert await refusal(access, root) == (
        f"User: arn:aws:iam::{THERE}:root is not authorized to perform: sqs:PurgeQueue on resource: {QUEUE} because no "
        "resource-based policy allows the sqs:PurgeQueue action"
    )
    shelf.policy = open_to({"AWS": THERE})
    assert await purge(access, root) == {"account": FIRST_ACCOUNT}


async def test_a_service_on_behalf_of_a_resource(access: Any, shelf: Shelf) -> None:
    sns = Principal.service("sns.amazonaws.com", FIRST_ACCOUNT)
    await refusal(access, sns)
    condition = {"ArnEquals": {"aws:SourceArn": "arn:aws:sns:us-east-1:000000000000:t"}}
    shelf.policy = open_to({"Service": "sns.amazonaws.com"}, Condition=condition)
    await refusal(access, sns, source_arn="arn:aws:sns:us-east-1:000000000000:other")
    assert await purge(access, sns, source_arn="arn:aws:sns:us-east-1:000000000000:t")


async def test_changes_count_at_once(access: Any, shelf: Shelf, policy: Any) -> None:
    ann = await access.user("ann")
    await refusal(access, ann)
    await access.call("CreateGroup", GroupName="g")
    await access.call("PutGroupPolicy", GroupName="g", PolicyName="p", PolicyDocument=policy.allow("sqs:*"))
    await refusal(access, ann)
    await access.call("AddUserToGroup", GroupName="g", UserName="ann")
    assert await purge(access, ann)
    await access.call("CreatePolicy", PolicyName="b", PolicyDocument=policy.allow("s3:*"))
    boundary = f"arn:aws:iam::{FIRST_ACCOUNT}:policy/b"
    await access.call("PutUserPermissionsBoundary", UserName="ann", PermissionsBoundary=boundary)
    assert (await refusal(access, ann)).endswith("because no permissions boundary allows the sqs:PurgeQueue action")
    document = policy.allow("sqs:PurgeQueue")
    await access.call("CreatePolicyVersion", PolicyArn=boundary, PolicyDocument=document, SetAsDefault=True)
    assert await purge(access, ann)
    await access.call("DeleteGroupPolicy", GroupName="g", PolicyName="p")
    await refusal(access, ann)


async def test_a_services_own_condition_keys(access: Any, shelf: Shelf) -> None:
    ann = await access.user("ann")
    shelf.policy = open_to({"AWS": ann.arn}, Condition={"StringEquals": {"sqs:Colour": "red"}})
    await refusal(access, ann)
    shelf.keys = {"sqs:Colour": "red"}
    assert await purge(access, ann)


async def test_a_call_that_counts_as_others_needs_all_of_them(access: Any, shelf: Shelf, policy: Any) -> None:
    ann = await access.user("ann")
    params = {"QueueUrl": "http://localhost/q", "Entries": [{"Id": "1", "ReceiptHandle": "r"}]}
    for document, allowed in (
        (policy.allow("sqs:DeleteMessage"), False),
        (policy.allow("sqs:DeleteMessage", "sqs:ReceiveMessage"), True),
    ):
        await access.call("PutUserPolicy", UserName="ann", PolicyName="p", PolicyDocument=document)
        call = access.cloud.call("sqs", "DeleteMessageBatch", params, as_=ann, region="us-east-1")
        if allowed:
            await call
        else:
            with pytest.raises(AwsError, match="sqs:ReceiveMessage"):
                await call


async def test_who_may_hand_a_role_to_a_service(access: Any, policy: Any) -> None:
    role = f"arn:aws:iam::{FIRST_ACCOUNT}:role/worker"
    ann = await access.user("ann")

    def hand_over(principal: Principal, role: str = role, service: str = "lambda.amazonaws.com") -> None:
        call = Call("lambda", "CreateFunction", principal.account, "us-east-1", principal, "id", access.clock.now())
        access.cloud.authorise_passing(call, role, service)

    with pytest.raises(AwsError, match="iam:PassRole"):
        hand_over(ann)
    statement = {
        "Effect": "Allow",
        "Action": "iam:PassRole",
        "Resource": role,
        "Condition": {"StringEquals": {"iam:PassedToService": "lambda.amazonaws.com"}},
    }
    document = json.dumps({"Version": "2012-10-17", "Statement": statement})
    await access.call("PutUserPolicy", UserName="ann", PolicyName="p", PolicyDocument=document)
    hand_over(ann)
    with pytest.raises(AwsError, match="iam:PassRole"):
        hand_over(ann, service="ecs-tasks.amazonaws.com")
    hand_over(Principal.root(FIRST_ACCOUNT))
    with pytest.raises(AwsError, match="Cross-account pass role is not allowed"):
        hand_over(Principal.root(THERE))


async def test_conditions_on_what_is_attached_and_on_boundaries(access: Any, policy: Any) -> None:
    """Those by which an administrator of users is kept from making himself more than that."""
    ann = await access.user("ann")
    boundary = "arn:aws:iam::aws:policy/ReadOnlyAccess"
    everything = {"Effect": "Allow", "Action": "iam:*", "Resource": "*"}
    not_admin = {
        "Effect": "Deny",
        "Action": "iam:AttachUserPolicy",
        "Resource": "*",
        "Condition": {"ArnEquals": {"iam:PolicyARN": "arn:aws:iam::aws:policy/AdministratorAccess"}},
    }
    bounded = {
        "Effect": "Deny",
        "Action": ["iam:CreateUser", "iam:PutUserPolicy"],
        "Resource": "*",
        "Condition": {"StringNotEquals": {"iam:PermissionsBoundary": boundary}},
    }
    document = json.dumps({"Version": "2012-10-17", "Statement": [everything, not_admin, bounded]})
    await access.call("PutUserPolicy", UserName="ann", PolicyName="p", PolicyDocument=document)
    await access.user("free")
    for name, params in (
        ("AttachUserPolicy", {"UserName": "ann", "PolicyArn": "arn:aws:iam::aws:policy/AdministratorAccess"}),
        ("CreateUser", {"UserName": "bob"}),
        ("PutUserPolicy", {"UserName": "free", "PolicyName": "q", "PolicyDocument": policy.allow("s3:*")}),
    ):
        assert (await access.refusal(name, as_=ann, **params)).code == "AccessDenied"
    await access.call("AttachUserPolicy", as_=ann, UserName="free", PolicyArn=boundary)
    await access.call("CreateUser", as_=ann, UserName="bob", PermissionsBoundary=boundary)
    own = {"UserName": "bob", "PolicyName": "q", "PolicyDocument": policy.allow("s3:*")}
    await access.call("PutUserPolicy", as_=ann, **own)
