"""Node.js: the machine's node with a runtime interface client of our own, in `clients/nodejs`."""

import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path

from cloudlet.runtime.function import FunctionVersion
from cloudlet.runtime.languages import machine
from cloudlet.runtime.languages.launcher import Interpreter, Launcher, Places, RuntimeMissing, common_variables

_CLIENT = "runtime/client"
_MODULES = "runtime/node_modules"
_FOLDER = Path(__file__).parents[1] / "clients" / "nodejs"
# Modules that functions find installed in the runtime, where somebody has put them there.
_INSTALLED = Path(sys.prefix) / "lambda-nodejs" / "node_modules"
# ES modules do not look into NODE_PATH, but upwards from where they are: layers come first, then what is installed.
_LINKS = (("/var/node_modules", "/opt/nodejs/node_modules"), ("/node_modules", f"/var/{_MODULES}"))
_VERSION = re.compile(r"v(\d+)\.")
# Of a function's memory, what is left to node beside the heap of its objects.
_HEAP_PERCENT = 85


class Nodejs:
    def variables(self, launcher: Launcher, places: Places) -> dict[str, str]:
        version = launcher.runtime.removeprefix("nodejs").removesuffix(".x")
        layers = f"{places.layers}/nodejs"
        modules = places.files.get(_MODULES, "/var/runtime/node_modules")
        path = f"{layers}/node{version}/node_modules:{layers}/node_modules:{modules}:{places.task}"
        return {**common_variables(), "NODE_PATH": path}

    def command(self, launcher: Launcher, function: FunctionVersion, places: Places) -> list[str]:
        assert launcher.interpreter is not None
        heap = f"--max-old-space-size={function.memory * _HEAP_PERCENT // 100}"
        return [str(launcher.interpreter.program), heap, f"{places.files[_CLIENT]}/index.mjs"]


def find(runtime: str) -> Launcher:
    wanted = (int(runtime.removeprefix("nodejs").removesuffix(".x")),)
    found = machine.nearest(_candidates(), wanted, _identify)
    if found is None:
        raise RuntimeMissing(
            "There is no node on this machine. Debian, Ubuntu: sudo apt-get install nodejs (version 18 or newer)."
        )
    note = None if found.version == wanted else f"Node.js {found.version[0]}"
    files = {_CLIENT: _FOLDER}
    if _INSTALLED.is_dir():
        files[_MODULES] = _INSTALLED
    return Launcher(runtime, Nodejs(), found, files, (found.home,), note, _LINKS)


def _candidates() -> Iterator[Path]:
    yield from machine.on_path("node")
    yield from machine.on_path("nodejs")
    yield from machine.matching(os.environ.get("NVM_DIR", "~/.nvm"), "versions/node/v*/bin/node")


def _identify(program: Path) -> Interpreter | None:
    """`process.execPath` sees through scripts that stand for another program."""
    answer = machine.ask(program, "-p", "process.version + ' ' + process.execPath")
    match = _VERSION.match(answer or "")
    if answer is None or match is None:
        return None
    real = Path(answer.partition(" ")[2]).resolve()
    return Interpreter(real, (int(match[1]),), real.parent.parent)
