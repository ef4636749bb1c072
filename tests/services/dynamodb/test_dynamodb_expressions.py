"""The expression language: whatever comes in gets an answer, and what it means is what a plain model says."""

import copy
import string
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cloudlet.core.errors import AwsError
from cloudlet.services.dynamodb.expressions.conditions import BoundCondition
from cloudlet.services.dynamodb.expressions.parser import parse_condition, parse_projection, parse_update
from cloudlet.services.dynamodb.expressions.placeholders import Placeholders
from cloudlet.services.dynamodb.expressions.projections import Projection
from cloudlet.services.dynamodb.expressions.updates import BoundUpdate

_PIECES = (
    *("a", "b.c", "d[0]", "#n", ":v", "AND", "or", "NOT", "BETWEEN", "IN", "SET", "REMOVE", "ADD", "DELETE", "="),
    *("<>", "<", ">=", "(", ")", "[", "]", ",", ".", "+", "-", "size", "size(a)", "attribute_exists(a)", "contains"),
    *("begins_with(a, :v)", "if_not_exists(a, :v)", "list_append(a, :v)", "1", "é", '"', "name", " "),
)


@given(st.lists(st.sampled_from(_PIECES), max_size=25).map(" ".join) | st.text(string.printable, max_size=60))
@settings(max_examples=500)
def test_a_parser_never_crashes(text: str) -> None:
    for parse in (parse_condition, parse_projection, parse_update):
        try:
            parse(text, "UpdateExpression" if parse is parse_update else "ConditionExpression")
        except AwsError as error:
            assert error.code == "ValidationException"  # noqa: PT017 - it may as well succeed


def holds(text: str, item: dict[str, Any], **values: Any) -> bool:
    placeholders = Placeholders(None, {f":{name}": value for name, value in values.items()} or None)
    return BoundCondition.of(text, "ConditionExpression", placeholders).holds(item)


@st.composite
def formulas(draw: st.DrawFn, depth: int = 3) -> tuple[str, Any]:
    """A condition over the numbers a, b and c, and a function of them that says the same."""
    if depth == 0 or draw(st.booleans()):
        name, limit = draw(st.sampled_from("abc")), draw(st.integers(0, 3))
        operator, compare = draw(
            st.sampled_from(
                [
                    ("=", lambda x, y: x == y),
                    ("<>", lambda x, y: x != y),
                    ("<", lambda x, y: x < y),
                    ("<=", lambda x, y: x <= y),
                    (">", lambda x, y: x > y),
                    (">=", lambda x, y: x >= y),
                ]
            )
        )
        return f"{name} {operator} :v{limit}", lambda item: compare(item[name], limit)
    left_text, left = draw(formulas(depth - 1))
    right_text, right = draw(formulas(depth - 1))
    return draw(
        st.sampled_from(
            [
                (f"({left_text}) AND ({right_text})", lambda item: left(item) and right(item)),
                (f"({left_text}) or ({right_text})", lambda item: left(item) or right(item)),
                (f"NOT ({left_text})", lambda item: not left(item)),
            ]
        )
    )


@given(formulas(), st.fixed_dictionaries({name: st.integers(0, 3) for name in "abc"}))
def test_conditions_mean_what_logic_says(formula: tuple[str, Any], numbers: dict[str, int]) -> None:
    text, model = formula
    item = {name: {"N": str(number)} for name, number in numbers.items()}
    values = {f"v{number}": {"N": str(number)} for number in range(4)}
    assert holds(text, item, **values) == model(numbers)


def test_and_binds_closer_than_or() -> None:
    item = {"a": {"N": "1"}}
    assert holds("a = :one OR a = :two AND a = :two", item, one={"N": "1"}, two={"N": "2"})
    assert not holds("(a = :one OR a = :two) AND a = :two", item, one={"N": "1"}, two={"N": "2"})


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("attribute_exists(m.k[1])", True),
        ("attribute_not_exists(m.k[2])", True),
        ("begins_with(s, :v)", True),
        ("contains(ss, :v)", True),
        ("contains(s, :v)", True),
        ("size(s) = :n", True),
        ("attribute_type(m, :t)", True),
        ("s IN (:t, :n, :whole)", True),
        ("n BETWEEN :low AND :n", True),
        ("absent = :v", False),
        ("absent <> :v", True),
        ("n < :v", False),
    ],
)
def test_functions_and_operators(text: str, expected: bool) -> None:
    item = {
        "s": {"S": "hello"},
        "n": {"N": "5"},
        "ss": {"SS": ["hell", "o"]},
        "m": {"M": {"k": {"L": [{"N": "1"}, {"N": "2"}]}}},
    }
    all_values = {
        "v": {"S": "hell"},
        "n": {"N": "5"},
        "t": {"S": "M"},
        "whole": {"S": "hello"},
        "low": {"N": "-1"},
    }
    used = {name: value for name, value in all_values.items() if f":{name}" in text}
    assert holds(text, item, **used) is expected


def updated(item: dict[str, Any], text: str, **values: Any) -> dict[str, Any]:
    placeholders = Placeholders(None, {f":{name}": value for name, value in values.items()} or None)
    update = BoundUpdate.of(text, placeholders)
    new = copy.deepcopy(item)
    update.apply(item, new)
    return new


def test_actions_see_the_item_as_it_was() -> None:
    assert updated({"a": {"N": "1"}, "b": {"N": "2"}}, "SET a = b, b = a") == {"a": {"N": "2"}, "b": {"N": "1"}}


def test_list_elements_are_removed_by_their_old_places() -> None:
    item = {"l": {"L": [{"N": str(number)} for number in range(5)]}}
    assert updated(item, "REMOVE l[1], l[3] SET l[9] = :v", v={"S": "end"}) == {
        "l": {"L": [{"N": "0"}, {"N": "2"}, {"N": "4"}, {"S": "end"}]}
    }


def test_an_empty_set_goes_away() -> None:
    assert updated({"s": {"SS": ["a", "b"]}}, "DELETE s :v", v={"SS": ["b", "a"]}) == {}


def test_projections_keep_structure() -> None:
    item = {"m": {"M": {"x": {"N": "1"}, "y": {"N": "2"}}}, "l": {"L": [{"S": "a"}, {"S": "b"}, {"S": "c"}]}}
    projection = Projection.of("m.x, l[2], l[0], absent", Placeholders())
    assert projection.apply(item) == {"m": {"M": {"x": {"N": "1"}}}, "l": {"L": [{"S": "a"}, {"S": "c"}]}}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("SET name = :v", "Attribute name is a reserved keyword; reserved keyword: name"),
        ("SET a = :v, a.b = :v", "Two document paths overlap with each other"),
        ("SET a[0] = :v, a.b = :v", "Two document paths conflict with each other"),
        ("SET a = :v SET b = :v", 'The "SET" section can only be used once in an update expression;'),
        ("SET a = fun(:v)", "Invalid function name; function: fun"),
        ("SET a = size(:v)", "The function is not allowed to be used this way in an expression; function: size"),
        ("SET a = list_append(:v)", "number of operands: 1"),
        ("SET a :v", 'Syntax error; token: ":v", near: "a :v"'),
        ("ADD a :v", "operand type: STRING"),
        ("", "The expression can not be empty;"),
    ],
)
def test_wrong_updates_are_refused_in_the_words_of_aws(text: str, message: str) -> None:
    with pytest.raises(AwsError) as caught:
        updated({}, text, v={"S": "x"})
    assert caught.value.message.startswith("Invalid UpdateExpression: ")
    assert message in caught.value.message
