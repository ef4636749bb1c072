"""The events that integrations and authorizers get for HTTP requests, and the answers that results stand for."""

import time
from collections.abc import Mapping
from typing import Any, cast
from urllib.parse import parse_qsl, unquote

import orjson

from cloudlet.core import payload_2
from cloudlet.core.http import HttpResponse
from cloudlet.core.payload_2 import Entrance, MalformedResponse
from cloudlet.services.apigatewayv2.exchange import Authorized, Exchange
from cloudlet.services.apigatewayv2.serving import LambdaAuthorizer

_TIME = "%d/%b/%Y:%H:%M:%S +0000"
_NOBODY = Authorized()
_NO_IDENTITY = dict.fromkeys(
    (
        "accessKey",
        "accountId",
        "caller",
        "cognitoAmr",
        "cognitoAuthenticationProvider",
        "cognitoAuthenticationType",
        "cognitoIdentityId",
        "cognitoIdentityPoolId",
        "principalOrgId",
        "sourceIp",
        "user",
        "userAgent",
        "userArn",
    )
)


def event(exchange: Exchange, version: str) -> dict[str, Any]:
    """The event of payload format 1.0 or 2.0 for the integration."""
    if version == "1.0":
        return _event_1(exchange)
    found = _event_2(exchange)
    if exchange.authorized is not None:
        found["requestContext"]["authorizer"] = _authorizer_2(exchange.authorized)
    return found


def authorizer_event(exchange: Exchange, authorizer: LambdaAuthorizer, identity: list[str]) -> dict[str, Any]:
    """The event of either format for an authorizer, with the values of its identity sources."""
    if authorizer.version == "2.0":
        found = _event_2(exchange)
        del found["isBase64Encoded"]
        found.pop("body", None)
        return {
            "version": "2.0",
            "type": "REQUEST",
            "routeArn": exchange.request_arn,
            "identitySource": identity or None,
        } | found
    found = _event_1(exchange)
    joined = ",".join(identity)
    for name in ("body", "isBase64Encoded", "multiValueHeaders", "multiValueQueryStringParameters"):
        del found[name]
    return found | {
        "type": "REQUEST",
        "methodArn": exchange.request_arn,
        "identitySource": joined,
        "authorizationToken": joined,
        "queryStringParameters": found["queryStringParameters"] or {},
        "pathParameters": found["pathParameters"] or {},
        "stageVariables": found["stageVariables"] or {},
    }


def _event_2(exchange: Exchange) -> dict[str, Any]:
    served, match = exchange.served, exchange.match
    entrance = Entrance(
        request_id=exchange.request_id,
        account=served.account,
        api_id=served.api_id,
        domain=exchange.domain,
        path=_path(exchange),
        time=exchange.time,
        stage=served.stage,
        route_key=exchange.route_key,
    )
    found = payload_2.event(exchange.integration_request, exchange.body, entrance, _trace_id(exchange))
    if match is not None and match.variables:
        found["pathParameters"] = match.variables
    if served.variables:
        found["stageVariables"] = dict(served.variables)
    return found


def _path(exchange: Exchange) -> str:
    return unquote(exchange.event_path if exchange.path_override is None else exchange.path_override)


def _trace_id(exchange: Exchange) -> str:
    given = exchange.request.headers.get("x-amzn-trace-id")
    return given or f"Root=1-{int(exchange.time):08x}-{exchange.request_id.replace('-', '')[:24]}"


def _authorizer_2(authorized: Authorized) -> dict[str, Any]:
    if authorized.claims is not None:
        scopes = None if authorized.scopes is None else list(authorized.scopes)
        return {"jwt": {"claims": dict(authorized.claims), "scopes": scopes}}
    principal = authorized.principal
    if principal is None:
        return {"lambda": authorized.context}
    return {
        "iam": {
            "accessKey": authorized.access_key,
            "accountId": principal.account,
            "callerId": principal.id,
            "cognitoIdentity": None,
            "principalOrgId": None,
            "userArn": principal.arn,
            "userId": principal.id,
        }
    }


def _event_1(exchange: Exchange) -> dict[str, Any]:
    request, match = exchange.integration_request, exchange.match
    headers = payload_2.headers_passed_on(request, exchange.body, _trace_id(exchange))
    query: dict[str, list[str]] = {}
    for name, value in parse_qsl(request.query, keep_blank_values=True):
        query.setdefault(name, []).append(value)
    body, is_base64 = payload_2.body_text(request, exchange.body)
    repeated = request.repeated or {}
    several = {name: repeated.get(name) or [value] for name, value in headers.items()}
    return {
        "version": "1.0",
        "resource": match.path if match is not None else "",
        "path": _path(exchange),
        "httpMethod": request.method,
        "headers": {name: values[-1] for name, values in several.items()},
        "multiValueHeaders": several,
        "queryStringParameters": {name: values[-1] for name, values in query.items()} or None,
        "multiValueQueryStringParameters": query or None,
        "requestContext": _context_1(exchange, headers.get("user-agent", "")),
        "pathParameters": (match.variables if match is not None else None) or None,
        "stageVariables": dict(exchange.served.variables) or None,
        "body": body,
        "isBase64Encoded": is_base64,
    }


def _context_1(exchange: Exchange, user_agent: str) -> dict[str, Any]:
    served = exchange.served
    authorized = exchange.authorized or _NOBODY
    identity: dict[str, Any] = _NO_IDENTITY | {"sourceIp": exchange.request.client, "userAgent": user_agent}
    principal = authorized.principal
    if principal is not None:
        identity |= {
            "accessKey": authorized.access_key,
            "accountId": principal.account,
            "caller": principal.id,
            "user": principal.id,
            "userArn": principal.arn,
        }
    path = exchange.match.path if exchange.match is not None else ""
    return {
        "accountId": served.account,
        "apiId": served.api_id,
        "authorizer": _authorizer_1(authorized, exchange.authorizer_latency),
        "domainName": exchange.domain,
        "domainPrefix": exchange.domain.split(".")[0],
        "extendedRequestId": exchange.request_id,
        "httpMethod": exchange.request.method,
        "identity": identity,
        "path": _path(exchange),
        "protocol": "HTTP/1.1",
        "requestId": exchange.request_id,
        "requestTime": time.strftime(_TIME, time.gmtime(exchange.time)),
        "requestTimeEpoch": int(exchange.time * 1000),
        "resourceId": exchange.route_key,
        "resourcePath": path,
        "stage": served.stage,
    }


def _authorizer_1(authorized: Authorized, latency: float | None) -> dict[str, Any]:
    found: dict[str, Any] = {"claims": None, "scopes": None}
    if authorized.claims is not None:
        scopes = None if authorized.scopes is None else list(authorized.scopes)
        found |= {"claims": dict(authorized.claims), "scopes": scopes}
    if authorized.principal_id is not None:
        found["principalId"] = authorized.principal_id
    if latency is not None:
        found["integrationLatency"] = round(latency * 1000)
    return found | dict(authorized.context or {})


def answer(payload: bytes, version: str) -> HttpResponse:
    """The HTTP answer for a function's result. Raises MalformedResponse."""
    return _answer_1(payload) if version == "1.0" else payload_2.answer(payload)


def _answer_1(payload: bytes) -> HttpResponse:
    try:
        declared = orjson.loads(payload) if payload else None
    except orjson.JSONDecodeError:
        raise MalformedResponse("the result is not JSON") from None
    if not isinstance(declared, dict) or "statusCode" not in declared:
        raise MalformedResponse("the result has no statusCode")
    result = cast("dict[str, Any]", declared)
    response = payload_2.head({**result, "cookies": None}, "text/plain;charset=UTF-8")
    several = _several(result.get("multiValueHeaders"))
    names = {name for name, _ in several}
    response.headers = [pair for pair in response.headers if pair[0] not in names] + several
    response.body = payload_2.content_of(result)
    return response


def _several(declared: Any) -> list[tuple[str, str]]:
    if not isinstance(declared, Mapping | None):
        raise MalformedResponse("multiValueHeaders is not an object")
    found: list[tuple[str, str]] = []
    for name, values in cast("Mapping[str, Any]", declared or {}).items():
        if not isinstance(values, list):
            raise MalformedResponse("a header of multiValueHeaders is not a list")
        found += [(payload_2.header_name(name), payload_2.header_text(value)) for value in cast("list[Any]", values)]
    return found
