"""The operations on stages, deployments and tags."""

import re
from typing import TYPE_CHECKING, Any

import orjson

from cloudlet.core.context import Call
from cloudlet.core.errors import NotImplementedByCloudlet
from cloudlet.core.service import operation
from cloudlet.services.apigatewayv2.base import (
    GatewayService,
    bad_request,
    conflict,
    deploy,
    not_found,
    paged,
    set_deployment,
    without,
)
from cloudlet.store import Reader, Transaction
from cloudlet.store.transaction import Row

if TYPE_CHECKING:
    from types_boto3_apigatewayv2 import type_defs as t

_STAGE_NAME = re.compile(r"[\w-]{1,128}|\$default")
_TAGGED = re.compile(r"arn:aws:apigateway:[^:]*::/apis/([^/]+)(?:/stages/([^/]+))?")
_MOST_TAGS = 50


class Stages(GatewayService):
    """Stages, what is deployed to them, and the tags of stages and APIs."""

    @operation("CreateStage")
    async def create_stage(self, call: Call, params: "t.CreateStageRequestTypeDef") -> dict[str, Any]:
        given: dict[str, Any] = dict(params)
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
        _check_stage(tx, api_id, body)
        tx.execute(
            "INSERT INTO stages VALUES (?, ?, ?, ?, ?, ?)",
            (api_id, name, call.time, call.time, orjson.dumps(body), orjson.dumps(given.get("Tags", {}))),
        )
        self.changed(tx, api_id, call.time)
        return _stage(tx, api_id, name)

    @operation("GetStage")
    async def get_stage(self, call: Call, params: "t.GetStageRequestTypeDef") -> dict[str, Any]:
        self.api(call, params["ApiId"])
        return _stage(self.store.reader, params["ApiId"], params["StageName"])

    @operation("GetStages")
    async def get_stages(self, call: Call, params: "t.GetStagesRequestTypeDef") -> dict[str, Any]:
        self.api(call, params["ApiId"])
        rows = self.store.reader.all("SELECT name FROM stages WHERE api = ? ORDER BY name", (params["ApiId"],))
        return paged([_stage(self.store.reader, params["ApiId"], row[0]) for row in rows], dict(params))

    @operation("UpdateStage")
    async def update_stage(self, call: Call, params: "t.UpdateStageRequestTypeDef") -> dict[str, Any]:
        api_id, name = params["ApiId"], params["StageName"]

        def write(tx: Transaction) -> dict[str, Any]:
            self.api(call, api_id, tx)
            body = _stage_body(tx, api_id, name)
            if "DeploymentId" in params and body.get("AutoDeploy"):
                raise bad_request("Deployment ID cannot be set on stages with AutoDeploy")
            body |= without(dict(params), "ApiId", "StageName")
            _check_stage(tx, api_id, body)
            tx.execute(
                "UPDATE stages SET body = ?, updated = ? WHERE api = ? AND name = ?",
                (orjson.dumps(body), call.time, api_id, name),
            )
            self.changed(tx, api_id, call.time)
            return _stage(tx, api_id, name)

        return await self.store.write(write)

    @operation("DeleteStage")
    async def delete_stage(self, call: Call, params: "t.DeleteStageRequestTypeDef") -> None:
        def write(tx: Transaction) -> None:
            self.api(call, params["ApiId"], tx)
            _stage_body(tx, params["ApiId"], params["StageName"])
            tx.execute("DELETE FROM stages WHERE api = ? AND name = ?", (params["ApiId"], params["StageName"]))
            self.forget_serving(tx, params["ApiId"])

        await self.store.write(write)

    @operation("CreateDeployment")
    async def create_deployment(self, call: Call, params: "t.CreateDeploymentRequestTypeDef") -> dict[str, Any]:
        api_id, stage = params["ApiId"], params.get("StageName")

        def write(tx: Transaction) -> dict[str, Any]:
            self.api(call, api_id, tx)
            if tx.one("SELECT 1 FROM routes WHERE api = ?", (api_id,)) is None:
                raise bad_request("At least one route is required before deploying the Api.")
            body = _stage_body(tx, api_id, stage) if stage is not None else None
            if body is not None and body.get("AutoDeploy"):
                raise bad_request("Deployments cannot be made to a stage with AutoDeploy")
            id_ = deploy(tx, api_id, call.time, params.get("Description"), False)
            if stage is not None and body is not None:
                set_deployment(tx, api_id, stage, body, id_, call.time)
            self.forget_serving(tx, api_id)
            return _deployment(tx, api_id, id_)

        return await self.store.write(write)

    @operation("GetDeployment")
    async def get_deployment(self, call: Call, params: "t.GetDeploymentRequestTypeDef") -> dict[str, Any]:
        self.api(call, params["ApiId"])
        return _deployment(self.store.reader, params["ApiId"], params["DeploymentId"])

    @operation("GetDeployments")
    async def get_deployments(self, call: Call, params: "t.GetDeploymentsRequestTypeDef") -> dict[str, Any]:
        self.api(call, params["ApiId"])
        rows = self.store.reader.all(
            "SELECT id, created, description, automatic FROM deployments WHERE api = ? ORDER BY created DESC, id",
            (params["ApiId"],),
        )
        return paged([_described(row) for row in rows], dict(params))

    @operation("UpdateDeployment")
    async def update_deployment(self, call: Call, params: "t.UpdateDeploymentRequestTypeDef") -> dict[str, Any]:
        api_id, id_ = params["ApiId"], params["DeploymentId"]

        def write(tx: Transaction) -> dict[str, Any]:
            self.api(call, api_id, tx)
            _deployment(tx, api_id, id_)
            if "Description" in params:
                tx.execute(
                    "UPDATE deployments SET description = ? WHERE api = ? AND id = ?",
                    (params["Description"], api_id, id_),
                )
            return _deployment(tx, api_id, id_)

        return await self.store.write(write)

    @operation("DeleteDeployment")
    async def delete_deployment(self, call: Call, params: "t.DeleteDeploymentRequestTypeDef") -> None:
        api_id, id_ = params["ApiId"], params["DeploymentId"]

        def write(tx: Transaction) -> None:
            self.api(call, api_id, tx)
            _deployment(tx, api_id, id_)
            rows = tx.all("SELECT body FROM stages WHERE api = ?", (api_id,))
            if any(orjson.loads(row[0]).get("DeploymentId") == id_ for row in rows):
                raise bad_request("Active stages pointing to this deployment must be moved or deleted")
            tx.execute("DELETE FROM deployments WHERE api = ? AND id = ?", (api_id, id_))

        await self.store.write(write)

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
        api = self.api(call, match[1], reader)
        return api["Tags"] if match[2] is None else _stage(reader, match[1], match[2])["Tags"]

    def _set_tags(self, tx: Transaction, arn: str, tags: dict[str, str]) -> None:
        match = _TAGGED.fullmatch(arn)
        assert match is not None
        text = orjson.dumps(tags)
        if match[2] is None:
            tx.execute("UPDATE apis SET tags = ? WHERE id = ?", (text, match[1]))
        else:
            tx.execute("UPDATE stages SET tags = ? WHERE api = ? AND name = ?", (text, match[1], match[2]))


def _check_stage(reader: Reader, api_id: str, body: dict[str, Any]) -> None:
    for name in ("AccessLogSettings", "ClientCertificateId"):
        if body.get(name):
            raise NotImplementedByCloudlet(f"{name} of a stage")
    settings = [body["DefaultRouteSettings"], *body["RouteSettings"].values()]
    if any(each.get("ThrottlingRateLimit") or each.get("ThrottlingBurstLimit") for each in settings):
        raise NotImplementedByCloudlet("throttling of a stage")
    if body.get("DeploymentId"):
        _deployment(reader, api_id, body["DeploymentId"])


def _stage_body(reader: Reader, api_id: str, name: str) -> dict[str, Any]:
    row = reader.one("SELECT body FROM stages WHERE api = ? AND name = ?", (api_id, name))
    if row is None:
        raise not_found("Invalid stage identifier specified")
    return orjson.loads(row[0])


def _stage(reader: Reader, api_id: str, name: str) -> dict[str, Any]:
    body = _stage_body(reader, api_id, name)
    row = reader.one("SELECT created, updated, tags FROM stages WHERE api = ? AND name = ?", (api_id, name))
    assert row is not None
    return {
        "StageName": name,
        "CreatedDate": row[0],
        "LastUpdatedDate": row[1],
        "Tags": orjson.loads(row[2]),
        **body,
    }


def _deployment(reader: Reader, api_id: str, id_: str) -> dict[str, Any]:
    row = reader.one(
        "SELECT id, created, description, automatic FROM deployments WHERE api = ? AND id = ?", (api_id, id_)
    )
    if row is None:
        raise not_found("Invalid deployment identifier specified")
    return _described(row)


def _described(row: Row) -> dict[str, Any]:
    found = {
        "DeploymentId": row[0],
        "CreatedDate": row[1],
        "AutoDeployed": bool(row[3]),
        "DeploymentStatus": "DEPLOYED",
    }
    return found if row[2] is None else {**found, "Description": row[2]}
