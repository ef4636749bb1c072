"""Lists in pages, as all of IAM's list operations give them."""

import base64
import binascii
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from cloudlet.services.iam.faults import validation_error

T = TypeVar("T")
_DEFAULT_SIZE = 100


def page(params: Mapping[str, Any], items: Sequence[T], key: Callable[[T], str]) -> tuple[list[T], dict[str, Any]]:
    """The items of the page, and the members that say whether more follow. `key` orders the items and is unique."""
    after = _after(params.get("Marker"))
    following = sorted((item for item in items if after is None or key(item) > after), key=key)
    size = params.get("MaxItems", _DEFAULT_SIZE)
    if len(following) <= size:
        return following, {"IsTruncated": False}
    found = following[:size]
    marker = base64.urlsafe_b64encode(key(found[-1]).encode()).decode()
    return found, {"IsTruncated": True, "Marker": marker}


def _after(marker: str | None) -> str | None:
    if marker is None:
        return None
    try:
        return base64.b64decode(marker, altchars=b"-_", validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        raise validation_error("Invalid Marker.") from None
