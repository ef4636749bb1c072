"""Hashes of small bodies without giving up the interpreter lock.

CPython releases the lock for inputs of 2,048 bytes and more, and to get it back costs far more than hashing a few
kilobytes while another thread is busy. Below that size nothing is released, so small bodies go in by slices.
"""

import hashlib
from typing import Protocol

_KEEPS_LOCK = 2047
_SMALL = 32 * 1024


class Hash(Protocol):
    def update(self, data: bytes, /) -> None: ...


def feed(found: Hash, data: bytes) -> None:
    """Adds the data to a hash; large data as a whole, so that other threads run meanwhile."""
    if len(data) <= _KEEPS_LOCK or len(data) > _SMALL:
        found.update(data)
        return
    for start in range(0, len(data), _KEEPS_LOCK):
        found.update(data[start : start + _KEEPS_LOCK])


def sha256_hex(data: bytes) -> str:
    found = hashlib.sha256()
    feed(found, data)
    return found.hexdigest()
