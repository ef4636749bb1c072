"""Remembering what was worked out of texts that clients repeat, within bounds that no client can stretch."""

from collections.abc import Callable
from functools import lru_cache
from typing import TypeVar

Text = TypeVar("Text", str, bytes)
Result = TypeVar("Result")

_LONGEST = 1024


def remembered(maxsize: int) -> Callable[[Callable[[Text], Result]], Callable[[Text], Result]]:
    """functools.lru_cache for functions of one text that a client chooses; of long texts nothing is kept."""

    def decorate(function: Callable[[Text], Result]) -> Callable[[Text], Result]:
        kept = lru_cache(maxsize)(function)

        def look_up(text: Text) -> Result:
            return kept(text) if len(text) <= _LONGEST else function(text)

        return look_up

    return decorate
