"""Filter criteria: what patterns match."""

import json
from typing import Any

import pytest

from cloudlet.core.errors import AwsError
from cloudlet.services.lambda_.filters import compile_filters


def matches(pattern: dict[str, Any], record: dict[str, Any]) -> bool:
    return compile_filters({"Filters": [{"Pattern": json.dumps(pattern)}]})(record)


@pytest.mark.parametrize(
    ("rule", "hits", "misses"),
    [
        (["a", "b"], ["a", "b", ["x", "b"]], ["c", None, 1]),
        ([None], [None], ["null", 0]),
        ([1], [1], ["1", True, 2]),
        ([{"prefix": "ab"}], ["abc"], ["cab", 1]),
        ([{"suffix": ".csv"}], ["a.csv"], ["csv.a"]),
        ([{"equals-ignore-case": "Ab"}], ["aB"], ["abc"]),
        ([{"anything-but": ["a", "b"]}], ["c", 1], ["a"]),
        ([{"anything-but": {"prefix": "a"}}], ["ba"], ["ab"]),
        ([{"numeric": [">", 1, "<=", 3]}], [2, 3, 1.5], [1, 4, "2", True]),
        ([{"exists": True}], ["x", None, 0], []),
    ],
)
def test_rules(rule: list[Any], hits: list[Any], misses: list[Any]) -> None:
    assert all(matches({"key": rule}, {"key": value}) for value in hits)
    assert not any(matches({"key": rule}, {"key": value}) for value in misses)


def test_a_member_that_is_missing() -> None:
    assert matches({"key": [{"exists": False}]}, {"other": 1})
    assert not matches({"key": [{"anything-but": "a"}]}, {})
    assert not matches({"outer": {"key": ["a"]}}, {"outer": "text"})


def test_all_members_must_match_and_any_alternative() -> None:
    pattern = {"kind": ["order"], "$or": [{"count": [{"numeric": [">", 5]}]}, {"urgent": [True]}]}
    assert matches(pattern, {"kind": "order", "count": 6})
    assert matches(pattern, {"kind": "order", "count": 1, "urgent": True})
    assert not matches(pattern, {"kind": "order", "count": 1})
    assert not matches(pattern, {"kind": "other", "count": 6})


@pytest.mark.parametrize(
    "text", ["{", "[]", '{"a": "b"}', '{"a": []}', '{"a": [{"like": "x"}]}', '{"a": [{"numeric": ["~", 1]}]}']
)
def test_bad_patterns_are_refused(text: str) -> None:
    with pytest.raises(AwsError, match="Invalid filter pattern"):
        compile_filters({"Filters": [{"Pattern": text}]})


def test_without_a_filter_everything_matches() -> None:
    assert compile_filters(None)({"any": "thing"})
    assert compile_filters({"Filters": []})({})
