"""What pollers of all kinds of event sources share: the mapping, its function, its role, and an orderly end."""

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import orjson

from cloudlet.core.errors import AwsError
from cloudlet.core.ids import request_id
from cloudlet.core.service import Cloud
from cloudlet.runtime import Invocation, Outcome
from cloudlet.services.lambda_.catalog import Catalog
from cloudlet.services.lambda_.events import Events
from cloudlet.services.lambda_.execution import Execution, route
from cloudlet.services.lambda_.filters import compile_filters
from cloudlet.services.lambda_.names import FunctionKey, Reference, parse_arn
from cloudlet.services.lambda_.roles import Roles
from cloudlet.store import Store

_log = logging.getLogger(__name__)

_LONGEST_PAUSE = 60.0
# The payload of an invocation may be this large; records are gathered up to it.
LARGEST_BATCH = 6 * 1024 * 1024


def back_off(failures: int, first: float) -> float:
    """Seconds to wait after so many failures in a row; `first` after one."""
    return min(first * 2.0 ** min(max(failures - 1, 0), 16), _LONGEST_PAUSE)


class Surroundings:
    """What a poller works with."""

    def __init__(
        self, cloud: Cloud, store: Store, catalog: Catalog, execution: Execution, events: Events, roles: Roles
    ) -> None:
        self.cloud = cloud
        self.store = store
        self.catalog = catalog
        self.execution = execution
        self.events = events
        self.roles = roles


class Poller:
    """Reads an event source and invokes the function until it is stopped. `result` is the last one, for people."""

    def __init__(self, around: Surroundings, uuid: str, mapping: Mapping[str, Any]) -> None:
        self._around = around
        self._uuid = uuid
        self._mapping = mapping
        self._reference: Reference = parse_arn(mapping["FunctionArn"])
        self._source: str = mapping["EventSourceArn"]
        self._region = self._source.split(":")[3]
        self._matches = compile_filters(mapping.get("FilterCriteria"))
        self._reports_failures = "ReportBatchItemFailures" in mapping.get("FunctionResponseTypes", ())
        self._stopping = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self.result = "No records processed"

    @property
    def key(self) -> FunctionKey:
        return self._reference.key

    def start(self) -> None:
        self._task = asyncio.create_task(self._retry(self._poll), name=f"event-source-mapping-{self._uuid}")

    async def stop(self) -> None:
        """Takes up no more records; returns when those under way are done with."""
        self._stopping.set()
        self._wake()
        if self._task is not None:
            await asyncio.wait((self._task,))

    def _wake(self) -> None:
        """Ends a wait for records."""

    async def _poll(self) -> None:
        """Works until stopped."""
        raise NotImplementedError

    async def _retry(self, work: Callable[[], Awaitable[None]]) -> None:
        """Does the work, again after an error, until it ends or the poller is stopped."""
        loop = asyncio.get_running_loop()
        failures = 0
        while not self._stopping.is_set():
            began = loop.time()
            try:
                return await work()
            except AwsError as error:
                self.result = f"PROBLEM: {error.message}"
                _log.warning("an event source cannot be read", extra={"source": self._source, "reason": str(error)})
            except Exception:  # noqa: BLE001 - the boundary of a background task: logged, and tried again
                self.result = "PROBLEM: internal Lambda error."
                _log.exception("an event source cannot be read", extra={"source": self._source})
            # What went well for a while has not been failing until now.
            failures = 0 if loop.time() - began > _LONGEST_PAUSE else failures + 1
            await self._pause(back_off(failures, 1.0))
        return None

    async def _pause(self, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._stopping.wait()

    async def _call(self, api: str, operation: str, params: dict[str, Any]) -> Any:
        """As the function's role."""
        function = self._around.catalog.get(self._reference)
        session = await self._around.roles.session(self.key, function.latest.configuration["Role"])
        return await self._around.cloud.call(api, operation, params, as_=session.principal, region=self._region)

    async def _invoke(self, records: list[dict[str, Any]], trace_id: str | None = None) -> "Attempt":
        """Raises AwsError where the function cannot be invoked now."""
        around = self._around
        function = around.catalog.get(self._reference)
        version = route(function, self._reference)
        id_ = request_id()
        payload = orjson.dumps({"Records": records})
        invocation = Invocation(id_, self._reference.arn, payload, trace_id=trace_id)
        outcome = await around.execution.invoke(function, version, invocation)
        self.result = "PROBLEM: Function call failed" if outcome.failed else "OK"
        return Attempt(id_, version.version, outcome, self._failed_items(outcome))

    def _failed_items(self, outcome: Outcome) -> frozenset[str] | None:
        """What the function reports as failed; None if all of it has, or the report makes no sense."""
        if outcome.failed:
            return None
        if not self._reports_failures:
            return frozenset()
        try:
            answer = orjson.loads(outcome.payload or b"null")
            failed = [entry["itemIdentifier"] for entry in answer["batchItemFailures"] or ()] if answer else []
        except (KeyError, TypeError, orjson.JSONDecodeError):
            return None
        if not all(isinstance(identifier, str) and identifier for identifier in failed):
            return None
        return frozenset(failed)


class Attempt:
    """One invocation with a batch. `failed_items` is None if the whole batch failed."""

    __slots__ = ("failed_items", "outcome", "request_id", "version")

    def __init__(self, request_id: str, version: str, outcome: Outcome, failed_items: frozenset[str] | None) -> None:
        self.request_id = request_id
        self.version = version
        self.outcome = outcome
        self.failed_items = failed_items
