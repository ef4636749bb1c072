"""The operations on deployments."""

from typing import TYPE_CHECKING, Any

import orjson

from cloudlet.core.context import Call
from cloudlet.core.service import operation
from cloudlet.services.apigatewayv2.base import GatewayService, bad_request, deploy, not_found, paged, set_deployment
from cloudlet.services.apigatewayv2.stages import stage_body
from cloudlet.store import Reader, Transaction
from cloudlet.store.transaction import Row

if TYPE_CHECKING:
    from types_boto3_apigatewayv2 import type_defs as t


class Deployments(GatewayService):
    """What stages serve: routes, integrations and authorizers as they were."""

    @operation("CreateDeployment")
    async def create_deployment(self, call: Call, params: "t.CreateDeploymentRequestTypeDef") -> dict[str, Any]:
        api_id, stage = params["ApiId"], params.get("StageName")

        def write(tx: Transaction) -> dict[str, Any]:
            self.api(call, api_id, tx)
            if tx.one("SELECT 1 FROM routes WHERE api = ?", (api_id,)) is None:
                raise bad_request("At least one route is required before deploying the Api.")
            body = stage_body(tx, api_id, stage) if stage is not None else None
            if body is not None and body.get("AutoDeploy"):
                raise bad_request("Deployments cannot be made to a stage with AutoDeploy")
            id_ = deploy(tx, api_id, call.time, params.get("Description"), False)
            if stage is not None and body is not None:
                set_deployment(tx, api_id, stage, body, id_, call.time)
            self.forget_serving(tx, api_id)
            return find_deployment(tx, api_id, id_)

        return await self.store.write(write)

    @operation("GetDeployment")
    async def get_deployment(self, call: Call, params: "t.GetDeploymentRequestTypeDef") -> dict[str, Any]:
        self.api(call, params["ApiId"])
        return find_deployment(self.store.reader, params["ApiId"], params["DeploymentId"])

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
            find_deployment(tx, api_id, id_)
            if "Description" in params:
                tx.execute(
                    "UPDATE deployments SET description = ? WHERE api = ? AND id = ?",
                    (params["Description"], api_id, id_),
                )
            return find_deployment(tx, api_id, id_)

        return await self.store.write(write)

    @operation("DeleteDeployment")
    async def delete_deployment(self, call: Call, params: "t.DeleteDeploymentRequestTypeDef") -> None:
        api_id, id_ = params["ApiId"], params["DeploymentId"]

        def write(tx: Transaction) -> None:
            self.api(call, api_id, tx)
            find_deployment(tx, api_id, id_)
            rows = tx.all("SELECT body FROM stages WHERE api = ?", (api_id,))
            if any(orjson.loads(row[0]).get("DeploymentId") == id_ for row in rows):
                raise bad_request("Active stages pointing to this deployment must be moved or deleted")
            tx.execute("DELETE FROM deployments WHERE api = ? AND id = ?", (api_id, id_))

        await self.store.write(write)


def find_deployment(reader: Reader, api_id: str, id_: str) -> dict[str, Any]:
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
