"""Deployment packages and layers: zip files kept as blobs, and unpacked into read-only folders by their content."""

import asyncio
import base64
import ctypes
import hashlib
import io
import os
import secrets
import shutil
import stat
import zipfile
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from cloudlet.core.errors import AwsError
from cloudlet.store import BlobFiles, Store, Transaction

LARGEST_UNZIPPED = 250 * 1024 * 1024
LARGEST_UPLOAD = 50 * 1024 * 1024
_CHUNK = 1 << 20
_libc = ctypes.CDLL(None, use_errno=True)


@dataclass(frozen=True, slots=True)
class Package:
    """`sha256` is hexadecimal; sizes in bytes."""

    sha256: str
    blob: str
    size: int
    unzipped: int

    @property
    def code_sha256(self) -> str:
        """As the API shows it."""
        return base64.b64encode(bytes.fromhex(self.sha256)).decode()


class Packages:
    def __init__(self, store: Store, folder: Path) -> None:
        self._store = store
        self._blobs = BlobFiles(folder / "packages")
        self._unpacked = folder / "unpacked"
        self._unpacked.mkdir(parents=True, exist_ok=True)
        self._locks: dict[str, asyncio.Lock] = {}

    async def add(self, content: bytes) -> Package:
        """Unpacks a zip file and keeps it; it is to be named in a row by `record`, in the write that refers to it."""
        sha256 = await asyncio.to_thread(lambda: hashlib.sha256(content).hexdigest())
        known = self.find(sha256)
        if known is not None:
            return known
        unzipped = await asyncio.to_thread(_unzipped_size, content)
        if unzipped > LARGEST_UNZIPPED:
            raise AwsError(
                "InvalidParameterValueException", f"Unzipped size must be smaller than {LARGEST_UNZIPPED} bytes"
            )
        await self._ensure(sha256, lambda folder: _unpack(content, folder))
        writer = self._blobs.create()
        await writer.write(content)
        return Package(sha256, await writer.finish(), len(content), unzipped)

    def find(self, sha256: str) -> Package | None:
        row = self._store.reader.one("SELECT sha256, blob, size, unzipped FROM package WHERE sha256 = ?", (sha256,))
        return None if row is None else Package(*row)

    def record(self, tx: Transaction, package: Package) -> None:
        tx.execute(
            "INSERT INTO package (sha256, blob, size, unzipped) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING",
            (package.sha256, package.blob, package.size, package.unzipped),
        )

    async def read(self, package: Package) -> AsyncIterator[bytes]:
        return await self._blobs.open(package.blob)

    async def code_folder(self, sha256: str) -> Path:
        """The unpacked package; unpacked again if it is missing."""
        folder = self._unpacked / sha256
        if not folder.exists():
            content = await self._content(sha256)
            await self._ensure(sha256, lambda partial: _unpack(content, partial))
        return folder

    async def layers_folder(self, packages: list[str]) -> Path:
        """Layers unpacked over each other, in their order."""
        name = layers_name(packages)
        folder = self._unpacked / name
        if not folder.exists():
            contents = [await self._content(sha256) for sha256 in packages]

            def unpack_all(partial: Path) -> None:
                for content in contents:
                    _unpack(content, partial)

            await self._ensure(name, unpack_all)
        return folder

    async def collect(self, layers: set[str]) -> None:
        """Deletes what no function and no layer refers to any more. To be called before anything is invoked.

        `layers` are the names of the folders of layers that functions have.
        """
        await self._store.write(
            lambda tx: tx.execute(
                "DELETE FROM package WHERE sha256 NOT IN (SELECT package FROM version)"
                " AND sha256 NOT IN (SELECT package FROM layer_version)"
            )
        )
        rows = self._store.reader.all("SELECT sha256, blob FROM package")
        kept = {sha256 for sha256, _ in rows} | layers
        self._blobs.collect(blob for _, blob in rows)
        for folder in self._unpacked.iterdir():
            if folder.name not in kept:
                await asyncio.to_thread(_remove, folder)

    async def _content(self, sha256: str) -> bytes:
        package = self.find(sha256)
        if package is None:
            raise LookupError(f"no package {sha256}")
        return b"".join([chunk async for chunk in await self._blobs.open(package.blob)])

    async def _ensure(self, name: str, unpack: Callable[[Path], None]) -> None:
        """Makes the folder, complete or not at all; once, however many ask for it."""
        async with self._locks.setdefault(name, asyncio.Lock()):
            final = self._unpacked / name
            if final.exists():
                return
            partial = self._unpacked / f"{name}.{secrets.token_hex(4)}"
            try:
                partial.mkdir(mode=0o755)
                await asyncio.to_thread(unpack, partial)
                await asyncio.to_thread(_sync_file_system, partial)
                partial.rename(final)
            except BaseException:
                await asyncio.to_thread(_remove, partial)
                raise


def layers_name(packages: list[str]) -> str:
    """The folder of layers that are unpacked over each other."""
    return "layers-" + hashlib.sha256("".join(packages).encode()).hexdigest()


def check_upload_size(content: bytes, operation: str) -> None:
    if len(content) > LARGEST_UPLOAD:
        raise AwsError(
            "RequestEntityTooLargeException",
            f"Request must be smaller than 70167211 bytes for the {operation} operation",
            status=413,
        )


def _unzipped_size(content: bytes) -> int:
    """Raises InvalidParameterValueException for what is not a sound zip file."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            entries = archive.infolist()
    except (zipfile.BadZipFile, NotImplementedError):
        raise _bad_zip() from None
    if not entries:
        raise AwsError("InvalidParameterValueException", "Uploaded file must be a non-empty zip")
    return sum(entry.file_size for entry in entries)


def _unpack(content: bytes, folder: Path) -> None:
    """Nothing is written through a link, neither of this package nor of a layer that was unpacked before."""
    links: list[tuple[PurePosixPath, str]] = []
    left = LARGEST_UNZIPPED
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            for entry in archive.infolist():
                path = _path(entry.filename)
                if stat.S_ISLNK(entry.external_attr >> 16):
                    links.append((path, archive.read(entry).decode()))
                elif entry.is_dir():
                    _make_folder(folder, path)
                else:
                    left -= _extract(archive, entry, _free_place(folder, path), left)
        for path, destination in links:
            _free_place(folder, path).symlink_to(destination)
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError, UnicodeDecodeError, OSError, ValueError):
        raise _bad_zip() from None
    for parent, _, _ in os.walk(folder):
        os.chmod(parent, 0o755)  # whatever the server's umask is


def _path(name: str) -> PurePosixPath:
    path = PurePosixPath(name.replace("\\", "/"))
    if path.is_absolute() or ".." in path.parts:
        raise _bad_zip()
    return path


def _make_folder(folder: Path, path: PurePosixPath) -> Path:
    """A link on the way gives place to a folder: it may lead anywhere."""
    for part in path.parts:
        folder /= part
        if folder.is_symlink():
            folder.unlink()
        folder.mkdir(exist_ok=True)
    return folder


def _free_place(folder: Path, path: PurePosixPath) -> Path:
    target = _make_folder(folder, path.parent) / path.name
    target.unlink(missing_ok=True)
    return target


def _extract(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, target: Path, limit: int) -> int:
    """Everybody may read it, whatever the archive says: functions run as users of their own."""
    size = 0
    with archive.open(entry) as source, open(target, "xb") as file:
        while chunk := source.read(_CHUNK):
            size += len(chunk)
            if size > limit:
                raise _bad_zip()
            file.write(chunk)
    executable = entry.external_attr >> 16 & 0o111
    os.chmod(target, 0o755 if executable else 0o644)
    return size


def _bad_zip() -> AwsError:
    return AwsError(
        "InvalidParameterValueException",
        "Could not unzip uploaded file. Please check your file, then try to upload again.",
    )


def _sync_file_system(folder: Path) -> None:
    """A folder under its final name must be whole even after a power failure; one call for all of its files."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        if _libc.syncfs(descriptor) != 0:
            raise OSError(ctypes.get_errno(), f"syncfs of {folder}")
    finally:
        os.close(descriptor)


def _remove(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
