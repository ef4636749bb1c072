"""Versions of objects: how they are found, written and removed, with the rules of versioning."""

import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, NamedTuple

import orjson

from cloudlet.core.timestamps import to_rfc822
from cloudlet.services.s3.buckets import Bucket
from cloudlet.services.s3.checksums import Checksum
from cloudlet.services.s3.errors import no_such_bucket, s3_error
from cloudlet.store import Reader, Transaction

NULL_VERSION = "null"
LARGEST_KEY = 1024

_COLUMNS = (
    "id, key, live, version, delete_marker, modified, size, etag, owner, headers, checksum, tags, acl, upload, blob"
)
_LIVE = f"SELECT {_COLUMNS} FROM objects WHERE bucket = ? AND key = ? AND live = 1"
_PLACE = (
    "SELECT buckets.versioning, objects."
    + _COLUMNS.replace(", ", ", objects.")
    + " FROM buckets LEFT JOIN objects ON objects.bucket = buckets.id AND objects.key = ? AND objects.live = 1"
    " WHERE buckets.id = ?"
)
_LIVE_WITH_CONTENT = f"SELECT {_COLUMNS}, content FROM objects WHERE bucket = ? AND key = ? AND live = 1"
_LAST_OTHER = f"SELECT {_COLUMNS} FROM objects WHERE bucket = ? AND key = ? AND live = 0 ORDER BY id DESC LIMIT 1"
_BY_VERSION = (
    f"SELECT {_COLUMNS}, content FROM objects WHERE bucket = ? AND key = ? AND live = 1 AND version = ?"
    f" UNION ALL SELECT {_COLUMNS}, content FROM objects WHERE bucket = ? AND key = ? AND live = 0 AND version = ?"
)
_INSERT = (
    "INSERT INTO objects (bucket, key, live, version, delete_marker, modified, size, etag, owner, headers, checksum,"
    " tags, acl, upload, blob, content) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)
# The live version of the key goes in the same statement: of the others, none is live.
_REPLACE = _INSERT.replace("INSERT", "INSERT OR REPLACE", 1)


@dataclass(slots=True)
class ObjectVersion:
    """A row of `objects`, in its order. JSON columns stay bytes until somebody asks."""

    id: int
    key: str
    live: int
    version: str
    delete_marker: int
    modified: float
    size: int
    etag: str
    owner: str
    headers: bytes | None
    checksum: bytes | None
    tags: bytes | None
    acl: bytes | None
    upload: int | None
    blob: str | None
    content: bytes | None = None

    def stored_headers(self) -> dict[str, Any]:
        return orjson.loads(self.headers) if self.headers else {}

    def stored_checksum(self) -> Checksum | None:
        return Checksum(*orjson.loads(self.checksum)) if self.checksum else None

    def stored_tags(self) -> dict[str, str]:
        return orjson.loads(self.tags) if self.tags else {}

    def stored_grants(self) -> list[dict[str, Any]] | None:
        return orjson.loads(self.acl) if self.acl else None

    def validators(self) -> dict[str, str]:
        """The headers by which caches ask again."""
        return {"ETag": f'"{self.etag}"', "Last-Modified": to_rfc822(self.modified)}


class Place(NamedTuple):
    """What a write finds under its key: the bucket's versioning and the live version without its body."""

    versioning: str
    current: ObjectVersion | None


@dataclass(slots=True)
class NewObject:
    """What a write puts under a key: the columns of a version that its request decides."""

    key: str
    modified: float
    size: int
    etag: str
    owner: str
    headers: bytes | None = None
    checksum: bytes | None = None
    tags: bytes | None = None
    acl: bytes | None = None
    upload: int | None = None
    blob: str | None = None
    content: bytes | None = None


@dataclass(slots=True)
class Written:
    """`id` orders versions and events; `version` is None unless the bucket has versioning now; `freed` are blobs."""

    id: int
    version: str | None
    freed: list[str]


def place_of(tx: Transaction, bucket: Bucket, key: str) -> Place:
    """What counts inside a write, whatever the request had seen. Raises NoSuchBucket."""
    row = tx.one(_PLACE, (key, bucket.id))
    if row is None:
        raise no_such_bucket(bucket.name)
    return Place(row[0], None if row[1] is None else ObjectVersion(*row[1:]))


def live_object(reader: Reader, bucket: Bucket, key: str) -> ObjectVersion | None:
    """The current version without its body."""
    row = reader.one(_LIVE, (bucket.id, key))
    return None if row is None else ObjectVersion(*row)


def live_object_with_content(reader: Reader, bucket: Bucket, key: str) -> ObjectVersion | None:
    row = reader.one(_LIVE_WITH_CONTENT, (bucket.id, key))
    return None if row is None else ObjectVersion(*row)


def last_other_version(reader: Reader, bucket: Bucket, key: str) -> ObjectVersion | None:
    """The newest of the versions that are not live: a delete marker if there is no live one."""
    row = reader.one(_LAST_OTHER, (bucket.id, key))
    return None if row is None else ObjectVersion(*row)


def object_version(reader: Reader, bucket: Bucket, key: str, version: str) -> ObjectVersion | None:
    row = reader.one(_BY_VERSION, (bucket.id, key, version) * 2)
    return None if row is None else ObjectVersion(*row)


def put_object(tx: Transaction, bucket: Bucket, new: NewObject, place: Place) -> Written:
    """Makes it the live version of its key. `place` is what this transaction has read."""
    versioning, current = place
    if not versioning and (current is None or _is_one_row(current)):
        return Written(_insert(tx, bucket, new, NULL_VERSION, _REPLACE), None, [])
    if versioning == "Enabled":
        _retire(tx, current)
        version = new_version_id()
        return Written(_insert(tx, bucket, new, version), version, [])
    freed = _remove_null_version(tx, bucket, new.key, current, suspended=bool(versioning))
    return Written(_insert(tx, bucket, new, NULL_VERSION), None, freed)


def put_delete_marker(tx: Transaction, bucket: Bucket, key: str, owner: str, now: float) -> Written:
    """What DeleteObject does without a version, in a bucket with versioning."""
    versioning, current = place_of(tx, bucket, key)
    freed: list[str] = []
    if versioning == "Enabled":
        _retire(tx, current)
        version = new_version_id()
    else:
        freed = _remove_null_version(tx, bucket, key, current, suspended=True)
        version = NULL_VERSION
    values = (bucket.id, key, 0, version, 1, now, 0, "", owner, *[None] * 7)
    return Written(tx.insert(_INSERT, values), version, freed)


def remove_version(tx: Transaction, bucket: Bucket, found: ObjectVersion) -> list[str]:
    """Deletes one version for good; the one before it becomes the latest. Returns the blobs that are free now."""
    freed = _delete(tx, found)
    if live_object(tx, bucket, found.key) is None:
        latest = last_other_version(tx, bucket, found.key)
        if latest is not None and not latest.delete_marker:
            tx.execute("UPDATE objects SET live = 1 WHERE id = ?", (latest.id,))
    return freed


def blobs_of(reader: Reader, version: ObjectVersion) -> list[str]:
    if version.upload is not None:
        return [row[0] for row in reader.rows("SELECT blob FROM parts WHERE upload = ?", (version.upload,))]
    return [version.blob] if version.blob else []


def blobs_in_use(reader: Reader) -> Iterable[str]:
    """Of all objects and uploads."""
    for row in reader.rows("SELECT blob FROM objects WHERE blob IS NOT NULL UNION ALL SELECT blob FROM parts"):
        yield row[0]


def new_version_id() -> str:
    return secrets.token_urlsafe(24)


def check_key(key: str) -> None:
    """Raises KeyTooLongError or InvalidURI."""
    if len(key) <= LARGEST_KEY // 4 and key.isascii():
        return
    try:
        size = len(key.encode())
    except UnicodeEncodeError:
        raise s3_error("InvalidURI", URI=ascii(key)) from None
    if size > LARGEST_KEY:
        raise s3_error("KeyTooLongError", Size=size, MaxSizeAllowed=LARGEST_KEY)


def _is_one_row(version: ObjectVersion) -> bool:
    """Whether nothing but its row belongs to it, so that the row can be replaced as it is."""
    return version.version == NULL_VERSION and version.upload is None and version.blob is None


def _insert(tx: Transaction, bucket: Bucket, new: NewObject, version: str, statement: str = _INSERT) -> int:
    values = (
        bucket.id,
        new.key,
        1,
        version,
        0,
        new.modified,
        new.size,
        new.etag,
        new.owner,
        new.headers,
        new.checksum,
        new.tags,
        new.acl,
        new.upload,
        new.blob,
        new.content,
    )
    return tx.insert(statement, values)


def _retire(tx: Transaction, current: ObjectVersion | None) -> None:
    """It stays, but is not live any more."""
    if current is not None:
        tx.execute("UPDATE objects SET live = 0 WHERE id = ?", (current.id,))


def _remove_null_version(
    tx: Transaction, bucket: Bucket, key: str, current: ObjectVersion | None, *, suspended: bool
) -> list[str]:
    """Without versioning, or with suspended versioning, there is one version with the id `null`: the new one."""
    if current is not None and current.version == NULL_VERSION:
        return _delete(tx, current)
    _retire(tx, current)
    null = object_version(tx, bucket, key, NULL_VERSION) if suspended else None
    return _delete(tx, null) if null is not None else []


def _delete(tx: Transaction, version: ObjectVersion) -> list[str]:
    freed = blobs_of(tx, version)
    if version.upload is not None:
        tx.execute("DELETE FROM parts WHERE upload = ?", (version.upload,))
        tx.execute("DELETE FROM completed_uploads WHERE object = ?", (version.id,))
    tx.execute("DELETE FROM objects WHERE id = ?", (version.id,))
    return freed
