"""Drives stacks through their operations, phase by phase. Where a stack stands is in the database alone."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

import orjson

from cloudlet.core.context import Principal
from cloudlet.core.errors import AwsError
from cloudlet.core.service import Cloud
from cloudlet.services.cloudformation import exports
from cloudlet.services.cloudformation.events import record_stack_event
from cloudlet.services.cloudformation.plan import Plan
from cloudlet.services.cloudformation.records import (
    Deployment,
    Resource,
    Stack,
    drop_replaced,
    replaced,
    resources,
    stack_by_id,
)
from cloudlet.services.cloudformation.replies import Replies
from cloudlet.services.cloudformation.steps import Steps
from cloudlet.services.cloudformation.walk import Outcome, Walk
from cloudlet.store import Store
from cloudlet.store.transaction import Transaction

_log = logging.getLogger(__name__)
_GONE = ("DELETE_COMPLETE", "DELETE_SKIPPED")
# While the database takes no writes.
_TROUBLE_SECONDS = 10.0

# Where a phase leads that meets a defect of ours: a stack never stays under way.
_AFTER_DEFECT = {
    "CREATE_IN_PROGRESS": "ROLLBACK_IN_PROGRESS",
    "ROLLBACK_IN_PROGRESS": "ROLLBACK_FAILED",
    "DELETE_IN_PROGRESS": "DELETE_FAILED",
    "UPDATE_IN_PROGRESS": "UPDATE_ROLLBACK_IN_PROGRESS",
    "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS": "UPDATE_COMPLETE",
    "UPDATE_ROLLBACK_IN_PROGRESS": "UPDATE_ROLLBACK_FAILED",
    "UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS": "UPDATE_ROLLBACK_COMPLETE",
}


class Deployer:
    """One task for each stack that is under way; each phase can begin again where a crash cut it."""

    def __init__(self, cloud: Cloud, store: Store, replies: Replies) -> None:
        self._cloud = cloud
        self._store = store
        self._replies = replies
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._walks: dict[str, Walk] = {}
        self._draining = False
        self._phases: dict[str, Callable[[Stack], Awaitable[None]]] = {
            "CREATE_IN_PROGRESS": self._create,
            "ROLLBACK_IN_PROGRESS": self._roll_back_creation,
            "DELETE_IN_PROGRESS": self._delete,
            "UPDATE_IN_PROGRESS": self._update,
            "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS": self._clean_up,
            "UPDATE_ROLLBACK_IN_PROGRESS": self._roll_back_update,
            "UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS": self._clean_up,
        }

    def start(self, stack_id: str) -> None:
        """Takes up a stack, or turns a running task to what has just been written."""
        if stack_id in self._tasks:
            if stack_id in self._walks:
                self._walks[stack_id].halt()
            return
        self._tasks[stack_id] = asyncio.create_task(self._drive(stack_id), name=f"stack-{stack_id}")

    async def drain(self) -> None:
        """Begins no further step and waits for those under way; the next start goes on from there."""
        self._draining = True
        for walk in self._walks.values():
            walk.halt()
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)

    async def stop(self) -> None:
        self._draining = True
        for task in list(self._tasks.values()):
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    async def _drive(self, stack_id: str) -> None:
        try:
            while not self._draining:
                stack = stack_by_id(self._store.reader, stack_id)
                phase = self._phases.get(stack.status) if stack is not None else None
                if stack is None or phase is None:
                    return
                try:
                    await self._attempt(stack, phase)
                except Exception:  # noqa: BLE001 - a boundary: what became of it could not be written; it goes on later
                    _log.exception("a stack's operation could not be ended", extra={"stack": stack.id})
                    await asyncio.sleep(_TROUBLE_SECONDS)
        finally:
            self._tasks.pop(stack_id, None)

    async def _attempt(self, stack: Stack, phase: Callable[[Stack], Awaitable[None]]) -> None:
        try:
            await phase(stack)
        except AwsError as error:
            if stack.status == "CREATE_IN_PROGRESS":
                await self._creation_failed(stack, f"{error.message}. ")
            else:
                await self._enter(stack, _AFTER_DEFECT[stack.status], error.message)
        except Exception:  # noqa: BLE001 - a boundary: logged, and the stack told that it failed
            _log.exception("a stack's operation failed", extra={"stack": stack.id, "status": stack.status})
            await self._enter(stack, _AFTER_DEFECT[stack.status], "Internal Failure")

    # Phases

    async def _create(self, stack: Stack) -> None:
        minutes = stack.deployment.timeout_minutes
        deadline = None if minutes is None else stack.created + 60 * minutes
        outcome, plan = await self._converge(stack, stack.deployment, deadline)
        if outcome.failed:
            reason = f"The following resource(s) failed to create: [{', '.join(sorted(outcome.failed))}]. "
            await self._creation_failed(stack, reason)
        elif outcome.left and deadline is not None and self._cloud.clock.now() >= deadline:
            await self._creation_failed(stack, "Stack creation time exceeded the specified timeout. ")
        elif not outcome.left:
            await self._finish_outputs(stack, plan, "CREATE_COMPLETE")

    async def _creation_failed(self, stack: Stack, reason: str) -> None:
        match stack.deployment.on_failure:
            case "DO_NOTHING":
                await self._enter(stack, "CREATE_FAILED", reason)
            case "DELETE":
                await self._enter(stack, "DELETE_IN_PROGRESS", f"{reason}Delete requested by user.")
            case _:
                await self._enter(stack, "ROLLBACK_IN_PROGRESS", f"{reason}Rollback requested by user.")

    async def _roll_back_creation(self, stack: Stack) -> None:
        outcome = await self._take_down(stack, rolling_back=True)
        if outcome.failed:
            await self._enter(stack, "ROLLBACK_FAILED", _failed_to_delete(outcome))
        elif not outcome.left:
            await self._enter(stack, "ROLLBACK_COMPLETE", None)

    async def _delete(self, stack: Stack) -> None:
        used = exports.users(self._store.reader, stack)
        if used:
            name, user = used[0]
            words = f"Delete canceled. Cannot delete export {name} as it is in use by {user}."
            await self._enter(stack, "DELETE_FAILED", words)
            return
        outcome = await self._take_down(stack, rolling_back=False)
        if outcome.failed:
            await self._enter(stack, "DELETE_FAILED", _failed_to_delete(outcome))
        elif not outcome.left:
            await self._enter(stack, "DELETE_COMPLETE", None, also=lambda tx: exports.forget(tx, stack))

    async def _update(self, stack: Stack) -> None:
        outcome, plan = await self._converge(stack, stack.deployment)
        if outcome.failed:
            words = f"The following resource(s) failed to {_failed_words(plan, outcome)}. "
            if stack.deployment.on_failure == "DO_NOTHING":
                await self._enter(stack, "UPDATE_FAILED", words)
            else:
                await self._enter(stack, "UPDATE_ROLLBACK_IN_PROGRESS", words)
            return
        now = stack_by_id(self._store.reader, stack.id)
        if now is not None and now.cancelled:
            await self._enter(stack, "UPDATE_ROLLBACK_IN_PROGRESS", "User Initiated")
        elif not outcome.left:
            await self._finish_outputs(stack, plan, "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS")

    async def _roll_back_update(self, stack: Stack) -> None:
        assert stack.previous is not None
        outcome, plan = await self._converge(stack, stack.previous)
        if outcome.failed:
            words = f"The following resource(s) failed to {_failed_words(plan, outcome)}. "
            await self._enter(stack, "UPDATE_ROLLBACK_FAILED", words)
        elif not outcome.left:
            previous = stack.previous.dump()

            def restore(tx: Transaction) -> None:
                tx.execute("UPDATE stacks SET deployment = ?, cancelled = 0 WHERE id = ?", (previous, stack.id))

            await self._enter(stack, "UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS", None, also=restore)

    async def _clean_up(self, stack: Stack) -> None:
        """Takes down what an update, or its rollback, has left over."""
        rows = resources(self._store.reader, stack.id)
        plan = self._plan(stack, stack.deployment, rows)
        items: dict[str, tuple[Resource, str, Callable[[Transaction], None]]] = {}
        for name, resource in rows.items():
            if name not in plan.graph:
                items[name] = (resource, resource.deletion_policy, _forget_resource(resource))
        for each in replaced(self._store.reader, stack.id):
            items[f"{each.resource.logical_id}#{each.id}"] = (
                each.resource,
                each.resource.update_replace_policy,
                _forget_replaced(each.id),
            )
        steps = await self._steps(stack)
        kept = {"Retain"} if "ROLLBACK" in stack.status else {"Retain", "RetainExceptOnCreate"}

        async def step(key: str) -> bool:
            resource, policy, forget = items[key]
            if policy in kept:
                return await steps.skip(resource, forget=forget)
            return await steps.delete(resource, forget=forget)

        outcome = await self._walk(stack, _taking_down({key: item[0] for key, item in items.items()}), step, True)
        if self._draining:
            return
        done = stack.status.removesuffix("_CLEANUP_IN_PROGRESS")
        reason = "Update successful. One or more resources could not be deleted." if outcome.failed else None

        def forget_left(tx: Transaction) -> None:
            for key in outcome.failed | outcome.left:
                items[key][2](tx)

        await self._enter(stack, done, reason, also=forget_left)

    # Walks

    async def _converge(
        self, stack: Stack, deployment: Deployment, deadline: float | None = None
    ) -> tuple[Outcome, Plan]:
        plan = self._plan(stack, deployment, resources(self._store.reader, stack.id))
        steps = await self._steps(stack)
        outcome = await self._walk(stack, plan.graph, lambda name: steps.converge(plan, name), False, deadline)
        return outcome, plan

    async def _take_down(self, stack: Stack, *, rolling_back: bool) -> Outcome:
        rows = {
            name: each for name, each in resources(self._store.reader, stack.id).items() if each.status not in _GONE
        }
        aside = {f"{each.resource.logical_id}#{each.id}": each for each in replaced(self._store.reader, stack.id)}
        items = rows | {key: each.resource for key, each in aside.items()}
        steps = await self._steps(stack)
        if rolling_back:
            kept = set[str]() if stack.deployment.retain_except_on_create else {"Retain"}
        else:
            kept = {"Retain", "RetainExceptOnCreate"}

        async def step(key: str) -> bool:
            resource = items[key]
            forget = _forget_replaced(aside[key].id) if key in aside else None
            if not resource.exists and not resource.initiated:
                await self._store.write(_forget_resource(resource))
                return True
            if resource.deletion_policy in kept or key in stack.retained:
                return await steps.skip(resource, forget=forget)
            return await steps.delete(resource, forget=forget)

        return await self._walk(stack, _taking_down(items), step, True)

    async def _walk(
        self,
        stack: Stack,
        graph: dict[str, frozenset[str]],
        step: Callable[[str], Awaitable[bool]],
        keep_going: bool,
        deadline: float | None = None,
    ) -> Outcome:
        walk = self._walks[stack.id] = Walk()
        # Something may have been asked of the stack between reading it and here.
        now = stack_by_id(self._store.reader, stack.id)
        if self._draining or now is None or now.status != stack.status or now.cancelled != stack.cancelled:
            walk.halt()
        timer = None
        if deadline is not None:
            left = max(0.0, deadline - self._cloud.clock.now())
            timer = asyncio.get_running_loop().call_later(left, walk.halt)
        try:
            return await walk.run(graph, step, keep_going=keep_going)
        finally:
            del self._walks[stack.id]
            if timer is not None:
                timer.cancel()

    async def _steps(self, stack: Stack) -> Steps:
        return Steps(self._cloud, self._store, self._replies, stack, await self._principal(stack))

    async def _principal(self, stack: Stack) -> Principal:
        """Who makes the resources: the role handed to CloudFormation, else the one who asked."""
        role = stack.deployment.role_arn
        if role is None:
            return stack.deployment.principal
        answer = await self._cloud.call(
            "sts",
            "AssumeRole",
            {"RoleArn": role, "RoleSessionName": "AWSCloudFormation"},
            as_=Principal.service("cloudformation.amazonaws.com", stack.account),
            region=stack.region,
            source_arn=stack.id,
        )
        session = answer["AssumedRoleUser"]
        return Principal("role", stack.account, session["Arn"], session["AssumedRoleId"], policies_of=role)

    def _plan(self, stack: Stack, deployment: Deployment, rows: dict[str, Resource]) -> Plan:
        return Plan(
            deployment,
            stack_id=stack.id,
            stack_name=stack.name,
            account=stack.account,
            region=stack.region,
            resources=rows,
            exports=lambda name: exports.value(self._store.reader, stack.account, stack.region, name),
        )

    # Ends of phases

    async def _finish_outputs(self, stack: Stack, plan: Plan, status: str) -> None:
        outputs = plan.outputs()

        def write(tx: Transaction) -> None:
            exports.replace(tx, stack, outputs, plan.imports)
            tx.execute("UPDATE stacks SET outputs = ? WHERE id = ?", (orjson.dumps(outputs), stack.id))

        await self._enter(stack, status, None, also=write)

    async def _enter(
        self, stack: Stack, status: str, reason: str | None, *, also: Callable[[Transaction], Any] | None = None
    ) -> None:
        """Leads the stack from the phase that was read into the next, unless somebody has turned it elsewhere."""
        time = self._cloud.clock.now()

        def write(tx: Transaction) -> None:
            moved = tx.execute(
                "UPDATE stacks SET status = ?, reason = ?, run = run + 1,"
                " updated = CASE WHEN ? LIKE 'DELETE%' OR ? = 'CREATE_COMPLETE' THEN updated ELSE ? END,"
                " deleted = CASE WHEN ? = 'DELETE_COMPLETE' THEN ? ELSE deleted END"
                " WHERE id = ? AND status = ?",
                (status, reason, status, status, time, status, time, stack.id, stack.status),
            )
            if moved:
                record_stack_event(tx, stack, status, reason, time)
                tx.after_commit(lambda: self._cloud.signals.notify(f"stack:{stack.id}"))
                if also is not None:
                    also(tx)

        await self._store.write(write)


def _forget_resource(resource: Resource) -> Callable[[Transaction], None]:
    def forget(tx: Transaction) -> None:
        tx.execute("DELETE FROM resources WHERE stack = ? AND logical_id = ?", (resource.stack, resource.logical_id))

    return forget


def _forget_replaced(id_: int) -> Callable[[Transaction], None]:
    return lambda tx: drop_replaced(tx, id_)


def _taking_down(items: dict[str, Resource]) -> dict[str, frozenset[str]]:
    """For each thing to delete, those that need it and so go first."""
    return {
        key: frozenset(other for other, user in items.items() if other != key and resource.logical_id in user.needs)
        for key, resource in items.items()
    }


def _failed_to_delete(outcome: Outcome) -> str:
    return f"The following resource(s) failed to delete: [{', '.join(sorted(outcome.failed))}]. "


def _failed_words(plan: Plan, outcome: Outcome) -> str:
    """`create: [A]` or `update: [B]`, as the stack's event tells it."""
    for word, status in (("create", "CREATE_FAILED"), ("update", "UPDATE_FAILED")):
        names = sorted(
            name for name in outcome.failed if name in plan.resources and plan.resources[name].status == status
        )
        if names:
            return f"{word}: [{', '.join(names)}]"
    return f"update: [{', '.join(sorted(outcome.failed))}]"
