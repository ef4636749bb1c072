"""Pages of listings, and the opaque tokens that ask for the next one."""

import base64
import binascii
import json
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import orjson

from cloudlet.services.scheduler.errors import invalid

T = TypeVar("T")
_MOST = 100


def page_size(params: Any) -> int:
    return params.get("MaxResults", _MOST)


def page_of(found: Sequence[T], size: int, position: Callable[[T], list[str]]) -> tuple[Sequence[T], str | None]:
    """The first `size` of what was found, and the token of the next page if there is more."""
    if len(found) <= size:
        return found, None
    text = json.dumps(position(found[size - 1]))
    return found[:size], base64.urlsafe_b64encode(text.encode()).decode()


def position_in(token: str | None, parts: int) -> list[str]:
    """The position behind which a page begins; empty texts for the first one. Raises ValidationException."""
    if token is None:
        return [""] * parts
    try:
        position: Any = orjson.loads(base64.urlsafe_b64decode(token.encode()))
    except (binascii.Error, ValueError):
        raise invalid("Invalid NextToken.") from None
    if not isinstance(position, list) or len(position) != parts or not all(isinstance(each, str) for each in position):
        raise invalid("Invalid NextToken.")
    return position
