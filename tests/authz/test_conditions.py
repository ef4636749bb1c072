"""Every operator of the Condition element, and what it makes of keys that are missing or have several values."""

from typing import Any

import pytest

from cloudlet.authz.conditions import InvalidCondition, compile_conditions

Keys = dict[str, str | list[str]]


def holds(operator: str, key: str, values: Any, context: Keys) -> bool:
    conditions = compile_conditions({operator: {key: values}}, variables=True)
    return all(condition.holds(context) for condition in conditions)


@pytest.mark.parametrize(
    ("operator", "given", "value", "expected"),
    [
        ("StringEquals", ["a", "b"], "b", True),
        ("StringEquals", "a", "A", False),
        ("StringEquals", "a*", "ab", False),
        ("StringEqualsIgnoreCase", "a", "A", True),
        ("StringNotEquals", ["a", "b"], "b", False),
        ("StringNotEquals", ["a", "b"], "c", True),
        ("StringNotEqualsIgnoreCase", "a", "A", False),
        ("StringLike", "a*c?", "abbcd", True),
        ("StringLike", "a:*", "a:b:c", True),
        ("StringNotLike", "a*", "abc", False),
        ("NumericEquals", "10", "10.0", True),
        ("NumericNotEquals", 10, "11", True),
        ("NumericLessThan", 10, "9", True),
        ("NumericLessThanEquals", 10, "10", True),
        ("NumericGreaterThan", 10, "10", False),
        ("NumericGreaterThanEquals", 10, "10", True),
        ("NumericLessThan", 10, "many", False),
        ("DateGreaterThan", "2026-01-01T00:00:00Z", "2026-11-24T12:00:00Z", True),
        ("DateLessThan", "2026-01-01T00:00:00Z", "2026-11-24T12:00:00Z", False),
        ("DateEquals", "2026-01-01T00:00:00Z", "1767225600", True),
        ("DateNotEquals", "2026-01-01", "1767225600", False),
        ("DateGreaterThanEquals", 1767225600, "2026-01-01T00:00:00Z", True),
        ("DateLessThanEquals", "2026-01-01T01:00:00+01:00", "2026-01-01T00:00:00Z", True),
        ("Bool", True, "true", True),
        ("Bool", "false", "true", False),
        ("BinaryEquals", "QmluYXJ5", "QmluYXJ5", True),
        ("BinaryEquals", "QmluYXJ5", "AAAA", False),
        ("IpAddress", "10.0.0.0/8", "10.1.2.3", True),
        ("IpAddress", ["10.0.0.0/8", "2001:db8::/32"], "2001:db8::1", True),
        ("IpAddress", "10.0.0.1", "10.0.0.2", False),
        ("NotIpAddress", "10.0.0.0/8", "10.1.2.3", False),
        ("IpAddress", "10.0.0.0/8", "nowhere", False),
        ("ArnEquals", "arn:aws:s3:::b", "arn:aws:s3:::b", True),
        ("ArnLike", "arn:aws:sns:*:000000000000:t*", "arn:aws:sns:us-east-1:000000000000:topic", True),
        ("ArnLike", "arn:aws:sns:*:t", "arn:aws:sns:us-east-1:000000000000:t", False),
        ("ArnNotEquals", "arn:aws:s3:::b", "arn:aws:s3:::b", False),
        ("ArnNotLike", "arn:aws:s3:::*", "arn:aws:sqs:::b", True),
    ],
)
def test_operators(operator: str, given: Any, value: str, expected: bool) -> None:
    assert holds(operator, "the:Key", given, {"the:key": value}) is expected


@pytest.mark.parametrize(
    ("operator", "expected"),
    [
        ("StringEquals", False),
        ("StringNotEquals", True),
        ("StringEqualsIfExists", True),
        ("StringNotEqualsIfExists", True),
        ("ForAllValues:StringEquals", True),
        ("ForAnyValue:StringEquals", False),
        ("ForAnyValue:StringEqualsIfExists", True),
    ],
)
def test_a_missing_key(operator: str, expected: bool) -> None:
    assert holds(operator, "k", "v", {}) is expected


def test_null_asks_whether_a_key_is_there() -> None:
    assert holds("Null", "k", "true", {})
    assert not holds("Null", "k", "true", {"k": "v"})
    assert holds("Null", "k", False, {"k": "v"})


@pytest.mark.parametrize(
    ("operator", "values", "expected"),
    [
        ("ForAllValues:StringEquals", ["a", "b"], True),
        ("ForAllValues:StringEquals", ["a", "x"], False),
        ("ForAnyValue:StringEquals", ["x", "b"], True),
        ("ForAnyValue:StringEquals", ["x", "y"], False),
        ("ForAllValues:StringNotEquals", ["x", "y"], True),
        ("ForAllValues:StringNotEquals", ["x", "a"], False),
        ("ForAnyValue:StringNotEquals", ["x", "a"], True),
        ("ForAnyValue:StringNotEquals", ["a", "b"], False),
    ],
)
def test_several_values(operator: str, values: list[str], expected: bool) -> None:
    assert holds(operator, "k", ["a", "b"], {"k": values}) is expected


def test_all_operators_and_keys_must_hold() -> None:
    conditions = compile_conditions({"StringEquals": {"a": "1", "b": "2"}, "Bool": {"c": "true"}}, variables=True)
    assert all(c.holds({"a": "1", "b": "2", "c": "true"}) for c in conditions)
    assert not all(c.holds({"a": "1", "b": "2", "c": "false"}) for c in conditions)
    assert not all(c.holds({"a": "1", "b": "3", "c": "true"}) for c in conditions)


def test_variables_stand_for_the_requests_values() -> None:
    assert holds("StringEquals", "s3:prefix", "${aws:username}", {"s3:prefix": "ann", "aws:username": "ann"})
    assert not holds("StringLike", "s3:prefix", "${aws:username}/*", {"s3:prefix": "bob/x", "aws:username": "*"})


@pytest.mark.parametrize(
    ("operator", "value"),
    [
        ("StringIs", "a"),
        ("NumericEquals", "ten"),
        ("DateEquals", "yesterday"),
        ("Bool", "perhaps"),
        ("IpAddress", "10.0.0.0/99"),
        ("BinaryEquals", "%%%"),
        ("StringEquals", {"a": "b"}),
        ("Null", "maybe"),
    ],
)
def test_what_cannot_be_compared(operator: str, value: Any) -> None:
    with pytest.raises(InvalidCondition):
        compile_conditions({operator: {"k": value}}, variables=True)
