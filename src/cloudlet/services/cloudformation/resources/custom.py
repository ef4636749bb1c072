"""Custom resources: functions of the user's own that make, change and delete something."""

from typing import Any, cast

import orjson

from cloudlet.core.errors import AwsError, NotImplementedByCloudlet
from cloudlet.services.cloudformation.replies import Question
from cloudlet.services.cloudformation.resources.resource_type import Attributes, Context, Properties, ResourceType

_LONGEST_WAIT = 3600


class CustomResource(ResourceType):
    """`AWS::CloudFormation::CustomResource` and every `Custom::…` type; properties are the function's own affair."""

    type = "AWS::CloudFormation::CustomResource"
    required = frozenset(("ServiceToken",))
    immutable = frozenset(("ServiceToken",))

    def check(self, properties: Properties) -> None:
        if not properties.get("ServiceToken"):
            raise AwsError("ValidationError", "Property ServiceToken cannot be empty.")
        if not str(properties["ServiceToken"]).startswith("arn:aws:lambda:"):
            raise NotImplementedByCloudlet("custom resources behind an SNS topic")

    async def create(self, context: Context, name: str, properties: Properties) -> str:
        answer = await _ask(context, "Create", properties, {})
        context.told.update(_data(answer))
        return str(answer.get("PhysicalResourceId") or name)

    async def left_behind(self, context: Context, name: str, properties: Properties) -> str | None:
        """Only the function knows; it is asked to delete what it may have made."""
        return name

    async def update(self, context: Context, physical_id: str, before: Properties, after: Properties) -> str | None:
        """The function says by another physical id that it has made something new."""
        more = {"PhysicalResourceId": physical_id, "OldResourceProperties": _texts(before)}
        answer = await _ask(context, "Update", after, more)
        context.told.update(_data(answer))
        return str(answer.get("PhysicalResourceId") or physical_id)

    async def delete(self, context: Context, physical_id: str, properties: Properties) -> None:
        await _ask(context, "Delete", properties, {"PhysicalResourceId": physical_id})


async def _ask(context: Context, kind: str, properties: Properties, more: dict[str, Any]) -> dict[str, Any]:
    # A replaced resource and the one in its place are deleted in different walks, or are asked under different ids.
    physical_id = more.get("PhysicalResourceId", "")
    question = Question(context.stack_id, context.logical_id, context.run, f"{kind} {physical_id}")
    token = await context.replies.token(question)
    if context.replies.answer(token) is None:
        event = {
            "RequestType": kind,
            "ServiceToken": properties["ServiceToken"],
            "ResponseURL": context.replies.url(token),
            "StackId": context.stack_id,
            "RequestId": token,
            "LogicalResourceId": context.logical_id,
            "ResourceType": context.resource_type,
            "ResourceProperties": _texts(properties),
            **more,
        }
        params = {
            "FunctionName": properties["ServiceToken"],
            "InvocationType": "Event",
            "Payload": orjson.dumps(event),
        }
        await context.call("lambda", "Invoke", params)
    answer = await context.replies.wait_answered(token, float(properties.get("ServiceTimeout", _LONGEST_WAIT)))
    if answer.get("Status") != "SUCCESS":
        reason = answer.get("Reason") or "the function gave no reason"
        raise AwsError(
            "ValidationError", f"Received response status [FAILED] from custom resource. Message returned: {reason}"
        )
    return answer


def _data(answer: dict[str, Any]) -> Attributes:
    data = answer.get("Data") or {}
    return cast("Attributes", data) if isinstance(data, dict) else {}


def _texts(value: Any) -> Any:
    """Functions get all scalars as texts, as on AWS."""
    if isinstance(value, dict):
        return {key: _texts(each) for key, each in cast("dict[str, Any]", value).items()}
    if isinstance(value, list):
        return [_texts(each) for each in cast("list[Any]", value)]
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)
