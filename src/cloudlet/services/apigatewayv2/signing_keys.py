"""The keys with which issuers sign tokens: fetched by OpenID Connect discovery, kept for a time."""

import asyncio
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Any, cast

import aiohttp
import jwt
import orjson

from cloudlet.core.clock import Clock
from cloudlet.services.apigatewayv2.throttling import Bucket

_KEPT_SECONDS = 2 * 3600.0
# Keys are asked for so often at once, and then once in so many seconds: tokens with made-up key ids cannot do more.
_REFRESHES = 5
_REFRESH_SECONDS = 10.0
_TIMEOUT = aiohttp.ClientTimeout(total=5)
_LARGEST_DOCUMENT = 256 * 1024
_MOST_KEYS = 100
_MOST_ISSUERS = 256
_DISCOVERY = "/.well-known/openid-configuration"


class KeysUnavailable(Exception):
    """The issuer's keys cannot be had; the words are for the client."""


@dataclass(slots=True)
class _Issuer:
    keys: dict[str, jwt.PyJWK] = field(default_factory=dict[str, jwt.PyJWK])
    fetched: float = 0.0
    fetching: asyncio.Lock = field(default_factory=asyncio.Lock)
    refreshes: Bucket = field(default_factory=lambda: Bucket(1 / _REFRESH_SECONDS, _REFRESHES))


class SigningKeys:
    """Of the issuers that were asked for last."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._issuers: OrderedDict[str, _Issuer] = OrderedDict()

    async def key(self, issuer: str, key_id: str) -> jwt.PyJWK | None:
        """None if the issuer has no such key. Raises KeysUnavailable."""
        known = self._issuers.setdefault(issuer, _Issuer())
        self._issuers.move_to_end(issuer)
        if len(self._issuers) > _MOST_ISSUERS:
            self._issuers.popitem(last=False)
        found = self._current(known, key_id)
        if found is None:
            async with known.fetching:
                found = self._current(known, key_id)
                if found is None and known.refreshes.take(self._clock.now()):
                    known.keys = await _fetch(issuer)
                    known.fetched = self._clock.now()
                    found = known.keys.get(key_id)
        if found is None and not known.keys:
            raise KeysUnavailable("JWKS communication error")
        return found

    def _current(self, known: _Issuer, key_id: str) -> jwt.PyJWK | None:
        return known.keys.get(key_id) if self._clock.now() < known.fetched + _KEPT_SECONDS else None


async def _fetch(issuer: str) -> dict[str, jwt.PyJWK]:
    async with aiohttp.ClientSession(timeout=_TIMEOUT) as session:
        discovered = await _document(session, issuer.rstrip("/") + _DISCOVERY, "OIDC discovery endpoint")
        address = discovered.get("jwks_uri")
        if not isinstance(address, str):
            raise KeysUnavailable("OIDC discovery endpoint names no jwks_uri")
        keys = (await _document(session, address, "JWKS")).get("keys")
    found: dict[str, jwt.PyJWK] = {}
    for each in cast("list[Any]", keys if isinstance(keys, list) else [])[:_MOST_KEYS]:
        key = _rsa_key(each)
        if key is not None and key.key_id is not None:
            found[key.key_id] = key
    return found


async def _document(session: aiohttp.ClientSession, url: str, what: str) -> dict[str, Any]:
    try:
        async with session.get(url) as response:
            text = await response.content.read(_LARGEST_DOCUMENT)
            while len(text) < _LARGEST_DOCUMENT and (more := await response.content.read(_LARGEST_DOCUMENT)):
                text += more
            found = orjson.loads(text) if response.status == 200 else None
    except (aiohttp.ClientError, TimeoutError, ValueError):
        found = None
    if not isinstance(found, dict):
        raise KeysUnavailable(f"{what} communication error")
    return cast("dict[str, Any]", found)


def _rsa_key(declared: Any) -> jwt.PyJWK | None:
    """None for keys that HTTP APIs do not take: they know RSA alone."""
    if not isinstance(declared, dict):
        return None
    members = cast("dict[str, Any]", declared)
    if members.get("kty") != "RSA" or members.get("use", "sig") != "sig":
        return None
    try:
        return jwt.PyJWK({**members, "alg": members.get("alg") or "RS256"})
    except (jwt.PyJWKError, jwt.InvalidKeyError):
        return None
