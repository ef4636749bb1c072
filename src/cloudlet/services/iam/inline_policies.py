"""Policies that are part of a user, a group or a role."""

from typing import TYPE_CHECKING, Any

from cloudlet.core.context import Call
from cloudlet.core.service import operation
from cloudlet.services.iam import entities, faults, policies
from cloudlet.services.iam.entities import Kind
from cloudlet.services.iam.paging import page
from cloudlet.services.iam.records import Records
from cloudlet.store import Transaction

if TYPE_CHECKING:
    from types_boto3_iam import type_defs as shapes

# Characters of all inline policies together.
_MAX_SIZES: dict[Kind, int] = {"user": 2048, "group": 5120, "role": 10240}


class InlinePolicies(Records):
    @operation("PutUserPolicy")
    async def put_user_policy(self, call: Call, params: "shapes.PutUserPolicyRequestTypeDef") -> None:
        await self._put(call, "user", params["UserName"], params["PolicyName"], params["PolicyDocument"])

    @operation("PutGroupPolicy")
    async def put_group_policy(self, call: Call, params: "shapes.PutGroupPolicyRequestTypeDef") -> None:
        await self._put(call, "group", params["GroupName"], params["PolicyName"], params["PolicyDocument"])

    @operation("PutRolePolicy")
    async def put_role_policy(self, call: Call, params: "shapes.PutRolePolicyRequestTypeDef") -> None:
        await self._put(call, "role", params["RoleName"], params["PolicyName"], params["PolicyDocument"])

    @operation("GetUserPolicy")
    async def get_user_policy(self, call: Call, params: "shapes.GetUserPolicyRequestTypeDef") -> dict[str, Any]:
        return {"UserName": params["UserName"], **self._get(call, "user", params["UserName"], params["PolicyName"])}

    @operation("GetGroupPolicy")
    async def get_group_policy(self, call: Call, params: "shapes.GetGroupPolicyRequestTypeDef") -> dict[str, Any]:
        return {"GroupName": params["GroupName"], **self._get(call, "group", params["GroupName"], params["PolicyName"])}

    @operation("GetRolePolicy")
    async def get_role_policy(self, call: Call, params: "shapes.GetRolePolicyRequestTypeDef") -> dict[str, Any]:
        return {"RoleName": params["RoleName"], **self._get(call, "role", params["RoleName"], params["PolicyName"])}

    @operation("ListUserPolicies")
    async def list_user_policies(self, call: Call, params: "shapes.ListUserPoliciesRequestTypeDef") -> dict[str, Any]:
        return self._list(call, "user", params["UserName"], params)

    @operation("ListGroupPolicies")
    async def list_group_policies(self, call: Call, params: "shapes.ListGroupPoliciesRequestTypeDef") -> dict[str, Any]:
        return self._list(call, "group", params["GroupName"], params)

    @operation("ListRolePolicies")
    async def list_role_policies(self, call: Call, params: "shapes.ListRolePoliciesRequestTypeDef") -> dict[str, Any]:
        return self._list(call, "role", params["RoleName"], params)

    @operation("DeleteUserPolicy")
    async def delete_user_policy(self, call: Call, params: "shapes.DeleteUserPolicyRequestTypeDef") -> None:
        await self._delete(call, "user", params["UserName"], params["PolicyName"])

    @operation("DeleteGroupPolicy")
    async def delete_group_policy(self, call: Call, params: "shapes.DeleteGroupPolicyRequestTypeDef") -> None:
        await self._delete(call, "group", params["GroupName"], params["PolicyName"])

    @operation("DeleteRolePolicy")
    async def delete_role_policy(self, call: Call, params: "shapes.DeleteRolePolicyRequestTypeDef") -> None:
        await self._delete(call, "role", params["RoleName"], params["PolicyName"])

    async def _put(self, call: Call, kind: Kind, name: str, policy: str, document: str) -> None:
        policies.check(document, "identity")

        def put(tx: Transaction) -> None:
            entity = entities.require(tx, call.account, kind, name)
            tx.execute(
                "INSERT OR REPLACE INTO inline_policy (entity_id, name, document) VALUES (?, ?, ?)",
                (entity.id, policy, document),
            )
            rows = tx.all("SELECT document FROM inline_policy WHERE entity_id = ?", (entity.id,))
            if sum(policies.size(stored) for (stored,) in rows) > _MAX_SIZES[kind]:
                raise faults.limit_exceeded(
                    f"Maximum policy size of {_MAX_SIZES[kind]} bytes exceeded for {kind} {entity.name}"
                )

        await self.change(put)

    def _get(self, call: Call, kind: Kind, name: str, policy: str) -> dict[str, Any]:
        entity = self.entity(call, kind, name)
        sql = "SELECT document FROM inline_policy WHERE entity_id = ? AND name = ?"
        row = self.store.reader.one(sql, (entity.id, policy))
        if row is None:
            raise _no_such_policy(kind, policy)
        return {"PolicyName": policy, "PolicyDocument": policies.encoded(row[0])}

    def _list(self, call: Call, kind: Kind, name: str, params: Any) -> dict[str, Any]:
        entity = self.entity(call, kind, name)
        rows = self.store.reader.all("SELECT name FROM inline_policy WHERE entity_id = ?", (entity.id,))
        found, more = page(params, [name for (name,) in rows], lambda name: name)
        return {"PolicyNames": found, **more}

    async def _delete(self, call: Call, kind: Kind, name: str, policy: str) -> None:
        def delete(tx: Transaction) -> None:
            entity = entities.require(tx, call.account, kind, name)
            if tx.execute("DELETE FROM inline_policy WHERE entity_id = ? AND name = ?", (entity.id, policy)) == 0:
                raise _no_such_policy(kind, policy)

        await self.change(delete)


def _no_such_policy(kind: Kind, policy: str) -> Exception:
    return faults.no_such_entity(f"The {kind} policy with name {policy} cannot be found.")
