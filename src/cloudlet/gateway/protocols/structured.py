"""Values of the self-describing formats (JSON, CBOR): compiled conversions between the wire and services.

Only what needs conversion is walked: blobs, timestamps, members that are named otherwise on the wire.
"""

from base64 import b64decode, b64encode
from binascii import Error as BadBase64
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Literal, cast

from botocore.model import Shape

from cloudlet.core import timestamps
from cloudlet.core.model import is_opaque, item_of, members_of, value_of, wire_name
from cloudlet.gateway.protocols.protocol import malformed

Convert = Callable[[Any], Any]
Direction = Literal["decode", "encode"]


class Conversions:
    """Compiles the shapes of one API in one direction."""

    def __init__(self, api: str, scalars: Mapping[str, Callable[[Shape], Convert]], direction: Direction) -> None:
        self._api = api
        self._scalars = scalars
        self._decoding = direction == "decode"
        self._structures: dict[str, Convert] = {}

    def conversion(self, shape: Shape) -> Convert | None:
        """None if values pass as they are."""
        if not self._needed(shape, set()):
            return None
        if shape.type_name == "structure":
            return self.structure(shape)
        if shape.type_name == "list":
            return _list(self._must(item_of(shape)))
        if shape.type_name == "map":
            return _map(self._must(value_of(shape)))
        return self._scalars[shape.type_name](shape)

    def members(self, members: Mapping[str, Shape]) -> Convert:
        """A conversion of a structure that leaves out what is None or not among the members."""
        rows = {name: (wire_name(member, name), self.conversion(member)) for name, member in members.items()}
        if self._decoding:
            rows = {wire: (name, convert) for name, (wire, convert) in rows.items()}

        def structure(value: Any) -> Any:
            if not isinstance(value, dict):
                return value
            converted: dict[str, Any] = {}
            for name, item in cast("dict[str, Any]", value).items():
                row = rows.get(name)
                if row is not None and item is not None:
                    converted[row[0]] = item if row[1] is None else row[1](item)
            return converted

        return structure

    def _must(self, shape: Shape) -> Convert:
        convert = self.conversion(shape)
        assert convert is not None
        return convert

    def structure(self, shape: Shape) -> Convert:
        """A conversion even if values could pass as they are; compiled once.

        A structure may hold itself: its conversion is looked up when it runs.
        """
        name = shape.name
        if name not in self._structures:
            self._structures[name] = lambda value: self._structures[name](value)
            self._structures[name] = self.members(members_of(shape))
        return self._structures[name]

    def _needed(self, shape: Shape, seen: set[str]) -> bool:
        if is_opaque(self._api, shape) or shape.metadata.get("document") or shape.name in seen:
            return False
        if shape.type_name == "structure":
            seen.add(shape.name)
            return any(
                wire_name(member, name) != name or self._needed(member, seen)
                for name, member in members_of(shape).items()
            )
        if shape.type_name == "list":
            return self._needed(item_of(shape), seen)
        if shape.type_name == "map":
            return self._needed(value_of(shape), seen)
        return shape.type_name in self._scalars


def without_nulls(value: Any) -> Any:
    """Absent and null are the same to AWS."""
    if isinstance(value, dict):
        items = cast("dict[str, Any]", value)
        return {name: without_nulls(item) for name, item in items.items() if item is not None}
    if isinstance(value, list):
        return [without_nulls(item) for item in cast("list[Any]", value)]
    return value


def _list(convert: Convert) -> Convert:
    def convert_list(value: Any) -> Any:
        return [convert(item) for item in cast("list[Any]", value)] if isinstance(value, list | tuple) else value

    return convert_list


def _map(convert: Convert) -> Convert:
    def convert_map(value: Any) -> Any:
        if not isinstance(value, dict):
            return value
        items = cast("dict[Any, Any]", value)
        return {name: convert(item) for name, item in items.items() if item is not None}

    return convert_map


def bytes_of(value: Any) -> Any:
    """Base64 to bytes; what is no text is left to validation."""
    if not isinstance(value, str):
        return value
    try:
        return b64decode(value, validate=True)
    except (BadBase64, ValueError):
        raise malformed("The base64 encoded value could not be decoded") from None


def base64_of(value: Any) -> str:
    return b64encode(value.encode() if isinstance(value, str) else value).decode()


def timestamp_reader(shape: Shape, default: str) -> Convert:
    form = str(shape.serialization.get("timestampFormat", default)).lower()

    def read(value: Any) -> datetime:
        if isinstance(value, datetime):
            return value
        try:
            if isinstance(value, str) and form != "unixtimestamp":
                return timestamps.from_text(value)
            return timestamps.from_number(value)
        except ValueError:
            raise malformed("The timestamp could not be read") from None

    return read


def timestamp_writer(shape: Shape, default: str) -> Convert:
    form = str(shape.serialization.get("timestampFormat", default)).lower()
    if form == "unixtimestamp":
        return _number
    return timestamps.to_rfc822 if form == "rfc822" else timestamps.to_iso8601


def _number(value: datetime | float) -> float | int:
    seconds = float(timestamps.epoch(value))
    return int(seconds) if seconds.is_integer() else seconds


def float_of(value: Any) -> Any:
    """JSON has no infinities: they are words."""
    return float(value) if isinstance(value, str) and value in ("NaN", "Infinity", "-Infinity") else value


def float_words(value: float) -> float | str:
    if value != value:
        return "NaN"
    if value in (float("inf"), float("-inf")):
        return "Infinity" if value > 0 else "-Infinity"
    return value
