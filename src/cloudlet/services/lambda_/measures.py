"""What Lambda measures of its functions, under AWS/Lambda."""

from functools import lru_cache
from typing import NamedTuple

from cloudlet.core.clock import Clock
from cloudlet.core.metrics import DimensionSets, Metrics, Recorder
from cloudlet.services.lambda_.names import FunctionKey

_NAMESPACE = "AWS/Lambda"
_ACCOUNT_ALONE: DimensionSets = ((),)


class _OfInvocations(NamedTuple):
    """Recorders of what is measured of every invocation."""

    invocations: Recorder
    errors: Recorder
    throttles: Recorder
    duration: Recorder


class _OfConcurrency(NamedTuple):
    function: Recorder
    account: Recorder
    unreserved: Recorder


class Measures:
    def __init__(self, metrics: Metrics, clock: Clock) -> None:
        self._metrics = metrics
        self._clock = clock
        self._of_invocations = lru_cache(4096)(self._make_of_invocations)
        self._of_concurrency = lru_cache(4096)(self._make_of_concurrency)

    def invoked(self, key: FunctionKey, arn: str, version: str, seconds: float, *, failed: bool) -> None:
        """An invocation has ended. `arn` is the one that it was asked for by, `version` the one that ran."""
        now = self._clock.now()
        invocations, errors, throttles, duration = self._of_invocations(key.account, key.region, key.name, arn, version)
        invocations.add(1.0, now)
        errors.add(1.0 if failed else 0.0, now)
        throttles.add(0.0, now)
        duration.add(round(seconds * 1000, 2), now)

    def throttled(self, key: FunctionKey, arn: str, version: str) -> None:
        recorders = self._of_invocations(key.account, key.region, key.name, arn, version)
        recorders.throttles.add(1.0, self._clock.now())

    def concurrent(self, key: FunctionKey, function: int, account: int, unreserved: int) -> None:
        """How many invocations run now, of the function and of the whole account."""
        now = self._clock.now()
        recorders = self._of_concurrency(key.account, key.region, key.name)
        recorders.function.add(float(function), now)
        recorders.account.add(float(account), now)
        recorders.unreserved.add(float(unreserved), now)

    def provisioned(
        self, key: FunctionKey, arn: str, version: str, busy: int, allocated: int, *, spilled: bool
    ) -> None:
        """An invocation began where environments are provisioned, of which so many are busy; `spilled` if all were."""
        dimensions = _of_resource(key.name, arn, version)
        name = "ProvisionedConcurrencySpilloverInvocations" if spilled else "ProvisionedConcurrencyInvocations"
        self._record(key, name, dimensions, 1.0, "Count")
        self._record(key, "ProvisionedConcurrentExecutions", dimensions, float(busy), "Count")
        self._record(key, "ProvisionedConcurrencyUtilization", dimensions, busy / allocated, "None")

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

    def _make_of_invocations(self, account: str, region: str, name: str, arn: str, version: str) -> _OfInvocations:
        place, dimensions = (account, region), _of_invocation(name, arn, version)

        def recorder(metric: str, unit: str = "Count") -> Recorder:
            return self._metrics.recorder(place, _NAMESPACE, metric, dimensions, unit)

        return _OfInvocations(
            recorder("Invocations"), recorder("Errors"), recorder("Throttles"), recorder("Duration", "Milliseconds")
        )

    def _make_of_concurrency(self, account: str, region: str, name: str) -> _OfConcurrency:
        place = (account, region)
        return _OfConcurrency(
            self._metrics.recorder(place, _NAMESPACE, "ConcurrentExecutions", _of_function(name), "Count"),
            self._metrics.recorder(place, _NAMESPACE, "ConcurrentExecutions", _ACCOUNT_ALONE, "Count"),
            self._metrics.recorder(place, _NAMESPACE, "UnreservedConcurrentExecutions", _ACCOUNT_ALONE, "Count"),
        )

    def _record(self, key: FunctionKey, name: str, dimensions: DimensionSets, value: float, unit: str) -> None:
        now = self._clock.now()
        self._metrics.record((key.account, key.region), _NAMESPACE, name, dimensions, value, unit, now)


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
def _of_resource(name: str, arn: str, version: str) -> DimensionSets:
    """As of an invocation, without what is measured across all functions."""
    return _of_invocation(name, arn, version)[1:]


def _of_function(name: str) -> DimensionSets:
    return ((("FunctionName", name),),)


@lru_cache(4096)
def _of_function_and_all(name: str) -> DimensionSets:
    return ((("FunctionName", name),), ())
