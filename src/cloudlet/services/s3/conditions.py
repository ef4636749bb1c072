"""Preconditions: of reads, of copies and of writes, with S3's order of precedence."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from cloudlet.services.s3.errors import no_such_key, precondition_failed, s3_error
from cloudlet.services.s3.objects import ObjectVersion


def matches(header: str, etag: str) -> bool:
    """Whether a list of entity tags (or `*`) names this one; quotes do not matter, nor does a weak mark."""
    if header.strip() == "*":
        return True
    return etag in [tag.strip().removeprefix("W/").strip('"') for tag in header.split(",")]


def check_read(params: Mapping[str, Any], version: ObjectVersion) -> None:
    """Raises PreconditionFailed (412) or NotModified (304).

    If-Match prevails over If-Unmodified-Since, If-None-Match over If-Modified-Since.
    """
    if_match, if_none_match = params.get("IfMatch"), params.get("IfNoneMatch")
    modified = int(version.modified)
    if if_match is not None:
        if not matches(if_match, version.etag):
            raise precondition_failed("If-Match")
    elif "IfUnmodifiedSince" in params and modified > _seconds(params["IfUnmodifiedSince"]):
        raise precondition_failed("If-Unmodified-Since")
    if if_none_match is not None:
        if matches(if_none_match, version.etag):
            raise _not_modified(version)
    elif "IfModifiedSince" in params and modified <= _seconds(params["IfModifiedSince"]):
        raise _not_modified(version)


def check_copy_source(params: Mapping[str, Any], version: ObjectVersion) -> None:
    """Of CopyObject and UploadPartCopy: everything that does not hold is PreconditionFailed."""
    if_match, if_none_match = params.get("CopySourceIfMatch"), params.get("CopySourceIfNoneMatch")
    modified = int(version.modified)
    if if_match is not None:
        if not matches(if_match, version.etag):
            raise precondition_failed("x-amz-copy-source-If-Match")
    elif "CopySourceIfUnmodifiedSince" in params and modified > _seconds(params["CopySourceIfUnmodifiedSince"]):
        raise precondition_failed("x-amz-copy-source-If-Unmodified-Since")
    if if_none_match is not None:
        if matches(if_none_match, version.etag):
            raise precondition_failed("x-amz-copy-source-If-None-Match")
    elif "CopySourceIfModifiedSince" in params and modified <= _seconds(params["CopySourceIfModifiedSince"]):
        raise precondition_failed("x-amz-copy-source-If-Modified-Since")


def check_write(if_match: str | None, if_none_match: str | None, key: str, current: ObjectVersion | None) -> None:
    """Inside the write, against the live version if there is one. Raises PreconditionFailed or NoSuchKey.

    AWS takes no If-None-Match but `*`; an entity tag means here what it means in HTTP.
    """
    if if_none_match is not None and current is not None and matches(if_none_match, current.etag):
        raise precondition_failed("If-None-Match")
    if if_match is not None:
        if current is None:
            raise no_such_key(key)
        if not matches(if_match, current.etag):
            raise precondition_failed("If-Match")


def _not_modified(version: ObjectVersion) -> Exception:
    return s3_error("NotModified", headers=version.validators())


def _seconds(moment: datetime) -> int:
    return int(moment.timestamp())
