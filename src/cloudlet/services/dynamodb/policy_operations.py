"""The operations on the policies of tables, by which other accounts get in."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import orjson

from cloudlet.core.arn import Arn
from cloudlet.core.context import Call
from cloudlet.core.errors import AwsError, NotImplementedByCloudlet
from cloudlet.core.service import operation
from cloudlet.services.dynamodb import tables
from cloudlet.services.dynamodb.base import DynamoDBBase
from cloudlet.services.dynamodb.definitions import resource_policy
from cloudlet.services.dynamodb.errors import table_not_found, validation
from cloudlet.services.dynamodb.tables import Table, name_in_arn
from cloudlet.store import Transaction

if TYPE_CHECKING:
    from types_boto3_dynamodb import type_defs as t

_NO_POLICY = "NO_POLICY"


class PolicyOperations(DynamoDBBase):
    def resource_policy(self, call: Call, params: Mapping[str, Any]) -> dict[str, Any] | None:
        resource = self.resource(call, params)
        name = name_in_arn(resource) if resource is not None and "/stream/" not in resource else None
        table = self.catalogue.find(call.account, call.region, name) if name is not None else None
        policy = table.document.get("ResourcePolicy") if table is not None else None
        return orjson.loads(policy["Policy"]) if policy is not None else None

    @operation("PutResourcePolicy")
    async def put_resource_policy(self, call: Call, params: "t.PutResourcePolicyInputTypeDef") -> dict[str, Any]:
        kept = resource_policy(params["Policy"])
        name = _table_name(params["ResourceArn"])

        def put(tx: Transaction) -> None:
            table = _load(tx, call, name)
            _check_revision(table, params)
            table.document["ResourcePolicy"] = kept
            tables.change(tx, self.catalogue, table, table.document)

        await self.store.write(put)
        return {"RevisionId": kept["RevisionId"]}

    @operation("GetResourcePolicy")
    async def get_resource_policy(self, call: Call, params: "t.GetResourcePolicyInputTypeDef") -> dict[str, Any]:
        table = self.catalogue.find(call.account, call.region, _table_name(params["ResourceArn"]))
        if table is None:
            raise table_not_found()
        policy = table.document.get("ResourcePolicy")
        if policy is None:
            raise _policy_not_found(params["ResourceArn"])
        return dict(policy)

    @operation("DeleteResourcePolicy")
    async def delete_resource_policy(self, call: Call, params: "t.DeleteResourcePolicyInputTypeDef") -> dict[str, Any]:
        """Answers with the revision that it deleted; nothing to delete is fine unless a revision was expected."""
        name = _table_name(params["ResourceArn"])

        def delete(tx: Transaction) -> dict[str, Any]:
            table = _load(tx, call, name)
            _check_revision(table, params)
            policy = table.document.pop("ResourcePolicy", None)
            if policy is None:
                return {}
            tables.change(tx, self.catalogue, table, table.document)
            return {"RevisionId": policy["RevisionId"]}

        return await self.store.write(delete)


def _table_name(arn: str) -> str:
    """Of the ARN of a table. Policies of streams are not kept."""
    name = name_in_arn(arn)
    if name is None:
        raise validation(f"Invalid ResourceArn: {arn}")
    if Arn.parse(arn).resource != f"table/{name}":
        raise NotImplementedByCloudlet("resource policies of streams")
    return name


def _load(tx: Transaction, call: Call, name: str) -> Table:
    table = tables.load_if_there(tx, call.account, call.region, name)
    if table is None:
        raise table_not_found()
    return table


def _check_revision(table: Table, params: Mapping[str, Any]) -> None:
    """Raises PolicyNotFoundException unless the policy is the one that the caller expects to change."""
    expected = params.get("ExpectedRevisionId")
    if expected is not None:
        policy = table.document.get("ResourcePolicy")
        if (_NO_POLICY if policy is None else policy["RevisionId"]) != expected:
            raise _policy_not_found(params["ResourceArn"])


def _policy_not_found(arn: str) -> AwsError:
    return AwsError(
        "PolicyNotFoundException",
        f"Resource-based policy not found for the provided ResourceArn: Requested policy not found: {arn}",
    )
