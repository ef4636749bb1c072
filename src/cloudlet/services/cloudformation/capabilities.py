"""Which acknowledgements a template needs before it may be used: it could grant rights, or expand into more."""

from collections.abc import Iterable

from cloudlet.core.errors import AwsError
from cloudlet.services.cloudformation.template import Template

_IAM_TYPES = frozenset(
    f"AWS::IAM::{kind}"
    for kind in (
        "AccessKey",
        "Group",
        "GroupPolicy",
        "InstanceProfile",
        "ManagedPolicy",
        "Policy",
        "Role",
        "RolePolicy",
        "User",
        "UserPolicy",
        "UserToGroupAddition",
    )
)
_NAMES = ("GroupName", "InstanceProfileName", "ManagedPolicyName", "RoleName", "UserName")
# A policy's own name is only a label on the role that holds it; these are names of entities.
_NAMED_TYPES = frozenset(f"AWS::IAM::{kind}" for kind in ("Group", "InstanceProfile", "ManagedPolicy", "Role", "User"))


def needed(template: Template) -> list[str]:
    """The capabilities that the (transformed) template's resources need."""
    iam = [each for each in template.resources.values() if each.type in _IAM_TYPES]
    if not iam:
        return []
    named = any(each.type in _NAMED_TYPES and any(name in each.properties for name in _NAMES) for each in iam)
    return ["CAPABILITY_NAMED_IAM"] if named else ["CAPABILITY_IAM"]


def reason(template: Template) -> str | None:
    """Why, as ValidateTemplate tells it."""
    types = sorted({each.type for each in template.resources.values() if each.type in _IAM_TYPES})
    if not types:
        return None
    return f"The following resource(s) require capabilities: [{', '.join(types)}]"


def lacking(template: Template, given: Iterable[str]) -> AwsError | None:
    """The error for what the caller has not acknowledged, if anything."""
    have = set(given)
    if "CAPABILITY_NAMED_IAM" in have:
        have.add("CAPABILITY_IAM")
    missing = [each for each in needed(template) if each not in have]
    return insufficient(missing) if missing else None


def insufficient(missing: list[str]) -> AwsError:
    return AwsError("InsufficientCapabilitiesException", f"Requires capabilities : [{', '.join(missing)}]")
