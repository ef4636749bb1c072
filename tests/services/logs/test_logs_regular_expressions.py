"""Regular expressions of filter patterns: what Python's engine finds is found, however many ways there are to try."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudlet.core.errors import AwsError
from cloudlet.services.logs.regular_expression import regular_expression

atoms = st.sampled_from(["a", "b", ".", "[ab]", "[^a]", r"\d", r"\w", r"\.", r"\x61", "{", "-"])
quantifiers = st.sampled_from(["", "", "*", "+", "?", "{2}", "{1,}", "{,2}", "{0,2}", "*?", "+?"])
sequences = st.lists(st.tuples(atoms, quantifiers).map("".join), max_size=4).map("".join)
branches = st.tuples(st.sampled_from(["", "^"]), sequences, st.sampled_from(["", "$"])).map("".join)
patterns = st.lists(branches, min_size=1, max_size=3).map("|".join).filter(bool)
texts = st.text("ab1.{-\n", max_size=10)


@given(patterns, texts)
def test_pythons_engine_finds_the_same(pattern: str, text: str) -> None:
    expected = re.compile(pattern, re.ASCII).search(text) is not None
    long = "\n" * 1001 + text if "^" not in pattern else text
    assert regular_expression(pattern)(text) is expected
    assert regular_expression(f"zz*zz*|{pattern}")(long) is (re.search(pattern, long, re.ASCII) is not None)


@pytest.mark.parametrize("pattern", ["a+b+c", "a*a*a*a*a*a*b", "(a+)+", "a{1,}a{1,}a{1,}b", "[a-z]+[a-z]+[0-9]"])
def test_nothing_takes_for_ever(pattern: str) -> None:
    if "(" in pattern:
        with pytest.raises(AwsError):
            regular_expression(pattern)
    else:
        assert regular_expression(pattern)("a" * 100_000) is False


@pytest.mark.parametrize("pattern", [r"\bword", r"(a)\1", "a**", "a{600}", "a^b", "["])
def test_what_is_not_supported(pattern: str) -> None:
    with pytest.raises(AwsError):
        regular_expression(pattern)
