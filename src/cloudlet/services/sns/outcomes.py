"""How a delivery can fail."""


class Failure(Exception):
    """`status` is the HTTP status that says it."""

    def __init__(self, reason: str, status: int) -> None:
        super().__init__(reason)
        self.status = status


class Refused(Failure):
    """For good: another attempt would fare no better."""

    def __init__(self, reason: str, status: int = 400) -> None:
        super().__init__(reason, status)


class Unavailable(Failure):
    """For now: another attempt may arrive."""

    def __init__(self, reason: str, status: int = 503) -> None:
        super().__init__(reason, status)
