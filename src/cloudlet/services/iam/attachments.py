"""Managed policies attached to users, groups and roles."""

from typing import TYPE_CHECKING, Any

from cloudlet.core.context import Call
from cloudlet.core.service import operation
from cloudlet.services.iam import entities, faults, policies
from cloudlet.services.iam.entities import Entity, Kind
from cloudlet.services.iam.paging import page
from cloudlet.services.iam.records import Records
from cloudlet.store import Transaction

if TYPE_CHECKING:
    from types_boto3_iam import type_defs as shapes


class Attachments(Records):
    @operation("AttachUserPolicy")
    async def attach_user_policy(self, call: Call, params: "shapes.AttachUserPolicyRequestTypeDef") -> None:
        await self._attach(call, "user", params["UserName"], params["PolicyArn"])

    @operation("AttachGroupPolicy")
    async def attach_group_policy(self, call: Call, params: "shapes.AttachGroupPolicyRequestTypeDef") -> None:
        await self._attach(call, "group", params["GroupName"], params["PolicyArn"])

    @operation("AttachRolePolicy")
    async def attach_role_policy(self, call: Call, params: "shapes.AttachRolePolicyRequestTypeDef") -> None:
        await self._attach(call, "role", params["RoleName"], params["PolicyArn"])

    @operation("DetachUserPolicy")
    async def detach_user_policy(self, call: Call, params: "shapes.DetachUserPolicyRequestTypeDef") -> None:
        await self._detach(call, "user", params["UserName"], params["PolicyArn"])

    @operation("DetachGroupPolicy")
    async def detach_group_policy(self, call: Call, params: "shapes.DetachGroupPolicyRequestTypeDef") -> None:
        await self._detach(call, "group", params["GroupName"], params["PolicyArn"])

    @operation("DetachRolePolicy")
    async def detach_role_policy(self, call: Call, params: "shapes.DetachRolePolicyRequestTypeDef") -> None:
        await self._detach(call, "role", params["RoleName"], params["PolicyArn"])

    @operation("ListAttachedUserPolicies")
    async def list_attached_user_policies(
        self, call: Call, params: "shapes.ListAttachedUserPoliciesRequestTypeDef"
    ) -> dict[str, Any]:
        return self._attached(self.entity(call, "user", params["UserName"]), params)

    @operation("ListAttachedGroupPolicies")
    async def list_attached_group_policies(
        self, call: Call, params: "shapes.ListAttachedGroupPoliciesRequestTypeDef"
    ) -> dict[str, Any]:
        return self._attached(self.entity(call, "group", params["GroupName"]), params)

    @operation("ListAttachedRolePolicies")
    async def list_attached_role_policies(
        self, call: Call, params: "shapes.ListAttachedRolePoliciesRequestTypeDef"
    ) -> dict[str, Any]:
        return self._attached(self.entity(call, "role", params["RoleName"]), params)

    @operation("ListEntitiesForPolicy")
    async def list_entities_for_policy(
        self, call: Call, params: "shapes.ListEntitiesForPolicyRequestTypeDef"
    ) -> dict[str, Any]:
        reader, arn = self.store.reader, params["PolicyArn"]
        if policies.find(reader, arn) is None:
            raise faults.no_such_entity(f"Policy {arn} was not found.")
        sql = "SELECT entity_id FROM attachment WHERE policy_arn = ?"
        if params.get("PolicyUsageFilter") == "PermissionsBoundary":
            sql = "SELECT id FROM entity WHERE boundary = ?"
        holders = [entities.by_id(reader, id_) for (id_,) in reader.all(sql, (arn,))]
        prefix, kind = params.get("PathPrefix", "/"), params.get("EntityFilter", "").lower()
        wanted = [
            entity
            for entity in holders
            if entity is not None
            and entity.account == call.account
            and entity.path.startswith(prefix)
            and kind in ("", entity.kind)
        ]
        found, more = page(params, wanted, lambda entity: f"{entity.kind}/{entity.name}")
        return {
            "PolicyGroups": [_holder(entity) for entity in found if entity.kind == "group"],
            "PolicyUsers": [_holder(entity) for entity in found if entity.kind == "user"],
            "PolicyRoles": [_holder(entity) for entity in found if entity.kind == "role"],
            **more,
        }

    async def _attach(self, call: Call, kind: Kind, name: str, arn: str) -> None:
        def attach(tx: Transaction) -> None:
            entity = entities.require(tx, call.account, kind, name)
            policies.attach(tx, entity.id, kind, policies.require(tx, call.account, arn).arn)

        await self.change(attach)

    async def _detach(self, call: Call, kind: Kind, name: str, arn: str) -> None:
        await self.change(lambda tx: policies.detach(tx, entities.require(tx, call.account, kind, name).id, arn))

    def _attached(self, entity: Entity, params: Any) -> dict[str, Any]:
        """The attached policies under `PathPrefix`, in pages."""
        reader, prefix = self.store.reader, params.get("PathPrefix", "/")
        rows = reader.all("SELECT policy_arn FROM attachment WHERE entity_id = ?", (entity.id,))
        attached = [policy for (arn,) in rows if (policy := policies.find(reader, arn)) is not None]
        found, more = page(params, [policy for policy in attached if policy.path.startswith(prefix)], lambda p: p.arn)
        return {
            "AttachedPolicies": [{"PolicyName": policy.name, "PolicyArn": policy.arn} for policy in found],
            **more,
        }


def _holder(entity: Entity) -> dict[str, Any]:
    word = entity.kind.capitalize()
    return {f"{word}Name": entity.name, f"{word}Id": entity.id}
