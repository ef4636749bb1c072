"""How layers and their versions are named: by name or by ARN."""

import re

from cloudlet.core.context import Call
from cloudlet.services.lambda_.configuration import invalid

_ARN = re.compile(r"arn:aws:lambda:(?P<region>[a-z0-9-]+):(?P<account>\d{12}):layer:(?P<name>[a-zA-Z0-9-_]+)")
VERSION_ARN = re.compile(_ARN.pattern + r":(?P<version>\d+)")


def layer_named(call: Call, name: str) -> tuple[str, str, str]:
    """Account, region and name of a layer that is given by its name or its ARN."""
    if not name.startswith("arn:"):
        return call.account, call.region, name
    match = _ARN.fullmatch(name)
    if match is None:
        raise invalid(f"Invalid layer name: {name}")
    return match["account"], match["region"], match["name"]


def arn_of_layer(account: str, region: str, name: str) -> str:
    return f"arn:aws:lambda:{region}:{account}:layer:{name}"


def layer_arn(call: Call, name: str, version: int | None = None) -> str:
    """Of a layer, or of a version of it, as a request names it."""
    arn = arn_of_layer(*layer_named(call, name))
    return arn if version is None else f"{arn}:{version}"
