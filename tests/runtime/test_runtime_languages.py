"""Which interpreter runs the functions of a runtime."""

import sys
from pathlib import Path

import pytest

from cloudlet.runtime.languages import find_launcher, machine, nodejs, python
from cloudlet.runtime.languages.launcher import Interpreter, RuntimeMissing


def script(folder: Path, name: str, text: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


@pytest.fixture
def bare_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """No version manager, and a PATH of one folder."""
    for name in ("HOME", "PYENV_ROOT", "NVM_DIR"):
        monkeypatch.setenv(name, str(tmp_path / "nobody"))
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    return tmp_path / "bin"


@pytest.mark.parametrize(
    ("wanted", "chosen"), [((3, 11), (3, 11)), ((3, 10), (3, 11)), ((3, 12), (3, 13)), ((3, 14), (3, 13))]
)
def test_the_nearest_version_is_taken(wanted: tuple[int, int], chosen: tuple[int, int]) -> None:
    there = {Path(f"/{minor}"): Interpreter(Path(f"/{minor}"), (3, minor), Path("/")) for minor in (9, 11, 13)}
    found = machine.nearest(there, wanted, there.get)
    assert found is not None
    assert found.version == chosen


def test_cloudlets_own_python_is_the_one_of_its_version() -> None:
    launcher = python.find(f"python3.{sys.version_info.minor}")
    assert launcher.note is None
    assert launcher.interpreter is not None
    assert launcher.interpreter.program == Path(sys.executable).resolve()


def test_a_python_on_the_path_is_found(bare_machine: Path) -> None:
    script(bare_machine, "python3.13", f"echo 3 13 {bare_machine} {bare_machine}/python3.13")
    launcher = python.find("python3.13")
    assert launcher.note is None
    assert launcher.interpreter == Interpreter(bare_machine / "python3.13", (3, 13), bare_machine)


def test_a_stand_in_for_what_is_not_there_is_passed_over(bare_machine: Path, tmp_path: Path) -> None:
    script(bare_machine, "python3.13", "echo command not found >&2; exit 127")
    kept = tmp_path / "nobody" / "versions" / "3.13.1" / "bin"
    script(kept, "python3.13", f"echo 3 13 {kept.parent} {kept}/python3.13")
    launcher = python.find("python3.13")
    assert launcher.interpreter is not None
    assert launcher.interpreter.program == kept / "python3.13"


def test_another_python_is_better_than_none(bare_machine: Path) -> None:
    script(bare_machine, "python3.13", "exit 127")
    launcher = python.find("python3.13")
    assert launcher.note == f"Python 3.{sys.version_info.minor}"


def test_a_node_of_another_version_is_named(bare_machine: Path) -> None:
    script(bare_machine, "node", f"echo v22.3.0 {bare_machine}/node")
    assert nodejs.find("nodejs22.x").note is None
    assert nodejs.find("nodejs20.x").note == "Node.js 22"


def test_without_node_the_words_say_what_to_install(bare_machine: Path) -> None:
    with pytest.raises(RuntimeMissing, match="sudo apt-get install nodejs"):
        nodejs.find("nodejs20.x")


@pytest.mark.parametrize("name", ["python3.8", "nodejs16.x", "go1.x", "dotnet8", "java8", "mystery"])
def test_what_is_no_runtime_that_could_be_there(name: str) -> None:
    with pytest.raises(LookupError):
        find_launcher(name)
