"""Services, their operations, and the call by which they reach each other."""

import inspect
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any, ClassVar, TypeVar

from cloudlet.core.access import Authoriser, CredentialStore
from cloudlet.core.clock import Clock
from cloudlet.core.context import Call, Principal
from cloudlet.core.errors import AccessDenied, AwsError, NotImplementedByCloudlet
from cloudlet.core.http import HttpRequest, HttpResponse
from cloudlet.core.ids import request_id
from cloudlet.core.metrics import Metrics
from cloudlet.core.settings import Settings
from cloudlet.core.signals import Signals
from cloudlet.core.validation import validate_input

Params = dict[str, Any]
Handler = Callable[[Call, Any], Awaitable[Any]]
Method = TypeVar("Method", bound=Callable[..., Awaitable[Any]])


def operation(name: str, *, api: str | None = None) -> Callable[[Method], Method]:
    """Marks the method that serves the operation `name` of the API (of the service's first API unless given).

    The method takes the call and the operation's input as botocore shapes it: members by name, timestamps as
    aware datetimes, blobs as bytes, a streaming payload as a `Body`. It returns the output in the same form
    (None for none), a streaming payload as bytes or as an async iterator of bytes.
    """

    def mark(method: Method) -> Method:
        served: list[tuple[str | None, str]] = getattr(method, "_serves", [])
        method._serves = [*served, (api, name)]  # type: ignore[attr-defined]
        return method

    return mark


@dataclass(frozen=True, slots=True)
class Operation:
    api: str
    name: str
    service: "Service"
    handler: Handler


class Service:
    """One AWS service: it owns its data and meets the others only through `Cloud.call`.

    `apis` are botocore's names of the APIs that it serves (`dynamodb`, `dynamodbstreams`).
    """

    apis: ClassVar[tuple[str, ...]]

    def __init__(self, cloud: "Cloud") -> None:
        self.cloud = cloud

    async def start(self) -> None:
        """Opens the data and starts background work. Every service is registered, not every one has started."""

    async def recover(self) -> None:
        """Goes on with what was under way at the last stop; called once all services have started."""

    async def drain(self) -> None:
        """Ends what is under way and takes up nothing new; other services still answer."""

    async def stop(self) -> None:
        """Closes everything. Nothing that `start` began is left running."""

    def resource(self, call: Call, params: Params) -> str | None:
        """The ARN that the call is about, for authorisation; None where it is about none in particular."""
        return None

    def resource_policy(self, call: Call, params: Params) -> dict[str, Any] | None:
        """The policy document attached to that resource, if it has one."""
        return None

    def counts_as(self, call: Call, params: Params) -> Iterable[tuple[str, Params]]:
        """The operations, with their inputs, that must all be allowed: the call itself, unless it stands for others
        (a transaction for each of its items)."""
        return ((call.operation, params),)

    def condition_keys(self, call: Call, params: Params) -> dict[str, str]:
        """What policies' conditions can refer to beside AWS's global keys (`{"s3:prefix": "logs/"}`)."""
        return {}

    def refused(self, operation: str, params: Params, error: AwsError) -> None:
        """Told of every call of the service that was not allowed."""

    def serves_http(self, request: HttpRequest) -> bool:
        """Whether the service answers this request as HTTP of its own (a website, an HTTP API), by host or path."""
        return False

    async def handle_http(self, request: HttpRequest, request_id: str) -> HttpResponse:
        """Answers a request that `serves_http` claimed. It was not signed; the service decides who may do what."""
        raise NotImplementedError

    def operations(self) -> list[Operation]:
        found: list[Operation] = []
        for _, method in inspect.getmembers(self, inspect.iscoroutinefunction):
            for api, name in getattr(method, "_serves", ()):
                found.append(Operation(api or self.apis[0], name, self, method))
        return found


class Cloud:
    """All services of this Cloudlet, and the way from one to another."""

    # Set by the composition root from the iam service, before the first call.
    authoriser: Authoriser
    credentials: CredentialStore

    def __init__(self, settings: Settings, clock: Clock) -> None:
        self.settings = settings
        self.clock = clock
        self.signals = Signals()
        self.metrics = Metrics()
        self.services: list[Service] = []
        self._operations: dict[tuple[str, str], Operation] = {}

    def add(self, service: Service) -> None:
        self.services.append(service)
        for found in service.operations():
            self._operations[found.api, found.name] = found

    def apis(self) -> set[str]:
        return {api for service in self.services for api in service.apis}

    def implemented(self, api: str) -> set[str]:
        """The names of the operations that the API has here."""
        return {name for found, name in self._operations if found == api}

    def operation(self, api: str, name: str) -> Operation:
        """Raises NotImplementedByCloudlet (501) for one that no service has."""
        found = self._operations.get((api, name))
        if found is None:
            raise NotImplementedByCloudlet(f"the operation {name} of {api}")
        return found

    async def dispatch(self, found: Operation, call: Call, params: Params) -> Any:
        """Authorises and runs an operation whose input is valid: the one way into a service."""
        service = found.service
        try:
            for name, asked in service.counts_as(call, params):
                self.authorise(service, call if name == call.operation else replace(call, operation=name), asked)
        except AwsError as error:
            service.refused(found.name, params, error)
            raise
        return await found.handler(call, params)

    def authorise(self, service: Service, call: Call, params: Params) -> None:
        """Raises AccessDenied unless the caller may do this.

        An ARN of another account makes it a call on that account's resources, which its policy must allow.
        """
        principal = call.principal
        resource = service.resource(call, params)
        if resource is not None:
            call.account = _owner(resource) or call.account
        if principal.kind != "root" or principal.account != call.account:
            call.condition_keys = service.condition_keys(call, params)
            self.authoriser.authorise(call, resource, service.resource_policy(call, params))

    def authorise_passing(self, call: Call, role: str, service: str) -> None:
        """Raises AccessDenied unless the caller may hand the role (an ARN) to a service (`lambda.amazonaws.com`).

        To be asked wherever a role is named that the service will assume: else whoever may create a function could do
        what any role may.
        """
        principal = call.principal
        if _owner(role) != principal.account:
            raise AccessDenied("Cross-account pass role is not allowed.")
        if principal.kind != "root":
            passing = replace(
                call,
                api="iam",
                operation="PassRole",
                account=principal.account,
                condition_keys={"iam:PassedToService": service},
            )
            self.authoriser.authorise(passing, role, None)

    async def call(
        self,
        api: str,
        name: str,
        params: Params,
        *,
        as_: Principal,
        region: str,
        account: str | None = None,
        source_arn: str | None = None,
        trace_id: str | None = None,
    ) -> Any:
        """Calls a service's operation in process: same validation, authorisation and errors as over HTTP.

        `as_` is who asks; `account` whose resources are meant (the caller's own unless given); `source_arn` the
        resource on whose behalf a service principal calls; `trace_id` the trace that this goes on with.
        Raises AwsError.
        """
        found = self.operation(api, name)
        validate_input(api, name, params)
        call = Call(
            api=api,
            operation=name,
            account=account or as_.account,
            region=region,
            principal=as_,
            request_id=request_id(),
            time=self.clock.now(),
            source_arn=source_arn,
            trace_id=trace_id,
        )
        return await self.dispatch(found, call, params)


def _owner(arn: str) -> str | None:
    """The account in an ARN, None where it has none (S3's have none)."""
    parts = arn.split(":", 5)
    return parts[4] if len(parts) == 6 and parts[4].isdigit() else None
