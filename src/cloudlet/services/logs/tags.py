"""Tags of log groups, by today's operations and by the older ones that tools still use."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import orjson

from cloudlet.core.context import Call
from cloudlet.core.errors import AwsError
from cloudlet.core.service import operation
from cloudlet.services.logs.base import LogsBase, find_group, group_arn, name_in
from cloudlet.services.logs.faults import no_such_group
from cloudlet.store import Transaction

if TYPE_CHECKING:
    from types_boto3_logs.type_defs import (
        ListTagsForResourceRequestTypeDef,
        ListTagsLogGroupRequestTypeDef,
        TagLogGroupRequestTypeDef,
        TagResourceRequestTypeDef,
        UntagLogGroupRequestTypeDef,
        UntagResourceRequestTypeDef,
    )

Tags = dict[str, str]
_MOST = 50


def check_count(tags: Mapping[str, str], arn: str) -> None:
    """Raises TooManyTagsException."""
    if len(tags) > _MOST:
        message = f"The maximum number of tags for a resource is {_MOST}."
        raise AwsError("TooManyTagsException", message, fields={"resourceName": arn})


class TagOperations(LogsBase):
    def condition_keys(self, call: Call, params: dict[str, Any]) -> dict[str, str]:
        """The tags of the log group, and those that the request gives to one. A log stream has none."""
        given = params.get("tags", {})
        keys = {f"aws:RequestTag/{key}": value for key, value in given.items()} if isinstance(given, dict) else {}
        _, found, rest = (self.resource(call, params) or "").partition(":log-group:")
        if not found or ":log-stream:" in rest:
            return keys
        tags = self._tags_of(call, rest.removesuffix(":*"))
        return keys | {f"aws:ResourceTag/{key}": value for key, value in (tags or {}).items()}

    @operation("TagResource")
    async def tag_resource(self, call: Call, params: "TagResourceRequestTypeDef") -> None:
        await self._change(call, name_in(params["resourceArn"]), lambda tags: tags.update(params["tags"]))

    @operation("UntagResource")
    async def untag_resource(self, call: Call, params: "UntagResourceRequestTypeDef") -> None:
        await self._change(call, name_in(params["resourceArn"]), lambda tags: _remove(tags, params["tagKeys"]))

    @operation("ListTagsForResource")
    async def list_tags_for_resource(self, call: Call, params: "ListTagsForResourceRequestTypeDef") -> dict[str, Any]:
        return {"tags": self._tags(call, name_in(params["resourceArn"]))}

    @operation("TagLogGroup")
    async def tag_log_group(self, call: Call, params: "TagLogGroupRequestTypeDef") -> None:
        await self._change(call, params["logGroupName"], lambda tags: tags.update(params["tags"]))

    @operation("UntagLogGroup")
    async def untag_log_group(self, call: Call, params: "UntagLogGroupRequestTypeDef") -> None:
        await self._change(call, params["logGroupName"], lambda tags: _remove(tags, params["tags"]))

    @operation("ListTagsLogGroup")
    async def list_tags_log_group(self, call: Call, params: "ListTagsLogGroupRequestTypeDef") -> dict[str, Any]:
        return {"tags": self._tags(call, params["logGroupName"])}

    def _tags(self, call: Call, name: str) -> Tags:
        tags = self._tags_of(call, name)
        if tags is None:
            raise no_such_group()
        return tags

    def _tags_of(self, call: Call, name: str) -> Tags | None:
        row = self.store.reader.one(
            "SELECT tags FROM log_group WHERE account = ? AND region = ? AND name = ?",
            (call.account, call.region, name),
        )
        return orjson.loads(row[0]) if row is not None else None

    async def _change(self, call: Call, name: str, change: Callable[[Tags], None]) -> None:
        def write(tx: Transaction) -> None:
            group = find_group(tx, call, name)
            row = tx.one("SELECT tags FROM log_group WHERE id = ?", (group.id,))
            assert row is not None
            tags: Tags = orjson.loads(row[0])
            change(tags)
            check_count(tags, group_arn(call, name))
            tx.execute("UPDATE log_group SET tags = ? WHERE id = ?", (orjson.dumps(tags).decode(), group.id))

        await self.store.write(write)


def _remove(tags: Tags, keys: Any) -> None:
    for key in keys:
        tags.pop(key, None)
