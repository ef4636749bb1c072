"""First-class integrations: an operation of an AWS service, called with parameters that come from the request."""

import re
from dataclasses import dataclass
from typing import Any

import orjson
from botocore.model import ListShape, Shape, StructureShape

from cloudlet.core.context import Principal
from cloudlet.core.errors import AwsError
from cloudlet.core.http import HttpResponse
from cloudlet.core.model import members_of, operation_model
from cloudlet.core.service import Cloud
from cloudlet.core.timestamps import from_text
from cloudlet.gateway.protocols import protocol_for
from cloudlet.services.apigatewayv2.exchange import Exchange
from cloudlet.services.apigatewayv2.serving import Integration
from cloudlet.services.apigatewayv2.variables import evaluate


@dataclass(frozen=True, slots=True)
class Subtype:
    """An operation, the protocol in which its answer reaches the client, and its parameters."""

    api: str
    operation: str
    protocol: str
    required: frozenset[str]
    optional: frozenset[str] = frozenset()

    @property
    def parameters(self) -> frozenset[str]:
        return self.required | self.optional | {"Region"}


SUBTYPES = {
    "EventBridge-PutEvents": Subtype(
        "events",
        "PutEvents",
        "json",
        frozenset(("Detail", "DetailType", "Source")),
        frozenset(("EventBusName", "Resources", "Time", "TraceHeader")),
    ),
    "SQS-SendMessage": Subtype(
        "sqs",
        "SendMessage",
        "query",
        frozenset(("QueueUrl", "MessageBody")),
        frozenset(
            (
                "DelaySeconds",
                "MessageAttributes",
                "MessageDeduplicationId",
                "MessageGroupId",
                "MessageSystemAttributes",
            )
        ),
    ),
    "SQS-ReceiveMessage": Subtype(
        "sqs",
        "ReceiveMessage",
        "query",
        frozenset(("QueueUrl",)),
        frozenset(
            (
                "AttributeNames",
                "MaxNumberOfMessages",
                "MessageAttributeNames",
                "ReceiveRequestAttemptId",
                "VisibilityTimeout",
                "WaitTimeSeconds",
            )
        ),
    ),
    "SQS-DeleteMessage": Subtype("sqs", "DeleteMessage", "query", frozenset(("QueueUrl", "ReceiptHandle"))),
    "SQS-PurgeQueue": Subtype("sqs", "PurgeQueue", "query", frozenset(("QueueUrl",))),
}
# What AWS has beside them.
UNSUPPORTED = frozenset(
    (
        "AppConfig-GetConfiguration",
        "Kinesis-PutRecord",
        "StepFunctions-StartExecution",
        "StepFunctions-StartSyncExecution",
        "StepFunctions-StopExecution",
    )
)
_REGION = re.compile(r"[a-z]{2}(?:-[a-z]+)+-\d")


async def call(cloud: Cloud, exchange: Exchange, integration: Integration, principal: Principal) -> HttpResponse:
    """The service's answer, also where it is an error, as a client of the service would get it."""
    subtype = SUBTYPES[integration.subtype]
    model = operation_model(subtype.api, subtype.operation)
    protocol = protocol_for(subtype.api, subtype.protocol)
    try:
        params, region = _parameters(exchange, integration, subtype)
        output = await cloud.call(
            subtype.api, subtype.operation, params, as_=principal, region=region or exchange.served.region
        )
        response = protocol.render(model, output, exchange.request_id)
    except AwsError as error:
        exchange.integration_error = error.message
        response = protocol.render_error(error, model, exchange.request_id, exchange.request)
    exchange.integration_status = response.status
    return response


def _parameters(exchange: Exchange, integration: Integration, subtype: Subtype) -> tuple[dict[str, Any], str]:
    values = {
        name: value
        for name, expression in integration.parameters.items()
        if (value := evaluate(expression, exchange)) is not None
    }
    region = values.pop("Region", "")
    if region and not _REGION.fullmatch(region):
        raise AwsError("ValidationException", f"Invalid region: {region}")
    input_ = operation_model(subtype.api, subtype.operation).input_shape
    assert input_ is not None
    if subtype.operation != "PutEvents":
        return _shaped(input_, values), region
    entries = members_of(input_)["Entries"]
    assert isinstance(entries, ListShape)
    return {"Entries": [_shaped(entries.member, values)]}, region


def _shaped(shape: Shape, values: dict[str, str]) -> dict[str, Any]:
    members = members_of(shape)
    return {name: _value(members[name], name, text) for name, text in values.items()}


def _value(shape: Shape, name: str, text: str) -> Any:
    """A text as the operation takes it: numbers and times by their form, lists and structures as JSON."""
    kind = shape.type_name
    try:
        if kind == "integer":
            return int(text)
        if kind == "timestamp":
            return from_text(text)
        if isinstance(shape, ListShape) and not text.lstrip().startswith("["):
            return [part.strip() for part in text.split(",")]
        if isinstance(shape, ListShape | StructureShape) or kind == "map":
            return orjson.loads(text)
    except ValueError:
        raise AwsError("ValidationException", f"Invalid value for {name}: {text}") from None
    return text
