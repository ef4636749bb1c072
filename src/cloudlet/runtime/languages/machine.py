"""Looks for interpreters on this machine: on the path, and where version managers keep them."""

import logging
import os
import shutil
import subprocess
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from cloudlet.runtime.languages.launcher import Interpreter

_log = logging.getLogger(__name__)

_SECONDS = 30


def on_path(name: str) -> Iterator[Path]:
    """Every program of this name, in the order of PATH."""
    for folder in os.get_exec_path():
        found = shutil.which(name, path=folder)
        if found is not None:
            yield Path(found)


def matching(root: str, pattern: str) -> list[Path]:
    """Programs below a folder, which may be a user's (~), by a pattern; the newest version first."""
    try:
        folder = Path(root).expanduser()
    except RuntimeError:  # nobody's home
        return []
    return sorted((path for path in folder.glob(pattern) if os.access(path, os.X_OK)), key=_numbers, reverse=True)


def ask(program: Path, *arguments: str, **variables: str) -> str | None:
    """What a program prints; None if it does not run, as those that stand for another one may not."""
    environment = {**os.environ, **variables}
    try:
        answer = subprocess.run(
            [program, *arguments], env=environment, capture_output=True, text=True, timeout=_SECONDS, check=False
        )
    except (OSError, subprocess.SubprocessError) as error:
        _log.info("a program does not run", extra={"program": str(program), "reason": str(error)})
        return None
    return answer.stdout.strip() if answer.returncode == 0 else None


def nearest(
    candidates: Iterable[Path], wanted: tuple[int, ...], identify: Callable[[Path], Interpreter | None]
) -> Interpreter | None:
    """The interpreter of the wanted version; else the next newer one, else the newest. The first found wins."""
    best: Interpreter | None = None
    seen: set[Path] = set()
    for candidate in candidates:
        real = candidate.resolve()
        if real in seen:
            continue
        seen.add(real)
        found = identify(candidate)
        if found is None:
            continue
        if found.version == wanted:
            return found
        if best is None or _distance(found.version, wanted) < _distance(best.version, wanted):
            best = found
    return best


def _distance(version: tuple[int, ...], wanted: tuple[int, ...]) -> tuple[bool, tuple[int, ...]]:
    older = version < wanted
    return older, tuple(-number if older else number for number in version)


def _numbers(path: Path) -> list[int]:
    digits = "".join(character if character.isdigit() else " " for character in str(path))
    return [int(number) for number in digits.split()]
