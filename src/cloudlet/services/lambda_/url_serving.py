"""HTTP requests to function URLs: who may call, the function invoked, its result answered as HTTP."""

import logging
import re
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from typing import Any

import orjson

from cloudlet.core import cross_origin, payload_2
from cloudlet.core.context import Call, Principal
from cloudlet.core.errors import AwsError
from cloudlet.core.http import HttpRequest, HttpResponse
from cloudlet.core.payload_2 import Entrance, MalformedResponse
from cloudlet.core.service import Cloud
from cloudlet.gateway import sigv4
from cloudlet.runtime import Invocation
from cloudlet.services.lambda_.catalog import Catalog, Function, FunctionUrl
from cloudlet.services.lambda_.execution import Execution, route
from cloudlet.services.lambda_.function_urls import PATH_PREFIX
from cloudlet.services.lambda_.invocation import LARGEST_REQUEST, too_large
from cloudlet.services.lambda_.lineage import header_of_request
from cloudlet.services.lambda_.names import LATEST, Reference
from cloudlet.services.lambda_.permissions import policy_document
from cloudlet.services.lambda_.response_stream import ResponseStream, StreamedInvocation

_log = logging.getLogger(__name__)

_HOST = re.compile(r"([a-z0-9]+)\.lambda-url\.")
# A streamed response of this type begins with status and headers in JSON, and eight zero bytes behind them.
_INTEGRATION_RESPONSE = "application/vnd.awslambda.http-integration-response"
_PRELUDE_END = b"\0" * 8
_LONGEST_PRELUDE = 64 * 1024


class StreamBroken(Exception):
    """The function failed in the midst of its response; the client sees that by the end of the connection."""


def is_for_function(request: HttpRequest) -> bool:
    return request.path.startswith(PATH_PREFIX) or _HOST.match(request.host) is not None


class UrlServing:
    def __init__(self, cloud: Cloud, catalog: Catalog, execution: Execution) -> None:
        self._cloud = cloud
        self._catalog = catalog
        self._execution = execution

    async def answer(self, request: HttpRequest, request_id: str) -> HttpResponse:
        id_, path = _addressed(request)
        reference = self._catalog.with_url(id_)
        function = self._catalog.find(reference.key) if reference is not None else None
        if reference is None or function is None:
            return _message(404, None)
        url = function.urls[reference.qualifier or LATEST]
        cors = url.configuration.get("Cors")
        if cors is not None and cross_origin.is_preflight(request.method, request.headers):
            return HttpResponse(200, cross_origin.preflight(cors, request.headers))
        try:
            response = await self._invoke(request, request_id, path, function, reference, url)
        except AwsError as error:
            response = _message(error.status, error.message, error.code)
        except MalformedResponse as error:
            _log.info("a function's answer is no HTTP", extra={"function": reference.arn, "reason": str(error)})
            response = _bad_gateway()
        response.headers.append(("x-amzn-RequestId", request_id))
        if cors is not None:
            # With a configuration of its own the URL does not pass on what the function says about origins.
            own = [pair for pair in response.headers if not pair[0].lower().startswith("access-control-")]
            response.headers = own + cross_origin.answered(cors, request.headers)
        return response

    async def _invoke(
        self,
        request: HttpRequest,
        request_id: str,
        path: str,
        function: Function,
        reference: Reference,
        url: FunctionUrl,
    ) -> HttpResponse:
        body = await _read(request)
        caller, access_key = self._caller(request, body, url)
        now = self._cloud.clock.now()
        self._authorise(caller, request, request_id, function, reference, url)
        domain = f"{url.id}.lambda-url.{function.key.region}.on.aws"
        host = request.host.rsplit(":", 1)[0]
        entrance = Entrance(
            request_id,
            caller.account or "anonymous",
            url.id,
            host if _HOST.match(host) else domain,
            path,
            now,
        )
        trace_id = header_of_request(request.headers.get("x-amzn-trace-id"), now)
        event = payload_2.event(request, body, entrance, trace_id)
        if access_key is not None:
            event["requestContext"]["authorizer"] = {"iam": _identity(caller, access_key)}
        version = route(function, reference)
        stream = ResponseStream() if url.configuration["InvokeMode"] == "RESPONSE_STREAM" else None
        invocation = Invocation(request_id, reference.arn, orjson.dumps(event), None, stream, trace_id)
        running = self._execution.invoke(function, version, invocation)
        if stream is not None:
            return await _streamed(StreamedInvocation(stream, running))
        outcome = await running
        return _bad_gateway() if outcome.failed else payload_2.answer(outcome.payload)

    def _caller(self, request: HttpRequest, body: bytes, url: FunctionUrl) -> tuple[Principal, str | None]:
        """Who calls, and by which access key. Raises what is wrong with a signature."""
        if url.configuration["AuthType"] == "NONE":
            return Principal.anonymous(), None
        if "authorization" not in request.headers and "X-Amz-Signature=" not in request.query:
            raise _forbidden()
        signed = sigv4.verify(
            request, body, self._cloud.credentials, self._cloud.clock.now(), api="lambda", protocol="rest-json"
        )
        assert signed.credential is not None
        return signed.principal, signed.credential.access_key_id

    def _authorise(
        self,
        caller: Principal,
        request: HttpRequest,
        request_id: str,
        function: Function,
        reference: Reference,
        url: FunctionUrl,
    ) -> None:
        """Both the right to the URL and, since October 2025, the one to invoke. Raises AccessDeniedException."""
        key = function.key
        if caller.kind == "root" and caller.account == key.account:
            return
        policy = policy_document(function, reference)
        for operation, keys in (
            ("InvokeFunctionUrl", {"lambda:FunctionUrlAuthType": url.configuration["AuthType"]}),
            ("Invoke", {"lambda:InvokedViaFunctionUrl": "true"}),
        ):
            call = Call(
                api="lambda",
                operation=operation,
                account=key.account,
                region=key.region,
                principal=caller,
                request_id=request_id,
                time=self._cloud.clock.now(),
                http=request,
                condition_keys={**keys, "lambda:FunctionArn": reference.arn},
            )
            try:
                self._cloud.authoriser.authorise(call, reference.arn, policy)
            except AwsError:
                raise _forbidden() from None


async def _streamed(streamed: StreamedInvocation) -> HttpResponse:
    content_type = await streamed.begun()
    if content_type is None:
        return _bad_gateway()
    chunks = streamed.chunks()
    first = b""
    if content_type == _INTEGRATION_RESPONSE:
        prelude, first = await _prelude(chunks)
        response = payload_2.head(prelude, "application/octet-stream")
    else:
        response = HttpResponse(200, [("content-type", content_type or "application/octet-stream")])
    response.body = _body(streamed, first, chunks)
    return response


async def _prelude(chunks: AsyncGenerator[bytes]) -> tuple[dict[str, Any], bytes]:
    """Status and headers, and what of the body came with them. Raises MalformedResponse."""
    received = b""
    async for chunk in chunks:
        received += chunk
        head, end, rest = received.partition(_PRELUDE_END)
        if end:
            return _parsed_prelude(head), rest
        if len(received) > _LONGEST_PRELUDE:
            break
    await chunks.aclose()
    raise MalformedResponse("the prelude of the streamed response does not end")


def _parsed_prelude(text: bytes) -> dict[str, Any]:
    try:
        prelude = orjson.loads(text or b"{}")
    except orjson.JSONDecodeError:
        raise MalformedResponse("the prelude of the streamed response is not JSON") from None
    if not isinstance(prelude, dict):
        raise MalformedResponse("the prelude of the streamed response is not an object")
    return prelude


async def _body(streamed: StreamedInvocation, first: bytes, chunks: AsyncGenerator[bytes]) -> AsyncGenerator[bytes]:
    async with aclosing(chunks):
        if first:
            yield first
        async for chunk in chunks:
            yield chunk
    if (await streamed.outcome()).failed:
        raise StreamBroken


def _addressed(request: HttpRequest) -> tuple[str, str]:
    """The URL's id, and the path behind it."""
    match = _HOST.match(request.host)
    if match is not None and not request.path.startswith(PATH_PREFIX):
        return match[1], request.path
    id_, _, path = request.path.removeprefix(PATH_PREFIX).partition("/")
    return id_, f"/{path}"


async def _read(request: HttpRequest) -> bytes:
    """Raises RequestTooLargeException before more than may be is taken in."""
    if request.body.length is not None and request.body.length > LARGEST_REQUEST:
        raise too_large()
    chunks: list[bytes] = []
    size = 0
    async for chunk in request.body:
        size += len(chunk)
        if size > LARGEST_REQUEST:
            raise too_large()
        chunks.append(chunk)
    return b"".join(chunks)


def _identity(caller: Principal, access_key: str) -> Mapping[str, Any]:
    """Who called, as the event tells."""
    return {
        "accessKey": access_key,
        "accountId": caller.account,
        "callerId": caller.id,
        "cognitoIdentity": None,
        "principalOrgId": None,
        "userArn": caller.arn,
        "userId": caller.id,
    }


def _forbidden() -> AwsError:
    return AwsError("AccessDeniedException", "Forbidden", status=403)


def _message(status: int, text: str | None, code: str | None = None) -> HttpResponse:
    headers = [("content-type", "application/json")]
    if code is not None:
        headers.append(("x-amzn-ErrorType", code))
    return HttpResponse(status, headers, orjson.dumps({"Message": text}))


def _bad_gateway() -> HttpResponse:
    """The function failed, or what it answered is no HTTP."""
    return HttpResponse(502, [("content-type", "application/json")], b"Internal Server Error")
