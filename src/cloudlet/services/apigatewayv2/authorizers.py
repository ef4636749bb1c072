"""The operations on authorizers."""

from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import orjson

from cloudlet.core.context import Call
from cloudlet.core.ids import lower_id
from cloudlet.core.service import operation
from cloudlet.services.apigatewayv2 import expressions
from cloudlet.services.apigatewayv2.base import GatewayService, bad_request, conflict, not_found, paged, without
from cloudlet.services.apigatewayv2.functions import is_path
from cloudlet.store import Reader, Transaction

if TYPE_CHECKING:
    from types_boto3_apigatewayv2 import type_defs as t

_FOR_FUNCTIONS = (
    "AuthorizerCredentialsArn",
    "AuthorizerPayloadFormatVersion",
    "AuthorizerResultTtlInSeconds",
    "AuthorizerUri",
    "EnableSimpleResponses",
)
_MOST = 10


class Authorizers(GatewayService):
    """Who decides on the requests of routes."""

    @operation("CreateAuthorizer")
    async def create_authorizer(self, call: Call, params: "t.CreateAuthorizerRequestTypeDef") -> dict[str, Any]:
        api_id = params["ApiId"]
        self.check_passing(call, params.get("AuthorizerCredentialsArn"))

        def write(tx: Transaction) -> dict[str, Any]:
            self.api(call, api_id, tx)
            authorizer = add_authorizer(tx, api_id, without(dict(params), "ApiId"))
            self.changed(tx, api_id, call.time)
            return authorizer

        return await self.store.write(write)

    @operation("GetAuthorizer")
    async def get_authorizer(self, call: Call, params: "t.GetAuthorizerRequestTypeDef") -> dict[str, Any]:
        self.api(call, params["ApiId"])
        return find_authorizer(self.store.reader, params["ApiId"], params["AuthorizerId"])

    @operation("GetAuthorizers")
    async def get_authorizers(self, call: Call, params: "t.GetAuthorizersRequestTypeDef") -> dict[str, Any]:
        self.api(call, params["ApiId"])
        rows = self.store.reader.all("SELECT body FROM authorizers WHERE api = ? ORDER BY id", (params["ApiId"],))
        return paged([orjson.loads(row[0]) for row in rows], dict(params))

    @operation("UpdateAuthorizer")
    async def update_authorizer(self, call: Call, params: "t.UpdateAuthorizerRequestTypeDef") -> dict[str, Any]:
        api_id, id_ = params["ApiId"], params["AuthorizerId"]
        self.check_passing(call, params.get("AuthorizerCredentialsArn"))

        def write(tx: Transaction) -> dict[str, Any]:
            self.api(call, api_id, tx)
            before = find_authorizer(tx, api_id, id_)
            if params.get("AuthorizerType", before["AuthorizerType"]) != before["AuthorizerType"]:
                raise bad_request("The type of an authorizer cannot be changed")
            after = before | without(dict(params), "ApiId", "AuthorizerId")
            if not after.get("AuthorizerCredentialsArn"):
                after.pop("AuthorizerCredentialsArn", None)
            _check(tx, api_id, after)
            tx.execute(
                "UPDATE authorizers SET name = ?, body = ? WHERE api = ? AND id = ?",
                (after["Name"], orjson.dumps(after), api_id, id_),
            )
            self.changed(tx, api_id, call.time)
            return after

        return await self.store.write(write)

    @operation("DeleteAuthorizer")
    async def delete_authorizer(self, call: Call, params: "t.DeleteAuthorizerRequestTypeDef") -> None:
        api_id, id_ = params["ApiId"], params["AuthorizerId"]

        def write(tx: Transaction) -> None:
            self.api(call, api_id, tx)
            find_authorizer(tx, api_id, id_)
            rows = tx.all("SELECT id, body FROM routes WHERE api = ?", (api_id,))
            users = [row[0] for row in rows if orjson.loads(row[1]).get("AuthorizerId") == id_]
            if users:
                raise conflict(
                    f"Cannot delete Authorizer {id_!r} due to the following routes referencing it: {', '.join(users)}"
                )
            tx.execute("DELETE FROM authorizers WHERE api = ? AND id = ?", (api_id, id_))
            self.changed(tx, api_id, call.time)

        await self.store.write(write)

    @operation("ResetAuthorizersCache")
    async def reset_authorizers_cache(self, call: Call, params: "t.ResetAuthorizersCacheRequestTypeDef") -> None:
        self.api(call, params["ApiId"])
        stage = (params["ApiId"], params["StageName"])
        if self.store.reader.one("SELECT 1 FROM stages WHERE api = ? AND name = ?", stage) is None:
            raise not_found("Invalid stage identifier specified")
        self.forget_authorizations(*stage)


def add_authorizer(tx: Transaction, api_id: str, members: dict[str, Any]) -> dict[str, Any]:
    """Writes an authorizer; returns it as GetAuthorizer gives it."""
    authorizer: dict[str, Any] = {**members, "AuthorizerId": lower_id(6)}
    _check(tx, api_id, authorizer)
    row = tx.one("SELECT count(*) FROM authorizers WHERE api = ?", (api_id,))
    if row is not None and row[0] >= _MOST:
        raise bad_request(f"Maximum number of Authorizers for this API has been reached. Limit: {_MOST}")
    tx.execute(
        "INSERT INTO authorizers VALUES (?, ?, ?, ?)",
        (api_id, authorizer["AuthorizerId"], authorizer["Name"], orjson.dumps(authorizer)),
    )
    return authorizer


def find_authorizer(reader: Reader, api_id: str, id_: str) -> dict[str, Any]:
    """Raises NotFoundException."""
    row = reader.one("SELECT body FROM authorizers WHERE api = ? AND id = ?", (api_id, id_))
    if row is None:
        raise not_found("Invalid Authorizer identifier specified")
    return orjson.loads(row[0])


def _check(reader: Reader, api_id: str, authorizer: dict[str, Any]) -> None:
    same = reader.one("SELECT id FROM authorizers WHERE api = ? AND name = ?", (api_id, authorizer["Name"]))
    if same is not None and same[0] != authorizer["AuthorizerId"]:
        raise conflict(f"Authorizer name must be unique. Authorizer {authorizer['Name']} already exists in this API.")
    if authorizer.get("IdentityValidationExpression"):
        raise bad_request("IdentityValidationExpression is not supported for HTTP APIs")
    try:
        for text in authorizer.get("IdentitySource") or ():
            if not text.startswith("$"):
                raise ValueError(f"Invalid mapping expression specified: {text}")
            expressions.parse(text, expressions.IDENTITY)
    except ValueError as error:
        raise bad_request(str(error)) from None
    if authorizer["AuthorizerType"] == "JWT":
        _check_jwt(authorizer)
    else:
        _check_function(authorizer)


def _check_jwt(authorizer: dict[str, Any]) -> None:
    for name in _FOR_FUNCTIONS:
        if authorizer.get(name):
            raise bad_request(f"{name} is only supported for REQUEST authorizers")
    if len(authorizer.get("IdentitySource") or ()) != 1:
        raise bad_request("JWT authorizers require exactly one identity source")
    configuration = authorizer.get("JwtConfiguration") or {}
    if not configuration.get("Audience"):
        raise bad_request("JWT authorizers require an audience")
    issuer = urlsplit(configuration.get("Issuer", ""))
    if issuer.scheme not in ("http", "https") or not issuer.netloc:
        raise bad_request(f"Invalid issuer: {configuration.get('Issuer', '')}")


def _check_function(authorizer: dict[str, Any]) -> None:
    if authorizer.get("JwtConfiguration"):
        raise bad_request("JwtConfiguration is only supported for JWT authorizers")
    if not is_path(authorizer.get("AuthorizerUri", "")):
        raise bad_request(
            "Authorizer Uri must be a valid ARN of API Gateway that represents the invocation of a Lambda function"
        )
    version = authorizer.get("AuthorizerPayloadFormatVersion")
    if version not in ("1.0", "2.0"):
        raise bad_request("AuthorizerPayloadFormatVersion is a required parameter for REQUEST authorizer: 1.0 or 2.0")
    if version == "1.0" and authorizer.get("EnableSimpleResponses"):
        raise bad_request("EnableSimpleResponses is only supported with AuthorizerPayloadFormatVersion 2.0")
    if authorizer.get("AuthorizerResultTtlInSeconds") and not authorizer.get("IdentitySource"):
        raise bad_request("Caching requires at least one identity source")
