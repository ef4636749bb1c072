"""Operations on tags of functions, event source mappings and code signing configurations."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import orjson

from cloudlet.core.context import Call
from cloudlet.core.errors import AwsError
from cloudlet.core.service import operation
from cloudlet.services.lambda_.base import LambdaBase
from cloudlet.services.lambda_.catalog import loaded
from cloudlet.services.lambda_.configuration import invalid
from cloudlet.services.lambda_.names import parse_reference
from cloudlet.store import Reader, Transaction

if TYPE_CHECKING:
    from types_boto3_lambda import type_defs as t

_MOST_TAGS = 50
# The tables of what has tags beside functions, with the column of their ids, by the type in their ARN.
_TABLES = {
    "event-source-mapping": ("event_source_mapping", "uuid"),
    "code-signing-config": ("code_signing_config", "id"),
}


class TagOperations(LambdaBase):
    @operation("TagResource")
    async def tag_resource(self, call: Call, params: "t.TagResourceRequestTypeDef") -> None:
        await self._change(call, params["Resource"], lambda tags: {**tags, **params["Tags"]})

    @operation("UntagResource")
    async def untag_resource(self, call: Call, params: "t.UntagResourceRequestTypeDef") -> None:
        gone = set(params["TagKeys"])
        await self._change(
            call, params["Resource"], lambda tags: {name: value for name, value in tags.items() if name not in gone}
        )

    @operation("ListTags")
    async def list_tags(self, call: Call, params: "t.ListTagsRequestTypeDef") -> dict[str, Any]:
        arn = params["Resource"]
        if _kind(arn) in _TABLES:
            return {"Tags": _tags(self.store.reader, arn)}
        return {"Tags": self.catalog.get(parse_reference(call, arn)).tags}

    async def _change(self, call: Call, arn: str, change: Callable[[dict[str, str]], dict[str, str]]) -> None:
        if _kind(arn) in _TABLES:
            await self.store.write(lambda tx: _change(tx, arn, change))
            return
        reference = parse_reference(call, arn)
        key = reference.key
        if reference.qualifier is not None:
            raise invalid("Tags on function aliases and versions are not supported. Please specify a function ARN.")

        def write(tx: Transaction) -> None:
            tags = _checked(change(loaded(tx, reference).tags))
            tx.execute(
                "UPDATE function SET tags = ? WHERE account = ? AND region = ? AND name = ?",
                (orjson.dumps(tags), key.account, key.region, key.name),
            )

        await self.catalog.change(key, write)


def _kind(arn: str) -> str:
    return arn.split(":")[5] if arn.count(":") >= 6 else ""


def _change(tx: Transaction, arn: str, change: Callable[[dict[str, str]], dict[str, str]]) -> None:
    tags = _checked(change(_tags(tx, arn)))
    table, column = _TABLES[_kind(arn)]
    tx.execute(f"UPDATE {table} SET tags = ? WHERE {column} = ?", (orjson.dumps(tags), arn.split(":")[-1]))


def _tags(reader: Reader, arn: str) -> dict[str, str]:
    _, _, _, region, account, kind, id_ = arn.split(":")
    table, column = _TABLES[kind]
    row = reader.one(
        f"SELECT tags FROM {table} WHERE {column} = ? AND account = ? AND region = ?", (id_, account, region)
    )
    if row is None:
        raise _missing()
    return orjson.loads(row[0])


def _checked(tags: dict[str, str]) -> dict[str, str]:
    if len(tags) > _MOST_TAGS:
        raise invalid(f"Too many tags: a resource may have {_MOST_TAGS}.")
    return tags


def _missing() -> AwsError:
    return AwsError(
        "ResourceNotFoundException", "The resource you requested does not exist.", status=404, fields={"Type": "User"}
    )
