"""From a request to a deployment: the template fetched, its parameters resolved, its transforms applied."""

import re
from collections.abc import AsyncIterator
from functools import partial
from typing import Any, cast
from urllib.parse import unquote, urlsplit

from cloudlet.core.context import Call
from cloudlet.core.errors import AwsError, NotImplementedByCloudlet
from cloudlet.core.service import Cloud
from cloudlet.services.cloudformation import capabilities, includes, parameters
from cloudlet.services.cloudformation.errors import validation_error
from cloudlet.services.cloudformation.records import Deployment
from cloudlet.services.cloudformation.template import parse, read
from cloudlet.services.cloudformation.transforms import transform

_NAME = re.compile(r"[a-zA-Z][-a-zA-Z0-9]{0,127}")
_LONGEST_BODY = 51_200
_LONGEST_OBJECT = 1_048_576
# Members that would change what happens, and are not there yet.
_UNSUPPORTED = (
    "DeploymentConfig",
    "ImportExistingResources",
    "IncludeNestedStacks",
    "NotificationARNs",
    "ResourceTypes",
    "ResourcesToImport",
    "StackPolicyBody",
    "StackPolicyDuringUpdateBody",
    "StackPolicyDuringUpdateURL",
    "StackPolicyURL",
)


def check_name(name: str) -> None:
    """Raises ValidationError for what cannot be a stack's name."""
    if not _NAME.fullmatch(name):
        raise validation_error(
            f"1 validation error detected: Value '{name}' at 'stackName' failed to satisfy constraint: Member must "
            "satisfy regular expression pattern: [a-zA-Z][-a-zA-Z0-9]*"
        )


def refuse_unsupported(params: dict[str, Any]) -> None:
    """Raises NotImplementedByCloudlet (501) for options that Cloudlet does not have."""
    for name in _UNSUPPORTED:
        if params.get(name):
            raise NotImplementedByCloudlet(f"{name} of CloudFormation")
    if params.get("RollbackConfiguration", {}).get("RollbackTriggers"):
        raise NotImplementedByCloudlet("RollbackTriggers of CloudFormation")
    if params.get("DeploymentMode") == "REVERT_DRIFT":
        raise NotImplementedByCloudlet("DeploymentMode REVERT_DRIFT of CloudFormation")


async def template_text(cloud: Cloud, call: Call, params: dict[str, Any], previous: Deployment | None = None) -> str:
    """The template's text from TemplateBody, TemplateURL or the previous deployment; exactly one must be named."""
    ways = [name for name in ("TemplateBody", "TemplateURL") if params.get(name)]
    if params.get("UsePreviousTemplate"):
        ways.append("UsePreviousTemplate")
    if len(ways) != 1:
        either = "Either Template URL or Template Body must be specified."
        raise validation_error(either if not ways else "Template URL and Template Body cannot be specified together.")
    if ways[0] == "UsePreviousTemplate":
        if previous is None:
            raise validation_error("UsePreviousTemplate cannot be used when there is no previous template.")
        return previous.source
    if ways[0] == "TemplateURL":
        return await _fetch(cloud, call, params["TemplateURL"])
    text: str = params["TemplateBody"]
    if len(text.encode()) > _LONGEST_BODY:
        raise validation_error(
            f"1 validation error detected: Value at 'templateBody' failed to satisfy constraint: Member must have "
            f"length less than or equal to {_LONGEST_BODY}"
        )
    return text


async def deployment(
    cloud: Cloud, call: Call, params: dict[str, Any], previous: Deployment | None, *, direct: bool
) -> Deployment:
    """What the request asks for. `direct`: without a change set, so that transforms need to be acknowledged."""
    refuse_unsupported(params)
    if "RoleARN" in params:
        cloud.authorise_passing(call, params["RoleARN"], "cloudformation.amazonaws.com")
    text = await template_text(cloud, call, params, previous)
    if "{{resolve:" in text:
        raise NotImplementedByCloudlet("dynamic references in templates")
    body = parse(text)
    given = params.get("Capabilities", [])
    if has_includes := includes.includes(body):
        body = await includes.expand(body, partial(_included, cloud, call), _presumed(body, params, previous))
    template = read(body)
    if direct and (template.transforms or has_includes) and "CAPABILITY_AUTO_EXPAND" not in given:
        raise capabilities.insufficient(["CAPABILITY_AUTO_EXPAND"])
    values = parameters.resolve(template, params.get("Parameters", []), previous.parameters if previous else None)
    processed = await transform(body, template.transforms, values, call.region)
    # A transform may add parameters of its own, which then have their defaults.
    final = read(processed)
    values |= {
        key: parameters.resolve_default(declared)
        for key, declared in final.parameters.items()
        if key not in values and "Default" in declared
    }
    if (lack := capabilities.lacking(final, given)) is not None:
        raise lack
    kept_tags = previous.tags if previous is not None else []
    kept_role = previous.role_arn if previous is not None else None
    return Deployment(
        source=text,
        body=processed,
        parameters=values,
        principal=call.principal,
        tags=params.get("Tags", kept_tags),
        capabilities=list(given),
        role_arn=params.get("RoleARN", kept_role),
        on_failure=_on_failure(params),
        token=params.get("ClientRequestToken"),
        timeout_minutes=params.get("TimeoutInMinutes"),
        retain_except_on_create=bool(params.get("RetainExceptOnCreate")),
    )


def _on_failure(params: dict[str, Any]) -> str:
    chosen = params.get("OnFailure") or params.get("OnStackFailure")
    if "DisableRollback" in params and params.get("OnFailure"):
        raise validation_error("You can specify either DisableRollback or OnFailure, but not both.")
    return chosen or ("DO_NOTHING" if params.get("DisableRollback") else "ROLLBACK")


def _presumed(body: dict[str, Any], params: dict[str, Any], previous: Deployment | None) -> dict[str, str]:
    """The parameters' values before they can be checked: an include may bring declarations of its own."""
    declared = body.get("Parameters") or {}
    values = {key: parameters.resolve_default(each) for key, each in declared.items() if "Default" in each}
    values |= previous.parameters if previous is not None else {}
    given = params.get("Parameters", [])
    return values | {each["ParameterKey"]: each["ParameterValue"] for each in given if "ParameterValue" in each}


async def _included(cloud: Cloud, call: Call, address: str) -> str:
    bucket, _, key = address.removeprefix("s3://").partition("/")
    return await _read_object(cloud, call, bucket, key, None)


async def _fetch(cloud: Cloud, call: Call, url: str) -> str:
    return await _read_object(cloud, call, *_object_of(url))


async def _read_object(cloud: Cloud, call: Call, bucket: str, key: str, version: str | None) -> str:
    """Reads a template from S3 with the rights of the one who asks."""
    params = {"Bucket": bucket, "Key": key} | ({"VersionId": version} if version else {})
    try:
        answer = await cloud.call("s3", "GetObject", params, as_=call.principal, region=call.region)
    except AwsError as error:
        raise validation_error(f"S3 error: {error.message}") from None
    if answer.get("ContentLength", 0) > _LONGEST_OBJECT:
        raise validation_error("Template may not exceed 1000000 bytes in size.")
    content = await _read(answer["Body"])
    try:
        return content.decode()
    except UnicodeDecodeError:
        raise validation_error("Template format error: unsupported structure.") from None


async def _read(body: bytes | AsyncIterator[bytes]) -> bytes:
    return body if isinstance(body, bytes) else b"".join([chunk async for chunk in body])


def _object_of(url: str) -> tuple[str, str, str | None]:
    """Bucket, key and version of an S3 address, in path style or with the bucket in the host."""
    parts = urlsplit(url)
    host = (parts.hostname or "").lower()
    path = unquote(parts.path.lstrip("/"))
    version = next((each[10:] for each in parts.query.split("&") if each.startswith("versionId=")), None)
    before, marker, _ = host.partition(".s3")
    bucket, key = (before, path) if marker else cast("tuple[str, str]", path.partition("/")[::2])
    if parts.scheme not in ("http", "https") or not bucket or not key:
        raise validation_error("TemplateURL must be a supported URL.")
    return bucket, key, version
