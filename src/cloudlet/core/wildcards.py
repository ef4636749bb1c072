"""Regular expressions for texts with wildcards that take time in proportion to the text, whatever the pattern."""

import re
from collections.abc import Iterable

ANY = ".*"
# Within a segment of an ARN.
ANY_BUT_COLON = "[^:]*"
_WILDCARDS = frozenset({ANY, ANY_BUT_COLON})


def expression(parts: Iterable[str]) -> str:
    """Joins wildcards and regular expressions of fixed length, in their order; for `fullmatch`.

    Where what follows a wildcard fits first, it fits best: more is left for the rest. So no other place is ever tried
    (an atomic group), which for `*a*a*a*a*b` would be all combinations of places.
    """
    first, *pieces = _pieces(parts)
    between = [f"(?>{wildcard}?{rest})" for wildcard, rest in pieces[:-1]]
    return "".join([*first, *between, *(pieces[-1] if pieces else ())])


def _pieces(parts: Iterable[str]) -> list[tuple[str, str]]:
    """Each wildcard with what follows it, behind what stands before the first."""
    pieces = [("", "")]
    for part in parts:
        if part in _WILDCARDS:
            pieces.append((part, ""))
        else:
            pieces[-1] = (pieces[-1][0], pieces[-1][1] + part)
    return pieces


def compiled(text: str, flags: int = re.DOTALL) -> re.Pattern[str]:
    """`*` stands for any text; nothing else is special."""
    parts: list[str] = []
    for number, literal in enumerate(text.split("*")):
        parts += [ANY, re.escape(literal)] if number else [re.escape(literal)]
    return re.compile(expression(parts), flags)
