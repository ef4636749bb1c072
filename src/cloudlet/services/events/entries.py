"""Entries of PutEvents: what is wrong with one, its size, and the event that it becomes."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import orjson

from cloudlet.core.context import Call
from cloudlet.core.ids import request_id
from cloudlet.core.timestamps import to_iso8601

LARGEST = 1024 * 1024
_REQUIRED = ("Source", "DetailType", "Detail")
_LONGEST_TYPE = 128
# AWS counts a time that is given as so many bytes.
_TIME_SIZE = 14
# Objects and arrays within each other that surely can be written.
_DEEPEST = 200


class Refused(Exception):
    """An entry that fails by itself, with the code and message that its place in the answer tells."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message


def size_of(entry: Mapping[str, Any]) -> int:
    """In bytes, as AWS counts."""
    texts = [entry.get(name, "") for name in _REQUIRED] + list(entry.get("Resources", ()))
    return sum(len(text.encode()) for text in texts) + (_TIME_SIZE if "Time" in entry else 0)


def event_of(call: Call, entry: Mapping[str, Any]) -> dict[str, Any]:
    """The event as targets get it. Raises Refused."""
    for name in _REQUIRED:
        if not entry.get(name):
            raise _invalid(name, f"{name} is a required argument.")
    if len(entry["DetailType"]) > _LONGEST_TYPE:
        raise _invalid("DetailType", f"DetailType is longer than {_LONGEST_TYPE} characters.")
    if entry["Source"].startswith("aws.") and call.principal.kind != "service":
        raise Refused("NotAuthorizedForSourceException", "Not authorized for the source.")
    moment = entry.get("Time", call.time)
    seconds = moment.timestamp() if isinstance(moment, datetime) else moment
    return {
        "version": "0",
        "id": request_id(),
        "detail-type": entry["DetailType"],
        "source": entry["Source"],
        "account": call.principal.account,
        "time": to_iso8601(float(int(seconds))),
        "region": call.region,
        "resources": list(entry.get("Resources", ())),
        "detail": _detail(entry["Detail"]),
    }


def _detail(text: str) -> dict[str, Any]:
    try:
        detail = orjson.loads(text)
    except orjson.JSONDecodeError:
        detail = None
    if not isinstance(detail, dict) or (text.count("{") + text.count("[") > _DEEPEST and not _can_be_written(detail)):
        raise Refused("MalformedDetail", "Detail is malformed.")
    return detail


def _can_be_written(detail: Any) -> bool:
    """What is nested too deeply cannot."""
    try:
        orjson.dumps({"detail": detail})
    except orjson.JSONEncodeError:
        return False
    return True


def _invalid(name: str, reason: str) -> Refused:
    return Refused("InvalidArgument", f"Parameter {name} is not valid. Reason: {reason}")
