"""A log group as its row says."""

from dataclasses import dataclass

# In milliseconds, as all times here.
DAY = 86_400_000


@dataclass(frozen=True, slots=True)
class LogGroup:
    """A row of log_group. `retention` is in days, None for ever; `filters` counts those that follow its events."""

    id: int
    name: str
    retention: int | None
    filters: int

    def oldest_kept(self, now: int) -> int:
        """The time (milliseconds) before which events have expired, whether or not they are deleted yet."""
        return 0 if self.retention is None else now - self.retention * DAY
