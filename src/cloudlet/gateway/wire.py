"""Heads of HTTP messages: names, values and status lines as bytes."""

import re
import time
from email.utils import formatdate
from functools import lru_cache
from http import HTTPStatus

from cloudlet.core.http import HttpResponse
from cloudlet.core.remembering import remembered

_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
HEADER_NAME = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")


def response_head(response: HttpResponse, length: int | None, *, keep_alive: bool, chunked: bool) -> bytes:
    """Status line and headers. `length`, where there is one, replaces what the headers say of it.

    Of the connection only what is said here goes out: functions choose headers, too. Raises ValueError for a header's
    name that is none (RFC 9110, 5.1).
    """
    lines = [_status_line(response.status), _date_line(int(time.time()))]
    for name, value in response.headers:
        field = _field(name)
        if field and (field is not _LENGTH or (length is None and response.status != 204)):
            plain = value.isascii() and value.isprintable()
            lines.append(b"%b%b\r\n" % (field, value.encode() if plain else header_value(value)))
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
    text = _CONTROL.sub(" ", text)
    try:
        return text.encode("latin-1")
    except UnicodeEncodeError:
        return text.encode("utf-8", "replace")


_LENGTH = b"content-length: "
# What is between this server and whoever is next to it (RFC 9110, 7.6.1), and the time at which it answers.
_OWN = frozenset(
    {"connection", "date", "keep-alive", "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade"}
)


@remembered(1024)
def _field(name: str) -> bytes:
    """The name as it goes out, before its value; nothing where it does not."""
    if not HEADER_NAME.fullmatch(name):
        raise ValueError(f"not the name of a header: {name!r}")
    if name.lower() in _OWN:
        return b""
    return _LENGTH if name.lower() == "content-length" else name.encode() + b": "


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
