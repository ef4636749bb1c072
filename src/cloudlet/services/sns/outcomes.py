"""How a delivery can fail."""


class Refused(Exception):
    """For good: another attempt would fare no better."""


class Unavailable(Exception):
    """For now: another attempt may arrive."""
