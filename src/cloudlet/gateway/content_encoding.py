"""Bodies that clients compressed: undone before the protocol reads them, never beyond the largest body."""

import zlib

from cloudlet.core.errors import AwsError, InternalError

_WINDOW_BITS = {"gzip": 31, "deflate": 15}


def decoded(content: bytes, encoding: str, largest: int) -> bytes:
    """The body without its Content-Encoding (gzip, deflate, identity).

    AWS answers 500 to what is not what it says, and so does this. Raises RequestEntityTooLarge beyond `largest` bytes.
    """
    if encoding == "identity":
        return content
    if encoding not in _WINDOW_BITS:
        raise InternalError
    plain = bytearray()
    rest = content
    while True:
        member = zlib.decompressobj(_WINDOW_BITS[encoding])
        try:
            plain += member.decompress(rest, largest + 1 - len(plain))
        except zlib.error:
            raise InternalError from None
        if len(plain) > largest:
            raise AwsError("RequestEntityTooLarge", "The request body is too large.", status=413)
        if not member.eof:
            raise InternalError
        # gzip allows several members, one after the other.
        rest = member.unused_data
        if not rest:
            return bytes(plain)
