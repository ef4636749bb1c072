"""Lists in pages, with tokens that mean nothing to the caller."""

import base64
import binascii
from collections.abc import Sequence
from typing import TypeVar

from cloudlet.services.cloudformation.errors import validation_error

T = TypeVar("T")
SIZE = 100


def page(items: Sequence[T], token: str | None) -> tuple[list[T], str | None]:
    """The page that the token stands for, and the token of the next one if there is one."""
    start = position(token) or 0
    rest = items[start : start + SIZE]
    return list(rest), token_for(start + SIZE) if len(items) > start + SIZE else None


def token_for(place: int) -> str:
    return base64.urlsafe_b64encode(f"place:{place}".encode()).decode()


def position(token: str | None) -> int | None:
    """Raises ValidationError for a token that was never given out."""
    if not token:
        return None
    try:
        word, _, place = base64.urlsafe_b64decode(token).decode().partition(":")
        if word != "place":
            raise ValueError(token)
        return int(place)
    except (ValueError, binascii.Error):
        raise validation_error("NextToken is invalid") from None
