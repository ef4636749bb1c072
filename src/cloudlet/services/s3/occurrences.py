"""What happened to an object, for those who are told of it."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Occurrence:
    """`event` is the name that notifications have for it (`ObjectCreated:Put`), `time` is in epoch seconds."""

    event: str
    key: str
    sequence: int
    time: float
    size: int | None = None
    etag: str | None = None
    version: str | None = None
