"""Targets: which ones a rule may have, and the calls by which they get what they are to get."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import NAMESPACE_URL, uuid5

import orjson

from cloudlet.core.arn import Arn
from cloudlet.core.errors import NotImplementedByCloudlet
from cloudlet.services.events.faults import invalid
from cloudlet.services.events.inputs import check_input
from cloudlet.services.events.rules import Target

_LAMBDA, _QUEUE, _TOPIC, _LOG_GROUP, _BUS = "function:", "", "", "log-group:", "event-bus/"
# The services that can be targets here, and how the resources of their ARNs begin.
_KINDS = {"lambda": _LAMBDA, "sqs": _QUEUE, "sns": _TOPIC, "logs": _LOG_GROUP, "events": _BUS}
# What AWS knows as targets beside them.
_ELSEWHERE = frozenset(
    ("apigateway", "appsync", "automation", "batch", "codebuild", "codepipeline", "ec2", "ecs", "execute-api")
) | frozenset(
    ("firehose", "inspector", "iot", "kinesis", "redshift", "redshift-serverless", "sagemaker", "ssm", "states")
)
_PARAMETERS = (
    "AppSyncParameters",
    "BatchParameters",
    "EcsParameters",
    "HttpParameters",
    "KinesisParameters",
    "RedshiftDataParameters",
    "RunCommandParameters",
    "SageMakerPipelineParameters",
)


@dataclass(frozen=True, slots=True)
class Parcel:
    """What a target is to get: `text`, of the event with this id, at this time (epoch seconds), under this trace."""

    text: str
    time: float
    trace_header: str | None


@dataclass(frozen=True, slots=True)
class TargetCall:
    """A call that delivers. `account` is whose resource it is about."""

    api: str
    operation: str
    params: dict[str, Any]
    account: str
    region: str


def check_target(target: Target) -> None:
    """Raises ValidationException, or NotImplementedByCloudlet for what only AWS can deliver to."""
    arn = _parsed(target["Arn"])
    resource = _KINDS.get(arn.service)
    if resource is None or (arn.service == "events" and not arn.resource.startswith(resource)):
        if arn.service in _ELSEWHERE or arn.service == "events":
            raise NotImplementedByCloudlet(f"targets of the kind {arn.service}:{arn.resource.partition('/')[0]}")
        raise _incorrect(target["Arn"])
    if not (arn.region and arn.account and arn.resource.startswith(resource)):
        raise _incorrect(target["Arn"])
    for name in _PARAMETERS:
        if name in target:
            raise invalid(f"{name} is not supported for target {target['Id']}.")
    if "SqsParameters" in target and arn.service != "sqs":
        raise invalid(f"SqsParameters is not supported for target {target['Id']}.")
    _check_resource(target, arn)
    check_input(target)
    _check_dead_letter_queue(target)


def _check_resource(target: Target, arn: Arn) -> None:
    if arn.service == "sqs" and arn.resource.endswith(".fifo") and not _group(target):
        raise invalid(f"Parameter(s) SqsParameters must be specified for target: {target['Id']}.")
    if arn.service == "sns" and arn.resource.endswith(".fifo"):
        raise invalid(f"FIFO topics are not supported as targets: {target['Id']}.")
    if arn.service == "logs" and ("Input" in target or "InputPath" in target):
        raise invalid(f"Input and InputPath are not supported for target {target['Id']}, a log group.")
    if arn.service == "events":
        for name in ("Input", "InputPath", "InputTransformer"):
            if name in target:
                raise invalid(f"{name} is not supported for target {target['Id']}, an event bus.")


def _check_dead_letter_queue(target: Target) -> None:
    queue = target.get("DeadLetterConfig", {}).get("Arn")
    if queue is not None and (_parsed(queue).service != "sqs" or queue.endswith(".fifo")):
        raise invalid(f"Parameter {queue} is not valid. Reason: A dead-letter queue is a standard Amazon SQS queue.")


def calls_for(target: Target, parcel: Parcel, endpoint_url: str) -> list[TargetCall]:
    """The calls that deliver, one after another; not for event buses, which are of this service."""
    arn = Arn.parse(target["Arn"])
    if arn.service == "lambda":
        params: dict[str, Any] = {
            "FunctionName": target["Arn"],
            "InvocationType": "Event",
            "Payload": parcel.text.encode(),
        }
        return [TargetCall("lambda", "Invoke", params, arn.account, arn.region)]
    if arn.service == "sns":
        return [
            TargetCall("sns", "Publish", {"TopicArn": target["Arn"], "Message": parcel.text}, arn.account, arn.region)
        ]
    if arn.service == "logs":
        return _into_log(target, parcel, arn)
    return [TargetCall("sqs", "SendMessage", _message(target, parcel, arn, endpoint_url), arn.account, arn.region)]


def queue_url(arn: Arn, endpoint_url: str) -> str:
    return f"{endpoint_url}/{arn.account}/{arn.resource}"


def _message(target: Target, parcel: Parcel, arn: Arn, endpoint_url: str) -> dict[str, Any]:
    message: dict[str, Any] = {"QueueUrl": queue_url(arn, endpoint_url), "MessageBody": parcel.text}
    if _group(target):
        message["MessageGroupId"] = _group(target)
    if parcel.trace_header is not None:
        header = {"DataType": "String", "StringValue": parcel.trace_header}
        message["MessageSystemAttributes"] = {"AWSTraceHeader": header}
    return message


def _into_log(target: Target, parcel: Parcel, arn: Arn) -> list[TargetCall]:
    """A log stream for each target; a transformed input is an object that says time and message."""
    timestamp, message = int(parcel.time * 1000), parcel.text
    if "InputTransformer" in target:
        timestamp, message = _log_event(parcel.text, timestamp)
    stream = {
        "logGroupName": arn.resource.removeprefix(_LOG_GROUP).removesuffix(":*"),
        "logStreamName": str(uuid5(NAMESPACE_URL, f"{target['Arn']} {target['Id']}")),
    }
    event = {"timestamp": timestamp, "message": message}
    return [
        TargetCall("logs", "CreateLogStream", stream, arn.account, arn.region),
        TargetCall("logs", "PutLogEvents", {**stream, "logEvents": [event]}, arn.account, arn.region),
    ]


def _log_event(text: str, otherwise: int) -> tuple[int, str]:
    try:
        found = orjson.loads(text)
    except orjson.JSONDecodeError:
        return otherwise, text
    if not isinstance(found, dict) or "message" not in found:
        return otherwise, text
    message, timestamp = found["message"], found.get("timestamp")
    if not isinstance(timestamp, int) or isinstance(timestamp, bool):
        timestamp = otherwise
    return timestamp, message if isinstance(message, str) else orjson.dumps(message).decode()


def _group(target: Mapping[str, Any]) -> str | None:
    return target.get("SqsParameters", {}).get("MessageGroupId")


def _parsed(text: str) -> Arn:
    try:
        return Arn.parse(text)
    except ValueError:
        raise _incorrect(text) from None


def _incorrect(arn: str) -> Exception:
    return invalid(f"Parameter {arn} is not valid. Reason: Provided Arn is not in correct format.")
