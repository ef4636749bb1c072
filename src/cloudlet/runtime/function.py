"""What the runtime is told of a function, of an invocation, and what it answers."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, Protocol


@dataclass(frozen=True, slots=True)
class FunctionVersion:
    """One published or latest version, complete with what an execution environment needs.

    `revision` changes with each change of code or configuration: environments of an older one are retired.
    `log_format` is Text or JSON, `log_level` the least level that is logged (JSON only).
    `memory` and `ephemeral_storage` are in MB, `timeout` in seconds. `code` and `layers` are folders.
    """

    arn: str
    name: str
    version: str
    revision: str
    region: str
    runtime: str
    handler: str
    memory: int
    timeout: int
    ephemeral_storage: int
    variables: Mapping[str, str]
    code: Path
    layers: Path | None
    log_group: str
    log_format: str = "Text"
    log_level: str | None = None


@dataclass(frozen=True, slots=True)
class Credentials:
    """Temporary credentials of the function's role; `expires` is in epoch seconds."""

    access_key_id: str
    secret_access_key: str
    session_token: str
    expires: float


class ResponseSink(Protocol):
    """Takes a response as it comes, where whoever invokes wants it so."""

    def begin(self, content_type: str) -> None:
        """The function answers; what it has to say follows in chunks."""
        ...

    async def write(self, chunk: bytes) -> None:
        """Returns when there is room for more."""
        ...


@dataclass(frozen=True, slots=True)
class Invocation:
    """`arn` is the one by which the function was called, with its qualifier. `client_context` is JSON.

    With a `sink` the response goes there, in one piece where the function does not stream; the outcome then holds no
    payload, unless it is an error. Without one a streamed response is gathered. `trace_id` is the X-Amzn-Trace-Id
    that the caller sent.
    """

    request_id: str
    arn: str
    payload: bytes
    client_context: str | None = None
    sink: ResponseSink | None = None
    trace_id: str | None = None


class LogEvent(NamedTuple):
    """`timestamp` is in milliseconds since the epoch."""

    timestamp: int
    message: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """`failed` when the payload is an error object. `log` is what the invocation printed, START to REPORT."""

    payload: bytes
    failed: bool
    log: str
