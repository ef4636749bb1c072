"""Bodies too large for a row: files that are complete and on disk before any row names them."""

import asyncio
import os
import secrets
from collections.abc import AsyncIterator, Iterable
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

_CHUNK = 1 << 20


class BlobWriter:
    """A file in the making. Either `finish` or `discard` ends it."""

    def __init__(self, folder: Path, name: str) -> None:
        self._partial = folder / f"{name}.partial"
        self._final = folder / name
        self._file: BinaryIO = open(self._partial, "xb")  # noqa: SIM115 - it lives as long as the writer
        self.name = name
        self.size = 0

    async def write(self, chunk: bytes) -> None:
        await asyncio.to_thread(self._file.write, chunk)
        self.size += len(chunk)

    async def finish(self) -> str:
        """Puts the file on disk under its name, which a row may hold from now on."""
        await asyncio.to_thread(self._finish)
        return self.name

    def discard(self) -> None:
        with suppress(OSError):  # what is left in the buffer may have no room on the disk
            self._file.close()
        self._partial.unlink(missing_ok=True)

    def _finish(self) -> None:
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()
        self._partial.rename(self._final)
        sync_folder(self._final.parent)


class BlobFiles:
    """A folder of blobs, spread over 256 subfolders."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    def create(self) -> BlobWriter:
        name = secrets.token_hex(16)
        folder = self._folder / name[:2]
        if not folder.exists():
            folder.mkdir(exist_ok=True)
            sync_folder(self._folder)
        return BlobWriter(folder, name)

    async def open(self, name: str, start: int = 0, length: int | None = None) -> AsyncIterator[bytes]:
        """The bytes from `start`, in chunks of at most 1 MiB. Once open, it is read to its end even if deleted."""
        file = await asyncio.to_thread(open, self._path(name), "rb")
        file.seek(start)
        return _chunks(file, length if length is not None else os.fstat(file.fileno()).st_size - start)

    def delete(self, name: str) -> None:
        """To be called once no row names it; missing already is fine."""
        self._path(name).unlink(missing_ok=True)

    def collect(self, named: Iterable[str]) -> int:
        """Deletes what no row names: the remains of writes that a crash cut short. Returns how many."""
        keep = set(named)
        garbage = [path for path in self._folder.glob("??/*") if path.name not in keep]
        for path in garbage:
            path.unlink()
        return len(garbage)

    def _path(self, name: str) -> Path:
        return self._folder / name[:2] / name


async def _chunks(file: BinaryIO, left: int) -> AsyncIterator[bytes]:
    with file:
        while left > 0:
            chunk = await asyncio.to_thread(file.read, min(left, _CHUNK))
            if not chunk:
                raise OSError(f"{file.name} is shorter than its row says")
            left -= len(chunk)
            yield chunk


def sync_folder(folder: Path) -> None:
    """Makes the names in a folder durable."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
