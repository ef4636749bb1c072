"""The operations on change sets: what an update would do, looked at before it is done."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import orjson

from cloudlet.core.context import Call
from cloudlet.core.errors import AwsError, NotImplementedByCloudlet
from cloudlet.core.service import operation
from cloudlet.services.cloudformation import parameters, records, requests
from cloudlet.services.cloudformation.base import StackService, begin_update
from cloudlet.services.cloudformation.changes import changes, has_other_changes
from cloudlet.services.cloudformation.errors import validation_error
from cloudlet.services.cloudformation.events import record_stack_event
from cloudlet.services.cloudformation.pages import page
from cloudlet.services.cloudformation.records import Deployment, Stack, find_stack, stack_by_id
from cloudlet.services.cloudformation.template import parse, read
from cloudlet.store import Transaction
from cloudlet.store.transaction import Row

if TYPE_CHECKING:
    from types_boto3_cloudformation import type_defs as t

_NOTHING = "The submitted information didn't contain changes. Submit different information to create a change set."
_COLUMNS = "id, stack, name, description, kind, status, reason, execution, created, deployment, changes"


@dataclass(frozen=True, slots=True)
class ChangeSet:
    """A change set; `kind` is CREATE or UPDATE, `execution` whether it can be executed or has been."""

    id: str
    stack: str
    name: str
    description: str | None
    kind: str
    status: str
    reason: str | None
    execution: str
    created: float
    deployment: Deployment
    changes: list[dict[str, Any]]

    @classmethod
    def of(cls, row: Row) -> "ChangeSet":
        return cls(*row[:9], deployment=Deployment.load(row[9]), changes=orjson.loads(row[10]))


class ChangeSets(StackService):
    """Change sets: created, described, executed, deleted."""

    @operation("CreateChangeSet")
    async def create_change_set(self, call: Call, params: "t.CreateChangeSetInputTypeDef") -> dict[str, Any]:
        given: dict[str, Any] = dict(params)
        kind = given.get("ChangeSetType", "UPDATE")
        if kind == "IMPORT":
            raise NotImplementedByCloudlet("ChangeSetType IMPORT of CloudFormation")
        stack = self._stack_for(call, given, kind)
        if self._find(stack, given["ChangeSetName"]) is not None:
            raise AwsError("AlreadyExistsException", f"ChangeSet {given['ChangeSetName']} already exists")
        previous = stack.deployment if kind == "UPDATE" else None
        deployment, found, reason = await self._work_out(call, stack, given, previous)
        change_set = ChangeSet(
            id=f"arn:aws:cloudformation:{call.region}:{call.account}:changeSet/{given['ChangeSetName']}/{uuid4()}",
            stack=stack.id,
            name=given["ChangeSetName"],
            description=given.get("Description"),
            kind=kind,
            status="CREATE_COMPLETE" if reason is None else "FAILED",
            reason=reason,
            execution="AVAILABLE" if reason is None else "UNAVAILABLE",
            created=call.time,
            deployment=deployment,
            changes=found,
        )
        await self.store.write(lambda tx: _insert(tx, call, stack, change_set))
        return {"Id": change_set.id, "StackId": stack.id}

    @operation("DescribeChangeSet")
    async def describe_change_set(self, call: Call, params: "t.DescribeChangeSetInputTypeDef") -> dict[str, Any]:
        found = self.change_set(call, params["ChangeSetName"], params.get("StackName"))
        stack = stack_by_id(self.store.reader, found.stack)
        assert stack is not None
        shown, token = page(found.changes, params.get("NextToken"))
        template = read(found.deployment.body)
        values = {key: each for key, each in found.deployment.parameters.items() if key in template.parameters}
        described: dict[str, Any] = {
            **_summary(found, stack),
            "Parameters": parameters.shown(template, values),
            "NotificationARNs": [],
            "RollbackConfiguration": {},
            "Capabilities": found.deployment.capabilities,
            "Tags": found.deployment.tags,
            "Changes": shown,
        }
        return described if token is None else {**described, "NextToken": token}

    @operation("ExecuteChangeSet")
    async def execute_change_set(self, call: Call, params: "t.ExecuteChangeSetInputTypeDef") -> dict[str, Any]:
        found = self.change_set(call, params["ChangeSetName"], params.get("StackName"))
        options: dict[str, Any] = {"token": params.get("ClientRequestToken"), "principal": call.principal}
        if params.get("DisableRollback"):
            options["on_failure"] = "DO_NOTHING"
        deployment = records.replace(found.deployment, **options)
        await self.store.write(lambda tx: _execute(tx, call, found, deployment))
        self.deployer.start(found.stack)
        return {}

    @operation("DeleteChangeSet")
    async def delete_change_set(self, call: Call, params: "t.DeleteChangeSetInputTypeDef") -> dict[str, Any]:
        found = self.change_set(call, params["ChangeSetName"], params.get("StackName"))
        await self.store.write(lambda tx: tx.execute("DELETE FROM change_sets WHERE id = ?", (found.id,)))
        return {}

    @operation("ListChangeSets")
    async def list_change_sets(self, call: Call, params: "t.ListChangeSetsInputTypeDef") -> dict[str, Any]:
        stack = self.find(call, params["StackName"], "Stack [{}] does not exist")
        rows = self.store.reader.all(
            f"SELECT {_COLUMNS} FROM change_sets WHERE stack = ? ORDER BY created DESC, id", (stack.id,)
        )
        shown, token = page([ChangeSet.of(row) for row in rows], params.get("NextToken"))
        answer: dict[str, Any] = {"Summaries": [_summary(each, stack) for each in shown]}
        return answer if token is None else {**answer, "NextToken": token}

    def change_set(self, call: Call, name: str, stack_name: str | None) -> ChangeSet:
        """By its ARN, or by its name and the stack's. Raises ChangeSetNotFound."""
        row: Row | None = None
        if name.startswith("arn:"):
            row = self.store.reader.one(
                f"SELECT {_COLUMNS} FROM change_sets WHERE id = ? AND stack IN"
                " (SELECT id FROM stacks WHERE account = ? AND region = ?)",
                (name, call.account, call.region),
            )
        elif stack_name is None:
            raise validation_error("StackName must be specified if ChangeSetName is not specified as an ARN.")
        else:
            stack = self.find(call, stack_name, "Stack [{}] does not exist")
            found = self._find(stack, name)
            if found is not None:
                return found
        if row is None:
            raise AwsError("ChangeSetNotFound", f"ChangeSet [{name}] does not exist", status=404)
        return ChangeSet.of(row)

    def _find(self, stack: Stack, name: str) -> ChangeSet | None:
        row = self.store.reader.one(
            f"SELECT {_COLUMNS} FROM change_sets WHERE stack = ? AND name = ?", (stack.id, name)
        )
        return None if row is None else ChangeSet.of(row)

    def _stack_for(self, call: Call, params: dict[str, Any], kind: str) -> Stack:
        """The stack that the change set is about; one to be created is not yet written."""
        name = params["StackName"]
        existing = find_stack(self.store.reader, call.account, call.region, name)
        if kind == "UPDATE":
            if existing is None:
                raise validation_error(f"Stack [{name}] does not exist")
            if existing.status == "REVIEW_IN_PROGRESS":
                raise validation_error(f"Stack:{existing.id} is in REVIEW_IN_PROGRESS state and can not be updated.")
            return existing
        if existing is None:
            requests.check_name(name)
            nothing = Deployment(source="", body={}, parameters={}, principal=call.principal)
            return self.new_stack(call, name, nothing, "REVIEW_IN_PROGRESS")
        if existing.status != "REVIEW_IN_PROGRESS":
            raise validation_error(
                f"Stack [{name}] already exists and cannot be created again with the changeSet "
                f"[{params['ChangeSetName']}]."
            )
        return existing

    async def _work_out(
        self, call: Call, stack: Stack, params: dict[str, Any], previous: Deployment | None
    ) -> tuple[Deployment, list[dict[str, Any]], str | None]:
        """The deployment, its changes, and why the change set fails if it does.

        What a transform brings to light comes after the answer on AWS, so there it is no error of the call.
        """
        try:
            deployment = await requests.deployment(self.cloud, call, params, previous, direct=False)
            forecast = self.forecast(stack, deployment, records.resources(self.store.reader, stack.id))
            found = changes(forecast, previous)
        except AwsError as error:
            text = await requests.template_text(self.cloud, call, params, previous)
            body = parse(text)
            if error.status >= 500 or not read(body).transforms:
                raise
            return Deployment(source=text, body=body, parameters={}, principal=call.principal), [], error.message
        if previous is not None and not found and not has_other_changes(forecast, previous):
            return deployment, [], _NOTHING
        return deployment, found, None


def _summary(found: ChangeSet, stack: Stack) -> dict[str, Any]:
    summary: dict[str, Any] = {
        "ChangeSetId": found.id,
        "ChangeSetName": found.name,
        "StackId": stack.id,
        "StackName": stack.name,
        "CreationTime": found.created,
        "Status": found.status,
        "ExecutionStatus": found.execution,
        "IncludeNestedStacks": False,
    }
    optional = {"Description": found.description, "StatusReason": found.reason}
    return summary | {name: value for name, value in optional.items() if value is not None}


def _insert(tx: Transaction, call: Call, stack: Stack, change_set: ChangeSet) -> None:
    if stack.status == "REVIEW_IN_PROGRESS" and stack_by_id(tx, stack.id) is None:
        if find_stack(tx, call.account, call.region, stack.name) is not None:
            raise AwsError("AlreadyExistsException", f"Stack [{stack.name}] already exists")
        fresh = records.replace(stack, deployment=change_set.deployment)
        records.insert_stack(tx, fresh)
        record_stack_event(tx, fresh, "REVIEW_IN_PROGRESS", "User Initiated", call.time)
    if tx.one("SELECT 1 FROM change_sets WHERE stack = ? AND name = ?", (stack.id, change_set.name)) is not None:
        raise AwsError("AlreadyExistsException", f"ChangeSet {change_set.name} already exists")
    tx.execute(
        f"INSERT INTO change_sets ({_COLUMNS}) VALUES ({', '.join('?' * 11)})",
        (
            change_set.id,
            change_set.stack,
            change_set.name,
            change_set.description,
            change_set.kind,
            change_set.status,
            change_set.reason,
            change_set.execution,
            change_set.created,
            change_set.deployment.dump(),
            orjson.dumps(change_set.changes),
        ),
    )


def _execute(tx: Transaction, call: Call, change_set: ChangeSet, deployment: Deployment) -> None:
    row = tx.one("SELECT status, execution FROM change_sets WHERE id = ?", (change_set.id,))
    if row is None or row[1] != "AVAILABLE":
        state = row[0] if row is not None else "DELETE_COMPLETE"
        shown = state if row is None or row[1] == "UNAVAILABLE" else row[1]
        raise AwsError(
            "InvalidChangeSetStatus",
            f"ChangeSet [{change_set.id}] cannot be executed in its current status of [{shown}]",
        )
    stack = stack_by_id(tx, change_set.stack)
    assert stack is not None
    if change_set.kind == "CREATE":
        if stack.status != "REVIEW_IN_PROGRESS":
            raise validation_error(f"Stack:{stack.id} is in {stack.status} state and can not be created.")
        tx.execute(
            "UPDATE stacks SET status = 'CREATE_IN_PROGRESS', reason = 'User Initiated', deployment = ?, run = run + 1"
            " WHERE id = ?",
            (deployment.dump(), stack.id),
        )
    else:
        begin_update(tx, stack, deployment, call.time)
    now = stack_by_id(tx, stack.id)
    assert now is not None
    record_stack_event(tx, now, now.status, "User Initiated", call.time)
    tx.execute("UPDATE stacks SET change_set = ? WHERE id = ?", (change_set.id, stack.id))
    tx.execute("UPDATE change_sets SET execution = 'OBSOLETE' WHERE stack = ?", (stack.id,))
    tx.execute("UPDATE change_sets SET execution = 'EXECUTE_COMPLETE' WHERE id = ?", (change_set.id,))
