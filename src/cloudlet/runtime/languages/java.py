"""Java: the machine's JVM with AWS's runtime interface client, whose jars `make lambda-java` fetches."""

import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path

from cloudlet.runtime.function import FunctionVersion
from cloudlet.runtime.languages import machine
from cloudlet.runtime.languages.launcher import Interpreter, Launcher, Places, RuntimeMissing, common_variables

_JARS = "runtime/lib"
_INSTALLED = Path(sys.prefix) / "lambda-java"
_MAIN = "com.amazonaws.services.lambda.runtime.api.client.AWSLambda"
_NAME = re.compile(r"java(\d+)")
_VERSION = re.compile(r'^JAVA_VERSION="(?:1\.)?(\d+)', re.MULTILINE)
# Of a function's memory, what is left to the JVM beside its heap.
_HEAP_PERCENT = 70
# One processor's worth of garbage collection, and code that is good enough soon, as on AWS.
_OPTIONS = ("-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-XX:-UsePerfData", "-Xshare:auto")


class Java:
    def variables(self, launcher: Launcher, places: Places) -> dict[str, str]:
        return common_variables()

    def command(self, launcher: Launcher, function: FunctionVersion, places: Places) -> list[str]:
        assert launcher.interpreter is not None
        heap = f"-Xmx{function.memory * _HEAP_PERCENT // 100}m"
        path = f"{places.task}:{places.task}/lib/*:{places.layers}/java/lib/*:{places.files[_JARS]}/*"
        return [str(launcher.interpreter.program), heap, *_OPTIONS, "-cp", path, _MAIN, function.handler]


def find(runtime: str) -> Launcher:
    match = _NAME.match(runtime)
    assert match is not None
    wanted = (int(match[1]),)
    found = machine.nearest(_candidates(), wanted, _identify)
    if found is None:
        raise RuntimeMissing(
            "There is no Java on this machine. Debian, Ubuntu: sudo apt-get install default-jre-headless."
        )
    if not any(_INSTALLED.glob("aws-lambda-java-runtime-interface-client-*.jar")):
        raise RuntimeMissing(
            "AWS's runtime interface client for Java is not installed: make lambda-java (needs maven)."
        )
    note = None if found.version == wanted else f"Java {found.version[0]}"
    return Launcher(runtime, Java(), found, {_JARS: _INSTALLED}, (found.home, *_settings(found.home)), note)


def _candidates() -> Iterator[Path]:
    yield from machine.on_path("java")
    yield from machine.matching("/usr/lib/jvm", "*/bin/java")


def _identify(program: Path) -> Interpreter | None:
    """By the file that every JVM brings: starting one would take its time."""
    real = program.resolve()
    try:
        match = _VERSION.search((real.parent.parent / "release").read_text())
    except OSError:
        return None
    return None if match is None else Interpreter(real, (int(match[1]),), real.parent.parent)


def _settings(home: Path) -> set[Path]:
    """Folders in /etc to which a JVM's own files lead, as Debian has it."""
    links = (path for folder in ("conf", "lib") for path in (home / folder).rglob("*") if path.is_symlink())
    targets = (os.path.realpath(path) for path in links)
    return {Path("/etc", target.split("/")[2]) for target in targets if target.startswith("/etc/java")}
