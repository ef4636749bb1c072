"""Presigned URLs of Signature Version 2, for S3 alone: what boto3 makes in us-east-1 unless it is told otherwise.

In headers, Version 2 is refused like on AWS for everything new; every SDK signs headers with Version 4.
"""

import base64
import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import parse_qsl, unquote

from cloudlet.core.http import HttpRequest
from cloudlet.gateway.refusals import Refusals

# Parameters that say what is asked for and are under the signature.
_SIGNED = frozenset(
    {
        "accelerate",
        "acl",
        "analytics",
        "cors",
        "delete",
        "inventory",
        "lifecycle",
        "location",
        "logging",
        "metrics",
        "notification",
        "object-lock",
        "partNumber",
        "policy",
        "replication",
        "requestPayment",
        "response-cache-control",
        "response-content-disposition",
        "response-content-encoding",
        "response-content-language",
        "response-content-type",
        "response-expires",
        "restore",
        "select",
        "select-type",
        "tagging",
        "torrent",
        "uploadId",
        "uploads",
        "versionId",
        "versioning",
        "versions",
        "website",
    }
)
# Parameters that a signature leaves open: they narrow a listing, or belong to the signature itself.
_OPEN = frozenset(
    {
        "AWSAccessKeyId",
        "Expires",
        "Signature",
        "content-md5",
        "content-type",
        "continuation-token",
        "delimiter",
        "encoding-type",
        "fetch-owner",
        "key-marker",
        "list-type",
        "marker",
        "max-keys",
        "prefix",
        "start-after",
        "version-id-marker",
        "x-id",
    }
)


@dataclass(frozen=True, slots=True)
class Presigned:
    """What a presigned URL says about its signature. `expires` is in epoch seconds."""

    access_key_id: str
    signature: str
    expires: int
    token: str | None
    members: Mapping[str, str]


def presigned(request: HttpRequest, refusals: Refusals) -> Presigned | None:
    """The signature in the query, None if there is none."""
    if "Signature=" not in request.query or "AWSAccessKeyId=" not in request.query:
        return None
    pairs = parse_qsl(request.query, keep_blank_values=True)
    members = dict(pairs)
    if not members.keys() & {"Signature", "AWSAccessKeyId"}:
        return None
    if len(pairs) != len(members) or not members.keys() >= {"Signature", "AWSAccessKeyId", "Expires"}:
        raise refusals.missing()
    unsigned = [name for name in members if name not in _SIGNED | _OPEN and not name.lower().startswith("x-amz-")]
    if unsigned:
        raise refusals.not_signed(unsigned)
    expires = members["Expires"]
    if not (expires.isascii() and expires.isdigit()):
        raise refusals.malformed_query("Invalid date (should be seconds since epoch): " + expires)
    return Presigned(
        access_key_id=members["AWSAccessKeyId"],
        signature=members["Signature"],
        expires=int(expires),
        token=members.get("x-amz-security-token"),
        members=members,
    )


def string_to_sign(request: HttpRequest, url: Presigned, labels: Mapping[str, str]) -> str:
    """Method, Content-MD5, Content-Type, expiry, Amazon's headers and the resource."""
    headers, members = request.headers, url.members
    standard = [headers.get(name, members.get(name, "")).strip() for name in ("content-md5", "content-type")]
    amazon = {name.lower(): value for name, value in members.items() if name.lower().startswith("x-amz-")}
    amazon.update({name: value for name, value in headers.items() if name.startswith("x-amz-")})
    lines = [f"{name}:{amazon[name].strip()}" for name in sorted(amazon)]
    return "\n".join([request.method, *standard, str(url.expires), *lines, _resource(request, members, labels)])


def signature(secret: str, text: str) -> str:
    return base64.b64encode(hmac.digest(secret.encode(), text.encode("latin-1", "replace"), "sha1")).decode()


def _resource(request: HttpRequest, members: Mapping[str, str], labels: Mapping[str, str]) -> str:
    path = _path_with_bucket(request.path, labels)
    selected = sorted(name for name in members if name in _SIGNED)
    if not selected:
        return path
    raw = {pair.partition("=")[0]: "=" in pair for pair in request.query.split("&")}
    return f"{path}?" + "&".join(f"{name}={members[name]}" if raw.get(name) else name for name in selected)


def _path_with_bucket(path: str, labels: Mapping[str, str]) -> str:
    """The path as it was sent, with the bucket in front if the host had it."""
    bucket = labels.get("Bucket")
    if bucket is None:
        return path
    meant = f"/{bucket}/{labels.get('Key', '')}".rstrip("/")
    return path if unquote(path).rstrip("/") == meant else f"/{bucket}{path}"
