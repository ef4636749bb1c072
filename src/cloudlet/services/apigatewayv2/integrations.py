"""The operations on integrations."""

from typing import TYPE_CHECKING, Any

import orjson

from cloudlet.core.context import Call
from cloudlet.core.errors import NotImplementedByCloudlet
from cloudlet.core.ids import lower_id
from cloudlet.core.service import operation
from cloudlet.services.apigatewayv2 import expressions
from cloudlet.services.apigatewayv2.aws_services import SUBTYPES, UNSUPPORTED
from cloudlet.services.apigatewayv2.base import (
    GatewayService,
    bad_request,
    conflict,
    merged,
    not_found,
    paged,
    without,
)
from cloudlet.services.apigatewayv2.parameter_mapping import request_changes, response_changes
from cloudlet.store import Reader, Transaction

if TYPE_CHECKING:
    from types_boto3_apigatewayv2 import type_defs as t

_DEFAULT_TIMEOUT = 30_000
# Updates change single members of these; an empty value removes one.
_MAPS = ("RequestParameters", "ResponseParameters")
_WEBSOCKET = ("ContentHandlingStrategy", "PassthroughBehavior", "RequestTemplates", "TemplateSelectionExpression")


class Integrations(GatewayService):
    """What routes lead to."""

    @operation("CreateIntegration")
    async def create_integration(self, call: Call, params: "t.CreateIntegrationRequestTypeDef") -> dict[str, Any]:
        self.check_passing(call, params.get("CredentialsArn"))

        def write(tx: Transaction) -> dict[str, Any]:
            self.api(call, params["ApiId"], tx)
            integration = add_integration(tx, params["ApiId"], without(dict(params), "ApiId"))
            self.changed(tx, params["ApiId"], call.time)
            return integration

        return await self.store.write(write)

    @operation("GetIntegration")
    async def get_integration(self, call: Call, params: "t.GetIntegrationRequestTypeDef") -> dict[str, Any]:
        self.api(call, params["ApiId"])
        return find_integration(self.store.reader, params["ApiId"], params["IntegrationId"])

    @operation("GetIntegrations")
    async def get_integrations(self, call: Call, params: "t.GetIntegrationsRequestTypeDef") -> dict[str, Any]:
        self.api(call, params["ApiId"])
        rows = self.store.reader.all("SELECT body FROM integrations WHERE api = ? ORDER BY id", (params["ApiId"],))
        return paged([orjson.loads(row[0]) for row in rows], dict(params))

    @operation("UpdateIntegration")
    async def update_integration(self, call: Call, params: "t.UpdateIntegrationRequestTypeDef") -> dict[str, Any]:
        api_id, id_ = params["ApiId"], params["IntegrationId"]
        given: dict[str, Any] = dict(params)
        self.check_passing(call, params.get("CredentialsArn"))

        def write(tx: Transaction) -> dict[str, Any]:
            self.api(call, api_id, tx)
            integration = find_integration(tx, api_id, id_)
            given_maps = {name: merged(integration.get(name), given.get(name)) for name in _MAPS}
            integration |= without(given, "ApiId", "IntegrationId") | given_maps
            integration = _kept(integration)
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
            find_integration(tx, api_id, id_)
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


def add_integration(tx: Transaction, api_id: str, members: dict[str, Any]) -> dict[str, Any]:
    """Writes an integration; returns it as GetIntegration gives it."""
    integration: dict[str, Any] = _kept(
        {
            "ConnectionType": "INTERNET",
            "PayloadFormatVersion": "1.0",
            "TimeoutInMillis": _DEFAULT_TIMEOUT,
            **members,
            "IntegrationId": lower_id(7),
        }
    )
    if integration["IntegrationType"] == "AWS_PROXY" and "IntegrationSubtype" not in integration:
        integration.setdefault("IntegrationMethod", "POST")
    check_integration(integration)
    tx.execute(
        "INSERT INTO integrations VALUES (?, ?, ?)", (api_id, integration["IntegrationId"], orjson.dumps(integration))
    )
    return integration


def _kept(integration: dict[str, Any]) -> dict[str, Any]:
    """Without what is empty, and without the one thing that means nothing here and that Terraform says all the same."""
    return {
        name: value
        for name, value in integration.items()
        if value not in ("", {}) and (name, value) != ("PassthroughBehavior", "WHEN_NO_MATCH")
    }


def check_integration(integration: dict[str, Any]) -> None:
    """Raises BadRequestException for what no HTTP API can have, 501 for what Cloudlet does not have."""
    kind, version = integration["IntegrationType"], integration["PayloadFormatVersion"]
    if kind not in ("AWS_PROXY", "HTTP_PROXY"):
        raise bad_request(f"Invalid integration type specified for an HTTP API: {kind}")
    for name in _WEBSOCKET:
        if name in integration:
            raise bad_request(f"{name} is not supported for HTTP APIs")
    if integration["ConnectionType"] != "INTERNET" or integration.get("ConnectionId"):
        raise NotImplementedByCloudlet("VPC links")
    if version not in ("1.0", "2.0"):
        raise bad_request("PayloadFormatVersion must be 1.0 or 2.0")
    subtype = integration.get("IntegrationSubtype")
    if version != "1.0" and (kind == "HTTP_PROXY" or subtype):
        raise bad_request("PayloadFormatVersion 2.0 is only supported for Lambda integrations")
    if subtype:
        _check_subtype(integration, subtype)
    elif not integration.get("IntegrationUri"):
        raise bad_request("IntegrationUri is required")
    if kind == "HTTP_PROXY" and (integration.get("CredentialsArn") or subtype):
        raise bad_request("CredentialsArn and IntegrationSubtype are only supported for AWS_PROXY integrations")
    try:
        if not subtype:
            request_changes(integration.get("RequestParameters") or {})
        response_changes(integration.get("ResponseParameters") or {})
    except ValueError as error:
        raise bad_request(str(error)) from None


def _check_subtype(integration: dict[str, Any], name: str) -> None:
    if name in UNSUPPORTED:
        raise NotImplementedByCloudlet(f"the integration {name}")
    subtype = SUBTYPES.get(name)
    if subtype is None:
        raise bad_request(f"Invalid integration subtype specified: {name}")
    if not integration.get("CredentialsArn"):
        raise bad_request("Integration subtypes require CredentialsArn")
    parameters: dict[str, str] = integration.get("RequestParameters") or {}
    missing = subtype.required - parameters.keys()
    if missing:
        raise bad_request(f"Required request parameters are missing: {', '.join(sorted(missing))}")
    unknown = parameters.keys() - subtype.parameters
    if unknown:
        raise bad_request(f"Invalid request parameters specified: {', '.join(sorted(unknown))}")
    try:
        for text in parameters.values():
            expressions.parse(text, expressions.REQUEST | expressions.SURROUNDINGS)
    except ValueError as error:
        raise bad_request(str(error)) from None


def find_integration(reader: Reader, api_id: str, id_: str) -> dict[str, Any]:
    row = reader.one("SELECT body FROM integrations WHERE api = ? AND id = ?", (api_id, id_))
    if row is None:
        raise not_found("Invalid Integration identifier specified")
    return orjson.loads(row[0])
