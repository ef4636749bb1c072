"""A function's configuration: AWS's defaults, and the rules that the API model cannot say."""

import uuid
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import orjson

from cloudlet.core.errors import AwsError, NotImplementedByCloudlet
from cloudlet.runtime.variables import RESERVED

_LARGEST_VARIABLES = 4096
_MOST_LAYERS = 5

# What CreateFunction and UpdateFunctionConfiguration take over as it is.
_PLAIN = ("Role", "Handler", "Runtime", "Description", "Timeout", "MemorySize", "EphemeralStorage")


def invalid(message: str) -> AwsError:
    return AwsError("InvalidParameterValueException", message, fields={"Type": "User"})


def check_name(name: str) -> None:
    if len(name) > 64:
        raise AwsError(
            "ValidationException",
            f"1 validation error detected: Value '{name}' at 'functionName' failed to satisfy constraint:"
            " Member must have length less than or equal to 64",
        )


def check_options(params: Mapping[str, Any]) -> None:
    """What is beyond AWS's limits, or beyond Cloudlet."""
    _check_limits(params)
    _check_unsupported(params)
    variables = params.get("Environment", {}).get("Variables", {})
    _check_variables(variables)
    _check_layers(params.get("Layers", []))
    target = params.get("DeadLetterConfig", {}).get("TargetArn", "")
    if target and target.split(":")[2] not in ("sqs", "sns"):
        raise invalid(f"The provided dead letter target {target} is invalid: it must be an SQS queue or an SNS topic.")


def _check_limits(params: Mapping[str, Any]) -> None:
    storage = params.get("EphemeralStorage", {}).get("Size", 512)
    for name, member, value, largest in (
        ("timeout", "Timeout", params.get("Timeout", 3), 900),
        ("memorySize", "MemorySize", params.get("MemorySize", 128), 10240),
        ("ephemeralStorage.size", "EphemeralStorage", storage, 10240),
    ):
        if member in params and value > largest:
            raise AwsError(
                "ValidationException",
                f"1 validation error detected: Value '{value}' at '{name}' failed to satisfy constraint:"
                f" Member must have value less than or equal to {largest}",
            )


def _check_unsupported(params: Mapping[str, Any]) -> None:
    unsupported = {
        "functions from container images": params.get("PackageType") == "Image" or bool(params.get("ImageConfig")),
        "functions in a VPC": bool(params.get("VpcConfig", {}).get("SubnetIds")),
        "file systems of functions": bool(params.get("FileSystemConfigs")),
        "KMS keys of functions": bool(params.get("KMSKeyArn")),
        "SnapStart": params.get("SnapStart", {}).get("ApplyOn", "None") != "None",
        "tenant isolation": bool(params.get("TenancyConfig")),
        "capacity providers": bool(params.get("CapacityProviderConfig")),
        "durable functions": bool(params.get("DurableConfig")),
        "accelerators of functions": bool(params.get("AcceleratorConfig")),
    }
    for what, wanted in unsupported.items():
        if wanted:
            raise NotImplementedByCloudlet(what)


def _check_layers(arns: Sequence[str]) -> None:
    if len(arns) > _MOST_LAYERS:
        raise invalid(f"Cannot reference more than {_MOST_LAYERS} layers.")
    seen: dict[str, str] = {}
    for arn in arns:
        layer = arn.rpartition(":")[0]
        if layer in seen:
            raise invalid(
                "Two different versions of the same layer are not allowed to be referenced in the same function."
                f" {seen[layer]} and {arn} are versions of the same layer."
            )
        seen[layer] = arn


def _check_variables(variables: Mapping[str, str]) -> None:
    prefix = (
        "Lambda was unable to configure your environment variables because the environment variables you have provided"
    )
    reserved = sorted(RESERVED & variables.keys())
    if reserved:
        raise invalid(
            f"{prefix} contains reserved keys that are currently not supported for modification."
            f" Reserved keys used in this request: {', '.join(reserved)}"
        )
    for name, value in variables.items():
        if "\0" in value:
            raise invalid(f"{prefix} contains a null character in {name}.")
    text = orjson.dumps(dict(variables))
    if len(text) > _LARGEST_VARIABLES:
        raise invalid(f"{prefix} exceeded the 4KB limit. String measured: {text.decode()}")


def new_configuration(name: str, params: Mapping[str, Any]) -> dict[str, Any]:
    """FunctionConfiguration of a new function, but for its code and layers."""
    configuration: dict[str, Any] = {
        "FunctionName": name,
        "Description": "",
        "Timeout": 3,
        "MemorySize": 128,
        "EphemeralStorage": {"Size": 512},
        "TracingConfig": {"Mode": "PassThrough"},
        "PackageType": "Zip",
        "Architectures": params.get("Architectures", ["x86_64"]),
        "SnapStart": {"ApplyOn": "None", "OptimizationStatus": "Off"},
        "LoggingConfig": {"LogFormat": "Text", "LogGroup": f"/aws/lambda/{name}"},
        "Version": "$LATEST",
        "State": "Active",
        "LastUpdateStatus": "Successful",
    }
    apply_options(configuration, params)
    return configuration


def apply_options(configuration: dict[str, Any], params: Mapping[str, Any]) -> None:
    """Takes over what a request sets; an empty environment, dead-letter target or list of layers removes it."""
    for member in _PLAIN:
        if member in params:
            configuration[member] = params[member]
    if "Environment" in params:
        configuration["Environment"] = {"Variables": params["Environment"].get("Variables", {})}
    if "DeadLetterConfig" in params:
        target = params["DeadLetterConfig"].get("TargetArn")
        configuration["DeadLetterConfig"] = {"TargetArn": target} if target else None
    if "TracingConfig" in params:
        configuration["TracingConfig"] = {"Mode": params["TracingConfig"].get("Mode", "PassThrough")}
    if "LoggingConfig" in params:
        configuration["LoggingConfig"] = _logging(configuration["LoggingConfig"], params["LoggingConfig"])
    for member in ("Environment", "DeadLetterConfig"):
        if member in configuration and not configuration[member]:
            del configuration[member]


def _logging(current: dict[str, Any], wanted: Mapping[str, Any]) -> dict[str, Any]:
    merged = {**current, **wanted}
    if merged["LogFormat"] == "Text":
        if "ApplicationLogLevel" in wanted or "SystemLogLevel" in wanted:
            raise invalid("ApplicationLogLevel and SystemLogLevel can be set for the JSON log format only.")
        return {"LogFormat": "Text", "LogGroup": merged["LogGroup"]}
    return {"ApplicationLogLevel": "INFO", "SystemLogLevel": "INFO", **merged}


def touch(configuration: dict[str, Any], now: float) -> None:
    """A change: a new revision, at this time."""
    configuration["RevisionId"] = str(uuid.uuid4())
    configuration["LastModified"] = timestamp(now)


def timestamp(now: float) -> str:
    """As Lambda writes it: ISO 8601 with milliseconds."""
    return datetime.fromtimestamp(now, UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:23] + "+0000"


def check_revision(current: str, given: str | None) -> None:
    """Raises PreconditionFailedException if the caller has seen another revision."""
    if given is not None and given != current:
        raise AwsError(
            "PreconditionFailedException",
            "The Revision Id provided does not match the latest Revision Id."
            " Call the GetFunction/GetAlias API to retrieve the latest Revision Id",
            status=412,
        )
