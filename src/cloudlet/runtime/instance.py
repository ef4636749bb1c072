"""The processes of an execution environment, from their start to their end."""

import asyncio
import contextlib
import os
import signal
from collections.abc import Mapping
from pathlib import Path

from cloudlet.core.clock import Clock
from cloudlet.runtime.extensions import Extensions
from cloudlet.runtime.failures import Ended
from cloudlet.runtime.function import FunctionVersion
from cloudlet.runtime.languages import Launcher
from cloudlet.runtime.memory import Cgroups
from cloudlet.runtime.processes import anonymous_memory, children
from cloudlet.runtime.runtime_api import RuntimeApi
from cloudlet.runtime.sandbox import Bubblewrap, Unconfined, memory_file
from cloudlet.runtime.supervisor import Supervisor
from cloudlet.runtime.telemetry import Telemetry
from cloudlet.runtime.zygote import Forked
from cloudlet.runtime.zygotes import Zygotes

_WATCH_SECONDS = 0.05
# Counting takes this part of the time at most.
_WATCH_SHARE = 20
_END_SECONDS = 2.0
_SIGNALS = {
    signal.SIGKILL: "killed",
    signal.SIGSEGV: "segmentation fault",
    signal.SIGABRT: "aborted",
    signal.SIGTERM: "terminated",
    signal.SIGBUS: "bus error",
    signal.SIGFPE: "floating point exception",
    signal.SIGILL: "illegal instruction",
    signal.SIGTRAP: "trace/breakpoint trap",
}
# What an environment has to end in order: with external extensions, and with internal ones.
_SHUTDOWN_SECONDS = 2.0
_INTERNAL_SHUTDOWN_SECONDS = 0.5
EXIT_ERROR = "Runtime.ExitError"
OUT_OF_MEMORY = "Runtime.OutOfMemory"


class Instance:
    """`ended` says that it is of no use any more; `used` is the most memory that was seen, in bytes.

    With external extensions, a supervisor runs them beside the runtime, so that they outlive it.
    """

    def __init__(
        self,
        function: FunctionVersion,
        launcher: Launcher,
        sandbox: Bubblewrap | Unconfined,
        zygotes: Zygotes | None,
        cgroups: Cgroups,
        clock: Clock,
        telemetry: Telemetry,
    ) -> None:
        expected = _external_extensions(function)
        self.extensions = Extensions(function, telemetry, expected, self._fail)
        self.api = RuntimeApi(self.extensions)
        self.ended = False
        self.used = 0
        self._function = function
        self._launcher = launcher
        self._sandbox = sandbox
        self._zygotes = zygotes
        self._cgroups = cgroups
        self._loop = asyncio.get_running_loop()
        self._user = sandbox.take_user()
        self._process: asyncio.subprocess.Process | Forked | None = None
        self._exit: asyncio.Task[None] | None = None
        self._cgroup: Path | None = None
        self._watch: asyncio.TimerHandle | None = None
        self._is_out_of_memory = False
        self._supervisor = Supervisor(self._runtime_ended, self.extensions.end) if expected else None
        self._clock = clock
        self._telemetry = telemetry
        self._why = "SPINDOWN"
        self._closed = False

    async def start(self, variables: Mapping[str, str], output: int) -> None:
        """Returns when there are processes; `ready` tells when they have loaded the function.

        Raises EntrypointMissing.
        """
        function, launcher = self._function, self._launcher
        address = self.api.bind()
        given = launcher.variables(self._sandbox.places(function, launcher))
        everything = {**given, **variables, "AWS_LAMBDA_RUNTIME_API": address}
        self._cgroup = self._cgroups.create((function.memory + function.ephemeral_storage) << 20)
        if self._zygotes is not None and self._supervisor is None:
            self._process = await self._zygotes.fork(function, launcher, everything, self._user, output, self._cgroup)
        if self._process is None:
            self._process = await self._execute(everything, output)
        self._exit = asyncio.create_task(self._await_exit(self._process))
        await self.api.serve(self._process.pid)

    async def ready(self) -> None:
        """Returns when the runtime and all extensions wait for an invocation. Raises InitError, Ended."""
        if self._supervisor is not None:
            await self._registered()
            self._supervisor.order("start\n")
        await self.api.ready
        await self.extensions.all_done()
        self.extensions.close_registration()

    def watch_memory(self) -> None:
        """Looks at it now and then, until `stop_watching`."""
        self._watch_again(_WATCH_SECONDS)

    def stop_watching(self) -> None:
        if self._watch is not None:
            self._watch.cancel()

    def sample_memory(self) -> int:
        """What it uses now, in bytes."""
        used = self._cgroups.anonymous(self._cgroup)
        if used is None:
            used = self._count_memory()
        self.used = max(self.used, used)
        return used

    def _count_memory(self) -> int:
        match self._process:
            case None:
                return 0
            case Forked(pid=pid, inherited=inherited):
                return sum(anonymous_memory(child, inherited) for child in children(pid))
            case process:
                return anonymous_memory(process.pid)

    def kill(self, why: str = "FAILURE") -> None:
        """Ends the runtime; extensions hear of it when the environment is closed."""
        self.ended = True
        self._why = why
        if self._supervisor is not None:
            self._supervisor.signal_runtime("KILL")
        else:
            self._kill_all()

    async def close(self) -> None:
        """Ends what is left of it; extensions get a moment for that. May be called again."""
        self.ended = True
        if self._exit is not None:
            if not self._exit.done():
                await self._shut_down(self._exit)
            self._kill_all()
            await self._await_end(self._exit)
        if self._closed:
            return
        self._closed = True
        self.api.close()
        if self._supervisor is not None:
            self._supervisor.close()
        if self._cgroup is not None:
            self._cgroups.remove(self._cgroup)

    async def _registered(self) -> None:
        """Waits for the extensions, unless the whole environment ends before."""
        waiting = asyncio.ensure_future(self.extensions.all_registered())
        await asyncio.wait((waiting, self.api.ready), return_when=asyncio.FIRST_COMPLETED)
        if not waiting.done():
            waiting.cancel()
        else:
            await waiting

    async def _shut_down(self, process_exit: asyncio.Task[None]) -> None:
        """Tells the runtime by a signal, and extensions by an event; returns when they have ended, or their time has.

        Without extensions nobody is told.
        """
        if not self.extensions:
            return
        await self._telemetry.flush()
        if self._supervisor is not None:
            self._supervisor.signal_runtime("TERM")
        if self.extensions.tell_of_end(self._why, self._clock.now() + _SHUTDOWN_SECONDS):
            ended = asyncio.ensure_future(self.extensions.all_ended())
            await asyncio.wait((ended, process_exit), timeout=_SHUTDOWN_SECONDS, return_when=asyncio.FIRST_COMPLETED)
            ended.cancel()
        elif self.extensions.has_internal and self._supervisor is None:
            for runtime in self._runtime_processes():
                with contextlib.suppress(ProcessLookupError):
                    os.kill(runtime, signal.SIGTERM)
            await asyncio.wait((process_exit,), timeout=_INTERNAL_SHUTDOWN_SECONDS)

    def _runtime_processes(self) -> list[int]:
        """The runtime is a child of the first process of its sandbox; bubblewrap stays outside as well."""
        if self._process is None:
            return []
        first = [self._process.pid] if isinstance(self._process, Forked) else children(self._process.pid)
        return [child for process in first for child in children(process)]

    def _kill_all(self) -> None:
        """Ends the first process inside the sandbox, and with it all others; bubblewrap sees that and ends too."""
        if self._process is not None and self._process.returncode is None:
            for child in children(self._process.pid) or [self._process.pid]:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(child, signal.SIGKILL)

    def _fail(self, reason: Ended) -> None:
        self.ended = True
        self.api.fail(reason)

    def _runtime_ended(self, status: int) -> None:
        """Tells why, in the words for its exit status or the signal that ended it."""
        if self._why == "SPINDOWN":
            self._why = "FAILURE"
        out_of_memory = self._is_out_of_memory or self._cgroups.was_exceeded(self._cgroup)
        self._fail(Ended(_reason(status), OUT_OF_MEMORY if out_of_memory else EXIT_ERROR))

    async def _execute(self, variables: Mapping[str, str], output: int) -> asyncio.subprocess.Process:
        supervisor = self._supervisor
        confined = self._sandbox.confine(
            self._function, self._launcher, variables, self._user, supervised=supervisor is not None
        )
        command = confined.command
        if self._cgroup is not None:
            # It joins the group before it becomes what it is to be, so that all its children are in it.
            join = 'echo $$ > "$0" && exec "$@"'
            command = ["/bin/sh", "-c", join, str(self._cgroup / "cgroup.procs"), *command]
        stdin = memory_file(confined.variables) if supervisor is None else supervisor.stdin
        try:
            return await asyncio.create_subprocess_exec(
                *command,
                stdin=stdin,
                stdout=output,
                stderr=output if supervisor is None else supervisor.stderr,
                env=confined.environment,
                cwd=confined.folder,
                pass_fds=confined.descriptors,
                start_new_session=True,
            )
        finally:
            for descriptor in confined.descriptors:
                os.close(descriptor)
            if supervisor is None:
                os.close(stdin)
            else:
                supervisor.started()
                supervisor.order(f"{confined.variables}.\n")

    async def _await_exit(self, process: asyncio.subprocess.Process | Forked) -> None:
        self._runtime_ended(await process.wait())

    async def _await_end(self, process_exit: asyncio.Task[None]) -> None:
        """What has not ended by itself soon is killed with its whole group."""
        done, _ = await asyncio.wait((process_exit,), timeout=_END_SECONDS)
        if not done and self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            await process_exit

    def _check_memory(self) -> None:
        began = self._loop.time()
        if self.sample_memory() > self._function.memory << 20:
            self._is_out_of_memory = True
            self.kill()
        else:
            # A function with very many processes does not get all of Cloudlet's time.
            self._watch_again(max(_WATCH_SECONDS, _WATCH_SHARE * (self._loop.time() - began)))

    def _watch_again(self, seconds: float) -> None:
        self._watch = self._loop.call_later(seconds, self._check_memory)


def _external_extensions(function: FunctionVersion) -> frozenset[str]:
    """The programs that a layer brings as extensions."""
    folder = function.layers and function.layers / "extensions"
    if not folder or not folder.is_dir():
        return frozenset()
    return frozenset(path.name for path in folder.iterdir() if path.is_file() and os.access(path, os.X_OK))


def _reason(status: int) -> str:
    """bubblewrap exits with 128 + the number of the signal that ended its child, but so do programs by themselves."""
    number = -status if status < 0 else status - 128
    if number in _SIGNALS:
        return f"Runtime exited with error: signal: {_SIGNALS[signal.Signals(number)]}"
    if status == 0:
        return "Runtime exited without providing a reason"
    return f"Runtime exited with error: exit status {status}"
