"""Targets: which ones a schedule may have, and the call that each of them stands for."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from cloudlet.core.arn import Arn
from cloudlet.core.errors import NotImplementedByCloudlet
from cloudlet.core.service import Cloud
from cloudlet.services.scheduler.errors import invalid
from cloudlet.services.scheduler.inputs import Occasion, default_notification, is_json, rendered
from cloudlet.services.scheduler.universal import operation_of, parameters

Target = Mapping[str, Any]
_LONGEST_INPUT = 256 * 1024
# Parameters of the templated targets, by the service that they belong to.
_PARAMETERS = {
    "EcsParameters": "ecs",
    "EventBridgeParameters": "events",
    "EventBridgePutEventsV2Parameters": "events",
    "EventBridgePutRawEventsParameters": "events",
    "KinesisParameters": "kinesis",
    "SageMakerPipelineParameters": "sagemaker",
    "SqsParameters": "sqs",
}
# Templated targets of AWS whose services Cloudlet does not have.
_ELSEWHERE = frozenset(("codebuild", "codepipeline", "ecs", "firehose", "inspector", "kinesis", "sagemaker", "states"))


@dataclass(frozen=True, slots=True)
class Invocation:
    """A call to make. `account` is whose resource it is about, None for the schedule's own."""

    api: str
    operation: str
    params: dict[str, Any]
    region: str
    account: str | None = None


def check_target(cloud: Cloud, target: Target) -> None:
    """Raises ValidationException, or NotImplementedByCloudlet for what only AWS can call."""
    arn = _parsed(target["Arn"])
    _check_parameters(target, arn)
    text = target.get("Input")
    if text is not None and len(text.encode()) > _LONGEST_INPUT:
        raise invalid("Invalid request provided. The input of a target is at most 256 KB.")
    if arn.service == "scheduler":
        operation_of(cloud, arn.resource)
    elif arn.service in _ELSEWHERE:
        raise NotImplementedByCloudlet(f"targets of the service {arn.service}")
    elif arn.service not in _TEMPLATES:
        raise invalid(f"{arn.service} is not a supported service for a target.")
    else:
        _check_template(target, arn)
    if text is not None and arn.service in ("scheduler", "lambda", "events") and not is_json(text):
        raise invalid("Invalid request provided. The input of this target is to be well-formed JSON.")


def invocation_of(cloud: Cloud, target: Target, occasion: Occasion, attempt: int) -> Invocation:
    """Raises AwsError for an input that its operation does not take."""
    arn = Arn.parse(target["Arn"])
    if arn.service == "scheduler":
        api, operation = operation_of(cloud, arn.resource)
        text = rendered(target.get("Input", "{}"), occasion, attempt)
        return Invocation(api, operation, parameters(api, operation, text), occasion.region)
    text = target.get("Input")
    text = rendered(text, occasion, attempt) if text is not None else default_notification(occasion)
    return _TEMPLATES[arn.service](cloud, target, arn, text, occasion)


def _parsed(text: str) -> Arn:
    try:
        arn = Arn.parse(text)
    except ValueError:
        raise invalid("Provided Arn is not in correct format.") from None
    if not arn.service or not arn.resource:
        raise invalid("Provided Arn is not in correct format.")
    return arn


def _check_parameters(target: Target, arn: Arn) -> None:
    for name in target.keys() & _PARAMETERS.keys():
        if _PARAMETERS[name] != arn.service:
            raise invalid(f"{name} is not supported for the target {target['Arn']}.")
        if name.startswith("EventBridgePut"):
            raise NotImplementedByCloudlet(f"the {name} of a target")


def _check_template(target: Target, arn: Arn) -> None:
    kinds = {"lambda": "function:", "events": "event-bus/"}
    if not (arn.region and arn.account and arn.resource.startswith(kinds.get(arn.service, ""))):
        raise invalid("Provided Arn is not in correct format.")
    if arn.service == "events" and "EventBridgeParameters" not in target:
        raise invalid("EventBridgeParameters is required for an EventBridge target.")
    group = target.get("SqsParameters", {}).get("MessageGroupId")
    if arn.service == "sqs" and arn.resource.endswith(".fifo") and group is None:
        raise invalid("MessageGroupId is required for a FIFO queue target.")
    if arn.service == "sns" and arn.resource.endswith(".fifo"):
        raise invalid("FIFO topics are not supported as targets.")


def _lambda(cloud: Cloud, target: Target, arn: Arn, text: str, occasion: Occasion) -> Invocation:
    params = {"FunctionName": target["Arn"], "InvocationType": "Event", "Payload": text.encode()}
    return Invocation("lambda", "Invoke", params, arn.region, arn.account)


def _sqs(cloud: Cloud, target: Target, arn: Arn, text: str, occasion: Occasion) -> Invocation:
    url = f"{cloud.settings.endpoint_url}/{arn.account}/{arn.resource}"
    params = {"QueueUrl": url, "MessageBody": text, **target.get("SqsParameters", {})}
    return Invocation("sqs", "SendMessage", params, arn.region)


def _sns(cloud: Cloud, target: Target, arn: Arn, text: str, occasion: Occasion) -> Invocation:
    return Invocation("sns", "Publish", {"TopicArn": target["Arn"], "Message": text}, arn.region)


def _events(cloud: Cloud, target: Target, arn: Arn, text: str, occasion: Occasion) -> Invocation:
    detail = text if "Input" in target else "{}"
    entry = {
        "EventBusName": target["Arn"],
        **target["EventBridgeParameters"],
        "Detail": detail,
        "Resources": [occasion.schedule_arn],
    }
    return Invocation("events", "PutEvents", {"Entries": [entry]}, arn.region)


_TEMPLATES: Mapping[str, Callable[[Cloud, Target, Arn, str, Occasion], Invocation]] = {
    "events": _events,
    "lambda": _lambda,
    "sns": _sns,
    "sqs": _sqs,
}
