"""The values that expressions and access logs ask for: of requests, answers, stages and `$context`."""

import re
import time
from collections.abc import Callable
from typing import Any, cast
from urllib.parse import parse_qsl

import orjson

from cloudlet.core.http import HttpResponse
from cloudlet.services.apigatewayv2.exchange import Exchange
from cloudlet.services.apigatewayv2.expressions import Expression, Variable

# Of a larger body no members are looked up.
_LARGEST_JSON = 100 * 1024
_STEP = re.compile(r"\.?([^.\[\]]+)|\[(\d+)\]|\[['\"]([^'\"]+)['\"]\]")
_TIME = "%d/%b/%Y:%H:%M:%S +0000"


def evaluate(expression: Expression, exchange: Exchange, response: HttpResponse | None = None) -> str | None:
    """None if the expression is one variable and has no value; among others, it is an empty text."""
    parts = expression.parts
    if len(parts) == 1:
        part = parts[0]
        return part if isinstance(part, str) else _value(part, exchange, response)
    return "".join(part if isinstance(part, str) else _value(part, exchange, response) or "" for part in parts)


def _value(variable: Variable, exchange: Exchange, response: HttpResponse | None) -> str | None:
    where, name = variable.where, variable.name
    if where == "context":
        return context_variable(exchange, name)
    if where == "stageVariables":
        return exchange.served.variables.get(name)
    if where.startswith("response."):
        return None if response is None else _of_response(where, name, response)
    if where == "request.header":
        return exchange.request.headers.get(name)
    if where == "request.querystring":
        values = [value for key, value in parse_qsl(exchange.request.query, keep_blank_values=True) if key == name]
        return ",".join(values) if values else None
    if where == "request.path":
        if not name:
            return exchange.path
        return exchange.match.variables.get(name) if exchange.match is not None else None
    return _of_body(exchange.body, name)


def _of_response(where: str, name: str, response: HttpResponse) -> str | None:
    if where == "response.body":
        return _of_body(response.body if isinstance(response.body, bytes) else b"", name)
    values = [value for key, value in response.headers if key.lower() == name]
    return ",".join(values) if values else None


def _of_body(body: bytes, path: str) -> str | None:
    if not path:
        return body.decode(errors="replace")
    if len(body) > _LARGEST_JSON:
        return None
    try:
        found: Any = orjson.loads(body)
    except orjson.JSONDecodeError:
        return None
    for name, index, quoted in _STEP.findall(path):
        if index:
            items = cast("list[Any]", found) if isinstance(found, list) else []
            found = items[int(index)] if int(index) < len(items) else None
        else:
            found = cast("dict[str, Any]", found).get(name or quoted) if isinstance(found, dict) else None
    return text_of(found)


def text_of(value: Any) -> str | None:
    """A value of JSON as text: texts as they are, None as nothing."""
    if value is None or isinstance(value, str):
        return value
    return orjson.dumps(value).decode()


def context_variable(exchange: Exchange, name: str) -> str | None:
    """The value of `$context.NAME`, None where there is none."""
    get = _CONTEXT.get(name)
    if get is not None:
        value = get(exchange)
        return None if value is None else str(value)
    if name.startswith("authorizer."):
        return _of_authorizer(exchange, name.removeprefix("authorizer."))
    return None


def _of_authorizer(exchange: Exchange, name: str) -> str | None:
    authorized = exchange.authorized
    if authorized is None:
        return None
    if name.startswith("claims."):
        return (authorized.claims or {}).get(name.removeprefix("claims."))
    if name == "principalId":
        return authorized.principal_id
    return text_of((authorized.context or {}).get(name))


def _milliseconds(seconds: float | None) -> int | None:
    return None if seconds is None else round(seconds * 1000)


def _quoted_message(exchange: Exchange) -> str | None:
    return None if exchange.refusal is None else orjson.dumps(exchange.refusal.message).decode()


def _principal_arn(exchange: Exchange) -> str | None:
    principal = exchange.authorized.principal if exchange.authorized is not None else None
    return None if principal is None else principal.arn


def _principal_id(exchange: Exchange) -> str | None:
    principal = exchange.authorized.principal if exchange.authorized is not None else None
    return None if principal is None else principal.id


def _principal_account(exchange: Exchange) -> str | None:
    principal = exchange.authorized.principal if exchange.authorized is not None else None
    return None if principal is None else principal.account


_CONTEXT: dict[str, Callable[[Exchange], Any]] = {
    "accountId": lambda e: e.served.account,
    "apiId": lambda e: e.served.api_id,
    "authorizer.error": lambda e: e.authorizer_error,
    "authorizer.latency": lambda e: _milliseconds(e.authorizer_latency),
    "awsEndpointRequestId": lambda _: None,
    "customDomain.basePathMatched": lambda e: e.mapping_key,
    "dataProcessed": lambda e: len(e.body) + e.response_length,
    "domainName": lambda e: e.domain,
    "domainPrefix": lambda e: e.domain.split(".")[0],
    "error.message": lambda e: None if e.refusal is None else e.refusal.message,
    "error.messageString": _quoted_message,
    "error.responseType": lambda e: None if e.refusal is None else e.refusal.kind,
    "extendedRequestId": lambda e: e.request_id,
    "httpMethod": lambda e: e.request.method,
    "identity.accountId": _principal_account,
    "identity.caller": _principal_id,
    "identity.sourceIp": lambda e: e.request.client,
    "identity.user": _principal_id,
    "identity.userAgent": lambda e: e.request.headers.get("user-agent"),
    "identity.userArn": _principal_arn,
    "integration.error": lambda e: e.integration_error,
    "integration.integrationStatus": lambda e: e.integration_status,
    "integration.latency": lambda e: _milliseconds(e.integration_latency),
    "integration.status": lambda e: e.integration_status,
    "integrationErrorMessage": lambda e: e.integration_error,
    "integrationLatency": lambda e: _milliseconds(e.integration_latency),
    "integrationStatus": lambda e: e.integration_status,
    "path": lambda e: e.event_path,
    "protocol": lambda _: "HTTP/1.1",
    "requestId": lambda e: e.request_id,
    "requestTime": lambda e: time.strftime(_TIME, time.gmtime(e.time)),
    "requestTimeEpoch": lambda e: int(e.time * 1000),
    "responseLatency": lambda e: _milliseconds(e.latency),
    "responseLength": lambda e: e.response_length,
    "routeKey": lambda e: e.route_key or None,
    "stage": lambda e: e.served.stage,
    "status": lambda e: e.status,
}
