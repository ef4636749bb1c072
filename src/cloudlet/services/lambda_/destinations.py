"""Where records of invocations go: to queues, topics, functions, event buses and buckets."""

import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import orjson

from cloudlet.core.http import Body
from cloudlet.services.lambda_.configuration import invalid
from cloudlet.services.lambda_.names import FunctionKey
from cloudlet.services.lambda_.roles import Roles

# The operation by which each service takes a record.
_OPERATIONS = {"sqs": "SendMessage", "sns": "Publish", "lambda": "Invoke", "events": "PutEvents", "s3": "PutObject"}


def service_of(arn: str) -> str:
    """Empty for what is no ARN."""
    return arn.split(":")[2] if arn.count(":") >= 5 else ""


def check_destination(arn: str, function_arn: str, allowed: tuple[str, ...]) -> None:
    """`allowed` are the services that may be meant. Raises InvalidParameterValueException."""
    if service_of(arn) not in allowed or arn.endswith(".fifo"):
        raise invalid(f"The provided destination config DestinationConfig is invalid: {arn}")
    if arn == function_arn:
        raise invalid("You can't specify the function as a destination for itself.")


async def check_right(roles: Roles, key: FunctionKey, role: str, arn: str) -> None:
    """Raises InvalidParameterValueException unless the function's role may send there."""
    service = service_of(arn)
    resource = f"{arn}/*" if service == "s3" else arn
    if not await roles.allows(key, role, service, _OPERATIONS[service], resource):
        action = "InvokeFunction" if service == "lambda" else _OPERATIONS[service]
        raise invalid(f"The function execution role does not have permissions to call {action} on {arn}")


async def check_dead_letters(roles: Roles, key: FunctionKey, role: str, config: Mapping[str, Any]) -> None:
    """The same of a function's dead-letter queue or topic, if it has one."""
    arn = config.get("TargetArn")
    if arn:
        service = service_of(arn)
        if not await roles.allows(key, role, service, _OPERATIONS[service], arn):
            raise invalid(
                "The provided execution role does not have permissions to call"
                f" {_OPERATIONS[service]} on {service.upper()}"
            )


def delivery(
    target: str, record: Mapping[str, Any], folder: str, endpoint_url: str, now: float
) -> tuple[str, str, dict[str, Any]]:
    """API, operation and parameters that bring a record to its destination; in a bucket it lies in the `folder`."""
    _, _, service, _, account, name = target.split(":", 5)
    text = orjson.dumps(record).decode()
    match service:
        case "sqs":
            params: dict[str, Any] = {"QueueUrl": f"{endpoint_url}/{account}/{name}", "MessageBody": text}
        case "sns":
            params = {"TopicArn": target, "Message": text}
        case "events":
            params = {"Entries": [_entry(target, record, text)]}
        case "s3":
            key = f"{folder}/{datetime.fromtimestamp(now, UTC):%Y/%m/%d/%Y-%m-%dT%H.%M.%S}-{uuid.uuid4()}"
            params = {"Bucket": name, "Key": key, "Body": Body.of(text.encode())}
        case _:
            params = {"FunctionName": target, "InvocationType": "Event", "Payload": text.encode()}
    return service, _OPERATIONS[service], params


def _entry(bus: str, record: Mapping[str, Any], text: str) -> dict[str, Any]:
    context = record["requestContext"]
    result = "Success" if context["condition"] == "Success" else "Failure"
    return {
        "EventBusName": bus,
        "Source": "lambda",
        "DetailType": f"Lambda Function Invocation Result - {result}",
        "Resources": [bus, context["functionArn"]],
        "Detail": text,
    }
