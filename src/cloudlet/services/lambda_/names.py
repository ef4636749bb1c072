"""How functions are named: by name, by ARN, by part of an ARN, with or without a qualifier."""

import re
from dataclasses import dataclass

from cloudlet.core.context import Call
from cloudlet.core.errors import AwsError

LATEST = "$LATEST"
_REFERENCE = re.compile(
    r"(?:arn:[a-zA-Z-]+:lambda:)?(?:(?P<region>[a-z]{2}(?:-[a-z]+)+-\d):)?(?:(?P<account>\d{12}):)?"
    r"(?:function:)?(?P<name>[a-zA-Z0-9-_]+)(?::(?P<qualifier>\$LATEST|[a-zA-Z0-9-_]+))?"
)


@dataclass(frozen=True, slots=True)
class FunctionKey:
    account: str
    region: str
    name: str

    @property
    def arn(self) -> str:
        return f"arn:aws:lambda:{self.region}:{self.account}:function:{self.name}"


@dataclass(frozen=True, slots=True)
class Reference:
    """A function as a request names it; `qualifier` is a version or an alias."""

    key: FunctionKey
    qualifier: str | None

    @property
    def arn(self) -> str:
        return self.key.arn if self.qualifier is None else f"{self.key.arn}:{self.qualifier}"


def parse_reference(call: Call, name: str, qualifier: str | None = None) -> Reference:
    """Raises InvalidParameterValueException or ResourceNotFoundException."""
    match = _REFERENCE.fullmatch(name)
    if match is None:
        raise AwsError("InvalidParameterValueException", f"Invalid function name: {name}")
    region = match["region"] or call.region
    if region != call.region:
        raise AwsError(
            "ResourceNotFoundException",
            f"Functions from '{region}' are not reachable in this region ('{call.region}')",
            status=404,
        )
    derived = match["qualifier"]
    if derived is not None and qualifier is not None and derived != qualifier:
        raise AwsError(
            "InvalidParameterValueException",
            "The derived qualifier from the function name does not match the specified qualifier.",
        )
    return Reference(FunctionKey(match["account"] or call.account, region, match["name"]), qualifier or derived)


def parse_arn(arn: str) -> Reference:
    """A function's ARN, as stored: raises ValueError if it is none."""
    match = _REFERENCE.fullmatch(arn)
    if match is None or match["account"] is None or match["region"] is None:
        raise ValueError(f"not the ARN of a function: {arn}")
    return Reference(FunctionKey(match["account"], match["region"], match["name"]), match["qualifier"])


def function_not_found(arn: str) -> AwsError:
    return AwsError("ResourceNotFoundException", f"Function not found: {arn}", status=404, fields={"Type": "User"})
