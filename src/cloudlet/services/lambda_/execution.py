"""Running a version of a function: what its environments are made of, and how many may work at a time."""

import logging
import random
from collections import Counter
from collections.abc import Callable, Mapping
from time import perf_counter
from typing import Any

from cloudlet.core.errors import AwsError
from cloudlet.core.service import Cloud
from cloudlet.runtime import (
    Credentials,
    FunctionVersion,
    Invocation,
    LogEvent,
    Outcome,
    Runtime,
    RuntimeMissing,
    RuntimeStopped,
    TooManyEnvironments,
)
from cloudlet.services.lambda_.catalog import Catalog, Function, Version
from cloudlet.services.lambda_.function_logs import FunctionLogs
from cloudlet.services.lambda_.lineage import MOST_INVOCATIONS, header_of_invocation, invocations_before
from cloudlet.services.lambda_.measures import Measures
from cloudlet.services.lambda_.names import LATEST, FunctionKey, Reference, function_not_found, parse_arn
from cloudlet.services.lambda_.packages import Packages
from cloudlet.services.lambda_.provisioned_use import ProvisionedUse
from cloudlet.services.lambda_.roles import Roles

_log = logging.getLogger(__name__)

ACCOUNT_CONCURRENCY = 1000
# What reservations must leave to functions without one.
LEAST_UNRESERVED = 100


class Execution:
    """Invokes versions; the runtime's host."""

    def __init__(
        self,
        cloud: Cloud,
        catalog: Catalog,
        packages: Packages,
        roles: Roles,
        layers_of: Callable[[Mapping[str, Any]], list[str]],
    ) -> None:
        self._cloud = cloud
        self._catalog = catalog
        self._packages = packages
        self._roles = roles
        self._layers_of = layers_of
        self._busy: Counter[FunctionKey] = Counter()
        self._busy_of_account: Counter[tuple[str, str]] = Counter()
        self._unreserved: Counter[tuple[str, str]] = Counter()
        self.measures = Measures(cloud.metrics, cloud.clock)
        self.logs = FunctionLogs(cloud, roles)
        self.runtime = Runtime(self, cloud.clock, idle=cloud.settings.function_idle_seconds)
        self._provisioned_use = ProvisionedUse(self.runtime, self.measures)

    async def invoke(self, function: Function, version: Version, invocation: Invocation) -> Outcome:
        """Raises TooManyRequestsException, RecursiveInvocationException, or what stands in the way."""
        executable = version.executable or await self._make_executable(function, version)
        traced = self._traced(function, version, invocation)
        key = function.key
        try:
            counted = self._enter(function)
        except AwsError:
            self.measures.throttled(key, invocation.arn, version.version)
            raise
        provisioned = bool(function.provisioned) and self._provisioned_use.enter(key, invocation.arn, version.version)
        started = perf_counter()
        failed = True
        try:
            outcome = await self.runtime.invoke(executable, traced)
            failed = outcome.failed
            return outcome
        except TooManyEnvironments:
            raise _throttled("ConcurrentInvocationLimitExceeded") from None
        except RuntimeMissing as error:
            raise AwsError("InvalidRuntimeException", str(error), status=502) from None
        except RuntimeStopped:
            raise AwsError("ServiceException", "Cloudlet is stopping.", status=500) from None
        finally:
            seconds = perf_counter() - started
            self.measures.invoked(key, invocation.arn, version.version, seconds, failed=failed)
            self._leave(key, counted)
            if provisioned:
                self._provisioned_use.leave(key, version.version)

    async def executable(self, function: Function, version: Version) -> FunctionVersion:
        return version.executable or await self._make_executable(function, version)

    def busy(self, account: str, region: str) -> int:
        return self._busy_of_account[account, region]

    # What the runtime asks of its host.

    @property
    def endpoint_url(self) -> str:
        return self._cloud.settings.endpoint_url

    async def credentials(self, function: FunctionVersion) -> Credentials:
        key = parse_arn(function.arn).key
        found = self._catalog.find(key)
        if found is None:
            raise function_not_found(key.arn)
        version = found.versions.get(function.version, found.latest)
        try:
            session = await self._roles.session(key, version.configuration["Role"])
        except AwsError as error:
            _log.warning("a function's role cannot be assumed", extra={"function": key.arn, "reason": error.message})
            raise AwsError(
                "AccessDeniedException",
                "The role defined for the function cannot be assumed by Lambda.",
                status=403,
            ) from None
        assert session.session_token is not None  # temporary credentials have both
        assert session.expires is not None
        return Credentials(session.access_key_id, session.secret_access_key, session.session_token, session.expires)

    def write_log(self, function: FunctionVersion, stream: str, events: list[LogEvent]) -> None:
        found = self._catalog.find(parse_arn(function.arn).key)
        if found is not None:
            self.logs.write(found.key, found.latest.configuration["Role"], function.log_group, stream, events)

    def _traced(self, function: Function, version: Version, invocation: Invocation) -> Invocation:
        """With the trace header that the function is to send on. Raises RecursiveInvocationException."""
        arn, trace_id = function.key.arn, invocation.trace_id
        if function.recursion == "Terminate" and invocations_before(trace_id, arn) >= MOST_INVOCATIONS:
            self.count_loop(function)
            raise _recursive(function.key.name)
        now = self._cloud.clock.now()
        header = header_of_invocation(trace_id, arn, now, sampled=version.is_traced)
        return Invocation(
            invocation.request_id,
            invocation.arn,
            invocation.payload,
            invocation.client_context,
            invocation.sink,
            header,
        )

    def count_loop(self, function: Function) -> None:
        """An invocation was dropped since it belongs to a recursive loop."""
        key = function.key
        dimensions = ((("FunctionName", key.name),),)
        self._cloud.metrics.record(
            (key.account, key.region),
            "AWS/Lambda",
            "RecursiveInvocationsDropped",
            dimensions,
            1.0,
            "Count",
            self._cloud.clock.now(),
        )

    async def _make_executable(self, function: Function, version: Version) -> FunctionVersion:
        configuration = version.configuration
        packages = self._layers_of(configuration)
        logging_config = configuration["LoggingConfig"]
        version.executable = FunctionVersion(
            arn=f"{function.key.arn}:{version.version}",
            name=function.key.name,
            version=version.version,
            revision=configuration["RevisionId"],
            region=function.key.region,
            runtime=configuration["Runtime"],
            handler=configuration["Handler"],
            memory=configuration["MemorySize"],
            timeout=configuration["Timeout"],
            ephemeral_storage=configuration["EphemeralStorage"]["Size"],
            variables=configuration.get("Environment", {}).get("Variables", {}),
            code=await self._packages.code_folder(version.package),
            layers=await self._packages.layers_folder(packages) if packages else None,
            log_group=logging_config["LogGroup"],
            log_format=logging_config["LogFormat"],
            log_level=logging_config.get("ApplicationLogLevel"),
        )
        return version.executable

    def _enter(self, function: Function) -> bool:
        """Whether the invocation counts among those for which nothing is reserved or provisioned."""
        key = function.key
        place = (key.account, key.region)
        counted = False
        if function.reserved is not None:
            if self._busy[key] >= function.reserved:
                raise _throttled("ReservedFunctionConcurrentInvocationLimitExceeded")
        elif self._busy[key] >= function.provisioned_total:
            if self._unreserved[place] >= self.unreserved_limit(*place):
                raise _throttled("ConcurrentInvocationLimitExceeded")
            self._unreserved[place] += 1
            counted = True
        self._busy[key] += 1
        self._busy_of_account[place] += 1
        self.measures.concurrent(key, self._busy[key], self._busy_of_account[place], self._unreserved[place])
        return counted

    def _leave(self, key: FunctionKey, counted: bool) -> None:
        self._busy[key] -= 1
        self._busy_of_account[key.account, key.region] -= 1
        if not self._busy[key]:
            del self._busy[key]
        if counted:
            self._unreserved[key.account, key.region] -= 1

    def unreserved_limit(self, account: str, region: str) -> int:
        return ACCOUNT_CONCURRENCY - self._catalog.reserved(account, region)


def route(function: Function, reference: Reference) -> Version:
    """The version to run: an alias with weights spreads its invocations."""
    alias = function.aliases.get(reference.qualifier or LATEST)
    if alias is None:
        name = reference.qualifier or LATEST
    else:
        name = alias["FunctionVersion"]
        drawn = random.random()
        for other, weight in alias.get("RoutingConfig", {}).get("AdditionalVersionWeights", {}).items():
            if drawn < weight:
                name = other
                break
            drawn -= weight
    version = function.versions.get(name)
    if version is None:
        raise function_not_found(reference.arn)
    return version


def _recursive(name: str) -> AwsError:
    return AwsError(
        "RecursiveInvocationException",
        f"Lambda has stopped the invocation of {name}: it was detected to be part of a recursive loop with other"
        " resources.",
        status=400,
        fields={"Type": "User"},
    )


def _throttled(reason: str) -> AwsError:
    return AwsError("TooManyRequestsException", "Rate Exceeded.", status=429, fields={"Reason": reason, "Type": "User"})
