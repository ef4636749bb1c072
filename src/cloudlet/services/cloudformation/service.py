"""The operations on stacks and templates."""

from typing import TYPE_CHECKING, Any

import orjson

from cloudlet.core.context import Call
from cloudlet.core.errors import AwsError, NotImplementedByCloudlet
from cloudlet.core.service import operation
from cloudlet.services.cloudformation import capabilities, descriptions, exports, parameters, records, requests
from cloudlet.services.cloudformation.base import begin_update
from cloudlet.services.cloudformation.change_sets import ChangeSets
from cloudlet.services.cloudformation.changes import changes, has_other_changes
from cloudlet.services.cloudformation.errors import validation_error
from cloudlet.services.cloudformation.events import record_stack_event, stack_events
from cloudlet.services.cloudformation.pages import SIZE, page, position, token_for
from cloudlet.services.cloudformation.records import Deployment, Stack, find_stack, stack_by_id
from cloudlet.services.cloudformation.template import Template, parse, read
from cloudlet.services.cloudformation.transforms import transform
from cloudlet.store import Transaction

if TYPE_CHECKING:
    from types_boto3_cloudformation import type_defs as t

_DELETED_SHOWN = 90 * 86_400.0


class CloudFormation(ChangeSets):
    """Stacks: described, created, updated, deleted."""

    @operation("CreateStack")
    async def create_stack(self, call: Call, params: "t.CreateStackInputTypeDef") -> dict[str, Any]:
        name = params["StackName"]
        requests.check_name(name)
        given: dict[str, Any] = dict(params)
        existing = find_stack(self.store.reader, call.account, call.region, name)
        token = given.get("ClientRequestToken")
        if existing is not None and token is not None and existing.deployment.token == token:
            return {"StackId": existing.id}
        if existing is not None:
            raise already_exists(name)
        deployment = await requests.deployment(self.cloud, call, given, None, direct=True)
        stack = self.new_stack(
            call, name, deployment, "CREATE_IN_PROGRESS", protected=given.get("EnableTerminationProtection", False)
        )
        changes(self.forecast(stack, deployment, {}), None)

        def write(tx: Transaction) -> None:
            if find_stack(tx, call.account, call.region, name) is not None:
                raise already_exists(name)
            records.insert_stack(tx, stack)
            record_stack_event(tx, stack, "CREATE_IN_PROGRESS", "User Initiated", call.time)

        await self.store.write(write)
        self.deployer.start(stack.id)
        return {"StackId": stack.id}

    @operation("UpdateStack")
    async def update_stack(self, call: Call, params: "t.UpdateStackInputTypeDef") -> dict[str, Any]:
        stack = self.find(call, params["StackName"], "Stack [{}] does not exist")
        deployment = await requests.deployment(self.cloud, call, dict(params), stack.deployment, direct=True)
        forecast = self.forecast(stack, deployment, records.resources(self.store.reader, stack.id))
        found = changes(forecast, stack.deployment)
        if not found and not has_other_changes(forecast, stack.deployment):
            raise validation_error("No updates are to be performed.")

        def write(tx: Transaction) -> None:
            begin_update(tx, stack, deployment, call.time)
            now = stack_by_id(tx, stack.id) or stack
            record_stack_event(tx, now, "UPDATE_IN_PROGRESS", "User Initiated", call.time)

        await self.store.write(write)
        self.deployer.start(stack.id)
        return {"StackId": stack.id}

    @operation("DeleteStack")
    async def delete_stack(self, call: Call, params: "t.DeleteStackInputTypeDef") -> None:
        stack = find_stack(self.store.reader, call.account, call.region, params["StackName"])
        if stack is None or stack.status in ("DELETE_COMPLETE", "DELETE_IN_PROGRESS"):
            return
        given: dict[str, Any] = dict(params)
        if given.get("DeletionMode") == "FORCE_DELETE_STACK" or given.get("DeploymentConfig"):
            raise NotImplementedByCloudlet("DeletionMode FORCE_DELETE_STACK of CloudFormation")
        if "RoleARN" in given:
            self.cloud.authorise_passing(call, given["RoleARN"], "cloudformation.amazonaws.com")
        await self.store.write(lambda tx: _begin_deletion(tx, call, stack, given))
        self.deployer.start(stack.id)

    @operation("CancelUpdateStack")
    async def cancel_update_stack(self, call: Call, params: "t.CancelUpdateStackInputTypeDef") -> None:
        stack = self.find(call, params["StackName"], "Stack [{}] does not exist")

        def write(tx: Transaction) -> None:
            if not tx.execute(
                "UPDATE stacks SET cancelled = 1 WHERE id = ? AND status = 'UPDATE_IN_PROGRESS'", (stack.id,)
            ):
                raise validation_error("CancelUpdateStack cannot be called from current stack status")

        await self.store.write(write)
        self.deployer.start(stack.id)

    @operation("ContinueUpdateRollback")
    async def continue_update_rollback(
        self, call: Call, params: "t.ContinueUpdateRollbackInputTypeDef"
    ) -> dict[str, Any]:
        stack = self.find(call, params["StackName"], "Stack [{}] does not exist")
        if params.get("ResourcesToSkip"):
            raise NotImplementedByCloudlet("ResourcesToSkip of CloudFormation")

        def write(tx: Transaction) -> None:
            if not tx.execute(
                "UPDATE stacks SET status = 'UPDATE_ROLLBACK_IN_PROGRESS', reason = 'User Initiated', run = run + 1"
                " WHERE id = ? AND status = 'UPDATE_ROLLBACK_FAILED'",
                (stack.id,),
            ):
                raise validation_error(
                    f"Stack:{stack.id} is in {stack.status} state and can not continue rolling back."
                )
            record_stack_event(tx, stack, "UPDATE_ROLLBACK_IN_PROGRESS", "User Initiated", call.time)

        await self.store.write(write)
        self.deployer.start(stack.id)
        return {}

    @operation("UpdateTerminationProtection")
    async def update_termination_protection(
        self, call: Call, params: "t.UpdateTerminationProtectionInputTypeDef"
    ) -> dict[str, Any]:
        stack = self.find(call, params["StackName"], "Stack [{}] does not exist")
        wanted = params["EnableTerminationProtection"]
        await self.store.write(
            lambda tx: tx.execute("UPDATE stacks SET termination_protection = ? WHERE id = ?", (wanted, stack.id))
        )
        return {"StackId": stack.id}

    @operation("DescribeStacks")
    async def describe_stacks(self, call: Call, params: "t.DescribeStacksInputTypeDef") -> dict[str, Any]:
        name = params.get("StackName")
        if name:
            return {"Stacks": [descriptions.described(self.find(call, name))]}
        live = [each for each in self._stacks(call) if each.status != "DELETE_COMPLETE"]
        shown, token = page(live, params.get("NextToken"))
        return _with_token({"Stacks": [descriptions.described(each) for each in shown]}, token)

    @operation("ListStacks")
    async def list_stacks(self, call: Call, params: "t.ListStacksInputTypeDef") -> dict[str, Any]:
        wanted = params.get("StackStatusFilter")
        since = call.time - _DELETED_SHOWN
        found = [
            each
            for each in self._stacks(call)
            if (not wanted or each.status in wanted) and (each.deleted is None or each.deleted > since)
        ]
        shown, token = page(found, params.get("NextToken"))
        return _with_token({"StackSummaries": [descriptions.summarised(each) for each in shown]}, token)

    @operation("DescribeStackEvents")
    async def describe_stack_events(self, call: Call, params: "t.DescribeStackEventsInputTypeDef") -> dict[str, Any]:
        stack = self.find(call, params["StackName"], "Stack [{}] does not exist")
        before = position(params.get("NextToken"))
        events, following = stack_events(self.store.reader, stack, before, SIZE)
        return _with_token({"StackEvents": events}, None if following is None else token_for(following))

    @operation("DescribeStackResource")
    async def describe_stack_resource(
        self, call: Call, params: "t.DescribeStackResourceInputTypeDef"
    ) -> dict[str, Any]:
        stack = self.find(call, params["StackName"], "Stack '{}' does not exist")
        found = records.resources(self.store.reader, stack.id).get(params["LogicalResourceId"])
        if found is None:
            raise validation_error(f"Resource {params['LogicalResourceId']} does not exist for stack {stack.name}")
        return {"StackResourceDetail": descriptions.resource_detail(stack, found)}

    @operation("DescribeStackResources")
    async def describe_stack_resources(
        self, call: Call, params: "t.DescribeStackResourcesInputTypeDef"
    ) -> dict[str, Any]:
        name, physical = params.get("StackName"), params.get("PhysicalResourceId")
        if (name is None) == (physical is None):
            raise validation_error("Exactly one of StackName and PhysicalResourceId must be specified")
        if name is None:
            name = records.find_physical(self.store.reader, call.account, call.region, str(physical))
            if name is None:
                raise validation_error(f"Stack for {physical} does not exist")
        stack = self.find(call, name)
        logical = params.get("LogicalResourceId")
        found = records.resources(self.store.reader, stack.id).values()
        shown = [descriptions.resource(stack, each) for each in found if logical in (None, each.logical_id)]
        return {"StackResources": shown}

    @operation("ListStackResources")
    async def list_stack_resources(self, call: Call, params: "t.ListStackResourcesInputTypeDef") -> dict[str, Any]:
        stack = self.find(call, params["StackName"])
        found = list(records.resources(self.store.reader, stack.id).values())
        shown, token = page(found, params.get("NextToken"))
        return _with_token({"StackResourceSummaries": [descriptions.resource_summary(each) for each in shown]}, token)

    @operation("GetTemplate")
    async def get_template(self, call: Call, params: "t.GetTemplateInputTypeDef") -> dict[str, Any]:
        deployment = self._deployment_of(call, params.get("StackName"), params.get("ChangeSetName"))
        processed = params.get("TemplateStage", "Original") == "Processed"
        text = orjson.dumps(deployment.body).decode() if processed else deployment.source
        return {"TemplateBody": text, "StagesAvailable": ["Original", "Processed"]}

    @operation("GetTemplateSummary")
    async def get_template_summary(self, call: Call, params: "t.GetTemplateSummaryInputTypeDef") -> dict[str, Any]:
        if params.get("StackSetName"):
            raise NotImplementedByCloudlet("stack sets")
        if params.get("StackName"):
            body = parse(self._deployment_of(call, params.get("StackName"), None).source)
        else:
            body = parse(await requests.template_text(self.cloud, call, dict(params)))
        template = read(body)
        summary = _summary(template, await _expanded(template, call.region), full=True)
        types = sorted({each.type for each in template.resources.values()})
        return {**summary, "ResourceTypes": types, "Version": body.get("AWSTemplateFormatVersion", "2010-09-09")}

    @operation("ValidateTemplate")
    async def validate_template(self, call: Call, params: "t.ValidateTemplateInputTypeDef") -> dict[str, Any]:
        template = read(parse(await requests.template_text(self.cloud, call, dict(params))))
        return _summary(template, await _expanded(template, call.region), full=False)

    @operation("ListExports")
    async def list_exports(self, call: Call, params: "t.ListExportsInputTypeDef") -> dict[str, Any]:
        rows = self.store.reader.all(
            "SELECT stack, name, value FROM exports WHERE account = ? AND region = ? ORDER BY name",
            (call.account, call.region),
        )
        shown, token = page(rows, params.get("NextToken"))
        found = [{"ExportingStackId": row[0], "Name": row[1], "Value": row[2]} for row in shown]
        return _with_token({"Exports": found}, token)

    @operation("ListImports")
    async def list_imports(self, call: Call, params: "t.ListImportsInputTypeDef") -> dict[str, Any]:
        name = params["ExportName"]
        importing = exports.importers(self.store.reader, call.account, call.region, name)
        if not importing:
            raise validation_error(f"Export '{name}' is not imported by any stack.")
        shown, token = page(importing, params.get("NextToken"))
        return _with_token({"Imports": shown}, token)

    def _stacks(self, call: Call) -> list[Stack]:
        return records.stacks(self.store.reader, call.account, call.region)

    def _deployment_of(self, call: Call, stack_name: str | None, change_set: str | None) -> Deployment:
        if change_set:
            return self.change_set(call, change_set, stack_name).deployment
        if not stack_name:
            raise validation_error("StackName is required if ChangeSetName is not specified.")
        return self.find(call, stack_name).deployment


def already_exists(name: str) -> AwsError:
    return AwsError("AlreadyExistsException", f"Stack [{name}] already exists")


def _begin_deletion(tx: Transaction, call: Call, stack: Stack, params: dict[str, Any]) -> None:
    now = stack_by_id(tx, stack.id)
    if now is None or now.status in ("DELETE_COMPLETE", "DELETE_IN_PROGRESS"):
        return
    if now.termination_protection:
        raise validation_error(f"Stack [{now.name}] cannot be deleted while TerminationProtection is enabled")
    if "IN_PROGRESS" in now.status and not now.status.startswith(("CREATE", "REVIEW", "ROLLBACK")):
        raise validation_error(f"Stack [{now.id}] cannot be deleted while in status {now.status}")
    retained = params.get("RetainResources", [])
    if retained and now.status != "DELETE_FAILED":
        raise validation_error(
            f"Invalid operation on stack [{now.id}]. RetainResources may only be specified for a stack in "
            "DELETE_FAILED."
        )
    changed: dict[str, Any] = {"principal": call.principal, "token": params.get("ClientRequestToken")}
    if params.get("RoleARN"):
        changed["role_arn"] = params["RoleARN"]
    deployment = records.replace(now.deployment, **changed)
    tx.execute(
        "UPDATE stacks SET status = 'DELETE_IN_PROGRESS', reason = 'User Initiated', run = run + 1, deployment = ?,"
        " retained = ? WHERE id = ?",
        (deployment.dump(), orjson.dumps(retained), now.id),
    )
    tx.execute("DELETE FROM change_sets WHERE stack = ?", (now.id,))
    record_stack_event(
        tx, records.replace(now, deployment=deployment), "DELETE_IN_PROGRESS", "User Initiated", call.time
    )


async def _expanded(template: Template, region: str) -> Template | None:
    """The template after its transforms; None if it cannot be transformed without values for its parameters."""
    try:
        defaults = {
            key: parameters.resolve_default(declared)
            for key, declared in template.parameters.items()
            if "Default" in declared
        }
        return read(await transform(template.body, template.transforms, defaults, region))
    except AwsError:
        return None


def _summary(template: Template, expanded: Template | None, *, full: bool) -> dict[str, Any]:
    found: dict[str, Any] = {
        "Parameters": parameters.declarations(template, full=full),
        "DeclaredTransforms": list(template.transforms),
    }
    if template.description is not None:
        found["Description"] = template.description
    if full and template.body.get("Metadata"):
        found["Metadata"] = orjson.dumps(template.body["Metadata"]).decode()
    resources = expanded or template
    needed = capabilities.needed(resources) + (["CAPABILITY_AUTO_EXPAND"] if template.transforms else [])
    if needed:
        found["Capabilities"] = needed
        found["CapabilitiesReason"] = capabilities.reason(resources) or (
            f"The following resource(s) require capabilities: [{', '.join(template.transforms)}]"
        )
    return found


def _with_token(answer: dict[str, Any], token: str | None) -> dict[str, Any]:
    return answer if token is None else {**answer, "NextToken": token}
