"""The deployer over resource types made for the test: order, failures, roll-back, replacement, crashes."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from cloudlet.core.clock import Clock, ManualClock, SystemClock
from cloudlet.core.context import FIRST_ACCOUNT, Principal
from cloudlet.core.errors import AwsError
from cloudlet.core.service import Cloud
from cloudlet.core.settings import Settings
from cloudlet.services.cloudformation import CloudFormation
from cloudlet.services.cloudformation.resources import CATALOGUE, Context, ResourceType

ROLE = {"AssumeRolePolicyDocument": {}, "Policies": [{"PolicyDocument": {}}]}
ROOT = Principal.root(FIRST_ACCOUNT)


class World:
    """What the made-up service holds, and what is to go wrong with it."""

    def __init__(self) -> None:
        self.things: dict[str, dict[str, Any]] = {}
        self.journal: list[str] = []
        self.blocked: set[str] = set()
        self.reached = asyncio.Event()


class Thing(ResourceType):
    type = "Test::Thing"
    properties = frozenset(("Color", "Fail", "Name", "Needs", "Size", "Tags"))
    immutable = frozenset(("Color", "Name"))
    name_property = "Name"
    tags = "list"
    world: World

    async def find(self, context: Context, name: str, properties: dict[str, Any]) -> str | None:
        return name if name in self.world.things else None

    async def create(self, context: Context, name: str, properties: dict[str, Any]) -> str:
        self.world.journal.append(f"create {context.logical_id}")
        if properties.get("Fail") == "before":
            raise AwsError("InvalidThing", "this thing cannot be")
        self.world.things[name] = properties
        await self._pause(context, "create")
        if properties.get("Fail") == "after":
            raise AwsError("InvalidThing", "this thing is incomplete")
        return name

    async def attributes(self, context: Context, physical_id: str, properties: dict[str, Any]) -> dict[str, Any]:
        return {"Arn": f"arn:{physical_id}"}

    async def update(self, context: Context, physical_id: str, before: dict[str, Any], after: dict[str, Any]) -> None:
        self.world.journal.append(f"update {context.logical_id} {before.get('Size')} to {after.get('Size')}")
        self.world.things[physical_id] = after
        if after.get("Fail") == "update":
            raise AwsError("InvalidThing", "this thing cannot change")

    async def delete(self, context: Context, physical_id: str, properties: dict[str, Any]) -> None:
        self.world.journal.append(f"delete {context.logical_id}")
        if properties.get("Fail") == "delete":
            raise AwsError("ThingInUse", "this thing stays")
        self.world.things.pop(physical_id, None)

    async def _pause(self, context: Context, step: str) -> None:
        if f"{step} {context.logical_id}" in self.world.blocked:
            self.world.reached.set()
            await asyncio.Event().wait()


class Stacks:
    """The service in process, with the few calls that the tests make."""

    def __init__(self, data: Path, world: World) -> None:
        self.data = data
        self.world = world

    async def start(self, clock: Clock | None = None) -> None:
        cloud = Cloud(Settings(self.data), clock or SystemClock())
        self.service = CloudFormation(cloud)
        cloud.add(self.service)
        self.cloud = cloud
        await self.service.start()
        await self.service.recover()

    async def crash(self, clock: Clock | None = None) -> None:
        """Ends all tasks where they stand, without a word to the database."""
        await self.service.stop()
        self.world.blocked.clear()
        await self.start(clock)

    async def call(self, operation: str, **params: Any) -> dict[str, Any]:
        return await self.cloud.call("cloudformation", operation, params, as_=ROOT, region="us-east-1")

    async def create(self, resources: dict[str, Any], **params: Any) -> str:
        return (await self.call("CreateStack", StackName="shop", TemplateBody=template(resources), **params))["StackId"]

    async def update(self, resources: dict[str, Any], **params: Any) -> None:
        await self.call("UpdateStack", StackName="shop", TemplateBody=template(resources), **params)

    async def ended(self, name: str = "shop") -> str:
        while True:
            status = (await self.call("DescribeStacks", StackName=name))["Stacks"][0]["StackStatus"]
            if not status.endswith("IN_PROGRESS"):
                return status
            await asyncio.sleep(0.005)

    async def events(self, name: str = "shop") -> list[str]:
        """`Logical STATUS`, oldest first."""
        found = (await self.call("DescribeStackEvents", StackName=name))["StackEvents"]
        return [f"{each['LogicalResourceId']} {each['ResourceStatus']}" for each in reversed(found)]

    async def reasons(self, logical_id: str) -> list[str]:
        found = (await self.call("DescribeStackEvents", StackName="shop"))["StackEvents"]
        return [each.get("ResourceStatusReason", "") for each in found if each["LogicalResourceId"] == logical_id]


def template(resources: dict[str, Any]) -> str:
    return json.dumps({"Resources": resources})


def thing(*, more: dict[str, Any] | None = None, **properties: Any) -> dict[str, Any]:
    return {"Type": "Test::Thing", "Properties": properties, **(more or {})}


@pytest.fixture
async def stacks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Stacks]:
    kind = Thing()
    kind.world = World()
    monkeypatch.setitem(CATALOGUE, Thing.type, kind)
    stacks = Stacks(tmp_path, kind.world)
    await stacks.start()
    yield stacks
    await stacks.service.stop()


async def test_events_tell_the_life_of_a_stack(stacks: Stacks) -> None:
    await stacks.create({"A": thing(), "B": thing(Needs={"Fn::GetAtt": ["A", "Arn"]})})

    assert await stacks.ended() == "CREATE_COMPLETE"
    assert await stacks.events() == [
        "shop CREATE_IN_PROGRESS",
        *("A CREATE_IN_PROGRESS", "A CREATE_IN_PROGRESS", "A CREATE_COMPLETE"),
        *("B CREATE_IN_PROGRESS", "B CREATE_IN_PROGRESS", "B CREATE_COMPLETE"),
        "shop CREATE_COMPLETE",
    ]
    assert (await stacks.reasons("A"))[1] == "Resource creation Initiated"


async def test_a_failed_creation_is_rolled_back_with_what_it_left_half_made(stacks: Stacks) -> None:
    await stacks.create({"A": thing(), "B": thing(Fail="after", Needs={"Ref": "A"}), "C": thing(Needs={"Ref": "B"})})

    assert await stacks.ended() == "ROLLBACK_COMPLETE"
    assert stacks.world.things == {}
    assert stacks.world.journal == ["create A", "create B", "delete B", "delete A"]
    assert 'message: "this thing is incomplete"' in (await stacks.reasons("B"))[-3]
    failed = "The following resource(s) failed to create: [B]. Rollback requested by user."
    assert failed in await stacks.reasons("shop")


async def test_on_failure_decides_what_stays(stacks: Stacks) -> None:
    await stacks.create({"A": thing(), "B": thing(Fail="before", Needs={"Ref": "A"})}, DisableRollback=True)
    assert await stacks.ended() == "CREATE_FAILED"
    assert len(stacks.world.things) == 1

    await stacks.update({"A": thing(), "B": thing(Needs={"Ref": "A"})})
    assert await stacks.ended() == "UPDATE_COMPLETE"
    assert len(stacks.world.things) == 2


async def test_on_failure_delete_leaves_no_stack(stacks: Stacks) -> None:
    stack_id = await stacks.create({"A": thing(Fail="before")}, OnFailure="DELETE")

    assert await stacks.ended(stack_id) == "DELETE_COMPLETE"


async def test_an_update_changes_in_place_or_replaces(stacks: Stacks) -> None:
    await stacks.create({"A": thing(Size=1), "B": thing(Color="red"), "C": thing(Needs={"Ref": "B"})})
    await stacks.ended()
    stacks.world.journal.clear()

    await stacks.update({"A": thing(Size=2), "B": thing(Color="blue"), "C": thing(Needs={"Ref": "B"})})

    assert await stacks.ended() == "UPDATE_COMPLETE"
    assert sorted(stacks.world.journal[:2]) == ["create B", "update A 1 to 2"]
    assert stacks.world.journal[2:] == ["update C None to None", "delete B"]
    assert len(stacks.world.things) == 3


async def test_what_the_template_leaves_out_is_deleted_unless_retained(stacks: Stacks) -> None:
    await stacks.create({"A": thing(), "B": thing(), "C": thing(more={"DeletionPolicy": "Retain"})})
    await stacks.ended()

    await stacks.update({"A": thing()})

    assert await stacks.ended() == "UPDATE_COMPLETE"
    assert "B DELETE_COMPLETE" in await stacks.events()
    assert "C DELETE_SKIPPED" in await stacks.events()
    assert len(stacks.world.things) == 2


async def test_a_failed_update_returns_to_what_was(stacks: Stacks) -> None:
    before = {"A": thing(Size=1), "B": thing(Color="red"), "C": thing(Size=5)}
    await stacks.create(before)
    await stacks.ended()
    resources = (await stacks.call("DescribeStackResources", StackName="shop"))["StackResources"]
    things = dict(stacks.world.things)

    failing = thing(Size=6, Fail="update", more={"DependsOn": ["A", "B"]})
    await stacks.update({"A": thing(Size=2), "B": thing(Color="blue"), "C": failing, "D": thing()})

    assert await stacks.ended() == "UPDATE_ROLLBACK_COMPLETE"
    assert stacks.world.things == things
    after = (await stacks.call("DescribeStackResources", StackName="shop"))["StackResources"]
    assert [each["PhysicalResourceId"] for each in after] == [each["PhysicalResourceId"] for each in resources]
    with pytest.raises(AwsError, match="No updates are to be performed"):
        await stacks.update(before)


async def test_a_resource_that_the_template_named_cannot_be_replaced_by_one_of_that_name(stacks: Stacks) -> None:
    await stacks.create({"A": thing(Name="mine", Color="red")})
    await stacks.ended()

    await stacks.update({"A": thing(Name="mine", Color="blue")})

    assert await stacks.ended() == "UPDATE_ROLLBACK_COMPLETE"
    assert any("Rename mine and update the stack again" in each for each in await stacks.reasons("A"))
    assert stacks.world.things["mine"]["Color"] == "red"


async def test_what_exists_already_is_not_touched(stacks: Stacks) -> None:
    stacks.world.things["mine"] = {"Color": "somebody's"}

    await stacks.create({"A": thing(Name="mine")})

    assert await stacks.ended() == "ROLLBACK_COMPLETE"
    assert stacks.world.things == {"mine": {"Color": "somebody's"}}
    assert any("AlreadyExists" in each for each in await stacks.reasons("A"))


async def test_deletion_goes_from_the_users_to_the_used(stacks: Stacks) -> None:
    await stacks.create({"A": thing(), "B": thing(Needs={"Ref": "A"}), "C": thing(Needs={"Ref": "B"})})
    await stacks.ended()
    stacks.world.journal.clear()

    await stacks.call("DeleteStack", StackName="shop")
    with pytest.raises(AwsError, match="Stack with id shop does not exist"):
        await stacks.ended()

    assert stacks.world.journal == ["delete C", "delete B", "delete A"]


async def test_a_failed_deletion_can_be_tried_again_keeping_what_resists(stacks: Stacks) -> None:
    stack_id = await stacks.create({"A": thing(Fail="delete"), "B": thing()})
    await stacks.ended()

    await stacks.call("DeleteStack", StackName="shop")
    assert await stacks.ended() == "DELETE_FAILED"
    await stacks.call("DeleteStack", StackName="shop", RetainResources=["A"])

    assert await stacks.ended(stack_id) == "DELETE_COMPLETE"
    assert len(stacks.world.things) == 1


async def test_termination_protection(stacks: Stacks) -> None:
    await stacks.create({"A": thing()}, EnableTerminationProtection=True)
    await stacks.ended()

    with pytest.raises(AwsError, match="cannot be deleted while TerminationProtection is enabled"):
        await stacks.call("DeleteStack", StackName="shop")
    await stacks.call("UpdateTerminationProtection", StackName="shop", EnableTerminationProtection=False)
    await stacks.call("DeleteStack", StackName="shop")


async def test_a_stack_that_is_being_created_can_be_deleted(stacks: Stacks) -> None:
    stacks.world.blocked.add("create A")
    stack_id = await stacks.create({"A": thing(), "B": thing(Needs={"Ref": "A"})})
    await stacks.world.reached.wait()

    await stacks.call("DeleteStack", StackName="shop")
    await stacks.crash()  # the step that never ends

    assert await stacks.ended(stack_id) == "DELETE_COMPLETE"
    assert stacks.world.things == {}
    assert "create B" not in stacks.world.journal


async def test_a_crash_in_the_middle_of_a_creation_is_gone_on_from(stacks: Stacks) -> None:
    stacks.world.blocked.add("create B")
    await stacks.create({"A": thing(), "B": thing(Needs={"Ref": "A"}), "C": thing(Needs={"Ref": "B"})})
    await stacks.world.reached.wait()

    await stacks.crash()

    assert await stacks.ended() == "CREATE_COMPLETE"
    assert stacks.world.journal == ["create A", "create B", "create C"]
    assert len(stacks.world.things) == 3


async def test_a_crash_in_the_middle_of_a_replacement_leaves_one_resource(stacks: Stacks) -> None:
    await stacks.create({"A": thing(Color="red")})
    await stacks.ended()
    stacks.world.blocked.add("create A")
    await stacks.update({"A": thing(Color="blue")})
    await stacks.world.reached.wait()

    await stacks.crash()

    assert await stacks.ended() == "UPDATE_COMPLETE"
    assert [each["Color"] for each in stacks.world.things.values()] == ["blue"]


async def test_a_cancelled_update_rolls_back(stacks: Stacks) -> None:
    await stacks.create({"A": thing(Size=1), "B": thing()})
    await stacks.ended()
    stacks.world.blocked.add("create C")
    await stacks.update({"A": thing(Size=2), "B": thing(), "C": thing()})
    await stacks.world.reached.wait()

    await stacks.call("CancelUpdateStack", StackName="shop")
    await stacks.crash()

    assert await stacks.ended() == "UPDATE_ROLLBACK_COMPLETE"
    assert sorted(each.get("Size", 0) for each in stacks.world.things.values()) == [0, 1]


async def test_the_stacks_tags_reach_its_resources(stacks: Stacks) -> None:
    own = {"Key": "team", "Value": "blue"}
    await stacks.create({"A": thing(Tags=[own])}, Tags=[{"Key": "team", "Value": "red"}, {"Key": "cost", "Value": "1"}])
    await stacks.ended()

    (made,) = stacks.world.things.values()
    assert made["Tags"] == [own, {"Key": "cost", "Value": "1"}]


async def test_properties_that_a_type_does_not_have(stacks: Stacks) -> None:
    await stacks.create({"A": thing(Colour="red")})

    assert await stacks.ended() == "ROLLBACK_COMPLETE"
    assert "Encountered unsupported property Colour" in await stacks.reasons("A")


async def test_types_that_do_not_exist(stacks: Stacks) -> None:
    with pytest.raises(AwsError, match=r"Template format error: Unrecognized resource types: \[AWS::Own::Thing\]"):
        await stacks.create({"A": {"Type": "AWS::Own::Thing"}})


async def test_a_creation_that_takes_too_long_is_rolled_back(stacks: Stacks) -> None:
    stacks.cloud.clock = clock = ManualClock()
    stacks.world.blocked.add("create A")
    await stacks.create({"A": thing(), "B": thing(Needs={"Ref": "A"})}, TimeoutInMinutes=5)
    await stacks.world.reached.wait()
    clock.advance(301)

    await stacks.crash(clock)

    assert await stacks.ended() == "ROLLBACK_COMPLETE"
    assert "create B" not in stacks.world.journal
    assert any("exceeded the specified timeout" in each for each in await stacks.reasons("shop"))


async def test_events_do_not_show_what_has_no_echo(stacks: Stacks) -> None:
    body = {
        "Parameters": {"Secret": {"Type": "String", "NoEcho": True}},
        "Resources": {"A": thing(Size={"Fn::Sub": "it is ${Secret}"})},
    }
    given = [{"ParameterKey": "Secret", "ParameterValue": "hunter2"}]
    await stacks.call("CreateStack", StackName="shop", TemplateBody=json.dumps(body), Parameters=given)
    assert await stacks.ended() == "CREATE_COMPLETE"

    assert "hunter2" not in str(await stacks.call("DescribeStackEvents", StackName="shop"))
    assert "hunter2" not in str(await stacks.call("DescribeStacks", StackName="shop"))
    assert next(iter(stacks.world.things.values()))["Size"] == "it is hunter2"


async def test_malformed_properties_fail_the_resource_alone(stacks: Stacks) -> None:
    role = {"Type": "AWS::IAM::Role", "Properties": ROLE}
    await stacks.create({"A": thing(), "B": role}, Capabilities=["CAPABILITY_IAM"])

    assert await stacks.ended() == "ROLLBACK_COMPLETE"
    assert "#/Policies/0: required key [PolicyName] not found" in await stacks.reasons("B")


async def test_exports_bind_stacks_together(stacks: Stacks) -> None:
    exporting = {
        "Resources": {"A": thing(Name="shared")},
        "Outputs": {"Id": {"Value": {"Ref": "A"}, "Export": {"Name": "the-thing"}}},
    }
    importing = {"Resources": {"B": thing(Needs={"Fn::ImportValue": "the-thing"})}}
    await stacks.call("CreateStack", StackName="base", TemplateBody=json.dumps(exporting))
    await stacks.ended("base")
    await stacks.call("CreateStack", StackName="user", TemplateBody=json.dumps(importing))
    assert await stacks.ended("user") == "CREATE_COMPLETE"

    assert (await stacks.call("ListImports", ExportName="the-thing"))["Imports"] == ["user"]
    await stacks.call("DeleteStack", StackName="base")
    assert await stacks.ended("base") == "DELETE_FAILED"
    assert "shared" in stacks.world.things
