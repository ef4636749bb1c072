"""Temporary credentials: who gets them, what they stand for, how long."""

import json
from typing import Any

from cloudlet.core.context import FIRST_ACCOUNT, Principal
from cloudlet.services.iam.sessions import account_of

ROLE = "arn:aws:iam::000000000000:role/r"
LAMBDA = Principal.service("lambda.amazonaws.com", FIRST_ACCOUNT)


async def role(access: Any, trust: str, name: str = "r") -> None:
    await access.call("CreateRole", RoleName=name, AssumeRolePolicyDocument=trust)


async def assume(access: Any, as_: Principal = LAMBDA, **params: Any) -> Any:
    return await access.call(
        "AssumeRole", api="sts", as_=as_, **{"RoleArn": ROLE, "RoleSessionName": "session", **params}
    )


async def assume_refused(access: Any, as_: Principal = LAMBDA, **params: Any) -> Any:
    return await access.refusal(
        "AssumeRole", api="sts", as_=as_, **{"RoleArn": ROLE, "RoleSessionName": "session", **params}
    )


def principal_of(access: Any, answer: Any) -> Principal:
    given = answer["Credentials"]
    found: Principal = access.iam.credential(given["AccessKeyId"], given["SessionToken"]).principal
    return found


async def test_a_service_assumes_the_role_that_trusts_it(access: Any, policy: Any) -> None:
    await role(access, policy.trust({"Service": "lambda.amazonaws.com"}))
    answer = await assume(access)
    who = await access.call("GetCallerIdentity", api="sts", as_=principal_of(access, answer))
    assert who["Arn"] == "arn:aws:sts::000000000000:assumed-role/r/session"
    assert who["UserId"] == answer["AssumedRoleUser"]["AssumedRoleId"]
    assert answer["Credentials"]["Expiration"].timestamp() == access.clock.now() + 3600


async def test_nobody_assumes_a_role_that_trusts_another(access: Any, policy: Any) -> None:
    await role(access, policy.trust({"Service": "ecs.amazonaws.com"}))
    assert (await assume_refused(access)).code == "AccessDenied"
    assert (await assume_refused(access, RoleArn=f"{ROLE}x")).code == "AccessDenied"
    refused = await assume_refused(access, Principal.root(FIRST_ACCOUNT))
    assert refused.message == "Roles may not be assumed by root accounts."


async def test_an_account_that_is_trusted_must_allow_it_to_its_users(access: Any, policy: Any) -> None:
    await role(access, policy.trust({"AWS": FIRST_ACCOUNT}))
    ann = await access.user("ann")
    refused = await assume_refused(access, ann)
    assert refused.message == (
        "User: arn:aws:iam::000000000000:user/ann is not authorized to perform: sts:AssumeRole on resource: "
        f"{ROLE} because no identity-based policy allows the sts:AssumeRole action"
    )
    document = policy.allow("sts:AssumeRole", resource=ROLE)
    await access.call("PutUserPolicy", UserName="ann", PolicyName="p", PolicyDocument=document)
    assert (await assume(access, ann))["AssumedRoleUser"]["Arn"].endswith("assumed-role/r/session")


async def test_a_user_that_is_trusted_by_name_needs_no_more(access: Any, policy: Any) -> None:
    ann = await access.user("ann")
    await role(access, policy.trust({"AWS": ann.arn}))
    await assume(access, ann)


async def test_an_external_id(access: Any, policy: Any) -> None:
    ann = await access.user("ann")
    await role(access, policy.trust({"AWS": ann.arn}, Condition={"StringEquals": {"sts:ExternalId": "secret"}}))
    assert (await assume_refused(access, ann)).code == "AccessDenied"
    await assume(access, ann, ExternalId="secret")


async def test_sessions_outlive_a_restart(access: Any, policy: Any) -> None:
    await role(access, policy.trust({"Service": "lambda.amazonaws.com"}))
    given = (await assume(access))["Credentials"]
    await access.restart()
    found = access.iam.credential(given["AccessKeyId"], given["SessionToken"])
    assert found.secret_access_key == given["SecretAccessKey"]
    assert found.expires == access.clock.now() + 3600


async def test_a_token_that_was_not_issued_stands_for_nobody(access: Any, policy: Any) -> None:
    await role(access, policy.trust({"Service": "lambda.amazonaws.com"}))
    given = (await assume(access))["Credentials"]
    other = (await assume(access))["Credentials"]
    key, token = given["AccessKeyId"], given["SessionToken"]
    assert access.iam.credential(key, other["SessionToken"]) is None
    assert access.iam.credential(key, token[:-8] + "AAAAAAA=") is None
    assert access.iam.credential(key, "no token") is None
    assert access.iam.credential(key) is None


async def test_how_long(access: Any, policy: Any) -> None:
    await role(access, policy.trust({"Service": "lambda.amazonaws.com"}))
    refused = await assume_refused(access, DurationSeconds=7200)
    assert refused.code == "ValidationError"
    await access.call("UpdateRole", RoleName="r", MaxSessionDuration=7200)
    assert (await assume(access, DurationSeconds=7200))["Credentials"]["Expiration"].timestamp() == (
        access.clock.now() + 7200
    )


async def test_a_session_policy_narrows_the_role(access: Any, policy: Any) -> None:
    await role(access, policy.trust({"Service": "lambda.amazonaws.com"}))
    await access.call("PutRolePolicy", RoleName="r", PolicyName="p", PolicyDocument=policy.allow("iam:*"))
    answer = await assume(access, Policy=policy.allow("iam:ListUsers"))
    narrow = principal_of(access, answer)
    assert answer["PackedPolicySize"] > 0
    await access.call("ListUsers", as_=narrow)
    refused = await access.refusal("ListRoles", as_=narrow)
    assert refused.message.endswith(" because no session policy allows the iam:ListRoles action")
    by_arn = await assume(access, PolicyArns=[{"arn": "arn:aws:iam::aws:policy/AmazonS3FullAccess"}])
    assert (await access.refusal("ListUsers", as_=principal_of(access, by_arn))).code == "AccessDenied"


async def test_a_role_made_anew_does_not_wake_old_sessions(access: Any, policy: Any) -> None:
    async def make() -> None:
        await role(access, policy.trust({"Service": "lambda.amazonaws.com"}))
        await access.call("PutRolePolicy", RoleName="r", PolicyName="p", PolicyDocument=policy.allow("iam:*"))

    await make()
    session = principal_of(access, await assume(access))
    await access.call("ListUsers", as_=session)
    await access.call("DeleteRolePolicy", RoleName="r", PolicyName="p")
    await access.call("DeleteRole", RoleName="r")
    assert (await access.refusal("ListUsers", as_=session)).code == "AccessDenied"
    await make()
    assert (await access.refusal("ListUsers", as_=session)).code == "AccessDenied"


async def test_a_users_session_may_do_what_the_user_may(access: Any, policy: Any) -> None:
    ann = await access.user("ann")
    await access.call("PutUserPolicy", UserName="ann", PolicyName="p", PolicyDocument=policy.allow("iam:ListUsers"))
    session = principal_of(access, await access.call("GetSessionToken", api="sts", as_=ann))
    assert session == ann
    await access.call("ListUsers", as_=session)


async def test_session_tags_can_be_referred_to(access: Any, policy: Any) -> None:
    actions = ["sts:AssumeRole", "sts:TagSession"]
    await role(access, policy.trust({"Service": "lambda.amazonaws.com"}, Action=actions))
    statement = {
        "Effect": "Allow",
        "Action": "iam:*",
        "Resource": "*",
        "Condition": {"StringEquals": {"aws:PrincipalTag/team": "blue"}},
    }
    document = json.dumps({"Version": "2012-10-17", "Statement": statement})
    await access.call("PutRolePolicy", RoleName="r", PolicyName="p", PolicyDocument=document)
    blue = principal_of(access, await assume(access, Tags=[{"Key": "Team", "Value": "blue"}]))
    red = principal_of(access, await assume(access, Tags=[{"Key": "team", "Value": "red"}]))
    await access.call("ListUsers", as_=blue)
    assert (await access.refusal("ListUsers", as_=red)).code == "AccessDenied"


async def test_who_may_assume_a_role_may_not_choose_its_tags_by_that(access: Any, policy: Any) -> None:
    await role(access, policy.trust({"Service": "lambda.amazonaws.com"}))
    refused = await assume_refused(access, Tags=[{"Key": "team", "Value": "blue"}])
    assert (refused.code, "sts:TagSession" in refused.message) == ("AccessDenied", True)
    refused = await assume_refused(access, SourceIdentity="somebody")
    assert (refused.code, "sts:SetSourceIdentity" in refused.message) == ("AccessDenied", True)


async def test_a_trust_policy_can_name_the_tags_that_it_allows(access: Any, policy: Any) -> None:
    own = {"StringEqualsIfExists": {"aws:RequestTag/team": "blue"}}
    actions = ["sts:AssumeRole", "sts:TagSession"]
    await role(access, policy.trust({"Service": "lambda.amazonaws.com"}, Action=actions, Condition=own))
    await assume(access, Tags=[{"Key": "team", "Value": "blue"}])
    assert (await assume_refused(access, Tags=[{"Key": "team", "Value": "red"}])).code == "AccessDenied"


async def test_the_account_of_a_key(access: Any, policy: Any) -> None:
    await role(access, policy.trust({"Service": "lambda.amazonaws.com"}))
    key = (await assume(access))["Credentials"]["AccessKeyId"]
    assert account_of(key) == FIRST_ACCOUNT
    assert (await access.call("GetAccessKeyInfo", api="sts", AccessKeyId=key)) == {"Account": FIRST_ACCOUNT}
