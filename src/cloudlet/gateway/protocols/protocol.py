"""What the gateway asks of a wire protocol."""

from abc import ABC, abstractmethod
from typing import Any

from botocore.model import OperationModel

from cloudlet.core.errors import AwsError
from cloudlet.core.http import Body, HttpRequest, HttpResponse

Params = dict[str, Any]


class Protocol(ABC):
    """One protocol for one API. Everything that the model says is compiled at the first use of an operation."""

    name: str

    def __init__(self, api: str) -> None:
        self.api = api

    @abstractmethod
    def parse(
        self, operation: OperationModel, request: HttpRequest, body: bytes | Body, labels: dict[str, str]
    ) -> Params:
        """The operation's input as services get it. `labels` are the path's variables, percent-decoded.

        `body` is a Body where the input has a streaming payload; it becomes that member. Raises AwsError for what
        cannot be read; what breaks the model's rules is found by `validate_input`.
        """

    @abstractmethod
    def render(self, operation: OperationModel, output: Params | None, request_id: str) -> HttpResponse:
        """The answer to a call that succeeded."""

    @abstractmethod
    def render_error(
        self, error: AwsError, operation: OperationModel | None, request_id: str, request: HttpRequest
    ) -> HttpResponse:
        """The answer to a call that failed; `operation` is None where it was not yet known."""


def malformed(message: str) -> AwsError:
    """What a body that cannot be read gets in the JSON and CBOR protocols."""
    return AwsError("SerializationException", message)
