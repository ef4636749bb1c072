"""Heads of HTTP messages: names, values and status lines as bytes."""

import re
import time
from email.utils import formatdate
from functools import lru_cache
from http import HTTPStatus

from cloudlet.core.http import HttpResponse

_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
_TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")


@lru_cache(maxsize=1024)
def name_received(raw: bytes) -> str:
    """A header's name as `HttpRequest` has it: in lower case."""
    return raw.lower().decode("latin-1")


def response_head(response: HttpResponse, length: int | None, *, keep_alive: bool, chunked: bool) -> bytes:
    """Status line and headers. `length`, where there is one, replaces what the headers say of it.

    Raises ValueError for a header's name that is none (RFC 9110, 5.1): functions choose names, too.
    """
    lines = [_status_line(response.status), _date_line(int(time.time()))]
    for name, value in response.headers:
        field = _field(name)
        if field is not _LENGTH or length is None:
            lines += (field, header_value(value), b"\r\n")
    if length is not None:
        lines.append(b"content-length: %d\r\n" % length)
    elif chunked:
        lines.append(b"transfer-encoding: chunked\r\n")
    lines.append(b"\r\n" if keep_alive else b"connection: close\r\n\r\n")
    return b"".join(lines)


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


_LENGTH = b"content-length: "


@lru_cache(maxsize=1024)
def _field(name: str) -> bytes:
    if not _TOKEN.fullmatch(name):
        raise ValueError(f"not the name of a header: {name!r}")
    field = name.encode() + b": "
    return _LENGTH if field.lower() == _LENGTH else field


@lru_cache
def _status_line(status: int) -> bytes:
    """Functions may answer with a status that has no name."""
    try:
        phrase = HTTPStatus(status).phrase
    except ValueError:
        phrase = ""
    return f"HTTP/1.1 {status} {phrase}\r\n".encode()


@lru_cache(maxsize=1)
def _date_line(second: int) -> bytes:
    return f"date: {formatdate(second, usegmt=True)}\r\n".encode()
