"""What a call of IAM or STS is about, as policies name it: the ARN, and the keys of their conditions."""

from collections.abc import Mapping
from typing import Any, Literal

from cloudlet.core.context import Call
from cloudlet.services.iam import entities
from cloudlet.store import Reader

# The member that names what the operation is about comes first: AddUserToGroup is about the group.
_NAMES: tuple[tuple[str, Literal["user", "group", "role"]], ...] = (
    ("GroupName", "group"),
    ("UserName", "user"),
    ("RoleName", "role"),
)
# Without a name these are about the one who asks.
_OWN = frozenset(
    {"GetUser", "CreateAccessKey", "DeleteAccessKey", "ListAccessKeys", "UpdateAccessKey", "GetAccessKeyLastUsed"}
)
# What conditions can say of a parameter.
_KEYS = {
    "ExternalId": "sts:ExternalId",
    "RoleSessionName": "sts:RoleSessionName",
    "SourceIdentity": "sts:SourceIdentity",
    "PolicyArn": "iam:PolicyARN",
    "PermissionsBoundary": "iam:PermissionsBoundary",
}


def resource_of(reader: Reader, call: Call, params: Mapping[str, Any]) -> str | None:
    if "RoleArn" in params:
        return str(params["RoleArn"])
    if "InstanceProfileName" in params:
        return f"arn:aws:iam::{call.account}:instance-profile{params.get('Path', '/')}{params['InstanceProfileName']}"
    for member, kind in _NAMES:
        if member in params:
            found = entities.find(reader, call.account, kind, params[member])
            path = params.get("Path", "/")
            return found.arn if found else f"arn:aws:iam::{call.account}:{kind}{path}{params[member]}"
    if "PolicyArn" in params:
        return str(params["PolicyArn"])
    if "PolicyName" in params:
        return f"arn:aws:iam::{call.account}:policy{params.get('Path', '/')}{params['PolicyName']}"
    if call.operation in _OWN and call.principal.kind == "user":
        return call.principal.arn
    # Lists and settings of the account are about no entity: a right to some of them is none to see all.
    return "*" if call.api == "iam" else None


def condition_keys_of(reader: Reader, call: Call, params: Mapping[str, Any]) -> dict[str, str]:
    """Of the parameters, and of the user or role that the call is about."""
    keys = {f"aws:RequestTag/{tag['Key']}": tag["Value"] for tag in params.get("Tags", ())}
    for member, kind in _NAMES:
        entity = entities.find(reader, call.account, kind, params[member]) if member in params else None
        if entity is not None:
            if entity.boundary is not None:
                keys["iam:PermissionsBoundary"] = entity.boundary
            for key, value in entities.tags_of(reader, entity.id).items():
                keys[f"aws:ResourceTag/{key}"] = keys[f"iam:ResourceTag/{key}"] = value
            break
    return keys | {key: params[member] for member, key in _KEYS.items() if member in params}
