"""Schedule expressions are read as EventBridge reads them, and fall due when its documentation says."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudlet.core.schedules import Rate, parse

NEW_YORK = ZoneInfo("America/New_York")
START = datetime(2026, 1, 1, tzinfo=UTC)


def due(expression: str, after: datetime, count: int = 1, zone: str = "UTC") -> list[str]:
    """The next local times, as `2026-01-31 23:59`."""
    schedule = parse(expression)
    found: list[str] = []
    time = after.timestamp()
    while len(found) < count:
        following = schedule.next_after(time, ZoneInfo(zone), START.timestamp())
        if following is None:
            break
        time = following
        found.append(datetime.fromtimestamp(time, ZoneInfo(zone)).strftime("%Y-%m-%d %H:%M"))
    return found


@pytest.mark.parametrize(
    ("expression", "times"),
    [
        ("cron(0 10 * * ? *)", ["2026-01-01 10:00", "2026-01-02 10:00"]),
        ("cron(15 12 * * ? *)", ["2026-01-01 12:15", "2026-01-02 12:15"]),
        ("cron(0 18 ? * MON-FRI *)", ["2026-01-01 18:00", "2026-01-02 18:00", "2026-01-05 18:00"]),
        ("cron(0 8 1 * ? *)", ["2026-01-01 08:00", "2026-02-01 08:00"]),
        ("cron(0/10 * ? * MON-FRI *)", ["2026-01-01 00:10", "2026-01-01 00:20"]),
        ("cron(0/30 20-2 ? * * *)", ["2026-01-01 00:30", "2026-01-01 01:00", "2026-01-01 01:30", "2026-01-01 02:00"]),
        ("cron(0 9 ? * 2#1 *)", ["2026-01-05 09:00", "2026-02-02 09:00"]),
        ("cron(0 9 ? * mon#5 *)", ["2026-03-30 09:00", "2026-06-29 09:00"]),
        ("cron(15 10 ? * 6L 2026-2027)", ["2026-01-30 10:15", "2026-02-27 10:15"]),
        ("cron(0 0 ? * L *)", ["2026-01-03 00:00", "2026-01-10 00:00"]),
        ("cron(0 0 ? * SAT-SUN *)", ["2026-01-03 00:00", "2026-01-04 00:00", "2026-01-10 00:00"]),
        ("cron(0 0 L * ? *)", ["2026-01-31 00:00", "2026-02-28 00:00"]),
        ("cron(0 0 L-2 * ? *)", ["2026-01-29 00:00", "2026-02-26 00:00"]),
        ("cron(0 0 LW * ? *)", ["2026-01-30 00:00", "2026-02-27 00:00"]),
        ("cron(0 0 3W * ? *)", ["2026-01-02 00:00", "2026-02-03 00:00"]),
        ("cron(0 0 1W 2,8 ? *)", ["2026-02-02 00:00", "2026-08-03 00:00"]),
        ("cron(0 0 31W * ? *)", ["2026-01-30 00:00", "2026-03-31 00:00"]),
        ("cron(0 0 29 FEB ? *)", ["2028-02-29 00:00", "2032-02-29 00:00"]),
        ("cron(0 0 1,15,L JAN-MAR/2 ? *)", ["2026-01-15 00:00", "2026-01-31 00:00", "2026-03-01 00:00"]),
        ("cron(0 0 1 1 ? 2026/50)", ["2076-01-01 00:00", "2126-01-01 00:00", "2176-01-01 00:00"]),
        ("rate(7 minutes)", ["2026-01-01 00:07", "2026-01-01 00:14"]),
        ("rate(1 day)", ["2026-01-02 00:00", "2026-01-03 00:00"]),
    ],
)
def test_what_an_expression_means(expression: str, times: list[str]) -> None:
    assert due(expression, START, len(times)) == times


@pytest.mark.parametrize("expression", ["cron(0 0 30 FEB ? *)", "cron(0 0 1 1 ? 2025)", "at(2025-12-31T23:59:59)"])
def test_what_is_past_or_never_comes_falls_due_no_more(expression: str) -> None:
    assert due(expression, START) == []


@pytest.mark.parametrize(
    "expression",
    [
        "",
        "0 10 * * ? *",
        "cron(0 10 * * ?)",
        "cron(0 10 * * * *)",
        "cron(0 10 ? * ? *)",
        "cron(60 10 * * ? *)",
        "cron(0 24 * * ? *)",
        "cron(0 0 0 * ? *)",
        "cron(0 0 32 * ? *)",
        "cron(0 0 1 13 ? *)",
        "cron(0 0 ? * 0 *)",
        "cron(0 0 ? * 8 *)",
        "cron(0 0 ? * 3#6 *)",
        "cron(0 0 ? * 3#1,6#3 *)",
        "cron(0 0 ? * FUNDAY *)",
        "cron(0 0 ? * 15W *)",
        "cron(0 0 1 * ? 1969)",
        "cron(0 0 1 * ? 2030-2026)",
        "cron(*/0 * * * ? *)",
        "cron(1, 0 * * ? *)",
        "cron(-5 0 * * ? *)",
        "cron(٣ 0 * * ? *)",
        "rate(0 minutes)",
        "rate(-1 minutes)",
        "rate(1.5 hours)",
        "rate(5 weeks)",
        "rate(5)",
        "rate(5  minutes)",
        "at(2026-13-01T00:00:00)",
        "at(2026-01-01)",
        "at(2026-01-01T00:00:00Z)",
        "every(5 minutes)",
    ],
)
def test_what_is_no_schedule_expression(expression: str) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        parse(expression)


def test_a_rate_tells_whether_its_unit_agrees_with_its_value() -> None:
    rates = ["rate(1 minute)", "rate(2 minutes)", "rate(1 minutes)", "rate(2 minute)"]
    assert [parse(rate) for rate in rates] == [Rate(60, True), Rate(120, True), Rate(60, False), Rate(120, False)]


def test_a_local_time_that_the_clock_skips_is_left_out() -> None:
    before = datetime(2026, 3, 7, 12, tzinfo=NEW_YORK)
    assert due("cron(30 2 * * ? *)", before, 1, "America/New_York") == ["2026-03-09 02:30"]


def test_a_local_time_that_comes_twice_falls_due_once() -> None:
    before = datetime(2026, 10, 31, 12, tzinfo=NEW_YORK)
    assert due("cron(30 1 * * ? *)", before, 2, "America/New_York") == ["2026-11-01 01:30", "2026-11-02 01:30"]


def test_a_day_of_a_rate_is_24_hours_whatever_the_zone_does() -> None:
    times = due("rate(1 day)", datetime(2026, 3, 7, 12, tzinfo=NEW_YORK), 2, "America/New_York")
    assert times == ["2026-03-07 19:00", "2026-03-08 20:00"]


def test_once_is_at_the_time_of_the_zone() -> None:
    assert parse("at(2026-12-24T18:00:00)").next_after(0, ZoneInfo("Europe/Berlin"), 0) == (
        datetime(2026, 12, 24, 17, tzinfo=UTC).timestamp()
    )


def subset(values: range) -> st.SearchStrategy[frozenset[int]]:
    return st.frozensets(st.sampled_from(values), min_size=1, max_size=4)


@given(
    minutes=subset(range(60)),
    hours=subset(range(24)),
    months=subset(range(1, 13)),
    weekdays=subset(range(1, 8)),
    start=st.datetimes(datetime(2026, 1, 1), datetime(2027, 1, 1)),
    zone=st.sampled_from(["UTC", "America/New_York", "Europe/Berlin", "Australia/Lord_Howe", "Asia/Kathmandu"]),
)
def test_the_next_time_is_the_first_minute_that_matches(
    minutes: frozenset[int],
    hours: frozenset[int],
    months: frozenset[int],
    weekdays: frozenset[int],
    start: datetime,
    zone: str,
) -> None:
    fields = [",".join(map(str, values)) for values in (minutes, hours, months, weekdays)]
    schedule = parse(f"cron({fields[0]} {fields[1]} ? {fields[2]} {fields[3]} *)")
    begin = start.replace(second=0, microsecond=0, tzinfo=UTC)
    found = schedule.next_after(begin.timestamp(), ZoneInfo(zone), 0)
    assert found is not None
    for minute in range(1, 2 * 1440):
        moment = begin + timedelta(minutes=minute)
        local = moment.astimezone(ZoneInfo(zone))
        matches = local.minute in minutes and local.hour in hours and local.month in months
        if matches and not local.fold and local.isoweekday() % 7 + 1 in weekdays:
            assert found == moment.timestamp()
            return
    assert found > begin.timestamp() + (2 * 1440 - 1) * 60
