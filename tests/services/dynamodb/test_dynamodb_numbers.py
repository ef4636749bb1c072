"""Numbers are exact, have one text each, and sort by their bytes as by their value."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudlet.core.errors import AwsError
from cloudlet.services.dynamodb import numbers


@st.composite
def decimals(draw: st.DrawFn) -> Decimal:
    digits = draw(st.integers(min_value=0, max_value=10**38 - 1))
    width = len(str(digits))
    exponent = draw(st.integers(min_value=-130, max_value=126 - width))
    sign = draw(st.sampled_from((1, -1)))
    return Decimal(sign * digits).scaleb(exponent)


@given(decimals(), decimals())
def test_bytes_sort_as_values_do(one: Decimal, other: Decimal) -> None:
    first, second = numbers.canonical(str(one)), numbers.canonical(str(other))
    assert (numbers.encoded(first) < numbers.encoded(second)) == (one < other)
    assert (first == second) == (one == other)


@given(decimals())
def test_canonical_text_is_the_same_value_in_plain_notation(number: Decimal) -> None:
    text = numbers.canonical(str(number))
    assert Decimal(text) == number
    assert "E" not in text
    assert numbers.canonical(text) == text


@given(decimals(), decimals())
def test_no_encoding_is_the_beginning_of_another(one: Decimal, other: Decimal) -> None:
    first, second = (numbers.encoded(numbers.canonical(str(each))) for each in (one, other))
    assert first == second or not second.startswith(first)


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        ("007.50", "7.5"),
        ("1E+3", "1000"),
        ("-0", "0"),
        (".5", "0.5"),
        ("5.", "5"),
        ("+12", "12"),
        ("1e-5", "0.00001"),
        ("-0.0100", "-0.01"),
    ],
)
def test_numbers_are_kept_in_one_form(written: str, kept: str) -> None:
    assert numbers.canonical(written) == kept


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("abc", "The parameter cannot be converted to a numeric value: abc"),
        ("", "The parameter cannot be converted to a numeric value"),
        ("1 2", "cannot be converted"),
        ("1e126", "Number overflow"),
        ("1e-131", "Number underflow"),
        ("1" * 39, "more than 38 significant digits"),
        ("NaN", "cannot be converted"),
        ("٣", "cannot be converted"),
    ],
)
def test_what_is_no_number_is_refused(text: str, message: str) -> None:
    with pytest.raises(AwsError, match="ValidationException") as caught:
        numbers.canonical(text)
    assert message in caught.value.message


def test_sums_are_exact_or_refused() -> None:
    assert numbers.added("0.1", "0.2") == "0.3"
    assert numbers.subtracted("1", "1.00000000000000000001") == "-0.00000000000000000001"
    with pytest.raises(AwsError, match="Number overflow"):
        numbers.added("1" + "0" * 50, "1")


@pytest.mark.parametrize(("text", "size"), [("0", 1), ("1", 2), ("1000", 2), ("-12", 3), ("12345", 4), ("0.05", 2)])
def test_sizes_count_significant_digits(text: str, size: int) -> None:
    assert numbers.size(text) == size
