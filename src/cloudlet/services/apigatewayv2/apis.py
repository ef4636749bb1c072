"""The operations on APIs as a whole, among them the import of OpenAPI documents."""

from typing import TYPE_CHECKING, Any

import orjson

from cloudlet.core.context import Call
from cloudlet.core.errors import NotImplementedByCloudlet
from cloudlet.core.ids import lower_id
from cloudlet.core.service import operation
from cloudlet.services.apigatewayv2.authorizers import add_authorizer
from cloudlet.services.apigatewayv2.base import bad_request, paged, without
from cloudlet.services.apigatewayv2.integrations import add_integration, check_integration
from cloudlet.services.apigatewayv2.matching import DEFAULT
from cloudlet.services.apigatewayv2.routes import add_route, check_route
from cloudlet.services.apigatewayv2.stages import Stages, stage_body
from cloudlet.store import Reader, Transaction

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


class Apis(Stages):
    """APIs: created, imported, exported, changed, deleted."""

    @operation("CreateApi")
    async def create_api(self, call: Call, params: "t.CreateApiRequestTypeDef") -> dict[str, Any]:
        given: dict[str, Any] = dict(params)
        if given["ProtocolType"] != "HTTP":
            raise NotImplementedByCloudlet("WebSocket APIs")
        _check(given)
        if (given.get("RouteKey") or given.get("CredentialsArn")) and not given.get("Target"):
            raise bad_request("A target must be specified with a route key or credentials")
        self.check_passing(call, given.get("CredentialsArn"))
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
        self._check_roles(call, imported)

        def write(tx: Transaction) -> dict[str, Any]:
            api_id = self._insert(tx, call, _DEFAULTS | imported.settings, imported.tags)
            self._add_routes(tx, call, api_id, imported)
            return self.api(call, api_id, tx) | {"Warnings": imported.warnings}

        return await self.store.write(write)

    @operation("ReimportApi")
    async def reimport_api(self, call: Call, params: "t.ReimportApiRequestTypeDef") -> dict[str, Any]:
        imported = _read(dict(params))
        self._check_roles(call, imported)
        api_id = params["ApiId"]

        def write(tx: Transaction) -> dict[str, Any]:
            self.api(call, api_id, tx)
            for table in ("routes", "integrations", "authorizers"):
                tx.execute(f"DELETE FROM {table} WHERE api = ?", (api_id,))
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
        self.check_passing(call, given.get("CredentialsArn"))

        def write(tx: Transaction) -> dict[str, Any]:
            self.api(call, api_id, tx)
            self._settings(tx, api_id, without(given, "ApiId", *_QUICK))
            if any(given.get(name) for name in _QUICK):
                self._change_quick_parts(tx, api_id, given)
                self.changed(tx, api_id, call.time)
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
            mapped = tx.one("SELECT domain FROM mappings WHERE api = ?", (params["ApiId"],))
            if mapped is not None:
                raise bad_request(
                    f"Deleting api '{params['ApiId']}' failed. Please remove all base path mappings related to the api "
                    f"in your domains: {mapped[0]}"
                )
            tx.execute("DELETE FROM apis WHERE id = ?", (params["ApiId"],))
            self.forget_serving(tx, params["ApiId"])

        await self.store.write(write)

    @operation("ExportApi")
    async def export_api(self, call: Call, params: "t.ExportApiRequestTypeDef") -> dict[str, Any]:
        from cloudlet.services.apigatewayv2 import exports  # a slow import, because of yaml

        reader, api_id, stage = self.store.reader, params["ApiId"], params.get("StageName")
        if params["Specification"] != "OAS30" or params["OutputType"] not in ("JSON", "YAML"):
            raise bad_request("Exports are OAS30 as JSON or YAML")
        if params.get("ExportVersion", "1.0") != "1.0":
            raise bad_request("The export version must be 1.0")
        api = self.api(call, api_id)
        routes, integrations, authorizers = _parts(reader, api_id, stage)
        found = exports.document(api, routes, integrations, authorizers)
        if not params.get("IncludeExtensions", True):
            found = exports.without_extensions(found)
        return {"body": exports.rendered(found, params["OutputType"])}

    def _check_roles(self, call: Call, imported: "Imported") -> None:
        for route in imported.routes:
            self.check_passing(call, (route.integration or {}).get("CredentialsArn"))
        for authorizer in imported.authorizers:
            self.check_passing(call, authorizer.get("AuthorizerCredentialsArn"))

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
        if given.get("CredentialsArn"):
            members["CredentialsArn"] = given["CredentialsArn"]
        integration = add_integration(tx, api_id, members)
        route_target = f"integrations/{integration['IntegrationId']}"
        key = given.get("RouteKey", DEFAULT)
        add_route(tx, api_id, {"RouteKey": key, "Target": route_target, "ApiGatewayManaged": True})
        self.add_stage(tx, call, api_id, {"StageName": DEFAULT, "AutoDeploy": True, "ApiGatewayManaged": True})

    def _change_quick_parts(self, tx: Transaction, api_id: str, given: dict[str, Any]) -> None:
        """Changes the route and the integration that came with the API. Raises BadRequestException without them."""
        rows = tx.all("SELECT id, body FROM routes WHERE api = ?", (api_id,))
        route = next((body for _, text in rows if (body := orjson.loads(text)).get("ApiGatewayManaged")), None)
        if route is None:
            raise bad_request("The API was not made with a target, so it has no target that could be changed")
        if given.get("RouteKey"):
            route["RouteKey"] = given["RouteKey"]
            check_route(tx, api_id, route)
            tx.execute(
                "UPDATE routes SET key = ?, body = ? WHERE api = ? AND id = ?",
                (route["RouteKey"], orjson.dumps(route), api_id, route["RouteId"]),
            )
        id_ = route["Target"].removeprefix("integrations/")
        row = tx.one("SELECT body FROM integrations WHERE api = ? AND id = ?", (api_id, id_))
        assert row is not None, "an integration that a route names cannot be deleted"
        changes = {"IntegrationUri": given.get("Target"), "CredentialsArn": given.get("CredentialsArn")}
        integration = orjson.loads(row[0]) | {name: value for name, value in changes.items() if value}
        check_integration(integration)
        tx.execute(
            "UPDATE integrations SET body = ? WHERE api = ? AND id = ?", (orjson.dumps(integration), api_id, id_)
        )

    def _add_routes(self, tx: Transaction, call: Call, api_id: str, imported: "Imported") -> None:
        authorizers = {each["Name"]: add_authorizer(tx, api_id, each)["AuthorizerId"] for each in imported.authorizers}
        for each in imported.routes:
            members: dict[str, Any] = {"RouteKey": each.key, "AuthorizationType": each.authorization}
            if each.operation_name is not None:
                members["OperationName"] = each.operation_name
            if each.authorizer is not None:
                members["AuthorizerId"] = authorizers[each.authorizer]
            if each.scopes:
                members["AuthorizationScopes"] = list(each.scopes)
            if each.integration is not None:
                integration = add_integration(tx, api_id, each.integration)
                members["Target"] = f"integrations/{integration['IntegrationId']}"
            add_route(tx, api_id, members)
        self.changed(tx, api_id, call.time)


def _parts(
    reader: Reader, api_id: str, stage: str | None
) -> tuple[list[dict[str, Any]], dict[str, dict[str, Any]], dict[str, dict[str, Any]]]:
    """Routes, integrations and authorizers: as they are, or as a stage has them."""
    if stage is not None:
        deployment = stage_body(reader, api_id, stage).get("DeploymentId")
        row = reader.one(
            "SELECT routes, integrations, authorizers FROM deployments WHERE api = ? AND id = ?", (api_id, deployment)
        )
        if row is None:
            raise bad_request("Nothing is deployed to the stage")
        routes, integrations, authorizers = (orjson.loads(text) for text in row)
        return list(routes.values()), integrations, authorizers
    routes = [
        orjson.loads(row[0]) for row in reader.all("SELECT body FROM routes WHERE api = ? ORDER BY key", (api_id,))
    ]
    integrations, authorizers = (
        {row[0]: orjson.loads(row[1]) for row in reader.all(f"SELECT id, body FROM {table} WHERE api = ?", (api_id,))}
        for table in ("integrations", "authorizers")
    )
    return routes, integrations, authorizers


def _check(given: dict[str, Any]) -> None:
    cors = given.get("CorsConfiguration") or {}
    if cors.get("AllowCredentials") and "*" in cors.get("AllowOrigins", []):
        raise bad_request("Using wildcard in allowed origins is not supported with allow credentials")


def _read(params: dict[str, Any]) -> "Imported":
    # A slow import, because of yaml: a server that is given no document does not wait for it at its start.
    from cloudlet.services.apigatewayv2 import openapi

    imported = openapi.read(params["Body"], params.get("Basepath", "ignore"))
    _check(imported.settings)
    if params.get("FailOnWarnings") and imported.warnings:
        raise bad_request(f"Warnings found during import: {'; '.join(imported.warnings)}")
    return imported
