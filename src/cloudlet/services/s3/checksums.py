"""Object checksums: computed while bytes pass by, encoded, combined from parts."""

import hashlib
import zlib
from base64 import b64decode, b64encode
from binascii import Error as BadBase64
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Protocol

from cloudlet.core.hashing import feed
from cloudlet.services.s3.errors import s3_error

if TYPE_CHECKING:
    from awscrt import checksums as crt

ChecksumType = Literal["FULL_OBJECT", "COMPOSITE"]
DEFAULT_ALGORITHM = "CRC64NVME"


class Hash(Protocol):
    def update(self, data: bytes, /) -> None: ...

    def digest(self) -> bytes: ...


class _Crc:
    def __init__(self, function: Callable[[bytes, int], int], size: int) -> None:
        self._function = function
        self._size = size
        self._value = 0

    def update(self, data: bytes, /) -> None:
        self._value = self._function(data, self._value)

    def digest(self) -> bytes:
        return self._value.to_bytes(self._size, "big")


class _XXHash:
    def __init__(self, state: "crt.XXHash") -> None:
        self._state = state

    def update(self, data: bytes, /) -> None:
        self._state.update(data)

    def digest(self) -> bytes:
        return self._state.finalize()


@cache
def _crt() -> Any:
    # A slow import, of a large library: the first checksum waits for it, the start of the server does not.
    from awscrt import checksums

    return checksums


_NEW: Mapping[str, Callable[[], Hash]] = {
    "CRC32": lambda: _Crc(zlib.crc32, 4),  # what most clients send
    "CRC32C": lambda: _Crc(_crt().crc32c, 4),
    "CRC64NVME": lambda: _Crc(_crt().crc64nvme, 8),
    "SHA1": hashlib.sha1,
    "SHA256": hashlib.sha256,
    "SHA512": hashlib.sha512,
    "MD5": hashlib.md5,
    "XXHASH64": lambda: _XXHash(_crt().XXHash.new_xxhash64()),
    "XXHASH3": lambda: _XXHash(_crt().XXHash.new_xxhash3_64()),
    "XXHASH128": lambda: _XXHash(_crt().XXHash.new_xxhash3_128()),
}
_COMBINE: Mapping[str, tuple[Callable[[int, int, int], int], int]] = {
    "CRC32": (lambda *parts: _crt().combine_crc32(*parts), 4),
    "CRC32C": (lambda *parts: _crt().combine_crc32c(*parts), 4),
    "CRC64NVME": (lambda *parts: _crt().combine_crc64nvme(*parts), 8),
}
ALGORITHMS = tuple(_NEW)
MEMBERS = {algorithm: f"Checksum{algorithm}" for algorithm in ALGORITHMS}
_BY_MEMBER = {member: algorithm for algorithm, member in MEMBERS.items()}
_HEADERS = {f"x-amz-checksum-{algorithm.lower()}": algorithm for algorithm in ALGORITHMS}


class Checksum(NamedTuple):
    """`value` is base64, followed by `-N` for a composite of N parts."""

    algorithm: str
    type: ChecksumType
    value: str

    def members(self) -> dict[str, Any]:
        """As outputs have it."""
        return {MEMBERS[self.algorithm]: self.value, "ChecksumType": self.type}

    def as_list(self) -> list[str]:
        return list(self)


class Expected(NamedTuple):
    """The checksum that the client wants: its algorithm, and its value unless that comes in the trailer."""

    algorithm: str
    value: str | None
    in_trailer: bool = False
    declared: bool = True

    @property
    def header(self) -> str:
        return f"x-amz-checksum-{self.algorithm.lower()}"


def new_hash(algorithm: str) -> Hash:
    return _NEW[algorithm]()


def digest(algorithm: str, content: bytes) -> bytes:
    """Of a small body."""
    found = new_hash(algorithm)
    if isinstance(found, _Crc):
        found.update(content)
    else:
        feed(found, content)
    return found.digest()


def expected_checksum(params: Mapping[str, Any], trailer: str) -> Expected:
    """From the members Checksum* of an input, or the x-amz-trailer header. Raises InvalidRequest."""
    given = [_BY_MEMBER[name] for name in params if name in _BY_MEMBER]
    if len(given) > 1:
        raise s3_error(
            "InvalidRequest", "Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed."
        )
    named = params.get("ChecksumAlgorithm")
    if given:
        algorithm = given[0]
        _check_encoding(algorithm, params[MEMBERS[algorithm]])
        if named is not None and named != algorithm:
            raise s3_error("InvalidRequest", "Value for x-amz-sdk-checksum-algorithm header is invalid.")
        return Expected(algorithm, params[MEMBERS[algorithm]])
    for name in trailer.lower().split(",") if trailer else ():
        if name.strip() in _HEADERS:
            return Expected(_HEADERS[name.strip()], None, in_trailer=True)
    if named is not None:
        return Expected(named, None)
    return Expected(DEFAULT_ALGORITHM, None, declared=False)


def _check_encoding(algorithm: str, value: str) -> None:
    try:
        raw = b64decode(value, validate=True)
    except (BadBase64, ValueError):
        raw = b""
    if len(raw) != _digest_size(algorithm):
        raise s3_error("InvalidRequest", f"Value for x-amz-checksum-{algorithm.lower()} header is invalid.")


@cache
def _digest_size(algorithm: str) -> int:
    return len(new_hash(algorithm).digest())


def encoded(digest: bytes) -> str:
    return b64encode(digest).decode()


def mismatch(algorithm: str) -> Exception:
    return s3_error("BadDigest", f"The {algorithm} you specified did not match the calculated checksum.")


def composite(algorithm: str, values: Iterable[str]) -> Checksum:
    """The checksum of the parts' checksums."""
    found = new_hash(algorithm)
    count = 0
    for value in values:
        found.update(b64decode(value))
        count += 1
    return Checksum(algorithm, "COMPOSITE", f"{encoded(found.digest())}-{count}")


def full_object(algorithm: str, parts: Iterable[tuple[str, int]]) -> Checksum:
    """The checksum of the whole from (checksum, size) of the parts, in order: for CRCs only."""
    combine, size = _COMBINE[algorithm]
    whole = 0
    for value, length in parts:
        whole = combine(whole, int.from_bytes(b64decode(value), "big"), length)
    return Checksum(algorithm, "FULL_OBJECT", encoded(whole.to_bytes(size, "big")))


def default_type(algorithm: str) -> ChecksumType:
    """Of a multipart upload that names the algorithm only."""
    return "FULL_OBJECT" if algorithm == "CRC64NVME" else "COMPOSITE"


def check_type(algorithm: str, type_: str) -> None:
    allowed = type_ == "FULL_OBJECT" if algorithm == "CRC64NVME" else type_ == "COMPOSITE" or algorithm in _COMBINE
    if not allowed:
        raise s3_error(
            "InvalidRequest",
            f"The {type_} checksum type cannot be used with the {algorithm.lower()} checksum algorithm.",
        )
