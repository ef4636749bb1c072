"""Payload format 2.0: the events that functions get for HTTP requests, and the answers that their results stand for."""

import base64
import binascii
import re
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, cast
from urllib.parse import parse_qsl

import orjson

from cloudlet.core.http import HttpRequest, HttpResponse

_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_TEXT_TYPES = ("application/json", "application/javascript", "application/xml")
# What belongs to the connection with the client and means nothing behind it.
_CONNECTION = frozenset(("connection", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade"))
_TIME = "%d/%b/%Y:%H:%M:%S +0000"


class MalformedResponse(Exception):
    """The function's result is not an answer that the payload format knows."""


@dataclass(frozen=True, slots=True)
class Entrance:
    """Where a request came in. `time` is in epoch seconds, `path` as the function is to see it."""

    request_id: str
    account: str
    api_id: str
    domain: str
    path: str
    time: float
    stage: str = "$default"
    route_key: str = "$default"


def event(request: HttpRequest, body: bytes, entrance: Entrance, trace_id: str) -> dict[str, Any]:
    """The event without what an authorizer, a route or a stage may add."""
    headers = headers_passed_on(request, body, trace_id)
    cookies = [each.strip() for each in headers.pop("cookie", "").split(";") if each.strip()]
    query = _query(request.query)
    text, is_base64 = body_text(request, body)
    found: dict[str, Any] = {
        "version": "2.0",
        "routeKey": entrance.route_key,
        "rawPath": entrance.path,
        "rawQueryString": request.query,
        "headers": headers,
        "requestContext": _context(request, entrance, headers.get("user-agent", "")),
        "isBase64Encoded": is_base64,
    }
    optional = {"cookies": cookies, "queryStringParameters": query, "body": text}
    return found | {name: value for name, value in optional.items() if value}


def _context(request: HttpRequest, entrance: Entrance, user_agent: str) -> dict[str, Any]:
    return {
        "accountId": entrance.account,
        "apiId": entrance.api_id,
        "domainName": entrance.domain,
        "domainPrefix": entrance.domain.split(".")[0],
        "http": {
            "method": request.method,
            "path": entrance.path,
            "protocol": "HTTP/1.1",
            "sourceIp": request.client,
            "userAgent": user_agent,
        },
        "requestId": entrance.request_id,
        "routeKey": entrance.route_key,
        "stage": entrance.stage,
        "time": time.strftime(_TIME, time.gmtime(entrance.time)),
        "timeEpoch": int(entrance.time * 1000),
    }


def headers_passed_on(request: HttpRequest, body: bytes, trace_id: str) -> dict[str, str]:
    """The request's headers without those of the connection, and with those that AWS adds."""
    headers = {name: value for name, value in request.headers.items() if name not in _CONNECTION}
    _, _, port = request.host.rpartition(":")
    earlier = headers.get("x-forwarded-for")
    headers["content-length"] = str(len(body))
    headers["x-amzn-trace-id"] = trace_id
    headers["x-forwarded-for"] = request.client if earlier is None else f"{earlier}, {request.client}"
    headers["x-forwarded-port"] = port if port.isdigit() else "80"
    headers["x-forwarded-proto"] = request.scheme
    return headers


def _query(query: str) -> dict[str, str]:
    """Several values of one name are one, with commas between them."""
    found: dict[str, str] = {}
    for name, value in parse_qsl(query, keep_blank_values=True):
        found[name] = f"{found[name]},{value}" if name in found else value
    return found


def body_text(request: HttpRequest, body: bytes) -> tuple[str | None, bool]:
    """Text stays text where its type says so, all else is base64."""
    if not body:
        return None, False
    kind = request.headers.get("content-type", "text/plain").split(";")[0].strip().lower()
    if kind.startswith("text/") or kind in _TEXT_TYPES or kind.endswith(("+json", "+xml")):
        with suppress(UnicodeDecodeError):  # what is not what its type says goes on as it is
            return body.decode(), False
    return base64.b64encode(body).decode(), True


def answer(payload: bytes) -> HttpResponse:
    """The HTTP answer for a function's result. Raises MalformedResponse."""
    try:
        result = orjson.loads(payload) if payload else None
    except orjson.JSONDecodeError:
        raise MalformedResponse("the result is not JSON") from None
    if isinstance(result, dict) and "statusCode" in result:
        found = cast("dict[str, Any]", result)
        response = head(found, "text/plain;charset=UTF-8")
        response.body = content_of(found)
        return response
    body = result.encode() if isinstance(result, str) else orjson.dumps(result)
    return HttpResponse(200, [("content-type", "application/json")], body)


def head(declared: dict[str, Any], content_type: str) -> HttpResponse:
    """Status, headers and cookies; `content_type` where none is declared. Raises MalformedResponse."""
    try:
        status = int(declared.get("statusCode", 200))
    except (TypeError, ValueError):
        raise MalformedResponse("statusCode is not a number") from None
    if not 200 <= status <= 599:  # those before are no answers yet
        raise MalformedResponse("statusCode is no HTTP status")
    headers = _headers_declared(declared.get("headers"))
    headers += [("set-cookie", str(each)) for each in cast("list[Any]", declared.get("cookies") or [])]
    if all(name != "content-type" for name, _ in headers):
        headers.append(("content-type", content_type))
    return HttpResponse(status, headers)


def _headers_declared(declared: Any) -> list[tuple[str, str]]:
    if declared is None:
        return []
    if not isinstance(declared, dict):
        raise MalformedResponse("headers is not an object")
    return [(header_name(name), header_text(value)) for name, value in cast("dict[str, Any]", declared).items()]


def header_name(declared: str) -> str:
    """In lower case. Raises MalformedResponse."""
    if not _HEADER_NAME.fullmatch(declared):
        raise MalformedResponse("a header's name is none")
    return declared.lower()


def header_text(value: Any) -> str:
    """Raises MalformedResponse."""
    if isinstance(value, dict | list):
        raise MalformedResponse("a header is neither text nor number")
    return ("true" if value else "false") if isinstance(value, bool) else str(value)


def content_of(result: dict[str, Any]) -> bytes:
    """The body that a result declares. Raises MalformedResponse."""
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
