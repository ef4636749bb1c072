"""The times and periods that queries are asked about, rounded and checked as AWS does."""

from datetime import datetime

from cloudlet.core.timestamps import epoch
from cloudlet.services.cloudwatch.datapoints import DAY, FIVE_MINUTES, HOUR, MINUTE

_SHORT_PERIODS = (1, 5, 10, 20, 30)


def is_period(seconds: int) -> bool:
    return seconds in _SHORT_PERIODS or (seconds > 0 and seconds % MINUTE == 0)


def rounded_start(start: datetime | float, period: int, now: float) -> int:
    """Down to the minute, or to what data of that age is kept in; to the period where that is shorter."""
    seconds = epoch(start)
    step = period if period < MINUTE else MINUTE
    if seconds < now - 63 * DAY:
        step = HOUR
    elif seconds < now - 15 * DAY:
        step = FIVE_MINUTES
    return int(seconds // step * step)
