"""The execution environments of all functions: as many as there are concurrent invocations, reused while warm."""

import asyncio
import os
import weakref
from collections.abc import Coroutine
from dataclasses import dataclass
from typing import Any, Protocol

from cloudlet.core.clock import Clock
from cloudlet.runtime.budget import MemoryBudget
from cloudlet.runtime.function import Credentials, FunctionVersion, Invocation, LogEvent, Outcome
from cloudlet.runtime.languages import Launcher, RuntimeMissing, find_launcher, known_launcher
from cloudlet.runtime.memory import Cgroups
from cloudlet.runtime.pool import MOST_STARTS, Pool, RuntimeStopped
from cloudlet.runtime.sandbox import Bubblewrap, Unconfined, choose_sandbox
from cloudlet.runtime.zygotes import Zygotes

_IDLE_SECONDS = 600.0


@dataclass(frozen=True, slots=True)
class Provisioned:
    """How many environments of a version are kept initialised, and why there are not as many as there should be."""

    allocated: int
    failure: str | None


class Host(Protocol):
    """What the runtime needs from whoever runs it."""

    @property
    def endpoint_url(self) -> str:
        """Where functions find Cloudlet."""
        ...

    async def credentials(self, function: FunctionVersion) -> Credentials:
        """Temporary credentials of the function's role, for a new environment."""
        ...

    def write_log(self, function: FunctionVersion, stream: str, events: list[LogEvent]) -> None:
        """Takes over what an environment printed; must not wait."""
        ...


class Runtime:
    """`memory` is what all environments together may be configured for, in MB (twice the machine's unless given).

    Environments that have been idle for `idle` seconds are ended, and in the end the zygotes of which they are forked.
    `forks` is False for none.
    """

    def __init__(
        self, host: Host, clock: Clock, memory: int | None = None, idle: float = _IDLE_SECONDS, forks: bool = True
    ) -> None:
        self.host = host
        self.clock = clock
        self.sandbox: Bubblewrap | Unconfined
        self.cgroups: Cgroups
        self.zygotes: Zygotes | None = None
        self._pools: dict[str, Pool] = {}
        # Those retired as well, while somebody works with them.
        self._all_pools: weakref.WeakSet[Pool] = weakref.WeakSet()
        total = memory or 2 * os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") >> 20
        self.budget = MemoryBudget(total, self._evict)
        self._idle = idle
        self._forks = forks
        self.stopped = False
        self.starts = asyncio.Semaphore(MOST_STARTS)
        self._tasks: set[asyncio.Task[None]] = set()
        self._reaper: asyncio.TimerHandle | None = None

    def start(self) -> None:
        self.sandbox = choose_sandbox()
        if self._forks and isinstance(self.sandbox, Bubblewrap):
            self.zygotes = Zygotes(self.sandbox)
        self.cgroups = Cgroups()
        self.cgroups.sweep()

    def warm_up(self, runtime: str) -> None:
        """There is a function, so that it may soon be invoked. Returns at once."""
        if self.zygotes is not None and not self.stopped:
            self.spawn(self._warm_up(self.zygotes, runtime))

    async def launcher(self, runtime: str) -> Launcher:
        """Raises RuntimeMissing if this machine cannot run such functions."""
        return known_launcher(runtime) or await asyncio.to_thread(find_launcher, runtime)

    async def stop(self) -> None:
        """Kills every environment; returns when none is left."""
        self.stopped = True
        if self._reaper is not None:
            self._reaper.cancel()
        for pool in list(self._all_pools):
            pool.stop()
        while self._tasks:
            await asyncio.gather(*self._tasks, return_exceptions=True)
        if self.zygotes is not None:
            await self.zygotes.close()
        self.cgroups.sweep()

    async def invoke(self, function: FunctionVersion, invocation: Invocation) -> Outcome:
        """Raises TooManyEnvironments, RuntimeStopped, or what `Host.credentials` raised."""
        if self.stopped:
            raise RuntimeStopped
        outcome = await self._pool(function).invoke(invocation)
        if self.stopped and outcome.failed:
            raise RuntimeStopped
        return outcome

    def provision(self, function: FunctionVersion, count: int) -> None:
        """Keeps so many environments of a version initialised, beside those that invocations start."""
        if not self.stopped:
            self._pool(function).provision(count)

    def provisioned(self, arn: str) -> Provisioned:
        pool = self._pools.get(arn)
        return Provisioned(len(pool.provisioned), pool.failure) if pool is not None else Provisioned(0, None)

    def retire(self, arn: str) -> None:
        """Ends the environments of a version that is no more, each after its current invocation."""
        pool = self._pools.pop(arn, None)
        if pool is not None:
            pool.retire()

    def statistics(self) -> dict[str, int]:
        pools = self._pools.values()
        return {
            "idle": sum(len(pool.idle) + len(pool.ready) for pool in pools),
            "busy": sum(len(pool.busy) for pool in pools),
            "memory": self.budget.used,
        }

    # What the pools use.

    def spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    def reap_later(self) -> None:
        if self._reaper is None:
            self._reaper = asyncio.get_running_loop().call_later(self._idle / 10, self._reap)

    def _reap(self) -> None:
        self._reaper = None
        before = asyncio.get_running_loop().time() - self._idle
        for pool in self._pools.values():
            pool.reap(before)
        if self.zygotes is not None:
            self.zygotes.retire(before)
        if self.budget.used or (self.zygotes is not None and self.zygotes.is_alive):
            self.reap_later()

    async def _warm_up(self, zygotes: Zygotes, runtime: str) -> None:
        try:
            zygote = zygotes.of(await self.launcher(runtime))
        except RuntimeMissing:
            return  # whoever invokes the function hears of it
        if zygote is not None and not self.stopped:
            zygote.warm_up()
            self.reap_later()

    def _pool(self, function: FunctionVersion) -> Pool:
        """That of this very revision; an older one is retired."""
        pool = self._pools.get(function.arn)
        if pool is None or pool.function.revision != function.revision:
            if pool is not None:
                pool.retire()
            pool = self._pools[function.arn] = Pool(self, function)
            self._all_pools.add(pool)
        return pool

    def _evict(self) -> int:
        """Ends the environment that has been idle for longest."""
        idle = [pool for pool in self._pools.values() if pool.idle]
        if not idle:
            return 0
        pool = min(idle, key=lambda pool: pool.idle[0].idle_since)
        pool.evict()
        return pool.function.memory
