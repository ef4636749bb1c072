"""The language of event patterns: what matches, what does not, and what is no pattern."""

import json
from itertools import product
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudlet.core.event_patterns import Element, Fields, InvalidPattern, compile_pattern, fields_of

ORDER = {
    "source": "shop.orders",
    "detail-type": "OrderPlaced",
    "resources": ["arn:aws:s3:::one", "arn:aws:s3:::two"],
    "detail": {
        "state": "Placed",
        "total": 120.5,
        "count": 3,
        "gift": False,
        "note": None,
        "client": "10.0.0.7",
        "client6": "2001:db8::1",
        "path": "dir/file*.png",
        "empty": [],
        "items": [
            {"sku": "A1", "quantity": 1, "tags": ["new"]},
            {"sku": "B2", "quantity": 5, "tags": ["old", "blue"]},
        ],
        "grid": [[{"x": 1, "y": 2}], [{"x": 3, "y": 4}, {"x": 5, "y": 6}]],
    },
}


_SINGLE = "array or single string/number value."
_RESERVED = "reserved fieldName which cannot be used inside $or."


def matches(pattern: dict[str, Any], event: dict[str, Any] = ORDER) -> bool:
    return compile_pattern(json.dumps(pattern)).matches(fields_of(event))


def detail(**conditions: Any) -> bool:
    return matches({"detail": conditions})


@pytest.mark.parametrize(
    ("condition", "wanted"),
    [
        (["Placed"], True),
        (["Other", "Placed"], True),
        (["placed"], False),
        ([{"prefix": "Pl"}], True),
        ([{"prefix": "pl"}], False),
        ([{"prefix": {"equals-ignore-case": "pL"}}], True),
        ([{"suffix": "ced"}], True),
        ([{"suffix": {"equals-ignore-case": "CED"}}], True),
        ([{"suffix": {"equals-ignore-case": "CEP"}}], False),
        ([{"equals-ignore-case": "PLACED"}], True),
        ([{"exactly": "Placed"}], True),
        ([{"wildcard": "P*d"}], True),
        ([{"wildcard": "P*x"}], False),
        ([{"anything-but": "Placed"}], False),
        ([{"anything-but": ["Other"]}], True),
        ([{"anything-but": {"prefix": "Pl"}}], False),
        ([{"anything-but": {"prefix": ["X", "Y"]}}], True),
        ([{"anything-but": {"suffix": "ced"}}], False),
        ([{"anything-but": {"equals-ignore-case": ["placed", "sent"]}}], False),
        ([{"anything-but": {"wildcard": "P*"}}], False),
        ([{"anything-but": 5}], True),
        ([{"exists": True}], True),
        ([{"exists": False}], False),
        (["Other", {"exists": False}], False),
    ],
)
def test_a_text_field(condition: list[Any], wanted: bool) -> None:
    assert detail(state=condition) is wanted


@pytest.mark.parametrize(
    ("name", "condition", "wanted"),
    [
        ("total", [120.5], True),
        ("total", ["120.5"], False),
        ("total", [{"numeric": [">", 100]}], True),
        ("total", [{"numeric": [">=", 120.5, "<", 121]}], True),
        ("total", [{"numeric": [">", 120.5]}], False),
        ("count", [3.0], True),
        ("count", [{"numeric": ["=", 3]}], True),
        ("count", [{"anything-but": [1, 3]}], False),
        ("count", [{"prefix": "3"}], False),
        ("state", [{"numeric": [">", 0]}], False),
        ("gift", [False], True),
        ("gift", [0], False),
        ("gift", [None], False),
        ("note", [None], True),
        ("note", [{"exists": True}], True),
        ("note", ["null"], False),
        ("note", [{"anything-but": "x"}], True),
        ("client", [{"cidr": "10.0.0.0/24"}], True),
        ("client", [{"cidr": "10.0.1.0/24"}], False),
        ("client6", [{"cidr": "2001:db8::/32"}], True),
        ("client6", ["2001:0db8:0:0:0:0:0:1"], True),
        ("path", [{"wildcard": "dir/*\\*.png"}], True),
        ("path", [{"wildcard": "dir/file\\\\*"}], False),
        ("missing", [{"exists": False}], True),
        ("missing", ["x", {"exists": False}], True),
        ("missing", [{"anything-but": "x"}], False),
        ("empty", [{"exists": False}], True),
        ("items", [{"exists": False}], True),
    ],
)
def test_fields_of_other_kinds(name: str, condition: list[Any], wanted: bool) -> None:
    assert detail(**{name: condition}) is wanted


def test_any_element_of_an_array_will_do() -> None:
    assert matches({"resources": ["arn:aws:s3:::two"]})
    assert matches({"resources": [{"anything-but": "arn:aws:s3:::one"}]})
    assert not matches({"resources": ["arn:aws:s3:::three"]})


def test_conditions_on_objects_of_an_array_are_met_by_one_and_the_same() -> None:
    assert detail(items={"sku": ["B2"], "quantity": [{"numeric": [">", 3]}], "tags": ["blue"]})
    assert not detail(items={"sku": ["A1"], "quantity": [{"numeric": [">", 3]}]})
    assert not detail(items={"sku": ["A1"], "tags": ["blue"]})
    assert detail(grid={"x": [5], "y": [6]})
    assert not detail(grid={"x": [3], "y": [6]})
    assert not detail(grid={"x": [1], "y": [4]})


def test_what_is_absent_is_absent_from_every_object_of_an_array() -> None:
    assert not detail(items={"sku": [{"exists": False}]})
    assert detail(items={"price": [{"exists": False}], "sku": ["A1"]})


def test_alternatives() -> None:
    either = [{"state": ["Sent"]}, {"total": [{"numeric": [">", 100]}]}]
    assert matches({"source": ["shop.orders"], "detail": {"$or": either}})
    assert not matches({"source": ["shop.other"], "detail": {"$or": either}})
    assert not matches({"detail": {"$or": [{"state": ["Sent"]}, {"count": [4]}]}})
    assert matches({"$or": [{"source": ["x"]}, {"detail": {"$or": [{"count": [9]}, {"count": [3]}]}}]})
    assert detail(items={"sku": ["B2"], "$or": [{"quantity": [1]}, {"tags": ["blue"]}]})
    assert not detail(items={"sku": ["B2"], "$or": [{"quantity": [1]}, {"tags": ["new"]}]})


def test_dots_in_names_are_steps_of_the_path() -> None:
    assert matches({"a.b": ["x"]}, {"a": {"b": "x"}})
    assert matches({"a": {"b": ["x"]}}, {"a.b": "x"})


def test_only_named_steps_need_to_be_looked_at() -> None:
    pattern = compile_pattern('{"detail": {"state": ["Placed"]}}')
    fields = fields_of(ORDER, pattern.steps)
    assert list(fields) == ["detail.state"]
    assert pattern.matches(fields)


def test_strings_that_every_match_must_have() -> None:
    pattern = compile_pattern('{"source": ["a", "b"], "detail": {"x": [1]}}')
    assert pattern.strings_at("source") == {"a", "b"}
    assert pattern.strings_at("detail.x") is None
    assert pattern.strings_at("detail-type") is None
    either = compile_pattern('{"$or": [{"source": ["a"]}, {"source": ["b"], "x": [1]}]}')
    assert either.strings_at("source") == {"a", "b"}


@pytest.mark.parametrize(
    ("pattern", "reason", "column"),
    [
        ('{"source": ["aws.health"], "detail": {}}', "Empty objects are not allowed", 40),
        ('{"source": "aws.health"}', '"source" must be an object or an array', 13),
        ('{"source": 5}', '"source" must be an object or an array', 13),
        ("[]", "Filter is not an object", 2),
        ('{"a": []}', "Empty arrays are not allowed", 9),
        ('{"a": [[1]]}', "Match value must be String, number, true, false, or null", 9),
        ('{"a": [{}]}', "Match expression name not found", 10),
        ('{"a": [{"like": "x"}]}', "Unrecognized match type like", 18),
        ('{"a": [{"prefix": 1}]}', "prefix match pattern must be a string", 20),
        ('{"a": [{"prefix": "x", "suffix": "y"}]}', "Only one key allowed in match expression", 35),
        ('{"a": [{"prefix": {"wildcard": "x"}}]}', "Unsupported prefix pattern: wildcard", 33),
        ('{"a": [{"exists": "yes"}]}', "exists match pattern must be either true or false.", 20),
        ('{"a": [{"wildcard": "x**"}]}', "Consecutive wildcard characters at pos 2", 26),
        ('{"a": [{"wildcard": "x\\\\n"}]}', "Invalid escape character at pos 2", 27),
        ('{"a": [{"numeric": 1}]}', "Value of numeric must be an array.", 21),
        ('{"a": [{"numeric": ["~", 1]}]}', "Unrecognized numeric range operator: ~", 24),
        ('{"a": [{"numeric": [">", "1"]}]}', "Value of > must be numeric", 27),
        ('{"a": [{"numeric": ["<", 1, ">", 2]}]}', "Too many elements in numeric expression", 30),
        ('{"a": [{"numeric": [">", 1, ">", 2]}]}', "Bad numeric range operator: >", 32),
        ('{"a": [{"numeric": [">", 2, "<", 2]}]}', "Bottom must be less than top", 36),
        ('{"a": [{"anything-but": true}]}', f"Value of anything-but must be an {_SINGLE}", 29),
        ('{"a": [{"anything-but": {"cidr": "x"}}]}', "Unsupported anything-but pattern: cidr", 35),
        ('{"a": [{"anything-but": [null]}]}', "Inside anything but list, start|null|boolean is not supported.", 30),
        ('{"$or": [{"a": ["x"]}]}', "There must have at least 2 Objects in $or relationship.", 23),
        ('{"$or": {"a": ["x"]}}', "It must be an Array followed with $or.", 10),
        ('{"$or": [{"prefix": ["x"]}, {"b": [1]}]}', f"prefix is Ruler {_RESERVED}", 22),
    ],
)  # fmt: skip
def test_what_is_no_pattern_is_told_with_its_place(pattern: str, reason: str, column: int) -> None:
    with pytest.raises(InvalidPattern) as failure:
        compile_pattern(pattern)
    assert str(failure.value) == f'{reason}\n at [Source: (String)"{pattern}"; line: 1, column: {column}]'


@pytest.mark.parametrize(
    "pattern",
    ["", "x", "{", '{"a": ["x"]} {}', '{"a": ["x"}', '{"a" ["x"]}', '{"a": ["x" "y"]}', '{"a": ["x]}', "{1: 2}"],
)
def test_what_is_no_json_is_no_pattern(pattern: str) -> None:
    with pytest.raises(InvalidPattern):
        compile_pattern(pattern)


@pytest.mark.parametrize("network", ["10.0.0.0", "10.0.0.0/x", "10.0.0.0/-1", "10.0.0.0/32", "::/128", "hello/8"])
def test_networks_that_are_none(network: str) -> None:
    with pytest.raises(InvalidPattern, match=r"CIDR|mask bits|IP address"):
        compile_pattern(json.dumps({"a": [{"cidr": network}]}))


def test_a_pattern_that_is_nested_too_deeply_is_none() -> None:
    with pytest.raises(InvalidPattern, match="too deeply"):
        compile_pattern('{"a":' * 5000 + "[1]" + "}" * 5000)


def test_places_in_arrays_do_not_multiply_without_end() -> None:
    many = range(40)
    pattern = compile_pattern(json.dumps({f"a{n}": {"x": [1], "y": [1]} for n in many}))
    apart = {f"a{n}": [{"x": 1}, {"y": 1}] for n in many}
    together = {f"a{n}": [{"x": 1}, {"x": 1, "y": 1}, {"y": 1}] for n in many}
    assert not pattern.matches(fields_of(apart))
    assert pattern.matches(fields_of(together))


def test_alternatives_do_not_multiply_without_end() -> None:
    either = [{"a": [1]}, {"b": [2]}]
    pattern: dict[str, Any] = {"$or": either}
    for step in range(12):
        pattern = {f"s{step}": pattern, "$or": either}
    with pytest.raises(InvalidPattern, match="too complex"):
        compile_pattern(json.dumps(pattern))


names = st.text(st.characters(codec="utf-8", exclude_characters=".$"), min_size=1, max_size=5)
scalars = st.none() | st.booleans() | st.integers(-(10**6), 10**6) | st.floats(-1e6, 1e6) | st.text(max_size=8)
events = st.dictionaries(
    names,
    st.recursive(
        scalars,
        lambda inner: st.lists(inner, min_size=1, max_size=3) | st.dictionaries(names, inner, min_size=1, max_size=3),
        max_leaves=10,
    ),
    min_size=1,
    max_size=4,
)


@given(events)
def test_an_event_matches_the_pattern_of_each_of_its_values(event: dict[str, Any]) -> None:
    fields = fields_of(event)
    for path, values in fields.items():
        assert all(compile_pattern(json.dumps({path: [value]})).matches(fields) for value, _ in values)


@given(scalars, st.lists(st.text(max_size=3), min_size=1, max_size=3))
def test_anything_but_is_the_opposite(value: Any, texts: list[str]) -> None:
    event = {"a": value}
    assert matches({"a": [{"anything-but": texts}]}, event) is not matches({"a": texts}, event)


@given(st.lists(st.sampled_from(["*", "\\*", "\\\\", "a", "é"]), max_size=6), st.text("a*\\é", max_size=6))
def test_wildcards_match_as_a_plain_search_does(parts: list[str], text: str) -> None:
    pattern = [part for part, before in zip(parts, ["", *parts], strict=False) if (part, before) != ("*", "*")]
    assert matches({"a": [{"wildcard": "".join(pattern)}]}, {"a": text}) is _fits(pattern, text)


def _fits(pattern: list[str], text: str) -> bool:
    if not pattern:
        return not text
    if pattern[0] == "*":
        return any(_fits(pattern[1:], text[cut:]) for cut in range(len(text) + 1))
    return text.startswith(pattern[0][-1]) and _fits(pattern[1:], text[1:])


@given(
    st.lists(
        st.fixed_dictionaries(
            {}, optional={"a": st.integers(0, 2), "b": st.integers(0, 2), "c": st.lists(
                st.fixed_dictionaries({}, optional={"x": st.integers(0, 2), "y": st.integers(0, 2)}), max_size=3
            )}
        ),
        max_size=3,
    )
)  # fmt: skip
def test_places_in_arrays_agree_as_in_a_search_of_all_of_them(items: list[dict[str, Any]]) -> None:
    pattern = {"list": {"a": [1], "b": [1], "c": {"x": [1], "y": [1]}}}
    fields = fields_of({"list": items})
    assert matches(pattern, {"list": items}) is _some_choice_agrees(fields)


def _some_choice_agrees(fields: Fields) -> bool:
    paths = ("list.a", "list.b", "list.c.x", "list.c.y")
    places = [[element for value, element in fields.get(path, []) if value == 1] for path in paths]
    return any(_agree([_chain(element) for element in choice]) for choice in product(*places))


def _chain(element: Element | None) -> dict[int, int]:
    found: dict[int, int] = {}
    while element is not None:
        found[element.array] = element.number
        element = element.parent
    return found


def _agree(chains: list[dict[int, int]]) -> bool:
    return all(
        one.get(array, number) == number for one in chains for other in chains for array, number in other.items()
    )
