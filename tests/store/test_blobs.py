"""Blob files: whole or absent."""

import resource
import signal
from pathlib import Path

import pytest

from cloudlet.store import BlobFiles


async def content(blobs: BlobFiles, name: str, start: int = 0, length: int | None = None) -> bytes:
    return b"".join([chunk async for chunk in await blobs.open(name, start, length)])


async def test_what_is_written_is_read(tmp_path: Path) -> None:
    blobs = BlobFiles(tmp_path / "blobs")
    writer = blobs.create()
    for _ in range(3):
        await writer.write(b"0123456789" * 100_000)
    name = await writer.finish()
    assert await content(blobs, name) == b"0123456789" * 300_000
    assert await content(blobs, name, 5, 10) == b"5678901234"
    assert await content(blobs, name, writer.size - 1) == b"9"


async def test_a_discarded_or_unfinished_blob_leaves_nothing(tmp_path: Path) -> None:
    blobs = BlobFiles(tmp_path / "blobs")
    discarded = blobs.create()
    await discarded.write(b"x")
    discarded.discard()
    cut_short = blobs.create()
    await cut_short.write(b"x")
    assert blobs.collect([]) == 1
    assert not [path for path in (tmp_path / "blobs").rglob("*") if path.is_file()]


async def test_a_full_disk_leaves_nothing_of_a_blob(tmp_path: Path) -> None:
    writer = BlobFiles(tmp_path).create()
    await writer.write(b"x")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, limits[1]))  # no file can grow, as on a full disk
    try:
        with pytest.raises(OSError, match="too large"):
            await writer.finish()
        writer.discard()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, ignored)
    assert list(tmp_path.glob("??/*")) == []


async def test_collect_keeps_what_is_named(tmp_path: Path) -> None:
    blobs = BlobFiles(tmp_path / "blobs")
    names = []
    for _ in range(3):
        writer = blobs.create()
        await writer.write(b"x")
        names.append(await writer.finish())
    assert blobs.collect(names[:1]) == 2
    assert await content(blobs, names[0]) == b"x"


async def test_an_open_blob_is_read_to_its_end_though_deleted(tmp_path: Path) -> None:
    blobs = BlobFiles(tmp_path / "blobs")
    writer = blobs.create()
    await writer.write(b"still here")
    name = await writer.finish()
    stream = await blobs.open(name)
    blobs.delete(name)
    assert b"".join([chunk async for chunk in stream]) == b"still here"
