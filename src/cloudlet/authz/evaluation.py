"""The decision: explicit denies first, then the resource's policy, identity policies, boundary, session policies."""

from collections.abc import Iterable
from dataclasses import dataclass

from cloudlet.authz.documents import Policy
from cloudlet.authz.patterns import Context
from cloudlet.authz.principals import Grant
from cloudlet.core.context import Principal


@dataclass(frozen=True, slots=True)
class Request:
    """A call as policies see it. `account` owns the resource; `resource` is None where it is not known."""

    principal: Principal
    action: str
    resource: str | None
    account: str
    context: Context


@dataclass(frozen=True, slots=True)
class Policies:
    """What bears on a principal: its own and its groups' policies, its boundary, and its session's, if it is one.

    `session` is None without session policies: an empty tuple would allow nothing.
    """

    identity: tuple[Policy, ...] = ()
    boundary: Policy | None = None
    session: tuple[Policy, ...] | None = None


@dataclass(frozen=True, slots=True)
class Decision:
    """`why` goes on from "is not authorized to perform: s3:GetObject on resource: …", empty if allowed."""

    allowed: bool
    why: str = ""


_ALLOWED = Decision(True)


def decide(
    request: Request, policies: Policies, resource_policy: Policy | None, *, resource_policy_decides: bool = False
) -> Decision:
    """`resource_policy_decides`: nobody gets in whom the resource's policy does not name (a role's trust policy)."""
    action = request.action.lower()
    denied = _explicit_deny(request, action, policies, resource_policy)
    if denied is not None:
        return denied
    principal, resource, context = request.principal, request.resource, request.context
    grant = resource_policy.grants(principal, action, resource, context) if resource_policy else None
    own = principal.account == request.account
    if grant is None and (not own or resource_policy_decides or principal.kind in ("service", "anonymous")):
        return _implicit_deny("resource-based policy", request)
    if principal.kind in ("service", "anonymous") or (own and grant is not None and grant >= Grant.EVERYONE):
        return _ALLOWED
    needs_no_identity_policy = principal.kind == "root" or (own and grant == Grant.ROLE)
    if not needs_no_identity_policy and not _any_allows(policies.identity, action, resource, context):
        return _implicit_deny("identity-based policy", request)
    if policies.boundary is not None and not policies.boundary.allows(action, resource, context):
        return _implicit_deny("permissions boundary", request)
    if policies.session is not None and not _any_allows(policies.session, action, resource, context):
        return _implicit_deny("session policy", request)
    return _ALLOWED


def _explicit_deny(
    request: Request, action: str, policies: Policies, resource_policy: Policy | None
) -> Decision | None:
    resource, context = request.resource, request.context
    if resource_policy is not None and resource_policy.refuses(request.principal, action, resource, context):
        return Decision(False, " with an explicit deny in a resource-based policy")
    if any(policy.denies(action, resource, context) for policy in policies.identity):
        return Decision(False, " with an explicit deny in an identity-based policy")
    if policies.boundary is not None and policies.boundary.denies(action, resource, context):
        return Decision(False, " with an explicit deny in a permissions boundary")
    if any(policy.denies(action, resource, context) for policy in policies.session or ()):
        return Decision(False, " with an explicit deny in a session policy")
    return None


def _any_allows(policies: Iterable[Policy], action: str, resource: str | None, context: Context) -> bool:
    return any(policy.allows(action, resource, context) for policy in policies)


def _implicit_deny(what: str, request: Request) -> Decision:
    return Decision(False, f" because no {what} allows the {request.action} action")
