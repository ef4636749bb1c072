"""HTTP requests to APIs: found by host or path, matched, handed to the integration, answered."""

import asyncio
import logging
import re
from typing import Any
from urllib.parse import unquote

import orjson

from cloudlet.core import cross_origin
from cloudlet.core.arn import Arn
from cloudlet.core.context import Principal
from cloudlet.core.errors import AwsError
from cloudlet.core.http import HttpRequest, HttpResponse
from cloudlet.services.apigatewayv2 import events
from cloudlet.services.apigatewayv2.base import PATH_PREFIX, GatewayService
from cloudlet.services.apigatewayv2.events import Incoming, MalformedResponse
from cloudlet.services.apigatewayv2.matching import DEFAULT, Match
from cloudlet.services.apigatewayv2.serving import Served, load, stage_of

_log = logging.getLogger(__name__)
_HOST = re.compile(r"([a-z0-9]+)\.execute-api\.")
_FUNCTION_PATH = re.compile(r"arn:aws[\w-]*:apigateway:[^:]+:lambda:path/2015-03-31/functions/(.+)/invocations")
_LARGEST = 10 * 1024 * 1024


class DataPlane(GatewayService):
    """Answers the requests that APIs are made for."""

    def serves_http(self, request: HttpRequest) -> bool:
        return request.path.startswith(PATH_PREFIX) or _HOST.match(request.host) is not None

    async def handle_http(self, request: HttpRequest, request_id: str) -> HttpResponse:
        api_id, path = _addressed(request)
        stages = self.serving.get(api_id)
        if stages is None:
            stages = load(self.store.reader, api_id)
            if stages:
                self.serving[api_id] = stages
        found = stage_of(stages, path)
        if found is None:
            return _message(404, "Not Found")
        served, rest = found
        if served.disabled:
            return _message(404, "Not Found")
        response = await self._answer(request, request_id, api_id, served, rest)
        response.headers.append(("apigw-requestid", request_id))
        if request.path.startswith(PATH_PREFIX):
            # Under the port's own name an API may not take over the paths of others, which browsers would let it do.
            response.headers = [pair for pair in response.headers if pair[0].lower() != "service-worker-allowed"]
        return response

    async def _answer(
        self, request: HttpRequest, request_id: str, api_id: str, served: Served, path: str
    ) -> HttpResponse:
        if served.cors is not None and cross_origin.is_preflight(request.method, request.headers):
            return HttpResponse(204, cross_origin.preflight(served.cors, request.headers))
        match = served.matcher.find(request.method, path)
        integration = served.integrations.get(match.route_key) if match is not None else None
        if match is None or integration is None:
            response = _message(404, "Not Found") if match is None else _message(500, "Internal Server Error")
        else:
            response = await self._integrate(request, request_id, api_id, served, path, match, dict(integration))
        if served.cors is not None:
            # With a configuration of its own the API does not pass on what the integration says about origins.
            own = [pair for pair in response.headers if not pair[0].lower().startswith("access-control-")]
            response.headers = own + cross_origin.answered(served.cors, request.headers)
        return response

    async def _integrate(
        self,
        request: HttpRequest,
        request_id: str,
        api_id: str,
        served: Served,
        path: str,
        match: Match,
        integration: dict[str, Any],
    ) -> HttpResponse:
        body = await _read(request)
        if body is None:
            return _message(413, "Request Entity Too Large")
        incoming = Incoming(
            request=request,
            request_id=request_id,
            account=served.account,
            api_id=api_id,
            domain=_domain(request, api_id, served.region),
            stage=served.stage,
            path=path if served.stage == DEFAULT else f"/{served.stage}{path}",
            match=match,
            stage_variables=served.variables,
            body=body,
            time=self.cloud.clock.now(),
        )
        timeout = integration["TimeoutInMillis"] / 1000
        if integration["IntegrationType"] == "HTTP_PROXY":
            # The HTTP client is a slow import: a server without HTTP integrations does not wait for it at its start.
            from cloudlet.services.apigatewayv2 import http_proxy

            return await http_proxy.forward(incoming, integration, path, timeout)
        return await self._invoke(incoming, integration, served, timeout)

    async def _invoke(
        self, incoming: Incoming, integration: dict[str, Any], served: Served, timeout: float
    ) -> HttpResponse:
        version = integration["PayloadFormatVersion"]
        function = _function_of(integration["IntegrationUri"])
        call = self.cloud.call(
            "lambda",
            "Invoke",
            {"FunctionName": function, "Payload": orjson.dumps(events.event(incoming, version))},
            as_=Principal.service("apigateway.amazonaws.com", served.account),
            region=_region_of(function, served.region),
            account=_account_of(function, served.account),
            source_arn=_source_arn(incoming, served),
        )
        try:
            async with asyncio.timeout(timeout):
                result = await call
                payload = await _payload(result)
        except TimeoutError:
            return _message(503, "Service Unavailable")
        except AwsError as error:
            return self._failed(incoming, function, error)
        if result.get("FunctionError"):
            return _message(500, "Internal Server Error")
        try:
            return events.answer(payload, version)
        except MalformedResponse as error:
            return self._failed(incoming, function, error)

    def _failed(self, incoming: Incoming, function: str, error: Exception) -> HttpResponse:
        words = {"api": incoming.api_id, "route": incoming.match.route_key, "function": function, "error": str(error)}
        _log.warning("an integration failed", extra=words)
        return _message(500, "Internal Server Error")


def _addressed(request: HttpRequest) -> tuple[str, str]:
    """The API and the path within it."""
    match = _HOST.match(request.host)
    if match is not None and not request.path.startswith(PATH_PREFIX):
        return match[1], request.path
    api_id, slash, path = request.path[len(PATH_PREFIX) :].partition("/")
    first, _, rest = path.partition("/")
    # Only in this form the default stage may be named: as a host it has no path of its own.
    return api_id, f"/{rest}" if unquote(first) == DEFAULT else f"{slash}{path}"


def _domain(request: HttpRequest, api_id: str, region: str) -> str:
    host = request.host.rsplit(":", 1)[0]
    return host if _HOST.match(host) else f"{api_id}.execute-api.{region}.localhost"


def _source_arn(incoming: Incoming, served: Served) -> str:
    route = incoming.match
    called = DEFAULT if route.route_key == DEFAULT else f"{incoming.request.method}{route.path}"
    return f"arn:aws:execute-api:{served.region}:{served.account}:{incoming.api_id}/{served.stage}/{called}"


def _function_of(uri: str) -> str:
    match = _FUNCTION_PATH.fullmatch(uri)
    return uri if match is None else match[1]


def _region_of(function: str, default: str) -> str:
    try:
        return Arn.parse(function).region or default
    except ValueError:
        return default


def _account_of(function: str, default: str) -> str:
    try:
        return Arn.parse(function).account or default
    except ValueError:
        return default


async def _read(request: HttpRequest) -> bytes | None:
    """The body; None if it is larger than an API takes."""
    if request.body.length is not None and request.body.length > _LARGEST:
        return None
    chunks: list[bytes] = []
    size = 0
    async for chunk in request.body:
        size += len(chunk)
        if size > _LARGEST:
            return None
        chunks.append(chunk)
    return b"".join(chunks)


async def _payload(result: dict[str, Any]) -> bytes:
    payload = result.get("Payload") or b""
    return payload if isinstance(payload, bytes) else b"".join([chunk async for chunk in payload])


def _message(status: int, text: str) -> HttpResponse:
    return HttpResponse(status, [("content-type", "application/json")], orjson.dumps({"message": text}))
