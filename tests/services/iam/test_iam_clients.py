"""IAM and STS as boto3 sees them: a real server, real signatures."""

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError


def test_the_root_is_who_it_says(server: Any) -> None:
    identity = server.client("sts").get_caller_identity()
    assert identity["Arn"] == "arn:aws:iam::000000000000:root"
    assert identity["Account"] == identity["UserId"] == "000000000000"


def test_a_role_comes_back_with_its_documents_decoded(server: Any, policy: Any) -> None:
    iam = server.client("iam")
    trust = policy.trust({"Service": "lambda.amazonaws.com"})
    iam.create_role(RoleName="reader", AssumeRolePolicyDocument=trust, Tags=[{"Key": "team", "Value": "a"}])
    iam.put_role_policy(RoleName="reader", PolicyName="own", PolicyDocument=policy.allow("s3:GetObject"))
    role = iam.get_role(RoleName="reader")["Role"]
    assert role["AssumeRolePolicyDocument"] == json.loads(trust)
    assert role["Tags"] == [{"Key": "team", "Value": "a"}]
    own = iam.get_role_policy(RoleName="reader", PolicyName="own")["PolicyDocument"]
    assert own["Statement"][0]["Action"] == ["s3:GetObject"]


def test_paginators_and_waiters(server: Any) -> None:
    iam = server.client("iam")
    for number in range(3):
        iam.create_user(UserName=f"user-{number}", Path="/paged/")
    iam.get_waiter("user_exists").wait(UserName="user-2")
    pages = iam.get_paginator("list_users").paginate(PathPrefix="/paged/", PaginationConfig={"PageSize": 1})
    assert [user["UserName"] for page in pages for user in page["Users"]] == ["user-0", "user-1", "user-2"]


def test_a_user_with_a_key_of_its_own(server: Any, policy: Any) -> None:
    iam = server.client("iam")
    iam.create_user(UserName="ann")
    iam.put_user_policy(UserName="ann", PolicyName="p", PolicyDocument=policy.allow("iam:GetUser"))
    key = iam.create_access_key(UserName="ann")["AccessKey"]
    session = server.session(key["AccessKeyId"], key["SecretAccessKey"])
    assert server.client("sts", session=session).get_caller_identity()["Arn"].endswith(":user/ann")
    assert server.client("iam", session=session).get_user()["User"]["UserName"] == "ann"
    last = iam.get_access_key_last_used(AccessKeyId=key["AccessKeyId"])["AccessKeyLastUsed"]
    assert last["ServiceName"] == "iam"


def test_a_role_assumed_by_a_user(server: Any, policy: Any) -> None:
    iam = server.client("iam")
    user = iam.create_user(UserName="bob")["User"]
    iam.create_role(RoleName="lister", AssumeRolePolicyDocument=policy.trust({"AWS": user["Arn"]}))
    iam.attach_role_policy(RoleName="lister", PolicyArn="arn:aws:iam::aws:policy/IAMReadOnlyAccess")
    key = iam.create_access_key(UserName="bob")["AccessKey"]
    sts = server.client("sts", session=server.session(key["AccessKeyId"], key["SecretAccessKey"]))
    given = sts.assume_role(RoleArn="arn:aws:iam::000000000000:role/lister", RoleSessionName="work")["Credentials"]
    session = server.session(given["AccessKeyId"], given["SecretAccessKey"], given["SessionToken"])
    assert server.client("iam", session=session).list_users()["Users"]


def test_resources_of_boto3(server: Any, policy: Any) -> None:
    iam = server.resource("iam")
    role = iam.create_role(RoleName="r", AssumeRolePolicyDocument=policy.trust({"Service": "ecs.amazonaws.com"}))
    role.attach_policy(PolicyArn="arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess")
    assert [attached.policy_name for attached in role.attached_policies.all()] == ["AmazonS3ReadOnlyAccess"]


def test_what_was_answered_outlives_kill_9(own_server: Any, policy: Any) -> None:
    iam = own_server.client("iam")
    iam.create_user(UserName="ann")
    iam.put_user_policy(UserName="ann", PolicyName="p", PolicyDocument=policy.allow("iam:ListUsers"))
    key = iam.create_access_key(UserName="ann")["AccessKey"]
    session = own_server.session(key["AccessKeyId"], key["SecretAccessKey"])
    given = own_server.client("sts", session=session).get_session_token()["Credentials"]
    own_server.restart()
    temporary = own_server.session(given["AccessKeyId"], given["SecretAccessKey"], given["SessionToken"])
    for owner in (session, temporary):
        assert [user["UserName"] for user in own_server.client("iam", session=owner).list_users()["Users"]] == ["ann"]


def test_a_session_gets_no_further_session(server: Any) -> None:
    given = server.client("sts").get_session_token()["Credentials"]
    session = server.session(given["AccessKeyId"], given["SecretAccessKey"], given["SessionToken"])
    sts = server.client("sts", session=session)
    assert sts.get_caller_identity()["Arn"] == "arn:aws:iam::000000000000:root"
    with pytest.raises(ClientError, match="Cannot call GetSessionToken with session credentials"):
        sts.get_session_token()
