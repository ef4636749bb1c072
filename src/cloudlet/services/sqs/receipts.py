"""Receipt handles: which receive of which message, opaque and signed, so that none can be made up."""

import base64
import binascii
import hmac
import struct
from dataclasses import dataclass
from hashlib import blake2b

_FIELDS = struct.Struct(">QQI")
_MAC = 20


@dataclass(frozen=True, slots=True)
class Receipt:
    """The `number`th receive of a message from a queue; `queue` and `message` are row ids."""

    queue: int
    message: int
    number: int


def seal(receipt: Receipt, key: bytes) -> str:
    fields = _FIELDS.pack(receipt.queue, receipt.message, receipt.number)
    return base64.b64encode(fields + _mac(fields, key)).decode()


def unseal(handle: str, key: bytes) -> Receipt | None:
    """None if the handle was never given out under this key."""
    try:
        raw = base64.b64decode(handle, validate=True)
    except (binascii.Error, ValueError):
        return None
    fields = raw[: _FIELDS.size]
    if len(raw) != _FIELDS.size + _MAC or not hmac.compare_digest(raw[_FIELDS.size :], _mac(fields, key)):
        return None
    return Receipt(*_FIELDS.unpack(fields))


def _mac(fields: bytes, key: bytes) -> bytes:
    return blake2b(fields, key=key, digest_size=_MAC).digest()
