"""One number of one server."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Measure:
    """`value` is None where the server did not do it; `note` says more, or why not."""

    name: str
    value: float | None
    unit: str
    note: str = ""
    more_is_better: bool = False

    def ratio_to(self, other: "Measure") -> float | None:
        """How many times better this is than the other."""
        if not self.value or not other.value:
            return None
        return self.value / other.value if self.more_is_better else other.value / self.value
