"""One request on its way through an API, and all that becomes known of it until it is answered."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cloudlet.core.context import Principal
from cloudlet.core.http import HttpRequest
from cloudlet.services.apigatewayv2.matching import Match
from cloudlet.services.apigatewayv2.refusal import Refusal
from cloudlet.services.apigatewayv2.serving import Served, ServedRoute


@dataclass(frozen=True, slots=True)
class Authorized:
    """What an authorizer found out: of one kind only, and nothing where a route asks for nobody.

    `claims` and `scopes` are of a token, `context` and `principal_id` from a function, `principal` and `access_key`
    of a signature.
    """

    claims: Mapping[str, str] | None = None
    scopes: tuple[str, ...] | None = None
    context: Mapping[str, Any] | None = None
    principal_id: str | None = None
    principal: Principal | None = None
    access_key: str | None = None


@dataclass(slots=True)
class Exchange:
    """`path` is within the stage, `event_path` with the stage where the client named it, both as on the wire.

    `time` is in epoch seconds, latencies are in seconds. `mapping_key` is the path of the custom domain name, None
    without one. `outgoing` is the request as parameter mapping changed it, `path_override` the path that it set.
    """

    request: HttpRequest
    request_id: str
    served: Served
    domain: str
    path: str
    event_path: str
    time: float
    mapping_key: str | None = None
    route: ServedRoute | None = None
    match: Match | None = None
    body: bytes = b""
    authorized: Authorized | None = None
    outgoing: HttpRequest | None = None
    path_override: str | None = None
    authorizer_latency: float | None = None
    authorizer_error: str | None = None
    integration_status: int | None = None
    integration_latency: float | None = None
    integration_error: str | None = None
    refusal: Refusal | None = None
    status: int = 0
    response_length: int = 0
    latency: float = 0.0

    @property
    def integration_request(self) -> HttpRequest:
        """The request as the integration is to see it."""
        return self.outgoing or self.request

    @property
    def route_key(self) -> str:
        return self.route.key if self.route is not None else ""

    @property
    def request_arn(self) -> str:
        """What policies call the request: the stage, the method and the path that was asked for."""
        return f"{self.served.arn}/{self.request.method}{self.path}"
