"""Wildcards mean the same as ever, and no pattern takes longer than its text is long."""

import re

from hypothesis import given
from hypothesis import strategies as st

from cloudlet.authz.patterns import Pattern
from cloudlet.core import wildcards

texts = st.text("ab:", max_size=12)
parts = st.lists(st.sampled_from(["a", "b", ":", "[^:]", "[^:]*"]) | st.text("ab:", min_size=1, max_size=3), max_size=8)


@given(texts, st.text("ab*", max_size=8))
def test_a_star_stands_for_any_text(text: str, pattern: str) -> None:
    plainly = re.fullmatch(".*".join(pattern.split("*")), text)
    assert (wildcards.compiled(pattern).fullmatch(text) is None) == (plainly is None)


@given(texts, parts, st.lists(st.sampled_from(["a", "b", ":", ".", ".*"]), max_size=6))
def test_a_wildcard_within_a_segment_stops_at_colons(text: str, within: list[str], after: list[str]) -> None:
    plainly = re.fullmatch("".join([*within, *after]), text)
    assert (re.fullmatch(wildcards.expression([*within, *after]), text) is None) == (plainly is None)


def test_many_stars_do_not_take_for_ever() -> None:
    key = "a" * 1024
    assert wildcards.compiled("*a" * 100 + "b").fullmatch(key) is None
    assert not Pattern.of_arn(f"arn:aws:s3:::{'*a?' * 100}b").matches(f"arn:aws:s3:::{key}", {})
    assert not Pattern.of_text("${aws:username}" + "*a" * 100 + "b").matches(key, {"aws:username": "a"})
