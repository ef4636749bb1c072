"""Filter policies: what they let pass, and which are refused."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudlet.core.errors import AwsError
from cloudlet.services.sns.filter_policy import MESSAGE_ATTRIBUTES, MESSAGE_BODY, compile_policy


def string(value: str) -> dict[str, Any]:
    return {"DataType": "String", "StringValue": value}


def number(value: str) -> dict[str, Any]:
    return {"DataType": "Number", "StringValue": value}


def array(*values: Any) -> dict[str, Any]:
    return {"DataType": "String.Array", "StringValue": json.dumps(values)}


def accepts(policy: dict[str, Any], attributes: dict[str, Any]) -> bool:
    compiled = compile_policy(json.dumps(policy), MESSAGE_ATTRIBUTES)
    return compiled is None or compiled.accepts(attributes, "")


def accepts_body(policy: dict[str, Any], body: Any) -> bool:
    compiled = compile_policy(json.dumps(policy), MESSAGE_BODY)
    return compiled is None or compiled.accepts({}, json.dumps(body))


@pytest.mark.parametrize(
    ("conditions", "attribute", "expected"),
    [
        (["rugby"], string("rugby"), True),
        (["rugby"], string("Rugby"), False),
        (["rugby", "tennis"], string("tennis"), True),
        (["rugby"], array("chess", "rugby"), True),
        (["rugby"], array("chess"), False),
        (["5"], number("5"), False),
        ([5], number("5"), True),
        ([5], number("5.0"), True),
        ([5], string("5"), False),
        ([5], array(4, 5), True),
        ([True], array(True), True),
        ([True], array("true"), False),
        ([None], array(None), True),
        ([{"anything-but": ["rugby"]}], string("chess"), True),
        ([{"anything-but": ["rugby"]}], string("rugby"), False),
        ([{"anything-but": "rugby"}], string("rugby"), False),
        ([{"anything-but": ["rugby", "tennis"]}], array("rugby", "chess"), True),
        ([{"anything-but": ["rugby", "tennis"]}], array("rugby", "tennis"), False),
        ([{"anything-but": [100]}], number("100"), False),
        ([{"anything-but": [100]}], number("101"), True),
        ([{"anything-but": {"prefix": "bas"}}], string("basketball"), False),
        ([{"anything-but": {"prefix": "bas"}}], string("rugby"), True),
        ([{"anything-but": {"suffix": "ball"}}], string("baseball"), False),
        ([{"anything-but": {"wildcard": "*ball"}}], string("baseball"), False),
        ([{"anything-but": {"wildcard": ["*ball", "r*"]}}], string("rugby"), False),
        ([{"anything-but": {"equals-ignore-case": "Rugby"}}], string("RUGBY"), False),
        ([{"prefix": "bas"}], string("basketball"), True),
        ([{"prefix": "bas"}], string("rugby"), False),
        ([{"suffix": "ball"}], string("basketball"), True),
        ([{"equals-ignore-case": "tennis"}], string("TENNIS"), True),
        ([{"wildcard": "*ball"}], string("baseball"), True),
        ([{"wildcard": "b*e*l"}], string("baseball"), True),
        ([{"wildcard": "b*x"}], string("baseball"), False),
        ([{"wildcard": r"\*"}], string("*"), True),
        ([{"wildcard": r"\*"}], string("x"), False),
        ([{"wildcard": "a.c"}], string("abc"), False),
        ([{"numeric": ["=", 301.5]}], number("301.5"), True),
        ([{"numeric": ["=", 301.5]}], number("3015e-1"), True),
        ([{"numeric": ["<", 0]}], number("-1"), True),
        ([{"numeric": [">", 0, "<=", 150]}], number("150"), True),
        ([{"numeric": [">", 0, "<=", 150]}], number("150.1"), False),
        ([{"numeric": [">", 0]}], string("1"), False),
        ([{"exists": True}], string("x"), True),
        ([{"exists": False}], string("x"), False),
        ([{"cidr": "10.0.0.0/24"}], string("10.0.0.255"), True),
        ([{"cidr": "10.0.0.0/24"}], string("10.0.1.0"), False),
        ([{"cidr": "10.0.0.0/24"}], string("nowhere"), False),
        (["rugby"], {"DataType": "Binary", "BinaryValue": b"rugby"}, False),
    ],
)
def test_conditions_on_an_attribute(conditions: list[Any], attribute: dict[str, Any], expected: bool) -> None:
    assert accepts({"interest": conditions}, {"interest": attribute}) is expected


def test_a_key_that_is_not_there_meets_only_exists_false() -> None:
    assert not accepts({"store": ["a"]}, {})
    assert not accepts({"store": [{"anything-but": ["a"]}]}, {})
    assert not accepts({"store": [{"exists": True}]}, {})
    assert accepts({"store": [{"exists": False}]}, {})
    assert accepts({"store": ["a", {"exists": False}]}, {})


def test_all_keys_must_be_met_and_any_condition_of_each() -> None:
    policy = {"store": ["berlin", "paris"], "count": [{"numeric": ["<", 1]}]}
    assert accepts(policy, {"store": string("paris"), "count": number("0"), "more": string("x")})
    assert not accepts(policy, {"store": string("paris"), "count": number("1")})
    assert not accepts(policy, {"store": string("paris")})


def test_or_joins_alternatives() -> None:
    policy = {"source": ["shop"], "$or": [{"kind": ["alert"]}, {"count": [0]}]}
    assert accepts(policy, {"source": string("shop"), "kind": string("alert")})
    assert accepts(policy, {"source": string("shop"), "count": number("0")})
    assert not accepts(policy, {"source": string("shop"), "count": number("1")})
    assert not accepts(policy, {"kind": string("alert")})


def test_bodies_are_matched_at_any_depth() -> None:
    policy = {"order": {"items": {"sku": [{"prefix": "A-"}]}, "paid": [True]}}
    assert accepts_body(policy, {"order": {"items": [{"sku": "B-1"}, {"sku": "A-1"}], "paid": True}})
    assert not accepts_body(policy, {"order": {"items": [{"sku": "B-1"}], "paid": True}})
    assert not accepts_body(policy, {"order": {"items": [{"sku": "A-1"}], "paid": "true"}})
    assert not accepts_body(policy, {"order": "A-1"})
    assert accepts_body({"order": {"paid": [{"exists": False}]}}, {"other": 1})


@pytest.mark.parametrize("body", ["no JSON", "[]", '"text"', "NaN"])
def test_a_body_that_is_no_object_is_not_wanted(body: str) -> None:
    compiled = compile_policy('{"a": [{"exists": false}]}', MESSAGE_BODY)
    assert compiled is not None
    assert not compiled.accepts({}, body)


def test_the_empty_policy_lets_everything_pass() -> None:
    assert compile_policy("{}", MESSAGE_ATTRIBUTES) is None


@pytest.mark.parametrize(
    ("policy", "reason"),
    [
        ("{", "failed to parse JSON"),
        ("[]", "must be an object"),
        ('{"a": NaN}', "failed to parse JSON"),
        ('{"a": "x"}', "must be an object or an array"),
        ('{"a": []}', "Empty arrays"),
        ('{"a": [[]]}', "Match value must be"),
        ('{"a": {"b": ["x"]}}', "does not support nested"),
        ('{"a": [{"regex": "x"}]}', "Unrecognized match type regex"),
        ('{"a": [{"prefix": 1}]}', "prefix match pattern must be a string"),
        ('{"a": [{"prefix": "x", "suffix": "y"}]}', "Only one key"),
        ('{"a": [{"exists": "yes"}]}', "exists match pattern"),
        ('{"a": [{"numeric": "="}]}', "must be an array"),
        ('{"a": [{"numeric": ["=", "1"]}]}', "must be numeric"),
        ('{"a": [{"numeric": ["~", 1]}]}', "numeric match"),
        ('{"a": [{"numeric": ["<", 1, ">", 0]}]}', "range operator"),
        ('{"a": [{"numeric": [">", 1, "<", 1]}]}', "Bottom must be less than top"),
        ('{"a": [{"numeric": ["=", 1000000001]}]}', "between"),
        ('{"a": [{"anything-but": [true]}]}', "anything but"),
        ('{"a": [{"anything-but": {"numeric": ["=", 1]}}]}', "Unrecognized match type"),
        ('{"a": [{"wildcard": "a**"}]}', "Consecutive wildcard"),
        ('{"a": [{"cidr": "10.0.0.300/8"}]}', "CIDR"),
        ('{"a": [1], "b": [1], "c": [1], "d": [1], "e": [1], "f": [1]}', "more than 5 keys"),
        (json.dumps({key: list(range(6)) for key in "abc"}), "too complex"),
    ],
)
def test_policies_that_are_refused(policy: str, reason: str) -> None:
    with pytest.raises(AwsError, match=reason) as refused:
        compile_policy(policy, MESSAGE_ATTRIBUTES)
    assert refused.value.code == "InvalidParameter"
    assert refused.value.message.startswith("Invalid parameter: FilterPolicy: ")


TEXT = st.text(min_size=1, max_size=8)


@given(TEXT, TEXT)
def test_a_condition_and_its_opposite_never_agree(wanted: str, value: str) -> None:
    for condition in ({"prefix": wanted}, {"suffix": wanted}, {"equals-ignore-case": wanted}):
        attributes = {"a": string(value)}
        assert accepts({"a": [condition]}, attributes) != accepts({"a": [{"anything-but": condition}]}, attributes)


@given(st.lists(TEXT, min_size=1, max_size=5), TEXT)
def test_exact_values_are_membership(wanted: list[str], value: str) -> None:
    assert accepts({"a": wanted}, {"a": string(value)}) == (value in wanted)


@given(TEXT.filter(lambda text: "*" not in text and "\\" not in text), TEXT, TEXT)
def test_a_wildcard_stands_for_any_text(start: str, middle: str, end: str) -> None:
    end = end.replace("*", "").replace("\\", "")
    assert accepts({"a": [{"wildcard": f"{start}*{end}"}]}, {"a": string(start + middle + end)})


@given(st.integers(-(10**9), 10**9), st.integers(-(10**9), 10**9))
def test_numbers_are_ordered(value: int, bound: int) -> None:
    attributes = {"a": number(str(value))}
    assert accepts({"a": [{"numeric": ["<", bound]}]}, attributes) == (value < bound)
    assert accepts({"a": [{"numeric": [">=", bound]}]}, attributes) == (value >= bound)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=10,
)


@given(JSON, JSON)
def test_nothing_but_a_clear_refusal_ever_comes_of_a_policy(policy: Any, body: Any) -> None:
    for scope in (MESSAGE_ATTRIBUTES, MESSAGE_BODY):
        try:
            compiled = compile_policy(json.dumps(policy), scope)
        except AwsError:
            continue
        if compiled is not None:
            assert compiled.accepts({}, json.dumps(body)) in (True, False)


@pytest.mark.parametrize("depth", [151, 400, 900, 50_000])
def test_what_is_nested_too_deeply(depth: int) -> None:
    nested = '{"a": ' * depth + '["b"]' + "}" * depth
    alternatives = '{"$or": [{"a": ["b"]}, ' * depth + '{"b": ["c"]}' + "]}" * depth
    for policy in (nested, alternatives):
        with pytest.raises(AwsError, match="FilterPolicy"):
            compile_policy(policy, MESSAGE_BODY)
    policy = compile_policy('{"a": ["b"]}', MESSAGE_BODY)
    assert policy is not None
    assert not policy.accepts({}, nested)
