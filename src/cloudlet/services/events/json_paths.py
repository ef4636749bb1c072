"""The JSON paths that EventBridge knows: names, array indices and wildcards. Compiled once."""

import re
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Any

_STEP = re.compile(
    r"\.(?P<name>[^.\[\]*]+)|\[(?P<index>[0-9]+)\]|\[(?P<quote>['\"])(?P<quoted>.*?)(?P=quote)\]|(?P<all>\.\*|\[\*\])"
)

Step = Callable[[Any], Iterator[Any]]
# Stands for what is not there.
MISSING: Any = object()


class JsonPath:
    """`$.detail.items[0].sku`. A path with a wildcard finds a list of all that it leads to."""

    def __init__(self, text: str) -> None:
        """Raises ValueError for what is no such path."""
        if not text.startswith("$"):
            raise ValueError(f"a JSON path begins with $: {text}")
        self._steps: list[Step] = []
        self._many = False
        position = 1
        while position < len(text):
            match = _STEP.match(text, position)
            if match is None:
                raise ValueError(f"no JSON path: {text}")
            self._many = self._many or match["all"] is not None
            self._steps.append(_step(match))
            position = match.end()

    def find(self, event: Any) -> Any:
        """What the path leads to; MISSING if that is nothing."""
        found = [event]
        for step in self._steps:
            found = [inner for value in found for inner in step(value)]
        if self._many:
            return found or MISSING
        return found[0] if found else MISSING


@lru_cache(maxsize=1024)
def compile_path(text: str) -> JsonPath:
    """Raises ValueError."""
    return JsonPath(text)


def _step(match: re.Match[str]) -> Step:
    if match["all"] is not None:
        return _all
    if match["index"] is not None:
        return _at(int(match["index"]))
    return _named(match["name"] if match["name"] is not None else match["quoted"])


def _named(name: str) -> Step:
    def step(value: Any) -> Iterator[Any]:
        if isinstance(value, dict) and name in value:
            yield value[name]

    return step


def _at(index: int) -> Step:
    def step(value: Any) -> Iterator[Any]:
        if isinstance(value, list) and index < len(value):
            yield value[index]

    return step


def _all(value: Any) -> Iterator[Any]:
    if isinstance(value, dict):
        yield from value.values()
    elif isinstance(value, list):
        yield from value
