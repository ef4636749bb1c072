"""JSON token by token: the same values as any reader finds, and errors with their places."""

import json
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from cloudlet.core.located_json import KEY, NUMBER, STRING, LocatedError, LocatedJson

_CONSTANTS = {"true": True, "false": False, "null": None}
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


def read(source: LocatedJson, kind: str) -> Any:
    """The value that begins with a token of this kind."""
    if kind == "[":
        found: list[Any] = []
        while (kind := source.next()) != "]":
            found.append(read(source, kind))
        return found
    if kind == "{":
        members: dict[str, Any] = {}
        while (kind := source.next()) != "}":
            assert kind == KEY
            name = source.text
            members[name] = read(source, source.next())
        return members
    if kind == STRING:
        return source.text
    return json.loads(source.text) if kind == NUMBER else _CONSTANTS[kind]


def parsed(text: str) -> Any:
    source = LocatedJson(text)
    found = read(source, source.next())
    assert source.next() == ""
    return found


@given(values, st.sampled_from([None, 1, "\t"]), st.booleans())
def test_every_text_has_the_value_that_was_written(value: Any, indent: Any, ascii_only: bool) -> None:
    assert parsed(json.dumps(value, indent=indent, ensure_ascii=ascii_only)) == value


@given(values, st.integers(0), st.sampled_from(["", ",", ":", "]", "}", '"', "x", "1", " "]))
def test_what_is_no_json_is_found_out(value: Any, place: int, instead: str) -> None:
    text = json.dumps(value)
    place %= len(text)
    broken = text[:place] + instead + text[place + 1 :]
    assume("NaN" not in broken and "Infinity" not in broken)
    try:
        wanted = json.loads(broken)
    except ValueError:
        with pytest.raises((LocatedError, KeyError, AssertionError)):
            parsed(broken)
    else:
        assert parsed(broken) == wanted


def test_a_place_is_a_line_and_a_column() -> None:
    source = LocatedJson('{\n  "a": ["b",\n    nul]}')
    kinds = [source.next() for _ in range(4)]
    assert kinds == ["{", KEY, "[", STRING]
    with pytest.raises(LocatedError, match=r"Unrecognized token 'nul'") as failure:
        source.next()
    assert str(failure.value).endswith("line: 3, column: 8]")


def test_of_a_long_text_the_beginning_is_shown() -> None:
    source = LocatedJson(" " * 600 + "x")
    with pytest.raises(LocatedError, match=r'"\[truncated 101 chars\]; line: 1, column: 602\]'):
        source.next()
