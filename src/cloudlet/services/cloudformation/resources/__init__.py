"""The resource types that templates may use here, by the service that has them."""

from cloudlet.services.cloudformation.resources import (
    apigatewayv2,
    cloudformation,
    cloudwatch,
    dynamodb,
    events,
    iam,
    lambda_,
    lambda_layers,
    lambda_versions,
    logs,
    nested,
    s3,
    scheduler,
    sns,
    sqs,
)
from cloudlet.services.cloudformation.resources.custom import CustomResource
from cloudlet.services.cloudformation.resources.resource_type import Context, ResourceType

CATALOGUE: dict[str, ResourceType] = {
    each.type: each()
    for module in (
        apigatewayv2,
        cloudformation,
        cloudwatch,
        dynamodb,
        events,
        iam,
        lambda_,
        lambda_layers,
        lambda_versions,
        logs,
        nested,
        s3,
        scheduler,
        sns,
        sqs,
    )
    for each in module.TYPES
}

_CUSTOM = CustomResource()


def resource_type(name: str) -> ResourceType:
    """Raises KeyError for a type that does not exist here."""
    return _CUSTOM if name == CustomResource.type or name.startswith("Custom::") else CATALOGUE[name]


def exists(name: str) -> bool:
    """Whether templates may use the type."""
    return name in CATALOGUE or name == CustomResource.type or name.startswith("Custom::")


__all__ = ["CATALOGUE", "Context", "ResourceType", "exists", "resource_type"]
