"""Stacks within stacks."""

from typing import Any

from cloudlet.core.errors import AwsError
from cloudlet.services.cloudformation.resources.resource_type import (
    Attributes,
    Context,
    Properties,
    ResourceType,
    is_missing,
)

_CAPABILITIES = ["CAPABILITY_IAM", "CAPABILITY_NAMED_IAM", "CAPABILITY_AUTO_EXPAND"]


class Stack(ResourceType):
    """The parent's capabilities have been checked for its own template; those below are acknowledged with it."""

    type = "AWS::CloudFormation::Stack"
    properties = frozenset(("Description", "Parameters", "Tags", "TemplateURL"))
    required = frozenset(("TemplateURL",))
    longest_name = 128
    tags = "list"

    async def find(self, context: Context, name: str, properties: Properties) -> str | None:
        try:
            return (await _describe(context, name))["StackId"]
        except AwsError as error:
            if "does not exist" in error.message:
                return None
            raise

    async def create(self, context: Context, name: str, properties: Properties) -> str:
        params = {"StackName": name, "OnFailure": "DO_NOTHING", **_params(properties)}
        id_: str = (await context.call("cloudformation", "CreateStack", params))["StackId"]
        await self.adopt(context, id_, properties)
        return id_

    async def adopt(self, context: Context, physical_id: str, properties: Properties) -> None:
        await _ended(context, physical_id, "CREATE_COMPLETE", "UPDATE_COMPLETE")

    async def attributes(self, context: Context, physical_id: str, properties: Properties) -> Attributes:
        outputs = (await _describe(context, physical_id)).get("Outputs", [])
        return {f"Outputs.{each['OutputKey']}": each["OutputValue"] for each in outputs}

    async def update(self, context: Context, physical_id: str, before: Properties, after: Properties) -> None:
        try:
            await context.call("cloudformation", "UpdateStack", {"StackName": physical_id, **_params(after)})
        except AwsError as error:
            if "No updates are to be performed" in error.message:
                return
            if "IN_PROGRESS state and can not be updated" not in error.message:
                raise
        await _ended(context, physical_id, "UPDATE_COMPLETE")

    async def delete(self, context: Context, physical_id: str, properties: Properties) -> None:
        await context.call("cloudformation", "DeleteStack", {"StackName": physical_id})
        try:
            await _ended(context, physical_id, "DELETE_COMPLETE")
        except AwsError as error:
            if not is_missing(error):
                raise


def _params(properties: Properties) -> dict[str, Any]:
    parameters = [
        {"ParameterKey": key, "ParameterValue": ",".join(map(str, value)) if isinstance(value, list) else value}
        for key, value in properties.get("Parameters", {}).items()
    ]
    params: dict[str, Any] = {"TemplateURL": properties["TemplateURL"], "Parameters": parameters}
    return params | {"Capabilities": _CAPABILITIES, "Tags": properties.get("Tags", [])}


async def _describe(context: Context, name: str) -> dict[str, Any]:
    return (await context.call("cloudformation", "DescribeStacks", {"StackName": name}))["Stacks"][0]


async def _ended(context: Context, id_: str, *good: str) -> None:
    """Waits until the stack is under way no longer; raises AwsError if it ended otherwise than hoped."""
    with context.cloud.signals.listen(f"stack:{id_}") as listener:
        while (stack := await _describe(context, id_))["StackStatus"].endswith("_IN_PROGRESS"):
            await listener.wait()
    if stack["StackStatus"] not in good:
        reason = stack.get("StackStatusReason", "")
        raise AwsError("ValidationError", f"Embedded stack {id_} was not successfully created or updated: {reason}")


TYPES = (Stack,)
