"""One execution environment: it is initialised once, and serves one invocation at a time."""

import asyncio
import time
from datetime import UTC, datetime

import orjson

from cloudlet.core.clock import Clock
from cloudlet.runtime.failures import Ended, FunctionError, InitError, ResponseTooLarge
from cloudlet.runtime.function import FunctionVersion, Invocation, Outcome
from cloudlet.runtime.instance import OUT_OF_MEMORY, Instance
from cloudlet.runtime.languages import EntrypointMissing, Launcher
from cloudlet.runtime.memory import Cgroups
from cloudlet.runtime.output import Output, WriteLog
from cloudlet.runtime.platform_lines import TIMEOUT, InitReport, Report
from cloudlet.runtime.sandbox import Bubblewrap, Unconfined
from cloudlet.runtime.telemetry import Telemetry
from cloudlet.runtime.zygotes import Zygotes

# Loading the function may take this long before it has to begin again, in the time of the invocation itself.
_INIT_SECONDS = 10.0
_ENTRYPOINT = "Runtime.InvalidEntrypoint"
_UNHANDLED = "Unhandled"
_UNKNOWN = "Runtime.Unknown"


class ExecutionEnvironment:
    """`expires` is when its credentials end (epoch seconds), `idle_since` in the event loop's time.

    `ended` says that it is of no use any more.
    """

    def __init__(
        self,
        function: FunctionVersion,
        launcher: Launcher,
        log_stream: str,
        sandbox: Bubblewrap | Unconfined,
        zygotes: Zygotes | None,
        cgroups: Cgroups,
        clock: Clock,
        write: WriteLog,
    ) -> None:
        self.function = function
        self.log_stream = log_stream
        self.expires = 0.0
        self.idle_since = 0.0
        self.ended = False
        self._clock = clock
        self._loop = asyncio.get_running_loop()
        self._telemetry = telemetry = Telemetry(clock)
        self._output = Output(clock, function.log_format, write, telemetry)
        self._new_instance = lambda: Instance(function, launcher, sandbox, zygotes, cgroups, clock, telemetry)
        self._instance = self._new_instance()
        self._variables: dict[str, str] = {}
        self._failure: BaseException | None = None
        self._init_duration: float | None = None
        self._closed = False

    @property
    def is_spent(self) -> bool:
        """It is of no use any more."""
        return self.ended or (self._instance.ended and self._failure is None)

    @property
    def has_failed(self) -> bool:
        """The function did not load when it was last tried."""
        return self._failure is not None

    async def initialise(self, variables: dict[str, str]) -> None:
        """Starts the runtime and waits until the function is loaded.

        If it does not load, nobody hears of that yet: the first invocation tries once more, in its own time.
        """
        self._variables = variables
        began = time.perf_counter()
        try:
            async with asyncio.timeout(_INIT_SECONDS):
                await self._load()
        except (InitError, Ended, EntrypointMissing, TimeoutError) as failure:
            self._failure = failure
            await self._instance.close()
            self._report_init(began, "init", failure)
        else:
            self._init_duration = time.perf_counter() - began
            self._tell_of_init(InitReport(self._init_duration, "init", None))

    async def invoke(self, invocation: Invocation) -> Outcome:
        """Runs one invocation to its end, whatever that is."""
        function, output = self.function, self._output
        output.drain()
        output.start(invocation.request_id, function.version)
        began = time.perf_counter()
        payload, error = await self._run(invocation)
        duration = time.perf_counter() - began
        self._instance.sample_memory()
        output.drain()
        if error == TIMEOUT:
            now = datetime.fromtimestamp(self._clock.now(), UTC).isoformat(timespec="milliseconds")[:23]
            duration = float(function.timeout)
            output.add(f"{now}Z {invocation.request_id} {_timed_out(function)}\n\n")
        elif error is not None and error != _UNHANDLED:
            output.add(f"{orjson.loads(payload)['errorMessage']}\n{error}\n")
        init, self._init_duration = self._init_duration, None
        kind = None if error == _UNHANDLED else error
        used = function.memory << 20 if error == OUT_OF_MEMORY else self._instance.used
        output.end(Report(invocation.request_id, duration, function.memory, used, init, kind))
        self._loop.call_soon(output.flush)
        return Outcome(payload, error is not None, output.tail())

    async def close(self) -> None:
        """Kills what is left of it. May be called again."""
        self.ended = True
        await self._instance.close()
        if not self._closed:
            self._closed = True
            self._output.close()
            self._telemetry.close()

    async def _load(self) -> None:
        instance = self._instance
        try:
            self._telemetry.open()
            record = {"functionName": self.function.name, "functionVersion": self.function.version}
            self._telemetry.platform("initStart", {"initializationType": "on-demand", "phase": "init", **record})
            await instance.start(self._variables, self._output.writer)
            instance.watch_memory()
            await instance.ready()
            self._telemetry.close_subscriptions()
        finally:
            instance.stop_watching()

    async def _load_again(self) -> None:
        """The attempt before has failed: this one takes part of the invocation's time."""
        await self._instance.close()
        self._instance = self._new_instance()
        began = time.perf_counter()
        try:
            await self._load()
        except (InitError, Ended, EntrypointMissing, asyncio.CancelledError) as failure:
            self._failure = failure
            self._instance.kill()
            self._report_init(began, "invoke", failure)
            raise
        self._failure = None
        self._tell_of_init(InitReport(time.perf_counter() - began, "invoke", None))

    async def _run(self, invocation: Invocation) -> tuple[bytes, str | None]:
        """The payload, and the type of error if it is one."""
        function = self.function
        deadline = self._clock.now() + function.timeout
        try:
            async with asyncio.timeout(function.timeout):
                return await self._hand_over(invocation, deadline), None
        except InitError as error:
            return error.payload, _UNHANDLED
        except ResponseTooLarge as error:
            self.ended = True
            return error.payload, _UNHANDLED
        except FunctionError as error:
            return error.payload, _UNHANDLED
        except TimeoutError:
            self.ended = True
            self._instance.kill("TIMEOUT")
            return _error(TIMEOUT, invocation, _timed_out(function)), TIMEOUT
        except Ended as error:
            return _error(error.kind, invocation, str(error)), error.kind
        except EntrypointMissing as error:
            return _error(_ENTRYPOINT, invocation, str(error)), _ENTRYPOINT

    async def _hand_over(self, invocation: Invocation, deadline: float) -> bytes:
        """The response. A runtime that has ended behind its last answer is started again."""
        if self._failure is None:
            try:
                return await self._ask(invocation, deadline)
            except Ended:
                if self._instance.api.has_handed_over:
                    raise
        await self._load_again()
        return await self._ask(invocation, deadline)

    async def _ask(self, invocation: Invocation, deadline: float) -> bytes:
        """With extensions, the invocation ends when the last of them waits for another one."""
        instance = self._instance
        instance.watch_memory()
        began = time.perf_counter()
        try:
            payload = await instance.api.invoke(invocation, deadline)
            self._tell_of_response(invocation, began, len(payload), "success")
            if instance.extensions:
                await instance.api.polling()
                await instance.extensions.all_done()
            return payload
        except FunctionError:
            self._tell_of_response(invocation, began, 0, "error")
            raise
        finally:
            instance.stop_watching()

    def _tell_of_response(self, invocation: Invocation, began: float, size: int, status: str) -> None:
        metrics = {"durationMs": round((time.perf_counter() - began) * 1000, 3), "producedBytes": size}
        record = {"requestId": invocation.request_id, "status": status, "metrics": metrics}
        self._output.drain()
        self._telemetry.platform("runtimeDone", record)

    def _tell_of_init(self, report: InitReport) -> None:
        record = {"initializationType": "on-demand", "phase": report.phase, "status": "success"}
        self._telemetry.platform("initRuntimeDone", record)
        self._telemetry.platform("initReport", report.record)

    def _report_init(self, began: float, phase: str, failure: BaseException) -> None:
        self._output.drain()
        match failure:
            case InitError():
                kind = _error_type(failure.payload)
            case Ended():
                kind = failure.kind
            case EntrypointMissing():
                kind = _ENTRYPOINT
            case _:
                kind = TIMEOUT
        self._output.report_init(InitReport(time.perf_counter() - began, phase, kind))


def _timed_out(function: FunctionVersion) -> str:
    return f"Task timed out after {function.timeout:.2f} seconds"


def _error(kind: str, invocation: Invocation, message: str) -> bytes:
    return orjson.dumps({"errorType": kind, "errorMessage": f"RequestId: {invocation.request_id} Error: {message}"})


def _error_type(payload: bytes) -> str:
    try:
        found = orjson.loads(payload)
    except orjson.JSONDecodeError:
        return _UNKNOWN
    return str(found.get("errorType", _UNKNOWN)) if isinstance(found, dict) else _UNKNOWN
