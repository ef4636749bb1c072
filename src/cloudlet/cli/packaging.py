"""Turns the local code that a template names into zip packages in a bucket, each under the hash of its content."""

import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cloudlet.cli.errors import CommandError
from cloudlet.cli.template import Template

_LEFT_OUT = {"__pycache__", ".git", ".venv", ".aws-sam", ".pytest_cache", ".mypy_cache", ".ruff_cache"}
# A requirement that leads to other local files, whose changes the hash of requirements.txt does not show.
_LOCAL_REQUIREMENT = re.compile(r"^\s*(-|\.|/)|file:", re.MULTILINE)
_EPOCH = (1980, 1, 1, 0, 0, 0)


@dataclass(frozen=True, slots=True)
class _Code:
    """Where a resource type names its code, and how CloudFormation wants the package's address.

    `default` is the code of a resource that names none.
    """

    property: str
    address: Callable[[str, str], Any]
    layer: bool = False
    default: str | None = None


def _uri(bucket: str, key: str) -> str:
    return f"s3://{bucket}/{key}"


def _pair(bucket: str, key: str) -> dict[str, str]:
    return {"S3Bucket": bucket, "S3Key": key}


_CODE = {
    "AWS::Serverless::Function": _Code("CodeUri", _uri, default="."),  # as in SAM's own command line
    "AWS::Serverless::LayerVersion": _Code("ContentUri", _uri, layer=True),
    "AWS::Lambda::Function": _Code("Code", _pair),
    "AWS::Lambda::LayerVersion": _Code("Content", _pair, layer=True),
}


@dataclass(frozen=True, slots=True)
class Package:
    """A resource's code: a folder or a file, and whether its requirements go below `python/`, as layers have it."""

    resource: str
    path: Path
    layer: bool


def local_code(template: Template, folder: Path) -> Iterator[tuple[Package, Callable[[str, str], None]]]:
    """What has to be packaged, each with the function that enters the package's bucket and key into the template.

    Raises CommandError if code that the template names does not exist.
    """
    common = template.get("Globals", {}).get("Function", {})
    for name, resource in template["Resources"].items():
        kind = _CODE.get(resource.get("Type"))
        if kind is None:
            continue
        properties = resource.setdefault("Properties", {})
        inherited = common if resource["Type"] == "AWS::Serverless::Function" else {}
        if "InlineCode" in properties or (inherited | properties).get("PackageType") == "Image":
            continue
        place = properties.get(kind.property, inherited.get(kind.property, kind.default))
        if not isinstance(place, str) or place.startswith("s3://"):
            continue
        path = folder / place
        if not path.exists():
            raise CommandError(f"{name}: its {kind.property} {place} does not exist (looked for {path.resolve()}).")

        def enter(bucket: str, key: str, *, properties: dict[str, Any] = properties, kind: _Code = kind) -> None:
            properties[kind.property] = kind.address(bucket, key)

        yield Package(name, path, kind.layer), enter


def build(package: Package, told: Callable[[str], None]) -> Path:
    """Makes the zip file, temporary and to be deleted by the caller. `told` hears of what takes time."""
    if package.path.is_file() and zipfile.is_zipfile(package.path):
        return Path(shutil.copy(package.path, _temporary_file()))
    zipped = _temporary_file()
    with zipfile.ZipFile(zipped, "w", zipfile.ZIP_DEFLATED) as archive:
        if package.path.is_file():
            _add(archive, package.path, package.path.name)
            return zipped
        requirements = package.path / "requirements.txt"
        entries = {name: file for file, name in _files(package.path)}
        with tempfile.TemporaryDirectory(prefix="cloudlet-") as scratch:
            if requirements.is_file():
                told(f"installing {requirements}")
                below = "python/" if package.layer else ""
                installed = _installed(requirements, Path(scratch))
                # The function's own files win over an installed one of the same name.
                entries = {below + name: file for file, name in _files(installed)} | entries
            for name in sorted(entries):
                _add(archive, entries[name], name)
    return zipped


def content_key(zipped: Path) -> str:
    """The key of the package: the same for the same content."""
    with open(zipped, "rb") as file:
        return f"{hashlib.file_digest(file, 'sha256').hexdigest()}.zip"


def _temporary_file() -> Path:
    descriptor, name = tempfile.mkstemp(prefix="cloudlet-", suffix=".zip")
    os.close(descriptor)
    return Path(name)


def _files(folder: Path) -> Iterator[tuple[Path, str]]:
    """The files below the folder with their names in the package."""
    for root, folders, names in os.walk(folder, followlinks=True):
        folders[:] = sorted(name for name in folders if name not in _LEFT_OUT)
        for name in names:
            file = Path(root, name)
            if not name.endswith(".pyc") and file.is_file():
                yield file, file.relative_to(folder).as_posix()


def _add(archive: zipfile.ZipFile, file: Path, name: str) -> None:
    """Without the file's time, so that the same content makes the same package."""
    entry = zipfile.ZipInfo(name, _EPOCH)
    entry.external_attr = (0o755 if os.access(file, os.X_OK) else 0o644) << 16
    entry.compress_type = zipfile.ZIP_DEFLATED
    with open(file, "rb") as source, archive.open(entry, "w") as target:
        shutil.copyfileobj(source, target, 1024 * 1024)


def _installed(requirements: Path, scratch: Path) -> Path:
    """A folder with the requirements installed: in the cache where their text alone says what they are."""
    text = requirements.read_text(encoding="utf-8")
    if _LOCAL_REQUIREMENT.search(text):
        _pip_install(requirements, scratch)
        return scratch
    version = f"{sys.implementation.cache_tag} {sys.platform} {os.uname().machine}"
    key = hashlib.sha256(f"{version}\n{text}".encode()).hexdigest()
    cached = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "cloudlet" / "requirements" / key
    if not cached.exists():
        cached.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=cached.parent) as partial:
            target = Path(partial, "installed")
            _pip_install(requirements, target)
            try:
                target.rename(cached)
            except OSError:
                if not cached.exists():  # else another deployment was quicker
                    raise
    return cached


def _pip_install(requirements: Path, target: Path) -> None:
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-compile"]
    command += ["--target", str(target.resolve()), "--requirement", requirements.name]
    # Paths in the file are meant from where it stands.
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=requirements.parent)
    if done.returncode != 0:
        raise CommandError(f"{requirements} could not be installed:\n{done.stderr.strip() or done.stdout.strip()}")
    target.mkdir(exist_ok=True)  # pip makes none where there is nothing to install
