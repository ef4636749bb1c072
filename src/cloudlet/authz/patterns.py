"""Texts of policies with wildcards and policy variables, compiled for matching."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, Self

from cloudlet.core.wildcards import ANY, ANY_BUT_COLON, expression


class Context(Protocol):
    """The condition keys of a request, by their names in lower case; a key has one value or several."""

    def get(self, key: str, /) -> str | Sequence[str] | None: ...


_TOKEN = re.compile(r"\$\{([^}]*)\}|[*?]|[^*?$]+|\$")
_DEFAULT = re.compile(r"\s*([^,\s]+)\s*,\s*'([^']*)'\s*")


@dataclass(frozen=True, slots=True)
class Variable:
    """`${aws:username}` or `${aws:username, 'nobody'}`"""

    key: str
    default: str | None

    def value(self, context: Context) -> str | None:
        found = context.get(self.key)
        return found if isinstance(found, str) else self.default


@dataclass(frozen=True, slots=True)
class Pattern:
    """Matches a whole value. `parts` is set if there are variables: only the request says what to compile."""

    text: str
    regex: re.Pattern[str] | None
    parts: tuple[str | Variable, ...] = ()
    flags: int = re.DOTALL

    @classmethod
    def of_arn(cls, text: str, *, variables: bool = True) -> Self:
        """A wildcard stays in its segment of the ARN, unless it ends the pattern or stands in the last segment."""
        parts: list[str | Variable] = []
        colons = 0
        for match in _TOKEN.finditer(text):
            spans = colons >= 5 or match.end() == len(text)
            parts.append(_part(match, ANY if spans else ANY_BUT_COLON, "." if spans else "[^:]", variables))
            colons += match[0].count(":") if match[1] is None else 0
        return cls._compiled(text, parts, re.DOTALL)

    @classmethod
    def of_text(cls, text: str, *, wildcards: bool = True, ignore_case: bool = False, variables: bool = True) -> Self:
        many, one = (ANY, ".") if wildcards else (r"\*", r"\?")
        parts = [_part(match, many, one, variables) for match in _TOKEN.finditer(text)]
        return cls._compiled(text, parts, re.DOTALL | (re.IGNORECASE if ignore_case else 0))

    @classmethod
    def _compiled(cls, text: str, parts: list[str | Variable], flags: int) -> Self:
        if any(isinstance(part, Variable) for part in parts):
            return cls(text, None, tuple(parts), flags)
        return cls(text, re.compile(expression(str(part) for part in parts), flags))

    @property
    def is_everything(self) -> bool:
        return self.text == "*"

    def matches(self, value: str, context: Context) -> bool:
        """A variable that the request has no value for matches nothing."""
        if self.regex is not None:
            return self.regex.fullmatch(value) is not None
        parts: list[str] = []
        for part in self.parts:
            if isinstance(part, str):
                parts.append(part)
                continue
            found = part.value(context)
            if found is None:
                return False
            parts.append(re.escape(found))
        return re.fullmatch(expression(parts), value, self.flags) is not None


def _part(match: re.Match[str], many: str, one: str, variables: bool) -> str | Variable:
    token, name = match[0], match[1]
    if token == "*":
        return many
    if token == "?":
        return one
    if name is None or not variables:
        return re.escape(token)
    if name in ("*", "?", "$"):
        return re.escape(name)
    with_default = _DEFAULT.fullmatch(name)
    if with_default is not None:
        return Variable(with_default[1].lower(), with_default[2])
    return Variable(name.strip().lower(), None)
