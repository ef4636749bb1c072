"""Pages of lists that are in the order of names: a token says behind which name the next page begins."""

import base64
import binascii
from collections.abc import Mapping, Sequence
from typing import Any

from cloudlet.core.errors import AwsError

_LARGEST_PAGE = 100
_KIND = "after:"


def page_of(names: Sequence[str], params: Mapping[str, Any]) -> tuple[Sequence[str], dict[str, str]]:
    """The names of the page that Limit and NextToken ask for, and the NextToken of the following one, if any."""
    after = _read(params["NextToken"]) if "NextToken" in params else ""
    following = sorted(name for name in names if name > after)
    page = following[: params.get("Limit", _LARGEST_PAGE)]
    return page, {"NextToken": _token(page[-1])} if len(page) < len(following) else {}


def _token(name: str) -> str:
    return base64.urlsafe_b64encode(f"{_KIND}{name}".encode()).decode()


def _read(token: str) -> str:
    try:
        text = base64.urlsafe_b64decode(token.encode()).decode()
    except (binascii.Error, ValueError):
        text = ""
    if not text.startswith(_KIND):
        raise AwsError("InvalidToken", "The specified NextToken is not valid.")
    return text.removeprefix(_KIND)
