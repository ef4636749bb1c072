"""The canonical form of a request that Signature Version 4 signs, of values as they were on the wire."""

import re
from collections.abc import Iterable, Mapping
from urllib.parse import quote, unquote_to_bytes

from cloudlet.core.remembering import remembered

_PLAIN_PATH = re.compile(r"[A-Za-z0-9_.~/-]*")
_PLAIN_SEGMENTS = re.compile(r"(?:/[A-Za-z0-9_~-][A-Za-z0-9_.~-]*)*/?")
_PLAIN_QUERY = re.compile(r"[A-Za-z0-9_.~&=-]*")
_UNTIDY = re.compile(r"  |\t|: | $", re.MULTILINE)
_SPACES = re.compile(r"[ \t\r\n\f\v]+")


def object_path(path: str) -> str:
    """S3's: the path exactly as it names the object, percent-encoded once."""
    if _PLAIN_PATH.fullmatch(path):
        return path
    return "/".join([_encoded(segment) for segment in path.split("/")])


def resource_path(path: str) -> str:
    """Every other service's: without dot segments and empty segments, and encoded once more."""
    if _PLAIN_SEGMENTS.fullmatch(path):
        return path or "/"
    segments: list[str] = []
    for segment in path.split("/"):
        if segment == "..":
            del segments[-1:]
        elif segment not in ("", "."):
            segments.append(segment)
    end = "/" if segments and path.endswith("/") else ""
    return quote(f"/{'/'.join(segments)}{end}".encode("latin-1"), safe="/~")


def query(text: str, leave_out: str | None = None) -> str:
    """The query's parameters, each encoded anew, in order; without the one named `leave_out`."""
    if not text:
        return ""
    pairs: list[tuple[str, str]] = []
    plain = _PLAIN_QUERY.fullmatch(text) is not None
    for pair in text.split("&"):
        if not pair:
            continue
        name, _, value = pair.partition("=")
        if name == leave_out:
            continue
        if not plain:
            # As in a form, a plus sign is a space.
            name, value = _encoded(name.replace("+", " ")), _encoded(value.replace("+", " "))
        pairs.append((name, value))
    return "&".join([f"{name}={value}" for name, value in sorted(pairs)])


def header_lines(names: Iterable[str], headers: Mapping[str, str]) -> str:
    """A line `name:value` for each signed header, its white space reduced; one that is missing counts as empty."""
    lines = "\n".join([f"{name}:{headers.get(name, '')}" for name in names])
    if _UNTIDY.search(lines) is None:
        return lines
    return "\n".join([f"{name}:{_reduced(headers.get(name, ''))}" for name in names])


def _reduced(value: str) -> str:
    if "  " in value or "\t" in value or value[:1] == " " or value[-1:] == " ":
        return _SPACES.sub(" ", value).strip(" ")
    return value


@remembered(4096)
def _encoded(text: str) -> str:
    """Decoded, then encoded as signatures want it: whichever way the sender wrote it."""
    return quote(unquote_to_bytes(text.encode("latin-1")), safe="~")
