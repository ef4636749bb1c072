"""JSON bodies: read, written, and the conversions that JSON needs."""

from collections.abc import Callable, Mapping
from typing import Any

import orjson
from botocore.model import Shape

from cloudlet.core.model import members_of
from cloudlet.gateway.protocols.protocol import malformed
from cloudlet.gateway.protocols.structured import (
    Conversions,
    Convert,
    base64_of,
    bytes_of,
    float_of,
    float_words,
    timestamp_reader,
    timestamp_writer,
    without_nulls,
)


def read_json(body: bytes) -> Any:
    """The value, without null members. Raises SerializationException."""
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError:
        raise malformed(_why(body)) from None
    return without_nulls(value) if b"null" in body else value


def read_object(body: bytes) -> dict[str, Any]:
    """An empty body is an empty object."""
    if not body:
        return {}
    value = read_json(body)
    if not isinstance(value, dict):
        raise malformed("Start of structure or map expected")
    return value  # pyright: ignore[reportUnknownVariableType]


def write_json(value: Any) -> bytes:
    body = orjson.dumps(value, option=orjson.OPT_NON_STR_KEYS)
    return orjson.dumps(without_nulls(value), option=orjson.OPT_NON_STR_KEYS) if b":null" in body else body


def _timestamp_reader(shape: Shape) -> Convert:
    return timestamp_reader(shape, "unixTimestamp")


def _timestamp_writer(shape: Shape) -> Convert:
    return timestamp_writer(shape, "unixTimestamp")


_DECODE: Mapping[str, Callable[[Shape], Convert]] = {
    "blob": lambda shape: bytes_of,
    "timestamp": _timestamp_reader,
    "float": lambda shape: float_of,
    "double": lambda shape: float_of,
}
_ENCODE: Mapping[str, Callable[[Shape], Convert]] = {
    "blob": lambda shape: base64_of,
    "timestamp": _timestamp_writer,
    "float": lambda shape: float_words,
    "double": lambda shape: float_words,
}


def json_decoding(api: str) -> Conversions:
    return Conversions(api, _DECODE, "decode")


def json_encoding(api: str) -> Conversions:
    return Conversions(api, _ENCODE, "encode")


def message_member(shape: Shape | None) -> str:
    """An error's text is `message` to most services, `Message` to some."""
    return "Message" if shape is not None and "Message" in members_of(shape) else "message"


def _why(body: bytes) -> str:
    try:
        body.decode()
    except UnicodeDecodeError:
        return "Invalid UTF-8 in the request body"
    return "Unable to parse the request body as JSON"
