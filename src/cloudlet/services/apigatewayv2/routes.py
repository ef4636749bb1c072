"""The operations on routes."""

from typing import TYPE_CHECKING, Any

import orjson

from cloudlet.core.context import Call
from cloudlet.core.errors import NotImplementedByCloudlet
from cloudlet.core.ids import lower_id
from cloudlet.core.service import operation
from cloudlet.services.apigatewayv2.authorizers import find_authorizer
from cloudlet.services.apigatewayv2.base import GatewayService, bad_request, conflict, not_found, paged, without
from cloudlet.services.apigatewayv2.integrations import find_integration
from cloudlet.services.apigatewayv2.matching import check_key
from cloudlet.store import Reader, Transaction

if TYPE_CHECKING:
    from types_boto3_apigatewayv2 import type_defs as t

_NAMES = ("ApiId", "RouteId")
# What WebSocket APIs alone have.
_WEBSOCKET = (
    "ApiKeyRequired",
    "ModelSelectionExpression",
    "RequestModels",
    "RequestParameters",
    "RouteResponseSelectionExpression",
)
# The types of authorizers behind the types of authorization.
_AUTHORIZERS = {"CUSTOM": "REQUEST", "JWT": "JWT"}


class Routes(GatewayService):
    """The requests that an API takes."""

    @operation("CreateRoute")
    async def create_route(self, call: Call, params: "t.CreateRouteRequestTypeDef") -> dict[str, Any]:
        api_id = params["ApiId"]

        def write(tx: Transaction) -> dict[str, Any]:
            self.api(call, api_id, tx)
            route = add_route(tx, api_id, without(dict(params), "ApiId"))
            self.changed(tx, api_id, call.time)
            return route

        return await self.store.write(write)

    @operation("GetRoute")
    async def get_route(self, call: Call, params: "t.GetRouteRequestTypeDef") -> dict[str, Any]:
        self.api(call, params["ApiId"])
        return _route(self.store.reader, params["ApiId"], params["RouteId"])

    @operation("GetRoutes")
    async def get_routes(self, call: Call, params: "t.GetRoutesRequestTypeDef") -> dict[str, Any]:
        self.api(call, params["ApiId"])
        rows = self.store.reader.all("SELECT body FROM routes WHERE api = ? ORDER BY id", (params["ApiId"],))
        return paged([orjson.loads(row[0]) for row in rows], dict(params))

    @operation("UpdateRoute")
    async def update_route(self, call: Call, params: "t.UpdateRouteRequestTypeDef") -> dict[str, Any]:
        api_id, id_ = params["ApiId"], params["RouteId"]

        def write(tx: Transaction) -> dict[str, Any]:
            self.api(call, api_id, tx)
            route = _without_authorizer(_route(tx, api_id, id_), dict(params)) | without(dict(params), *_NAMES)
            route = {name: value for name, value in route.items() if value not in ("", [], {})}
            check_route(tx, api_id, route)
            tx.execute(
                "UPDATE routes SET key = ?, body = ? WHERE api = ? AND id = ?",
                (route["RouteKey"], orjson.dumps(route), api_id, id_),
            )
            self.changed(tx, api_id, call.time)
            return route

        return await self.store.write(write)

    @operation("DeleteRoute")
    async def delete_route(self, call: Call, params: "t.DeleteRouteRequestTypeDef") -> None:
        def write(tx: Transaction) -> None:
            self.api(call, params["ApiId"], tx)
            _route(tx, params["ApiId"], params["RouteId"])
            tx.execute("DELETE FROM routes WHERE api = ? AND id = ?", (params["ApiId"], params["RouteId"]))
            self.changed(tx, params["ApiId"], call.time)

        await self.store.write(write)


def add_route(tx: Transaction, api_id: str, members: dict[str, Any]) -> dict[str, Any]:
    """Writes a route; returns it as GetRoute gives it."""
    route: dict[str, Any] = {"ApiKeyRequired": False, "AuthorizationType": "NONE", **members, "RouteId": lower_id(7)}
    check_route(tx, api_id, route)
    tx.execute(
        "INSERT INTO routes VALUES (?, ?, ?, ?)", (api_id, route["RouteId"], route["RouteKey"], orjson.dumps(route))
    )
    return route


def check_route(reader: Reader, api_id: str, route: dict[str, Any]) -> None:
    """Raises BadRequestException or ConflictException for a route that cannot be."""
    wrong = check_key(route["RouteKey"])
    if wrong is not None:
        raise bad_request(wrong)
    _check_authorization(reader, api_id, route)
    for name in _WEBSOCKET:
        if route.get(name):
            raise NotImplementedByCloudlet(f"{name} of a route")
    target: str | None = route.get("Target")
    if target is not None:
        find_integration(reader, api_id, target.removeprefix("integrations/"))
    row = reader.one("SELECT id FROM routes WHERE api = ? AND key = ?", (api_id, route["RouteKey"]))
    if row is not None and row[0] != route["RouteId"]:
        raise conflict(f"Route with key {route['RouteKey']} already exists for this API")


def _check_authorization(reader: Reader, api_id: str, route: dict[str, Any]) -> None:
    kind, id_ = route["AuthorizationType"], route.get("AuthorizerId")
    wanted = _AUTHORIZERS.get(kind)
    if wanted is None and id_:
        raise bad_request(f"An authorizer cannot be used with authorization type {kind}")
    if kind != "JWT" and route.get("AuthorizationScopes"):
        raise bad_request("Authorization scopes are only supported with authorization type JWT")
    if wanted is None:
        return
    if not id_:
        raise bad_request(f"An authorizer is required for authorization type {kind}")
    if find_authorizer(reader, api_id, id_)["AuthorizerType"] != wanted:
        raise bad_request(f"The authorizer {id_} is not of the type that authorization type {kind} requires")


def _without_authorizer(route: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    """What a route was, without what its new type of authorization has no use for."""
    if changes.get("AuthorizationType", route["AuthorizationType"]) == route["AuthorizationType"]:
        return route
    return without(route, "AuthorizationScopes", "AuthorizerId")


def _route(reader: Reader, api_id: str, id_: str) -> dict[str, Any]:
    row = reader.one("SELECT body FROM routes WHERE api = ? AND id = ?", (api_id, id_))
    if row is None:
        raise not_found("Invalid Route identifier specified")
    return orjson.loads(row[0])
