"""What each language says of how its functions are started, and where a started function finds things."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from cloudlet.runtime.function import FunctionVersion


class RuntimeMissing(Exception):
    """This machine cannot run functions of a runtime. The message says what to install."""


class EntrypointMissing(Exception):
    """A package holds nothing that could be started. The message is AWS's."""


@dataclass(frozen=True, slots=True)
class Places:
    """Folders as the function sees them; `files` are the launcher's, under their names."""

    task: str
    layers: str
    files: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Interpreter:
    """A program of this machine and its version. `home` is the folder with its own files."""

    program: Path
    version: tuple[int, ...]
    home: Path


class Language(Protocol):
    """The functions of one family of runtimes."""

    def variables(self, launcher: "Launcher", places: Places) -> dict[str, str]:
        """What they find beside what every function finds; their own configuration has the last word."""
        ...

    def command(self, launcher: "Launcher", function: FunctionVersion, places: Places) -> list[str]:
        """Raises EntrypointMissing."""
        ...


@dataclass(frozen=True, slots=True)
class Launcher:
    """How functions of one runtime are started on this machine.

    `files` are shown below /var, under these names. `folders` of this machine are shown where they are; `links` lead
    from one place that functions see to another. `note` says what is not quite as it should be. `interpreter` is None
    where functions bring a program of their own.
    """

    runtime: str
    language: Language
    interpreter: Interpreter | None = None
    files: Mapping[str, Path] = field(default_factory=dict[str, Path])
    folders: tuple[Path, ...] = ()
    note: str | None = None
    links: tuple[tuple[str, str], ...] = ()

    def variables(self, places: Places) -> dict[str, str]:
        return self.language.variables(self, places)

    def command(self, function: FunctionVersion, places: Places) -> list[str]:
        return self.language.command(self, function, places)


def common_variables(path: str = "/var/lang/bin:", libraries: str = "/var/lang/lib:") -> dict[str, str]:
    """What the programs of every language read when they start."""
    return {
        "LANG": "en_US.UTF-8",
        "TZ": ":UTC",
        "PATH": f"{path}/usr/local/bin:/usr/bin:/bin:/opt/bin",
        "LD_LIBRARY_PATH": f"{libraries}/lib64:/usr/lib64:/var/runtime:/var/runtime/lib:/var/task:/var/task/lib"
        ":/opt/lib",
    }
