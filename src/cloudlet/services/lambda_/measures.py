"""What Lambda measures of its functions, under AWS/Lambda."""

from functools import lru_cache

from cloudlet.core.clock import Clock
from cloudlet.core.metrics import DimensionSets, Metrics
from cloudlet.services.lambda_.names import FunctionKey

_NAMESPACE = "AWS/Lambda"
_ACCOUNT_ALONE: DimensionSets = ((),)


class Measures:
    def __init__(self, metrics: Metrics, clock: Clock) -> None:
        self._metrics = metrics
        self._clock = clock

    def invoked(self, key: FunctionKey, arn: str, version: str, seconds: float, *, failed: bool) -> None:
        """An invocation has ended. `arn` is the one that it was asked for by, `version` the one that ran."""
        now = self._clock.now()
        dimensions = _of_invocation(key.name, arn, version)
        place = (key.account, key.region)
        record = self._metrics.record
        record(place, _NAMESPACE, "Invocations", dimensions, 1.0, "Count", now)
        record(place, _NAMESPACE, "Errors", dimensions, 1.0 if failed else 0.0, "Count", now)
        record(place, _NAMESPACE, "Throttles", dimensions, 0.0, "Count", now)
        record(place, _NAMESPACE, "Duration", dimensions, round(seconds * 1000, 2), "Milliseconds", now)

    def throttled(self, key: FunctionKey, arn: str, version: str) -> None:
        dimensions = _of_invocation(key.name, arn, version)
        self._record(key, "Throttles", dimensions, 1.0, "Count")

    def concurrent(self, key: FunctionKey, function: int, account: int, unreserved: int) -> None:
        """How many invocations run now, of the function and of the whole account."""
        self._record(key, "ConcurrentExecutions", _of_function(key.name), float(function), "Count")
        self._record(key, "ConcurrentExecutions", _ACCOUNT_ALONE, float(account), "Count")
        self._record(key, "UnreservedConcurrentExecutions", _ACCOUNT_ALONE, float(unreserved), "Count")

    def event_received(self, key: FunctionKey) -> None:
        self._record(key, "AsyncEventsReceived", _of_function_and_all(key.name), 1.0, "Count")

    def event_age(self, key: FunctionKey, seconds: float) -> None:
        """When it is about to be run."""
        age = float(round(seconds * 1000))
        self._record(key, "AsyncEventAge", _of_function_and_all(key.name), age, "Milliseconds")

    def event_dropped(self, key: FunctionKey) -> None:
        self._record(key, "AsyncEventsDropped", _of_function_and_all(key.name), 1.0, "Count")

    def undeliverable(self, key: FunctionKey, *, dead_letter: bool) -> None:
        name = "DeadLetterErrors" if dead_letter else "DestinationDeliveryFailures"
        self._record(key, name, _of_function_and_all(key.name), 1.0, "Count")

    def iterator_age(self, key: FunctionKey, seconds: float) -> None:
        """How old the last record of a batch of a stream was when it was run."""
        age = float(max(round(seconds * 1000), 0))
        self._record(key, "IteratorAge", _of_function_and_all(key.name), age, "Milliseconds")

    def _record(self, key: FunctionKey, name: str, dimensions: DimensionSets, value: float, unit: str) -> None:
        now = self._clock.now()
        self._metrics.record((key.account, key.region), _NAMESPACE, name, dimensions, value, unit, now)


@lru_cache(4096)
def _of_invocation(name: str, arn: str, version: str) -> DimensionSets:
    """Across all functions, by function, by what was asked for, and by the version where that was an alias."""
    parts = arn.split(":")
    qualifier = parts[7] if len(parts) > 7 else ""
    function = ("FunctionName", name)
    resource = ("Resource", f"{name}:{qualifier}" if qualifier else name)
    found: DimensionSets = ((), (function,), (function, resource))
    if qualifier and qualifier != version:
        found = (*found, (("ExecutedVersion", version), function, resource))
    return found


@lru_cache(4096)
def _of_function(name: str) -> DimensionSets:
    return ((("FunctionName", name),),)


@lru_cache(4096)
def _of_function_and_all(name: str) -> DimensionSets:
    return ((("FunctionName", name),), ())
