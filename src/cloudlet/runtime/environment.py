"""One execution environment: a process in its sandbox, which serves one invocation at a time."""

import asyncio
import contextlib
import os
import signal
import time
from datetime import UTC, datetime
from pathlib import Path

import orjson

from cloudlet.core.clock import Clock
from cloudlet.runtime.function import FunctionVersion, Invocation, Outcome
from cloudlet.runtime.memory import Cgroups
from cloudlet.runtime.output import Output, WriteLog
from cloudlet.runtime.platform_lines import TIMEOUT, Report
from cloudlet.runtime.processes import anonymous_memory, children
from cloudlet.runtime.runtime_api import FunctionError, InitError, ResponseTooLarge, RuntimeApi
from cloudlet.runtime.sandbox import Bubblewrap, Unconfined
from cloudlet.runtime.zygote import Forked, Zygote

# Loading the function may take this long before its own timeout begins to count.
_INIT_SECONDS = 10.0
_WATCH_SECONDS = 0.05
_END_SECONDS = 2.0
_SIGNALS = {
    signal.SIGKILL: "killed",
    signal.SIGSEGV: "segmentation fault",
    signal.SIGABRT: "aborted",
    signal.SIGTERM: "terminated",
}
_EXIT = "Runtime.ExitError"
_UNHANDLED = "Unhandled"


class Ended(Exception):
    """The environment's process has exited; the reason in AWS's words."""


class ExecutionEnvironment:
    """`expires` is when its credentials end (epoch seconds), `idle_since` in the event loop's time.

    `ended` says that it is of no use any more.
    """

    def __init__(
        self,
        function: FunctionVersion,
        log_stream: str,
        sandbox: Bubblewrap | Unconfined,
        zygote: Zygote | None,
        cgroups: Cgroups,
        clock: Clock,
        write: WriteLog,
    ) -> None:
        self.function = function
        self.log_stream = log_stream
        self.expires = 0.0
        self.idle_since = 0.0
        self.ended = False
        self._closed = False
        self._sandbox = sandbox
        self._zygote = zygote
        self._cgroups = cgroups
        self._clock = clock
        self._loop = asyncio.get_running_loop()
        self._output = Output(clock, function.log_format, write)
        self._user = sandbox.take_user()
        self._api = RuntimeApi()
        self._process: asyncio.subprocess.Process | Forked | None = None
        self._exit: asyncio.Task[None] | None = None
        self._cgroup: Path | None = None
        self._failure: InitError | Ended | TimeoutError | None = None
        self._init_duration: float | None = None
        self._watch: asyncio.TimerHandle | None = None
        self._memory = 0

    async def initialise(self, variables: dict[str, str]) -> None:
        """Starts the process and waits until the function is loaded, or is known not to load: `invoke` tells then."""
        began = time.perf_counter()
        address = self._api.bind()
        await self._start({**variables, "AWS_LAMBDA_RUNTIME_API": address})
        self._watch_memory()
        try:
            async with asyncio.timeout(_INIT_SECONDS + self.function.timeout):
                await self._api.ready
        except (InitError, Ended, TimeoutError) as failure:
            self._failure = failure
            self.ended = True
        finally:
            self._stop_watching()
        self._init_duration = time.perf_counter() - began

    async def invoke(self, invocation: Invocation) -> Outcome:
        """Runs one invocation to its end, whatever that is."""
        function, output = self.function, self._output
        output.drain()
        output.start(invocation.request_id, function.version)
        began = time.perf_counter()
        payload, error = await self._run(invocation)
        duration = time.perf_counter() - began
        self._sample_memory()
        output.drain()
        if error == TIMEOUT:
            now = datetime.fromtimestamp(self._clock.now(), UTC).isoformat(timespec="milliseconds")[:23]
            duration = float(function.timeout)
            output.add(f"{now}Z {invocation.request_id} {_timed_out(function)}\n\n")
        elif error == _EXIT:
            output.add(f"{orjson.loads(payload)['errorMessage']}\n{_EXIT}\n")
        init, self._init_duration = self._init_duration, None
        kind = None if error == _UNHANDLED else error
        output.end(Report(invocation.request_id, duration, function.memory, self._memory, init, kind))
        self._loop.call_soon(output.flush)
        return Outcome(payload, error is not None, output.tail())

    async def close(self) -> None:
        """Kills what is left of it. May be called again."""
        self.ended = True
        self._kill()
        if self._exit is not None:
            await self._await_end(self._exit)
        if self._closed:
            return
        self._closed = True
        self._api.close()
        self._output.close()
        if self._cgroup is not None:
            self._cgroups.remove(self._cgroup)

    async def _start(self, variables: dict[str, str]) -> None:
        function = self.function
        self._cgroup = self._cgroups.create((function.memory + function.ephemeral_storage) << 20)
        try:
            if self._zygote is not None:
                self._process = await self._zygote.fork(
                    function, variables, self._user, self._output.writer, self._cgroup
                )
            if self._process is None:
                self._process = await self._execute(variables)
        finally:
            self._output.close_writer()
        self._exit = asyncio.create_task(self._await_exit(self._process))
        await self._api.serve(self._process.pid)

    async def _execute(self, variables: dict[str, str]) -> asyncio.subprocess.Process:
        confined = self._sandbox.confine(self.function, variables, self._user)
        command = confined.command
        if self._cgroup is not None:
            # It joins the group before it becomes what it is to be, so that all its children are in it.
            join = 'echo $$ > "$0" && exec "$@"'
            command = ["/bin/sh", "-c", join, str(self._cgroup / "cgroup.procs"), *command]
        try:
            return await asyncio.create_subprocess_exec(
                *command,
                stdin=confined.stdin,
                stdout=self._output.writer,
                stderr=self._output.writer,
                env=confined.environment,
                cwd=confined.folder,
                pass_fds=confined.descriptors,
                start_new_session=True,
            )
        finally:
            for descriptor in (confined.stdin, *confined.descriptors):
                os.close(descriptor)

    async def _await_exit(self, process: asyncio.subprocess.Process | Forked) -> None:
        status = await process.wait()
        self.ended = True
        self._api.fail(Ended(_reason(status)))

    async def _run(self, invocation: Invocation) -> tuple[bytes, str | None]:
        """The payload, and the type of error if it is one."""
        function = self.function
        self._watch_memory()
        try:
            if self._failure is not None:
                raise self._failure
            deadline = self._clock.now() + function.timeout
            async with asyncio.timeout(function.timeout):
                return await self._api.invoke(invocation, deadline), None
        except (InitError, ResponseTooLarge) as error:
            self.ended = True
            return error.payload, _UNHANDLED
        except FunctionError as error:
            return error.payload, _UNHANDLED
        except TimeoutError:
            self._kill()
            message = f"RequestId: {invocation.request_id} Error: {_timed_out(function)}"
            return _error(TIMEOUT, message), TIMEOUT
        except Ended as error:
            self.ended = True
            return _error(_EXIT, f"RequestId: {invocation.request_id} Error: {error}"), _EXIT
        finally:
            self._stop_watching()

    def _watch_memory(self) -> None:
        self._watch = self._loop.call_later(_WATCH_SECONDS, self._check_memory)

    def _check_memory(self) -> None:
        if self._sample_memory() > self.function.memory << 20:
            self._kill()
        else:
            self._watch_memory()

    def _stop_watching(self) -> None:
        if self._watch is not None:
            self._watch.cancel()

    def _sample_memory(self) -> int:
        match self._process:
            case None:
                used = 0
            case Forked(pid=pid, inherited=inherited):
                used = sum(anonymous_memory(child, inherited) for child in children(pid))
            case process:
                used = anonymous_memory(process.pid)
        self._memory = max(self._memory, used)
        return used

    def _kill(self) -> None:
        """Ends the first process inside the sandbox, and with it all others; bubblewrap sees that and ends too."""
        self.ended = True
        if self._process is not None and self._process.returncode is None:
            for child in children(self._process.pid) or [self._process.pid]:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(child, signal.SIGKILL)

    async def _await_end(self, process_exit: asyncio.Task[None]) -> None:
        """What has not ended by itself soon is killed with its whole group."""
        done, _ = await asyncio.wait((process_exit,), timeout=_END_SECONDS)
        if not done and self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            await process_exit


def _timed_out(function: FunctionVersion) -> str:
    return f"Task timed out after {function.timeout:.2f} seconds"


def _error(kind: str, message: str) -> bytes:
    return orjson.dumps({"errorType": kind, "errorMessage": message})


def _reason(status: int) -> str:
    """bubblewrap exits with 128 + the number of the signal that ended its child."""
    number = -status if status < 0 else status - 128
    if number > 0:
        return f"Runtime exited with error: signal: {_SIGNALS.get(signal.Signals(number), f'signal {number}')}"
    if status == 0:
        return "Runtime exited without providing a reason"
    return f"Runtime exited with error: exit status {status}"
