"""Primary and index keys: their check against the schema, and bytes that sort as DynamoDB sorts them.

A partition key is stored behind a hash of itself, so that a scan goes through partitions in hash order and a segment
of a parallel scan is a range. Sort keys are stored as they sort: strings by UTF-8, numbers by value, binary by byte.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from zlib import crc32

from cloudlet.services.dynamodb import numbers
from cloudlet.services.dynamodb.errors import invalid_values, key_does_not_match, validation
from cloudlet.services.dynamodb.values import Item, Value, binary, normalised

LONGEST_HASH = 2048
LONGEST_RANGE = 1024
HASH_BYTES = 4

_ENCODE: Mapping[str, Callable[[str], bytes]] = {"S": str.encode, "N": numbers.encoded, "B": binary}

# The encoded partition and sort key; the latter is empty where there is none.
Key = tuple[bytes, bytes]


@dataclass(frozen=True, slots=True)
class KeySchema:
    """Names of the attributes that make a key and their types (S, N, B). Only indexes may have several of a kind."""

    hash: tuple[str, ...]
    range: tuple[str, ...]
    types: Mapping[str, str]
    names: tuple[str, ...] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "names", self.hash + self.range)

    def part(self, item: Item) -> Item:
        """The key's attributes of an item."""
        return {name: item[name] for name in self.names if name in item}


def encoded_value(value: Value) -> bytes:
    ((kind, content),) = value.items()
    return _ENCODE[kind](content)


def partition(encoded: bytes) -> bytes:
    return crc32(encoded).to_bytes(HASH_BYTES, "big") + encoded


def hash_range(segment: int, segments: int) -> tuple[bytes, bytes | None]:
    """The partitions of one segment of a scan: from, up to (None: to the end)."""
    whole = 1 << (8 * HASH_BYTES)
    low = (segment * whole + segments - 1) // segments
    high = ((segment + 1) * whole + segments - 1) // segments
    return low.to_bytes(HASH_BYTES, "big"), None if high >= whole else high.to_bytes(HASH_BYTES, "big")


def joined(values: list[Value]) -> bytes:
    """The encoding of one key attribute, or of several so that they sort one after the other."""
    if len(values) == 1:
        return encoded_value(values[0])
    return b"".join(_delimited(value) for value in values)


def _delimited(value: Value) -> bytes:
    """An encoding that is not the beginning of another's; a number's never is."""
    encoded = encoded_value(value)
    return encoded if "N" in value else encoded.replace(b"\x00", b"\x00\xff") + b"\x00\x01"


def beginnings(values: list[Value], prefix: bool, width: int) -> bytes:
    """The bytes with which all composite keys begin whose first values these are; the last is a prefix if so told."""
    if width == 1:
        return encoded_value(values[0])
    parts = [_delimited(value) for value in values]
    if prefix:
        parts[-1] = encoded_value(values[-1]).replace(b"\x00", b"\x00\xff")
    return b"".join(parts)


def after_all(prefix: bytes) -> bytes | None:
    """The first bytes after all that begin with the prefix; None if there are none."""
    stripped = prefix.rstrip(b"\xff")
    return stripped[:-1] + bytes((stripped[-1] + 1,)) if stripped else None


def key_of_item(schema: KeySchema, item: Item) -> Key:
    """The encoded primary key of an item in canonical form. Raises ValidationException if it has none that is valid."""
    (name,) = schema.hash
    first = partition(_checked(item, name, schema.types[name], LONGEST_HASH, "hashkey"))
    if not schema.range:
        return first, b""
    (name,) = schema.range
    return first, _checked(item, name, schema.types[name], LONGEST_RANGE, "rangekey")


def _checked(item: Item, name: str, kind: str, longest: int, what: str) -> bytes:
    value = item.get(name)
    if value is None:
        raise invalid_values(f"Missing the key {name} in the item")
    content = value.get(kind)
    if content is None:
        raise invalid_values(f"Type mismatch for key {name} expected: {kind} actual: {next(iter(value))}")
    return _encoded_part(content, name, kind, longest, what)


def _encoded_part(content: str, name: str, kind: str, longest: int, what: str) -> bytes:
    if not content:
        raise validation(
            "One or more parameter values are not valid. The AttributeValue for a key attribute cannot contain an "
            f"empty {'string' if kind == 'S' else 'binary'} value. Key: {name}"
        )
    encoded = _ENCODE[kind](content)
    if len(encoded) > longest and kind != "N":
        raise invalid_values(f"Size of {what} has exceeded the maximum size limit of {longest} bytes")
    return encoded


def key_given(schema: KeySchema, given: Mapping[str, Any]) -> tuple[Key, Item]:
    """The encoded key and its canonical form. Raises ValidationException unless it is exactly of the schema."""
    names, types = schema.names, schema.types
    if len(given) != len(names):
        for value in given.values():
            normalised(value)
        raise key_does_not_match()
    canonical: Item = {}
    for name in names:
        value = given.get(name)
        if value is None:
            raise key_does_not_match()
        kind = types[name]
        # A string is canonical as it is.
        if kind != "S" or type(value) is not dict or len(value) != 1 or type(value.get("S")) is not str:
            value, _ = normalised(value)
            if kind not in value:
                raise key_does_not_match()
        canonical[name] = value
    return key_of_item(schema, canonical), canonical


def index_key(schema: KeySchema, item: Item) -> Key | None:
    """The encoded key of an item in an index; None if the item does not belong there."""
    parts: list[Value] = []
    for name in schema.names:
        value = item.get(name)
        if value is None or schema.types[name] not in value:
            return None
        parts.append(value)
    width = len(schema.hash)
    return partition(joined(parts[:width])), joined(parts[width:]) if schema.range else b""


def check_index_key(schema: KeySchema, index: str, item: Item) -> None:
    """Raises ValidationException for an attribute that the index cannot take; missing ones are fine."""
    for name in schema.names:
        value = item.get(name)
        if value is None:
            continue
        kind = schema.types[name]
        content = value.get(kind)
        if content is None:
            actual = next(iter(value))
            raise invalid_values(
                f"Type mismatch for Index Key {name} Expected: {kind} Actual: {actual} IndexName: {index}"
            )
        if not content:
            raise validation(
                "One or more parameter values are not valid. A value specified for a secondary index key is not "
                "supported. The AttributeValue for a key attribute cannot contain an empty "
                f"{'string' if kind == 'S' else 'binary'} value. IndexName: {index}, IndexKey: {name}"
            )
        longest = LONGEST_HASH if name in schema.hash else LONGEST_RANGE
        if kind != "N" and len(_ENCODE[kind](content)) > longest:
            what = "hashkey" if name in schema.hash else "rangekey"
            raise invalid_values(f"Size of {what} has exceeded the maximum size limit of {longest} bytes")
