"""Log groups: made, listed, kept for so long, protected, deleted."""

import re
from itertools import islice
from typing import TYPE_CHECKING, Any

import orjson

from cloudlet.core.context import Call
from cloudlet.core.errors import AwsError, NotImplementedByCloudlet
from cloudlet.core.service import operation
from cloudlet.services.logs.base import LogsBase, find_group, group_arn, group_name, milliseconds, name_in
from cloudlet.services.logs.faults import invalid_parameter
from cloudlet.services.logs.positions import sealed, unsealed
from cloudlet.services.logs.tags import check_count
from cloudlet.store import Transaction

if TYPE_CHECKING:
    from types_boto3_logs.type_defs import (
        CreateLogGroupRequestTypeDef,
        DeleteLogGroupRequestTypeDef,
        DeleteRetentionPolicyRequestTypeDef,
        DescribeLogGroupsRequestTypeDef,
        ListLogGroupsRequestTypeDef,
        PutLogGroupDeletionProtectionRequestTypeDef,
        PutRetentionPolicyRequestTypeDef,
    )

_RETENTIONS = (
    *(1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731),
    *(1096, 1827, 2192, 2557, 2922, 3288, 3653),
)
_PAGE = 50


class GroupOperations(LogsBase):
    @operation("CreateLogGroup")
    async def create_log_group(self, call: Call, params: "CreateLogGroupRequestTypeDef") -> None:
        name = params["logGroupName"]
        if name.lower().startswith("aws/"):
            raise invalid_parameter("Log groups starting with AWS/ are reserved for AWS.")
        if "kmsKeyId" in params:
            raise NotImplementedByCloudlet("the encryption of log groups with a key of one's own (kmsKeyId)")
        if params.get("logGroupClass", "STANDARD") != "STANDARD":
            raise NotImplementedByCloudlet(f"log groups of the class {params.get('logGroupClass')}")
        tags = dict(params.get("tags", {}))
        check_count(tags, group_arn(call, name))
        row = (call.account, call.region, name, milliseconds(call), orjson.dumps(tags).decode())
        protected = params.get("deletionProtectionEnabled", False)

        def write(tx: Transaction) -> None:
            added = tx.execute(
                "INSERT INTO log_group (account, region, name, created, tags, protected) VALUES (?, ?, ?, ?, ?, ?)"
                " ON CONFLICT DO NOTHING",
                (*row, protected),
            )
            if not added:
                raise AwsError("ResourceAlreadyExistsException", "The specified log group already exists")

        await self.store.write(write)

    @operation("DeleteLogGroup")
    async def delete_log_group(self, call: Call, params: "DeleteLogGroupRequestTypeDef") -> None:
        def write(tx: Transaction) -> None:
            group = find_group(tx, call, params["logGroupName"])
            if tx.one("SELECT 1 FROM log_group WHERE id = ? AND protected", (group.id,)) is not None:
                raise AwsError(
                    "ValidationException",
                    "The log group cannot be deleted because deletion protection is enabled. Disable it first.",
                )
            tx.execute("DELETE FROM log_group WHERE id = ?", (group.id,))

        await self.store.write(write, long=True)

    @operation("PutLogGroupDeletionProtection")
    async def put_log_group_deletion_protection(
        self, call: Call, params: "PutLogGroupDeletionProtectionRequestTypeDef"
    ) -> None:
        def write(tx: Transaction) -> None:
            group = find_group(tx, call, name_in(params["logGroupIdentifier"]))
            protected = params["deletionProtectionEnabled"]
            tx.execute("UPDATE log_group SET protected = ? WHERE id = ?", (protected, group.id))

        await self.store.write(write)

    @operation("DescribeLogGroups")
    async def describe_log_groups(self, call: Call, params: "DescribeLogGroupsRequestTypeDef") -> dict[str, Any]:
        prefix, pattern = params.get("logGroupNamePrefix"), params.get("logGroupNamePattern")
        if prefix is not None and pattern is not None:
            raise invalid_parameter("LogGroup name prefix and LogGroup name pattern are mutually exclusive parameters.")
        accounts = params.get("accountIdentifiers")
        if (accounts and call.account not in accounts) or params.get("logGroupClass", "STANDARD") != "STANDARD":
            return {"logGroups": []}
        limit = params.get("limit", _PAGE)
        after = unsealed(params["nextToken"], 1)[0] if "nextToken" in params else ""
        identifiers = params.get("logGroupIdentifiers")
        rows = await self.store.query(
            lambda reader: reader.all(
                "SELECT name, created, retention, stored_bytes, protected,"
                " (SELECT count(*) FROM metric_filter WHERE log_group = log_group.id) FROM log_group"
                " WHERE account = ?1 AND region = ?2 AND name > ?3"
                " AND (?4 IS NULL OR substr(name, 1, length(?4)) = ?4) AND (?5 IS NULL OR instr(name, ?5))"
                " AND (?6 IS NULL OR name IN (SELECT value FROM json_each(?6))) ORDER BY name LIMIT ?7",
                (call.account, call.region, after, prefix, pattern or None, _names(identifiers), limit + 1),
            )
        )
        output: dict[str, Any] = {"logGroups": [_described(call, row) for row in rows[:limit]]}
        if len(rows) > limit:
            output["nextToken"] = sealed(rows[limit - 1][0])
        return output

    @operation("ListLogGroups")
    async def list_log_groups(self, call: Call, params: "ListLogGroupsRequestTypeDef") -> dict[str, Any]:
        for member in ("dataSources", "fieldIndexNames", "logGroupTags"):
            if member in params:
                raise NotImplementedByCloudlet(f"the listing of log groups by {member}")
        accounts = params.get("accountIdentifiers")
        if (accounts and call.account not in accounts) or params.get("logGroupClass", "STANDARD") != "STANDARD":
            return {"logGroups": []}
        limit = params.get("limit", _PAGE)
        after = unsealed(params["nextToken"], 1)[0] if "nextToken" in params else ""
        # What the model's pattern lets through: words, one or another of them, each anywhere or at the beginning.
        pattern = re.compile(params.get("logGroupNamePattern", "").replace(".", r"\.")).search
        names = self.store.reader.rows(
            "SELECT name FROM log_group WHERE account = ? AND region = ? AND name > ? ORDER BY name",
            (call.account, call.region, after),
        )
        found = list(islice((name for (name,) in names if pattern(name)), limit + 1))
        output: dict[str, Any] = {"logGroups": [_listed(call, name) for name in found[:limit]]}
        if len(found) > limit:
            output["nextToken"] = sealed(found[limit - 1])
        return output

    @operation("PutRetentionPolicy")
    async def put_retention_policy(self, call: Call, params: "PutRetentionPolicyRequestTypeDef") -> None:
        days = params["retentionInDays"]
        if days not in _RETENTIONS:
            raise invalid_parameter(
                f"1 validation error detected: Value '{days}' at 'retentionInDays' failed to satisfy constraint: "
                f"Member must satisfy enum value set: [{', '.join(map(str, _RETENTIONS))}]"
            )
        await self._set_retention(call, group_name(params), days)

    @operation("DeleteRetentionPolicy")
    async def delete_retention_policy(self, call: Call, params: "DeleteRetentionPolicyRequestTypeDef") -> None:
        await self._set_retention(call, group_name(params), None)

    async def _set_retention(self, call: Call, name: str, days: int | None) -> None:
        def write(tx: Transaction) -> None:
            group = find_group(tx, call, name)
            tx.execute("UPDATE log_group SET retention = ? WHERE id = ?", (days, group.id))

        await self.store.write(write)


def _names(identifiers: Any) -> str | None:
    return None if identifiers is None else orjson.dumps([name_in(text) for text in identifiers]).decode()


def _listed(call: Call, name: str) -> dict[str, Any]:
    return {"logGroupName": name, "logGroupArn": group_arn(call, name), "logGroupClass": "STANDARD"}


def _described(call: Call, row: tuple[Any, ...]) -> dict[str, Any]:
    name, created, retention, stored_bytes, protected, metric_filters = row
    arn = group_arn(call, name)
    described: dict[str, Any] = {
        "logGroupName": name,
        "creationTime": created,
        "metricFilterCount": metric_filters,
        "arn": f"{arn}:*",
        "storedBytes": stored_bytes,
        "logGroupClass": "STANDARD",
        "logGroupArn": arn,
        "deletionProtectionEnabled": bool(protected),
    }
    if retention is not None:
        described["retentionInDays"] = retention
    return described
