"""Multipart uploads as rows: found, their parts chosen and joined."""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import orjson

from cloudlet.services.s3 import checksums
from cloudlet.services.s3.buckets import Bucket, versioning_of
from cloudlet.services.s3.checksums import MEMBERS, Checksum, ChecksumType
from cloudlet.services.s3.errors import no_such_upload, s3_error
from cloudlet.store import Reader, Transaction

SMALLEST_PART = 5 * 1024**2
MOST_PARTS = 10_000


@dataclass(frozen=True, slots=True)
class Upload:
    """`declared`: the client named the checksum algorithm, else it is S3's default."""

    id: int
    upload_id: str
    key: str
    initiated: float
    owner: str
    headers: bytes | None
    tags: bytes | None
    acl: bytes | None
    algorithm: str
    type: ChecksumType
    declared: int


@dataclass(frozen=True, slots=True)
class Part:
    number: int
    size: int
    etag: str
    modified: float
    checksum: bytes
    blob: str

    def stored_checksum(self) -> Checksum:
        return Checksum(*orjson.loads(self.checksum))

    def members(self) -> dict[str, Any]:
        """The checksum as outputs have it with parts."""
        checksum = self.stored_checksum()
        return {MEMBERS[checksum.algorithm]: checksum.value}


def insert_upload(tx: Transaction, bucket: Bucket, values: tuple[Any, ...]) -> None:
    """Raises NoSuchBucket."""
    versioning_of(tx, bucket)
    tx.execute(
        "INSERT INTO uploads (upload_id, bucket, key, initiated, owner, headers, tags, acl, checksum_algorithm,"
        " checksum_type, declared) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        values,
    )


def find_upload(reader: Reader, bucket: Bucket, key: str, upload_id: str) -> Upload:
    """Raises NoSuchUpload."""
    row = reader.one(
        "SELECT id, upload_id, key, initiated, owner, headers, tags, acl, checksum_algorithm, checksum_type, declared"
        " FROM uploads WHERE upload_id = ? AND bucket = ? AND key = ?",
        (upload_id, bucket.id, key),
    )
    if row is None:
        raise no_such_upload(upload_id)
    return Upload(*row)


def parts_of(reader: Reader, upload: int, after: int = 0, limit: int = -1) -> list[Part]:
    """In order of their numbers."""
    rows = reader.rows(
        "SELECT number, size, etag, modified, checksum, blob FROM parts WHERE upload = ? AND number > ?"
        " ORDER BY number LIMIT ?",
        (upload, after, limit),
    )
    return [Part(*row) for row in rows]


def chosen_parts(parts: Mapping[int, Part], wanted: list[Mapping[str, Any]], upload: Upload) -> list[Part]:
    """The parts that the client lists. Raises InvalidPartOrder, InvalidPart, EntityTooSmall, InvalidRequest."""
    numbers = [entry.get("PartNumber", 0) for entry in wanted]
    if any(later <= earlier for earlier, later in pairwise(numbers)):
        raise s3_error("InvalidPartOrder", UploadId=upload.upload_id)
    chosen: list[Part] = []
    for number, entry in zip(numbers, wanted, strict=True):
        part = parts.get(number)
        etag = entry.get("ETag", "").strip('"')
        if part is None or part.etag != etag:
            raise s3_error("InvalidPart", UploadId=upload.upload_id, PartNumber=number, ETag=etag)
        _check_part_checksum(part, entry, upload)
        chosen.append(part)
    for part in chosen[:-1]:
        if part.size < SMALLEST_PART:
            raise s3_error(
                "EntityTooSmall",
                ProposedSize=part.size,
                MinSizeAllowed=SMALLEST_PART,
                PartNumber=part.number,
                ETag=part.etag,
            )
    return chosen


def joined_etag(parts: Iterable[Part]) -> str:
    """The MD5 of the parts' MD5s, and their number."""
    digests = [bytes.fromhex(part.etag) for part in parts]
    return f"{hashlib.md5(b''.join(digests), usedforsecurity=False).hexdigest()}-{len(digests)}"


def joined_checksum(upload: Upload, parts: list[Part]) -> Checksum:
    values = [(part.stored_checksum().value, part.size) for part in parts]
    if upload.type == "FULL_OBJECT":
        return checksums.full_object(upload.algorithm, values)
    return checksums.composite(upload.algorithm, (value for value, _ in values))


def keep_only(tx: Transaction, upload: Upload, chosen: list[Part], all_parts: Iterable[Part]) -> list[str]:
    """Gives the chosen parts their places and drops the others; returns the blobs that are free now."""
    position = 0
    places: list[tuple[int, int, int]] = []
    for part in chosen:
        places.append((position, upload.id, part.number))
        position += part.size
    tx.many("UPDATE parts SET position = ? WHERE upload = ? AND number = ?", places)
    tx.execute("DELETE FROM parts WHERE upload = ? AND position IS NULL", (upload.id,))
    kept = {part.number for part in chosen}
    return [part.blob for part in all_parts if part.number not in kept]


def _check_part_checksum(part: Part, entry: Mapping[str, Any], upload: Upload) -> None:
    given = entry.get(MEMBERS[upload.algorithm])
    if given is None:
        if upload.declared and upload.type == "COMPOSITE":
            raise s3_error(
                "InvalidRequest",
                f"The upload was created using a {upload.algorithm.lower()} checksum. The complete request must "
                f"include the checksum for each part. It was missing for part {part.number} in the request.",
            )
    elif given != part.stored_checksum().value:
        raise s3_error("InvalidPart", UploadId=upload.upload_id, PartNumber=part.number, ETag=part.etag)
