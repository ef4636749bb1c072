"""Timestamps in the formats of AWS's protocols: ISO 8601, RFC 822, and seconds since the epoch."""

from datetime import UTC, datetime
from email.utils import formatdate, parsedate_to_datetime
from functools import lru_cache


def epoch(value: datetime | float) -> float:
    """Seconds since the epoch, to the millisecond."""
    return round(value.timestamp() if isinstance(value, datetime) else value, 3)


def to_iso8601(value: datetime | float, *, always_milliseconds: bool = False) -> str:
    """`2026-01-31T23:59:59Z`, with milliseconds where there are some."""
    moment = datetime.fromtimestamp(epoch(value), UTC)
    milliseconds = always_milliseconds or moment.microsecond
    return moment.strftime("%Y-%m-%dT%H:%M:%S") + (f".{moment.microsecond // 1000:03d}Z" if milliseconds else "Z")


def to_rfc822(value: datetime | float) -> str:
    """`Sat, 31 Jan 2026 23:59:59 GMT`."""
    return _rfc822(int(epoch(value)))


def from_number(value: object) -> datetime:
    """Raises ValueError for what is no number of seconds."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f"no number of seconds: {value!r}")
    try:
        return datetime.fromtimestamp(value, UTC)
    except (OverflowError, OSError) as error:
        raise ValueError(f"out of range: {value}") from error


def from_text(text: str) -> datetime:
    """Any of the three formats. Raises ValueError for what is none of them."""
    text = text.strip()
    if text[:1].isdigit() and "-" not in text[:5] and "T" not in text:
        return from_number(float(text))
    if text[:1].isdigit():
        moment = datetime.fromisoformat(text)
    else:
        try:
            moment = parsedate_to_datetime(text)
        except (TypeError, IndexError) as error:
            raise ValueError(f"no date: {text}") from error
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


@lru_cache(maxsize=4096)
def _rfc822(seconds: int) -> str:
    return formatdate(seconds, usegmt=True)
