"""Packages: what goes in, what stays out, and that the same content makes the same package."""

import os
import zipfile
from pathlib import Path
from typing import Any

import pytest

from cloudlet.cli import packaging
from cloudlet.cli.errors import CommandError
from cloudlet.cli.packaging import Package, build, content_key, local_code


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    code = tmp_path / "code"
    (code / "shop").mkdir(parents=True)
    (code / "app.py").write_text("import shop\n")
    (code / "shop" / "__init__.py").write_text("")
    return code


def packed(folder: Path, *, layer: bool = False) -> dict[str, str]:
    zipped = build(Package("Function", folder, layer), lambda text: None)
    with zipfile.ZipFile(zipped) as archive:
        content = {name: archive.read(name).decode() for name in archive.namelist()}
    zipped.unlink()
    return content


def key(folder: Path) -> str:
    zipped = build(Package("Function", folder, False), lambda text: None)
    found = content_key(zipped)
    zipped.unlink()
    return found


def test_a_package_has_the_folders_files(folder: Path):
    assert packed(folder) == {"app.py": "import shop\n", "shop/__init__.py": ""}


def test_what_machines_left_behind_stays_out(folder: Path):
    for name in ("__pycache__/app.pyc", ".git/HEAD", ".venv/bin/python", "old.pyc"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("x")
    assert set(packed(folder)) == {"app.py", "shop/__init__.py"}


def test_the_same_content_has_the_same_key_whatever_its_times(folder: Path):
    before = key(folder)
    os.utime(folder / "app.py", (1, 1))
    assert key(folder) == before
    (folder / "app.py").write_text("import shop  # changed\n")
    assert key(folder) != before


def test_programs_stay_executable(folder: Path):
    (folder / "bootstrap").write_text("#!/bin/sh\n")
    (folder / "bootstrap").chmod(0o755)
    zipped = build(Package("Function", folder, False), lambda text: None)
    with zipfile.ZipFile(zipped) as archive:
        modes = {entry.filename: oct(entry.external_attr >> 16) for entry in archive.infolist()}
    zipped.unlink()
    assert (modes["bootstrap"], modes["app.py"]) == ("0o755", "0o644")


def test_one_file_is_a_package_too(folder: Path):
    assert packed(folder / "app.py") == {"app.py": "import shop\n"}


@pytest.fixture
def pip(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[Path]:
    """Stands for pip: installs a library, unless the requirements are impossible; the list tells what it installed."""
    installed: list[Path] = []

    def install(requirements: Path, target: Path) -> None:
        if "impossible" in requirements.read_text():
            raise CommandError("could not be installed")
        installed.append(requirements)
        target.mkdir(exist_ok=True)
        (target / "library.py").write_text("")
        (target / "app.py").write_text("of the library")

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(packaging, "_pip_install", install)
    return installed


def test_requirements_are_installed_into_the_package_once(folder: Path, pip: list[Path]):
    (folder / "requirements.txt").write_text("library==1\n")
    for _ in range(2):
        content = packed(folder)
        assert set(content) == {"app.py", "library.py", "requirements.txt", "shop/__init__.py"}
        assert content["app.py"] == "import shop\n", "the function's own file wins"
    assert len(pip) == 1


def test_requirements_that_lead_elsewhere_are_installed_each_time(folder: Path, pip: list[Path]):
    (folder / "requirements.txt").write_text("library==1\n-r ../others.txt\n")
    packed(folder)
    packed(folder)
    assert len(pip) == 2


def test_a_layer_has_its_requirements_where_python_looks(folder: Path, pip: list[Path]):
    (folder / "requirements.txt").write_text("library==1\n")
    assert "python/library.py" in packed(folder, layer=True)


def test_a_failed_installation_leaves_nothing_in_the_cache(folder: Path, pip: list[Path]):
    (folder / "requirements.txt").write_text("impossible==1\n")
    for _ in range(2):
        with pytest.raises(CommandError):
            packed(folder)
    assert pip == []


def template(**resources: Any) -> dict[str, Any]:
    return {"Resources": resources}


def entered(given: dict[str, Any], folder: Path) -> dict[str, Any]:
    """The template after each package was entered as key `NAME.zip`."""
    for package, enter in local_code(given, folder):
        enter("bucket", f"{package.path.name}.zip")
    return {name: resource.get("Properties") for name, resource in given["Resources"].items()}


def test_code_of_each_kind_is_replaced_by_its_package(folder: Path):
    given = template(
        Sam={"Type": "AWS::Serverless::Function", "Properties": {"CodeUri": "code"}},
        SamLayer={"Type": "AWS::Serverless::LayerVersion", "Properties": {"ContentUri": "code/"}},
        Plain={"Type": "AWS::Lambda::Function", "Properties": {"Code": "code"}},
        Layer={"Type": "AWS::Lambda::LayerVersion", "Properties": {"Content": "code"}},
    )
    pair = {"S3Bucket": "bucket", "S3Key": "code.zip"}
    assert entered(given, folder.parent) == {
        "Sam": {"CodeUri": "s3://bucket/code.zip"},
        "SamLayer": {"ContentUri": "s3://bucket/code.zip"},
        "Plain": {"Code": pair},
        "Layer": {"Content": pair},
    }


def test_globals_name_the_code_of_functions_that_name_none(folder: Path):
    given = template(Function={"Type": "AWS::Serverless::Function"})
    given["Globals"] = {"Function": {"CodeUri": "code"}}
    assert entered(given, folder.parent) == {"Function": {"CodeUri": "s3://bucket/code.zip"}}


@pytest.mark.parametrize(
    "resource",
    [
        {"Type": "AWS::Serverless::Function", "Properties": {"CodeUri": "s3://bucket/key"}},
        {"Type": "AWS::Serverless::Function", "Properties": {"InlineCode": "def handler(): pass"}},
        {"Type": "AWS::Serverless::Function", "Properties": {"PackageType": "Image", "CodeUri": "code"}},
        {"Type": "AWS::Lambda::Function", "Properties": {"Code": {"ZipFile": "def handler(): pass"}}},
        {"Type": "AWS::S3::Bucket"},
    ],
)
def test_what_is_not_local_stays(resource: dict[str, Any], folder: Path):
    assert list(local_code(template(Resource=resource), folder.parent)) == []


def test_code_that_is_not_there_is_named(folder: Path):
    given = template(Function={"Type": "AWS::Serverless::Function", "Properties": {"CodeUri": "missing"}})
    with pytest.raises(CommandError, match="Function: its CodeUri missing does not exist"):
        list(local_code(given, folder.parent))


def test_a_sam_function_without_code_of_its_own_has_the_templates_folder(folder: Path):
    template: dict[str, Any] = {"Resources": {"Function": {"Type": "AWS::Serverless::Function"}}}
    [(package, enter)] = local_code(template, folder)
    assert package.path.resolve() == folder
    enter("bucket", "key")
    assert template["Resources"]["Function"]["Properties"] == {"CodeUri": "s3://bucket/key"}
