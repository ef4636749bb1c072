"""From a request that may pass to the answer of what is behind its route."""

import asyncio
from typing import TYPE_CHECKING

from cloudlet.core.context import Principal
from cloudlet.core.errors import AwsError
from cloudlet.core.http import HttpResponse
from cloudlet.core.payload_2 import MalformedResponse
from cloudlet.core.role_sessions import RoleSessions
from cloudlet.core.service import Cloud
from cloudlet.services.apigatewayv2 import aws_services, events
from cloudlet.services.apigatewayv2.exchange import Exchange
from cloudlet.services.apigatewayv2.functions import Function, invoke
from cloudlet.services.apigatewayv2.matching import DEFAULT
from cloudlet.services.apigatewayv2.parameter_mapping import Change, Evaluated, change_response, changed_request
from cloudlet.services.apigatewayv2.principals import CALLER, SERVICE
from cloudlet.services.apigatewayv2.refusal import failed, forbidden, timed_out, too_large, unavailable
from cloudlet.services.apigatewayv2.serving import Integration
from cloudlet.services.apigatewayv2.variables import evaluate

if TYPE_CHECKING:
    from cloudlet.services.apigatewayv2.http_proxy import HttpProxy

# Errors of functions that run as often as they may.
_BUSY = frozenset(("TooManyRequestsException", "ServiceUnavailableException"))


class Integrator:
    """Calls functions, AWS services and other web servers for APIs."""

    def __init__(self, cloud: Cloud, roles: RoleSessions) -> None:
        self._cloud = cloud
        self._roles = roles
        self._http_proxy: HttpProxy | None = None

    async def stop(self) -> None:
        if self._http_proxy is not None:
            await self._http_proxy.stop()

    async def answer(self, exchange: Exchange, integration: Integration) -> HttpResponse:
        """The integration's answer, with both ways changed as parameter mapping says. Raises Refusal."""
        if integration.request_changes:
            _change_request(exchange, integration.request_changes)
        started = self._cloud.clock.now()
        try:
            response = await self._call(exchange, integration)
        finally:
            exchange.integration_latency = max(0.0, self._cloud.clock.now() - started)
        changes = integration.response_changes.get(response.status)
        if changes:
            change_response(response, _evaluated(changes, exchange, response))
        return response

    async def _call(self, exchange: Exchange, integration: Integration) -> HttpResponse:
        if integration.kind == "HTTP_PROXY":
            return await self._proxy().forward(exchange, integration)
        try:
            async with asyncio.timeout(integration.timeout):
                principal = await self._principal(exchange, integration)
                if integration.function is None:
                    return await aws_services.call(self._cloud, exchange, integration, principal)
                return await self._invoke(exchange, integration, integration.function, principal)
        except TimeoutError:
            exchange.integration_error = "The integration did not answer in time."
            raise timed_out() from None
        except AwsError as error:
            exchange.integration_status = error.status
            exchange.integration_error = error.message
            if error.code == "RequestTooLargeException":
                raise too_large() from error
            raise (unavailable() if error.code in _BUSY else failed()) from error

    async def _principal(self, exchange: Exchange, integration: Integration) -> Principal:
        """As whom the integration is called: API Gateway, a role, or the caller."""
        served = exchange.served
        if integration.credentials is None:
            return Principal.service(SERVICE, served.account)
        if integration.credentials == CALLER:
            if exchange.authorized is None or exchange.authorized.principal is None:
                raise forbidden()
            return exchange.authorized.principal
        return await self._roles.principal(integration.credentials, served.arn)

    async def _invoke(
        self, exchange: Exchange, integration: Integration, function: Function, principal: Principal
    ) -> HttpResponse:
        event = events.event(exchange, integration.version)
        payload, is_error = await invoke(self._cloud, function, event, as_=principal, source_arn=_source_arn(exchange))
        exchange.integration_status = 200
        if is_error:
            exchange.integration_error = "The Lambda function returned an error."
            raise failed()
        try:
            return events.answer(payload, integration.version)
        except MalformedResponse as error:
            exchange.integration_error = f"The response from the Lambda function is not valid: {error}."
            raise failed() from None

    def _proxy(self) -> "HttpProxy":
        if self._http_proxy is None:
            # The HTTP client is a slow import: a server without HTTP integrations does not wait for it at its start.
            from cloudlet.services.apigatewayv2.http_proxy import HttpProxy

            self._http_proxy = HttpProxy()
        return self._http_proxy


def _source_arn(exchange: Exchange) -> str:
    assert exchange.match is not None
    path = exchange.match.path
    called = DEFAULT if path == DEFAULT else f"{exchange.request.method}{path}"
    return f"{exchange.served.arn}/{called}"


def _evaluated(
    changes: tuple[Change, ...], exchange: Exchange, response: HttpResponse | None = None
) -> list[Evaluated]:
    """The changes whose values are there; all of them see what was before any of them."""
    found: list[Evaluated] = []
    for change in changes:
        value = None if change.value is None else evaluate(change.value, exchange, response)
        if value is not None or change.action == "remove":
            found.append((change, value))
    return found


def _change_request(exchange: Exchange, changes: tuple[Change, ...]) -> None:
    evaluated = _evaluated(changes, exchange)
    exchange.outgoing = changed_request(exchange.request, evaluated)
    paths = [value for change, value in evaluated if change.place == "path" and value]
    if paths:
        exchange.path_override = paths[-1] if paths[-1].startswith("/") else f"/{paths[-1]}"
