"""Lambda authorizers: a function says who may pass, by yes or no or by a policy; what it said is kept for a time."""

import hashlib
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

import orjson

from cloudlet.authz.documents import MalformedPolicy, Policy, parse_policy
from cloudlet.core.context import Principal
from cloudlet.core.errors import AwsError
from cloudlet.core.role_sessions import RoleSessions
from cloudlet.core.service import Cloud
from cloudlet.services.apigatewayv2 import events
from cloudlet.services.apigatewayv2.exchange import Authorized, Exchange
from cloudlet.services.apigatewayv2.functions import invoke
from cloudlet.services.apigatewayv2.identity_sources import identity_of
from cloudlet.services.apigatewayv2.principals import SERVICE
from cloudlet.services.apigatewayv2.refusal import Refusal, failed, forbidden, unauthorized
from cloudlet.services.apigatewayv2.serving import LambdaAuthorizer

_ACTION = "execute-api:invoke"
_MOST_RESULTS = 10_000
_LARGEST_RESULT = 16 * 1024

# API, stage, authorizer as it was when it was asked, and a hash of the identity.
_Key = tuple[str, str, LambdaAuthorizer, bytes]


@dataclass(frozen=True, slots=True)
class Result:
    """What a function said: yes or no, or a policy that tells for each request."""

    allowed: bool
    policy: Policy | None
    context: Mapping[str, Any] | None
    principal_id: str | None


class LambdaAuthorizers:
    def __init__(self, cloud: Cloud, roles: RoleSessions) -> None:
        self._cloud = cloud
        self._roles = roles
        self._kept: OrderedDict[_Key, tuple[Result, float]] = OrderedDict()

    def forget(self, api_id: str, stage: str | None = None) -> None:
        """What was said for an API, or for one of its stages."""
        for key in [key for key in self._kept if key[0] == api_id and stage in (None, key[1])]:
            del self._kept[key]

    async def authorize(self, exchange: Exchange, authorizer: LambdaAuthorizer) -> Authorized:
        """Raises Refusal: 401 without identity, 403 if the function says no, 500 if it says nothing that counts."""
        identity = identity_of(authorizer.sources, exchange)
        if identity is None:
            exchange.authorizer_error = "an identity source is missing"
            raise unauthorized()
        result = await self._result(exchange, authorizer, identity)
        if not _allows(result, exchange):
            exchange.authorizer_error = "the function does not allow the request"
            raise forbidden()
        return Authorized(context=result.context, principal_id=result.principal_id)

    async def _result(self, exchange: Exchange, authorizer: LambdaAuthorizer, identity: list[str]) -> Result:
        if not authorizer.ttl or not identity:
            return _read(await self._ask(exchange, authorizer, identity), authorizer, exchange)
        hashed = hashlib.sha256(orjson.dumps(identity)).digest()
        key = (exchange.served.api_id, exchange.served.stage, authorizer, hashed)
        kept = self._kept.get(key)
        if kept is not None and exchange.time < kept[1]:
            self._kept.move_to_end(key)
            return kept[0]
        result = _read(await self._ask(exchange, authorizer, identity), authorizer, exchange)
        self._kept[key] = result, exchange.time + authorizer.ttl
        if len(self._kept) > _MOST_RESULTS:
            self._kept.popitem(last=False)
        return result

    async def _ask(self, exchange: Exchange, authorizer: LambdaAuthorizer, identity: list[str]) -> bytes:
        served = exchange.served
        try:
            principal = Principal.service(SERVICE, served.account)
            if authorizer.credentials is not None:
                principal = await self._roles.principal(authorizer.credentials, served.arn)
            payload, is_error = await invoke(
                self._cloud,
                authorizer.function,
                events.authorizer_event(exchange, authorizer, identity),
                as_=principal,
                source_arn=f"arn:aws:execute-api:{served.region}:{served.account}:{served.api_id}"
                f"/authorizers/{authorizer.id}",
            )
        except AwsError as error:
            raise _failed(exchange, error.message) from error
        if is_error:
            raise _error_of(payload, exchange)
        return payload


def _error_of(payload: bytes, exchange: Exchange) -> Refusal:
    """A function that fails with the word `Unauthorized` says that it does not know who asks."""
    try:
        message = orjson.loads(payload).get("errorMessage")
    except (orjson.JSONDecodeError, AttributeError):
        message = None
    if message == "Unauthorized":
        exchange.authorizer_error = message
        return unauthorized()
    return _failed(exchange, f"the function failed: {message}")


def _failed(exchange: Exchange, why: str) -> Refusal:
    exchange.authorizer_error = why
    return failed("AUTHORIZER_FAILURE")


def _read(payload: bytes, authorizer: LambdaAuthorizer, exchange: Exchange) -> Result:
    """Raises Refusal for what is no answer of an authorizer's."""
    try:
        if len(payload) > _LARGEST_RESULT:
            raise ValueError("the result is too large")
        found = orjson.loads(payload)
        if not isinstance(found, dict):
            raise ValueError("the result is not an object")
        answer = cast("dict[str, Any]", found)
        context = answer.get("context")
        if context is not None and not isinstance(context, dict):
            raise ValueError("the context is not an object")
        said = cast("dict[str, Any] | None", context)
        if authorizer.simple:
            if not isinstance(answer.get("isAuthorized"), bool):
                raise ValueError("the result has no isAuthorized")
            return Result(answer["isAuthorized"], None, said, None)
        principal_id = answer.get("principalId")
        if authorizer.version == "1.0" and not isinstance(principal_id, str):
            raise ValueError("the result has no principalId")
        return Result(False, parse_policy(answer.get("policyDocument", ""), "identity"), said, principal_id)
    except (MalformedPolicy, ValueError, TypeError) as error:
        raise _failed(exchange, str(error)) from None


def _allows(result: Result, exchange: Exchange) -> bool:
    policy = result.policy
    if policy is None:
        return result.allowed
    keys = {
        "aws:sourceip": exchange.request.client,
        "aws:useragent": exchange.request.headers.get("user-agent", ""),
        "aws:securetransport": "true" if exchange.request.scheme == "https" else "false",
    }
    arn = exchange.request_arn
    return not policy.denies(_ACTION, arn, keys) and policy.allows(_ACTION, arn, keys)
