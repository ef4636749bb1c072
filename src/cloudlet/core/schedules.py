"""Schedule expressions of EventBridge: `rate(…)`, `cron(…)` and `at(…)`, and when they fall due."""

import re
from calendar import monthrange
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from functools import lru_cache
from itertools import chain

_SECONDS = {"minute": 60, "hour": 3600, "day": 86400}
_EXPRESSION = re.compile(r"(rate|cron|at)\((.*)\)", re.ASCII)
_RATE = re.compile(r"([1-9][0-9]{0,9}) (minute|hour|day)(s?)", re.ASCII)
_AT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d", re.ASCII)
_MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
_DAYS = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")
_FIRST_YEAR, _LAST_YEAR = 1970, 2199
_YEARS = range(_FIRST_YEAR, _LAST_YEAR + 1)


@dataclass(frozen=True, slots=True)
class Rate:
    """`rate(5 minutes)`. `seconds` is its period; days are of 24 hours, whatever the time zone does.

    `agrees` says whether the unit is in the singular for one and in the plural for more, on which rules insist.
    """

    seconds: int
    agrees: bool

    def next_after(self, time: float, zone: tzinfo, since: float) -> float | None:
        """The first time after `time` that is a whole number of periods after `since`, or `since` itself."""
        if time < since:
            return since
        due = since + (int((time - since) // self.seconds) + 1) * self.seconds
        return due if due < _END else None


@dataclass(frozen=True, slots=True)
class At:
    """`at(2026-12-24T18:00:00)`: once, at the local time of the schedule's zone."""

    local: datetime

    def next_after(self, time: float, zone: tzinfo, since: float) -> float | None:
        due = self.local.replace(tzinfo=zone).timestamp()
        return due if due > time else None


@dataclass(frozen=True, slots=True)
class Cron:
    """`cron(0 12 ? * MON-FRI *)`. Each field is the ascending values that it allows."""

    minutes: Sequence[int]
    hours: Sequence[int]
    days: "DaysOfMonth | DaysOfWeek"
    months: Sequence[int]
    years: Sequence[int]

    def next_after(self, time: float, zone: tzinfo, since: float) -> float | None:
        """A local time that the clock skips in spring is left out; one that it shows twice in autumn counts once."""
        for local in self._local_times(datetime.fromtimestamp(time, zone).replace(tzinfo=None, fold=0)):
            due = local.replace(tzinfo=zone).timestamp()
            if due > time and datetime.fromtimestamp(due, zone).replace(tzinfo=None, fold=0) == local:
                return due
        return None

    def _local_times(self, start: datetime) -> Iterator[datetime]:
        """The local times that match, from the minute of `start` on."""
        today = (start.year, start.month, start.day)
        for day in self._dates(today):
            now = (start.hour, start.minute) if day == today else (0, 0)
            for hour in self.hours:
                for minute in self.minutes:
                    if (hour, minute) >= now:
                        yield datetime(*day, hour, minute)

    def _dates(self, first: tuple[int, int, int]) -> Iterator[tuple[int, int, int]]:
        for year in self.years:
            for month in self.months if year >= first[0] else ():
                for day in self.days.of(year, month) if (year, month) >= first[:2] else ():
                    if (year, month, day) >= first:
                        yield year, month, day


@dataclass(frozen=True, slots=True)
class DaysOfMonth:
    """`from_end` counts back from the last day (`L` is 0); `near` are days whose nearest weekday is meant (`15W`).

    `last_weekday` is `LW`.
    """

    days: frozenset[int]
    from_end: frozenset[int]
    near: frozenset[int]
    last_weekday: bool

    def of(self, year: int, month: int) -> Sequence[int]:
        weekday, last = monthrange(year, month)
        found = {day for day in self.days if day <= last}
        found.update(last - back for back in self.from_end if back < last)
        found.update(_nearest_weekday(day, weekday, last) for day in self.near if day <= last)
        if self.last_weekday:
            found.add(_nearest_weekday(last, weekday, last))
        return sorted(found)


@dataclass(frozen=True, slots=True)
class DaysOfWeek:
    """Days of the week from 0, Sunday. `nth` are (day, which of the month), the last one being the 0th."""

    days: frozenset[int]
    nth: frozenset[tuple[int, int]]

    def of(self, year: int, month: int) -> Sequence[int]:
        first, last = monthrange(year, month)
        found: list[int] = []
        for day in range(1, last + 1):
            weekday = (first + day) % 7
            which = (day + 6) // 7
            if weekday in self.days or (weekday, which) in self.nth or (day + 7 > last and (weekday, 0) in self.nth):
                found.append(day)
        return found


Schedule = Rate | Cron | At
_END = datetime(_LAST_YEAR + 1, 1, 1, tzinfo=UTC).timestamp()


@lru_cache(maxsize=1024)
def parse(expression: str) -> Schedule:
    """Raises ValueError for what is no schedule expression.

    All three answer `next_after(time, zone, since)`: the first time after `time` at which the schedule falls due in
    the time zone, or None. Times are in epoch seconds; `since` is where a rate is counted from.
    """
    found = _EXPRESSION.fullmatch(expression)
    if found is None:
        raise ValueError(f"no schedule expression: {expression}")
    kind, text = found.groups()
    return _PARSERS[kind](text)


def _rate(text: str) -> Rate:
    found = _RATE.fullmatch(text)
    if found is None:
        raise ValueError(f"no rate: {text}")
    value, unit, plural = found.groups()
    return Rate(int(value) * _SECONDS[unit], (int(value) == 1) == (plural == ""))


def _at(text: str) -> At:
    if _AT.fullmatch(text) is None:
        raise ValueError(f"no date and time: {text}")
    return At(datetime.fromisoformat(text))


def _cron(text: str) -> Cron:
    fields = text.upper().split()
    if len(fields) != 6:
        raise ValueError(f"a cron expression has six fields: {text}")
    minutes, hours, of_month, months, of_week, years = fields
    if (of_month == "?") == (of_week == "?"):
        raise ValueError("either the day of the month or the day of the week is '?'")
    return Cron(
        sorted(_values(minutes, range(60))),
        sorted(_values(hours, range(24))),
        _days_of_month(of_month) if of_week == "?" else _days_of_week(of_week),
        sorted(_values(months, range(1, 13), _MONTHS)),
        sorted(_values(years, _YEARS)),
    )


_PARSERS = {"rate": _rate, "at": _at, "cron": _cron}


def _values(text: str, allowed: range, names: Sequence[str] = ()) -> set[int]:
    """A list of values, ranges and steps. `names` stand for the allowed values from the first one on."""
    named = {name: number for number, name in enumerate(names, allowed.start)}
    return set(chain.from_iterable(_item(item, allowed, named) for item in text.split(",")))


def _item(text: str, allowed: range, named: Mapping[str, int]) -> Sequence[int]:
    span, slash, step = text.partition("/")
    first, dash, last = span.partition("-")
    if span == "*":
        found: Sequence[int] = allowed
    elif dash:
        found = _span(_number(first, allowed, named), _number(last, allowed, named), allowed)
    elif slash:
        found = range(_number(first, allowed, named), allowed.stop)
    else:
        found = (_number(first, allowed, named),)
    return found[:: _number(step, range(1, allowed.stop), {})] if slash else found


def _span(first: int, last: int, allowed: range) -> Sequence[int]:
    """A range; one that ends before it starts goes round (`FRI-MON`), save for years."""
    if first <= last:
        return range(first, last + 1)
    if allowed is _YEARS:
        raise ValueError(f"years do not go round: {first}-{last}")
    return (*range(first, allowed.stop), *range(allowed.start, last + 1))


def _number(text: str, allowed: range, named: Mapping[str, int]) -> int:
    number = named.get(text)
    if number is None:
        number = int(text) if text.isascii() and text.isdigit() and len(text) < 5 else -1
    if number not in allowed:
        raise ValueError(f"not a value of its field: {text}")
    return number


def _days_of_month(text: str) -> DaysOfMonth:
    days: set[int] = set()
    from_end: set[int] = set()
    near: set[int] = set()
    last_weekday = False
    month = range(1, 32)
    for item in text.split(","):
        if item == "LW":
            last_weekday = True
        elif item == "L":
            from_end.add(0)
        elif item.startswith("L-"):
            from_end.add(_number(item[2:], month, {}))
        elif item.endswith("W"):
            near.add(_number(item[:-1], month, {}))
        else:
            days.update(_item(item, month, {}))
    return DaysOfMonth(frozenset(days), frozenset(from_end), frozenset(near), last_weekday)


def _days_of_week(text: str) -> DaysOfWeek:
    week = range(1, 8)
    named = {name: number for number, name in enumerate(_DAYS, 1)}
    if text.count("#") > 1:
        raise ValueError(f"only one '#' is possible: {text}")
    days: set[int] = set()
    nth: set[tuple[int, int]] = set()
    for item in text.split(","):
        if item == "L":
            days.add(7)
        elif "#" in item:
            day, _, which = item.partition("#")
            nth.add((_number(day, week, named) - 1, _number(which, range(1, 6), {})))
        elif item.endswith("L"):
            nth.add((_number(item[:-1], week, named) - 1, 0))
        else:
            days.update(_item(item, week, named))
    return DaysOfWeek(frozenset(day - 1 for day in days), frozenset(nth))


def _nearest_weekday(day: int, first: int, last: int) -> int:
    """The weekday nearest to a day without leaving the month, whose first day is the `first` of the week (Monday 0)."""
    weekday = (first + day - 1) % 7
    if weekday == 5:
        return day - 1 if day > 1 else day + 2
    if weekday == 6:
        return day + 1 if day < last else day - 2
    return day
