"""Python: the interpreter of the version that is asked for, with AWS's runtime interface client and boto3."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path

from cloudlet.runtime.function import FunctionVersion
from cloudlet.runtime.languages import machine
from cloudlet.runtime.languages.launcher import Interpreter, Launcher, Places, RuntimeMissing, common_variables

BOOTSTRAP = "bootstrap.py"
INSTALLED = "runtime"
_FOLDER = Path(__file__).parents[1] / "clients" / "python"
_FILES = {
    **{name: _FOLDER / name for name in (BOOTSTRAP, "runtime_client.py")},
    # What functions find installed in the runtime, as on AWS.
    INSTALLED: Path(sys.prefix) / "lambda-python",
}
# boto3 needs the first of them.
_VERSIONS = tuple((3, minor) for minor in range(10, 16))
_ASK = "import sys; print(*sys.version_info[:2], sys.base_prefix, getattr(sys, '_base_executable', sys.executable))"
_LOAD = "import awslambdaric.bootstrap, boto3; [boto3.client(name, 'us-east-1') for name in ('s3', 'sqs', 'sns')]"
_OWN = Interpreter(Path(sys.executable).resolve(), sys.version_info[:2], Path(sys.base_prefix).resolve())


class Python:
    def variables(self, launcher: Launcher, places: Places) -> dict[str, str]:
        return {**common_variables(), "PYTHONPATH": places.files[INSTALLED]}

    def command(self, launcher: Launcher, function: FunctionVersion, places: Places) -> list[str]:
        assert launcher.interpreter is not None
        files = places.files
        return [str(launcher.interpreter.program), "-S", files[BOOTSTRAP], files[INSTALLED], places.layers]


def find(runtime: str) -> Launcher:
    """Another version than the one asked for is better than none."""
    major, minor = runtime.removeprefix("python").split(".")
    wanted = int(major), int(minor)
    found = _OWN if wanted == _OWN.version else machine.nearest(_candidates(wanted), wanted, _identify)
    if found is None:
        raise RuntimeMissing(f"There is no Python for {runtime}. Install python{major}.{minor}.")
    if found != _OWN:
        # It compiles what functions will load, once: they may not write beside it.
        machine.ask(found.program, "-S", "-c", _LOAD, PYTHONPATH=str(_FILES[INSTALLED]), PYTHONDONTWRITEBYTECODE="")
    note = None if found.version == wanted else f"Python {'.'.join(map(str, found.version))}"
    return Launcher(runtime, Python(), found, _FILES, (found.home,), note)


def _candidates(wanted: tuple[int, int]) -> Iterator[Path]:
    """Those of the wanted version come first; Cloudlet's own is asked for before any other."""
    if wanted in _VERSIONS:
        yield from _programs(wanted)
    yield _OWN.program
    for version in _VERSIONS:
        if version != wanted and (version < _OWN.version) == (wanted < _OWN.version):
            yield from _programs(version)


def _programs(version: tuple[int, int]) -> Iterator[Path]:
    name = f"python{version[0]}.{version[1]}"
    yield from machine.on_path(name)
    number = name.removeprefix("python")
    yield from machine.matching(os.environ.get("PYENV_ROOT", "~/.pyenv"), f"versions/{number}.*/bin/{name}")
    yield from machine.matching("~/.local/share/uv/python", f"cpython-{number}.*/bin/{name}")


def _identify(program: Path) -> Interpreter | None:
    """A virtual environment's is taken for the one that it was made of."""
    if program == _OWN.program:
        return _OWN
    answer = machine.ask(program, "-I", "-c", _ASK)
    if answer is None:
        return None
    major, minor, home, executable = answer.split(maxsplit=3)
    return Interpreter(Path(executable).resolve(), (int(major), int(minor)), Path(home).resolve())
