"""Parameter mapping: changes of requests before integrations see them, and of answers before clients do."""

import re
from collections.abc import Mapping
from typing import NamedTuple
from urllib.parse import parse_qsl, urlencode

from cloudlet.core.http import HttpRequest, HttpResponse
from cloudlet.gateway.wire import HEADER_NAME
from cloudlet.services.apigatewayv2 import expressions
from cloudlet.services.apigatewayv2.expressions import Expression

_KEY = re.compile(r"(?:(append|overwrite|remove):(header|querystring)\.(.+)|(overwrite):(path|statuscode))")
_STATUS = re.compile(r"[2-5][0-9]{2}")
_RESERVED = re.compile(
    r"(?:access-control-|apigw-|x-amz-|x-amzn-).*|authorization|connection|content-encoding|content-length"
    r"|content-location|forwarded|keep-alive|origin|proxy-authenticate|proxy-authorization|te|trailers"
    r"|transfer-encoding|upgrade|x-forwarded-for|x-forwarded-host|x-forwarded-proto|via"
)
_REQUEST_PLACES = frozenset(("header", "querystring", "path"))
_RESPONSE_PLACES = frozenset(("header", "statuscode"))


class Change(NamedTuple):
    """One change: `append`, `overwrite` or `remove`, where (`header`), of what name, to which value."""

    action: str
    place: str
    name: str
    value: Expression | None


# A change whose value is known; None for one that is removed.
Evaluated = tuple[Change, str | None]


def request_changes(parameters: Mapping[str, str]) -> tuple[Change, ...]:
    """Reads RequestParameters. Raises ValueError."""
    places = expressions.REQUEST | expressions.SURROUNDINGS
    return tuple(_change(key, value, _REQUEST_PLACES, places) for key, value in parameters.items())


def response_changes(parameters: Mapping[str, Mapping[str, str]]) -> dict[int, tuple[Change, ...]]:
    """Reads ResponseParameters: changes by the status of the integration's answer. Raises ValueError."""
    places = expressions.RESPONSE | expressions.SURROUNDINGS
    found: dict[int, tuple[Change, ...]] = {}
    for status, changes in parameters.items():
        if not _STATUS.fullmatch(status):
            raise ValueError(f"Invalid response status code specified: {status}")
        found[int(status)] = tuple(_change(key, value, _RESPONSE_PLACES, places) for key, value in changes.items())
    return found


def _change(key: str, value: str, targets: frozenset[str], places: frozenset[str]) -> Change:
    match = _KEY.fullmatch(key)
    place = (match[2] or match[5]) if match is not None else ""
    if match is None or place not in targets:
        raise ValueError(f"Invalid mapping expression specified: {key}")
    action, name = match[1] or match[4], match[3] or ""
    if place == "header":
        name = name.lower()
        if not HEADER_NAME.fullmatch(name) or _RESERVED.fullmatch(name):
            raise ValueError(f"Operations on header {name} are restricted")
    return Change(action, place, name, None if action == "remove" else expressions.parse(value, places))


def changed_request(request: HttpRequest, changes: list[Evaluated]) -> HttpRequest:
    """The request with the changes of headers and query strings; a changed path is for the integration to see to."""
    headers = dict(request.headers)
    query = parse_qsl(request.query, keep_blank_values=True)
    touched = False
    for change, value in changes:
        if change.place == "header":
            _change_header(headers, change, value)
        elif change.place == "querystring":
            touched = True
            if change.action != "append":
                query = [pair for pair in query if pair[0] != change.name]
            if value is not None:
                query.append((change.name, value))
    return HttpRequest(
        request.method,
        request.path,
        urlencode(query) if touched else request.query,
        headers,
        request.body,
        request.scheme,
        request.client,
    )


def _change_header(headers: dict[str, str], change: Change, value: str | None) -> None:
    earlier = headers.pop(change.name, None)
    if value is not None:
        value = _one_line(value)
        headers[change.name] = f"{earlier},{value}" if change.action == "append" and earlier is not None else value


def change_response(response: HttpResponse, changes: list[Evaluated]) -> None:
    for change, value in changes:
        if change.place == "statuscode":
            if value is not None and _STATUS.fullmatch(value):
                response.status = int(value)
            continue
        if change.action != "append":
            response.headers = [pair for pair in response.headers if pair[0].lower() != change.name]
        if value is not None:
            response.headers.append((change.name, _one_line(value)))


def _one_line(value: str) -> str:
    """A value from a body must not become several headers."""
    return value.replace("\r", " ").replace("\n", " ")
