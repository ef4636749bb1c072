"""Statistics of a period's samples: the simple five, percentiles, trimmed and winsorized means, counts and ranks."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache

from cloudlet.core.metrics import Samples

Statistic = Callable[[Samples], float | None]

_SIMPLE: Mapping[str, Statistic] = {
    "SampleCount": lambda samples: samples.count,
    "Average": lambda samples: samples.sum / samples.count,
    "Sum": lambda samples: samples.sum,
    "Minimum": lambda samples: samples.minimum,
    "Maximum": lambda samples: samples.maximum,
}
_SHORT = re.compile(r"(p|tm|wm|tc|ts)(\d{1,2}(?:\.\d{0,10})?|100(?:\.0{0,10})?)", re.IGNORECASE)
_NUMBER = r"(?:\d+(?:\.\d+)?(?:E[+-]?\d+)?)"
_RANGE = re.compile(rf"(TM|WM|TC|TS|PR)\(({_NUMBER}?)(%?):({_NUMBER}?)(%?)\)", re.IGNORECASE)
# Percentiles of fewer samples than this beyond them tell little (an alarm may ignore them).
_LEAST_BEYOND = 10


@lru_cache(maxsize=1024)
def statistic(name: str) -> Statistic | None:
    """What computes the statistic `Average`, `p99.9`, `tm90`, `TM(10%:90%)`, `PR(:300)`, …; None if there is none such.

    It answers None where the samples do not tell: those that came as bare statistics, or below zero, have no
    percentiles.
    """
    if name in _SIMPLE:
        return _SIMPLE[name]
    if name.upper() == "IQM":
        return _distributed(_Range(25.0, 75.0, percent=True).mean)
    short = _SHORT.fullmatch(name)
    if short is not None:
        kind, percent = short[1].lower(), float(short[2])
        if kind == "p":
            return _distributed(lambda ordered: _percentile(ordered, percent))
        return _distributed(_of_range(kind, _Range(0.0, percent, percent=True)))
    between = _RANGE.fullmatch(name)
    return _between(between) if between is not None else None


def is_low_sample(name: str, samples: Samples) -> bool:
    """Whether the percentile rests on too few samples to be significant."""
    found = _SHORT.fullmatch(name)
    if found is None or found[1].lower() != "p":
        return False
    share = float(found[2]) / 100
    beyond = 1 - share if share >= 0.5 else share
    return beyond > 0 and samples.count < _LEAST_BEYOND / beyond


def _between(found: re.Match[str]) -> Statistic | None:
    kind, low, low_percent, high, high_percent = found.groups()
    kind = kind.lower()
    if not low and not high:
        return None
    percent = bool(low_percent or high_percent)
    if percent and (kind == "pr" or (low and not low_percent) or (high and not high_percent)):
        return None
    if percent:
        bounds = _Range(float(low or 0), float(high or 100), percent=True)
        if bounds.high > 100:
            return None
    else:
        bounds = _Range(float(low) if low else float("-inf"), float(high) if high else float("inf"), percent=False)
    return _distributed(_of_range(kind, bounds)) if bounds.low < bounds.high else None


# Values in their order, with how often each was seen.
Ordered = list[tuple[float, float]]


def _distributed(compute: Callable[[Ordered], float | None]) -> Statistic:
    def statistic_of(samples: Samples) -> float | None:
        known = sum(samples.values.values())
        if samples.minimum < 0 or known < samples.count * 0.999999:
            return None
        return compute(sorted(samples.values.items()))

    return statistic_of


def _percentile(ordered: Ordered, percent: float) -> float:
    """The smallest value that so many percent of the samples do not exceed."""
    rank = sum(times for _, times in ordered) * percent / 100
    seen = 0.0
    for value, times in ordered:
        seen += times
        if seen >= rank - 1e-9:
            return value
    return ordered[-1][0]


@dataclass(frozen=True, slots=True)
class _Range:
    """Bounds by percent of the samples or by value. The lower one is exclusive, the upper one inclusive."""

    low: float
    high: float
    percent: bool

    def inside(self, ordered: Ordered) -> Ordered:
        """The samples within; at a bound by percent, the part of them that is."""
        if not self.percent:
            return [(value, times) for value, times in ordered if self.low < value <= self.high]
        total = sum(times for _, times in ordered)
        begin, end = total * self.low / 100, total * self.high / 100
        found: Ordered = []
        seen = 0.0
        for value, times in ordered:
            part = min(seen + times, end) - max(seen, begin)
            if part > 0:
                found.append((value, part))
            seen += times
        return found

    def mean(self, ordered: Ordered) -> float | None:
        inside = self.inside(ordered)
        count = sum(times for _, times in inside)
        return sum(value * times for value, times in inside) / count if count else None

    def count(self, ordered: Ordered) -> float:
        return sum(times for _, times in self.inside(ordered))

    def sum(self, ordered: Ordered) -> float:
        return sum(value * times for value, times in self.inside(ordered))

    def rank(self, ordered: Ordered) -> float:
        return 100 * self.count(ordered) / sum(times for _, times in ordered)

    def winsorized_mean(self, ordered: Ordered) -> float | None:
        """What is outside counts as the bound that it is beyond."""
        low, high = self.low, self.high
        if self.percent:
            low, high = _percentile(ordered, self.low), _percentile(ordered, self.high)
        count = sum(times for _, times in ordered)
        return sum(min(max(value, low), high) * times for value, times in ordered) / count


def _of_range(kind: str, bounds: _Range) -> Callable[[Ordered], float | None]:
    by_kind: Mapping[str, Callable[[Ordered], float | None]] = {
        "tm": bounds.mean,
        "wm": bounds.winsorized_mean,
        "tc": bounds.count,
        "ts": bounds.sum,
        "pr": bounds.rank,
    }
    return by_kind[kind]
