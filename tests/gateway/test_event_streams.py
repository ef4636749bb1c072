"""Event streams as botocore reads them: frames, events, exceptions, and what comes before the first of them."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from botocore.eventstream import EventStreamBuffer, EventStreamError
from botocore.model import OperationModel
from botocore.parsers import create_parser
from hypothesis import given
from hypothesis import strategies as st

from cloudlet.core.errors import AwsError
from cloudlet.core.http import HttpResponse
from cloudlet.core.model import api_model, operation_model
from cloudlet.gateway.protocols import protocol_for
from cloudlet.gateway.protocols.event_stream import frame

HEADERS = st.dictionaries(
    st.text(min_size=1, max_size=20).filter(lambda name: len(name.encode()) < 256), st.text(max_size=50), max_size=5
)


@given(st.lists(st.tuples(HEADERS, st.binary(max_size=200)), max_size=4), st.integers(1, 64))
def test_frames_are_read_as_they_were_written_in_pieces_of_any_size(
    messages: list[tuple[dict[str, str], bytes]], size: int
) -> None:
    data = b"".join(frame(headers, payload) for headers, payload in messages)
    buffer = EventStreamBuffer()
    read: list[Any] = []
    for start in range(0, len(data), size):
        buffer.add_data(data[start : start + size])
        read += [(message.headers, message.payload) for message in buffer]
    assert read == messages


class _Raw:
    """What botocore takes for a connection: the body, a few bytes at a time."""

    def __init__(self, body: bytes) -> None:
        self._body = body

    def stream(self) -> Any:
        yield from (self._body[start : start + 7] for start in range(0, len(self._body), 7))


async def read(model: OperationModel, response: HttpResponse) -> dict[str, Any]:
    """The output as boto3 has it, its event stream ready to be iterated."""
    assert not isinstance(response.body, bytes)
    body = b"".join([chunk async for chunk in response.body])
    found = {"status_code": response.status, "headers": dict(response.headers), "body": _Raw(body)}
    found["context"] = {"operation_name": model.name}
    parser = create_parser(str(model.service_model.metadata["protocol"]))
    assert model.output_shape is not None
    parsed: dict[str, Any] = parser.parse(found, model.output_shape)
    return parsed


def error_of(caught: pytest.ExceptionInfo[EventStreamError]) -> Any:
    return caught.value.response.get("Error")


def rendered(model: OperationModel, output: dict[str, Any]) -> HttpResponse:
    api = model.service_model.service_name
    return protocol_for(api, str(model.service_model.metadata["protocol"])).render(model, output, "request-id")


async def events_of(*events: dict[str, Any] | Exception) -> AsyncIterator[dict[str, Any]]:
    for event in events:
        if isinstance(event, Exception):
            raise event
        yield event


INVOKE = operation_model("lambda", "InvokeWithResponseStream")
LIVE_TAIL = operation_model("logs", "StartLiveTail")
SUBSCRIBE = api_model("kinesis").operation_model("SubscribeToShard")


async def test_payloads_and_structures_of_rest_json() -> None:
    written: list[dict[str, Any]] = [
        {"PayloadChunk": {"Payload": b"\x00\xffone"}},
        {"PayloadChunk": {"Payload": b""}},
        {"InvokeComplete": {"ErrorCode": "Runtime.ExitError", "LogResult": "bG9n", "ErrorDetails": None}},
    ]
    output = {"StatusCode": 200, "ExecutedVersion": "$LATEST", "EventStream": events_of(*written)}
    response = rendered(INVOKE, output)
    assert ("Content-Type", "application/vnd.amazon.eventstream") in response.headers
    parsed = await read(INVOKE, response)
    assert (parsed["StatusCode"], parsed["ExecutedVersion"]) == (200, "$LATEST")
    del written[2]["InvokeComplete"]["ErrorDetails"]
    assert list(parsed["EventStream"]) == written


async def test_the_output_beside_the_stream_comes_first_in_json() -> None:
    session = {"requestId": "r", "sessionId": "s", "logGroupIdentifiers": ["arn"]}
    response = rendered(LIVE_TAIL, {"responseStream": events_of({"sessionStart": session})})
    assert isinstance(response.body, AsyncIterator)
    first = await anext(response.body)
    buffer = EventStreamBuffer()
    buffer.add_data(first)
    (message,) = buffer
    assert message.headers == {
        ":message-type": "event",
        ":event-type": "initial-response",
        ":content-type": "application/x-amz-json-1.1",
    }
    assert message.payload == b"{}"


async def test_events_of_json() -> None:
    update: dict[str, Any] = {
        "sessionMetadata": {"sampled": False},
        "sessionResults": [{"message": "héllo", "timestamp": 5}],
    }
    written: list[dict[str, Any]] = [{"sessionStart": {"requestId": "r", "sessionId": "s"}}, {"sessionUpdate": update}]
    parsed = await read(LIVE_TAIL, rendered(LIVE_TAIL, {"responseStream": events_of(*written)}))
    assert list(parsed["responseStream"]) == written


async def test_an_exception_of_the_stream_ends_it() -> None:
    events = events_of({"sessionStart": {}}, AwsError("SessionTimeoutException", "Three hours are over."))
    parsed = await read(LIVE_TAIL, rendered(LIVE_TAIL, {"responseStream": events}))
    stream = iter(parsed["responseStream"])
    next(stream)
    with pytest.raises(EventStreamError) as caught:
        next(stream)
    assert error_of(caught) == {
        "Code": "SessionTimeoutException",
        "Message": "Three hours are over.",
    }


async def test_an_exception_under_another_name_than_its_shape() -> None:
    """Members of a stream may be named otherwise than their shapes; it is the member's name that is said."""
    error = AwsError("KMSDisabledException", "off")
    parsed = await read(SUBSCRIBE, rendered(SUBSCRIBE, {"EventStream": events_of(error)}))
    with pytest.raises(EventStreamError) as caught:
        list(parsed["EventStream"])
    assert error_of(caught)["Code"] == "KMSDisabledException"


@pytest.mark.parametrize(
    ("error", "code"), [(AwsError("AccessDenied", "no"), "AccessDeniedException"), (KeyError("x"), "InternalFailure")]
)
async def test_other_errors_end_it_without_a_shape(error: Exception, code: str) -> None:
    parsed = await read(LIVE_TAIL, rendered(LIVE_TAIL, {"responseStream": events_of(error)}))
    with pytest.raises(EventStreamError) as caught:
        list(parsed["responseStream"])
    assert error_of(caught)["Code"] == code


async def test_whoever_stops_reading_closes_the_source() -> None:
    closed: list[bool] = []

    async def endless() -> AsyncIterator[dict[str, Any]]:
        try:
            while True:
                yield {"PayloadChunk": {"Payload": b"x"}}
        finally:
            closed.append(True)

    response = rendered(INVOKE, {"EventStream": endless()})
    assert not isinstance(response.body, bytes)
    await anext(response.body)
    await response.body.aclose()  # type: ignore[attr-defined]
    assert closed == [True]
