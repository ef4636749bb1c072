"""M out of N: AWS's own examples of what missing data points do, and what never holds."""

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudlet.services.cloudwatch.alarm_decision import decide, evaluation_range
from cloudlet.services.cloudwatch.alarms import ALARM, INSUFFICIENT_DATA, OK

VALUES = {"0": 0.0, "X": 1.0, "-": None}
TREATMENTS = ("missing", "ignore", "breaching", "notBreaching")


def state(points: str, needed: int, treatment: str) -> str | None:
    """`points` are the oldest first, as in AWS's documentation: 0 is fine, X breaches, - is missing."""
    values = [VALUES[point] for point in reversed(points)]
    return decide(values, lambda value: value > 0.5, 3, needed, treatment).state


@pytest.mark.parametrize(
    ("points", "needed", "states"),
    [
        ("0-X-X", 3, (OK, OK, OK, OK)),
        ("0----", 3, (OK, OK, OK, OK)),
        ("-----", 3, (INSUFFICIENT_DATA, None, ALARM, OK)),
        ("0XX-X", 3, (ALARM, ALARM, ALARM, ALARM)),
        ("--X--", 3, (ALARM, None, ALARM, OK)),
        ("----X", 3, (None, None, ALARM, OK)),
        ("0-X-X", 2, (ALARM, ALARM, ALARM, ALARM)),
        ("00X0X", 2, (ALARM, ALARM, ALARM, ALARM)),
        ("0-X--", 2, (OK, OK, ALARM, OK)),
        ("----0", 2, (OK, OK, ALARM, OK)),
        ("---X-", 2, (ALARM, None, ALARM, OK)),
    ],
)
def test_examples_of_the_documentation(points: str, needed: int, states: tuple[str | None, ...]) -> None:
    assert tuple(state(points, needed, treatment) for treatment in TREATMENTS) == states


def test_with_data_for_all_periods_the_treatment_does_not_matter() -> None:
    for points in product("0X", repeat=evaluation_range(3)):
        found = {state("".join(points), 2, treatment) for treatment in TREATMENTS}
        assert found == {ALARM if points[-3:].count("X") >= 2 else OK}


@given(st.lists(st.sampled_from("0X-"), min_size=5, max_size=5), st.integers(1, 3))
def test_only_missing_data_leads_to_insufficient_data(points: list[str], needed: int) -> None:
    found = {state("".join(points), needed, treatment) for treatment in TREATMENTS}
    assert (INSUFFICIENT_DATA in found) == (points == ["-"] * 5)


@given(st.lists(st.sampled_from("0X-"), min_size=5, max_size=5), st.integers(1, 3))
def test_enough_breaching_points_are_an_alarm_however_missing_ones_are_treated(points: list[str], needed: int) -> None:
    if points[-3:].count("X") >= needed and "-" not in points:
        assert {state("".join(points), needed, treatment) for treatment in TREATMENTS} == {ALARM}
    if "X" not in points and "-" not in points:
        assert {state("".join(points), needed, treatment) for treatment in TREATMENTS} == {OK}
