"""Regular expressions as CloudWatch Logs has them: without groups, so that no event takes long to search.

Python's own engine tries one way after the other, which for `a+b+c` in a long row of letters may take hours and stops
everything else meanwhile. Here all ways are followed at once, one bit each.
"""

import re
from collections.abc import Callable

from cloudlet.services.logs.faults import invalid_parameter

Search = Callable[[str], bool]

# All that may be in one; no groups among it.
_SUPPORTED = re.compile(r"(?:[A-Za-z0-9_#=@/;,\-: ^$?\[\]{}|*+.]|\\.)+", re.ASCII)
_ATOM = re.compile(r"\\x[0-9A-Fa-f]{2}|\\[dDsSwWtnrfv]|\\[^A-Za-z0-9]|\[\^?\]?(?:\\.|[^\\\]])*\]|[^\\\[|*+?^$]")
_QUANTIFIER = re.compile(r"(?:([*+?])|\{(\d+)\}|\{(\d*),(\d*)\})\??")
_SIMPLE = {"*": (0, None), "+": (1, None), "?": (0, 1)}
_BRANCHES = re.compile(r"(?:\\.|\[\^?\]?(?:\\.|[^\\\]])*\]|[^\\\[|])*")
_MOST_ATOMS = 500
# Up to here one repetition costs Python's engine, which is far quicker otherwise, a hundredth of a second at most.
_SHORT = 1000


def regular_expression(text: str) -> Search:
    """Whether it is found in a text. Raises InvalidParameterException for what CloudWatch Logs does not support."""
    if _SUPPORTED.fullmatch(text) is None:
        raise _invalid()
    try:
        plain = re.compile(text, re.ASCII).search
    except re.error:
        raise _invalid() from None
    branches = [_Branch(found) for found in _split(text)]
    repetitions = sum(branch.repetitions for branch in branches)
    if repetitions == 0:
        return lambda message: plain(message) is not None

    def search(message: str) -> bool:
        if repetitions == 1 and len(message) <= _SHORT:
            return plain(message) is not None
        return any(branch.found_in(message) for branch in branches)

    return search


class _Branch:
    """One alternative: atoms in a row. Bit n of a set says that the atoms before the nth have been matched."""

    def __init__(self, text: str) -> None:
        self._atoms: list[re.Pattern[str]] = []
        self._optional = 0
        self._repeated = 0
        self._matching: dict[str, int] = {}
        self._at_start, text = text.startswith("^"), text.removeprefix("^")
        self._at_end = re.search(r"(?<!\\)(?:\\\\)*\$$", text) is not None
        self._read(text[:-1] if self._at_end else text)
        self._end = 1 << len(self._atoms)
        self._start = self._closed(1)

    @property
    def repetitions(self) -> int:
        """Of those without an upper bound."""
        return self._repeated.bit_count()

    def found_in(self, text: str) -> bool:
        # A newline at the end does not count as something that follows.
        last = len(text) - text.endswith("\n")
        reached = self._start
        for position, character in enumerate(text):
            if reached & self._end and (not self._at_end or position == last):
                return True
            matching = self._matching.get(character)
            if matching is None:
                matching = self._matching[character] = self._matching_atoms(character)
            moved = reached & matching
            reached = self._closed(moved << 1 | moved & self._repeated) if moved else 0
            if not self._at_start:
                reached |= self._start
            elif not reached:
                return False
        return bool(reached & self._end)

    def _read(self, text: str) -> None:
        position = 0
        while position < len(text):
            atom = _ATOM.match(text, position)
            if atom is None:
                raise _invalid()
            quantifier = _QUANTIFIER.match(text, atom.end())
            self._add(re.compile(atom[0], re.ASCII), *_bounds(quantifier))
            position = quantifier.end() if quantifier is not None else atom.end()

    def _add(self, atom: re.Pattern[str], least: int, most: int | None) -> None:
        copies = max(least, 1) if most is None else most
        if len(self._atoms) + copies > _MOST_ATOMS:
            raise _invalid()
        for number in range(copies):
            if number >= least:
                self._optional |= 1 << len(self._atoms)
            if most is None and number == copies - 1:
                self._repeated |= 1 << len(self._atoms)
            self._atoms.append(atom)

    def _closed(self, reached: int) -> int:
        """With what is reached by leaving out optional atoms."""
        while more := (reached & self._optional) << 1 & ~reached:
            reached |= more
        return reached

    def _matching_atoms(self, character: str) -> int:
        return sum(1 << number for number, atom in enumerate(self._atoms) if atom.fullmatch(character) is not None)


def _bounds(quantifier: re.Match[str] | None) -> tuple[int, int | None]:
    if quantifier is None:
        return 1, 1
    simple, exactly, least, most = quantifier.groups()
    if simple is not None:
        return _SIMPLE[simple]
    if exactly is not None:
        return int(exactly), int(exactly)
    return int(least or 0), int(most) if most else None


def _split(text: str) -> list[str]:
    branches: list[str] = []
    position = 0
    while position <= len(text):
        found = _BRANCHES.match(text, position)
        assert found is not None
        branches.append(found[0])
        position = found.end() + 1
    return branches


def _invalid() -> Exception:
    return invalid_parameter("Invalid filter pattern")
