"""Fast cold starts: execution environments of Python functions are forked from a process that is warm already.

The zygote (`nursery.py`) runs in a sandbox of its own and has loaded the runtime interface client and boto3. What it
cannot do is done in the ordinary way: `fork` answers None then. Messages are JSON, one per packet:

    to it    {"code", "layers", "tmp" (bytes), "user", "passwd", "variables"} and descriptors: the output, the cgroup
    from it  {"pid"} or {"error"} for each request: for the first one before it warms up, for the others afterwards,
             {"modules", "memory" (bytes)} once it is warm, {"ended" (pid), "status"} for each process
"""

import asyncio
import contextlib
import logging
import os
import signal
import socket
from collections import deque
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import orjson

from cloudlet.runtime.function import FunctionVersion
from cloudlet.runtime.languages import Launcher
from cloudlet.runtime.sandbox import Bubblewrap, passwd_file

_log = logging.getLogger(__name__)

_WARM_SECONDS = 30.0
# An environment waits no longer for it to get warm, and the only one asked for not at all while it has just begun.
_PATIENCE_SECONDS = 5.0
_JUST_BEGUN_SECONDS = 0.1
_ANSWER_SECONDS = 5.0
_END_SECONDS = 2.0
_MESSAGE = 1 << 16
_STANDARD_ERROR = 2
# The anonymous memory of a Python that has loaded nothing but the runtime interface client.
_INTERPRETER = 6 << 20
# An interpreter, the dynamic loader, or a default session reads these when it starts: that is over in a fork.
_READ_EARLY = ("PYTHON", "LD_", "LC_", "LANG", "MALLOC_", "GLIBC_", "OPENSSL_", "AWS_DATA_PATH", "AWS_CONFIG_FILE")
# What starts the runtime in the function's own way.
_WRAPPER = "AWS_LAMBDA_EXEC_WRAPPER"


class Forked:
    """A process that the zygote started: the first one of a sandbox, with the function's as its child.

    `inherited` are bytes of memory that it shares with the zygote, and that a plain interpreter would not have.
    """

    def __init__(self, pid: int, inherited: int) -> None:
        self.pid = pid
        self.inherited = inherited
        self.returncode: int | None = None
        self._end: asyncio.Future[int] = asyncio.get_running_loop().create_future()

    async def wait(self) -> int:
        """Its exit status; minus the number of the signal that ended it."""
        return await asyncio.shield(self._end)

    def end(self, status: int) -> None:
        self.returncode = status
        if not self._end.done():
            self._end.set_result(status)


class ZygoteError(Exception):
    """It has ended, or could not do what it was asked for."""


class Zygote:
    """Is started by `warm_up`, and again after its end. Its processes end with it, and it ends with Cloudlet."""

    def __init__(self, sandbox: Bubblewrap, launcher: Launcher) -> None:
        assert launcher.interpreter is not None
        self._sandbox = sandbox
        self._launcher = launcher
        self._site_packages = f"python/lib/python{_dotted(launcher.interpreter.version)}/site-packages"
        self._works = True
        self.is_warm = False
        self._life: asyncio.Task[None] | None = None
        self._began = self._last_wanted = 0.0
        self._is_overtaken = False
        # Done when it is warm, or will not be.
        self._settled: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._socket: socket.socket | None = None
        self._modules: frozenset[str] = frozenset()
        self._inherited = 0
        # It answers one request after another.
        self._answers: deque[asyncio.Future[dict[str, Any]]] = deque()
        self._forked: dict[int, Forked] = {}

    def warm_up(self) -> None:
        """Returns at once."""
        loop = asyncio.get_running_loop()
        self._last_wanted = loop.time()
        if self._works and not self.is_alive:
            self._began, self._is_overtaken, self._settled = loop.time(), False, loop.create_future()
            self._life = loop.create_task(self._live())

    @property
    def is_alive(self) -> bool:
        return self._life is not None and not self._life.done()

    def retire(self, before: float) -> None:
        """Ends it if nobody has wanted it since then (in the event loop's time), and none of its processes is left."""
        if self._life is not None and self.is_warm and self._last_wanted < before and not self._forked:
            self._life.cancel()

    async def get_ready(self, function: FunctionVersion) -> None:
        """Returns when there is nothing to be gained by waiting any longer before the function is started.

        Getting warm takes about as long as starting one function that imports boto3, so that it is worth waiting for:
        starting several at once in the ordinary way would take each of them longer, and the zygote too.
        """
        self.warm_up()
        if self._settled.done() or not self._works or not self._suits(function):
            return
        if not self._is_overtaken and asyncio.get_running_loop().time() < self._began + _JUST_BEGUN_SECONDS:
            self._is_overtaken = True
            return
        await asyncio.wait((self._settled,), timeout=_PATIENCE_SECONDS)

    async def fork(
        self,
        function: FunctionVersion,
        variables: Mapping[str, str],
        user: int | None,
        output: int,
        cgroup: Path | None,
    ) -> Forked | None:
        """None if this function, or any at the moment, is to start in the ordinary way."""
        self.warm_up()
        if not self.is_warm or not self._suits(function):
            return None
        request = {
            "code": str(function.code.resolve()),
            "layers": str(function.layers.resolve()) if function.layers else None,
            "tmp": function.ephemeral_storage << 20,
            "user": user,
            "passwd": passwd_file(user),
            "variables": variables,
        }
        try:
            return await self._request(request, output, cgroup)
        except (OSError, TimeoutError, ZygoteError) as error:
            _log.warning("the zygote did not fork", extra={"reason": str(error)})
            return None

    async def close(self) -> None:
        """Returns when it has ended."""
        self._works = False
        if self._life is not None:
            if not self._life.cancelling():
                self._life.cancel()
            await asyncio.gather(self._life, return_exceptions=True)

    async def _live(self) -> None:
        ours, its = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        ours.setblocking(False)
        self._socket = ours
        process: asyncio.subprocess.Process | None = None
        try:
            with its:
                process = await asyncio.create_subprocess_exec(
                    *self._sandbox.zygote_command(self._launcher),
                    stdin=its.fileno(),
                    stdout=asyncio.subprocess.DEVNULL,
                    start_new_session=True,
                )
            await self._get_warm(ours)
            await process.wait()
        except Exception:  # noqa: BLE001 - whatever it is, functions can start without it
            _log.warning("functions start without a zygote", exc_info=True)
            self._works = False
        finally:
            self._forget()
            if process is not None:
                await _await_end(process)

    async def _get_warm(self, ours: socket.socket) -> None:
        asyncio.get_running_loop().add_reader(ours, self._receive, ours)
        async with asyncio.timeout(_WARM_SECONDS):
            trial = await self._try_out()
            warm = await self._next_answer()
            status = await trial.wait()
        if status != 0:
            raise ZygoteError(f"a forked process ended with {status}")
        self._modules = frozenset(warm["modules"])
        self._inherited = max(0, warm["memory"] - _INTERPRETER)
        self.is_warm = True
        self._settled.set_result(None)

    async def _try_out(self) -> Forked:
        """Not every machine allows every step: a process that does nothing has to come to a good end."""
        nothing = {"code": "/usr", "layers": None, "tmp": 4096, "passwd": "", "variables": None}
        self._send({**nothing, "user": self._sandbox.take_user()}, _STANDARD_ERROR, None)
        return _forked(await self._next_answer())

    def _suits(self, function: FunctionVersion) -> bool:
        """Not if it brings its own version of something loaded, or settings for what has started already."""
        if any(name.startswith(_READ_EARLY) or name == _WRAPPER for name in function.variables):
            return False
        folders = [function.code]
        if function.layers is not None:
            folders += [function.layers / "python", function.layers / self._site_packages]
        for folder in folders:
            with contextlib.suppress(FileNotFoundError, NotADirectoryError):
                if any(name.partition(".")[0] in self._modules for name in os.listdir(folder)):
                    return False
        return True

    async def _request(self, request: dict[str, Any], output: int, cgroup: Path | None) -> Forked:
        self._send(request, output, cgroup)
        async with asyncio.timeout(_ANSWER_SECONDS):
            return _forked(await self._next_answer())

    def _send(self, request: dict[str, Any], output: int, cgroup: Path | None) -> None:
        if self._socket is None:
            raise ZygoteError("it has ended")
        with contextlib.ExitStack() as opened:
            descriptors = [output]
            if cgroup is not None:
                descriptors.append(opened.enter_context(open(cgroup / "cgroup.procs", "wb")).fileno())
            socket.send_fds(self._socket, [orjson.dumps(request)], descriptors)

    def _next_answer(self) -> asyncio.Future[dict[str, Any]]:
        answer: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
        self._answers.append(answer)
        return answer

    def _receive(self, ours: socket.socket) -> None:
        with contextlib.suppress(BlockingIOError):
            while self._socket is ours:
                try:
                    message = ours.recv(_MESSAGE)
                except ConnectionResetError:
                    message = b""
                if message:
                    self._take(orjson.loads(message))
                else:
                    self._forget()

    def _take(self, message: dict[str, Any]) -> None:
        if "ended" in message:
            self._forked.pop(message["ended"]).end(message["status"])
            return
        answer = self._answers.popleft()
        if "pid" in message:
            message["forked"] = self._forked[message["pid"]] = Forked(message["pid"], self._inherited)
        if not answer.done():
            answer.set_result(message)
        elif "pid" in message:
            os.kill(message["pid"], signal.SIGKILL)  # whoever wanted it has gone

    def _forget(self) -> None:
        """It has ended, or will now, and the kernel kills what it has started."""
        self.is_warm = False
        if not self._settled.done():
            self._settled.set_result(None)
        if self._socket is not None:
            asyncio.get_running_loop().remove_reader(self._socket)
            self._socket.close()
            self._socket = None
        while self._answers:
            answer = self._answers.popleft()
            if not answer.done():
                answer.set_exception(ZygoteError("it has ended"))
        forked, self._forked = self._forked, {}
        for process in forked.values():
            process.end(-signal.SIGKILL)


def _dotted(version: tuple[int, ...]) -> str:
    return ".".join(map(str, version))


def _forked(answer: dict[str, Any]) -> Forked:
    if "error" in answer:
        raise ZygoteError(answer["error"])
    return answer["forked"]


async def _await_end(process: asyncio.subprocess.Process) -> None:
    """It ends when it sees that nobody is at the other end of its socket."""
    try:
        async with asyncio.timeout(_END_SECONDS):
            await process.wait()
    except TimeoutError:
        process.kill()
        await process.wait()
