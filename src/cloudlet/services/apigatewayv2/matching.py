"""Route keys, and which of an API's routes a request takes."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import unquote

DEFAULT = "$default"
_KEY = re.compile(r"(ANY|DELETE|GET|HEAD|OPTIONS|PATCH|POST|PUT) (/.*)")
_VARIABLE = re.compile(r"\{([\w.:-]+)(\+?)\}")


@dataclass(frozen=True, slots=True)
class Match:
    """The key of the route that was found, and the values of its path variables."""

    route_key: str
    path: str
    variables: dict[str, str]


@dataclass(frozen=True, slots=True)
class _Pattern:
    """A route's path, segment by segment; `rank` sorts what is more specific first."""

    key: str
    method: str
    path: str
    segments: tuple[tuple[str, str], ...]
    rank: tuple[int, ...]

    def variables(self, segments: list[str]) -> dict[str, str] | None:
        """The path variables if the path fits, else None."""
        found: dict[str, str] = {}
        for at, (kind, name) in enumerate(self.segments):
            if kind == "greedy":
                rest = "/".join(segments[at:])
                if not rest:
                    return None
                return found | {name: unquote(rest)}
            if at >= len(segments):
                return None
            if kind == "literal":
                if name != unquote(segments[at]):
                    return None
            elif not segments[at]:
                return None
            else:
                found[name] = unquote(segments[at])
        return found if len(segments) == len(self.segments) else None


def check_key(key: str) -> str | None:
    """What is wrong with a route key, None if nothing."""
    if key == DEFAULT:
        return None
    match = _KEY.fullmatch(key)
    if match is None:
        return (
            "The provided route key is not formatted properly for HTTP protocol. "
            'Format should be "<HTTP METHOD> /<RESOURCE PATH>" or "$default"'
        )
    segments = match[2].split("/")[1:]
    greedy = [at for at, each in enumerate(segments) if each.endswith("+}")]
    if greedy and greedy != [len(segments) - 1]:
        return "Greedy path variables are only allowed as the last segment of a route."
    if any(("{" in each or "}" in each) and not _VARIABLE.fullmatch(each) for each in segments):
        return "Path variables must be a whole segment of a route."
    return None


class Matcher:
    """The routes of one deployment, most specific first."""

    def __init__(self, keys: Iterable[str]) -> None:
        everything = set(keys)
        self._default = DEFAULT in everything
        self._patterns = sorted((_pattern(key) for key in everything - {DEFAULT}), key=lambda each: each.rank)

    def find(self, method: str, path: str) -> Match | None:
        """`path` as on the wire, beginning with a slash."""
        segments = path.split("/")[1:]
        if len(segments) > 1 and segments[-1] == "":
            segments = segments[:-1]
        for pattern in self._patterns:
            if pattern.method not in (method, "ANY"):
                continue
            variables = pattern.variables(segments)
            if variables is not None:
                return Match(pattern.key, pattern.path, variables)
        return Match(DEFAULT, DEFAULT, {}) if self._default else None


def _pattern(key: str) -> _Pattern:
    method, path = key.split(" ", 1)
    segments: list[tuple[str, str]] = []
    rank: list[int] = []
    for each in path.split("/")[1:]:
        variable = _VARIABLE.fullmatch(each)
        if variable is None:
            segments.append(("literal", each))
            rank.append(0)
        else:
            segments.append(("greedy" if variable[2] else "variable", variable[1]))
            rank.append(2 if variable[2] else 1)
    if len(segments) > 1 and segments[-1] == ("literal", ""):
        segments.pop()
        rank.pop()
    return _Pattern(key, method, path, tuple(segments), (*rank, 3 if method == "ANY" else 0))
