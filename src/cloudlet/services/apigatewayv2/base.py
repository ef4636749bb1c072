"""What the groups of API Gateway's operations stand on: its data, pages and deployments."""

import base64
import binascii
import re
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

import orjson

from cloudlet.core.context import Call
from cloudlet.core.errors import AwsError
from cloudlet.core.ids import lower_id
from cloudlet.core.localhost_names import LocalhostNames
from cloudlet.core.model import operation_model
from cloudlet.core.service import Cloud, Params, Service
from cloudlet.services.apigatewayv2.principals import CALLER, SERVICE
from cloudlet.services.apigatewayv2.serving import Served
from cloudlet.store import Reader, Store, Transaction

T = TypeVar("T")

PATH_PREFIX = "/_aws/execute-api/"
_PAGE = 25
_LABEL = re.compile(r"\{([\w-]+)\+?\}")


class GatewayService(Service):
    """The service's data and life; its operations are in the classes that build on it."""

    apis = ("apigatewayv2",)

    def __init__(self, cloud: Cloud) -> None:
        super().__init__(cloud)
        self.localhost_names = LocalhostNames()
        # What stages serve, by API and stage; forgotten with every change of the API.
        self.serving: dict[str, dict[str, Served]] = {}
        # Of each custom domain name the keys of its mappings, the longest first, with the API and the stage behind.
        self.domains: dict[str, list[tuple[str, tuple[str, str]]]] = {}

    async def start(self) -> None:
        self.store = Store(self.cloud.settings.data / "apigatewayv2.db", Path(__file__).with_name("schema.sql"))
        self.load_domains(self.store.reader)
        await self.localhost_names.ask()

    async def stop(self) -> None:
        self.store.close()

    def resource(self, call: Call, params: Params) -> str | None:
        """The path of the operation's request, as IAM names it: `/apis/ID/routes/ID`."""
        if "ResourceArn" in params:
            return params["ResourceArn"]
        path = _LABEL.sub(lambda label: str(params[label[1][0].upper() + label[1][1:]]), _path_of(call.operation))
        return f"arn:aws:apigateway:{call.region}::{path}"

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

    def check_passing(self, call: Call, role: str | None) -> None:
        """Raises AccessDenied unless the caller may have API Gateway take this role."""
        if role and role != CALLER:
            self.cloud.authorise_passing(call, role, SERVICE)

    def load_domains(self, reader: Reader) -> None:
        """To be called after each change of custom domain names or their mappings."""
        found: dict[str, list[tuple[str, tuple[str, str]]]] = {
            name: [] for (name,) in reader.all("SELECT name FROM domains")
        }
        rows = reader.all("SELECT domain, key, api, stage FROM mappings ORDER BY length(key) DESC, key")
        for domain, key, api_id, stage in rows:
            found[domain].append((key, (api_id, stage)))
        self.domains = found

    def forget_authorizations(self, api_id: str, stage: str | None = None) -> None:
        """Forgets what authorizers said about requests of an API, or of one of its stages."""
        raise NotImplementedError

    def forget_serving(self, tx: Transaction, api_id: str) -> None:
        """To be called in each write that changes what an API serves."""

        def forget() -> None:
            self.serving.pop(api_id, None)
            self.forget_authorizations(api_id)

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
    """Writes down the API's routes, integrations and authorizers as they are now; returns the deployment's id."""
    routes = {row[0]: orjson.loads(row[1]) for row in tx.all("SELECT key, body FROM routes WHERE api = ?", (api_id,))}
    integrations = {
        row[0]: orjson.loads(row[1]) for row in tx.all("SELECT id, body FROM integrations WHERE api = ?", (api_id,))
    }
    authorizers = {
        row[0]: orjson.loads(row[1]) for row in tx.all("SELECT id, body FROM authorizers WHERE api = ?", (api_id,))
    }
    id_ = lower_id(6)
    parts = [orjson.dumps(part) for part in (routes, integrations, authorizers)]
    tx.execute(
        "INSERT INTO deployments VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        (api_id, id_, time, description, automatic, *parts),
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


@cache
def _path_of(operation: str) -> str:
    path: str = operation_model("apigatewayv2", operation).http["requestUri"]
    return path.removeprefix("/v2")


def not_found(message: str) -> AwsError:
    return AwsError("NotFoundException", message, status=404)


def bad_request(message: str) -> AwsError:
    return AwsError("BadRequestException", message, status=400)


def conflict(message: str) -> AwsError:
    return AwsError("ConflictException", message, status=409)


def without(params: Params, *names: str) -> dict[str, Any]:
    """The parameters that are kept: all but those that name the thing itself."""
    return {name: value for name, value in params.items() if name not in names}


def merged(before: dict[str, Any] | None, changes: dict[str, Any] | None) -> dict[str, Any]:
    """A map whose members updates change one by one; an empty value removes a member."""
    return {name: value for name, value in {**(before or {}), **(changes or {})}.items() if value not in ("", {})}


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
