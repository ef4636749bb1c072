"""Who asks: Signature Version 4, in the Authorization header or in a presigned query, verified for every request."""

import hashlib
import hmac
import re
from calendar import timegm
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from functools import cache, lru_cache
from typing import NamedTuple
from urllib.parse import parse_qsl

from cloudlet.core.access import Credential, CredentialStore
from cloudlet.core.context import Principal
from cloudlet.core.http import Body, HttpRequest
from cloudlet.core.model import api_model
from cloudlet.core.remembering import remembered
from cloudlet.gateway import canonical, payload, sigv2
from cloudlet.gateway.chunked import Seed
from cloudlet.gateway.refusals import Refusals, refusals_of
from cloudlet.gateway.refusals import timestamp as timestamp_text

ALGORITHM = "AWS4-HMAC-SHA256"
MAX_SKEW = 15 * 60.0
_LONGEST_EXPIRY = 7 * 24 * 3600
_REGION = re.compile(r"[a-z]{2,5}(?:-[a-z]{2,12}){1,3}-[0-9]{1,2}")
_USUAL_START = re.compile(r"Credential=([^,\s]+), ?SignedHeaders=([^,\s]+), ?")
_SIGNATURE = re.compile(r"[^,\s]+")
_TIMESTAMP = re.compile(r"([0-9]{4})([0-9]{2})([0-9]{2})T([0-9]{2})([0-9]{2})([0-9]{2})Z")
# Signed in any case: its value is the last line of the canonical request.
_DIGEST = "x-amz-content-sha256"
NO_LABELS: Mapping[str, str] = {}
_QUERY_MEMBERS = ("X-Amz-Credential", "X-Amz-Signature", "X-Amz-Date", "X-Amz-SignedHeaders")


class Signed(NamedTuple):
    """A request whose sender is known. `body` is what was meant: without aws-chunked's framing, verified as it is
    read if it is a stream. An anonymous request (S3 alone knows them) has no credential and no region."""

    principal: Principal
    credential: Credential | None
    service: str
    region: str
    body: Body


class Scope(NamedTuple):
    """`KEY/20261124/us-east-1/s3/aws4_request`; `text` is all but the key."""

    access_key_id: str
    date: str
    region: str
    service: str
    terminator: str
    text: str


class Claim(NamedTuple):
    """What a request says about its signature. `expires` is given in presigned queries only."""

    scope: Scope
    signed_headers: str
    signature: str
    timestamp: str
    token: str | None
    query: str
    expires: int | None = None


def verify(
    request: HttpRequest,
    body: bytes | None,
    credentials: CredentialStore,
    now: float,
    *,
    api: str,
    protocol: str,
    labels: Mapping[str, str] = NO_LABELS,
) -> Signed:
    """Names the sender, or raises the API's own error.

    `body` is the whole body, None if it is streamed (S3 only); `labels` are those of the path, which name the bucket.
    """
    refusals = refusals_of(api, protocol)
    sender = _sender(request, credentials, now, api, refusals)
    if sender is None:
        return _without_version_4(request, body, credentials, now, refusals, labels)
    claim, credential, names = sender
    scope = claim.scope
    digest = payload.digest(request, body, api, presigned=claim.expires is not None)
    path = canonical.object_path(request.path) if api == "s3" else canonical.resource_path(request.path)
    lines = canonical.header_lines(names, request.headers)
    text = f"{request.method}\n{path}\n{claim.query}\n{lines}\n\n{claim.signed_headers}\n{digest}"
    hashed = hashlib.sha256(text.encode("latin-1", "replace")).hexdigest()
    to_sign = f"{ALGORITHM}\n{claim.timestamp}\n{scope.text}\n{hashed}"
    expected = _signature(credential.secret_access_key, scope, to_sign.encode())
    if not _same(expected, claim.signature):
        raise refusals.mismatch(scope.access_key_id, claim.signature, text, to_sign)
    credentials.used(credential, scope.service, scope.region, now)
    seed = _seed(credential.secret_access_key, claim, expected) if payload.is_chunked(digest) else None
    verified = payload.verified_body(request, body, digest, seed, api)
    return Signed(credential.principal, credential, scope.service, scope.region, verified)


def check_sender(request: HttpRequest, credentials: CredentialStore, now: float, *, api: str, protocol: str) -> None:
    """Raises what `verify` would raise whatever the body is: to be asked before a large body is read into memory."""
    _sender(request, credentials, now, api, refusals_of(api, protocol))


def _sender(
    request: HttpRequest, credentials: CredentialStore, now: float, api: str, refusals: Refusals
) -> tuple[Claim, Credential, tuple[str, ...]] | None:
    """Who claims to have signed, and which headers; None without a signature of Version 4, which S3 alone allows."""
    claim = _claim(request, refusals)
    if claim is None:
        if api != "s3":
            raise refusals.missing()
        return None
    credential = _credential(claim.scope.access_key_id, claim.token, credentials, now, refusals)
    time = _check_scope(claim, api, refusals)
    _check_time(claim, time, now, refusals)
    return claim, credential, _signed_names(claim, request, refusals)


@lru_cache(maxsize=4096)
def signing_key(secret: str, date: str, region: str, service: str) -> bytes:
    """The key that a secret access key yields for a day, a region and a service."""
    key = f"AWS4{secret}".encode()
    for part in (date, region, service, "aws4_request"):
        key = hmac.digest(key, part.encode(), "sha256")
    return key


def _signature(secret: str, scope: Scope, text: bytes) -> str:
    """A copy of a keyed hash: `hmac.digest` would give up the interpreter lock, which costs ten times as much here."""
    keyed = _keyed(secret, scope.date, scope.region, scope.service).copy()
    keyed.update(text)
    return keyed.hexdigest()


@lru_cache(maxsize=4096)
def _keyed(secret: str, date: str, region: str, service: str) -> hmac.HMAC:
    return hmac.new(signing_key(secret, date, region, service), digestmod="sha256")


def _seed(secret: str, claim: Claim, signature: str) -> Seed:
    scope = claim.scope
    key = signing_key(secret, scope.date, scope.region, scope.service)
    return Seed(key, claim.timestamp, scope.text, signature)


def _without_version_4(
    request: HttpRequest,
    body: bytes | None,
    credentials: CredentialStore,
    now: float,
    refusals: Refusals,
    labels: Mapping[str, str],
) -> Signed:
    """S3's presigned URLs of Version 2, and the anonymous. Neither names a region."""
    content = payload.anonymous_body(request, body)
    url = sigv2.presigned(request, refusals)
    if url is None:
        return Signed(Principal.anonymous(), None, "s3", "", content)
    credential = _credential(url.access_key_id, url.token, credentials, now, refusals)
    text = sigv2.string_to_sign(request, url, labels)
    if not _same(sigv2.signature(credential.secret_access_key, text), url.signature):
        raise refusals.mismatch(url.access_key_id, url.signature, "", text)
    if now > url.expires:
        raise refusals.expired(url.expires, 0, now)
    credentials.used(credential, "s3", "", now)
    return Signed(credential.principal, credential, "s3", "", content)


def _claim(request: HttpRequest, refusals: Refusals) -> Claim | None:
    """The signature that the request carries, None if it carries none."""
    authorization = request.headers.get("authorization")
    in_query = "X-Amz-Algorithm=" in request.query
    if authorization is not None:
        if in_query:
            raise refusals.malformed(
                "Only one auth mechanism allowed; only the X-Amz-Algorithm query parameter, Signature query string "
                "parameter or the Authorization header should be specified"
            )
        return _header_claim(authorization, request, refusals)
    return _query_claim(request, refusals) if in_query else None


def _header_claim(authorization: str, request: HttpRequest, refusals: Refusals) -> Claim:
    algorithm, _, rest = authorization.partition(" ")
    if algorithm != ALGORITHM:
        raise refusals.unsupported(algorithm)
    credential, signed_headers, signature = _members(rest, refusals)
    timestamp = request.headers.get("x-amz-date") or _basic_format(request.headers.get("date", ""))
    if not timestamp:
        raise refusals.malformed("Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header.")
    token = request.headers.get("x-amz-security-token")
    query = canonical.query(request.query) if request.query else ""
    return Claim(_scope(credential, refusals), signed_headers, signature, timestamp, token, query)


def _members(text: str, refusals: Refusals) -> tuple[str, str, str]:
    """Credential, SignedHeaders and Signature of an Authorization header, which may stand in any order."""
    start, _, signature = text.rpartition("Signature=")
    usual = _usual_start(start)
    if usual is not None and _SIGNATURE.fullmatch(signature):
        return *usual, signature
    members: dict[str, str] = {}
    for member in text.split(","):
        name, _, value = member.strip().partition("=")
        members[name] = value
    missing = [name for name in ("Credential", "Signature", "SignedHeaders") if not members.get(name)]
    if missing:
        raise refusals.malformed(" ".join(f"Authorization header requires '{name}' parameter." for name in missing))
    return members["Credential"], members["SignedHeaders"], members["Signature"]


@remembered(4096)
def _usual_start(text: str) -> tuple[str, str] | None:
    """What a client repeats in all its requests of a day. Of the usual order only."""
    found = _USUAL_START.fullmatch(text)
    return (found[1], found[2]) if found is not None else None


def _basic_format(date: str) -> str | None:
    """A Date header (`Tue, 24 Nov 2026 11:00:00 GMT`) as X-Amz-Date has it; None if it is not one."""
    if _TIMESTAMP.fullmatch(date):
        return date
    try:
        return timestamp_text(parsedate_to_datetime(date).timestamp())
    except ValueError:
        return None


def _query_claim(request: HttpRequest, refusals: Refusals) -> Claim | None:
    members = dict(parse_qsl(request.query, keep_blank_values=True))
    algorithm = members.get("X-Amz-Algorithm")
    if algorithm is None:
        return None
    if algorithm != ALGORITHM:
        raise refusals.unsupported(algorithm)
    if not all(members.get(name) for name in _QUERY_MEMBERS):
        raise refusals.malformed_query(
            "Query-string authentication version 4 requires the X-Amz-Algorithm, X-Amz-Credential, X-Amz-Signature, "
            "X-Amz-Date, X-Amz-SignedHeaders, and X-Amz-Expires parameters."
        )
    return Claim(
        scope=_scope(members["X-Amz-Credential"], refusals),
        signed_headers=members["X-Amz-SignedHeaders"],
        signature=members["X-Amz-Signature"],
        timestamp=members["X-Amz-Date"],
        token=members.get("X-Amz-Security-Token"),
        query=canonical.query(request.query, leave_out="X-Amz-Signature"),
        expires=_expires(members.get("X-Amz-Expires"), refusals),
    )


def _expires(text: str | None, refusals: Refusals) -> int:
    if text is None:
        raise refusals.malformed_query("X-Amz-Expires is missing.")
    if not re.fullmatch(r"-?[0-9]{1,12}", text):
        raise refusals.malformed_query("X-Amz-Expires should be a number")
    if int(text) <= 0:
        raise refusals.malformed_query("X-Amz-Expires must be non-negative")
    if int(text) > _LONGEST_EXPIRY:
        raise refusals.malformed_query(
            "X-Amz-Expires must be less than a week (in seconds); that is, the given X-Amz-Expires must be less than "
            "604800 seconds"
        )
    return int(text)


def _scope(text: str, refusals: Refusals) -> Scope:
    scope = _parsed_scope(text)
    if scope is None:
        raise refusals.malformed(
            'the Credential is mal-formed; expecting "<YOUR-AKID>/YYYYMMDD/REGION/SERVICE/aws4_request".'
        )
    return scope


@remembered(4096)
def _parsed_scope(text: str) -> Scope | None:
    parts = text.split("/")
    if len(parts) != 5 or not all(parts):
        return None
    key, date, region, service, terminator = parts
    return Scope(key, date, region, service, terminator, f"{date}/{region}/{service}/{terminator}")


def _credential(
    access_key_id: str, token: str | None, credentials: CredentialStore, now: float, refusals: Refusals
) -> Credential:
    credential = credentials.credential(access_key_id, token)
    if credential is None and token is not None:
        raise refusals.invalid_token()
    if credential is None or not credential.active:
        raise refusals.unknown_key(access_key_id)
    if credential.session_token is None:
        if token is not None:
            raise refusals.invalid_token()
    elif token is None or not _same(credential.session_token, token):
        raise refusals.invalid_token()
    if credential.expires is not None and credential.expires <= now:
        raise refusals.expired_token()
    return credential


def _check_scope(claim: Claim, api: str, refusals: Refusals) -> float:
    """Holds the scope against the request; returns when it was signed."""
    scope = claim.scope
    time = _seconds(claim.timestamp)
    if time is None:
        raise refusals.malformed("Date must be in ISO-8601 'basic format'. Got '" + claim.timestamp + "'.")
    if scope.terminator != "aws4_request":
        raise refusals.wrong_scope("terminator", scope.terminator, "aws4_request")
    if scope.service != _signing_name(api):
        raise refusals.wrong_scope("service", scope.service, _signing_name(api))
    if not _is_region(scope.region):
        raise refusals.wrong_scope("region", scope.region, "us-east-1")
    if scope.date != claim.timestamp[:8]:
        raise refusals.wrong_scope("date", scope.date, claim.timestamp[:8])
    return time


def _check_time(claim: Claim, time: float, now: float, refusals: Refusals) -> None:
    if claim.expires is None:
        if abs(now - time) > MAX_SKEW:
            raise refusals.skewed(time, now, MAX_SKEW)
        return
    if time - now > MAX_SKEW:
        raise refusals.skewed(time, now, MAX_SKEW)
    if now > time + claim.expires:
        raise refusals.expired(time, claim.expires, now)


def _signed_names(claim: Claim, request: HttpRequest, refusals: Refusals) -> tuple[str, ...]:
    """The signed headers. The host and all that Amazon's services act on must be among them."""
    names, among = _names(claim.signed_headers)
    if "host" not in among:
        raise refusals.not_signed(["host"])
    unsigned = [name for name in request.headers if name.startswith("x-amz-") and name not in among and name != _DIGEST]
    if unsigned:
        raise refusals.not_signed(unsigned)
    return names


@remembered(1024)
def _names(signed_headers: str) -> tuple[tuple[str, ...], frozenset[str]]:
    names = tuple(signed_headers.split(";"))
    return names, frozenset(names)


@remembered(1024)
def _seconds(timestamp: str) -> float | None:
    match = _TIMESTAMP.fullmatch(timestamp)
    if match is None:
        return None
    year, month, day, hour, minute, second = (int(part) for part in match.groups())
    if not (year >= 1970 and 1 <= month <= 12 and 1 <= day <= 31 and hour < 24 and minute < 60 and second < 61):
        return None
    return float(timegm((year, month, day, hour, minute, second)))


@cache
def _signing_name(api: str) -> str:
    return str(api_model(api).signing_name)


@remembered(256)
def _is_region(name: str) -> bool:
    return _REGION.fullmatch(name) is not None


def _same(expected: str, given: str) -> bool:
    """Compares in constant time; what is expected is ASCII."""
    return given.isascii() and hmac.compare_digest(expected, given)
