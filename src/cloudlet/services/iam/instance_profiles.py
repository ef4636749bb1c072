"""Instance profiles: a name under which a role is handed to a machine."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cloudlet.core.context import Call
from cloudlet.core.ids import unique_id
from cloudlet.core.service import operation
from cloudlet.services.iam import entities, faults
from cloudlet.services.iam.paging import page
from cloudlet.services.iam.records import Records
from cloudlet.services.iam.roles import role_shape
from cloudlet.store import Reader, Transaction

if TYPE_CHECKING:
    from types_boto3_iam import type_defs as shapes

_COLUMNS = "id, account, name, path, created, role_id"


@dataclass(frozen=True, slots=True)
class InstanceProfile:
    id: str
    account: str
    name: str
    path: str
    created: float
    role_id: str | None = None

    @property
    def arn(self) -> str:
        return f"arn:aws:iam::{self.account}:instance-profile{self.path}{self.name}"


class InstanceProfiles(Records):
    @operation("CreateInstanceProfile")
    async def create_instance_profile(
        self, call: Call, params: "shapes.CreateInstanceProfileRequestTypeDef"
    ) -> dict[str, Any]:
        profile = InstanceProfile(
            id=unique_id("AIPA"),
            account=call.account,
            name=params["InstanceProfileName"],
            path=params.get("Path", "/"),
            created=call.time,
        )

        def create(tx: Transaction) -> None:
            if _find(tx, call, profile.name) is not None:
                raise faults.already_exists(f"Instance Profile {profile.name} already exists.")
            tx.execute(
                f"INSERT INTO instance_profile ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, NULL)",
                (profile.id, profile.account, profile.name, profile.path, profile.created),
            )
            entities.add_tags(tx, profile.id, params.get("Tags", ()))

        await self.change(create)
        return {"InstanceProfile": {**self._shown(profile), **self.tags_of(profile.id)}}

    @operation("GetInstanceProfile")
    async def get_instance_profile(
        self, call: Call, params: "shapes.GetInstanceProfileRequestTypeDef"
    ) -> dict[str, Any]:
        profile = _require(self.store.reader, call, params["InstanceProfileName"])
        return {"InstanceProfile": {**self._shown(profile), **self.tags_of(profile.id)}}

    @operation("ListInstanceProfiles")
    async def list_instance_profiles(
        self, call: Call, params: "shapes.ListInstanceProfilesRequestTypeDef"
    ) -> dict[str, Any]:
        rows = self.store.reader.all(f"SELECT {_COLUMNS} FROM instance_profile WHERE account = ?", (call.account,))
        prefix = params.get("PathPrefix", "/")
        profiles = [profile for row in rows if (profile := InstanceProfile(*row)).path.startswith(prefix)]
        found, more = page(params, profiles, lambda profile: profile.name)
        return {"InstanceProfiles": [self._shown(profile) for profile in found], **more}

    @operation("ListInstanceProfilesForRole")
    async def list_instance_profiles_for_role(
        self, call: Call, params: "shapes.ListInstanceProfilesForRoleRequestTypeDef"
    ) -> dict[str, Any]:
        role = self.entity(call, "role", params["RoleName"])
        rows = self.store.reader.all(f"SELECT {_COLUMNS} FROM instance_profile WHERE role_id = ?", (role.id,))
        found, more = page(params, [InstanceProfile(*row) for row in rows], lambda profile: profile.name)
        return {"InstanceProfiles": [self._shown(profile) for profile in found], **more}

    @operation("DeleteInstanceProfile")
    async def delete_instance_profile(self, call: Call, params: "shapes.DeleteInstanceProfileRequestTypeDef") -> None:
        def delete(tx: Transaction) -> None:
            profile = _require(tx, call, params["InstanceProfileName"])
            if profile.role_id is not None:
                raise faults.delete_conflict("Cannot delete entity, must remove roles from instance profile first.")
            tx.execute("DELETE FROM tag WHERE subject = ?", (profile.id,))
            tx.execute("DELETE FROM instance_profile WHERE id = ?", (profile.id,))

        await self.change(delete)

    @operation("AddRoleToInstanceProfile")
    async def add_role_to_instance_profile(
        self, call: Call, params: "shapes.AddRoleToInstanceProfileRequestTypeDef"
    ) -> None:
        def add(tx: Transaction) -> None:
            profile = _require(tx, call, params["InstanceProfileName"])
            role = entities.require(tx, call.account, "role", params["RoleName"])
            if profile.role_id is not None:
                raise faults.limit_exceeded("Cannot exceed quota for InstanceSessionsPerInstanceProfile: 1")
            tx.execute("UPDATE instance_profile SET role_id = ? WHERE id = ?", (role.id, profile.id))

        await self.change(add)

    @operation("RemoveRoleFromInstanceProfile")
    async def remove_role_from_instance_profile(
        self, call: Call, params: "shapes.RemoveRoleFromInstanceProfileRequestTypeDef"
    ) -> None:
        def remove(tx: Transaction) -> None:
            profile = _require(tx, call, params["InstanceProfileName"])
            role = entities.require(tx, call.account, "role", params["RoleName"])
            if profile.role_id != role.id:
                raise faults.no_such_entity(f"Role {role.name} is not in instance profile {profile.name}.")
            tx.execute("UPDATE instance_profile SET role_id = NULL WHERE id = ?", (profile.id,))

        await self.change(remove)

    @operation("TagInstanceProfile")
    async def tag_instance_profile(self, call: Call, params: "shapes.TagInstanceProfileRequestTypeDef") -> None:
        await self.change(
            lambda tx: entities.add_tags(tx, _require(tx, call, params["InstanceProfileName"]).id, params["Tags"])
        )

    @operation("UntagInstanceProfile")
    async def untag_instance_profile(self, call: Call, params: "shapes.UntagInstanceProfileRequestTypeDef") -> None:
        await self.change(
            lambda tx: entities.remove_tags(tx, _require(tx, call, params["InstanceProfileName"]).id, params["TagKeys"])
        )

    @operation("ListInstanceProfileTags")
    async def list_instance_profile_tags(
        self, call: Call, params: "shapes.ListInstanceProfileTagsRequestTypeDef"
    ) -> dict[str, Any]:
        profile = _require(self.store.reader, call, params["InstanceProfileName"])
        found, more = page(params, list(entities.tags_of(self.store.reader, profile.id).items()), lambda tag: tag[0])
        return {"Tags": entities.tag_list(dict(found)), **more}

    def _shown(self, profile: InstanceProfile) -> dict[str, Any]:
        role = entities.by_id(self.store.reader, profile.role_id) if profile.role_id is not None else None
        return {
            "Path": profile.path,
            "InstanceProfileName": profile.name,
            "InstanceProfileId": profile.id,
            "Arn": profile.arn,
            "CreateDate": profile.created,
            "Roles": [role_shape(role)] if role is not None else [],
        }


def _find(reader: Reader, call: Call, name: str) -> InstanceProfile | None:
    sql = f"SELECT {_COLUMNS} FROM instance_profile WHERE account = ? AND name = ?"
    row = reader.one(sql, (call.account, name))
    return InstanceProfile(*row) if row else None


def _require(reader: Reader, call: Call, name: str) -> InstanceProfile:
    found = _find(reader, call, name)
    if found is None:
        raise faults.no_such_entity(f"Instance Profile {name} cannot be found.")
    return found
