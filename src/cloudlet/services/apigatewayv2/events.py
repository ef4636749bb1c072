"""The events that functions get for HTTP requests, and the HTTP answers that their results stand for."""

import base64
import binascii
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, cast
from urllib.parse import parse_qsl, unquote

import orjson

from cloudlet.core.http import HttpRequest, HttpResponse
from cloudlet.gateway.wire import HEADER_NAME
from cloudlet.services.apigatewayv2.matching import Match

_TEXT_TYPES = ("application/json", "application/javascript", "application/xml")
# What belongs to the connection with the client and means nothing behind it.
_CONNECTION = frozenset(("connection", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade"))
_TIME = "%d/%b/%Y:%H:%M:%S +0000"


class MalformedResponse(Exception):
    """The function's result is not an answer that the payload format knows."""


@dataclass(frozen=True, slots=True)
class Incoming:
    """A request on its way to an integration. `path` begins with the stage unless that is `$default`."""

    request: HttpRequest
    request_id: str
    account: str
    api_id: str
    domain: str
    stage: str
    path: str
    match: Match
    stage_variables: Mapping[str, str]
    body: bytes
    time: float


def event(incoming: Incoming, version: str) -> dict[str, Any]:
    """The event of payload format 1.0 or 2.0."""
    return _event_1(incoming) if version == "1.0" else _event_2(incoming)


def _event_2(incoming: Incoming) -> dict[str, Any]:
    request = incoming.request
    headers = {name: value for name, value in _passed_on(incoming).items() if name != "cookie"}
    cookies = [each.strip() for each in request.headers.get("cookie", "").split(";") if each.strip()]
    body, is_base64 = _body(incoming)
    path = unquote(incoming.path)
    context = {
        "accountId": incoming.account,
        "apiId": incoming.api_id,
        "domainName": incoming.domain,
        "domainPrefix": incoming.domain.split(".")[0],
        "http": {
            "method": request.method,
            "path": path,
            "protocol": "HTTP/1.1",
            "sourceIp": request.client,
            "userAgent": headers.get("user-agent", ""),
        },
        "requestId": incoming.request_id,
        "routeKey": incoming.match.route_key,
        "stage": incoming.stage,
        "time": time.strftime(_TIME, time.gmtime(incoming.time)),
        "timeEpoch": int(incoming.time * 1000),
    }
    optional = {
        "cookies": cookies,
        "queryStringParameters": {name: ",".join(values) for name, values in _query(request.query).items()},
        "pathParameters": incoming.match.variables,
        "stageVariables": dict(incoming.stage_variables),
    }
    found: dict[str, Any] = {
        "version": "2.0",
        "routeKey": incoming.match.route_key,
        "rawPath": path,
        "rawQueryString": request.query,
        "headers": headers,
        "requestContext": context,
        "isBase64Encoded": is_base64,
    }
    if body is not None:
        found["body"] = body
    return found | {name: value for name, value in optional.items() if value}


def _event_1(incoming: Incoming) -> dict[str, Any]:
    request = incoming.request
    headers = _passed_on(incoming)
    query = _query(request.query)
    body, is_base64 = _body(incoming)
    path = unquote(incoming.path)
    resource = incoming.match.path
    return {
        "version": "1.0",
        "resource": resource,
        "path": path,
        "httpMethod": request.method,
        "headers": headers,
        "multiValueHeaders": {name: [value] for name, value in headers.items()},
        "queryStringParameters": {name: values[-1] for name, values in query.items()} or None,
        "multiValueQueryStringParameters": query or None,
        "requestContext": _context_1(incoming, headers, path),
        "pathParameters": incoming.match.variables or None,
        "stageVariables": dict(incoming.stage_variables) or None,
        "body": body,
        "isBase64Encoded": is_base64,
    }


def _context_1(incoming: Incoming, headers: Mapping[str, str], path: str) -> dict[str, Any]:
    absent = (
        "accessKey",
        "accountId",
        "caller",
        "cognitoAuthenticationProvider",
        "cognitoAuthenticationType",
        "cognitoIdentityId",
        "cognitoIdentityPoolId",
        "principalOrgId",
        "user",
        "userArn",
    )
    identity = dict.fromkeys(absent, None) | {
        "sourceIp": incoming.request.client,
        "userAgent": headers.get("user-agent", ""),
    }
    return {
        "accountId": incoming.account,
        "apiId": incoming.api_id,
        "domainName": incoming.domain,
        "domainPrefix": incoming.domain.split(".")[0],
        "extendedRequestId": incoming.request_id,
        "httpMethod": incoming.request.method,
        "identity": identity,
        "path": path,
        "protocol": "HTTP/1.1",
        "requestId": incoming.request_id,
        "requestTime": time.strftime(_TIME, time.gmtime(incoming.time)),
        "requestTimeEpoch": int(incoming.time * 1000),
        "resourceId": incoming.match.route_key,
        "resourcePath": incoming.match.path,
        "stage": incoming.stage,
    }


def _passed_on(incoming: Incoming) -> dict[str, str]:
    """The request's headers without those of the connection, and with those that a gateway adds."""
    request = incoming.request
    headers = {name: value for name, value in request.headers.items() if name not in _CONNECTION}
    _, _, port = request.host.rpartition(":")
    earlier = headers.get("x-forwarded-for")
    headers["content-length"] = str(len(incoming.body))
    headers["x-amzn-trace-id"] = headers.get("x-amzn-trace-id") or _trace_id(incoming)
    headers["x-forwarded-for"] = request.client if earlier is None else f"{earlier}, {request.client}"
    headers["x-forwarded-port"] = port if port.isdigit() else "80"
    headers["x-forwarded-proto"] = request.scheme
    return headers


def _trace_id(incoming: Incoming) -> str:
    return f"Root=1-{int(incoming.time):08x}-{incoming.request_id.replace('-', '')[:24]}"


def _query(query: str) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for name, value in parse_qsl(query, keep_blank_values=True):
        found.setdefault(name, []).append(value)
    return found


def _body(incoming: Incoming) -> tuple[str | None, bool]:
    """Text stays text where its type says so, all else is base64."""
    if not incoming.body:
        return None, False
    kind = incoming.request.headers.get("content-type", "text/plain").split(";")[0].strip().lower()
    if kind.startswith("text/") or kind in _TEXT_TYPES or kind.endswith(("+json", "+xml")):
        with suppress(UnicodeDecodeError):  # what is not what its type says goes on as it is
            return incoming.body.decode(), False
    return base64.b64encode(incoming.body).decode(), True


def answer(payload: bytes, version: str) -> HttpResponse:
    """The HTTP answer for a function's result. Raises MalformedResponse."""
    try:
        result = orjson.loads(payload) if payload else None
    except orjson.JSONDecodeError:
        raise MalformedResponse("the result is not JSON") from None
    if isinstance(result, dict) and "statusCode" in result:
        return _explicit(cast("dict[str, Any]", result), version)
    if version == "1.0":
        raise MalformedResponse("the result has no statusCode")
    body = result.encode() if isinstance(result, str) else orjson.dumps(result)
    return HttpResponse(200, [("content-type", "application/json")], body)


def _explicit(result: dict[str, Any], version: str) -> HttpResponse:
    try:
        status = int(result["statusCode"])
    except (TypeError, ValueError):
        raise MalformedResponse("statusCode is not a number") from None
    if not 200 <= status <= 599:  # those before are no answers yet
        raise MalformedResponse("statusCode is no HTTP status")
    headers = _headers(result.get("headers"))
    if version == "1.0":
        multiple = result.get("multiValueHeaders") or {}
        if not isinstance(multiple, dict):
            raise MalformedResponse("multiValueHeaders is not an object")
        several = cast("dict[str, list[Any]]", multiple)
        names = {name.lower() for name in several}
        headers = [pair for pair in headers if pair[0] not in names]
        headers += [(_name(name), _text(value)) for name, values in several.items() for value in values]
    else:
        headers += [("set-cookie", str(each)) for each in result.get("cookies") or []]
    if all(name != "content-type" for name, _ in headers):
        headers.append(("content-type", "text/plain;charset=UTF-8"))
    return HttpResponse(status, headers, _content(result))


def _headers(declared: Any) -> list[tuple[str, str]]:
    if declared is None:
        return []
    if not isinstance(declared, dict):
        raise MalformedResponse("headers is not an object")
    return [(_name(name), _text(value)) for name, value in cast("dict[str, Any]", declared).items()]


def _name(declared: str) -> str:
    if not HEADER_NAME.fullmatch(declared):
        raise MalformedResponse("a header's name is none")
    return declared.lower()


def _text(value: Any) -> str:
    if isinstance(value, dict | list):
        raise MalformedResponse("a header is neither text nor number")
    return ("true" if value else "false") if isinstance(value, bool) else str(value)


def _content(result: dict[str, Any]) -> bytes:
    body = result.get("body")
    if body is None:
        return b""
    if not isinstance(body, str):
        raise MalformedResponse("the body is not a string")
    if not result.get("isBase64Encoded"):
        return body.encode()
    try:
        return base64.b64decode(body, validate=True)
    except binascii.Error:
        raise MalformedResponse("the body is not base64") from None
