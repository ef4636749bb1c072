"""JWT authorizers: who asks, by a signed token; whether they may, by its scopes."""

from collections.abc import Mapping
from typing import Any, cast

import jwt
import orjson

from cloudlet.core.clock import Clock
from cloudlet.services.apigatewayv2.exchange import Authorized, Exchange
from cloudlet.services.apigatewayv2.identity_sources import identity_of
from cloudlet.services.apigatewayv2.refusal import Refusal, forbidden, unauthorized
from cloudlet.services.apigatewayv2.serving import JwtAuthorizer
from cloudlet.services.apigatewayv2.signing_keys import KeysUnavailable, SigningKeys

# What HTTP APIs take: signatures with RSA keys.
_ALGORITHMS = ("RS256", "RS384", "RS512")
_LONGEST = 8 * 1024


class InvalidToken(Exception):
    """Why a token is not taken, in words for the client."""


class JwtAuthorizers:
    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._keys = SigningKeys(clock)

    async def authorize(self, exchange: Exchange, authorizer: JwtAuthorizer, scopes: tuple[str, ...]) -> Authorized:
        """Raises Refusal: 401 without a token that is good, 403 if the token has none of the route's scopes."""
        identity = identity_of((authorizer.source,), exchange)
        if identity is None:
            exchange.authorizer_error = "no token"
            raise unauthorized(("www-authenticate", "Bearer"))
        try:
            claims = await self._claims(identity[0], authorizer)
        except InvalidToken as error:
            exchange.authorizer_error = str(error)
            raise _refused(unauthorized, scopes, "invalid_token", str(error)) from None
        granted = _scopes_of(claims)
        matching = tuple(scope for scope in scopes if scope in granted)
        if scopes and not matching:
            exchange.authorizer_error = "insufficient scope"
            words = "the token does not have the scopes that the route requires"
            raise _refused(forbidden, scopes, "insufficient_scope", words)
        return Authorized(claims={name: _claim_text(value) for name, value in claims.items()}, scopes=matching or None)

    async def _claims(self, token: str, authorizer: JwtAuthorizer) -> Mapping[str, Any]:
        scheme, space, rest = token.partition(" ")
        if space and scheme.lower() == "bearer":
            token = rest.strip()
        if len(token) > _LONGEST:
            raise InvalidToken("the token is too long")
        claims = await self._verified(token, authorizer.issuer)
        _check(claims, authorizer, self._clock.now())
        return claims

    async def _verified(self, token: str, issuer: str) -> Mapping[str, Any]:
        """The claims under a signature of the issuer's."""
        try:
            head = jwt.get_unverified_header(token)
        except jwt.PyJWTError:
            raise InvalidToken("the token is malformed") from None
        if head.get("alg") not in _ALGORITHMS:
            raise InvalidToken(f"signing method {head.get('alg')} is invalid")
        key_id = head.get("kid")
        if not isinstance(key_id, str):
            raise InvalidToken("the token does not name its key")
        try:
            key = await self._keys.key(issuer, key_id)
        except KeysUnavailable as error:
            raise InvalidToken(str(error)) from None
        if key is None:
            raise InvalidToken("unable to find a signing key that matches the token's kid")
        try:
            payload = jwt.PyJWS().decode(token, key.key, algorithms=list(_ALGORITHMS))
            claims = orjson.loads(payload)
        except (jwt.PyJWTError, orjson.JSONDecodeError):
            raise InvalidToken("the token's signature is invalid") from None
        if not isinstance(claims, dict):
            raise InvalidToken("the token is malformed")
        return cast("dict[str, Any]", claims)


def _check(claims: Mapping[str, Any], authorizer: JwtAuthorizer, now: float) -> None:
    if claims.get("iss") != authorizer.issuer:
        raise InvalidToken("the token does not have a valid issuer")
    audience = claims.get("aud") if "aud" in claims else claims.get("client_id")
    many = cast("list[Any]", audience) if isinstance(audience, list) else [audience]
    if not any(each in authorizer.audience for each in many if isinstance(each, str)):
        raise InvalidToken("the token does not have a valid audience")
    if now >= _seconds(claims.get("exp"), otherwise=0.0):
        raise InvalidToken("the token has expired")
    for name, words in (("nbf", "the token is not valid yet"), ("iat", "the token was issued in the future")):
        if name in claims and now < _seconds(claims[name], otherwise=now + 1):
            raise InvalidToken(words)


def _seconds(value: Any, *, otherwise: float) -> float:
    """A time in a claim; `otherwise` for what is none."""
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else otherwise


def _scopes_of(claims: Mapping[str, Any]) -> set[str]:
    """Those in `scope`, else those in `scp`, which may be a list."""
    declared = claims.get("scope", claims.get("scp"))
    if isinstance(declared, list):
        return {str(each) for each in cast("list[Any]", declared)}
    return set(str(declared).split()) if declared is not None else set()


def _claim_text(value: Any) -> str:
    """Claims reach integrations as texts; lists stand in brackets, with spaces between their members."""
    if isinstance(value, str):
        return value
    if isinstance(value, list):
        return f"[{' '.join(_claim_text(each) for each in cast('list[Any]', value))}]"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return orjson.dumps(value).decode()


def _refused(kind: Any, scopes: tuple[str, ...], error: str, description: str) -> Refusal:
    quoted = description.replace("\\", "").replace('"', "'")
    words = f'Bearer scope="{" ".join(scopes)}" error="{error}" error_description="{quoted}"'
    return kind(("www-authenticate", words))
