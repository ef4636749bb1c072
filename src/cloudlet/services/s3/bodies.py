"""Bodies on their way in (hashed, checked, put on disk) and out (streamed, kept while somebody reads them)."""

import asyncio
import hashlib
import weakref
from base64 import b64decode
from binascii import Error as BadBase64
from collections import Counter
from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import dataclass

from cloudlet.core.hashing import feed
from cloudlet.core.http import Body
from cloudlet.services.s3 import checksums
from cloudlet.services.s3.checksums import Checksum, Expected, Hash
from cloudlet.services.s3.errors import s3_error
from cloudlet.store import BlobFiles, BlobWriter

INLINE = 32 * 1024
LARGEST = 5 * 1024**3
_CHUNK = 1 << 20


@dataclass(slots=True)
class Received:
    """A body that is complete and right: in memory if it is small, else in a file. `md5` is hexadecimal."""

    size: int
    md5: str
    checksum: Checksum
    content: bytes | None
    blob: str | None


@dataclass(frozen=True, slots=True)
class Segment:
    """Bytes of one file."""

    blob: str
    start: int
    length: int


class Bodies:
    """The files of one S3. A file that a request is reading is deleted when the last reader has done."""

    def __init__(self, blobs: BlobFiles) -> None:
        self._blobs = blobs
        self._readers: Counter[str] = Counter()
        self._doomed: set[str] = set()

    async def receive(
        self,
        body: Body,
        expected: Expected,
        *,
        md5: str | None = None,
        keep: str | None = None,
        largest: int | None = None,
        in_file: bool = False,
    ) -> Received:
        """Takes a request's body in. Raises BadDigest, InvalidDigest, IncompleteBody, EntityTooLarge.

        `md5` is the Content-MD5 header, `keep` the algorithm of the checksum to keep if it is not the expected one.
        Small bodies stay in memory unless `in_file`.
        """
        wanted = _parse_md5(md5)
        limit = LARGEST if largest is None else min(largest, LARGEST)
        if body.length is not None and body.length > limit:
            raise s3_error("EntityTooLarge", ProposedSize=body.length, MaxSizeAllowed=limit)
        if body.content is not None and len(body.content) <= INLINE and keep is None and not in_file:
            return _in_memory(body.content, body.length, wanted, expected, body.trailers)
        arriving = _Arriving(self._blobs, expected.algorithm, keep)
        try:
            content = await arriving.take(body, limit)
            if body.length is not None and arriving.size != body.length:
                raise s3_error("IncompleteBody")
            received = arriving.received(wanted, expected, body.trailers)
            if content is not None and not in_file:
                received.content = content
                return received
            if content is not None:
                await arriving.spill(content)
            received.blob = await arriving.finish()
        except BaseException:
            arriving.discard()
            raise
        return received

    async def copy(
        self, source: "Stored", start: int, length: int, expected: Expected, *, in_file: bool = False
    ) -> Received:
        """A new body of the bytes of another."""
        if source.content is not None:
            body = Body.of(source.content[start : start + length])
        else:
            body = Body.streamed(aiter(self.stream(source.segments(start, length))), length)
        return await self.receive(body, expected, in_file=in_file)

    def stream(self, segments: Sequence[Segment]) -> "BodyStream":
        """To be called before the first await after the row was read: from then on its files stay."""
        names = [segment.blob for segment in segments]
        self._readers.update(names)
        stream = BodyStream(self._blobs, segments)
        weakref.finalize(stream, self._release, names)
        return stream

    def delete(self, names: Iterable[str]) -> None:
        """On the event loop, once no row names them."""
        for name in names:
            if self._readers[name] > 0:
                self._doomed.add(name)
            else:
                del self._readers[name]
                asyncio.get_running_loop().run_in_executor(None, self._blobs.delete, name)

    def _release(self, names: list[str]) -> None:
        for name in names:
            self._readers[name] -= 1
            if self._readers[name] > 0:
                continue
            del self._readers[name]
            if name in self._doomed:
                self._doomed.remove(name)
                self._blobs.delete(name)


@dataclass(frozen=True, slots=True)
class Stored:
    """Where a stored body is: in memory, or in files one after the other (name, size)."""

    content: bytes | None
    files: tuple[tuple[str, int], ...] = ()

    def segments(self, start: int, length: int) -> list[Segment]:
        """The pieces of files that make up the range."""
        found: list[Segment] = []
        position, end = 0, start + length
        for blob, size in self.files:
            first, last = max(start, position), min(end, position + size)
            if first < last:
                found.append(Segment(blob, first - position, last - first))
            position += size
        return found


class BodyStream:
    """Reads segments one after the other; while it lives, their files do."""

    def __init__(self, blobs: BlobFiles, segments: Sequence[Segment]) -> None:
        self._blobs = blobs
        self._segments = segments

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for segment in self._segments:
            async for chunk in await self._blobs.open(segment.blob, segment.start, segment.length):
                yield chunk


class _Arriving:
    """A body that is being received."""

    def __init__(self, blobs: BlobFiles, algorithm: str, keep: str | None) -> None:
        self._blobs = blobs
        self._keep = keep if keep != algorithm else None
        self._kept: Hash | None = checksums.new_hash(keep) if keep is not None and keep != algorithm else None
        self._writer: BlobWriter | None = None
        self._md5 = hashlib.md5(usedforsecurity=False)
        self._hash: Hash = checksums.new_hash(algorithm)
        self.size = 0

    def hash(self, data: bytes) -> None:
        feed(self._md5, data)
        self._hash.update(data)
        if self._kept is not None:
            self._kept.update(data)
        self.size += len(data)

    async def take(self, body: Body, largest: int) -> bytes | None:
        """Reads to the end; returns the content if it is small enough to stay in memory, else it is in the file."""
        buffer = bytearray()
        limit = INLINE
        async for chunk in body:
            buffer += chunk
            if len(buffer) > limit:
                await self._flush(buffer)
                limit = _CHUNK
            if self.size + len(buffer) > largest:
                raise s3_error("EntityTooLarge", ProposedSize=self.size + len(buffer), MaxSizeAllowed=largest)
        if self._writer is None:
            content = bytes(buffer)
            self.hash(content)
            return content
        await self._flush(buffer)
        return None

    async def spill(self, content: bytes) -> None:
        """Writes what was kept in memory, already hashed."""
        self._writer = self._blobs.create()
        await self._writer.write(content)

    async def _flush(self, buffer: bytearray) -> None:
        data = bytes(buffer)
        buffer.clear()
        if self._writer is None:
            self._writer = self._blobs.create()
        await asyncio.to_thread(self.hash, data)
        await self._writer.write(data)

    async def finish(self) -> str:
        assert self._writer is not None
        return await self._writer.finish()

    def discard(self) -> None:
        if self._writer is not None:
            self._writer.discard()

    def received(self, md5: bytes | None, expected: Expected, trailers: dict[str, str]) -> Received:
        digest = self._md5.digest()
        checksum = _checked(digest, self._hash.digest(), md5, expected, trailers)
        if self._keep is not None and self._kept is not None:
            checksum = Checksum(self._keep, "FULL_OBJECT", checksums.encoded(self._kept.digest()))
        return Received(self.size, digest.hex(), checksum, None, None)


def _in_memory(
    content: bytes, length: int | None, md5: bytes | None, expected: Expected, trailers: dict[str, str]
) -> Received:
    """A body that has arrived and is small: most are, so it goes the shortest way."""
    if length is not None and length != len(content):
        raise s3_error("IncompleteBody")
    found = hashlib.md5(usedforsecurity=False)
    feed(found, content)
    digest = found.digest()
    checksum = _checked(digest, checksums.digest(expected.algorithm, content), md5, expected, trailers)
    return Received(len(content), digest.hex(), checksum, content, None)


def _checked(digest: bytes, found: bytes, md5: bytes | None, expected: Expected, trailers: dict[str, str]) -> Checksum:
    """The checksum to keep. Raises BadDigest if what was computed is not what the client says."""
    if md5 is not None and md5 != digest:
        raise s3_error("BadDigest", ExpectedDigest=checksums.encoded(md5), CalculatedDigest=checksums.encoded(digest))
    value = checksums.encoded(found)
    given = trailers.get(expected.header) if expected.in_trailer else expected.value
    if given is not None and given != value:
        raise checksums.mismatch(expected.algorithm)
    return Checksum(expected.algorithm, "FULL_OBJECT", value)


def _parse_md5(header: str | None) -> bytes | None:
    if header is None:
        return None
    try:
        digest = b64decode(header, validate=True)
    except (BadBase64, ValueError):
        digest = b""
    if len(digest) != 16:
        raise s3_error("InvalidDigest", ContentMD5=header)
    return digest
