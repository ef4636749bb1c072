"""One resource's way to its goal: each step recorded before and after, so that a crash leaves nothing unknown."""

import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

from cloudlet.core.context import Principal
from cloudlet.core.errors import AwsError
from cloudlet.core.service import Cloud
from cloudlet.services.cloudformation import parameters
from cloudlet.services.cloudformation.events import record_resource_event
from cloudlet.services.cloudformation.plan import Plan
from cloudlet.services.cloudformation.records import (
    Resource,
    Stack,
    drop_replaced,
    put_resource,
    replaced,
    set_aside,
)
from cloudlet.services.cloudformation.replies import Replies
from cloudlet.services.cloudformation.resources import Context, ResourceType, resource_type
from cloudlet.services.cloudformation.resources.resource_type import changed, is_missing
from cloudlet.services.cloudformation.template import read
from cloudlet.store import Store
from cloudlet.store.transaction import Transaction

_log = logging.getLogger(__name__)
_INITIATED = "Resource creation Initiated"
_REPLACING = "Requested update requires the creation of a new physical resource; hence creating one."


@dataclass(slots=True)
class Steps:
    """The steps of one walk over a stack's resources, taken with the rights of `principal`."""

    cloud: Cloud
    store: Store
    replies: Replies
    stack: Stack
    principal: Principal
    # Values of parameters with NoEcho, which no event may show.
    hidden: frozenset[str] = field(init=False)

    def __post_init__(self) -> None:
        deployment = self.stack.deployment
        self.hidden = parameters.hidden(read(deployment.body), deployment.parameters)

    async def converge(self, plan: Plan, logical_id: str) -> bool:
        """Brings a resource to what the plan says. False, with the reason in its event, if that fails."""
        resource = plan.resources.get(logical_id)
        if resource is not None and resource.run == self.stack.run and resource.status.endswith("_COMPLETE"):
            return True
        if resource is not None and await self._take_back(plan, resource):
            return True
        if resource is not None and not resource.exists and not resource.initiated:
            resource = None
        blank = resource if resource is not None else self._blank(plan, logical_id)
        try:
            return await self._bring(plan, blank, plan.properties(logical_id))
        except AwsError as error:
            await self._fail(plan, plan.resources.get(logical_id, blank), error.message)
        except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
            # Only the outermost names of properties are known here; what is inside may have any form.
            _log.warning("malformed properties", extra={"resource": logical_id}, exc_info=True)
            words = f"Properties validation failed for resource {logical_id} with message: {error!r}"
            await self._fail(plan, plan.resources.get(logical_id, blank), words)
        return False

    async def _bring(self, plan: Plan, resource: Resource, properties: dict[str, Any]) -> bool:
        if not resource.exists:
            return await self._create(plan, resource.with_(properties=properties))
        if resource.attempted is None and resource.properties == properties:
            await self._keep(plan, resource)
            return True
        if changed(resource.properties, properties, *plan.kind(resource.logical_id).immutable):
            return await self._replace(plan, resource, properties)
        return await self._update(plan, resource, properties)

    async def _create(self, plan: Plan, resource: Resource, *, word: str = "CREATE") -> bool:
        kind, context = resource_type(resource.type), self._context(resource)
        resuming = resource.initiated
        try:
            if not resuming:
                resource = resource.with_(name=kind.new_name(context, resource.properties))
                if word == "CREATE":
                    resource = await self._record(plan, resource, f"{word}_IN_PROGRESS", None)
                if kind.is_named(resource.properties):
                    await self._check_free(kind, context, resource)
            found = await kind.find(context, resource.name or "", resource.properties) if resuming else None
            if found is None:
                resource = await self._record(plan, resource.with_(initiated=True), f"{word}_IN_PROGRESS", _INITIATED)
                physical_id = await kind.create(context, resource.name or "", resource.properties)
            else:
                physical_id = found
                await kind.adopt(context, physical_id, resource.properties)
            resource = resource.with_(physical_id=physical_id, attributes=context.told)
            attributes = context.told | await kind.attributes(context, physical_id, resource.properties)
        except AwsError as error:
            await self._fail(plan, _not_made(resource, error), _reason(error), word=word)
            return False
        await self._record(plan, resource.with_(attributes=attributes), f"{word}_COMPLETE", None)
        return True

    async def _check_free(self, kind: ResourceType, context: Context, resource: Resource) -> None:
        name = resource.name or ""
        if await kind.find(context, name, resource.properties) is not None:
            raise AwsError("AlreadyExists", f"{name} already exists", status=409)

    async def _update(self, plan: Plan, resource: Resource, properties: dict[str, Any]) -> bool:
        kind, context = resource_type(resource.type), self._context(resource)
        attempted = resource.attempted
        # What an interrupted update had begun is begun again; what another one left half done counts as done.
        before = (
            resource.properties if attempted in (None, properties) else {**resource.properties, **(attempted or {})}
        )
        resource = await self._record(plan, resource.with_(attempted=properties), "UPDATE_IN_PROGRESS", None)
        physical_id = resource.physical_id or ""
        try:
            new_id = await kind.update(context, physical_id, before, properties) or physical_id
            attributes = resource.attributes | context.told | await kind.attributes(context, new_id, properties)
        except AwsError as error:
            await self._fail(plan, resource, _reason(error), word="UPDATE")
            return False
        old = resource.with_(attempted=None)
        resource = old.with_(physical_id=new_id, properties=properties, attributes=attributes)
        aside = None if new_id == physical_id else lambda tx: set_aside(tx, old)
        await self._record(plan, resource, "UPDATE_COMPLETE", None, also=aside)
        return True

    async def _replace(self, plan: Plan, old: Resource, properties: dict[str, Any]) -> bool:
        kind = resource_type(old.type)
        if kind.is_named(properties) and not changed(old.properties, properties, str(kind.name_property)):
            await self._fail(
                plan,
                old,
                "CloudFormation cannot update a stack when a custom-named resource requires replacing. "
                f"Rename {properties[str(kind.name_property)]} and update the stack again.",
                word="UPDATE",
            )
            return False
        fresh = self._blank(plan, old.logical_id).with_(
            properties=properties, physical_id=old.physical_id, status="UPDATE_IN_PROGRESS"
        )
        time = self.cloud.clock.now()

        def begin(tx: Transaction) -> None:
            set_aside(tx, old)
            put_resource(tx, fresh.with_(physical_id=None, reason=_REPLACING, updated=time))
            self._tell(tx, fresh, "UPDATE_IN_PROGRESS", _REPLACING, time)

        await self.store.write(begin)
        return await self._create(plan, fresh.with_(physical_id=None), word="UPDATE")

    async def _take_back(self, plan: Plan, new: Resource) -> bool:
        """In a rollback: puts the resource that this one replaced in its place again, if there is one."""
        if "ROLLBACK" not in self.stack.status:
            return False
        found = [
            each for each in replaced(self.store.reader, self.stack.id) if each.resource.logical_id == new.logical_id
        ]
        if not found:
            return False
        old = found[0]
        back = self._stamped(plan, old.resource)

        def swap(tx: Transaction) -> None:
            drop_replaced(tx, old.id)
            set_aside(tx, new)
            put_resource(tx, back)
            self._tell(tx, back, "UPDATE_COMPLETE", None, back.updated)

        await self.store.write(swap)
        plan.resources[new.logical_id] = back
        return True

    async def delete(self, resource: Resource, *, forget: Callable[[Transaction], None] | None = None) -> bool:
        """Takes a resource down. `forget` is written with its end; without it the row stays, as deleted."""
        kind, context = resource_type(resource.type), self._context(resource)
        if resource.status == "DELETE_COMPLETE":
            return True
        resource = await self._record(None, resource, "DELETE_IN_PROGRESS", None, keep_row=forget is None)
        try:
            physical_id = resource.physical_id or await self._left_behind(kind, context, resource)
            if physical_id is not None:
                await kind.delete(context, physical_id, resource.properties)
        except (AttributeError, KeyError, TypeError) as error:
            _log.warning("malformed properties", extra={"resource": resource.logical_id}, exc_info=True)
            words = f"Properties validation failed for resource {resource.logical_id} with message: {error!r}"
            await self._record(None, resource, "DELETE_FAILED", words, keep_row=forget is None)
            return False
        except AwsError as error:
            if not is_missing(error):
                await self._record(None, resource, "DELETE_FAILED", _reason(error), keep_row=forget is None)
                return False
        await self._record(None, resource, "DELETE_COMPLETE", None, keep_row=forget is None, also=forget)
        return True

    async def _left_behind(self, kind: ResourceType, context: Context, resource: Resource) -> str | None:
        """What a creation without an outcome may have made; nothing where one may not, or cannot, even look for it."""
        if not resource.initiated:
            return None
        try:
            return await kind.left_behind(context, resource.name or "", resource.properties)
        except AwsError as error:
            if error.status in (403, 409, 501) or "AccessDenied" in error.code or is_missing(error):
                return None
            raise

    async def skip(self, resource: Resource, *, forget: Callable[[Transaction], None] | None = None) -> bool:
        """Leaves a resource as it is, by its deletion policy, and out of the stack."""
        await self._record(None, resource, "DELETE_SKIPPED", None, keep_row=forget is None, also=forget)
        return True

    def _context(self, resource: Resource) -> Context:
        stack = self.stack
        return Context(
            cloud=self.cloud,
            replies=self.replies,
            principal=self.principal,
            account=stack.account,
            region=stack.region,
            stack_id=stack.id,
            stack_name=stack.name,
            run=stack.run,
            logical_id=resource.logical_id,
            resource_type=resource.type,
        )

    def _blank(self, plan: Plan, logical_id: str) -> Resource:
        definition = plan.definition(logical_id)
        return Resource(
            stack=self.stack.id,
            logical_id=logical_id,
            type=definition.type,
            name=None,
            physical_id=None,
            status="CREATE_IN_PROGRESS",
            reason=None,
            updated=self.cloud.clock.now(),
            run=self.stack.run,
            initiated=False,
            properties={},
            attempted=None,
            attributes={},
            needs=sorted(plan.graph[logical_id]),
            deletion_policy=definition.deletion_policy,
            update_replace_policy=definition.update_replace_policy,
            metadata=definition.metadata,
        )

    def _stamped(self, plan: Plan, resource: Resource) -> Resource:
        """The resource as done in this walk, with what the template says beside its properties."""
        definition = plan.definition(resource.logical_id)
        return resource.with_(
            run=self.stack.run,
            updated=self.cloud.clock.now(),
            needs=sorted(plan.graph[resource.logical_id]),
            deletion_policy=definition.deletion_policy,
            update_replace_policy=definition.update_replace_policy,
            metadata=definition.metadata,
        )

    async def _keep(self, plan: Plan, resource: Resource) -> None:
        kept = self._stamped(plan, resource).with_(updated=resource.updated)
        if kept.status.endswith("_FAILED"):
            kept = kept.with_(status="UPDATE_COMPLETE", reason=None)
        plan.resources[kept.logical_id] = kept
        await self.store.write(lambda tx: put_resource(tx, kept))

    async def _fail(self, plan: Plan, resource: Resource, reason: str, *, word: str | None = None) -> None:
        word = word or ("UPDATE" if resource.exists else "CREATE")
        await self._record(plan, resource, f"{word}_FAILED", reason)

    def _tell(self, tx: Transaction, resource: Resource, status: str, reason: str | None, time: float) -> None:
        record_resource_event(tx, resource, status, reason, time, self.stack.deployment.token, self.hidden)

    async def _record(
        self,
        plan: Plan | None,
        resource: Resource,
        status: str,
        reason: str | None,
        *,
        keep_row: bool = True,
        also: Callable[[Transaction], None] | None = None,
    ) -> Resource:
        """Writes the resource's new state and its event, together."""
        time = self.cloud.clock.now()
        told = resource.with_(status=status, reason=reason, updated=time)
        if plan is not None:
            told = self._stamped(plan, told).with_(updated=time)
            plan.resources[told.logical_id] = told

        def write(tx: Transaction) -> None:
            if keep_row:
                put_resource(tx, told)
            self._tell(tx, told, status, reason, time)
            if also is not None:
                also(tx)

        await self.store.write(write)
        return told


def _not_made(resource: Resource, error: AwsError) -> Resource:
    """After a creation that failed because the name was taken, what bears the name is not ours."""
    taken = resource.physical_id is None and any(
        word in error.code for word in ("AlreadyExists", "AlreadyOwned", "ResourceConflict", "ResourceInUse")
    )
    return resource.with_(initiated=False) if taken else resource


def _reason(error: AwsError) -> str:
    if error.code == "ValidationError" and error.status == 400:
        return error.message
    return (
        f'Resource handler returned message: "{error.message}" '
        f"(RequestToken: {uuid4()}, HandlerErrorCode: {_handler_code(error)})"
    )


def _handler_code(error: AwsError) -> str:
    code = error.code
    if is_missing(error):
        return "NotFound"
    if any(word in code for word in ("AlreadyExists", "AlreadyOwned", "Conflict", "InUse")):
        return "AlreadyExists"
    if "AccessDenied" in code or "NotAuthorized" in code:
        return "AccessDenied"
    if error.status >= 500:
        return "GeneralServiceException"
    return "InvalidRequest"
