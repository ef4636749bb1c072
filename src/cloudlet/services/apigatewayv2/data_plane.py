"""HTTP requests to APIs: found by host or path, matched, authorized, handed to the integration, answered."""

import logging
import re
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import unquote

from cloudlet.core import cross_origin
from cloudlet.core.http import HttpRequest, HttpResponse
from cloudlet.core.role_sessions import RoleSessions
from cloudlet.core.service import Cloud
from cloudlet.services.apigatewayv2 import iam_authorization, measures
from cloudlet.services.apigatewayv2.access_logs import AccessLogs
from cloudlet.services.apigatewayv2.base import PATH_PREFIX, GatewayService
from cloudlet.services.apigatewayv2.exchange import Exchange
from cloudlet.services.apigatewayv2.integrating import Integrator
from cloudlet.services.apigatewayv2.lambda_authorizer import LambdaAuthorizers
from cloudlet.services.apigatewayv2.matching import DEFAULT
from cloudlet.services.apigatewayv2.principals import SERVICE, SESSION
from cloudlet.services.apigatewayv2.refusal import (
    Refusal,
    failed,
    headers_too_large,
    not_found,
    throttled,
    too_large,
)
from cloudlet.services.apigatewayv2.serving import (
    JwtAuthorizer,
    LambdaAuthorizer,
    Served,
    ServedRoute,
    load,
    stage_of,
)
from cloudlet.services.apigatewayv2.throttling import ACCOUNT_BURST, ACCOUNT_RATE, Bucket
from cloudlet.services.apigatewayv2.variables import context_variable

if TYPE_CHECKING:
    from cloudlet.services.apigatewayv2.jwt_authorizer import JwtAuthorizers

_log = logging.getLogger(__name__)
_HOST = re.compile(r"([a-z0-9]+)\.execute-api\.")
_LARGEST_BODY = 10 * 1024 * 1024
# The request line and all headers.
_LARGEST_HEAD = 10_240


class _Addressed(NamedTuple):
    """The stage that a request means, the path within it and with it, and the key of a custom domain's mapping."""

    served: Served
    path: str
    event_path: str
    domain: str
    mapping_key: str | None


class DataPlane(GatewayService):
    """Answers the requests that APIs are made for."""

    def __init__(self, cloud: Cloud) -> None:
        super().__init__(cloud)
        roles = RoleSessions(cloud, SERVICE, SESSION)
        self._lambda_authorizers = LambdaAuthorizers(cloud, roles)
        self._integrator = Integrator(cloud, roles)
        self._access_logs = AccessLogs(cloud)
        self._accounts: dict[tuple[str, str], Bucket] = {}
        self._jwt_authorizers: JwtAuthorizers | None = None

    async def drain(self) -> None:
        await self._access_logs.stop()

    async def stop(self) -> None:
        await self._access_logs.stop()
        await self._integrator.stop()
        await super().stop()

    def forget_authorizations(self, api_id: str, stage: str | None = None) -> None:
        self._lambda_authorizers.forget(api_id, stage)

    def serves_http(self, request: HttpRequest) -> bool:
        if request.path.startswith(PATH_PREFIX) or _HOST.match(request.host) is not None:
            return True
        return bool(self.domains) and _name_of(request) in self.domains and not _is_for_another(request)

    async def handle_http(self, request: HttpRequest, request_id: str) -> HttpResponse:
        addressed = self._addressed(request)
        if addressed is None:
            response = not_found().response()
        else:
            served, path, event_path, domain, mapping_key = addressed
            now = self.cloud.clock.now()
            exchange = Exchange(request, request_id, served, domain, path, event_path, now, mapping_key)
            response = await self._answer(exchange)
            self._finished(exchange, response)
        response.headers.append(("apigw-requestid", request_id))
        if request.path.startswith(PATH_PREFIX):
            # Under the port's own name an API may not take over the paths of others, which browsers would let it do.
            response.headers = [pair for pair in response.headers if pair[0].lower() != "service-worker-allowed"]
        return response

    def _addressed(self, request: HttpRequest) -> _Addressed | None:
        """None if there is no such API, stage or mapping, or if the API does not want to be called that way."""
        host = _name_of(request)
        if host in self.domains and not request.path.startswith(PATH_PREFIX):
            return self._mapped(host, request.path)
        match = _HOST.match(request.host)
        if match is not None and not request.path.startswith(PATH_PREFIX):
            api_id, path, domain = match[1], request.path, host
        else:
            api_id, path = _split(request.path)
            domain = host if match is not None else ""
        found = stage_of(self._stages(api_id), path)
        if found is None or found[0].disabled:
            return None
        served, rest = found
        return _Addressed(served, rest, path or "/", domain or f"{api_id}.execute-api.{served.region}.localhost", None)

    def _mapped(self, domain: str, path: str) -> _Addressed | None:
        """The stage behind the longest key that the path begins with."""
        for key, (api_id, stage) in self.domains[domain]:
            inside = path.removeprefix(f"/{key}") if key else path
            if (key and inside == path) or inside[:1] not in ("", "/"):
                continue
            served = self._stages(api_id).get(stage)
            return None if served is None else _Addressed(served, inside or "/", path, domain, key)
        return None

    def _stages(self, api_id: str) -> dict[str, Served]:
        stages = self.serving.get(api_id)
        if stages is None:
            stages = load(self.store.reader, api_id)
            if stages:
                self.serving[api_id] = stages
        return stages

    async def _answer(self, exchange: Exchange) -> HttpResponse:
        request, cors = exchange.request, exchange.served.cors
        if cors is not None and cross_origin.is_preflight(request.method, request.headers):
            return HttpResponse(204, cross_origin.preflight(cors, request.headers))
        try:
            response = await self._pass_on(exchange)
        except Refusal as refusal:
            exchange.refusal = refusal
            response = refusal.response()
            self._tell(exchange, refusal)
        if cors is not None:
            # With a configuration of its own the API does not pass on what the integration says about origins.
            own = [pair for pair in response.headers if not pair[0].lower().startswith("access-control-")]
            response.headers = own + cross_origin.answered(cors, request.headers)
        return response

    def _tell(self, exchange: Exchange, refusal: Refusal) -> None:
        """What the client is not told: why an integration or an authorizer failed."""
        if refusal.status >= 500:
            why = exchange.integration_error or exchange.authorizer_error or refusal.kind
            words = {"api": exchange.served.api_id, "route": exchange.route_key, "error": why}
            _log.warning("an integration failed", extra=words)

    def _finished(self, exchange: Exchange, response: HttpResponse) -> None:
        """The one place where all is known about a request: it is measured and logged here."""
        exchange.status = response.status
        exchange.response_length = len(response.body) if isinstance(response.body, bytes) else 0
        exchange.latency = max(0.0, self.cloud.clock.now() - exchange.time)
        measures.record(self.cloud.metrics, exchange)
        log = exchange.served.access_log
        if log is not None:
            line = log.format.line(lambda name: context_variable(exchange, name))
            self._access_logs.write(log.destination, exchange.served.arn, exchange.time, line)

    async def _pass_on(self, exchange: Exchange) -> HttpResponse:
        """From the route to the integration's answer. Raises Refusal."""
        request, served = exchange.request, exchange.served
        exchange.match = served.matcher.find(request.method, exchange.path)
        if exchange.match is None:
            raise not_found()
        route = exchange.route = served.routes[exchange.match.route_key]
        if _head_size(request) > _LARGEST_HEAD:
            raise headers_too_large()
        if not self._account_bucket(served).take(exchange.time):
            raise throttled()
        if route.bucket is not None and not route.bucket.take(exchange.time):
            raise throttled()
        body = await _read(request)
        if body is None:
            raise too_large()
        exchange.body = body
        if route.authorization != "NONE":
            await self._authorize(exchange, route)
        if route.integration is None:
            raise failed()
        return await self._integrator.answer(exchange, route.integration)

    def _account_bucket(self, served: Served) -> Bucket:
        key = (served.account, served.region)
        bucket = self._accounts.get(key)
        if bucket is None:
            bucket = self._accounts[key] = Bucket(ACCOUNT_RATE, ACCOUNT_BURST)
        return bucket

    async def _authorize(self, exchange: Exchange, route: ServedRoute) -> None:
        authorizer = route.authorizer
        if route.authorization == "AWS_IAM":
            exchange.authorized = iam_authorization.authorize(self.cloud, exchange)
        elif isinstance(authorizer, JwtAuthorizer):
            exchange.authorized = await self._jwt().authorize(exchange, authorizer, route.scopes)
        elif isinstance(authorizer, LambdaAuthorizer):
            started = self.cloud.clock.now()
            try:
                exchange.authorized = await self._lambda_authorizers.authorize(exchange, authorizer)
            finally:
                exchange.authorizer_latency = max(0.0, self.cloud.clock.now() - started)
        else:
            raise failed("AUTHORIZER_CONFIGURATION_ERROR")

    def _jwt(self) -> "JwtAuthorizers":
        if self._jwt_authorizers is None:
            # A slow import: a server without such authorizers does not wait for it.
            from cloudlet.services.apigatewayv2.jwt_authorizer import JwtAuthorizers

            self._jwt_authorizers = JwtAuthorizers(self.cloud.clock)
        return self._jwt_authorizers


def _name_of(request: HttpRequest) -> str:
    """The host's name without its port."""
    host = request.host
    return host.rpartition(":")[0] if ":" in host else host


def _is_for_another(request: HttpRequest) -> bool:
    """Whether the request is signed for another service: no domain name takes those over."""
    signed = request.headers.get("authorization", "") + request.query
    return "AWS4-HMAC-SHA256" in signed and "/execute-api/aws4_request" not in unquote(signed)


def _split(path: str) -> tuple[str, str]:
    """The API's id and the path within it, of a path behind the prefix."""
    api_id, slash, rest = path[len(PATH_PREFIX) :].partition("/")
    first, _, inside = rest.partition("/")
    # Only in this form the default stage may be named: as a host it has no path of its own.
    return api_id, f"/{inside}" if unquote(first) == DEFAULT else f"{slash}{rest}"


def _head_size(request: HttpRequest) -> int:
    size = len(request.method) + len(request.path) + len(request.query)
    for name, value in request.headers.items():
        size += len(name) + len(value)
    return size


async def _read(request: HttpRequest) -> bytes | None:
    """The body; None if it is larger than an API takes."""
    body = request.body
    if body.length is not None and body.length > _LARGEST_BODY:
        return None
    if body.content is not None:
        return body.content
    chunks: list[bytes] = []
    size = 0
    async for chunk in body:
        size += len(chunk)
        if size > _LARGEST_BODY:
            return None
        chunks.append(chunk)
    return b"".join(chunks)
