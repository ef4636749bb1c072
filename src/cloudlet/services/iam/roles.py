"""Roles: their trust policies, tags, boundaries, and the instance profiles that hold them."""

from typing import TYPE_CHECKING, Any

from cloudlet.core.context import Call
from cloudlet.core.service import operation
from cloudlet.services.iam import entities, faults, policies
from cloudlet.services.iam.entities import Entity
from cloudlet.services.iam.paging import page
from cloudlet.services.iam.records import Records
from cloudlet.services.iam.users import set_boundary
from cloudlet.store import Transaction

if TYPE_CHECKING:
    from types_boto3_iam import type_defs as shapes

_MAX_TRUST_SIZE = 2048


def role_shape(role: Entity) -> dict[str, Any]:
    """As lists show it: without boundary, tags and last use."""
    shown: dict[str, Any] = {
        "Path": role.path,
        "RoleName": role.name,
        "RoleId": role.id,
        "Arn": role.arn,
        "CreateDate": role.created,
        "AssumeRolePolicyDocument": policies.encoded(role.trust),
        "MaxSessionDuration": role.max_session,
    }
    if role.description is not None:
        shown["Description"] = role.description
    return shown


def _check_trust(document: str) -> str:
    policies.check(document, "trust")
    if policies.size(document) > _MAX_TRUST_SIZE:
        raise faults.limit_exceeded(f"Cannot exceed quota for ACLSizePerRole: {_MAX_TRUST_SIZE}")
    return document


class Roles(Records):
    @operation("CreateRole")
    async def create_role(self, call: Call, params: "shapes.CreateRoleRequestTypeDef") -> dict[str, Any]:
        role = Entity(
            id=entities.new_id("role"),
            kind="role",
            account=call.account,
            name=params["RoleName"],
            path=params.get("Path", "/"),
            created=call.time,
            boundary=params.get("PermissionsBoundary"),
            trust=_check_trust(params["AssumeRolePolicyDocument"]),
            description=params.get("Description"),
            max_session=params.get("MaxSessionDuration", 3600),
        )

        def create(tx: Transaction) -> None:
            if role.boundary is not None:
                policies.require(tx, call.account, role.boundary)
            entities.insert(tx, role)
            entities.add_tags(tx, role.id, params.get("Tags", ()))

        await self.change(create)
        return {"Role": {**role_shape(role), **self.boundary_of(role), **self.tags_of(role.id)}}

    @operation("GetRole")
    async def get_role(self, call: Call, params: "shapes.GetRoleRequestTypeDef") -> dict[str, Any]:
        role = self.entity(call, "role", params["RoleName"])
        more = {**self.boundary_of(role), **self.tags_of(role.id), "RoleLastUsed": {}}
        return {"Role": {**role_shape(role), **more}}

    @operation("ListRoles")
    async def list_roles(self, call: Call, params: "shapes.ListRolesRequestTypeDef") -> dict[str, Any]:
        roles = entities.all_of(self.store.reader, call.account, "role", params.get("PathPrefix", "/"))
        found, more = page(params, roles, lambda role: role.name)
        return {"Roles": [role_shape(role) for role in found], **more}

    @operation("UpdateRole")
    async def update_role(self, call: Call, params: "shapes.UpdateRoleRequestTypeDef") -> dict[str, Any]:
        def update(tx: Transaction) -> None:
            role = entities.require(tx, call.account, "role", params["RoleName"])
            tx.execute(
                "UPDATE entity SET description = ?, max_session = ? WHERE id = ?",
                (
                    params.get("Description", role.description),
                    params.get("MaxSessionDuration", role.max_session),
                    role.id,
                ),
            )

        await self.change(update)
        return {}

    @operation("UpdateRoleDescription")
    async def update_role_description(
        self, call: Call, params: "shapes.UpdateRoleDescriptionRequestTypeDef"
    ) -> dict[str, Any]:
        await self.update_role(call, {"RoleName": params["RoleName"], "Description": params["Description"]})
        return {"Role": role_shape(self.entity(call, "role", params["RoleName"]))}

    @operation("UpdateAssumeRolePolicy")
    async def update_assume_role_policy(
        self, call: Call, params: "shapes.UpdateAssumeRolePolicyRequestTypeDef"
    ) -> None:
        trust = _check_trust(params["PolicyDocument"])

        def update(tx: Transaction) -> None:
            role = entities.require(tx, call.account, "role", params["RoleName"])
            tx.execute("UPDATE entity SET trust = ? WHERE id = ?", (trust, role.id))

        await self.change(update)

    @operation("DeleteRole")
    async def delete_role(self, call: Call, params: "shapes.DeleteRoleRequestTypeDef") -> None:
        await self.change(
            lambda tx: entities.delete(tx, entities.require(tx, call.account, "role", params["RoleName"]))
        )

    @operation("TagRole")
    async def tag_role(self, call: Call, params: "shapes.TagRoleRequestTypeDef") -> None:
        def tag(tx: Transaction) -> None:
            role = entities.require(tx, call.account, "role", params["RoleName"])
            entities.add_tags(tx, role.id, params["Tags"])

        await self.change(tag)

    @operation("UntagRole")
    async def untag_role(self, call: Call, params: "shapes.UntagRoleRequestTypeDef") -> None:
        def untag(tx: Transaction) -> None:
            role = entities.require(tx, call.account, "role", params["RoleName"])
            entities.remove_tags(tx, role.id, params["TagKeys"])

        await self.change(untag)

    @operation("ListRoleTags")
    async def list_role_tags(self, call: Call, params: "shapes.ListRoleTagsRequestTypeDef") -> dict[str, Any]:
        role = self.entity(call, "role", params["RoleName"])
        found, more = page(params, list(entities.tags_of(self.store.reader, role.id).items()), lambda tag: tag[0])
        return {"Tags": entities.tag_list(dict(found)), **more}

    @operation("PutRolePermissionsBoundary")
    async def put_role_permissions_boundary(
        self, call: Call, params: "shapes.PutRolePermissionsBoundaryRequestTypeDef"
    ) -> None:
        def put(tx: Transaction) -> None:
            role = entities.require(tx, call.account, "role", params["RoleName"])
            set_boundary(tx, role, params["PermissionsBoundary"])

        await self.change(put)

    @operation("DeleteRolePermissionsBoundary")
    async def delete_role_permissions_boundary(
        self, call: Call, params: "shapes.DeleteRolePermissionsBoundaryRequestTypeDef"
    ) -> None:
        await self.change(
            lambda tx: set_boundary(tx, entities.require(tx, call.account, "role", params["RoleName"]), None)
        )
