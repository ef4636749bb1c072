"""What DynamoDB measures of its tables, under AWS/DynamoDB."""

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from functools import lru_cache
from time import perf_counter
from typing import Any

from cloudlet.core.clock import Clock
from cloudlet.core.context import Call
from cloudlet.core.errors import AwsError
from cloudlet.core.metrics import DimensionSets, Metrics, Recorder
from cloudlet.core.service import Handler
from cloudlet.services.dynamodb.capacity import Consumed, write_units
from cloudlet.services.dynamodb.tables import Table, name_in_arn
from cloudlet.services.dynamodb.writes import Outcome, Write

_NAMESPACE = "AWS/DynamoDB"
MEASURED = frozenset(
    {
        "BatchGetItem",
        "BatchWriteItem",
        "DeleteItem",
        "GetItem",
        "PutItem",
        "Query",
        "Scan",
        "TransactGetItems",
        "TransactWriteItems",
        "UpdateItem",
    }
)
_WRITTEN = "ConsumedWriteCapacityUnits"
_THROTTLED = frozenset({"ProvisionedThroughputExceededException", "ThrottlingException", "RequestLimitExceeded"})
# Refusals that have metrics of their own, and are no errors of the user.
_REFUSED = {
    "ConditionalCheckFailedException": "ConditionalCheckFailedRequests",
    "TransactionConflictException": "TransactionConflict",
}
_REASONS = {"ConditionalCheckFailed": "ConditionalCheckFailedRequests", "TransactionConflict": "TransactionConflict"}


class Measures:
    def __init__(self, metrics: Metrics, clock: Clock) -> None:
        self._metrics = metrics
        self._clock = clock
        self._latency = lru_cache(4096)(self._latency_recorder)
        self._capacity = lru_cache(4096)(self._capacity_recorder)

    def read(self, table: Table, units: float, index: str | None = None) -> None:
        self._consumed(table, "ConsumedReadCapacityUnits", units, index)

    def wrote(self, writes: Sequence[Write], outcomes: Sequence[Outcome], *, factor: int = 1) -> None:
        """`factor` is 2 in transactions."""
        consumed: dict[int, Consumed] = {}
        for write, outcome in zip(writes, outcomes, strict=True):
            table = write.table
            consumed.setdefault(table.id, Consumed(table, "NONE", factor)).add_outcome(outcome)
        for used in consumed.values():
            self._consumed(used.table, _WRITTEN, used.units, None)
            for index, units in used.by_index.items():
                self._consumed(used.table, _WRITTEN, units, index)

    def wrote_blindly(self, table: Table, size: int) -> None:
        """An item, whatever was there before: what that was is not known."""
        self._consumed(table, _WRITTEN, write_units(0, size), None)

    def measured(self, operation: str, handler: Handler) -> Callable[[Call, Any], Awaitable[Any]]:
        """The operation, with the time that it takes and what comes of it recorded."""

        async def run(call: Call, params: Any) -> Any:
            started = perf_counter()
            try:
                output = await handler(call, params)
            except AwsError as error:
                self._failed(call, operation, params, error)
                raise
            self._answered(call, operation, params, output, perf_counter() - started)
            return output

        return run

    def _answered(self, call: Call, operation: str, params: Any, output: Any, seconds: float) -> None:
        milliseconds = int(seconds * 100_000) / 100
        for table in _tables(params):
            self._latency(call.account, call.region, table, operation).add(milliseconds, call.time)
            if operation in ("Query", "Scan"):
                dimensions = _of_operation(table, operation)
                self._record(call, "ReturnedItemCount", dimensions, float(output["Count"]), "Count")

    def _failed(self, call: Call, operation: str, params: Any, error: AwsError) -> None:
        if error.status >= 500:
            for table in _tables(params):
                self._record(call, "SystemErrors", _of_operation(table, operation), 1.0, "Count")
        elif error.code in _THROTTLED:
            for table in _tables(params):
                self._record(call, "ThrottledRequests", _of_operation(table, operation), 1.0, "Count")
        elif error.code in _REFUSED:
            for table in _tables(params):
                self._record(call, _REFUSED[error.code], _of_table(table), 1.0, "Count")
        elif error.code == "TransactionCanceledException":
            self._cancelled(call, params, error)
        else:
            self._record(call, "UserErrors", _NO_DIMENSIONS, 1.0, "Count")

    def _cancelled(self, call: Call, params: Any, error: AwsError) -> None:
        for item, reason in zip(params["TransactItems"], error.fields.get("CancellationReasons", ()), strict=False):
            name = _REASONS.get(reason.get("Code", ""))
            if name is not None:
                for each in item.values():
                    self._record(call, name, _of_table(_bare(each["TableName"])), 1.0, "Count")

    def _record(self, call: Call, name: str, dimensions: DimensionSets, value: float, unit: str) -> None:
        place = (call.account, call.region)
        self._metrics.record(place, _NAMESPACE, name, dimensions, value, unit, call.time)

    def _consumed(self, table: Table, name: str, units: float, index: str | None) -> None:
        self._capacity(table.account, table.region, table.name, name, index).add(units, self._clock.now())

    def _capacity_recorder(self, account: str, region: str, table: str, name: str, index: str | None) -> Recorder:
        dimensions = _of_table(table) if index is None else _of_index(table, index)
        return self._metrics.recorder((account, region), _NAMESPACE, name, dimensions, "Count")

    def _latency_recorder(self, account: str, region: str, table: str, operation: str) -> Recorder:
        dimensions = _of_operation(table, operation)
        return self._metrics.recorder(
            (account, region), _NAMESPACE, "SuccessfulRequestLatency", dimensions, "Milliseconds"
        )


_NO_DIMENSIONS: DimensionSets = ((),)


@lru_cache(4096)
def _of_table(table: str) -> DimensionSets:
    return ((("TableName", table),),)


@lru_cache(4096)
def _of_index(table: str, index: str) -> DimensionSets:
    return ((("GlobalSecondaryIndexName", index), ("TableName", table)),)


@lru_cache(4096)
def _of_operation(table: str, operation: str) -> DimensionSets:
    return ((("Operation", operation), ("TableName", table)),)


def _tables(params: Mapping[str, Any]) -> Collection[str]:
    """The names of the tables that a request is about, each once."""
    given = params.get("TableName")
    if given is not None:
        return (given,) if given[:4] != "arn:" else (_bare(given),)
    if "RequestItems" in params:
        return {_bare(name) for name in params["RequestItems"]}
    return {_bare(each["TableName"]) for item in params.get("TransactItems", ()) for each in item.values()}


def _bare(given: str) -> str:
    return (name_in_arn(given) or given) if given.startswith("arn:") else given
