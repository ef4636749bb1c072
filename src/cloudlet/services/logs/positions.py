"""Positions in a sequence of log events, and the tokens that stand for them."""

import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as BadBase64
from dataclasses import dataclass
from typing import Any, Self

import orjson

from cloudlet.services.logs.faults import invalid_token

_TOKEN = re.compile(r"([fb])/(\d{20})(\d{36})/s", re.ASCII)


@dataclass(frozen=True, slots=True, order=True)
class Position:
    """Log events are in the order of their timestamps (milliseconds), then in that of their arrival."""

    timestamp: int
    id: int

    def token(self, direction: str) -> str:
        """`direction` is `f` for what comes after the position, `b` for what comes before."""
        return f"{direction}/{self}/s"

    def __str__(self) -> str:
        """56 digits, as CloudWatch Logs has them in tokens and event ids."""
        return f"{self.timestamp:020d}{self.id:036d}"

    @classmethod
    def of_token(cls, token: str) -> tuple[str, Self]:
        """The direction and the position. Raises InvalidParameterException."""
        found = _TOKEN.fullmatch(token)
        if found is None:
            raise invalid_token()
        return found[1], cls(int(found[2]), int(found[3]))


BEFORE_ALL = Position(0, 0)


def sealed(*values: Any) -> str:
    """An opaque token of a listing."""
    return urlsafe_b64encode(orjson.dumps(values)).decode()


def unsealed(token: str, count: int) -> list[Any]:
    """What a token was made of. Raises InvalidParameterException for what is no token of ours."""
    try:
        values = orjson.loads(urlsafe_b64decode(token))
    except (BadBase64, ValueError):
        raise invalid_token() from None
    if not isinstance(values, list) or len(values) != count:
        raise invalid_token()
    return values
