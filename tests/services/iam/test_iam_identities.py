"""Users, groups, roles, instance profiles: made, found, listed, renamed, deleted, in AWS's words."""

from typing import Any

import pytest

LAMBDA = {"Service": "lambda.amazonaws.com"}


async def test_a_user(access: Any) -> None:
    made = (await access.call("CreateUser", UserName="Ann", Path="/team/", Tags=[{"Key": "k", "Value": "v"}]))["User"]
    assert made["Arn"] == "arn:aws:iam::000000000000:user/team/Ann"
    assert made["UserId"].startswith("AIDA")
    found = (await access.call("GetUser", UserName="ann"))["User"]
    assert found == made
    assert found["Tags"] == [{"Key": "k", "Value": "v"}]


async def test_names_differ_in_more_than_their_case(access: Any) -> None:
    await access.call("CreateUser", UserName="Ann")
    refused = await access.refusal("CreateUser", UserName="ANN")
    assert (refused.code, refused.message) == ("EntityAlreadyExists", "User with name ANN already exists.")


@pytest.mark.parametrize(("operation", "kind"), [("GetUser", "user"), ("DeleteUser", "user")])
async def test_a_user_that_is_not_there(access: Any, operation: str, kind: str) -> None:
    refused = await access.refusal(operation, UserName="nobody")
    assert (refused.code, refused.status) == ("NoSuchEntity", 404)
    assert refused.message == f"The {kind} with name nobody cannot be found."


async def test_get_user_without_a_name_is_about_the_caller(access: Any, policy: Any) -> None:
    assert (await access.call("GetUser"))["User"]["Arn"] == "arn:aws:iam::000000000000:root"
    ann = await access.user("ann")
    await access.call("PutUserPolicy", UserName="ann", PolicyName="p", PolicyDocument=policy.allow("iam:GetUser"))
    assert (await access.call("GetUser", as_=ann))["User"]["UserName"] == "ann"


async def test_pages(access: Any) -> None:
    for number in range(5):
        await access.call("CreateUser", UserName=f"u{number}", Path="/p/" if number else "/")
    first = await access.call("ListUsers", MaxItems=2)
    assert [user["UserName"] for user in first["Users"]] == ["u0", "u1"]
    assert first["IsTruncated"]
    rest = await access.call("ListUsers", Marker=first["Marker"])
    assert [user["UserName"] for user in rest["Users"]] == ["u2", "u3", "u4"]
    assert not rest["IsTruncated"]
    assert len((await access.call("ListUsers", PathPrefix="/p/"))["Users"]) == 4
    assert (await access.refusal("ListUsers", Marker="no marker")).code == "ValidationError"


async def test_a_renamed_user_keeps_its_id_and_its_groups(access: Any) -> None:
    await access.call("CreateGroup", GroupName="g")
    before = (await access.call("CreateUser", UserName="ann"))["User"]
    await access.call("AddUserToGroup", GroupName="g", UserName="ann")
    await access.call("UpdateUser", UserName="ann", NewUserName="eve", NewPath="/x/")
    members = (await access.call("GetGroup", GroupName="g"))["Users"]
    assert [(user["UserId"], user["Arn"]) for user in members] == [
        (before["UserId"], "arn:aws:iam::000000000000:user/x/eve")
    ]


async def test_what_hangs_on_a_user_must_go_first(access: Any, policy: Any) -> None:
    await access.call("CreateUser", UserName="ann")
    await access.call("CreateGroup", GroupName="g")
    await access.call("AddUserToGroup", GroupName="g", UserName="ann")
    key = (await access.call("CreateAccessKey", UserName="ann"))["AccessKey"]["AccessKeyId"]
    await access.call("AttachUserPolicy", UserName="ann", PolicyArn="arn:aws:iam::aws:policy/ReadOnlyAccess")
    await access.call("PutUserPolicy", UserName="ann", PolicyName="p", PolicyDocument=policy.allow("s3:*"))
    obstacles = [
        ("remove users from group", "RemoveUserFromGroup", {"GroupName": "g", "UserName": "ann"}),
        ("delete access keys", "DeleteAccessKey", {"UserName": "ann", "AccessKeyId": key}),
        (
            "detach all policies",
            "DetachUserPolicy",
            {"UserName": "ann", "PolicyArn": "arn:aws:iam::aws:policy/ReadOnlyAccess"},
        ),
        ("delete policies", "DeleteUserPolicy", {"UserName": "ann", "PolicyName": "p"}),
    ]
    for what, operation, params in obstacles:
        refused = await access.refusal("DeleteUser", UserName="ann")
        assert (refused.code, refused.message) == ("DeleteConflict", f"Cannot delete entity, must {what} first.")
        await access.call(operation, **params)
    await access.call("DeleteUser", UserName="ann")
    assert (await access.refusal("GetUser", UserName="ann")).code == "NoSuchEntity"


async def test_a_role(access: Any, policy: Any) -> None:
    document = policy.trust(LAMBDA)
    await access.call("CreateRole", RoleName="r", AssumeRolePolicyDocument=document, Description="d")
    await access.call("UpdateRole", RoleName="r", MaxSessionDuration=7200)
    role = (await access.call("GetRole", RoleName="r"))["Role"]
    assert (role["Description"], role["MaxSessionDuration"]) == ("d", 7200)
    assert role["AssumeRolePolicyDocument"].startswith("%7B%22Version%22%3A")
    assert (await access.call("ListRoles"))["Roles"][0]["RoleId"] == role["RoleId"]


async def test_a_trust_policy_that_is_none(access: Any, policy: Any) -> None:
    refused = await access.refusal("CreateRole", RoleName="r", AssumeRolePolicyDocument="{}")
    assert refused.code == "MalformedPolicyDocument"
    refused = await access.refusal("CreateRole", RoleName="r", AssumeRolePolicyDocument=policy.allow("sts:AssumeRole"))
    assert refused.message == "Missing required field Principal"


async def test_tags(access: Any, policy: Any) -> None:
    await access.call("CreateRole", RoleName="r", AssumeRolePolicyDocument=policy.trust(LAMBDA))
    await access.call("TagRole", RoleName="r", Tags=[{"Key": "A", "Value": "1"}, {"Key": "b", "Value": "2"}])
    await access.call("TagRole", RoleName="r", Tags=[{"Key": "a", "Value": "3"}])
    assert (await access.call("ListRoleTags", RoleName="r"))["Tags"] == [
        {"Key": "a", "Value": "3"},
        {"Key": "b", "Value": "2"},
    ]
    await access.call("UntagRole", RoleName="r", TagKeys=["A"])
    assert len((await access.call("ListRoleTags", RoleName="r"))["Tags"]) == 1
    too_many = [{"Key": str(number), "Value": ""} for number in range(50)]
    assert (await access.refusal("TagRole", RoleName="r", Tags=too_many)).code == "LimitExceeded"
    assert len((await access.call("ListRoleTags", RoleName="r"))["Tags"]) == 1


async def test_an_instance_profile_holds_one_role(access: Any, policy: Any) -> None:
    await access.call("CreateInstanceProfile", InstanceProfileName="p")
    for name in ("r", "s"):
        await access.call("CreateRole", RoleName=name, AssumeRolePolicyDocument=policy.trust(LAMBDA))
    await access.call("AddRoleToInstanceProfile", InstanceProfileName="p", RoleName="r")
    refused = await access.refusal("AddRoleToInstanceProfile", InstanceProfileName="p", RoleName="s")
    assert refused.code == "LimitExceeded"
    profile = (await access.call("GetInstanceProfile", InstanceProfileName="p"))["InstanceProfile"]
    assert [role["RoleName"] for role in profile["Roles"]] == ["r"]
    assert (await access.refusal("DeleteRole", RoleName="r")).code == "DeleteConflict"
    await access.call("RemoveRoleFromInstanceProfile", InstanceProfileName="p", RoleName="r")
    await access.call("DeleteInstanceProfile", InstanceProfileName="p")


async def test_access_keys(access: Any) -> None:
    await access.call("CreateUser", UserName="ann")
    keys = [(await access.call("CreateAccessKey", UserName="ann"))["AccessKey"] for _ in range(2)]
    refused = await access.refusal("CreateAccessKey", UserName="ann")
    assert (refused.code, refused.message) == ("LimitExceeded", "Cannot exceed quota for AccessKeysPerUser: 2")
    id_ = keys[0]["AccessKeyId"]
    assert access.iam.credential(id_).principal.arn == "arn:aws:iam::000000000000:user/ann"
    await access.call("UpdateAccessKey", UserName="ann", AccessKeyId=id_, Status="Inactive")
    assert not access.iam.credential(id_).active
    await access.call("DeleteAccessKey", UserName="ann", AccessKeyId=id_)
    assert access.iam.credential(id_) is None
    listed = (await access.call("ListAccessKeys", UserName="ann"))["AccessKeyMetadata"]
    assert [key["AccessKeyId"] for key in listed] == [keys[1]["AccessKeyId"]]


async def test_when_a_key_was_last_used(access: Any) -> None:
    await access.call("CreateUser", UserName="ann")
    id_ = (await access.call("CreateAccessKey", UserName="ann"))["AccessKey"]["AccessKeyId"]
    never = (await access.call("GetAccessKeyLastUsed", AccessKeyId=id_))["AccessKeyLastUsed"]
    assert never == {"ServiceName": "N/A", "Region": "N/A"}
    access.iam.used(access.iam.credential(id_), "s3", "eu-west-1", access.clock.now())
    await access.restart()
    last = (await access.call("GetAccessKeyLastUsed", AccessKeyId=id_))["AccessKeyLastUsed"]
    assert (last["ServiceName"], last["Region"]) == ("s3", "eu-west-1")
    assert last["LastUsedDate"].timestamp() == access.clock.now()


async def test_everything_is_there_after_a_restart(access: Any, policy: Any) -> None:
    await access.call("CreateUser", UserName="ann")
    key = (await access.call("CreateAccessKey", UserName="ann"))["AccessKey"]
    await access.call("CreateRole", RoleName="r", AssumeRolePolicyDocument=policy.trust(LAMBDA))
    await access.restart()
    assert access.iam.credential(key["AccessKeyId"]).secret_access_key == key["SecretAccessKey"]
    assert (await access.call("GetRole", RoleName="r"))["Role"]["RoleName"] == "r"


async def test_the_account_as_a_whole(access: Any) -> None:
    await access.call("CreateUser", UserName="ann")
    assert (await access.call("GetAccountSummary"))["SummaryMap"]["Users"] == 1
    await access.call("CreateAccountAlias", AccountAlias="our-shop")
    assert (await access.call("ListAccountAliases"))["AccountAliases"] == ["our-shop"]
    await access.call("DeleteAccountAlias", AccountAlias="our-shop")
    assert (await access.call("ListAccountAliases"))["AccountAliases"] == []


async def test_secrets_are_the_owners_alone(access: Any) -> None:
    for file in access.cloud.settings.data.iterdir():
        assert file.stat().st_mode & 0o077 == 0, file
