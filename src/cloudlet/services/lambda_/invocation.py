"""The operations that invoke: synchronously, as an event, as a dry run, with the response as it comes."""

import base64
import binascii
from collections.abc import AsyncGenerator
from typing import TYPE_CHECKING, Any

import orjson

from cloudlet.core.context import Call
from cloudlet.core.errors import AwsError
from cloudlet.core.service import operation
from cloudlet.runtime import Invocation, Outcome
from cloudlet.services.lambda_.base import LambdaBase
from cloudlet.services.lambda_.configuration import invalid
from cloudlet.services.lambda_.events import Events
from cloudlet.services.lambda_.execution import Execution, route
from cloudlet.services.lambda_.names import parse_reference
from cloudlet.services.lambda_.response_stream import ResponseStream, StreamedInvocation

if TYPE_CHECKING:
    from types_boto3_lambda import type_defs as t

LARGEST_REQUEST = 6 * 1024 * 1024
_LARGEST_EVENT = 1024 * 1024
_TAIL = 4096
_LARGEST_CONTEXT = 3583


class InvocationOperations(LambdaBase):
    execution: Execution
    events: Events

    @operation("Invoke")
    async def invoke(self, call: Call, params: "t.InvocationRequestTypeDef") -> dict[str, Any]:
        reference = parse_reference(call, params["FunctionName"], params.get("Qualifier"))
        function = self.catalog.get(reference)
        version = route(function, reference)
        kind = params.get("InvocationType", "RequestResponse")
        payload = await _payload(params.get("Payload", b""))
        if kind == "Event":
            _check_event(payload)
        _check(payload)
        context = _client_context(params.get("ClientContext"))
        if "DurableExecutionName" in params:
            raise invalid("DurableExecutionName is for durable functions only.")
        if kind == "DryRun":
            return {"StatusCode": 204, "ExecutedVersion": version.version}
        invocation = Invocation(call.request_id, reference.arn, payload or b"{}", context, trace_id=call.trace_id)
        if kind == "Event":
            await self.events.accept(reference, invocation)
            return {"StatusCode": 202}
        outcome = await self.execution.invoke(function, version, invocation)
        answer: dict[str, Any] = {
            "StatusCode": 200,
            "ExecutedVersion": version.version,
            "Payload": outcome.payload,
        }
        if outcome.failed:
            answer["FunctionError"] = "Unhandled"
        if params.get("LogType") == "Tail":
            answer["LogResult"] = _log_tail(outcome)
        return answer

    @operation("InvokeAsync")
    async def invoke_async(self, call: Call, params: "t.InvokeAsyncRequestTypeDef") -> dict[str, Any]:
        reference = parse_reference(call, params["FunctionName"])
        route(self.catalog.get(reference), reference)
        payload = await _payload(params["InvokeArgs"])
        _check_event(payload)
        _check(payload)
        invocation = Invocation(call.request_id, reference.arn, payload or b"{}", trace_id=call.trace_id)
        await self.events.accept(reference, invocation)
        return {"Status": 202}

    @operation("InvokeWithResponseStream")
    async def invoke_with_response_stream(
        self, call: Call, params: "t.InvokeWithResponseStreamRequestTypeDef"
    ) -> dict[str, Any]:
        reference = parse_reference(call, params["FunctionName"], params.get("Qualifier"))
        function = self.catalog.get(reference)
        version = route(function, reference)
        payload = await _payload(params.get("Payload", b""))
        _check(payload)
        context = _client_context(params.get("ClientContext"))
        if params.get("InvocationType") == "DryRun":
            return {"StatusCode": 204, "ExecutedVersion": version.version}
        stream = ResponseStream()
        invocation = Invocation(call.request_id, reference.arn, payload or b"{}", context, stream, call.trace_id)
        streamed = StreamedInvocation(stream, self.execution.invoke(function, version, invocation))
        content_type = await streamed.begun()
        return {
            "StatusCode": 200,
            "ExecutedVersion": version.version,
            "ResponseStreamContentType": content_type or "application/octet-stream",
            "EventStream": _events(streamed, tail=params.get("LogType") == "Tail"),
        }


async def _events(streamed: StreamedInvocation, *, tail: bool) -> AsyncGenerator[dict[str, Any]]:
    chunks = streamed.chunks()
    try:
        async for chunk in chunks:
            yield {"PayloadChunk": {"Payload": chunk}}
    finally:
        await chunks.aclose()
    outcome = await streamed.outcome()
    complete: dict[str, Any] = {}
    if outcome.failed:
        complete = {"ErrorCode": "Unhandled", "ErrorDetails": outcome.payload.decode(errors="replace")}
    if tail:
        complete["LogResult"] = _log_tail(outcome)
    yield {"InvokeComplete": complete}


def _log_tail(outcome: Outcome) -> str:
    return base64.b64encode(outcome.log.encode()[-_TAIL:]).decode()


async def _payload(given: Any) -> bytes:
    """A blob within Cloudlet; from the gateway, where it is the request's body, a Body."""
    return given if isinstance(given, bytes) else bytes(given) if isinstance(given, bytearray) else await given.read()


def too_large(message: str | None = None) -> AwsError:
    message = message or f"Request must be smaller than {LARGEST_REQUEST} bytes for the InvokeFunction operation"
    return AwsError("RequestTooLargeException", message, status=413, fields={"Type": "User"})


def _check_event(payload: bytes) -> None:
    if len(payload) > _LARGEST_EVENT:
        raise too_large(
            f"{len(payload)} byte payload is too large for the Event invocation type (limit {_LARGEST_EVENT} bytes)"
        )


def _check(payload: bytes) -> None:
    if len(payload) > LARGEST_REQUEST:
        raise too_large()
    if payload:
        try:
            orjson.loads(payload)
        except orjson.JSONDecodeError as error:
            raise AwsError(
                "InvalidRequestContentException",
                f"Could not parse request body into json: Could not parse payload into json: {error}",
                fields={"Type": "User"},
            ) from None


def _client_context(given: str | None) -> str | None:
    if given is None:
        return None
    if len(given) > _LARGEST_CONTEXT:
        raise AwsError(
            "InvalidRequestContentException", f"Client context must be at most {_LARGEST_CONTEXT} bytes of Base64"
        )
    try:
        text = base64.b64decode(given, validate=True)
        orjson.loads(text)
    except (binascii.Error, orjson.JSONDecodeError):
        raise AwsError(
            "InvalidRequestContentException", "Client context must be a valid Base64-encoded JSON object"
        ) from None
    return text.decode().replace("\r", " ").replace("\n", " ")
