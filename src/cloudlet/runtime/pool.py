"""The execution environments of one version of a function: who waits for one, which are free, which are to start."""

import asyncio
import logging
import os
import secrets
from collections import deque
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from cloudlet.runtime.environment import ExecutionEnvironment
from cloudlet.runtime.function import FunctionVersion, Invocation, Outcome
from cloudlet.runtime.languages import Launcher
from cloudlet.runtime.variables import environment_variables

if TYPE_CHECKING:
    from cloudlet.runtime.pools import Runtime

_log = logging.getLogger(__name__)

# Fresh environments replace those whose credentials would end within this time and the function's timeout.
_CREDENTIALS_MARGIN = 300.0
# How long an invocation waits where all memory is taken by environments that work.
_PATIENCE_SECONDS = 60.0
# Loading a function keeps a processor busy: more at once would only make each of them slower.
MOST_STARTS = 4 * (os.cpu_count() or 1)


class TooManyEnvironments(Exception):
    """The machine has no memory left for another execution environment."""


class RuntimeStopped(Exception):
    """The runtime has stopped before the invocation came to its end; what the function did until then is not known."""


class Pool:
    """The environments of one version of a function in one revision.

    `provisioned` are those that are kept whether they are used or not: they are `ready` where others are `idle`.
    """

    def __init__(self, runtime: "Runtime", function: FunctionVersion) -> None:
        self.function = function
        self.idle: deque[ExecutionEnvironment] = deque()
        self.busy: set[ExecutionEnvironment] = set()
        self.ready: deque[ExecutionEnvironment] = deque()
        self.provisioned: set[ExecutionEnvironment] = set()
        self.failure: str | None = None
        self._to_provision = 0
        self._provisioning = 0
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
        for environment in (*self.idle, *self.ready):
            self._end(environment)
        self.idle.clear()
        self.ready.clear()

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
        for environment in [each for each in self.ready if self._is_spent(each)]:
            self.ready.remove(environment)
            self._end(environment)
        self._provision_missing()

    def provision(self, count: int) -> None:
        self._to_provision = count
        self.failure = None
        while len(self.provisioned) > count and self.ready:
            self._end(self.ready.popleft())
        self._provision_missing()

    def evict(self) -> None:
        self._end(self.idle.popleft())

    def _take_idle(self) -> ExecutionEnvironment | None:
        """The one used last: it is the warmest, and the others may be reaped."""
        for free in (self.ready, self.idle):
            while free:
                environment = free.pop()
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
        """To whoever has waited longest, or to those that are free, or to its end."""
        if self._is_superfluous(environment):
            self._end(environment)
            self._start_missing()
            self._provision_missing()
            return
        turn = self._next_turn()
        if turn is not None:
            turn.set_result(environment)
        elif environment in self.provisioned:
            self.ready.append(environment)
        else:
            environment.idle_since = asyncio.get_running_loop().time()
            self.idle.append(environment)
            self._runtime.reap_later()
            self._runtime.budget.look_again()

    def _is_superfluous(self, environment: ExecutionEnvironment) -> bool:
        if self._is_spent(environment) or (self._retired and not self._waiting):
            return True
        if environment in self.provisioned:
            return len(self.provisioned) > self._to_provision
        return self._runtime.budget.is_owed(self)

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
        budget, memory = self._runtime.budget, self.function.memory
        self.provisioned.discard(environment)
        budget.ends(memory)

        async def end() -> None:
            await environment.close()
            budget.give_back(self, memory)

        self._runtime.spawn(end())

    def _start_missing(self) -> None:
        """As many as there are invocations waiting; where environments would share a /tmp, one at a time.

        More than the machine starts at a time would only stand in the way of other functions.
        """
        wanted = 0 if self._runtime.stopped else min(len(self._waiting), MOST_STARTS)
        if self._runtime.sandbox.shares_tmp:
            wanted = min(wanted, 1 - len(self.busy))
        while self._starting < wanted:
            self._starting += 1
            self._begin(self._start_one())

    def _provision_missing(self) -> None:
        missing = 0 if self._runtime.stopped or self._retired else self._to_provision - len(self.provisioned)
        if missing > 0 and self._runtime.sandbox.shares_tmp:
            self.failure = "Without bubblewrap a function has one environment at a time."
            return
        while self._provisioning < min(missing, MOST_STARTS):
            self._provisioning += 1
            self._begin(self._provision_one())

    def _begin(self, work: Coroutine[Any, Any, None]) -> None:
        task = self._runtime.spawn(work)
        self._starts.add(task)
        task.add_done_callback(self._starts.discard)

    async def _provision_one(self) -> None:
        failure: str | None = None
        try:
            environment = await self._start(self._is_short_of_provisioned, "provisioned-concurrency")
            if environment is None:
                return
            if environment.has_failed:
                failure = "The function did not initialise."
                self._end(environment)
        except Exception as error:  # noqa: BLE001 - the boundary of a background task: told by the status
            _log.warning("an execution environment was not provisioned", exc_info=error)
            failure = str(error) or type(error).__name__
            environment = None
        finally:
            self._provisioning -= 1
        self.failure = failure  # those who look after it try again
        if environment is not None and failure is None:
            self.provisioned.add(environment)
            self._give(environment)
            self._provision_missing()

    def _is_short_of_provisioned(self) -> bool:
        return len(self.provisioned) + self._provisioning <= self._to_provision and not self._retired

    async def _start(self, still_wanted: Callable[[], bool], kind: str) -> ExecutionEnvironment | None:
        """A new environment, even if its function did not load; None if it is not wanted any more."""
        runtime, memory = self._runtime, self.function.memory
        launcher = await runtime.launcher(self.function.runtime)
        if runtime.zygotes is not None:
            await runtime.zygotes.get_ready(self.function, launcher)
            runtime.reap_later()
        try:
            if not await runtime.budget.take(self, memory, still_wanted, _PATIENCE_SECONDS):
                return None
        except TimeoutError:
            raise TooManyEnvironments from None
        environment = self._new_environment(launcher)
        try:
            async with runtime.starts:
                if still_wanted():
                    await self._initialise(environment, kind)
                    return environment
        except BaseException:
            self._end(environment)
            raise
        self._end(environment)
        return None

    async def _start_one(self) -> None:
        try:
            environment = await self._start(self._is_short, "on-demand")
        except Exception as error:  # noqa: BLE001 - handed on to whoever waits
            environment = None
            self._tell(error)
        finally:
            self._starting -= 1
        if environment is not None:
            turn = self._next_turn()
            if turn is not None:
                turn.set_result(environment)  # even if it did not load: the invocation tells why
            else:
                self._give(environment)
        self._start_missing()

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

    async def _initialise(self, environment: ExecutionEnvironment, kind: str) -> None:
        """`kind` is what AWS_LAMBDA_INITIALIZATION_TYPE says."""
        host, function = self._runtime.host, self.function
        credentials = await host.credentials(function)
        environment.expires = credentials.expires
        variables = environment_variables(function, credentials, host.endpoint_url, environment.log_stream)
        await environment.initialise({**variables, "AWS_LAMBDA_INITIALIZATION_TYPE": kind})
