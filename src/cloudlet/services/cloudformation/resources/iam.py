"""Roles, users, groups, policies, instance profiles and access keys."""

from collections.abc import Iterable
from dataclasses import dataclass

from cloudlet.core.errors import AwsError
from cloudlet.services.cloudformation.resources.resource_type import (
    Attributes,
    Context,
    Properties,
    ResourceType,
    changed,
    present,
    removed_tags,
)


@dataclass(frozen=True, slots=True)
class _Holder:
    """What policies are attached to: `Role`, `User` or `Group`, as in the names of the operations."""

    kind: str

    async def put(self, context: Context, name: str, policy: str, document: object) -> None:
        params = {f"{self.kind}Name": name, "PolicyName": policy, "PolicyDocument": document}
        await context.call("iam", f"Put{self.kind}Policy", params)

    async def remove(self, context: Context, name: str, policy: str) -> None:
        params = {f"{self.kind}Name": name, "PolicyName": policy}
        await context.call_if_there("iam", f"Delete{self.kind}Policy", params)

    async def attach(self, context: Context, name: str, arn: str) -> None:
        await context.call("iam", f"Attach{self.kind}Policy", {f"{self.kind}Name": name, "PolicyArn": arn})

    async def detach(self, context: Context, name: str, arn: str) -> None:
        await context.call_if_there("iam", f"Detach{self.kind}Policy", {f"{self.kind}Name": name, "PolicyArn": arn})

    async def apply(self, context: Context, name: str, before: Properties, after: Properties) -> None:
        """Brings inline and attached policies from those of `before` to those of `after`."""
        old = {each["PolicyName"]: each["PolicyDocument"] for each in before.get("Policies", [])}
        new = {each["PolicyName"]: each["PolicyDocument"] for each in after.get("Policies", [])}
        for policy, document in new.items():
            if old.get(policy) != document:
                await self.put(context, name, policy, document)
        for policy in old.keys() - new.keys():
            await self.remove(context, name, policy)
        arns_before, arns_after = before.get("ManagedPolicyArns", []), after.get("ManagedPolicyArns", [])
        for arn in arns_after:
            if arn not in arns_before:
                await self.attach(context, name, arn)
        for arn in arns_before:
            if arn not in arns_after:
                await self.detach(context, name, arn)


_ROLE, _USER, _GROUP = _Holder("Role"), _Holder("User"), _Holder("Group")
_HOLDERS = {"Groups": _GROUP, "Roles": _ROLE, "Users": _USER}


class _Entity(ResourceType):
    """A role, user or group: a name in a path, with policies."""

    holder: _Holder

    def check(self, properties: Properties) -> None:
        super().check(properties)
        for at, policy in enumerate(properties.get("Policies", [])):
            for key in ("PolicyDocument", "PolicyName"):
                if key not in policy:
                    raise AwsError("ValidationError", f"#/Policies/{at}: required key [{key}] not found")

    async def find(self, context: Context, name: str, properties: Properties) -> str | None:
        kind = self.holder.kind
        found = await context.call_if_there("iam", f"Get{kind}", {f"{kind}Name": name})
        return name if found is not None else None

    async def delete(self, context: Context, physical_id: str, properties: Properties) -> None:
        await self.holder.apply(context, physical_id, properties, {})
        kind = self.holder.kind
        await context.call("iam", f"Delete{kind}", {f"{kind}Name": physical_id})

    async def attributes(self, context: Context, physical_id: str, properties: Properties) -> Attributes:
        kind = self.holder.kind
        found = (await context.call("iam", f"Get{kind}", {f"{kind}Name": physical_id}))[kind]
        return {"Arn": found["Arn"]} | ({"RoleId": found["RoleId"]} if kind == "Role" else {})

    async def _tag(self, context: Context, name: str, before: Properties, after: Properties) -> None:
        kind = self.holder.kind
        if gone := removed_tags(before, after):
            await context.call("iam", f"Untag{kind}", {f"{kind}Name": name, "TagKeys": gone})
        if changed(before, after, "Tags") and after.get("Tags"):
            await context.call("iam", f"Tag{kind}", {f"{kind}Name": name, "Tags": after["Tags"]})

    async def _bound(self, context: Context, name: str, before: Properties, after: Properties) -> None:
        kind = self.holder.kind
        if not changed(before, after, "PermissionsBoundary"):
            return
        if boundary := after.get("PermissionsBoundary"):
            params = {f"{kind}Name": name, "PermissionsBoundary": boundary}
            await context.call("iam", f"Put{kind}PermissionsBoundary", params)
        else:
            await context.call("iam", f"Delete{kind}PermissionsBoundary", {f"{kind}Name": name})


class Role(_Entity):
    type = "AWS::IAM::Role"
    holder = _ROLE
    properties = frozenset(
        (
            "AssumeRolePolicyDocument",
            "Description",
            "ManagedPolicyArns",
            "MaxSessionDuration",
            "Path",
            "PermissionsBoundary",
            "Policies",
            "RoleName",
            "Tags",
        )
    )
    required = frozenset(("AssumeRolePolicyDocument",))
    immutable = frozenset(("Path", "RoleName"))
    name_property = "RoleName"
    longest_name = 64
    tags = "list"

    async def create(self, context: Context, name: str, properties: Properties) -> str:
        members = (
            "AssumeRolePolicyDocument",
            "Description",
            "MaxSessionDuration",
            "Path",
            "PermissionsBoundary",
            "Tags",
        )
        await context.call("iam", "CreateRole", {"RoleName": name, **present(properties, *members)})
        await self.adopt(context, name, properties)
        return name

    async def adopt(self, context: Context, physical_id: str, properties: Properties) -> None:
        await _ROLE.apply(context, physical_id, {}, properties)

    async def update(self, context: Context, physical_id: str, before: Properties, after: Properties) -> None:
        name = {"RoleName": physical_id}
        if changed(before, after, "AssumeRolePolicyDocument"):
            params = {**name, "PolicyDocument": after["AssumeRolePolicyDocument"]}
            await context.call("iam", "UpdateAssumeRolePolicy", params)
        if changed(before, after, "Description", "MaxSessionDuration"):
            params = {
                "Description": "",
                "MaxSessionDuration": 3600,
                **present(after, "Description", "MaxSessionDuration"),
            }
            await context.call("iam", "UpdateRole", {**name, **params})
        await self._bound(context, physical_id, before, after)
        await _ROLE.apply(context, physical_id, before, after)
        await self._tag(context, physical_id, before, after)


class User(_Entity):
    type = "AWS::IAM::User"
    holder = _USER
    properties = frozenset(
        ("Groups", "ManagedPolicyArns", "Path", "PermissionsBoundary", "Policies", "Tags", "UserName")
    )
    immutable = frozenset(("Path", "UserName"))
    name_property = "UserName"
    longest_name = 64
    tags = "list"

    async def create(self, context: Context, name: str, properties: Properties) -> str:
        await context.call(
            "iam", "CreateUser", {"UserName": name, **present(properties, "Path", "PermissionsBoundary", "Tags")}
        )
        await self.adopt(context, name, properties)
        return name

    async def adopt(self, context: Context, physical_id: str, properties: Properties) -> None:
        await _USER.apply(context, physical_id, {}, properties)
        await _join_groups(context, physical_id, [], properties.get("Groups", []))

    async def update(self, context: Context, physical_id: str, before: Properties, after: Properties) -> None:
        await self._bound(context, physical_id, before, after)
        await _USER.apply(context, physical_id, before, after)
        await _join_groups(context, physical_id, before.get("Groups", []), after.get("Groups", []))
        await self._tag(context, physical_id, before, after)

    async def delete(self, context: Context, physical_id: str, properties: Properties) -> None:
        await _join_groups(context, physical_id, properties.get("Groups", []), [])
        await super().delete(context, physical_id, properties)


class Group(_Entity):
    type = "AWS::IAM::Group"
    holder = _GROUP
    properties = frozenset(("GroupName", "ManagedPolicyArns", "Path", "Policies"))
    immutable = frozenset(("GroupName", "Path"))
    name_property = "GroupName"
    longest_name = 128

    async def create(self, context: Context, name: str, properties: Properties) -> str:
        await context.call("iam", "CreateGroup", {"GroupName": name, **present(properties, "Path")})
        await self.adopt(context, name, properties)
        return name

    async def adopt(self, context: Context, physical_id: str, properties: Properties) -> None:
        await _GROUP.apply(context, physical_id, {}, properties)

    async def update(self, context: Context, physical_id: str, before: Properties, after: Properties) -> None:
        await _GROUP.apply(context, physical_id, before, after)


class Policy(ResourceType):
    """An inline policy, put into each role, user and group that it names."""

    type = "AWS::IAM::Policy"
    properties = frozenset(("Groups", "PolicyDocument", "PolicyName", "Roles", "Users"))
    required = frozenset(("PolicyDocument", "PolicyName"))

    def check(self, properties: Properties) -> None:
        super().check(properties)
        if not any(properties.get(member) for member in _HOLDERS):
            raise AwsError("ValidationError", "At least one of [Groups,Roles,Users] must be non-empty.")

    async def find(self, context: Context, name: str, properties: Properties) -> str | None:
        return name

    async def create(self, context: Context, name: str, properties: Properties) -> str:
        await self.adopt(context, name, properties)
        return name

    async def adopt(self, context: Context, physical_id: str, properties: Properties) -> None:
        for member, holder in _HOLDERS.items():
            for each in properties.get(member, []):
                await holder.put(context, each, properties["PolicyName"], properties["PolicyDocument"])

    async def attributes(self, context: Context, physical_id: str, properties: Properties) -> Attributes:
        return {"Id": physical_id}

    async def update(self, context: Context, physical_id: str, before: Properties, after: Properties) -> None:
        await self.adopt(context, physical_id, after)
        renamed = changed(before, after, "PolicyName")
        for member, holder in _HOLDERS.items():
            for each in before.get(member, []):
                if renamed or each not in after.get(member, []):
                    await holder.remove(context, each, before["PolicyName"])

    async def delete(self, context: Context, physical_id: str, properties: Properties) -> None:
        for member, holder in _HOLDERS.items():
            for each in properties.get(member, []):
                await holder.remove(context, each, properties["PolicyName"])


class RolePolicy(ResourceType):
    type = "AWS::IAM::RolePolicy"
    properties = frozenset(("PolicyDocument", "PolicyName", "RoleName"))
    required = properties
    immutable = frozenset(("PolicyName", "RoleName"))

    async def find(self, context: Context, name: str, properties: Properties) -> str | None:
        return await self.create(context, name, properties)  # putting it again changes nothing

    async def create(self, context: Context, name: str, properties: Properties) -> str:
        await _ROLE.put(context, properties["RoleName"], properties["PolicyName"], properties["PolicyDocument"])
        return f"{properties['PolicyName']}|{properties['RoleName']}"

    async def update(self, context: Context, physical_id: str, before: Properties, after: Properties) -> None:
        await self.create(context, physical_id, after)

    async def delete(self, context: Context, physical_id: str, properties: Properties) -> None:
        await _ROLE.remove(context, properties["RoleName"], properties["PolicyName"])


class ManagedPolicy(ResourceType):
    type = "AWS::IAM::ManagedPolicy"
    properties = frozenset(("Description", "Groups", "ManagedPolicyName", "Path", "PolicyDocument", "Roles", "Users"))
    required = frozenset(("PolicyDocument",))
    immutable = frozenset(("Description", "ManagedPolicyName", "Path"))
    name_property = "ManagedPolicyName"
    longest_name = 128

    async def find(self, context: Context, name: str, properties: Properties) -> str | None:
        arn = f"arn:aws:iam::{context.account}:policy{properties.get('Path', '/')}{name}"
        found = await context.call_if_there("iam", "GetPolicy", {"PolicyArn": arn})
        return arn if found is not None else None

    async def create(self, context: Context, name: str, properties: Properties) -> str:
        params = {"PolicyName": name, **present(properties, "Description", "Path", "PolicyDocument")}
        arn: str = (await context.call("iam", "CreatePolicy", params))["Policy"]["Arn"]
        await self.adopt(context, arn, properties)
        return arn

    async def adopt(self, context: Context, physical_id: str, properties: Properties) -> None:
        await self._attach(context, physical_id, {}, properties)

    async def attributes(self, context: Context, physical_id: str, properties: Properties) -> Attributes:
        found = (await context.call("iam", "GetPolicy", {"PolicyArn": physical_id}))["Policy"]
        return {"PolicyArn": physical_id, "PolicyId": found["PolicyId"], "DefaultVersionId": found["DefaultVersionId"]}

    async def update(self, context: Context, physical_id: str, before: Properties, after: Properties) -> None:
        if changed(before, after, "PolicyDocument"):
            await self._drop_versions(context, physical_id, keep=4)
            params = {"PolicyArn": physical_id, "PolicyDocument": after["PolicyDocument"], "SetAsDefault": True}
            await context.call("iam", "CreatePolicyVersion", params)
        await self._attach(context, physical_id, before, after)

    async def delete(self, context: Context, physical_id: str, properties: Properties) -> None:
        await self._attach(context, physical_id, properties, {})
        await self._drop_versions(context, physical_id, keep=1)
        await context.call("iam", "DeletePolicy", {"PolicyArn": physical_id})

    async def _attach(self, context: Context, arn: str, before: Properties, after: Properties) -> None:
        for member, holder in _HOLDERS.items():
            old, new = before.get(member, []), after.get(member, [])
            for each in new:
                if each not in old:
                    await holder.attach(context, each, arn)
            for each in old:
                if each not in new:
                    await holder.detach(context, each, arn)

    async def _drop_versions(self, context: Context, arn: str, *, keep: int) -> None:
        """Leaves the newest versions: a policy may have five."""
        versions = (await context.call("iam", "ListPolicyVersions", {"PolicyArn": arn}))["Versions"]
        others = sorted(
            (each for each in versions if not each["IsDefaultVersion"]), key=lambda each: int(each["VersionId"][1:])
        )
        for each in others[: max(0, len(versions) - keep)]:
            await context.call("iam", "DeletePolicyVersion", {"PolicyArn": arn, "VersionId": each["VersionId"]})


class AccessKey(ResourceType):
    type = "AWS::IAM::AccessKey"
    properties = frozenset(("Serial", "Status", "UserName"))
    required = frozenset(("UserName",))
    immutable = frozenset(("Serial", "UserName"))

    async def create(self, context: Context, name: str, properties: Properties) -> str:
        key = (await context.call("iam", "CreateAccessKey", {"UserName": properties["UserName"]}))["AccessKey"]
        context.told["SecretAccessKey"] = key["SecretAccessKey"]
        await self._set_status(context, key["AccessKeyId"], properties)
        return key["AccessKeyId"]

    async def attributes(self, context: Context, physical_id: str, properties: Properties) -> Attributes:
        return {"Id": physical_id}

    async def update(self, context: Context, physical_id: str, before: Properties, after: Properties) -> None:
        await self._set_status(context, physical_id, {"Status": "Active", **after})

    async def delete(self, context: Context, physical_id: str, properties: Properties) -> None:
        params = {"UserName": properties["UserName"], "AccessKeyId": physical_id}
        await context.call("iam", "DeleteAccessKey", params)

    async def _set_status(self, context: Context, key: str, properties: Properties) -> None:
        if "Status" in properties:
            await context.call(
                "iam", "UpdateAccessKey", {"AccessKeyId": key, **present(properties, "Status", "UserName")}
            )


class InstanceProfile(ResourceType):
    type = "AWS::IAM::InstanceProfile"
    properties = frozenset(("InstanceProfileName", "Path", "Roles"))
    required = frozenset(("Roles",))
    immutable = frozenset(("InstanceProfileName", "Path"))
    name_property = "InstanceProfileName"
    longest_name = 128

    async def find(self, context: Context, name: str, properties: Properties) -> str | None:
        found = await context.call_if_there("iam", "GetInstanceProfile", {"InstanceProfileName": name})
        return name if found is not None else None

    async def create(self, context: Context, name: str, properties: Properties) -> str:
        await context.call("iam", "CreateInstanceProfile", {"InstanceProfileName": name, **present(properties, "Path")})
        await self.update(context, name, {}, properties)
        return name

    async def attributes(self, context: Context, physical_id: str, properties: Properties) -> Attributes:
        answer = await context.call("iam", "GetInstanceProfile", {"InstanceProfileName": physical_id})
        return {"Arn": answer["InstanceProfile"]["Arn"]}

    async def update(self, context: Context, physical_id: str, before: Properties, after: Properties) -> None:
        """A profile holds one role at most, so the old one goes first."""
        old, new = before.get("Roles", []), after.get("Roles", [])
        for role in old:
            if role not in new:
                params = {"InstanceProfileName": physical_id, "RoleName": role}
                await context.call_if_there("iam", "RemoveRoleFromInstanceProfile", params)
        for role in new:
            if role not in old:
                params = {"InstanceProfileName": physical_id, "RoleName": role}
                await context.call("iam", "AddRoleToInstanceProfile", params)

    async def delete(self, context: Context, physical_id: str, properties: Properties) -> None:
        await self.update(context, physical_id, properties, {})
        await context.call("iam", "DeleteInstanceProfile", {"InstanceProfileName": physical_id})


class UserToGroupAddition(ResourceType):
    type = "AWS::IAM::UserToGroupAddition"
    properties = frozenset(("GroupName", "Users"))
    required = properties

    async def find(self, context: Context, name: str, properties: Properties) -> str | None:
        return name

    async def create(self, context: Context, name: str, properties: Properties) -> str:
        await self.adopt(context, name, properties)
        return name

    async def adopt(self, context: Context, physical_id: str, properties: Properties) -> None:
        for user in properties["Users"]:
            await _join_groups(context, user, [], [properties["GroupName"]])

    async def attributes(self, context: Context, physical_id: str, properties: Properties) -> Attributes:
        return {"Id": physical_id}

    async def update(self, context: Context, physical_id: str, before: Properties, after: Properties) -> None:
        await self.adopt(context, physical_id, after)
        moved = changed(before, after, "GroupName")
        gone = [user for user in before["Users"] if moved or user not in after["Users"]]
        await self.delete(context, physical_id, {**before, "Users": gone})

    async def delete(self, context: Context, physical_id: str, properties: Properties) -> None:
        for user in properties["Users"]:
            await _join_groups(context, user, [properties["GroupName"]], [])


async def _join_groups(context: Context, user: str, before: Iterable[str], after: Iterable[str]) -> None:
    old, new = list(before), list(after)
    for group in new:
        if group not in old:
            await context.call("iam", "AddUserToGroup", {"UserName": user, "GroupName": group})
    for group in old:
        if group not in new:
            await context.call_if_there("iam", "RemoveUserFromGroup", {"UserName": user, "GroupName": group})


TYPES = (
    AccessKey,
    Group,
    InstanceProfile,
    ManagedPolicy,
    Policy,
    Role,
    RolePolicy,
    User,
    UserToGroupAddition,
)
