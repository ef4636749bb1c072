"""Which runtimes there are, and how this machine starts the functions of each."""

import logging
import re
from collections.abc import Callable

from cloudlet.runtime.languages import java, nodejs, provided, python, ruby
from cloudlet.runtime.languages.launcher import EntrypointMissing, Launcher, Places, RuntimeMissing

__all__ = ["EntrypointMissing", "Launcher", "Places", "RuntimeMissing", "find_launcher", "known_launcher"]

_log = logging.getLogger(__name__)

_FAMILIES: tuple[tuple[re.Pattern[str], Callable[[str], Launcher]], ...] = (
    (re.compile(r"python3\.(9|1[0-5])"), python.find),
    (re.compile(r"nodejs(18|20|22|24|26)\.x"), nodejs.find),
    (re.compile(r"java(8\.al2|8\.al2023|11|11\.al2023|17|17\.al2023|21|25)"), java.find),
    (re.compile(r"ruby(3\.[234]|4\.0)"), ruby.find),
    (re.compile(r"provided(\.al2|\.al2023)?"), provided.find),
)
_found: dict[str, Launcher] = {}


def find_launcher(runtime: str) -> Launcher:
    """Looks once for what it takes, which may take a moment.

    Raises RuntimeMissing; LookupError for what is no runtime that could be there.
    """
    known = known_launcher(runtime)
    if known is not None:
        return known
    for pattern, find in _FAMILIES:
        if pattern.fullmatch(runtime):
            launcher = _found[runtime] = find(runtime)
            if launcher.note is not None:
                _log.warning(
                    "functions run on another version than they ask for",
                    extra={"asked": runtime, "runs": launcher.note},
                )
            return launcher
    raise LookupError(runtime)


def known_launcher(runtime: str) -> Launcher | None:
    """What `find_launcher` found before, if it is still there."""
    known = _found.get(runtime)
    if known is None or known.interpreter is None or known.interpreter.program.exists():
        return known
    del _found[runtime]
    return None
