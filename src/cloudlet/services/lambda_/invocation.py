"""The Invoke operation: synchronous, as an event, or as a dry run."""

import base64
import binascii
from typing import TYPE_CHECKING, Any

import orjson

from cloudlet.core.context import Call
from cloudlet.core.errors import AwsError
from cloudlet.core.service import operation
from cloudlet.services.lambda_.base import LambdaBase
from cloudlet.services.lambda_.events import Events
from cloudlet.services.lambda_.execution import Execution, route
from cloudlet.services.lambda_.names import parse_reference

if TYPE_CHECKING:
    from types_boto3_lambda import type_defs as t

_LARGEST_REQUEST = 6 * 1024 * 1024
_LARGEST_EVENT = 1024 * 1024
_TAIL = 4096


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
        _check(payload, _LARGEST_EVENT if kind == "Event" else _LARGEST_REQUEST)
        context = _client_context(params.get("ClientContext"))
        if kind == "DryRun":
            return {"StatusCode": 204, "ExecutedVersion": version.version}
        if kind == "Event":
            await self.events.accept(reference, call.request_id, payload, context)
            return {"StatusCode": 202}
        outcome = await self.execution.invoke(function, version, reference.arn, call.request_id, payload, context)
        answer: dict[str, Any] = {
            "StatusCode": 200,
            "ExecutedVersion": version.version,
            "Payload": outcome.payload,
        }
        if outcome.failed:
            answer["FunctionError"] = "Unhandled"
        if params.get("LogType") == "Tail":
            answer["LogResult"] = base64.b64encode(outcome.log.encode()[-_TAIL:]).decode()
        return answer


async def _payload(given: Any) -> bytes:
    """A blob within Cloudlet; from the gateway, where it is the request's body, a Body."""
    return given if isinstance(given, bytes) else bytes(given) if isinstance(given, bytearray) else await given.read()


def _check(payload: bytes, largest: int) -> None:
    if len(payload) > largest:
        raise AwsError(
            "RequestTooLargeException",
            f"Request must be smaller than {largest} bytes for the InvokeFunction operation",
            status=413,
            fields={"Type": "User"},
        )
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
    try:
        text = base64.b64decode(given, validate=True)
        orjson.loads(text)
    except (binascii.Error, orjson.JSONDecodeError):
        raise AwsError(
            "InvalidRequestContentException", "Client context must be a valid Base64-encoded JSON object"
        ) from None
    return text.decode().replace("\r", " ").replace("\n", " ")
