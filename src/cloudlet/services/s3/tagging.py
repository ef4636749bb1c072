"""Tags of objects and buckets: read from a header or a TagSet, checked by S3's rules."""

import re
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import parse_qsl

import orjson

from cloudlet.services.s3.errors import invalid_argument, s3_error

OBJECT_TAGS = 10
BUCKET_TAGS = 50
_ALLOWED = re.compile(r"[\w\s+\-=.:/@]*")


def parse_tagging_header(header: str | None) -> bytes | None:
    """The x-amz-tagging header (`a=1&b=2`), as JSON to keep. Raises InvalidArgument or InvalidTag."""
    if not header:
        return None
    try:
        pairs = parse_qsl(header, keep_blank_values=True, strict_parsing=False, errors="strict")
    except ValueError:
        pairs = []
    if not pairs:
        raise invalid_argument(
            "The header 'x-amz-tagging' shall be encoded as UTF-8 then URLEncoded URL query parameters without tag "
            "name duplicates.",
            "x-amz-tagging",
            header,
        )
    return tags_to_keep(pairs, OBJECT_TAGS)


def tags_of_set(tag_set: Iterable[Mapping[str, str]], limit: int) -> bytes | None:
    return tags_to_keep([(tag["Key"], tag["Value"]) for tag in tag_set], limit)


def tag_set(tags: Mapping[str, str]) -> list[dict[str, Any]]:
    return [{"Key": name, "Value": value} for name, value in sorted(tags.items())]


def tags_to_keep(pairs: list[tuple[str, str]], limit: int) -> bytes | None:
    if len(pairs) > limit:
        if limit == OBJECT_TAGS:
            raise s3_error("BadRequest", "Object tags cannot be greater than 10")
        raise s3_error("BadRequest", f"Bucket tag count cannot be greater than {limit}")
    for name, value in pairs:
        if not name or len(name) > 128 or not _ALLOWED.fullmatch(name) or name.lower().startswith("aws:"):
            raise s3_error("InvalidTag", "The TagKey you have provided is invalid", TagKey=name)
        if len(value) > 256 or not _ALLOWED.fullmatch(value):
            raise s3_error("InvalidTag", "The TagValue you have provided is invalid", TagKey=name, TagValue=value)
    tags = dict(pairs)
    if len(tags) < len(pairs):
        raise s3_error("InvalidTag", "Cannot provide multiple Tags with the same key")
    return orjson.dumps(tags) if tags else None
