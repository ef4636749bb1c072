"""The operations on routes and integrations."""

from typing import TYPE_CHECKING, Any

import orjson

from cloudlet.core.context import Call
from cloudlet.core.errors import NotImplementedByCloudlet
from cloudlet.core.ids import lower_id
from cloudlet.core.service import operation
from cloudlet.services.apigatewayv2.base import GatewayService, bad_request, conflict, not_found, paged, without
from cloudlet.services.apigatewayv2.matching import check_key
from cloudlet.store import Reader, Transaction

if TYPE_CHECKING:
    from types_boto3_apigatewayv2 import type_defs as t

_DEFAULT_TIMEOUT = 30_000


class Routes(GatewayService):
    """Routes, and the integrations that they lead to."""

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
            route = _route(tx, api_id, id_) | without(dict(params), "ApiId", "RouteId")
            _check_route(tx, api_id, route)
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

    @operation("CreateIntegration")
    async def create_integration(self, call: Call, params: "t.CreateIntegrationRequestTypeDef") -> dict[str, Any]:
        def write(tx: Transaction) -> dict[str, Any]:
            self.api(call, params["ApiId"], tx)
            integration = add_integration(tx, params["ApiId"], without(dict(params), "ApiId"))
            self.changed(tx, params["ApiId"], call.time)
            return integration

        return await self.store.write(write)

    @operation("GetIntegration")
    async def get_integration(self, call: Call, params: "t.GetIntegrationRequestTypeDef") -> dict[str, Any]:
        self.api(call, params["ApiId"])
        return _integration(self.store.reader, params["ApiId"], params["IntegrationId"])

    @operation("GetIntegrations")
    async def get_integrations(self, call: Call, params: "t.GetIntegrationsRequestTypeDef") -> dict[str, Any]:
        self.api(call, params["ApiId"])
        rows = self.store.reader.all("SELECT body FROM integrations WHERE api = ? ORDER BY id", (params["ApiId"],))
        return paged([orjson.loads(row[0]) for row in rows], dict(params))

    @operation("UpdateIntegration")
    async def update_integration(self, call: Call, params: "t.UpdateIntegrationRequestTypeDef") -> dict[str, Any]:
        api_id, id_ = params["ApiId"], params["IntegrationId"]

        def write(tx: Transaction) -> dict[str, Any]:
            self.api(call, api_id, tx)
            integration = _integration(tx, api_id, id_) | without(dict(params), "ApiId", "IntegrationId")
            check_integration(integration)
            tx.execute(
                "UPDATE integrations SET body = ? WHERE api = ? AND id = ?", (orjson.dumps(integration), api_id, id_)
            )
            self.changed(tx, api_id, call.time)
            return integration

        return await self.store.write(write)

    @operation("DeleteIntegration")
    async def delete_integration(self, call: Call, params: "t.DeleteIntegrationRequestTypeDef") -> None:
        api_id, id_ = params["ApiId"], params["IntegrationId"]

        def write(tx: Transaction) -> None:
            self.api(call, api_id, tx)
            _integration(tx, api_id, id_)
            target = f"integrations/{id_}"
            rows = tx.all("SELECT id, body FROM routes WHERE api = ?", (api_id,))
            users = [row[0] for row in rows if orjson.loads(row[1]).get("Target") == target]
            if users:
                raise conflict(
                    f"Cannot delete Integration {id_!r} due to the following routes referencing it: {', '.join(users)}"
                )
            tx.execute("DELETE FROM integrations WHERE api = ? AND id = ?", (api_id, id_))
            self.changed(tx, api_id, call.time)

        await self.store.write(write)


def add_route(tx: Transaction, api_id: str, members: dict[str, Any]) -> dict[str, Any]:
    """Writes a route; returns it as GetRoute gives it."""
    route: dict[str, Any] = {"ApiKeyRequired": False, "AuthorizationType": "NONE", **members, "RouteId": lower_id(7)}
    _check_route(tx, api_id, route)
    tx.execute(
        "INSERT INTO routes VALUES (?, ?, ?, ?)", (api_id, route["RouteId"], route["RouteKey"], orjson.dumps(route))
    )
    return route


def add_integration(tx: Transaction, api_id: str, members: dict[str, Any]) -> dict[str, Any]:
    """Writes an integration; returns it as GetIntegration gives it."""
    integration: dict[str, Any] = {
        "ConnectionType": "INTERNET",
        "PayloadFormatVersion": "1.0",
        "TimeoutInMillis": _DEFAULT_TIMEOUT,
        **members,
        "IntegrationId": lower_id(7),
    }
    if integration["IntegrationType"] == "AWS_PROXY":
        integration.setdefault("IntegrationMethod", "POST")
    check_integration(integration)
    tx.execute(
        "INSERT INTO integrations VALUES (?, ?, ?)", (api_id, integration["IntegrationId"], orjson.dumps(integration))
    )
    return integration


def check_integration(integration: dict[str, Any]) -> None:
    """Raises BadRequestException for what no HTTP API can have, 501 for what Cloudlet does not have."""
    kind = integration["IntegrationType"]
    if kind not in ("AWS_PROXY", "HTTP_PROXY"):
        raise bad_request(f"Invalid integration type specified for an HTTP API: {kind}")
    if not integration.get("IntegrationUri") and not integration.get("IntegrationSubtype"):
        raise bad_request("IntegrationUri is required")
    if integration["PayloadFormatVersion"] not in ("1.0", "2.0"):
        raise bad_request("PayloadFormatVersion must be 1.0 or 2.0")
    if kind == "HTTP_PROXY" and integration["PayloadFormatVersion"] != "1.0":
        raise bad_request("PayloadFormatVersion 2.0 is only supported for Lambda integrations")
    for name in ("ConnectionId", "CredentialsArn", "IntegrationSubtype", "ResponseParameters", "TlsConfig"):
        if integration.get(name):
            raise NotImplementedByCloudlet(f"{name} of an integration")
    if integration["ConnectionType"] != "INTERNET" or integration.get("RequestParameters"):
        raise NotImplementedByCloudlet("VPC links and request parameters of an integration")


def _check_route(reader: Reader, api_id: str, route: dict[str, Any]) -> None:
    wrong = check_key(route["RouteKey"])
    if wrong is not None:
        raise bad_request(wrong)
    if route["AuthorizationType"] != "NONE" or route.get("AuthorizerId"):
        raise NotImplementedByCloudlet(f"AuthorizationType {route['AuthorizationType']} of a route")
    if route.get("ApiKeyRequired") or route.get("RequestParameters") or route.get("RequestModels"):
        raise NotImplementedByCloudlet("API keys and request models of a route")
    target: str | None = route.get("Target")
    if target is not None:
        _integration(reader, api_id, target.removeprefix("integrations/"))
    row = reader.one("SELECT id FROM routes WHERE api = ? AND key = ?", (api_id, route["RouteKey"]))
    if row is not None and row[0] != route["RouteId"]:
        raise conflict(f"Route with key {route['RouteKey']} already exists for this API")


def _route(reader: Reader, api_id: str, id_: str) -> dict[str, Any]:
    row = reader.one("SELECT body FROM routes WHERE api = ? AND id = ?", (api_id, id_))
    if row is None:
        raise not_found("Invalid Route identifier specified")
    return orjson.loads(row[0])


def _integration(reader: Reader, api_id: str, id_: str) -> dict[str, Any]:
    row = reader.one("SELECT body FROM integrations WHERE api = ? AND id = ?", (api_id, id_))
    if row is None:
        raise not_found("Invalid Integration identifier specified")
    return orjson.loads(row[0])
