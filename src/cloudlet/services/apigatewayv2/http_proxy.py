"""HTTP integrations: the request passed on to another server, its answer passed back."""

from urllib.parse import quote, urlsplit, urlunsplit

import aiohttp

from cloudlet.core.http import HttpResponse
from cloudlet.services.apigatewayv2.exchange import Exchange
from cloudlet.services.apigatewayv2.refusal import failed, timed_out
from cloudlet.services.apigatewayv2.serving import Integration

_LARGEST = 10 * 1024 * 1024
_CHUNK = 64 * 1024
_MOST_CONNECTIONS = 1_000
_VIA = "HTTP/1.1 AmazonAPIGateway"
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


class HttpProxy:
    """Keeps connections to the servers behind APIs open for the requests to come."""

    def __init__(self) -> None:
        self._session: aiohttp.ClientSession | None = None

    async def stop(self) -> None:
        if self._session is not None:
            await self._session.close()

    async def forward(self, exchange: Exchange, integration: Integration) -> HttpResponse:
        """`{name}` in the integration's address stands for a path variable of the route. Raises Refusal."""
        request = exchange.integration_request
        headers = [(name, value) for name, value in request.headers.items() if name not in _CONNECTION]
        headers.append(("via", _VIA))
        forwarded = f"by={exchange.domain};for={request.client};host={request.host};proto={request.scheme}"
        earlier = request.headers.get("forwarded")
        headers = [pair for pair in headers if pair[0] != "forwarded"]
        headers.append(("forwarded", f"{earlier},{forwarded}" if earlier else forwarded))
        try:
            async with self._open().request(
                request.method if integration.method == "ANY" else integration.method,
                _url(exchange, integration),
                headers=headers,
                data=exchange.body or None,
                allow_redirects=False,
                timeout=aiohttp.ClientTimeout(total=integration.timeout),
                server_hostname=integration.server_name,
            ) as response:
                exchange.integration_status = response.status
                passed = [
                    (name.lower(), value) for name, value in response.headers.items() if name.lower() not in _CONNECTION
                ]
                length = response.content_length if request.method == "HEAD" else None  # of what GET would bring
                return HttpResponse(response.status, passed, await _content(response), length)
        except TimeoutError:
            exchange.integration_error = "The integration did not answer in time."
            raise timed_out() from None
        except (aiohttp.ClientError, ValueError) as error:
            exchange.integration_error = str(error)
            raise failed() from error

    def _open(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=_MOST_CONNECTIONS),
                cookie_jar=aiohttp.DummyCookieJar(),
                auto_decompress=False,
                skip_auto_headers=("User-Agent", "Accept", "Accept-Encoding", "Content-Type"),
            )
        return self._session


def _url(exchange: Exchange, integration: Integration) -> str:
    url = integration.uri
    if exchange.match is not None:
        for name, value in exchange.match.variables.items():
            quoted = quote(value)  # a question mark in a path is none that begins a query
            url = url.replace("{" + name + "+}", quoted).replace("{" + name + "}", quoted)
    if exchange.path_override is not None:
        url = urlunsplit(urlsplit(url)._replace(path=exchange.path_override))
    query = exchange.integration_request.query
    if query:
        url += ("&" if "?" in url else "?") + query
    return url


async def _content(response: aiohttp.ClientResponse) -> bytes:
    """Raises ValueError if it is more than an API passes on."""
    content = bytearray()
    async for chunk in response.content.iter_chunked(_CHUNK):
        content += chunk
        if len(content) > _LARGEST:
            raise ValueError("the integration's answer is too large")
    return bytes(content)
