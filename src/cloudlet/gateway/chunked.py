"""The aws-chunked content encoding: framed chunks, each signed or not, and trailing headers. Bytes in, bytes out."""

import hashlib
import hmac
import re
from collections.abc import Iterator
from typing import NamedTuple

from cloudlet.core.errors import AwsError

_EMPTY = hashlib.sha256(b"").hexdigest()
_SIZE = re.compile(rb"([0-9a-fA-F]{1,15})(?:;chunk-signature=([0-9a-f]{64}))?")
_LONGEST_LINE = 16 * 1024
_SMALLEST_CHUNK = 8 * 1024


class Seed(NamedTuple):
    """The signature of the headers, from which the chunks' signatures are chained."""

    key: bytes
    timestamp: str
    scope: str
    signature: str


class ChunkSignatures:
    """The chain: every signature covers the one before it."""

    def __init__(self, seed: Seed) -> None:
        self._seed = seed
        self._previous = seed.signature

    def check(self, digest: str, given: str) -> None:
        """Raises SignatureDoesNotMatch unless `given` signs a chunk with that SHA-256."""
        self._check("AWS4-HMAC-SHA256-PAYLOAD", f"{_EMPTY}\n{digest}", given)

    def check_trailer(self, digest: str, given: str) -> None:
        self._check("AWS4-HMAC-SHA256-TRAILER", digest, given)

    def _check(self, algorithm: str, what: str, given: str) -> None:
        seed = self._seed
        to_sign = f"{algorithm}\n{seed.timestamp}\n{seed.scope}\n{self._previous}\n{what}"
        expected = hmac.digest(seed.key, to_sign.encode(), "sha256").hex()
        if not hmac.compare_digest(expected.encode(), given.encode()):
            raise AwsError(
                "SignatureDoesNotMatch",
                "The request signature we calculated does not match the signature you provided. Check your key and "
                "signing method.",
                status=403,
                fields={"StringToSign": to_sign, "SignatureProvided": given},
            )
        self._previous = expected


class ChunkedDecoder:
    """Takes the frames apart as they arrive, in whatever pieces. Holds a line at most, never a chunk.

    `length` is how many bytes were announced; `signatures` is None if the chunks are not signed; `expected` the names
    of the trailing headers announced, which are in `trailers` at the end. Data is handed on before its chunk's
    signature can be checked: whoever reads must not use it before `finish` has returned.
    """

    def __init__(
        self, length: int, signatures: ChunkSignatures | None, expected: frozenset[str], *, has_trailer: bool
    ) -> None:
        self.trailers: dict[str, str] = {}
        self._length = length
        self._signatures = signatures
        self._expected = expected
        self._has_trailer = has_trailer
        self._buffer = bytearray()
        self._decoded = 0
        self._left = 0  # of the chunk being read
        self._short = False  # whether a chunk came that only may be the last
        self._chunk = hashlib.sha256()
        self._signature = ""
        self._signed_trailer = hashlib.sha256()
        self._trailer_signature: str | None = None
        self._state = self._size_line

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Yields what of the content is in the data."""
        self._buffer += data
        while (found := self._state()) is not None:
            if found:
                yield found

    def finish(self) -> None:
        """To be called at the end of the input. Raises unless all is there and right."""
        if self._state != self._nothing or self._buffer:
            raise AwsError("IncompleteBody", "The request body terminated unexpectedly")

    # Each state consumes something from the buffer and returns content (or b""), or None if it needs more input.

    def _size_line(self) -> bytes | None:
        line = self._line()
        if line is None:
            return None
        match = _SIZE.fullmatch(line)
        if match is None or (match[2] is None) != (self._signatures is None):
            raise _malformed()
        size = int(match[1], 16)
        self._signature = match[2].decode() if match[2] else ""
        self._chunk = hashlib.sha256()
        if size == 0:
            return self._last_chunk()
        if self._short:
            words = "Only the last chunk is allowed to have a size less than 8192 bytes"
            raise AwsError("InvalidChunkSizeError", words, status=403)
        self._short = size < _SMALLEST_CHUNK
        self._decoded += size
        if self._decoded > self._length:
            raise _wrong_length()
        self._left = size
        self._state = self._data
        return b""

    def _data(self) -> bytes | None:
        if not self._buffer:
            return None
        taken = bytes(self._buffer[: self._left])
        del self._buffer[: self._left]
        self._left -= len(taken)
        if self._signatures is not None:
            self._chunk.update(taken)
        if self._left == 0:
            self._state = self._data_end
        return taken

    def _data_end(self) -> bytes | None:
        line = self._line()
        if line is None:
            return None
        if line:
            raise _malformed()
        if self._signatures is not None:
            self._signatures.check(self._chunk.hexdigest(), self._signature)
        self._state = self._size_line
        return b""

    def _last_chunk(self) -> bytes:
        if self._signatures is not None:
            self._signatures.check(_EMPTY, self._signature)
        if self._decoded != self._length:
            raise _wrong_length()
        self._state = self._trailer_line
        return b""

    def _trailer_line(self) -> bytes | None:
        line = self._line()
        if line is None:
            return None
        if not line:
            self._end()
            return b""
        name, colon, value = line.decode("latin-1").partition(":")
        name, value = name.strip().lower(), value.strip()
        if not colon or not self._has_trailer:
            raise _malformed_trailer()
        if name == "x-amz-trailer-signature":
            self._trailer_signature = value
        elif name not in self._expected or name in self.trailers or self._trailer_signature is not None:
            raise _malformed_trailer()
        else:
            self.trailers[name] = value
            self._signed_trailer.update(f"{name}:{value}\n".encode("latin-1"))
        return b""

    def _end(self) -> None:
        if self.trailers.keys() != self._expected:
            raise _malformed_trailer()
        if self._signatures is not None and self._has_trailer:
            if self._trailer_signature is None:
                raise _malformed_trailer()
            self._signatures.check_trailer(self._signed_trailer.hexdigest(), self._trailer_signature)
        self._state = self._nothing

    def _nothing(self) -> None:
        return None

    def _line(self) -> bytes | None:
        """The next line without its CRLF, None if it is not complete."""
        end = self._buffer.find(b"\r\n", 0, _LONGEST_LINE)
        if end < 0:
            if len(self._buffer) >= _LONGEST_LINE:
                raise _malformed()
            return None
        line = bytes(self._buffer[:end])
        del self._buffer[: end + 2]
        return line


def _malformed() -> AwsError:
    return AwsError("InvalidRequest", "The body is not well-formed aws-chunked.")


def _malformed_trailer() -> AwsError:
    words = "The request contained trailing data that was not well-formed or did not conform to our published schema."
    return AwsError("MalformedTrailerError", words)


def _wrong_length() -> AwsError:
    words = "You did not provide the number of bytes specified by the x-amz-decoded-content-length HTTP header"
    return AwsError("IncompleteBody", words)
