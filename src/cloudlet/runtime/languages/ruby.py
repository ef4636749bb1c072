"""Ruby: the machine's ruby with a runtime interface client of our own, in `clients/ruby`."""

import os
from collections.abc import Iterator
from pathlib import Path

from cloudlet.runtime.function import FunctionVersion
from cloudlet.runtime.languages import machine
from cloudlet.runtime.languages.launcher import Interpreter, Launcher, Places, RuntimeMissing, common_variables

_CLIENT = "runtime/bootstrap.rb"
_FILE = Path(__file__).parents[1] / "clients" / "ruby" / "bootstrap.rb"
_ASK = "require 'rbconfig'; print RUBY_VERSION, ' ', RbConfig.ruby, ' ', RbConfig::CONFIG['prefix']"
# Where Debian keeps gems that are installed by hand.
_GEMS = Path("/var/lib/gems")


class Ruby:
    def variables(self, launcher: Launcher, places: Places) -> dict[str, str]:
        assert launcher.interpreter is not None
        version = ".".join(map(str, (*launcher.interpreter.version, 0)))
        gems = f"{places.task}/vendor/bundle/ruby/{version}:{places.layers}/ruby/gems/{version}"
        return {**common_variables(), "GEM_PATH": gems, "RUBYLIB": f"{places.task}:{places.layers}/ruby/lib"}

    def command(self, launcher: Launcher, function: FunctionVersion, places: Places) -> list[str]:
        assert launcher.interpreter is not None
        return [str(launcher.interpreter.program), places.files[_CLIENT]]


def find(runtime: str) -> Launcher:
    major, minor = runtime.removeprefix("ruby").split(".")
    wanted = int(major), int(minor)
    found = machine.nearest(_candidates(), wanted, _identify)
    if found is None:
        raise RuntimeMissing("There is no ruby on this machine. Debian, Ubuntu: sudo apt-get install ruby.")
    note = None if found.version == wanted else f"Ruby {'.'.join(map(str, found.version))}"
    folders = (found.home, _GEMS) if _GEMS.is_dir() else (found.home,)
    return Launcher(runtime, Ruby(), found, {_CLIENT: _FILE}, folders, note)


def _candidates() -> Iterator[Path]:
    yield from machine.on_path("ruby")
    yield from machine.matching(os.environ.get("RBENV_ROOT", "~/.rbenv"), "versions/*/bin/ruby")


def _identify(program: Path) -> Interpreter | None:
    answer = machine.ask(program, "-e", _ASK)
    if answer is None:
        return None
    version, executable, home = answer.split(" ", 2)
    major, minor = version.split(".")[:2]
    return Interpreter(Path(executable).resolve(), (int(major), int(minor)), Path(home).resolve())
