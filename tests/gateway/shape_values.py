"""Hypothesis strategies for values of the models' shapes, as services see them."""

from datetime import UTC, datetime
from typing import Any

from botocore.model import Shape
from hypothesis import strategies as st

from cloudlet.core.model import item_of, key_of, members_of, value_of

_CHARACTERS = st.characters(codec="utf-8", exclude_categories=("Cc", "Cs"), exclude_characters="\ufffe\uffff")
# XML and forms keep these; headers and paths cannot hold everything.
TEXT = st.text(_CHARACTERS, max_size=12)
HEADER_TEXT = st.text(
    st.characters(min_codepoint=0x21, max_codepoint=0x7E, exclude_characters='",\\'), min_size=1, max_size=12
)
_SCALARS: dict[str, st.SearchStrategy[Any]] = {
    "integer": st.integers(-(2**31), 2**31 - 1),
    "long": st.integers(-(2**53), 2**53),
    "float": st.floats(allow_nan=False, allow_infinity=False, width=32),
    "double": st.floats(allow_nan=False, allow_infinity=False),
    "boolean": st.booleans(),
    "blob": st.binary(max_size=12),
    "timestamp": st.integers(0, 4_000_000_000).map(lambda seconds: datetime.fromtimestamp(seconds, UTC)),
}


def values(shape: Shape, depth: int = 0) -> st.SearchStrategy[Any]:
    if shape.name == "AttributeValue":
        return st.fixed_dictionaries({"S": TEXT})  # it passes as it is: binary values are the service's affair
    if shape.type_name == "structure":
        return structures(shape, depth)
    if shape.type_name == "list":
        return st.lists(values(item_of(shape), depth + 1), min_size=1, max_size=3)
    if shape.type_name == "map":
        return st.dictionaries(values(key_of(shape)), values(value_of(shape), depth + 1), min_size=1, max_size=3)
    if shape.type_name in ("string", "character"):
        enum = shape.metadata.get("enum")
        return st.sampled_from(enum) if enum else TEXT
    return _SCALARS[shape.type_name]


def structures(shape: Shape, depth: int = 0) -> st.SearchStrategy[dict[str, Any]]:
    """Required members always; the others sometimes, down to a few levels; inside others never empty."""
    required = set(shape.metadata.get("required", ()))
    mandatory: dict[str, st.SearchStrategy[Any]] = {}
    optional: dict[str, st.SearchStrategy[Any]] = {}
    for name, member in members_of(shape).items():
        if member.serialization.get("eventstream"):
            continue
        if name in required:
            mandatory[name] = _member(member, depth + 1)
        elif depth < 5:
            optional[name] = _member(member, depth + 1)
    if shape.metadata.get("union"):
        return st.sampled_from(sorted(optional)).flatmap(lambda name: st.fixed_dictionaries({name: optional[name]}))
    found = st.fixed_dictionaries(mandatory, optional=optional)
    # Forms cannot say that an item of a list is there but empty.
    return found.filter(bool) if depth and (mandatory or optional) else found


def _member(shape: Shape, depth: int) -> st.SearchStrategy[Any]:
    location = shape.serialization.get("location")
    if location == "headers":
        return st.dictionaries(st.from_regex("[a-z]{1,8}", fullmatch=True), HEADER_TEXT, max_size=3)
    if location == "statusCode":
        return st.sampled_from([200, 202])
    if location in ("header", "uri", "querystring") and shape.type_name == "string" and not shape.metadata.get("enum"):
        return HEADER_TEXT
    return values(shape, depth)
