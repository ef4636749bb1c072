"""Attribute values as on the wire (`{"S": "x"}`, binary as base64 text): validated, made canonical and measured.

In canonical form numbers are plain decimals and sets are sorted, so equal values are equal dicts.
"""

from base64 import b64decode, b64encode
from binascii import Error as BadBase64
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import orjson

from cloudlet.services.dynamodb import numbers
from cloudlet.services.dynamodb.errors import invalid_values, serialization, validation

Value = dict[str, Any]
Item = dict[str, Value]

LARGEST_ITEM = 400 * 1024
_DEEPEST = 32
_EMPTY = "Supplied AttributeValue is empty, must contain exactly one of the supported datatypes"
_SEVERAL = (
    "Supplied AttributeValue has more than one datatypes set, must contain exactly one of the supported datatypes"
)


@dataclass(frozen=True, slots=True)
class Stored:
    """An item as it is kept: in canonical form, as JSON, with its size."""

    item: Item
    raw: bytes
    size: int

    @classmethod
    def of(cls, item: Item, size: int) -> "Stored":
        return cls(item, orjson.dumps(item), size)


def text_size(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode())


def normalised_item(item: Item) -> tuple[Item, int]:
    """The item in canonical form, and its size in bytes by AWS's rules.

    Raises ValidationException or SerializationException for a value that is not well-formed.
    """
    result: Item = {}
    total = 0
    for name, value in item.items():
        # The most frequent kind, without a call.
        content = value.get("S") if type(value) is dict and len(value) == 1 else None
        if type(content) is str:
            result[name] = value
            total += len(content) if content.isascii() else len(content.encode())
        else:
            result[name], size = normalised(value)
            total += size
        total += len(name) if name.isascii() else len(name.encode())
    if "" in result:
        raise invalid_values("Empty attribute name")
    return result, total


def normalised(value: Any, depth: int = 0) -> tuple[Value, int]:
    """The value in canonical form, and its size."""
    if type(value) is not dict:
        raise serialization("Unexpected value type in payload")
    if len(value) != 1:
        raise validation(_SEVERAL if value else _EMPTY)
    ((kind, content),) = value.items()
    if kind == "S":
        if type(content) is not str:
            raise _wrong_type(content, "String")
        return value, len(content) if content.isascii() else len(content.encode())
    handle = _KINDS.get(kind)
    if handle is None:
        raise validation(_EMPTY)
    content, size = handle(content, depth)
    return {kind: content}, size


def item_size(item: Item) -> int:
    """The size of an item that is in canonical form already."""
    return sum(text_size(name) + normalised(value)[1] for name, value in item.items())


def kind_of(value: Value) -> str:
    return next(iter(value))


def binary(text: str) -> bytes:
    """The bytes of a canonical binary value."""
    return b64decode(text)


def ordered(values: list[str], kind: str) -> list[str]:
    """The elements of a set in canonical order."""
    if kind == "NS":
        return sorted(values, key=Decimal)
    return sorted(values, key=binary) if kind == "BS" else sorted(values)


def _wrong_type(content: Any, expected: str) -> Exception:
    if isinstance(content, bool):
        found = "TRUE_VALUE" if content else "FALSE_VALUE"
    elif isinstance(content, str):
        found = "STRING_VALUE"
    elif isinstance(content, float):
        found = "DECIMAL_VALUE"
    elif isinstance(content, int):
        found = "NUMBER_VALUE"
    elif isinstance(content, dict):
        return serialization("Start of structure or map found where not expected")
    elif isinstance(content, list):
        return serialization("Start of list found where not expected")
    else:
        found = "NULL_VALUE"
    return serialization(f"{found} cannot be converted to {expected}")


def _string(content: Any, depth: int) -> tuple[str, int]:
    if type(content) is not str:
        raise _wrong_type(content, "String")
    return content, text_size(content)


def _number(content: Any, depth: int) -> tuple[str, int]:
    if type(content) is not str:
        raise _wrong_type(content, "String")
    text = numbers.canonical(content)
    return text, numbers.size(text)


def _binary(content: Any, depth: int) -> tuple[str, int]:
    if type(content) is not str:
        raise _wrong_type(content, "ByteBuffer")
    try:
        decoded = b64decode(content, validate=True)
    except (BadBase64, ValueError):
        raise serialization("Base64 encoded length is unexpected or content is not valid Base64") from None
    return b64encode(decoded).decode(), len(decoded)


def _boolean(content: Any, depth: int) -> tuple[bool, int]:
    if type(content) is not bool:
        raise _wrong_type(content, "Boolean")
    return content, 1


def _null(content: Any, depth: int) -> tuple[bool, int]:
    if type(content) is not bool:
        raise _wrong_type(content, "Boolean")
    if not content:
        raise invalid_values("Null attribute value types must have the value of true")
    return content, 1


def _list(content: Any, depth: int) -> tuple[list[Value], int]:
    if type(content) is not list:
        raise serialization("Unexpected value type in payload")
    _check_depth(depth)
    total = 3
    result: list[Value] = []
    for element in content:
        value, size = normalised(element, depth + 1)
        result.append(value)
        total += size + 1
    return result, total


def _map(content: Any, depth: int) -> tuple[Item, int]:
    if type(content) is not dict:
        raise serialization("Unexpected value type in payload")
    _check_depth(depth)
    total = 3
    result: Item = {}
    for name, element in content.items():
        result[name], size = normalised(element, depth + 1)
        total += size + 1 + text_size(name)
    return result, total


def _check_depth(depth: int) -> None:
    if depth >= _DEEPEST:
        raise validation("Nesting Levels have exceeded supported limits: Attributes can be nested up to 32 levels deep")


def _set(kind: str, what: str, element: Callable[[Any, int], tuple[str, int]]) -> Callable[[Any, int], Any]:
    def convert(content: Any, depth: int) -> tuple[list[str], int]:
        if type(content) is not list:
            raise serialization("Unexpected value type in payload")
        if not content:
            raise invalid_values(what)
        result: list[str] = []
        total = 0
        for each in content:
            text, size = element(each, depth)
            result.append(text)
            total += size
        if len(set(result)) != len(result):
            shown = ", ".join(content)
            raise invalid_values(f"Input collection [{shown}] contains duplicates.")
        return ordered(result, kind), total

    return convert


_KINDS: dict[str, Callable[[Any, int], tuple[Any, int]]] = {
    "S": _string,
    "N": _number,
    "B": _binary,
    "BOOL": _boolean,
    "NULL": _null,
    "L": _list,
    "M": _map,
    "SS": _set("SS", "An string set  may not be empty", _string),
    "NS": _set("NS", "An number set  may not be empty", _number),
    "BS": _set("BS", "Binary sets should not be empty", _binary),
}
