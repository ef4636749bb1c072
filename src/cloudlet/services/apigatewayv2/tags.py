"""The operations on tags, of APIs, stages and domain names."""

import re
from typing import TYPE_CHECKING, Any

import orjson

from cloudlet.core.context import Call
from cloudlet.core.service import operation
from cloudlet.services.apigatewayv2.base import GatewayService, bad_request, not_found, without
from cloudlet.services.apigatewayv2.domains import find_domain
from cloudlet.services.apigatewayv2.stages import find_stage
from cloudlet.store import Reader, Transaction

if TYPE_CHECKING:
    from types_boto3_apigatewayv2 import type_defs as t

_TAGGED = re.compile(
    r"arn:aws:apigateway:[^:]*::(?:/apis/(?P<api>[^/]+)(?:/stages/(?P<stage>[^/]+))?|/domainnames/(?P<domain>[^/]+))"
)
_MOST_TAGS = 50


class Tags(GatewayService):
    """Tags, by the ARN of what bears them."""

    @operation("GetTags")
    async def get_tags(self, call: Call, params: "t.GetTagsRequestTypeDef") -> dict[str, Any]:
        return {"Tags": self._tags(self.store.reader, call, params["ResourceArn"])}

    @operation("TagResource")
    async def tag_resource(self, call: Call, params: "t.TagResourceRequestTypeDef") -> dict[str, Any]:
        def write(tx: Transaction) -> None:
            tags = self._tags(tx, call, params["ResourceArn"]) | dict(params.get("Tags", {}))
            if len(tags) > _MOST_TAGS:
                raise bad_request(f"The maximum number of tags is {_MOST_TAGS}")
            self._set_tags(tx, params["ResourceArn"], tags)

        await self.store.write(write)
        return {}

    @operation("UntagResource")
    async def untag_resource(self, call: Call, params: "t.UntagResourceRequestTypeDef") -> None:
        def write(tx: Transaction) -> None:
            tags = self._tags(tx, call, params["ResourceArn"])
            self._set_tags(tx, params["ResourceArn"], without(tags, *params["TagKeys"]))

        await self.store.write(write)

    def _tags(self, reader: Reader, call: Call, arn: str) -> dict[str, str]:
        match = _TAGGED.fullmatch(arn)
        if match is None:
            raise not_found("Invalid resource ARN specified")
        if match["domain"]:
            return find_domain(reader, call, match["domain"])["Tags"]
        api = self.api(call, match["api"], reader)
        return api["Tags"] if match["stage"] is None else find_stage(reader, match["api"], match["stage"])["Tags"]

    def _set_tags(self, tx: Transaction, arn: str, tags: dict[str, str]) -> None:
        match = _TAGGED.fullmatch(arn)
        assert match is not None
        text = orjson.dumps(tags)
        if match["domain"]:
            tx.execute("UPDATE domains SET tags = ? WHERE name = ?", (text, match["domain"]))
        elif match["stage"] is None:
            tx.execute("UPDATE apis SET tags = ? WHERE id = ?", (text, match["api"]))
        else:
            tx.execute("UPDATE stages SET tags = ? WHERE api = ? AND name = ?", (text, match["api"], match["stage"]))
