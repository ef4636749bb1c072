"""Listings: keys in order, rolled up at a delimiter by jumping over whole common prefixes."""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as BadBase64
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from cloudlet.services.s3.buckets import Bucket
from cloudlet.services.s3.errors import invalid_argument
from cloudlet.services.s3.objects import NULL_VERSION
from cloudlet.store import Reader

LARGEST_PAGE = 1000
Row = tuple[Any, ...]
# Rows (whose first column is the key) from a key on, in order: the lower bound, whether it is left out, upper bound.
Scan = Callable[[str, bool, str | None], Iterable[Row]]


@dataclass(slots=True)
class Page:
    """`rows` and `prefixes` in order; `last` is the last of both together, if there is more."""

    rows: list[Row] = field(default_factory=list[Row])
    prefixes: list[str] = field(default_factory=list[str])
    last: str | None = None
    last_row: Row | None = None


def successor(text: str) -> str | None:
    """The least text greater than all that begin with this one; None if there is none."""
    while text:
        code = ord(text[-1]) + 1
        if code == 0xD800:
            code = 0xE000  # surrogates are no characters
        if code <= 0x10FFFF:
            return text[:-1] + chr(code)
        text = text[:-1]
    return None


def page_of(scan: Scan, prefix: str, delimiter: str, after: str, limit: int, *, from_row: bool = False) -> Page:
    """At most `limit` keys and common prefixes after the key or common prefix `after`.

    `from_row`: several rows may have the key `after`, and the scan knows where among them to go on.
    """
    page = Page()
    upper = successor(prefix) if prefix else None
    low, exclusive = (after, not from_row) if after >= prefix else (prefix, False)
    if delimiter and after.startswith(prefix) and after.endswith(delimiter) and after != prefix and not from_row:
        skipped = successor(after)
        if skipped is None:
            return page
        low, exclusive = skipped, False
    while low is not None:
        low, exclusive = _fill(page, scan(low, exclusive, upper), prefix, delimiter, limit), False
    return page


def _fill(page: Page, rows: Iterable[Row], prefix: str, delimiter: str, limit: int) -> str | None:
    """Adds to the page up to the next common prefix; returns where to go on, None at the end."""
    for row in rows:
        if len(page.rows) + len(page.prefixes) >= limit:
            page.last = page.last_row[0] if page.last_row else (page.prefixes[-1] if page.prefixes else "")
            return None
        key: str = row[0]
        end = key.find(delimiter, len(prefix)) if delimiter else -1
        if end < 0:
            page.rows.append(row)
            page.last_row = row
            continue
        common = key[: end + len(delimiter)]
        page.prefixes.append(common)
        page.last_row = None
        return successor(common)
    return None


def live_scan(reader: Reader, bucket: Bucket, limit: int) -> Scan:
    """Rows (key, modified, size, etag, owner, headers, checksum) of live objects."""
    columns = "SELECT key, modified, size, etag, owner, headers, checksum FROM objects WHERE bucket = ? AND live = 1"
    return _bounded(reader, columns, "key", bucket.id, limit)


def version_scan(reader: Reader, bucket: Bucket, limit: int, after: str, after_id: int) -> Scan:
    """Rows (key, id, version, live, delete_marker, modified, size, etag, owner, headers, checksum) of all versions.

    Newest first within a key; of the key `after`, only those older than `after_id` (0: none).
    """
    columns = "key, id, version, live, delete_marker, modified, size, etag, owner, headers, checksum"

    def scan(low: str, exclusive: bool, upper: str | None) -> Iterable[Row]:
        bound = "key > ?" if exclusive else "key >= ?"
        below = "" if upper is None else " AND key < ?"
        both = [
            f"SELECT {columns} FROM objects WHERE bucket = ? AND live = {live} AND {bound}{below}" for live in (1, 0)
        ]
        sql = f"{both[0]} UNION ALL {both[1]} ORDER BY 1, 2 DESC LIMIT ?"
        bindings = (bucket.id, low, *([] if upper is None else [upper]))
        for row in reader.rows(sql, (*bindings, *bindings, -1)):
            if row[0] != after or row[1] < after_id:
                yield row

    return scan


def upload_scan(reader: Reader, bucket: Bucket, limit: int, after: str, after_id: int) -> Scan:
    """Rows (key, id, upload_id, initiated, owner, headers, algorithm, type, declared), oldest first within a key."""
    columns = (
        "SELECT key, id, upload_id, initiated, owner, headers, checksum_algorithm, checksum_type, declared"
        " FROM uploads WHERE bucket = ?"
    )
    rows_of = _bounded(reader, columns, "key, id", bucket.id, -1)

    def scan(low: str, exclusive: bool, upper: str | None) -> Iterable[Row]:
        for row in rows_of(low, exclusive, upper):
            if row[0] != after or row[1] > after_id:
                yield row

    return scan


def _bounded(reader: Reader, columns: str, order: str, bucket_id: int, limit: int) -> Scan:
    def scan(low: str, exclusive: bool, upper: str | None) -> Iterable[Row]:
        sql = columns + (" AND key > ?" if exclusive else " AND key >= ?")
        if upper is None:
            return reader.rows(f"{sql} ORDER BY {order} LIMIT ?", (bucket_id, low, limit))
        return reader.rows(f"{sql} AND key < ? ORDER BY {order} LIMIT ?", (bucket_id, low, upper, limit))

    return scan


def page_size(value: int | None, name: str) -> int:
    """Raises InvalidArgument for a negative one; S3 takes larger ones for its limit."""
    if value is None:
        return LARGEST_PAGE
    if value < 0:
        raise invalid_argument(f"Argument {name} must be an integer between 0 and 2147483647", name, value)
    return min(value, LARGEST_PAGE)


def encoder(encoding_type: str | None) -> Callable[[str], str]:
    """What EncodingType=url does to keys and prefixes."""
    if encoding_type is None:
        return str
    if encoding_type != "url":
        raise invalid_argument("Invalid Encoding Method specified in Request", "encoding-type", encoding_type)
    return lambda text: quote(text, safe="/-_.*")


def seal(position: str) -> str:
    """A continuation token. Whoever looks into it finds a key, but clients must not count on that."""
    return urlsafe_b64encode(b"1" + position.encode()).decode()


def unseal(token: str) -> str:
    try:
        raw = urlsafe_b64decode(token)
        if raw[:1] != b"1":
            raise ValueError(token)
        return raw[1:].decode()
    except (BadBase64, ValueError):
        raise invalid_argument("The continuation token provided is incorrect", "continuation-token", token) from None


def version_position(reader: Reader, bucket: Bucket, key: str, version: str) -> int:
    """The id of the version at which a listing of versions goes on."""
    for live in (1, 0):
        row = reader.one(
            f"SELECT id FROM objects WHERE bucket = ? AND key = ? AND live = {live} AND version = ?",
            (bucket.id, key, version),
        )
        if row is not None:
            return row[0]
    if version == NULL_VERSION:
        return 0
    raise invalid_argument("Invalid version id specified", "version-id-marker", version)
