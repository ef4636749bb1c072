"""The operations on APIs as a whole, among them the import of OpenAPI documents."""

from typing import TYPE_CHECKING, Any

import orjson

from cloudlet.core.context import Call
from cloudlet.core.errors import NotImplementedByCloudlet
from cloudlet.core.ids import lower_id
from cloudlet.core.service import operation
from cloudlet.services.apigatewayv2.base import bad_request, paged, without
from cloudlet.services.apigatewayv2.matching import DEFAULT
from cloudlet.services.apigatewayv2.routes import Routes, add_integration, add_route
from cloudlet.services.apigatewayv2.stages import Stages
from cloudlet.store import Transaction

if TYPE_CHECKING:
    from types_boto3_apigatewayv2 import type_defs as t

    from cloudlet.services.apigatewayv2.openapi import Imported

_QUICK = ("CredentialsArn", "RouteKey", "Target")
_DEFAULTS = {
    "ApiKeySelectionExpression": "$request.header.x-api-key",
    "DisableExecuteApiEndpoint": False,
    "IpAddressType": "ipv4",
    "ProtocolType": "HTTP",
    "RouteSelectionExpression": "$request.method $request.path",
}


class Apis(Routes, Stages):
    """APIs: created, imported, changed, deleted."""

    @operation("CreateApi")
    async def create_api(self, call: Call, params: "t.CreateApiRequestTypeDef") -> dict[str, Any]:
        given: dict[str, Any] = dict(params)
        if given["ProtocolType"] != "HTTP":
            raise NotImplementedByCloudlet("WebSocket APIs")
        _check(given)
        settings = _DEFAULTS | without(given, "Tags", *_QUICK)

        def write(tx: Transaction) -> dict[str, Any]:
            api_id = self._insert(tx, call, settings, given.get("Tags", {}))
            if given.get("Target"):
                self._quick_create(tx, call, api_id, given)
            return self.api(call, api_id, tx)

        return await self.store.write(write)

    @operation("ImportApi")
    async def import_api(self, call: Call, params: "t.ImportApiRequestTypeDef") -> dict[str, Any]:
        imported = _read(dict(params))

        def write(tx: Transaction) -> dict[str, Any]:
            api_id = self._insert(tx, call, _DEFAULTS | imported.settings, imported.tags)
            self._add_routes(tx, call, api_id, imported)
            return self.api(call, api_id, tx) | {"Warnings": imported.warnings}

        return await self.store.write(write)

    @operation("ReimportApi")
    async def reimport_api(self, call: Call, params: "t.ReimportApiRequestTypeDef") -> dict[str, Any]:
        imported = _read(dict(params))
        api_id = params["ApiId"]

        def write(tx: Transaction) -> dict[str, Any]:
            self.api(call, api_id, tx)
            tx.execute("DELETE FROM routes WHERE api = ?", (api_id,))
            tx.execute("DELETE FROM integrations WHERE api = ?", (api_id,))
            tx.execute(
                "UPDATE apis SET body = ?, tags = ? WHERE id = ?",
                (orjson.dumps(_DEFAULTS | imported.settings), orjson.dumps(imported.tags), api_id),
            )
            self._add_routes(tx, call, api_id, imported)
            return self.api(call, api_id, tx) | {"Warnings": imported.warnings}

        return await self.store.write(write)

    @operation("GetApi")
    async def get_api(self, call: Call, params: "t.GetApiRequestTypeDef") -> dict[str, Any]:
        return self.api(call, params["ApiId"])

    @operation("GetApis")
    async def get_apis(self, call: Call, params: "t.GetApisRequestTypeDef") -> dict[str, Any]:
        rows = self.store.reader.all(
            "SELECT id FROM apis WHERE account = ? AND region = ? ORDER BY created, id", (call.account, call.region)
        )
        return paged([self.api(call, row[0]) for row in rows], dict(params))

    @operation("UpdateApi")
    async def update_api(self, call: Call, params: "t.UpdateApiRequestTypeDef") -> dict[str, Any]:
        given: dict[str, Any] = dict(params)
        api_id = params["ApiId"]
        _check(given)
        if any(given.get(name) for name in _QUICK):
            raise NotImplementedByCloudlet("changing the quick-created parts of an API by UpdateApi")

        def write(tx: Transaction) -> dict[str, Any]:
            self.api(call, api_id, tx)
            self._settings(tx, api_id, without(given, "ApiId"))
            self.forget_serving(tx, api_id)
            return self.api(call, api_id, tx)

        return await self.store.write(write)

    @operation("DeleteCorsConfiguration")
    async def delete_cors_configuration(self, call: Call, params: "t.DeleteCorsConfigurationRequestTypeDef") -> None:
        def write(tx: Transaction) -> None:
            self.api(call, params["ApiId"], tx)
            self._settings(tx, params["ApiId"], {"CorsConfiguration": None})
            self.forget_serving(tx, params["ApiId"])

        await self.store.write(write)

    @operation("DeleteApi")
    async def delete_api(self, call: Call, params: "t.DeleteApiRequestTypeDef") -> None:
        def write(tx: Transaction) -> None:
            self.api(call, params["ApiId"], tx)
            tx.execute("DELETE FROM apis WHERE id = ?", (params["ApiId"],))
            self.forget_serving(tx, params["ApiId"])

        await self.store.write(write)

    def _insert(self, tx: Transaction, call: Call, settings: dict[str, Any], tags: dict[str, str]) -> str:
        api_id = lower_id(10)
        tx.execute(
            "INSERT INTO apis VALUES (?, ?, ?, ?, ?, ?)",
            (api_id, call.account, call.region, call.time, orjson.dumps(settings), orjson.dumps(tags)),
        )
        return api_id

    def _settings(self, tx: Transaction, api_id: str, changes: dict[str, Any]) -> None:
        row = tx.one("SELECT body FROM apis WHERE id = ?", (api_id,))
        assert row is not None
        settings = orjson.loads(row[0]) | changes
        kept = {name: value for name, value in settings.items() if value is not None}
        tx.execute("UPDATE apis SET body = ? WHERE id = ?", (orjson.dumps(kept), api_id))

    def _quick_create(self, tx: Transaction, call: Call, api_id: str, given: dict[str, Any]) -> None:
        """An integration, a catch-all route and a stage that deploys by itself, for the target."""
        target: str = given["Target"]
        is_function = target.startswith("arn:")
        members = {
            "IntegrationType": "AWS_PROXY" if is_function else "HTTP_PROXY",
            "IntegrationUri": target,
            "PayloadFormatVersion": "2.0" if is_function else "1.0",
            "ApiGatewayManaged": True,
        }
        if not is_function:
            members["IntegrationMethod"] = "ANY"
        integration = add_integration(tx, api_id, members)
        route_target = f"integrations/{integration['IntegrationId']}"
        key = given.get("RouteKey", DEFAULT)
        add_route(tx, api_id, {"RouteKey": key, "Target": route_target, "ApiGatewayManaged": True})
        self.add_stage(tx, call, api_id, {"StageName": DEFAULT, "AutoDeploy": True, "ApiGatewayManaged": True})

    def _add_routes(self, tx: Transaction, call: Call, api_id: str, imported: "Imported") -> None:
        for each in imported.routes:
            members: dict[str, Any] = {"RouteKey": each.key}
            if each.operation_name is not None:
                members["OperationName"] = each.operation_name
            if each.integration is not None:
                integration = add_integration(tx, api_id, each.integration)
                members["Target"] = f"integrations/{integration['IntegrationId']}"
            add_route(tx, api_id, members)
        self.changed(tx, api_id, call.time)


def _check(given: dict[str, Any]) -> None:
    if given.get("CredentialsArn"):
        raise NotImplementedByCloudlet("CredentialsArn of an API")
    if given.get("RouteKey") and not given.get("Target"):
        raise bad_request("A target must be specified with a route key")
    cors = given.get("CorsConfiguration") or {}
    if cors.get("AllowCredentials") and "*" in cors.get("AllowOrigins", []):
        raise bad_request("Using wildcard in allowed origins is not supported with allow credentials")


def _read(params: dict[str, Any]) -> "Imported":
    # A slow import, because of yaml: a server that is given no document does not wait for it at its start.
    from cloudlet.services.apigatewayv2 import openapi

    if params.get("Basepath", "ignore") != "ignore":
        raise NotImplementedByCloudlet(f"Basepath {params['Basepath']} of an import")
    imported = openapi.read(params["Body"])
    _check(imported.settings)
    if params.get("FailOnWarnings") and imported.warnings:
        raise bad_request(f"Warnings found during import: {'; '.join(imported.warnings)}")
    return imported
