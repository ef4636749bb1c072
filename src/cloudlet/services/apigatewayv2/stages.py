"""The operations on stages."""

import re
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

import orjson

from cloudlet.core.context import Call
from cloudlet.core.errors import NotImplementedByCloudlet
from cloudlet.core.service import operation
from cloudlet.services.apigatewayv2 import log_deliveries
from cloudlet.services.apigatewayv2.base import (
    GatewayService,
    bad_request,
    conflict,
    merged,
    not_found,
    paged,
    without,
)
from cloudlet.services.apigatewayv2.log_format import LogFormat
from cloudlet.store import Reader, Transaction

if TYPE_CHECKING:
    from types_boto3_apigatewayv2 import type_defs as t

_STAGE_NAME = re.compile(r"[\w-]{1,128}|\$default")
# Updates change single members of these; an empty value removes one.
_MAPS = ("RouteSettings", "StageVariables")
_VARIABLE = re.compile(r"[A-Za-z0-9_]+")


class Stages(GatewayService):
    """The names under which deployments of an API answer, and their settings."""

    @operation("CreateStage")
    async def create_stage(self, call: Call, params: "t.CreateStageRequestTypeDef") -> dict[str, Any]:
        given: dict[str, Any] = dict(params)
        await self._check_access_log(call, given)
        return await self.store.write(lambda tx: self.add_stage(tx, call, params["ApiId"], given))

    def add_stage(self, tx: Transaction, call: Call, api_id: str, given: dict[str, Any]) -> dict[str, Any]:
        """Writes a stage; returns it as GetStage gives it."""
        self.api(call, api_id, tx)
        name = given["StageName"]
        if not _STAGE_NAME.fullmatch(name):
            raise bad_request("Stage name only allows a-zA-Z0-9_- and $default")
        if tx.one("SELECT 1 FROM stages WHERE api = ? AND name = ?", (api_id, name)) is not None:
            raise conflict("Stage already exists")
        body = {"AutoDeploy": False, "DefaultRouteSettings": {}, "RouteSettings": {}, "StageVariables": {}}
        body |= without(given, "ApiId", "StageName", "Tags")
        _check_stage(tx, api_id, body, body["RouteSettings"])
        tx.execute(
            "INSERT INTO stages VALUES (?, ?, ?, ?, ?, ?)",
            (api_id, name, call.time, call.time, orjson.dumps(body), orjson.dumps(given.get("Tags", {}))),
        )
        self.changed(tx, api_id, call.time)
        return find_stage(tx, api_id, name)

    @operation("GetStage")
    async def get_stage(self, call: Call, params: "t.GetStageRequestTypeDef") -> dict[str, Any]:
        self.api(call, params["ApiId"])
        return find_stage(self.store.reader, params["ApiId"], params["StageName"])

    @operation("GetStages")
    async def get_stages(self, call: Call, params: "t.GetStagesRequestTypeDef") -> dict[str, Any]:
        self.api(call, params["ApiId"])
        rows = self.store.reader.all("SELECT name FROM stages WHERE api = ? ORDER BY name", (params["ApiId"],))
        return paged([find_stage(self.store.reader, params["ApiId"], row[0]) for row in rows], dict(params))

    @operation("UpdateStage")
    async def update_stage(self, call: Call, params: "t.UpdateStageRequestTypeDef") -> dict[str, Any]:
        given: dict[str, Any] = dict(params)
        await self._check_access_log(call, given)

        def change(tx: Transaction, body: dict[str, Any]) -> dict[str, Any]:
            if "DeploymentId" in params and body.get("AutoDeploy"):
                raise bad_request("Deployment ID cannot be set on stages with AutoDeploy")
            given_maps = {name: merged(body.get(name), given.get(name)) for name in _MAPS}
            after = body | without(given, "ApiId", "StageName") | given_maps
            _check_stage(tx, params["ApiId"], after, given.get("RouteSettings") or {})
            return after

        return await self._update(call, params["ApiId"], params["StageName"], change)

    @operation("DeleteStage")
    async def delete_stage(self, call: Call, params: "t.DeleteStageRequestTypeDef") -> None:
        api_id, name = params["ApiId"], params["StageName"]

        def write(tx: Transaction) -> None:
            self.api(call, api_id, tx)
            stage_body(tx, api_id, name)
            mapped = tx.one("SELECT domain FROM mappings WHERE api = ? AND stage = ?", (api_id, name))
            if mapped is not None:
                raise bad_request(f"Cannot delete the stage: the domain name {mapped[0]} has an API mapping to it")
            tx.execute("DELETE FROM stages WHERE api = ? AND name = ?", (api_id, name))
            self.forget_serving(tx, api_id)

        await self.store.write(write)

    @operation("DeleteAccessLogSettings")
    async def delete_access_log_settings(self, call: Call, params: "t.DeleteAccessLogSettingsRequestTypeDef") -> None:
        await self._update(
            call, params["ApiId"], params["StageName"], lambda _, body: without(body, "AccessLogSettings")
        )

    @operation("DeleteRouteSettings")
    async def delete_route_settings(self, call: Call, params: "t.DeleteRouteSettingsRequestTypeDef") -> None:
        def change(_: Transaction, body: dict[str, Any]) -> dict[str, Any]:
            key = params["RouteKey"]
            if key not in body["RouteSettings"]:
                raise not_found("Invalid route settings identifier specified")
            return body | {"RouteSettings": without(body["RouteSettings"], key)}

        await self._update(call, params["ApiId"], params["StageName"], change)

    async def _update(
        self,
        call: Call,
        api_id: str,
        name: str,
        change: Callable[[Transaction, dict[str, Any]], dict[str, Any]],
    ) -> dict[str, Any]:
        def write(tx: Transaction) -> dict[str, Any]:
            self.api(call, api_id, tx)
            body = change(tx, stage_body(tx, api_id, name))
            tx.execute(
                "UPDATE stages SET body = ?, updated = ? WHERE api = ? AND name = ?",
                (orjson.dumps(body), call.time, api_id, name),
            )
            self.changed(tx, api_id, call.time)
            return find_stage(tx, api_id, name)

        return await self.store.write(write)

    async def _check_access_log(self, call: Call, given: dict[str, Any]) -> None:
        """Raises BadRequestException for a log that cannot be, AccessDenied where the caller may not have one."""
        settings = given.get("AccessLogSettings")
        if not settings:
            return
        text = settings.get("Format", "")
        if "\n" in text or not LogFormat(text).names_request:
            raise bad_request("The access log format must be a single line that contains $context.requestId.")
        await log_deliveries.set_up(self.cloud, call, settings.get("DestinationArn", ""))


def _check_stage(reader: Reader, api_id: str, body: dict[str, Any], settings_given: Iterable[str]) -> None:
    """Settings may outlive their route, but not begin without it."""
    if body.get("ClientCertificateId"):
        raise NotImplementedByCloudlet("ClientCertificateId of a stage")
    for name in body.get("StageVariables") or {}:
        if not _VARIABLE.fullmatch(name):
            raise bad_request(
                f"Invalid stage variable name: {name}. Please use alphanumeric characters and underscores"
            )
    for settings in (body.get("DefaultRouteSettings") or {}, *(body.get("RouteSettings") or {}).values()):
        for name in ("ThrottlingRateLimit", "ThrottlingBurstLimit"):
            if settings.get(name, 0) < 0:
                raise bad_request(f"{name} must not be negative")
        if settings.get("DataTraceEnabled") or settings.get("LoggingLevel", "OFF") != "OFF":
            raise bad_request("Execution logs are not supported on protocol type HTTP")
    for key in settings_given:
        if reader.one("SELECT 1 FROM routes WHERE api = ? AND key = ?", (api_id, key)) is None:
            raise not_found(f"Unable to find Route by key {key} within the provided RouteSettings")
    if body.get("DeploymentId"):
        row = (api_id, body["DeploymentId"])
        if reader.one("SELECT 1 FROM deployments WHERE api = ? AND id = ?", row) is None:
            raise not_found("Invalid deployment identifier specified")


def stage_body(reader: Reader, api_id: str, name: str) -> dict[str, Any]:
    row = reader.one("SELECT body FROM stages WHERE api = ? AND name = ?", (api_id, name))
    if row is None:
        raise not_found("Invalid stage identifier specified")
    return orjson.loads(row[0])


def find_stage(reader: Reader, api_id: str, name: str) -> dict[str, Any]:
    body = stage_body(reader, api_id, name)
    row = reader.one("SELECT created, updated, tags FROM stages WHERE api = ? AND name = ?", (api_id, name))
    assert row is not None
    return {
        "StageName": name,
        "CreatedDate": row[0],
        "LastUpdatedDate": row[1],
        "Tags": orjson.loads(row[2]),
        **body,
    }
