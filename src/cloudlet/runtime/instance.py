"""The processes of an execution environment, from their start to their end."""

import asyncio
import contextlib
import os
import signal
from collections.abc import Mapping
from pathlib import Path

from cloudlet.runtime.function import FunctionVersion
from cloudlet.runtime.languages import Launcher
from cloudlet.runtime.memory import Cgroups
from cloudlet.runtime.processes import anonymous_memory, children
from cloudlet.runtime.runtime_api import RuntimeApi
from cloudlet.runtime.sandbox import Bubblewrap, Unconfined
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
EXIT_ERROR = "Runtime.ExitError"
OUT_OF_MEMORY = "Runtime.OutOfMemory"


class Ended(Exception):
    """The first process has exited; the reason in AWS's words. `kind` is the type of error."""

    def __init__(self, reason: str, kind: str = EXIT_ERROR) -> None:
        super().__init__(reason)
        self.kind = kind


class Instance:
    """`ended` says that it is of no use any more; `used` is the most memory that was seen, in bytes."""

    def __init__(
        self,
        function: FunctionVersion,
        launcher: Launcher,
        sandbox: Bubblewrap | Unconfined,
        zygotes: Zygotes | None,
        cgroups: Cgroups,
    ) -> None:
        self.api = RuntimeApi()
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
        self._closed = False

    async def start(self, variables: Mapping[str, str], output: int) -> None:
        """Returns when there is a process; `api.ready` tells when it has loaded the function.

        Raises EntrypointMissing.
        """
        function, launcher = self._function, self._launcher
        address = self.api.bind()
        given = launcher.variables(self._sandbox.places(function, launcher))
        everything = {**given, **variables, "AWS_LAMBDA_RUNTIME_API": address}
        self._cgroup = self._cgroups.create((function.memory + function.ephemeral_storage) << 20)
        if self._zygotes is not None:
            self._process = await self._zygotes.fork(function, launcher, everything, self._user, output, self._cgroup)
        if self._process is None:
            self._process = await self._execute(everything, output)
        self._exit = asyncio.create_task(self._await_exit(self._process))
        await self.api.serve(self._process.pid)

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

    def kill(self) -> None:
        """Ends the first process inside the sandbox, and with it all others; bubblewrap sees that and ends too."""
        self.ended = True
        if self._process is not None and self._process.returncode is None:
            for child in children(self._process.pid) or [self._process.pid]:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(child, signal.SIGKILL)

    async def close(self) -> None:
        """Kills what is left of it. May be called again."""
        self.kill()
        if self._exit is not None:
            await self._await_end(self._exit)
        if self._closed:
            return
        self._closed = True
        self.api.close()
        if self._cgroup is not None:
            self._cgroups.remove(self._cgroup)

    async def _execute(self, variables: Mapping[str, str], output: int) -> asyncio.subprocess.Process:
        confined = self._sandbox.confine(self._function, self._launcher, variables, self._user)
        command = confined.command
        if self._cgroup is not None:
            # It joins the group before it becomes what it is to be, so that all its children are in it.
            join = 'echo $$ > "$0" && exec "$@"'
            command = ["/bin/sh", "-c", join, str(self._cgroup / "cgroup.procs"), *command]
        try:
            return await asyncio.create_subprocess_exec(
                *command,
                stdin=confined.stdin,
                stdout=output,
                stderr=output,
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
        out_of_memory = self._is_out_of_memory or self._cgroups.was_exceeded(self._cgroup)
        self.api.fail(Ended(_reason(status), OUT_OF_MEMORY if out_of_memory else EXIT_ERROR))

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


def _reason(status: int) -> str:
    """bubblewrap exits with 128 + the number of the signal that ended its child, but so do programs by themselves."""
    number = -status if status < 0 else status - 128
    if number in _SIGNALS:
        return f"Runtime exited with error: signal: {_SIGNALS[signal.Signals(number)]}"
    if status == 0:
        return "Runtime exited without providing a reason"
    return f"Runtime exited with error: exit status {status}"
