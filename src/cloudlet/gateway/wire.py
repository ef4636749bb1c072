"""ASGI's messages in, our HTTP types in between, ASGI's messages out."""

import re
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import lru_cache
from typing import Any

from cloudlet.core.errors import AwsError
from cloudlet.core.http import Body, HttpRequest, HttpResponse

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]

# Bodies up to here are read before anything else; larger ones are streamed to operations that can take a stream.
IN_MEMORY = 128 * 1024
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")


class ClientGone(Exception):
    """The client closed the connection before its request was complete."""


async def read_request(scope: Scope, receive: Receive) -> HttpRequest:
    """The request, with its body in memory if it is declared small, else as a stream."""
    headers: dict[str, str] = {}
    for raw_name, raw_value in scope["headers"]:
        name, value = raw_name.decode("latin-1"), raw_value.decode("latin-1")
        headers[name] = f"{headers[name]},{value}" if name in headers else value
    declared = headers.get("content-length")
    length = int(declared) if declared is not None and declared.isdigit() else None
    if length is None and "transfer-encoding" not in headers:
        length = 0
    if length == 0:
        body = Body.of(b"")
    elif length is not None and length <= IN_MEMORY:
        body = Body.of(await _read_small(receive))
    else:
        body = Body.streamed(_stream(receive), length)
    client = scope.get("client")
    return HttpRequest(
        method=scope["method"],
        path=scope["raw_path"].decode("latin-1"),
        query=scope["query_string"].decode("latin-1"),
        headers=headers,
        body=body,
        scheme=scope.get("scheme", "http"),
        client=client[0] if client else "",
    )


async def read_all(request: HttpRequest, limit: int) -> bytes:
    """The whole body, for operations that need it whole. Raises RequestEntityTooLarge (413) beyond `limit` bytes."""
    if request.body.content is None:
        if request.body.length is not None and request.body.length > limit:
            raise _too_large(limit)
        chunks: list[bytes] = []
        size = 0
        async for chunk in request.body:
            size += len(chunk)
            if size > limit:
                raise _too_large(limit)
            chunks.append(chunk)
        request.body = Body.of(b"".join(chunks))
    return await request.body.read()


async def send_response(send: Send, response: HttpResponse, head: bool) -> None:
    """`head` leaves the body out and says how long it would be."""
    raw = [(_header_name(name), header_value(value)) for name, value in response.headers]
    body = response.body
    length = response.content_length
    if length is None and isinstance(body, bytes) and not (head and _has_length(response)):
        length = len(body)
    if length is not None and response.status not in (204, 304):
        if _has_length(response):
            raw = [pair for pair in raw if pair[0] != b"content-length"]
        raw.append((b"content-length", str(length).encode()))
    await send({"type": "http.response.start", "status": response.status, "headers": raw})
    if isinstance(body, bytes):
        await send({"type": "http.response.body", "body": b"" if head else body})
        return
    if not head:
        async for chunk in body:
            await send({"type": "http.response.body", "body": chunk, "more_body": True})
    await send({"type": "http.response.body", "body": b""})


@lru_cache(maxsize=1024)
def _header_name(name: str) -> bytes:
    return name.lower().encode("latin-1")


def header_value(text: str) -> bytes:
    """A header's value on the wire: what came in as Latin-1 goes out as the same bytes, all else as UTF-8.

    Control characters become spaces: a value that a client chose must not end the header.
    """
    if text.isascii() and text.isprintable():
        return text.encode()
    text = _CONTROL.sub(" ", text)
    try:
        return text.encode("latin-1")
    except UnicodeEncodeError:
        return text.encode("utf-8", "replace")


def _has_length(response: HttpResponse) -> bool:
    return any(name.lower() == "content-length" for name, _ in response.headers)


async def _read_small(receive: Receive) -> bytes:
    message = await receive()
    if message["type"] == "http.disconnect":
        raise ClientGone
    content: bytes = message.get("body", b"")
    if not message.get("more_body", False):
        return content
    return b"".join([content, *[chunk async for chunk in _stream(receive)]])


async def _stream(receive: Receive) -> AsyncIterator[bytes]:
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientGone
        chunk = message.get("body", b"")
        if chunk:
            yield chunk
        if not message.get("more_body", False):
            return


def _too_large(limit: int) -> AwsError:
    return AwsError("RequestEntityTooLarge", f"The request body is larger than {limit} bytes.", status=413)
