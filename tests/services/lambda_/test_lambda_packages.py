"""Packages are unpacked within their folder, whatever their entries are called and link to."""

import io
import stat
import zipfile
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from cloudlet.core.errors import AwsError
from cloudlet.services.lambda_.base import SCHEMA
from cloudlet.services.lambda_.packages import Packages
from cloudlet.store import Store


@pytest.fixture
async def packages(tmp_path: Path) -> AsyncIterator[Packages]:
    store = Store(tmp_path / "data" / "lambda.db", SCHEMA)
    yield Packages(store, tmp_path / "data" / "lambda")
    store.close()


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    """A folder of the machine's user, with a file in it."""
    folder = tmp_path / "home"
    folder.mkdir()
    (folder / "keys").write_text("precious")
    return folder


def zipped(*entries: tuple[str, str | Path]) -> bytes:
    """Entries by name: a text is a file's content, a path what a link leads to."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for name, what in entries:
            entry = zipfile.ZipInfo(name)
            kind = stat.S_IFLNK if isinstance(what, Path) else stat.S_IFREG
            entry.external_attr = (kind | 0o644) << 16
            archive.writestr(entry, str(what))
    return content.getvalue()


async def record(packages: Packages, content: bytes) -> str:
    package = await packages.add(content)
    await packages._store.write(lambda tx: packages.record(tx, package))
    return package.sha256


async def test_links_stay_links(packages: Packages) -> None:
    folder = await packages.code_folder(await record(packages, zipped(("a.py", "1"), ("lib/b.py", Path("../a.py")))))
    assert (folder / "lib" / "b.py").read_text() == "1"
    assert (folder / "lib" / "b.py").is_symlink()


async def test_a_link_leads_no_other_link_outside(packages: Packages, outside: Path) -> None:
    await packages.add(zipped(("a", outside), ("a/keys", Path("elsewhere"))))
    assert not (outside / "keys").is_symlink()
    assert (outside / "keys").read_text() == "precious"


async def test_a_layer_is_not_unpacked_through_the_links_of_another(packages: Packages, outside: Path) -> None:
    layers = [zipped(("a", outside)), zipped(("a/keys", "mine"), ("a/new/", ""), ("a/b/c", "mine"))]
    folder = await packages.layers_folder([await record(packages, layer) for layer in layers])
    assert [path.name for path in outside.iterdir()] == ["keys"]
    assert (outside / "keys").read_text() == "precious"
    assert (folder / "a" / "keys").read_text() == "mine"


async def test_a_link_does_not_replace_a_folder(packages: Packages, outside: Path) -> None:
    with pytest.raises(AwsError, match="Could not unzip"):
        await packages.add(zipped(("a/b", "1"), ("a", outside)))
