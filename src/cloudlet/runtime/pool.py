"""The execution environments of all functions: as many as there are concurrent invocations, reused while warm."""

import asyncio
import logging
import os
import secrets
import weakref
from collections import deque
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime
from typing import Any, Protocol

from cloudlet.core.clock import Clock
from cloudlet.runtime.environment import ExecutionEnvironment
from cloudlet.runtime.function import Credentials, FunctionVersion, Invocation, LogEvent, Outcome
from cloudlet.runtime.languages import Launcher, RuntimeMissing, find_launcher, known_launcher
from cloudlet.runtime.memory import Cgroups
from cloudlet.runtime.sandbox import Bubblewrap, Unconfined, choose_sandbox
from cloudlet.runtime.variables import environment_variables
from cloudlet.runtime.zygotes import Zygotes

_log = logging.getLogger(__name__)

_IDLE_SECONDS = 600.0
# Fresh environments replace those whose credentials would end within this time and the function's timeout.
_CREDENTIALS_MARGIN = 300.0
# How long an invocation waits where all memory is taken by environments that work.
_PATIENCE_SECONDS = 60.0
# Loading a function keeps a processor busy: more at once would only make each of them slower.
_STARTS_PER_PROCESSOR = 4


class TooManyEnvironments(Exception):
    """The machine has no memory left for another execution environment."""


class RuntimeStopped(Exception):
    """The runtime has stopped before the invocation came to its end; what the function did until then is not known."""


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
        self._pools: dict[str, _Pool] = {}
        # Those retired as well, while somebody works with them.
        self._all_pools: weakref.WeakSet[_Pool] = weakref.WeakSet()
        self._budget = memory or 2 * os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") >> 20
        self._idle = idle
        self._forks = forks
        self.stopped = False
        self._used = 0
        self._short_of_memory: list[asyncio.Future[None]] = []
        self.starts = asyncio.Semaphore(_STARTS_PER_PROCESSOR * (os.cpu_count() or 1))
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
        pool = self._pools.get(function.arn)
        if pool is None or pool.function.revision != function.revision:
            if pool is not None:
                pool.retire()
            pool = self._pools[function.arn] = _Pool(self, function)
            self._all_pools.add(pool)
        outcome = await pool.invoke(invocation)
        if self.stopped and outcome.failed:
            raise RuntimeStopped
        return outcome

    def retire(self, arn: str) -> None:
        """Ends the environments of a version that is no more, each after its current invocation."""
        pool = self._pools.pop(arn, None)
        if pool is not None:
            pool.retire()

    def statistics(self) -> dict[str, int]:
        pools = self._pools.values()
        return {
            "idle": sum(len(pool.idle) for pool in pools),
            "busy": sum(len(pool.busy) for pool in pools),
            "memory": self._used,
        }

    # What the pools use.

    def spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def reserve(self, memory: int, still_wanted: Callable[[], bool]) -> bool:
        """Takes memory from the budget, ending idle environments if need be; False once it is not wanted any more.

        Raises TooManyEnvironments.
        """
        loop = asyncio.get_running_loop()
        deadline = loop.time() + _PATIENCE_SECONDS
        while self._used and self._used + memory > self._budget:
            if not still_wanted():
                return False
            self._evict()
            change = loop.create_future()
            self._short_of_memory.append(change)
            try:
                async with asyncio.timeout_at(deadline):
                    await change
            except TimeoutError:
                raise TooManyEnvironments from None
        self._used += memory
        return True

    def release(self, memory: int) -> None:
        self._used -= memory
        self.look_again()

    def look_again(self) -> None:
        """Something has changed for those who are short of memory: there is some, or an idle environment to end."""
        waiting, self._short_of_memory = self._short_of_memory, []
        for change in waiting:
            if not change.done():
                change.set_result(None)

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
        if self._used or (self.zygotes is not None and self.zygotes.is_alive):
            self.reap_later()

    async def _warm_up(self, zygotes: Zygotes, runtime: str) -> None:
        try:
            zygote = zygotes.of(await self.launcher(runtime))
        except RuntimeMissing:
            return  # whoever invokes the function hears of it
        if zygote is not None and not self.stopped:
            zygote.warm_up()
            self.reap_later()

    def _evict(self) -> None:
        """Ends the environment that has been idle for longest."""
        idle = [pool for pool in self._pools.values() if pool.idle]
        if idle:
            min(idle, key=lambda pool: pool.idle[0].idle_since).evict()


class _Pool:
    """The environments of one version of a function in one revision."""

    def __init__(self, runtime: Runtime, function: FunctionVersion) -> None:
        self.function = function
        self.idle: deque[ExecutionEnvironment] = deque()
        self.busy: set[ExecutionEnvironment] = set()
        self._runtime = runtime
        self._waiting: deque[asyncio.Future[ExecutionEnvironment]] = deque()
        self._starting = 0
        self._starts: set[asyncio.Task[None]] = set()
        self._retired = False

    async def invoke(self, invocation: Invocation) -> Outcome:
        environment = self._take_idle() or await self._await_environment()
        self.busy.add(environment)
        try:
            if self._runtime.stopped:
                raise RuntimeStopped
            return await environment.invoke(invocation)
        except asyncio.CancelledError:
            environment.ended = True
            raise
        finally:
            self.busy.discard(environment)
            self._give(environment)

    def retire(self) -> None:
        """Ends the idle environments now and the others once they have answered."""
        self._retired = True
        while self.idle:
            self._end(self.idle.popleft())

    def stop(self) -> None:
        """Ends all of them now; whoever waits for one hears of it."""
        self.retire()
        while (turn := self._next_turn()) is not None:
            turn.set_exception(RuntimeStopped())
        for task in self._starts:
            task.cancel()
        for environment in self.busy:
            self._runtime.spawn(environment.close())

    def reap(self, before: float) -> None:
        while self.idle and self.idle[0].idle_since < before:
            self.evict()

    def evict(self) -> None:
        self._end(self.idle.popleft())

    def _take_idle(self) -> ExecutionEnvironment | None:
        """The one used last: it is the warmest, and the others may be reaped."""
        while self.idle:
            environment = self.idle.pop()
            if not self._is_spent(environment):
                return environment
            self._end(environment)
        return None

    async def _await_environment(self) -> ExecutionEnvironment:
        """Whichever comes first: one that gets free, or a new one."""
        turn: asyncio.Future[ExecutionEnvironment] = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        self._start_missing()
        try:
            return await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled() and turn.exception() is None:
                self._give(turn.result())
            raise

    def _give(self, environment: ExecutionEnvironment) -> None:
        """To whoever has waited longest, or to the idle ones, or to its end."""
        if self._is_spent(environment) or (self._retired and not self._waiting):
            self._end(environment)
            self._start_missing()
            return
        turn = self._next_turn()
        if turn is not None:
            turn.set_result(environment)
        else:
            environment.idle_since = asyncio.get_running_loop().time()
            self.idle.append(environment)
            self._runtime.reap_later()
            self._runtime.look_again()

    def _next_turn(self) -> asyncio.Future[ExecutionEnvironment] | None:
        while self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():
                return turn
        return None

    def _is_spent(self, environment: ExecutionEnvironment) -> bool:
        if environment.is_spent:
            return True
        return environment.expires < self._runtime.clock.now() + self.function.timeout + _CREDENTIALS_MARGIN

    def _end(self, environment: ExecutionEnvironment) -> None:
        async def end() -> None:
            await environment.close()
            self._runtime.release(self.function.memory)

        self._runtime.spawn(end())

    def _start_missing(self) -> None:
        """As many as there are invocations waiting; where environments would share a /tmp, one at a time."""
        wanted = 0 if self._runtime.stopped else len(self._waiting)
        if self._runtime.sandbox.shares_tmp:
            wanted = min(wanted, 1 - len(self.busy))
        while self._starting < wanted:
            self._starting += 1
            task = self._runtime.spawn(self._start_one())
            self._starts.add(task)
            task.add_done_callback(self._starts.discard)

    async def _start_one(self) -> None:
        environment: ExecutionEnvironment | None = None
        try:
            launcher = await self._runtime.launcher(self.function.runtime)
            if self._runtime.zygotes is not None:
                await self._runtime.zygotes.get_ready(self.function, launcher)
                self._runtime.reap_later()
            if not await self._runtime.reserve(self.function.memory, self._is_short):
                return None
            environment = self._new_environment(launcher)
            async with self._runtime.starts:
                if not self._is_short():
                    return self._end(environment)
                await self._initialise(environment)
        except BaseException as error:
            if environment is not None:
                self._end(environment)
            if not isinstance(error, Exception):
                raise
            return self._tell(error)
        finally:
            self._starting -= 1
        turn = self._next_turn()
        if turn is not None:
            return turn.set_result(environment)  # even if it did not load: the invocation tells why
        return self._give(environment)

    def _is_short(self) -> bool:
        """Whether an invocation waits for each environment that is starting: others may have got free."""
        return len(self._waiting) >= self._starting

    def _tell(self, error: Exception) -> None:
        """An environment did not start: whoever has waited longest hears of it."""
        turn = self._next_turn()
        if turn is not None:
            turn.set_exception(error)
        else:
            _log.warning("an execution environment did not start", exc_info=error)

    def _new_environment(self, launcher: Launcher) -> ExecutionEnvironment:
        runtime, function = self._runtime, self.function
        today = datetime.fromtimestamp(runtime.clock.now(), UTC)
        stream = f"{today:%Y/%m/%d}/[{function.version}]{secrets.token_hex(16)}"
        return ExecutionEnvironment(
            function,
            launcher,
            stream,
            runtime.sandbox,
            runtime.zygotes,
            runtime.cgroups,
            runtime.clock,
            lambda events: runtime.host.write_log(function, stream, events),
        )

    async def _initialise(self, environment: ExecutionEnvironment) -> None:
        host, function = self._runtime.host, self.function
        credentials = await host.credentials(function)
        environment.expires = credentials.expires
        await environment.initialise(
            environment_variables(function, credentials, host.endpoint_url, environment.log_stream)
        )
