"""Deploys and destroys stacks through CloudFormation, following their events until they are done."""

import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError
from rich.console import Console
from rich.text import Text

from cloudlet.cli.artifacts import Artifacts
from cloudlet.cli.connection import Connection
from cloudlet.cli.errors import CommandError
from cloudlet.cli.progress import Event, progress
from cloudlet.cli.template import Template, read_template

_CAPABILITIES = ["CAPABILITY_IAM", "CAPABILITY_NAMED_IAM", "CAPABILITY_AUTO_EXPAND"]
_NOTHING_TO_CHANGE = ("didn't contain changes", "No updates are to be performed")
_DONE = ("CREATE_COMPLETE", "UPDATE_COMPLETE")
# A stack in these states has never worked: CloudFormation lets nobody update it.
_REMAINS = ("ROLLBACK_COMPLETE", "ROLLBACK_FAILED", "CREATE_FAILED", "DELETE_FAILED")


def template_file(path: Path) -> Path:
    """The template in a folder, or the file itself. Raises CommandError."""
    if not path.is_dir():
        return path
    for name in ("template.yaml", "template.yml", "template.json"):
        if (path / name).is_file():
            return path / name
    raise CommandError(f"There is no template.yaml in {path}.")


def parameter_values(given: list[str]) -> dict[str, str]:
    """From `KEY=VALUE` texts. Raises CommandError."""
    values: dict[str, str] = {}
    for text in given:
        key, separator, value = text.partition("=")
        if not separator or not key:
            raise CommandError(f"--parameter {text} is not of the form KEY=VALUE.")
        values[key] = value
    return values


def stack_name_for(template: Path) -> str:
    """The folder's name for `template.yaml`, else the file's."""
    name = template.resolve().parent.name if template.stem == "template" else template.stem
    return re.sub(r"[^A-Za-z0-9-]+", "-", name).strip("-") or "stack"


def deploy(connection: Connection, path: Path, name: str, parameters: dict[str, str], console: Console) -> None:
    """Raises CommandError if the stack could not be brought there; what was changed is rolled back then."""
    template = read_template(path)
    _check_parameters(template, parameters)
    artifacts = Artifacts(connection, console)
    artifacts.package(template, path.parent)
    stack = Stack(connection, name)
    before = stack.description()
    if before is not None and before["StackStatus"] in _REMAINS:
        console.print(f"Removing what is left of an earlier attempt ({before['StackStatus']})")
        stack.delete(console)
        before = None
    exists = before is not None and before["StackStatus"] != "REVIEW_IN_PROGRESS"
    known = {given["ParameterKey"] for given in before.get("Parameters", [])} if exists and before else set[str]()
    given = _parameters(template, parameters, known)
    if stack.change(artifacts.template(template), given, exists, console):
        console.print(f"[green]✓[/] Stack [bold]{name}[/] is {'up to date' if exists else 'created'}")
    else:
        console.print(f"[green]✓[/] Stack [bold]{name}[/] is as the template says: nothing to change")
    _print_outputs(stack.description() or {}, console)


def destroy(connection: Connection, name: str, console: Console) -> None:
    """Deletes the stack with all that it holds; its buckets are emptied first, which CloudFormation would not do."""
    stack = Stack(connection, name)
    if stack.description() is None:
        raise CommandError(f"There is no stack {name}.")
    s3 = connection.client("s3")
    for bucket in stack.resources("AWS::S3::Bucket"):
        count = _empty(s3, bucket)
        if count:
            console.print(f"Emptied the bucket {bucket}: {count} objects")
    stack.delete(console)
    console.print(f"[green]✓[/] Stack [bold]{name}[/] is gone")


class Stack:
    def __init__(self, connection: Connection, name: str) -> None:
        self._cloudformation = connection.client("cloudformation")
        self._name = name

    def description(self) -> dict[str, Any] | None:
        try:
            found: dict[str, Any] = self._cloudformation.describe_stacks(StackName=self._name)["Stacks"][0]
        except ClientError as error:
            if "does not exist" in str(error):
                return None
            raise
        return found

    def resources(self, type: str) -> list[str]:
        """The physical ids of the stack's resources of a type."""
        pages = self._cloudformation.get_paginator("list_stack_resources").paginate(StackName=self._name)
        return [
            resource["PhysicalResourceId"]
            for page in pages
            for resource in page["StackResourceSummaries"]
            if resource["ResourceType"] == type and resource.get("PhysicalResourceId")
        ]

    def change(
        self, template: dict[str, str], parameters: list[dict[str, Any]], exists: bool, console: Console
    ) -> bool:
        """Creates or updates by a change set; False if there is nothing to change. Raises CommandError."""
        created = self._cloudformation.create_change_set(
            StackName=self._name,
            ChangeSetName=f"deploy-{time.time_ns()}",
            ChangeSetType="UPDATE" if exists else "CREATE",
            Capabilities=_CAPABILITIES,
            Parameters=parameters,
            **template,
        )
        if not self._wait_for_change_set(created["Id"]):
            self._cloudformation.delete_change_set(ChangeSetName=created["Id"])
            return False
        seen = self._newest_event(created["StackId"])
        self._cloudformation.execute_change_set(ChangeSetName=created["Id"])
        self.follow(created["StackId"], seen, console, "updated" if exists else "created")
        return True

    def delete(self, console: Console) -> None:
        stack_id = (self.description() or {}).get("StackId", self._name)
        seen = self._newest_event(stack_id)
        self._cloudformation.delete_stack(StackName=self._name)
        self.follow(stack_id, seen, console, "deleted")

    def _wait_for_change_set(self, change_set: str) -> bool:
        while True:
            found = self._cloudformation.describe_change_set(ChangeSetName=change_set)
            if found["Status"] == "CREATE_COMPLETE":
                return True
            reason = found.get("StatusReason", "")
            if found["Status"] == "FAILED":
                if any(words in reason for words in _NOTHING_TO_CHANGE):
                    return False
                raise CommandError(f"The template cannot be deployed: {reason}")
            time.sleep(0.1)

    def _newest_event(self, stack_id: str) -> str | None:
        events = self._cloudformation.describe_stack_events(StackName=stack_id)["StackEvents"]
        return events[0]["EventId"] if events else None

    def follow(self, stack_id: str, seen: str | None, console: Console, wanted: str) -> None:
        """Shows the events after `seen` until the stack is done. Raises CommandError if it did not succeed."""
        failures: list[Event] = []
        last: Event = {}
        with progress(console) as shown:
            for event in self._events(stack_id, seen):
                shown.show(event)
                reason = event.get("ResourceStatusReason", "")
                own = event.get("PhysicalResourceId") != stack_id
                if own and event["ResourceStatus"].endswith("_FAILED") and "cancelled" not in reason.lower():
                    failures.append(event)
                last = event
        if last["ResourceStatus"] not in (*_DONE, "DELETE_COMPLETE"):
            raise CommandError(_failure(self._name, wanted, last, failures))

    def _events(self, stack_id: str, seen: str | None) -> Iterator[Event]:
        """The events after `seen` as they come, up to the one that ends the stack's work."""
        while True:
            for event in self._events_after(stack_id, seen):
                seen = event["EventId"]
                yield event
                status = event["ResourceStatus"]
                if event.get("PhysicalResourceId") == stack_id and not status.endswith("IN_PROGRESS"):
                    return
            time.sleep(0.2)

    def _events_after(self, stack_id: str, seen: str | None) -> list[Event]:
        """In the order in which they happened; the API has the newest first."""
        found: list[Event] = []
        for page in self._cloudformation.get_paginator("describe_stack_events").paginate(StackName=stack_id):
            for event in page["StackEvents"]:
                if event["EventId"] == seen:
                    return found[::-1]
                found.append(event)
        return found[::-1]


def _check_parameters(template: Template, given: dict[str, str]) -> None:
    declared = template.get("Parameters", {})
    unknown = sorted(given.keys() - declared.keys())
    if unknown:
        raise CommandError(
            f"The template has no parameter {', '.join(unknown)}; it has: {', '.join(declared) or 'none'}."
        )


def _parameters(template: Template, given: dict[str, str], known: set[str]) -> list[dict[str, Any]]:
    """What is given, and for the others that an existing stack knows the values that they have."""
    kept = sorted((known & template.get("Parameters", {}).keys()) - given.keys())
    return [{"ParameterKey": key, "ParameterValue": value} for key, value in given.items()] + [
        {"ParameterKey": key, "UsePreviousValue": True} for key in kept
    ]


def _failure(name: str, wanted: str, last: Event, failures: list[Event]) -> str:
    lines = [f"The stack {name} could not be {wanted}: it is now {last['ResourceStatus']}."]
    for event in failures:
        reason = event.get("ResourceStatusReason", "no reason given")
        lines.append(f"  {event['LogicalResourceId']} ({event['ResourceType']}): {reason}")
    if last["ResourceStatus"].endswith("ROLLBACK_COMPLETE"):
        lines.append("Everything that it had changed was rolled back.")
    return "\n".join(lines)


def _print_outputs(stack: dict[str, Any], console: Console) -> None:
    outputs = stack.get("Outputs", [])
    if not outputs:
        return
    width = max(len(output["OutputKey"]) for output in outputs)
    for output in sorted(outputs, key=lambda output: output["OutputKey"]):
        line = Text.assemble((output["OutputKey"].ljust(width + 2), "bold"), (output["OutputValue"], "cyan"))
        console.print(line, soft_wrap=True)  # so that nothing breaks what somebody copies


def _empty(s3: Any, bucket: str) -> int:
    """Deletes all objects and, where the bucket keeps versions, those too; returns how many."""
    count = 0
    versioned = "Status" in s3.get_bucket_versioning(Bucket=bucket)
    pages = s3.get_paginator("list_object_versions" if versioned else "list_objects_v2").paginate(Bucket=bucket)
    for page in pages:
        found = [*page.get("Contents", []), *page.get("Versions", []), *page.get("DeleteMarkers", [])]
        objects = [{name: entry[name] for name in ("Key", "VersionId") if name in entry} for entry in found]
        if objects:
            s3.delete_objects(Bucket=bucket, Delete={"Objects": objects, "Quiet": True})
            count += len(objects)
    return count
