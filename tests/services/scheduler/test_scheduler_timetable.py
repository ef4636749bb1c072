"""When schedules are fired: their first time, their last, and the one that makes up for those that were missed."""

from datetime import UTC, datetime
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from cloudlet.services.scheduler.timetable import Timetable

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC).timestamp()
HOUR = 3600.0


def timetable(expression: str, counted_from: float = NOW, **dates: float) -> Timetable:
    settings: dict[str, Any] = {"ScheduleExpression": expression, "ScheduleExpressionTimezone": "UTC", **dates}
    return Timetable.of(settings, counted_from)


def test_a_rate_is_first_due_at_once_or_at_its_start() -> None:
    assert timetable("rate(1 hour)").first(NOW) == NOW
    assert timetable("rate(1 hour)", NOW + HOUR, StartDate=NOW + HOUR).first(NOW) == NOW + HOUR


def test_a_cron_expression_is_first_due_at_its_next_time() -> None:
    assert timetable("cron(0 12 * * ? *)").first(NOW) == NOW + 24 * HOUR
    assert timetable("cron(0 12 * * ? *)", StartDate=NOW + 48 * HOUR).first(NOW) == NOW + 48 * HOUR


def test_nothing_is_due_after_the_end() -> None:
    ending = timetable("rate(1 hour)", EndDate=NOW + HOUR)
    assert (ending.next_after(NOW), ending.next_after(NOW + HOUR)) == (NOW + HOUR, None)


def test_once_needs_no_dates() -> None:
    once = timetable("at(2026-06-01T13:00:00)", StartDate=NOW + 10 * HOUR, EndDate=NOW - HOUR)
    assert once.first(NOW) == NOW + HOUR
    assert timetable("at(2026-06-01T11:59:30)").first(NOW) == NOW - 30
    assert timetable("at(2026-06-01T11:58:00)").first(NOW) is None


@given(
    st.sampled_from(["rate(7 minutes)", "rate(5 hours)", "rate(1 day)", "cron(0/20 1-3 * * ? *)", "cron(5 * * * ? *)"]),
    st.integers(0, 90_000),
)
def test_of_all_times_that_were_missed_the_last_one_counts(expression: str, missed: int) -> None:
    plan = timetable(expression)
    due = plan.first(NOW)
    assert due is not None
    now = due + missed
    latest = plan.latest(due, now)
    following = plan.next_after(latest)
    assert due <= latest <= now
    assert following is not None
    assert now < following or latest < now - 86_400


def test_what_ended_long_ago_keeps_its_time() -> None:
    ended = timetable("rate(1 minute)", EndDate=NOW + HOUR)
    assert ended.latest(NOW, NOW + 1000 * HOUR) == NOW
