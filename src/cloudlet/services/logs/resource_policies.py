"""Resource policies: which services of AWS may write to the log groups of an account."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import orjson

from cloudlet.authz.documents import MalformedPolicy, parse_policy
from cloudlet.core.context import Call
from cloudlet.core.errors import AwsError, NotImplementedByCloudlet
from cloudlet.core.service import operation
from cloudlet.services.logs.base import LogsBase, milliseconds
from cloudlet.services.logs.faults import invalid_parameter
from cloudlet.services.logs.filters import limit_exceeded
from cloudlet.services.logs.positions import sealed, unsealed
from cloudlet.store import Transaction

if TYPE_CHECKING:
    from types_boto3_logs.type_defs import (
        DeleteResourcePolicyRequestTypeDef,
        DescribeResourcePoliciesRequestTypeDef,
        PutResourcePolicyRequestTypeDef,
    )

_MOST = 10
_LARGEST = 5120
_PAGE = 50


class ResourcePolicyOperations(LogsBase):
    def resource_policy(self, call: Call, params: Mapping[str, Any]) -> dict[str, Any] | None:
        """All policies of the account as one: they are for services alone."""
        if call.principal.kind != "service":
            return None
        rows = self.store.reader.all(
            "SELECT document FROM resource_policy WHERE account = ? AND region = ?", (call.account, call.region)
        )
        statements: list[dict[str, Any]] = []
        for (document,) in rows:
            found = orjson.loads(document)["Statement"]
            statements += found if isinstance(found, list) else [found]
        for statement in statements:
            statement.pop("Sid", None)  # they are unique in one policy only
        return {"Version": "2012-10-17", "Statement": statements} if statements else None

    @operation("PutResourcePolicy")
    async def put_resource_policy(self, call: Call, params: "PutResourcePolicyRequestTypeDef") -> dict[str, Any]:
        _refuse_resource(params)
        name, document = _name(params), params.get("policyDocument")
        if document is None:
            raise invalid_parameter("policyDocument is required.")
        if len(document) > _LARGEST:
            raise invalid_parameter(f"Policy document length exceeds the limit of {_LARGEST} characters.")
        try:
            parse_policy(document, "resource")
        except MalformedPolicy as malformed:
            raise invalid_parameter(str(malformed)) from None
        row = (call.account, call.region, name, document, milliseconds(call))

        def write(tx: Transaction) -> None:
            others = tx.all("SELECT name FROM resource_policy WHERE account = ? AND region = ? AND name != ?", row[:3])
            if len(others) >= _MOST:
                raise limit_exceeded()
            tx.execute("INSERT OR REPLACE INTO resource_policy VALUES (?, ?, ?, ?, ?)", row)

        await self.store.write(write)
        return {"resourcePolicy": _described(row[2:])}

    @operation("DeleteResourcePolicy")
    async def delete_resource_policy(self, call: Call, params: "DeleteResourcePolicyRequestTypeDef") -> None:
        _refuse_resource(params)
        key = (call.account, call.region, _name(params))

        def write(tx: Transaction) -> None:
            if not tx.execute("DELETE FROM resource_policy WHERE account = ? AND region = ? AND name = ?", key):
                raise AwsError("ResourceNotFoundException", f"Policy with name [{key[2]}] does not exist.")

        await self.store.write(write)

    @operation("DescribeResourcePolicies")
    async def describe_resource_policies(
        self, call: Call, params: "DescribeResourcePoliciesRequestTypeDef"
    ) -> dict[str, Any]:
        _refuse_resource(params)
        limit = params.get("limit", _PAGE)
        after = unsealed(params["nextToken"], 1)[0] if "nextToken" in params else ""
        rows = self.store.reader.all(
            "SELECT name, document, updated FROM resource_policy WHERE account = ? AND region = ? AND name > ?"
            " ORDER BY name LIMIT ?",
            (call.account, call.region, after, limit + 1),
        )
        output: dict[str, Any] = {"resourcePolicies": [_described(row) for row in rows[:limit]]}
        if len(rows) > limit:
            output["nextToken"] = sealed(rows[limit - 1][0])
        return output


def _refuse_resource(params: Mapping[str, Any]) -> None:
    if "resourceArn" in params or params.get("policyScope") == "RESOURCE":
        raise NotImplementedByCloudlet("policies of single log groups (resourceArn)")


def _name(params: Mapping[str, Any]) -> str:
    name = params.get("policyName")
    if not name:
        raise invalid_parameter("policyName is required.")
    return str(name)


def _described(row: tuple[Any, ...]) -> dict[str, Any]:
    name, document, updated = row
    return {"policyName": name, "policyDocument": document, "lastUpdatedTime": updated, "policyScope": "ACCOUNT"}
