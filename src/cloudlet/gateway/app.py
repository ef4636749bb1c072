"""The application behind the port: the walk of every request, in order, in one place.

routed (which operation) → signed (who asks) → parsed and validated (by the model) → allowed and run (`Cloud.dispatch`)
→ rendered (by the model).
"""

import logging
from collections.abc import Callable
from typing import Any

import orjson
from botocore.model import OperationModel, OperationNotFoundError

from cloudlet.core.context import Call
from cloudlet.core.errors import AwsError, InternalError, NotImplementedByCloudlet
from cloudlet.core.http import Body, HttpRequest, HttpResponse
from cloudlet.core.ids import request_id
from cloudlet.core.model import operation_model
from cloudlet.core.service import Cloud, Service
from cloudlet.core.validation import validate_input
from cloudlet.gateway import cors, sigv4
from cloudlet.gateway.bodies import ClientGone, read_all
from cloudlet.gateway.connection import Send
from cloudlet.gateway.content_encoding import decoded
from cloudlet.gateway.protocols import protocol_for
from cloudlet.gateway.routing import Routed, Router, Target, is_form, presumed_target

_log = logging.getLogger(__name__)

# Where Cloudlet answers for itself: no bucket can have this name.
_OWN = "/_cloudlet/"
HEALTH = f"{_OWN}health"
# The largest body of an operation that is not streamed: DynamoDB's own limit, more than the others need.
_LARGEST_BODY = 16 * 1024 * 1024
# A function's zip package, base64 in JSON.
_LARGEST_BODIES = {"lambda": 100 * 1024 * 1024}


class App:
    """`health` gives the members of the health answer; `buckets` is the S3 service's word on CORS.

    `pages` answers for the console, with None what is not for it.
    """

    def __init__(
        self,
        cloud: Cloud,
        router: Router,
        buckets: cors.BucketCors,
        health: Callable[[], dict[str, Any]],
        pages: Callable[[HttpRequest], HttpResponse | None],
    ) -> None:
        self._cloud = cloud
        self._router = router
        self._buckets = buckets
        self._health = health
        self._pages = pages
        answering = [s for s in cloud.services if type(s).serves_http is not Service.serves_http]
        # S3 claims every form that is posted; a host or path of another service goes before.
        self._http_services = sorted(answering, key=lambda service: "s3" in service.apis)
        self._in_flight = 0
        self._draining = False
        self._idle: Callable[[], None] | None = None

    async def __call__(self, request: HttpRequest, send: Send) -> None:
        """Raises ClientGone where the client did not wait for the end of its request or of the answer."""
        self._in_flight += 1
        try:
            await send(await self._respond(request))
        finally:
            self._in_flight -= 1
            if self._in_flight == 0 and self._idle is not None:
                self._idle()

    def drain(self, idle: Callable[[], None]) -> None:
        """Takes no new work but from functions that still run; calls `idle` once nothing is under way."""
        self._draining = True
        self._idle = idle
        if self._in_flight == 0:
            idle()

    async def _respond(self, request: HttpRequest) -> HttpResponse:
        id_ = request_id()
        if request.path.startswith(_OWN):
            own = self._own(request)
            if own is not None:
                return own
        http_service = self._http_service(request)
        if http_service is not None:
            return await self._serve_http(http_service, request, id_)
        if cors.is_preflight(request):
            return self._preflight(request)
        response = await self._serve_api(request, id_)
        if "origin" in request.headers:
            response.headers += self._cors_headers(request)
        return response

    def _own(self, request: HttpRequest) -> HttpResponse | None:
        """None for the paths under `_OWN` that are of a service."""
        if request.path == HEALTH:
            return HttpResponse(200, [("Content-Type", "application/json")], orjson.dumps(self._health()))
        return self._pages(request)

    def _http_service(self, request: HttpRequest) -> Service | None:
        """The service that answers this request as HTTP of its own; calls of an API by target are never that."""
        if "x-amz-target" in request.headers:
            return None
        for service in self._http_services:
            if service.serves_http(request):
                return service
        return None

    async def _serve_http(self, service: Service, request: HttpRequest, id_: str) -> HttpResponse:
        try:
            return await service.handle_http(request, id_)
        except AwsError as error:
            body = orjson.dumps({"code": error.code, "message": error.message})
            return HttpResponse(error.status, [("Content-Type", "application/json"), ("x-amzn-RequestId", id_)], body)
        except ClientGone:
            raise
        except Exception:  # noqa: BLE001 - the boundary: logged here, a 500 to the client
            _log.exception("request failed", extra={"request_id": id_, "path": request.path})
            return HttpResponse(500, [("Content-Type", "application/json")], b'{"message":"Internal Server Error"}')

    async def _serve_api(self, request: HttpRequest, id_: str) -> HttpResponse:
        target: Target | None = None
        model: OperationModel | None = None
        try:
            target = self._router.target(request)
            body = request.body.content
            if body is None and _has_form(request, target):
                body = await self._whole_body(request, target)
            routed = self._router.operation(target, request, body)
            model = _model(routed)
            if body is None and not (routed.api == "s3" and model.has_streaming_input):
                body = await self._whole_body(request, target)
            signed = sigv4.verify(
                request,
                body,
                self._cloud.credentials,
                self._cloud.clock.now(),
                api=routed.api,
                protocol=routed.protocol,
                labels=routed.labels,
            )
            return await self._run(request, routed, model, signed, id_)
        except AwsError as error:
            asked = target or presumed_target(request)
            return protocol_for(asked.api, asked.protocol).render_error(error, model, id_, request)
        except ClientGone:
            raise
        except Exception:  # noqa: BLE001 - the boundary: logged here, a 500 to the client
            asked = target or presumed_target(request)
            _log.exception("request failed", extra={"request_id": id_, "api": asked.api, "path": request.path})
            return protocol_for(asked.api, asked.protocol).render_error(InternalError(), model, id_, request)

    async def _run(
        self, request: HttpRequest, routed: Routed, model: OperationModel, signed: sigv4.Signed, id_: str
    ) -> HttpResponse:
        found = self._cloud.operation(routed.api, routed.operation)
        if self._draining and signed.principal.kind != "role":
            raise AwsError("ServiceUnavailable", "Cloudlet is stopping.", status=503)
        protocol = protocol_for(routed.api, routed.protocol)
        content: bytes | Body | None = signed.body if model.has_streaming_input else signed.body.content
        if content is None:
            content = await signed.body.read()
        if routed.api != "s3" and isinstance(content, bytes) and "content-encoding" in request.headers:
            content = decoded(content, request.headers["content-encoding"], _largest_body(routed.api))
        params = protocol.parse(model, request, content, routed.labels)
        validate_input(routed.api, routed.operation, params)
        call = Call(
            api=routed.api,
            operation=routed.operation,
            account=signed.principal.account,
            region=signed.region,
            principal=signed.principal,
            request_id=id_,
            time=self._cloud.clock.now(),
            http=request,
            trace_id=request.headers.get("x-amzn-trace-id"),
        )
        output = await self._cloud.dispatch(found, call, params)
        return protocol.render(model, output, id_)

    async def _whole_body(self, request: HttpRequest, target: Target) -> bytes:
        """A large one is not taken in for strangers: who sends it names a key that is known, and the time."""
        now = self._cloud.clock.now()
        sigv4.check_sender(request, self._cloud.credentials, now, api=target.api, protocol=target.protocol)
        return await read_all(request, _largest_body(target.api))

    def _preflight(self, request: HttpRequest) -> HttpResponse:
        if self._is_for_s3(request):
            return self._buckets.preflight(request)
        return cors.open_preflight(request)

    def _cors_headers(self, request: HttpRequest) -> list[tuple[str, str]]:
        if self._is_for_s3(request):
            return self._buckets.cors_headers(request)
        return cors.open_headers()

    def _is_for_s3(self, request: HttpRequest) -> bool:
        asked = request.headers.get("access-control-request-headers", "").lower()
        if "x-amz-target" in request.headers or "x-amz-target" in asked:
            return False
        try:
            return self._router.target(request).api == "s3"
        except NotImplementedByCloudlet:
            return False


def _has_form(request: HttpRequest, target: Target) -> bool:
    """Whether the body must be read before it is known which operation is meant: a form names it."""
    return target.protocol == "query" or (is_form(request) and target.api != "s3")


def _largest_body(api: str) -> int:
    return _LARGEST_BODIES.get(api, _LARGEST_BODY)


def _model(routed: Routed) -> OperationModel:
    try:
        return operation_model(routed.api, routed.operation)
    except OperationNotFoundError:
        raise NotImplementedByCloudlet(f"the operation {routed.operation} of {routed.api}") from None
