"""Temporary credentials: made without a write, since the token itself carries, signed, what they stand for."""

import base64
import binascii
import hmac
import secrets
import zlib
from dataclasses import dataclass

import orjson

from cloudlet.core.access import Credential
from cloudlet.core.context import Principal

_MAC = 32


@dataclass(frozen=True, slots=True)
class Session:
    """The credentials as their owner gets them."""

    access_key_id: str
    secret_access_key: str
    session_token: str
    expires: float


class Sessions:
    """Issues and reads tokens under one key. What this key did not sign stands for nobody."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    def issue(self, principal: Principal, expires: float) -> Session:
        """`expires` is in epoch seconds."""
        access_key_id = key_id("ASIA", principal.account)
        claims = orjson.dumps(
            {
                "key": access_key_id,
                "kind": principal.kind,
                "account": principal.account,
                "arn": principal.arn,
                "id": principal.id,
                "policies_of": principal.policies_of,
                "session_policies": principal.session_policies,
                "tags": principal.tags,
                "expires": expires,
            }
        )
        packed = zlib.compress(claims, 1)
        token = base64.b64encode(self._mac(b"token", packed) + packed).decode()
        return Session(access_key_id, self._secret(packed), token, expires)

    def read(self, access_key_id: str, token: str) -> Credential | None:
        """What the token stands for; None if it was not issued here for this access key."""
        try:
            raw = base64.b64decode(token, validate=True)
        except (binascii.Error, ValueError):
            return None
        mac, packed = raw[:_MAC], raw[_MAC:]
        if not hmac.compare_digest(mac, self._mac(b"token", packed)):
            return None
        claims = orjson.loads(zlib.decompress(packed))
        if claims["key"] != access_key_id:
            return None
        principal = Principal(
            claims["kind"],
            claims["account"],
            claims["arn"],
            claims["id"],
            claims["policies_of"],
            tuple(claims["session_policies"]),
            tuple((key, value) for key, value in claims["tags"]),
        )
        return Credential(access_key_id, self._secret(packed), principal, token, claims["expires"])

    def _secret(self, packed: bytes) -> str:
        return base64.b64encode(self._mac(b"secret", packed)).decode()[:40]

    def _mac(self, purpose: bytes, packed: bytes) -> bytes:
        return hmac.digest(self._key, purpose + b":" + packed, "sha256")


def key_id(prefix: str, account: str) -> str:
    """A new access key id. As on AWS, the account's number is in it: bits 39 to 78 of the 80 after the prefix."""
    number = 1 << 79 | int(account) << 39 | secrets.randbits(39)
    return prefix + base64.b32encode(number.to_bytes(10, "big")).decode()


def account_of(access_key_id: str) -> str | None:
    """The account in an access key id made by `key_id`; None if there is none in it."""
    try:
        number = int.from_bytes(base64.b32decode(access_key_id[4:]), "big")
    except binascii.Error:
        return None
    account = number >> 39 & (1 << 40) - 1
    return f"{account:012d}" if number >> 79 == 1 and account < 10**12 else None
