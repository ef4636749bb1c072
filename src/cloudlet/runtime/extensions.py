"""The Extensions API of one execution environment: who has registered for what, and who has asked for the next event.

External extensions are programs of layers, which are known by name before they register; internal ones are parts of
the runtime's own process. An extension that asks for the next event is done with the one before.
"""

import asyncio
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import orjson

from cloudlet.runtime.api_connection import Connection, Request
from cloudlet.runtime.failures import Ended
from cloudlet.runtime.function import FunctionVersion, Invocation
from cloudlet.runtime.telemetry import InvalidSubscription, Telemetry

PREFIX = "/2020-01-01/extension/"
TELEMETRY = "/2022-07-01/telemetry"
INVOKE, SHUTDOWN = "INVOKE", "SHUTDOWN"
_EVENTS = {INVOKE, SHUTDOWN}
_MOST = 10
_OK = b'{"status":"OK"}'


@dataclass(slots=True)
class _Extension:
    name: str
    events: frozenset[str]
    external: bool
    waiting: Connection | None = None
    queue: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    ended: bool = False

    @property
    def is_done(self) -> bool:
        """Asks for an event, and there is none."""
        return self.ended or (self.waiting is not None and not self.queue)


class Extensions:
    """`expected` are the names of the external ones. `fail` is called when one of them has failed."""

    def __init__(
        self,
        function: FunctionVersion,
        telemetry: Telemetry,
        expected: frozenset[str],
        fail: Callable[[Ended], None],
    ) -> None:
        self._function = function
        self._telemetry = telemetry
        self._expected = expected
        self._report = fail
        self._failure: Ended | None = None
        self._registered: dict[str, _Extension] = {}
        self._is_open = True
        self._is_ending = False
        self._changed = asyncio.Event()

    def __bool__(self) -> bool:
        return bool(self._registered)

    @property
    def has_internal(self) -> bool:
        return any(not extension.external for extension in self._registered.values())

    async def all_registered(self) -> None:
        """Returns when every external extension has registered. Raises Ended."""
        await self._until(lambda: self._expected <= {extension.name for extension in self._registered.values()})

    async def all_done(self) -> None:
        """Returns when every extension asks for the next event. Raises Ended."""
        await self._until(lambda: all(extension.is_done for extension in self._registered.values()))

    async def all_ended(self) -> None:
        """Returns when no external extension that was told of the end still runs."""
        self._failure = None
        await self._until(lambda: all(extension.ended for extension in self._of(SHUTDOWN)))

    def close_registration(self) -> None:
        """The init phase is over."""
        self._is_open = False

    def tell_of_invocation(self, invocation: Invocation, deadline: float, trace_id: str) -> None:
        event = {
            "eventType": INVOKE,
            "deadlineMs": int(deadline * 1000),
            "requestId": invocation.request_id,
            "invokedFunctionArn": invocation.arn,
            "tracing": {"type": "X-Amzn-Trace-Id", "value": trace_id},
        }
        for extension in self._of(INVOKE):
            self._tell(extension, event)

    def tell_of_end(self, reason: str, deadline: float) -> bool:
        """`reason` is SPINDOWN, TIMEOUT or FAILURE. Says whether anybody wanted to know."""
        self._is_ending = True
        event = {"eventType": SHUTDOWN, "shutdownReason": reason, "deadlineMs": int(deadline * 1000)}
        told = self._of(SHUTDOWN)
        for extension in told:
            self._tell(extension, event)
        return bool(told)

    def end(self, name: str, status: int) -> None:
        """The program of an external extension has ended."""
        for extension in self._registered.values():
            if extension.name == name:
                extension.ended = True
        if not self._is_ending:
            self._fail("Extension.Crash", f"exit status {status}" if status <= 128 else f"signal {status - 128}")
        self._changed.set()

    def disconnected(self, connection: Connection) -> None:
        for extension in self._registered.values():
            if extension.waiting is connection:
                extension.waiting = None

    def handle(self, connection: Connection, request: Request) -> None:
        match request.method, request.path.removeprefix(PREFIX).partition("?")[0]:
            case "POST", "register":
                self._register(connection, request)
            case "GET", "event/next":
                self._next(connection, request)
            case "POST", ("init/error" | "exit/error") as step:
                self._take_error(connection, request, step)
            case _:
                _refuse(connection, 404, "Extension.NotFound", "Not found")

    def subscribe(self, connection: Connection, request: Request) -> None:
        """To telemetry."""
        extension = self._find(connection, request)
        if extension is None:
            return
        if not self._is_open:
            _refuse(connection, 403, "Telemetry.NotSupported", "Subscriptions are for the init phase only")
            return
        try:
            self._telemetry.subscribe(extension.name, orjson.loads(request.body))
        except (orjson.JSONDecodeError, InvalidSubscription) as error:
            _refuse(connection, 400, "ValidationError", str(error))
        else:
            connection.reply(200, b'"OK"')

    def _register(self, connection: Connection, request: Request) -> None:
        name = request.headers.get("lambda-extension-name", "")
        external = name in self._expected
        try:
            events = frozenset(orjson.loads(request.body or b"{}").get("events", []))
        except (orjson.JSONDecodeError, AttributeError, TypeError):
            _refuse(connection, 400, "Extension.InvalidRequestFormat", "InvalidRequestFormat")
            return
        if not name:
            _refuse(connection, 400, "Extension.InvalidExtensionName", "Empty extension name")
        elif not events <= _EVENTS or (not external and SHUTDOWN in events):
            _refuse(connection, 400, "Extension.InvalidEventType", f"Invalid event type for {name}")
        elif not self._is_open or any(known.name == name for known in self._registered.values()):
            _refuse(connection, 403, "Extension.InvalidExtensionState", f"{name} cannot register now")
        elif len(self._registered) >= _MOST:
            _refuse(connection, 403, "Extension.TooManyExtensions", f"Maximum limit of {_MOST} is reached")
        else:
            self._accept(connection, request, _Extension(name, events, external))

    def _accept(self, connection: Connection, request: Request, extension: _Extension) -> None:
        identifier = str(uuid.uuid4())
        self._registered[identifier] = extension
        function = self._function
        answer = {"functionName": function.name, "functionVersion": function.version, "handler": function.handler}
        if "accountId" in request.headers.get("lambda-extension-accept-feature", ""):
            answer["accountId"] = function.arn.split(":")[4]
        self._telemetry.platform(
            "extension", {"name": extension.name, "state": "Registered", "events": sorted(extension.events)}
        )
        headers = ("Content-Type: application/json", f"Lambda-Extension-Identifier: {identifier}")
        connection.reply(200, orjson.dumps(answer), headers)
        self._changed.set()

    def _next(self, connection: Connection, request: Request) -> None:
        extension = self._find(connection, request)
        if extension is not None:
            extension.waiting = connection
            if extension.queue:
                self._hand_over(extension)
            self._changed.set()

    def _take_error(self, connection: Connection, request: Request, step: str) -> None:
        if self._find(connection, request) is not None:
            connection.reply(202, _OK)
            kind = "Extension.InitError" if step == "init/error" else "Extension.ExitError"
            self._fail(request.headers.get("lambda-extension-function-error-type", kind), f"{kind}: {step}")

    def _find(self, connection: Connection, request: Request) -> _Extension | None:
        identifier = request.headers.get("lambda-extension-identifier")
        if identifier is None:
            _refuse(
                connection, 403, "Extension.MissingExtensionIdentifier", "Missing Lambda-Extension-Identifier header"
            )
            return None
        extension = self._registered.get(identifier)
        if extension is None:
            _refuse(connection, 403, "Extension.UnknownExtensionIdentifier", "Unknown extension " + identifier)
        return extension

    def _of(self, event: str) -> list[_Extension]:
        return [extension for extension in self._registered.values() if event in extension.events]

    def _tell(self, extension: _Extension, event: dict[str, Any]) -> None:
        extension.queue.append(event)
        if extension.waiting is not None:
            self._hand_over(extension)

    def _hand_over(self, extension: _Extension) -> None:
        connection, extension.waiting = extension.waiting, None
        if connection is not None:
            headers = ("Content-Type: application/json", f"Lambda-Extension-Event-Identifier: {uuid.uuid4()}")
            connection.reply(200, orjson.dumps(extension.queue.pop(0)), headers)

    def _fail(self, kind: str, message: str) -> None:
        self._failure = Ended(message, kind)
        self._report(self._failure)
        self._changed.set()

    async def _until(self, condition: Callable[[], bool]) -> None:
        while not condition():
            if self._failure is not None:
                raise self._failure
            self._changed.clear()
            await self._changed.wait()


def _refuse(connection: Connection, status: int, kind: str, message: str) -> None:
    connection.reply(status, orjson.dumps({"errorType": kind, "errorMessage": message}))
