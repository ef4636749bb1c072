"""HTTP integrations: the request passed on to another server, its answer passed back."""

import logging
from typing import Any

import aiohttp
import orjson

from cloudlet.core.http import HttpResponse
from cloudlet.services.apigatewayv2.events import Incoming

_log = logging.getLogger(__name__)
_LARGEST = 10 * 1024 * 1024
_CHUNK = 64 * 1024
# What belongs to one connection and is not passed on.
_CONNECTION = frozenset(
    (
        "connection",
        "content-length",
        "host",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    )
)


async def forward(incoming: Incoming, integration: dict[str, Any], path: str, timeout: float) -> HttpResponse:
    """`{name}` in the integration's address stands for a path variable of the route."""
    request = incoming.request
    url = integration["IntegrationUri"]
    for name, value in incoming.match.variables.items():
        url = url.replace("{" + name + "+}", value).replace("{" + name + "}", value)
    if request.query:
        url += ("&" if "?" in url else "?") + request.query
    method = integration.get("IntegrationMethod", "ANY")
    headers = {name: value for name, value in request.headers.items() if name not in _CONNECTION}
    headers["forwarded"] = f"by={incoming.domain};for={request.client};host={request.host};proto={request.scheme}"
    try:
        async with (
            aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=timeout), auto_decompress=False) as session,
            session.request(
                request.method if method == "ANY" else method,
                url,
                headers=headers,
                data=incoming.body or None,
                allow_redirects=False,
            ) as response,
        ):
            passed = [
                (name.lower(), value) for name, value in response.headers.items() if name.lower() not in _CONNECTION
            ]
            content = await _content(response)
            if content is None:
                _log.warning("the integration's answer is too large", extra={"api": incoming.api_id, "url": url})
                return _unavailable(500, "Internal Server Error")
            return HttpResponse(response.status, passed, content)
    except TimeoutError:
        return _unavailable(503, "Service Unavailable")
    except (aiohttp.ClientError, ValueError) as error:
        _log.warning("the integration failed", extra={"api": incoming.api_id, "url": url, "error": str(error)})
        return _unavailable(500, "Internal Server Error")


async def _content(response: aiohttp.ClientResponse) -> bytes | None:
    """None if it is more than an API passes on."""
    content = bytearray()
    async for chunk in response.content.iter_chunked(_CHUNK):
        content += chunk
        if len(content) > _LARGEST:
            return None
    return bytes(content)


def _unavailable(status: int, text: str) -> HttpResponse:
    return HttpResponse(status, [("content-type", "application/json")], orjson.dumps({"message": text}))
