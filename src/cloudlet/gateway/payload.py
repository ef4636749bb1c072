"""The body under a signature: what of it was signed, and the check that what arrives is that."""

import hashlib
import re
from collections.abc import AsyncIterator

from cloudlet.core.errors import AwsError
from cloudlet.core.hashing import sha256_hex
from cloudlet.core.http import Body, HttpRequest
from cloudlet.gateway.chunked import ChunkedDecoder, ChunkSignatures, Seed

UNSIGNED = "UNSIGNED-PAYLOAD"
SIGNED_CHUNKS = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"
SIGNED_CHUNKS_AND_TRAILER = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER"
UNSIGNED_CHUNKS = "STREAMING-UNSIGNED-PAYLOAD-TRAILER"
_CHUNKED = frozenset({SIGNED_CHUNKS, SIGNED_CHUNKS_AND_TRAILER, UNSIGNED_CHUNKS})
_SHA256 = re.compile(r"[0-9a-fA-F]{64}")
# S3's own limit of one request.
_LARGEST_OBJECT_PART = 5 * 1024**3


def digest(request: HttpRequest, body: bytes | None, api: str, *, presigned: bool) -> str:
    """The last line of the canonical request: the body's hash, or S3's word for why there is none.

    S3 takes the sender's word and holds the body against it later; every other service hashes what it has.
    """
    if api != "s3":
        assert body is not None, "only S3 takes streams"
        return sha256_hex(body)
    declared = request.headers.get("x-amz-content-sha256")
    if declared is None:
        if presigned:
            return UNSIGNED
        raise AwsError("InvalidRequest", "Missing required header for this request: x-amz-content-sha256")
    if declared == UNSIGNED or declared in _CHUNKED or _SHA256.fullmatch(declared):
        return declared
    raise AwsError(
        "InvalidArgument",
        "x-amz-content-sha256 must be UNSIGNED-PAYLOAD, STREAMING-UNSIGNED-PAYLOAD-TRAILER, "
        "STREAMING-AWS4-HMAC-SHA256-PAYLOAD, STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER or a valid sha256 value.",
        fields={"ArgumentName": "x-amz-content-sha256", "ArgumentValue": declared},
    )


def is_chunked(declared: str) -> bool:
    return declared in _CHUNKED


def verified_body(request: HttpRequest, content: bytes | None, declared: str, seed: Seed | None, api: str) -> Body:
    """The body without framing. A stream is verified while it is read: it ends with an error if it is not right."""
    if api != "s3" or declared == UNSIGNED:
        return request.body if content is request.body.content or content is None else Body.of(content)
    if declared in _CHUNKED:
        return _decoded(request, content, declared, seed)
    if content is None:
        return Body.streamed(_hashed(request.body, declared), request.body.length)
    _compare(declared, sha256_hex(content))
    return request.body if content is request.body.content else Body.of(content)


def anonymous_body(request: HttpRequest, content: bytes | None) -> Body:
    """The body of a request that nobody signed; it may be framed all the same."""
    declared = request.headers.get("x-amz-content-sha256", UNSIGNED)
    if declared in (SIGNED_CHUNKS, SIGNED_CHUNKS_AND_TRAILER):
        raise AwsError("InvalidRequest", "Chunks are signed, but the request is not.")
    return verified_body(request, content, UNSIGNED_CHUNKS if declared == UNSIGNED_CHUNKS else UNSIGNED, None, "s3")


async def _hashed(body: Body, declared: str) -> AsyncIterator[bytes]:
    found = hashlib.sha256()
    async for chunk in body:
        found.update(chunk)
        yield chunk
    _compare(declared, found.hexdigest())


def _compare(declared: str, found: str) -> None:
    if declared.lower() != found:
        raise AwsError(
            "XAmzContentSHA256Mismatch",
            "The provided 'x-amz-content-sha256' header does not match what was computed.",
            fields={"ClientComputedContentSHA256": declared, "S3ComputedContentSHA256": found},
        )


def _decoded(request: HttpRequest, content: bytes | None, declared: str, seed: Seed | None) -> Body:
    length = _decoded_length(request)
    trailers = frozenset(
        name.strip().lower() for name in request.headers.get("x-amz-trailer", "").split(",") if name.strip()
    )
    signatures = ChunkSignatures(seed) if seed is not None and declared != UNSIGNED_CHUNKS else None
    decoder = ChunkedDecoder(length, signatures, trailers, has_trailer=declared != SIGNED_CHUNKS)
    if content is None:
        body = Body.streamed(_stream(request.body, decoder), length)
        body.trailers = decoder.trailers
        return body
    data = b"".join(decoder.feed(content))
    decoder.finish()
    body = Body.of(data)
    body.trailers = decoder.trailers
    return body


async def _stream(body: Body, decoder: ChunkedDecoder) -> AsyncIterator[bytes]:
    async for arrived in body:
        for data in decoder.feed(arrived):
            yield data
    decoder.finish()


def _decoded_length(request: HttpRequest) -> int:
    text = request.headers.get("x-amz-decoded-content-length")
    if text is None or not re.fullmatch(r"[0-9]{1,15}", text):
        raise AwsError("MissingContentLength", "You must provide the Content-Length HTTP header.", status=411)
    if int(text) > _LARGEST_OBJECT_PART:
        raise AwsError(
            "EntityTooLarge",
            "Your proposed upload exceeds the maximum allowed size",
            fields={"ProposedSize": text, "MaxSizeAllowed": str(_LARGEST_OBJECT_PART)},
        )
    return int(text)
