"""Stacks and their resources as the API describes them."""

from typing import Any

import orjson

from cloudlet.services.cloudformation import parameters
from cloudlet.services.cloudformation.records import Resource, Stack
from cloudlet.services.cloudformation.template import read

_NOT_CHECKED = {"StackDriftStatus": "NOT_CHECKED"}
_RESOURCE_NOT_CHECKED = {"StackResourceDriftStatus": "NOT_CHECKED"}


def described(stack: Stack) -> dict[str, Any]:
    """A stack as DescribeStacks tells it."""
    deployment = stack.deployment
    template = read(deployment.body)
    found: dict[str, Any] = {
        "StackId": stack.id,
        "StackName": stack.name,
        "CreationTime": stack.created,
        "StackStatus": stack.status,
        "DisableRollback": deployment.on_failure == "DO_NOTHING",
        "RollbackConfiguration": {},
        "NotificationARNs": [],
        "Capabilities": deployment.capabilities,
        "Tags": deployment.tags,
        "EnableTerminationProtection": stack.termination_protection,
        "DriftInformation": _NOT_CHECKED,
    }
    values = {key: value for key, value in deployment.parameters.items() if key in template.parameters}
    optional = {
        "ChangeSetId": stack.change_set,
        "Description": template.description,
        "Parameters": parameters.shown(template, values) or None,
        "DeletionTime": stack.deleted,
        "LastUpdatedTime": stack.updated,
        "StackStatusReason": stack.reason,
        "Outputs": stack.outputs or None,
        "RoleARN": deployment.role_arn,
    }
    return found | {name: value for name, value in optional.items() if value is not None}


def summarised(stack: Stack) -> dict[str, Any]:
    """A stack as ListStacks tells it."""
    found = {
        "StackId": stack.id,
        "StackName": stack.name,
        "CreationTime": stack.created,
        "StackStatus": stack.status,
        "DriftInformation": _NOT_CHECKED,
    }
    optional = {
        "TemplateDescription": read(stack.deployment.body).description,
        "LastUpdatedTime": stack.updated,
        "DeletionTime": stack.deleted,
        "StackStatusReason": stack.reason,
    }
    return found | {name: value for name, value in optional.items() if value is not None}


def resource(stack: Stack, found: Resource) -> dict[str, Any]:
    """A resource as DescribeStackResources tells it."""
    return resource_summary(found, time="Timestamp") | {"StackId": stack.id, "StackName": stack.name}


def resource_detail(stack: Stack, found: Resource) -> dict[str, Any]:
    """A resource as DescribeStackResource tells it."""
    detail = resource_summary(found) | {"StackId": stack.id, "StackName": stack.name}
    if found.metadata is not None:
        detail["Metadata"] = orjson.dumps(found.metadata).decode()
    return detail


def resource_summary(found: Resource, time: str = "LastUpdatedTimestamp") -> dict[str, Any]:
    """A resource as ListStackResources tells it."""
    summary: dict[str, Any] = {
        "LogicalResourceId": found.logical_id,
        "ResourceType": found.type,
        time: found.updated,
        "ResourceStatus": found.status,
        "DriftInformation": _RESOURCE_NOT_CHECKED,
    }
    optional = {"PhysicalResourceId": found.physical_id, "ResourceStatusReason": found.reason}
    return summary | {name: value for name, value in optional.items() if value is not None}
