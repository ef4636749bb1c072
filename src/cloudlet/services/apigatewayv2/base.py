"""What the groups of API Gateway's operations stand on: its data, pages and deployments."""

import base64
import binascii
from pathlib import Path
from typing import Any, TypeVar

import orjson

from cloudlet.core.context import Call
from cloudlet.core.errors import AwsError
from cloudlet.core.ids import lower_id
from cloudlet.core.localhost_names import LocalhostNames
from cloudlet.core.service import Cloud, Params, Service
from cloudlet.services.apigatewayv2.serving import Served
from cloudlet.store import Reader, Store, Transaction

T = TypeVar("T")

PATH_PREFIX = "/_aws/execute-api/"
_PAGE = 25


class GatewayService(Service):
    """The service's data and life; its operations are in the classes that build on it."""

    apis = ("apigatewayv2",)

    def __init__(self, cloud: Cloud) -> None:
        super().__init__(cloud)
        self.localhost_names = LocalhostNames()
        # What stages serve, by API and stage; forgotten with every change of the API.
        self.serving: dict[str, dict[str, Served]] = {}

    async def start(self) -> None:
        self.store = Store(self.cloud.settings.data / "apigatewayv2.db", Path(__file__).with_name("schema.sql"))
        await self.localhost_names.ask()

    async def stop(self) -> None:
        self.store.close()

    def resource(self, call: Call, params: Params) -> str | None:
        path = f"/apis/{params['ApiId']}" if "ApiId" in params else "/apis"
        for name, folder in (("StageName", "stages"), ("RouteId", "routes"), ("IntegrationId", "integrations")):
            if name in params:
                path = f"{path}/{folder}/{params[name]}"
        return params.get("ResourceArn") or f"arn:aws:apigateway:{call.region}::{path}"

    def endpoint(self, api_id: str, region: str) -> str:
        """Where the API answers: by host name where this machine resolves those under localhost, else by path."""
        settings = self.cloud.settings
        if self.localhost_names.resolve:
            return f"http://{api_id}.execute-api.{region}.localhost:{settings.port}"
        return f"{settings.endpoint_url}{PATH_PREFIX}{api_id}"

    def api(self, call: Call, api_id: str, reader: Reader | None = None) -> dict[str, Any]:
        """The API as GetApi gives it. Raises NotFoundException."""
        row = (reader or self.store.reader).one(
            "SELECT created, body, tags FROM apis WHERE id = ? AND account = ? AND region = ?",
            (api_id, call.account, call.region),
        )
        if row is None:
            raise not_found(f"Invalid API identifier specified {call.account}:{api_id}")
        found = {"ApiId": api_id, "ApiEndpoint": self.endpoint(api_id, call.region), "CreatedDate": row[0]}
        return found | orjson.loads(row[1]) | {"Tags": orjson.loads(row[2])}

    def forget_serving(self, tx: Transaction, api_id: str) -> None:
        """To be called in each write that changes what an API serves."""

        def forget() -> None:
            self.serving.pop(api_id, None)

        tx.after_commit(forget)

    def changed(self, tx: Transaction, api_id: str, time: float) -> None:
        """Deploys the API's routes to the stages that deploy by themselves."""
        self.forget_serving(tx, api_id)
        rows = tx.all("SELECT name, body FROM stages WHERE api = ?", (api_id,))
        automatic = [(name, body) for name, text in rows if (body := orjson.loads(text)).get("AutoDeploy")]
        if not automatic:
            return
        deployment = deploy(
            tx, api_id, time, "Automatic deployment triggered by changes to the Api configuration", True
        )
        for name, body in automatic:
            set_deployment(tx, api_id, name, body, deployment, time)
        # Of automatic deployments only those that a stage serves are kept.
        served = {
            orjson.loads(row[0]).get("DeploymentId")
            for row in tx.all("SELECT body FROM stages WHERE api = ?", (api_id,))
        }
        for (old,) in tx.all("SELECT id FROM deployments WHERE api = ? AND automatic = 1", (api_id,)):
            if old not in served:
                tx.execute("DELETE FROM deployments WHERE api = ? AND id = ?", (api_id, old))


def deploy(tx: Transaction, api_id: str, time: float, description: str | None, automatic: bool) -> str:
    """Writes down the API's routes and integrations as they are now; returns the deployment's id."""
    routes = {row[0]: orjson.loads(row[1]) for row in tx.all("SELECT key, body FROM routes WHERE api = ?", (api_id,))}
    integrations = {
        row[0]: orjson.loads(row[1]) for row in tx.all("SELECT id, body FROM integrations WHERE api = ?", (api_id,))
    }
    id_ = lower_id(6)
    tx.execute(
        "INSERT INTO deployments VALUES (?, ?, ?, ?, ?, ?, ?)",
        (api_id, id_, time, description, automatic, orjson.dumps(routes), orjson.dumps(integrations)),
    )
    return id_


def set_deployment(
    tx: Transaction, api_id: str, stage: str, body: dict[str, Any], deployment: str, time: float
) -> None:
    """Lets the stage serve a deployment."""
    changed = {**body, "DeploymentId": deployment}
    if body.get("AutoDeploy"):
        changed["LastDeploymentStatusMessage"] = f"Successfully deployed stage with deployment ID '{deployment}'"
    tx.execute(
        "UPDATE stages SET body = ?, updated = ? WHERE api = ? AND name = ?",
        (orjson.dumps(changed), time, api_id, stage),
    )


def not_found(message: str) -> AwsError:
    return AwsError("NotFoundException", message, status=404)


def bad_request(message: str) -> AwsError:
    return AwsError("BadRequestException", message, status=400)


def conflict(message: str) -> AwsError:
    return AwsError("ConflictException", message, status=409)


def without(params: Params, *names: str) -> dict[str, Any]:
    """The parameters that are kept: all but those that name the thing itself."""
    return {name: value for name, value in params.items() if name not in names}


def paged(items: list[T], params: Params) -> dict[str, Any]:
    """One page as `Items`, with the token of the next. Raises BadRequestException."""
    try:
        size = int(params.get("MaxResults") or _PAGE)
        start = int(base64.urlsafe_b64decode(params["NextToken"])) if params.get("NextToken") else 0
    except (ValueError, binascii.Error):
        raise bad_request("Invalid paging parameters specified") from None
    if size < 1 or start < 0:
        raise bad_request("Invalid paging parameters specified")
    answer: dict[str, Any] = {"Items": items[start : start + size]}
    if len(items) > start + size:
        answer["NextToken"] = base64.urlsafe_b64encode(str(start + size).encode()).decode()
    return answer
