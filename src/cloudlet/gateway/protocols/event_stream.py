"""Event streams on their way out: `application/vnd.amazon.eventstream`, one frame for each event.

A frame is its length, the length of its headers and their checksum; the headers; the payload; a checksum of it all.
"""

import logging
import struct
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from dataclasses import dataclass
from zlib import crc32

from botocore.model import Shape

from cloudlet.core.errors import AwsError, InternalError
from cloudlet.core.model import members_of
from cloudlet.gateway.errors import spelled
from cloudlet.gateway.protocols.json_values import json_encoding, message_member, write_json
from cloudlet.gateway.protocols.protocol import Params
from cloudlet.gateway.protocols.structured import Conversions

EVENT_STREAM = "application/vnd.amazon.eventstream"

_log = logging.getLogger(__name__)
_PRELUDE = struct.Struct(">II")
_CHECKSUM = struct.Struct(">I")
_LENGTH = struct.Struct(">H")
# Of the types that a header's value can have, the one that is used here: text.
_TEXT = 7


def frame(headers: dict[str, str], payload: bytes) -> bytes:
    """One message of the format. Names have up to 255 bytes, values up to 32,767."""
    encoded = b"".join(map(_header, headers.keys(), headers.values()))
    # Two checksums of four bytes each, beside the prelude.
    prelude = _PRELUDE.pack(_PRELUDE.size + len(encoded) + len(payload) + 2 * _CHECKSUM.size, len(encoded))
    checked = prelude + _CHECKSUM.pack(crc32(prelude)) + encoded + payload
    return checked + _CHECKSUM.pack(crc32(checked))


def _header(name: str, value: str) -> bytes:
    name_bytes, value_bytes = name.encode(), value.encode()
    return bytes((len(name_bytes),)) + name_bytes + bytes((_TEXT,)) + _LENGTH.pack(len(value_bytes)) + value_bytes


@dataclass(frozen=True, slots=True)
class _Event:
    """How an event's value becomes a payload, and of which type that is."""

    content_type: str
    write: Callable[[Params], bytes]


class EventStreamWriter:
    """Writes the events of one operation's output.

    Services give an async iterator of dicts with one member each: the event's name, and its value as botocore has it
    (`{"PayloadChunk": {"Payload": b"..."}}`). An AwsError raised by the iterator ends the stream with its exception.
    """

    def __init__(self, api: str, protocol: str, shape: Shape, content_type: str) -> None:
        """`shape` is that of the event stream; `content_type` that of events which are structures."""
        self._api = api
        self._protocol = protocol
        self._content_type = content_type
        self._encoding = json_encoding(api)
        self._exceptions = {
            member.name: name for name, member in members_of(shape).items() if member.metadata.get("exception")
        }
        self._events = {
            name: _event(self._encoding, member, content_type)
            for name, member in members_of(shape).items()
            if member.name not in self._exceptions
        }

    async def frames(self, events: AsyncIterator[Params], initial: bytes | None = None) -> AsyncGenerator[bytes]:
        """`initial` is what the output has beside the stream, where the protocol says it in a first event.

        Closing it closes `events`.
        """
        if initial is not None:
            yield self._event("initial-response", self._content_type, initial)
        try:
            async for event in events:
                ((name, value),) = event.items()
                found = self._events[name]
                yield self._event(name, found.content_type, found.write(value))
        except AwsError as error:
            yield self._error(error)
        except Exception:  # noqa: BLE001 - the boundary: logged here, and the client learns of it
            _log.exception("an event stream failed", extra={"api": self._api})
            yield self._error(InternalError())
        finally:
            if isinstance(events, AsyncGenerator):
                await events.aclose()

    def _event(self, name: str, content_type: str, payload: bytes) -> bytes:
        headers = {":message-type": "event", ":event-type": name, ":content-type": content_type}
        return frame(headers, payload)

    def _error(self, error: AwsError) -> bytes:
        """An exception where the stream's shape has it, else an error without further members."""
        found = spelled(self._api, self._protocol, error)
        name = self._exceptions.get(found.name)
        if name is None or found.shape is None:
            headers = {":message-type": "error", ":error-code": found.name, ":error-message": found.message[:8000]}
            return frame(headers, b"")
        fields: Params = self._encoding.structure(found.shape)(dict(found.fields))
        body = write_json({**fields, message_member(found.shape): found.message})
        headers = {":message-type": "exception", ":exception-type": name, ":content-type": self._content_type}
        return frame(headers, body)


def _event(encoding: Conversions, shape: Shape, content_type: str) -> _Event:
    """The payload is one member where the model says so, else the structure as JSON."""
    payload = next((name for name, member in members_of(shape).items() if member.serialization.get("eventpayload")), "")
    if not payload:
        convert = encoding.structure(shape)
        return _Event(content_type, lambda value: write_json(convert(value)))
    member = members_of(shape)[payload]
    if member.type_name == "blob":
        return _Event("application/octet-stream", lambda value: value.get(payload, b""))
    if member.type_name == "string":
        return _Event("text/plain", lambda value: value.get(payload, "").encode())
    convert_member = encoding.structure(member)
    return _Event(content_type, lambda value: write_json(convert_member(value.get(payload) or {})))
