"""Which runtimes a function may have: those that AWS still supports and that this machine can run."""

import re

from cloudlet.core.errors import AwsError
from cloudlet.runtime import Runtime, RuntimeMissing
from cloudlet.services.lambda_.configuration import invalid

# What AWS recommends in place of those that it no longer supports.
_RECOMMENDED = {
    "nodejs": "nodejs24.x",
    "python": "python3.14",
    "java": "java25",
    "ruby": "ruby3.4",
    "dotnetcore": "dotnet8",
    "go": "provided.al2023",
}
_FAMILY = re.compile(r"[a-z]+")


async def check_runtime(runtime: Runtime, name: str) -> None:
    """Raises InvalidParameterValueException, with the words that say what to do."""
    try:
        await runtime.launcher(name)
    except RuntimeMissing as error:
        raise invalid(f"The runtime {name} cannot run on this machine. {error}") from None
    except LookupError:
        raise _not_supported(name) from None


def _not_supported(name: str) -> AwsError:
    if name.startswith("dotnet") and not name.startswith("dotnetcore"):
        return invalid(f"Cloudlet does not run .NET functions: {name} is not supported.")
    family = _FAMILY.match(name)
    recommended = _RECOMMENDED.get(family[0] if family is not None else "")
    if recommended is None:
        return invalid(f"The runtime parameter of {name} is not supported for creating or updating functions.")
    return invalid(
        f"The runtime parameter of {name} is no longer supported for creating or updating AWS Lambda functions."
        f" We recommend you use the new runtime ({recommended}) while creating or updating functions."
    )
