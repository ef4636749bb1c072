"""Token buckets: how many requests an account and a route may take in a second, and how many at once."""

from collections.abc import Mapping
from typing import Any

# What an account has in a region, and what a route has beside it unless its stage says otherwise.
ACCOUNT_RATE = 10_000.0
ACCOUNT_BURST = 5_000


class Bucket:
    """Holds up to `burst` tokens and gets `rate` new ones a second."""

    __slots__ = ("_burst", "_rate", "_time", "_tokens")

    def __init__(self, rate: float, burst: float) -> None:
        self._rate = rate
        self._burst = burst
        self._tokens = burst
        self._time = 0.0

    def take(self, now: float) -> bool:
        """Takes a token; False if there is none. `now` is in epoch seconds."""
        passed = max(0.0, now - self._time)  # a clock that is set back gives nothing, and does not stop the filling
        self._tokens = min(self._burst, self._tokens + passed * self._rate)
        self._time = now
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True


def bucket_of(settings: Mapping[str, Any]) -> Bucket | None:
    """The bucket of a route with these settings; None where they leave it to the account's."""
    rate, burst = settings.get("ThrottlingRateLimit"), settings.get("ThrottlingBurstLimit")
    if rate is None and burst is None:
        return None
    rate = ACCOUNT_RATE if rate is None else rate
    # A rate of nothing lets nothing through, not even what a burst would allow.
    return Bucket(rate, 0 if rate <= 0 else ACCOUNT_BURST if burst is None else burst)
