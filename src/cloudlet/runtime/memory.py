"""The ceiling of what execution environments take of memory, by the kernel, where cgroups can be written.

A function's /tmp is in memory too, and it is not what the function's memory limit is about. So the kernel's ceiling is
memory plus ephemeral storage, and the anonymous memory of the processes is compared with the limit itself.
"""

import contextlib
import logging
import os
from pathlib import Path

_log = logging.getLogger(__name__)

_V1 = Path("/sys/fs/cgroup/memory")
_V2 = Path("/sys/fs/cgroup")
# Python needs some memory for itself that AWS does not count against the function.
_RESERVE = 32 << 20


class Cgroups:
    """The cgroups of this Cloudlet's environments; `None` from `create` where the machine does not allow them."""

    def __init__(self) -> None:
        self._root = _prepare()
        self._prefix = f"{os.getpid()}"
        self._count = 0

    def create(self, limit: int) -> Path | None:
        """A cgroup with a ceiling of `limit` bytes."""
        if self._root is None:
            return None
        self._count += 1
        group = self._root / f"{self._prefix}-{self._count}"
        try:
            group.mkdir()
            (group / _limit_name(self._root)).write_text(str(limit + _RESERVE))
        except OSError as error:
            _log.info("no memory cgroups: limits are watched instead", extra={"reason": str(error)})
            self._root = None
            return None
        return group

    def anonymous(self, group: Path | None) -> int | None:
        """Bytes of anonymous memory of its processes, each page once; None if that is not to be known."""
        if group is None or self._root is None:
            return None
        member = "anon" if self._root.parent == _V2 else "total_rss"
        with contextlib.suppress(OSError):
            for line in (group / "memory.stat").read_text().splitlines():
                name, _, value = line.partition(" ")
                if name == member:
                    return int(value)
        return None

    def was_exceeded(self, group: Path | None) -> bool:
        """Whether the kernel has killed a process because of the ceiling."""
        if group is None or self._root is None:
            return False
        try:
            text = (group / ("memory.events" if self._root.parent == _V2 else "memory.oom_control")).read_text()
        except OSError:  # swept away
            return False
        counts = dict(line.split() for line in text.splitlines())
        return int(counts.get("oom_kill", 0)) > 0

    def remove(self, group: Path) -> None:
        with contextlib.suppress(OSError):  # a process may still be on its way out: `sweep` comes for it
            group.rmdir()

    def sweep(self) -> None:
        """Removes the cgroups of this process and of processes that are no more."""
        if self._root is not None:
            for group in self._root.iterdir():
                owner = group.name.partition("-")[0]
                if group.is_dir() and (owner == self._prefix or not Path("/proc", owner).exists()):
                    self.remove(group)


def _prepare() -> Path | None:
    try:
        if (_V1 / "memory.limit_in_bytes").exists():
            root = _V1 / "cloudlet"
        elif "memory" in (_V2 / "cgroup.controllers").read_text().split():
            root = _V2 / "cloudlet"
            (_V2 / "cgroup.subtree_control").write_text("+memory")
        else:
            return None
        root.mkdir(exist_ok=True)
        if root.parent == _V2:
            (root / "cgroup.subtree_control").write_text("+memory")
    except OSError as error:
        _log.info("no memory cgroups: limits are watched instead", extra={"reason": str(error)})
        return None
    return root


def _limit_name(root: Path) -> str:
    return "memory.max" if root.parent == _V2 else "memory.limit_in_bytes"
