"""The resource types that templates may use here, one module for each service."""

from cloudlet.services.cloudformation.resources import (
    apigatewayv2,
    cloudformation,
    dynamodb,
    iam,
    lambda_,
    logs,
    s3,
    sns,
    sqs,
)
from cloudlet.services.cloudformation.resources.resource_type import Context, ResourceType

CATALOGUE: dict[str, ResourceType] = {
    each.type: each()
    for module in (apigatewayv2, cloudformation, dynamodb, iam, lambda_, logs, s3, sns, sqs)
    for each in module.TYPES
}

__all__ = ["CATALOGUE", "Context", "ResourceType"]
