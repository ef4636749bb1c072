"""Lists in pages: `Marker` and `MaxItems` in, `NextMarker` out."""

import base64
import binascii
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from cloudlet.core.errors import AwsError

T = TypeVar("T")


def page(
    items: Sequence[T], params: Mapping[str, Any], key: Callable[[T], str], most: int = 50
) -> tuple[Sequence[T], dict[str, str]]:
    """The items after the marker, and the members that tell of a next page. `key` names an item uniquely."""
    start = 0
    if params.get("Marker"):
        after = _decode(params["Marker"])
        start = next((index + 1 for index, item in enumerate(items) if key(item) == after), len(items))
    end = start + min(params.get("MaxItems") or most, most)
    more = {"NextMarker": _encode(key(items[end - 1]))} if end < len(items) else {}
    return items[start:end], more


def _encode(key: str) -> str:
    return base64.urlsafe_b64encode(key.encode()).decode()


def _decode(marker: str) -> str:
    try:
        return base64.urlsafe_b64decode(marker).decode()
    except (binascii.Error, UnicodeDecodeError):
        raise AwsError("InvalidParameterValueException", "The marker is invalid.") from None
