"""Smithy RPC v2 with CBOR bodies."""

from collections.abc import Callable, Mapping
from typing import Any

import cbor2
from botocore.model import OperationModel, Shape

from cloudlet.core import timestamps
from cloudlet.core.errors import AwsError
from cloudlet.core.http import Body, HttpRequest, HttpResponse
from cloudlet.core.model import members_of
from cloudlet.gateway.errors import spelled
from cloudlet.gateway.protocols.json_values import message_member
from cloudlet.gateway.protocols.protocol import Params, Protocol, malformed
from cloudlet.gateway.protocols.structured import Conversions, Convert, timestamp_reader, without_nulls

_EPOCH_TAG = 1


def _timestamp_reader(shape: Shape) -> Convert:
    return timestamp_reader(shape, "unixTimestamp")


def _epoch(value: Any) -> cbor2.CBORTag:
    return cbor2.CBORTag(_EPOCH_TAG, timestamps.epoch(value))


_DECODE: Mapping[str, Callable[[Shape], Convert]] = {"timestamp": _timestamp_reader}
_ENCODE: Mapping[str, Callable[[Shape], Convert]] = {"timestamp": lambda shape: _epoch}


class RpcCborProtocol(Protocol):
    name = "smithy-rpc-v2-cbor"

    def __init__(self, api: str) -> None:
        super().__init__(api)
        self._decoding = Conversions(api, _DECODE, "decode")
        self._encoding = Conversions(api, _ENCODE, "encode")
        self._inputs: dict[str, Convert] = {}
        self._outputs: dict[str, Convert] = {}

    def parse(
        self, operation: OperationModel, request: HttpRequest, body: bytes | Body, labels: dict[str, str]
    ) -> Params:
        assert isinstance(body, bytes)
        name = operation.name
        if name not in self._inputs:
            self._inputs[name] = self._decoding.members(_members(operation.input_shape))
        return self._inputs[name](_read_map(body))

    def render(self, operation: OperationModel, output: Params | None, request_id: str) -> HttpResponse:
        name = operation.name
        if name not in self._outputs:
            self._outputs[name] = self._encoding.members(_members(operation.output_shape))
        value = self._outputs[name](output or {})
        return _response(200, cbor2.dumps(without_nulls(value)), request_id)

    def render_error(
        self, error: AwsError, operation: OperationModel | None, request_id: str, request: HttpRequest
    ) -> HttpResponse:
        found = spelled(self.api, self.name, error)
        fields: Params = dict(found.fields)
        if found.shape is not None:
            fields = self._encoding.structure(found.shape)(fields)
        body = {"__type": found.name, **fields, message_member(found.shape): found.message}
        response = _response(found.status, cbor2.dumps(body), request_id)
        response.headers += found.headers.items()
        if request.headers.get("x-amzn-query-mode") == "true":
            fault = "Sender" if found.status < 500 else "Receiver"
            response.headers.append(("x-amzn-query-error", f"{found.code};{fault}"))
        return response


def _members(shape: Shape | None) -> Mapping[str, Shape]:
    return members_of(shape) if shape is not None else {}


def _read_map(body: bytes) -> Params:
    if not body:
        return {}
    try:
        value = cbor2.loads(body)
    except (cbor2.CBORDecodeError, ValueError, RecursionError):
        raise malformed("Unable to parse the request body as CBOR") from None
    if not isinstance(value, dict):
        raise malformed("Start of structure or map expected")
    params: Params = without_nulls(value)
    return params


def _response(status: int, body: bytes, request_id: str) -> HttpResponse:
    headers = [
        ("x-amzn-RequestId", request_id),
        ("smithy-protocol", "rpc-v2-cbor"),
        ("Content-Type", "application/cbor"),
    ]
    return HttpResponse(status, headers, body)
