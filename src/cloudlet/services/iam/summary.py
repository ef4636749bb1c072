"""The account as a whole: its alias and its numbers."""

from typing import TYPE_CHECKING, Any

from cloudlet.core.context import Call
from cloudlet.core.service import operation
from cloudlet.services.iam import faults
from cloudlet.services.iam.records import Records
from cloudlet.store import Transaction

if TYPE_CHECKING:
    from types_boto3_iam import type_defs as shapes

_QUOTAS = {
    "AccessKeysPerUserQuota": 2,
    "AssumeRolePolicySizeQuota": 2048,
    "AttachedPoliciesPerGroupQuota": 10,
    "AttachedPoliciesPerRoleQuota": 10,
    "AttachedPoliciesPerUserQuota": 10,
    "GroupPolicySizeQuota": 5120,
    "GroupsPerUserQuota": 10,
    "PolicySizeQuota": 6144,
    "RolePolicySizeQuota": 10240,
    "UserPolicySizeQuota": 2048,
    "VersionsPerPolicyQuota": 5,
}
_COUNTS = {
    "Users": "SELECT count(*) FROM entity WHERE account = ? AND kind = 'user'",
    "Groups": "SELECT count(*) FROM entity WHERE account = ? AND kind = 'group'",
    "Roles": "SELECT count(*) FROM entity WHERE account = ? AND kind = 'role'",
    "Policies": "SELECT count(*) FROM policy WHERE account = ?",
    "InstanceProfiles": "SELECT count(*) FROM instance_profile WHERE account = ?",
}


class Summaries(Records):
    @operation("GetAccountSummary")
    async def get_account_summary(self, call: Call, params: dict[str, Any]) -> dict[str, Any]:
        numbers = dict(_QUOTAS)
        for name, sql in _COUNTS.items():
            row = self.store.reader.one(sql, (call.account,))
            numbers[name] = row[0] if row else 0
        return {"SummaryMap": numbers}

    @operation("ListAccountAliases")
    async def list_account_aliases(self, call: Call, params: dict[str, Any]) -> dict[str, Any]:
        row = self.store.reader.one("SELECT alias FROM account WHERE id = ?", (call.account,))
        return {"AccountAliases": [row[0]] if row and row[0] else [], "IsTruncated": False}

    @operation("CreateAccountAlias")
    async def create_account_alias(self, call: Call, params: "shapes.CreateAccountAliasRequestTypeDef") -> None:
        alias = params["AccountAlias"]

        def create(tx: Transaction) -> None:
            if tx.one("SELECT 1 FROM account WHERE alias = ? AND id != ?", (alias, call.account)):
                raise faults.already_exists(f"The account alias {alias} already exists.")
            tx.execute("UPDATE account SET alias = ? WHERE id = ?", (alias, call.account))

        await self.change(create)

    @operation("DeleteAccountAlias")
    async def delete_account_alias(self, call: Call, params: "shapes.DeleteAccountAliasRequestTypeDef") -> None:
        alias = params["AccountAlias"]

        def delete(tx: Transaction) -> None:
            if not tx.execute("UPDATE account SET alias = NULL WHERE id = ? AND alias = ?", (call.account, alias)):
                raise faults.no_such_entity(f"The account alias {alias} cannot be found.")

        await self.change(delete)
