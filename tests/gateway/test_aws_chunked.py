"""Framed bodies: what AWS documents and what boto3 sends is taken apart; wrong frames, signatures, trailers are not."""

import contextlib
import hashlib
import hmac
from collections.abc import AsyncIterator
from datetime import UTC, datetime

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from cloudlet.core.access import Credential
from cloudlet.core.context import Principal
from cloudlet.core.errors import AwsError
from cloudlet.core.http import Body, HttpRequest
from cloudlet.gateway.chunked import ChunkedDecoder, ChunkSignatures, Seed
from cloudlet.gateway.sigv4 import Signed, signing_key, verify

KEY, SECRET = "AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
AT = datetime(2013, 5, 24, tzinfo=UTC).timestamp()
EMPTY = hashlib.sha256(b"").hexdigest()
SEED = Seed(
    signing_key(SECRET, "20130524", "us-east-1", "s3"),
    "20130524T000000Z",
    "20130524/us-east-1/s3/aws4_request",
    "4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9",
)


class Keys:
    def credential(self, access_key_id: str, session_token: str | None = None) -> Credential | None:
        return Credential(KEY, SECRET, Principal.root("000000000000"))

    def used(self, credential: Credential, service: str, region: str, now: float) -> None:
        pass


class ChunkSigner:
    """Frames and signs as a client does."""

    def __init__(self, seed: Seed = SEED) -> None:
        self._seed = seed
        self._previous = seed.signature

    def chunk(self, data: bytes) -> bytes:
        what = f"{EMPTY}\n{hashlib.sha256(data).hexdigest()}"
        signature = self._sign("AWS4-HMAC-SHA256-PAYLOAD", what)
        frame = f"{len(data):x};chunk-signature={signature}\r\n".encode() + data
        return frame + b"\r\n" if data else frame

    def trailer(self, name: str, value: str) -> bytes:
        signature = self._sign("AWS4-HMAC-SHA256-TRAILER", hashlib.sha256(f"{name}:{value}\n".encode()).hexdigest())
        return f"{name}:{value}\r\nx-amz-trailer-signature:{signature}\r\n\r\n".encode()

    def _sign(self, algorithm: str, what: str) -> str:
        text = f"{algorithm}\n{self._seed.timestamp}\n{self._seed.scope}\n{self._previous}\n{what}"
        self._previous = hmac.new(self._seed.key, text.encode(), "sha256").hexdigest()
        return self._previous


def framed(*chunks: bytes) -> bytes:
    signer = ChunkSigner()
    return b"".join(signer.chunk(chunk) for chunk in (*chunks, b"")) + b"\r\n"


def decode(frames: bytes, length: int, *, piece: int = 1 << 20, seed: Seed | None = SEED, **trailers: str) -> bytes:
    """Decodes what arrives in pieces of that many bytes; the trailers expected are the keyword arguments."""
    expected = {name.replace("_", "-"): value for name, value in trailers.items()}
    signatures = ChunkSignatures(seed) if seed is not None else None
    decoder = ChunkedDecoder(length, signatures, frozenset(expected), has_trailer=bool(expected))
    data = b"".join(b for at in range(0, len(frames), piece) for b in decoder.feed(frames[at : at + piece]))
    decoder.finish()
    assert decoder.trailers == expected
    return data


def refusal(frames: bytes, length: int, **options: str) -> str:
    with pytest.raises(AwsError) as raised:
        decode(frames, length, **options)  # type: ignore[arg-type]
    return raised.value.code


def test_the_documented_signatures() -> None:
    frames = framed(b"a" * 65536, b"a" * 1024)
    assert b"chunk-signature=ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648" in frames
    assert b"chunk-signature=0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497" in frames
    assert frames.endswith(b"b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9\r\n\r\n")
    assert decode(frames, 66560) == b"a" * 66560


@given(st.lists(st.integers(8192, 9000), max_size=3), st.binary(max_size=50), st.integers(1, 5000))
def test_pieces_of_any_size(sizes: list[int], last: bytes, piece: int) -> None:
    content = [bytes([size % 256]) * size for size in sizes] + ([last] if last else [])
    assert decode(framed(*content), sum(map(len, content)), piece=piece) == b"".join(content)


def test_unsigned_chunks_with_a_trailer() -> None:
    frames = b"5\r\nhello\r\n0\r\nx-amz-checksum-crc32:NhCmhg==\r\n\r\n"
    assert decode(frames, 5, seed=None, x_amz_checksum_crc32="NhCmhg==") == b"hello"


def test_a_signed_trailer() -> None:
    signer = ChunkSigner()
    frames = signer.chunk(b"hello") + signer.chunk(b"") + signer.trailer("x-amz-checksum-crc32", "NhCmhg==")
    assert decode(frames, 5, x_amz_checksum_crc32="NhCmhg==") == b"hello"
    tampered = frames.replace(b"NhCmhg", b"NhCmhG")
    assert refusal(tampered, 5, x_amz_checksum_crc32="NhCmhG==") == "SignatureDoesNotMatch"


@example(8374)  # the size of the last chunk, which then is a second short one
@given(st.integers(0, 10**9))
def test_one_changed_byte_is_refused(position: int) -> None:
    frames = bytearray(framed(b"x" * 8192, b"the end"))
    frames[position % len(frames)] ^= 1
    # The case of a chunk's size does not matter, nor does that of hexadecimal digits elsewhere: an xor by 1 keeps it.
    expected = ("SignatureDoesNotMatch", "InvalidRequest", "IncompleteBody", "InvalidChunkSizeError")
    assert refusal(bytes(frames), 8199) in expected


@pytest.mark.parametrize("cut", [1, 10, 90, 8000])
def test_a_body_that_ends_too_early(cut: int) -> None:
    assert refusal(framed(b"x" * 8192)[:-cut], 8192) == "IncompleteBody"


def test_more_or_less_than_announced() -> None:
    assert refusal(framed(b"x" * 100), 99) == "IncompleteBody"
    assert refusal(framed(b"x" * 100), 101) == "IncompleteBody"


def test_chunks_left_out_or_in_another_order() -> None:
    signer = ChunkSigner()
    first, second, end = signer.chunk(b"1" * 8192), signer.chunk(b"2" * 8192), signer.chunk(b"") + b"\r\n"
    assert decode(first + second + end, 16384) == b"1" * 8192 + b"2" * 8192
    assert refusal(second + first + end, 16384) == "SignatureDoesNotMatch"
    assert refusal(first + end, 8192) == "SignatureDoesNotMatch"


def test_small_chunks_may_only_be_the_last() -> None:
    assert refusal(framed(b"x", b"y"), 2) == "InvalidChunkSizeError"


@pytest.mark.parametrize(
    "frames",
    [
        b"5\r\nhello\r\n0\r\n\r\n",
        b"5\r\nhello\r\n0\r\nx-amz-checksum-sha1:AAAA\r\n\r\n",
        b"5\r\nhello\r\n0\r\nx-amz-checksum-crc32\r\n\r\n",
        b"5\r\nhello\r\n0\r\nx-amz-checksum-crc32:AAAA\r\nx-amz-checksum-crc32:BBBB\r\n\r\n",
    ],
)
def test_trailers_other_than_announced(frames: bytes) -> None:
    assert refusal(frames, 5, seed=None, x_amz_checksum_crc32="AAAA") == "MalformedTrailerError"  # type: ignore[arg-type]


FRAMES = st.sampled_from(
    [b"5\r\n", b"hello", b"\r\n", b"0\r\n", b"x-amz-checksum-crc32:AAAA\r\n", b"x-amz-trailer-signature:\xe9\r\n"]
    + [f"{size};chunk-signature={'0' * 64}\r\n".encode() for size in (0, 5)]
)


@given(st.lists(FRAMES | st.binary(max_size=5), max_size=8), st.booleans())
def test_nonsense_is_refused_as_such(frames: list[bytes], signed: bool) -> None:
    expected = frozenset({"x-amz-checksum-crc32"})
    decoder = ChunkedDecoder(5, ChunkSignatures(SEED) if signed else None, expected, has_trailer=True)
    with contextlib.suppress(AwsError):
        content = b"".join(data for frame in frames for data in decoder.feed(frame))
        decoder.finish()
        assert (content, len(decoder.trailers)) == (content[:5], 1)


# The same through `verify`, as the gateway calls it


def upload(frames: bytes, length: int, *, streamed: bool, declared: str, **headers: str) -> Signed:
    """A PUT whose headers botocore would sign so; `frames` follow."""
    every = {
        "host": "s3.localhost",
        "x-amz-content-sha256": declared,
        "x-amz-date": SEED.timestamp,
        "x-amz-decoded-content-length": str(length),
        **headers,
    }
    names = ";".join(sorted(every))
    lines = "\n".join(f"{name}:{every[name]}" for name in sorted(every))
    canonical = f"PUT\n/b/k\n\n{lines}\n\n{names}\n{declared}"
    to_sign = f"AWS4-HMAC-SHA256\n{SEED.timestamp}\n{SEED.scope}\n{hashlib.sha256(canonical.encode()).hexdigest()}"
    signature = hmac.new(SEED.key, to_sign.encode(), "sha256").hexdigest()
    every["authorization"] = (
        f"AWS4-HMAC-SHA256 Credential={KEY}/{SEED.scope}, SignedHeaders={names}, Signature={signature}"
    )
    body = Body.streamed(pieces(frames), len(frames)) if streamed else Body.of(frames)
    request = HttpRequest("PUT", "/b/k", "", every, body)
    return verify(request, None if streamed else frames, Keys(), AT, api="s3", protocol="rest-xml")


async def pieces(frames: bytes) -> AsyncIterator[bytes]:
    for at in range(0, len(frames), 1000):
        yield frames[at : at + 1000]


@pytest.mark.parametrize("streamed", [False, True])
async def test_an_upload_with_an_unsigned_trailer(streamed: bool) -> None:
    frames = b"5\r\nhello\r\n0\r\nx-amz-checksum-crc32:NhCmhg==\r\n\r\n"
    declared = "STREAMING-UNSIGNED-PAYLOAD-TRAILER"
    signed = upload(frames, 5, streamed=streamed, declared=declared, **{"x-amz-trailer": "x-amz-checksum-crc32"})
    assert await signed.body.read() == b"hello"
    assert signed.body.length == 5
    assert signed.body.trailers == {"x-amz-checksum-crc32": "NhCmhg=="}


async def test_a_stream_ends_with_an_error_where_its_hash_is_another() -> None:
    signed = upload(b"hellO", 5, streamed=True, declared=hashlib.sha256(b"hello").hexdigest())
    with pytest.raises(AwsError, match="XAmzContentSHA256Mismatch"):
        await signed.body.read()


async def test_a_stream_that_is_what_was_signed() -> None:
    signed = upload(b"hello", 5, streamed=True, declared=hashlib.sha256(b"hello").hexdigest())
    assert await signed.body.read() == b"hello"


def test_chunks_that_are_not_framed_as_declared() -> None:
    with pytest.raises(AwsError, match="InvalidRequest"):
        upload(b"5\r\nhello\r\n0\r\n\r\n", 5, streamed=False, declared="STREAMING-AWS4-HMAC-SHA256-PAYLOAD")
