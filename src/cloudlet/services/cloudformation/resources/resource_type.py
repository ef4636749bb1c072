"""What every resource type of a template offers to the deployer."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, ClassVar

from cloudlet.core.context import Principal
from cloudlet.core.errors import AwsError
from cloudlet.core.service import Cloud
from cloudlet.services.cloudformation.naming import physical_name
from cloudlet.services.cloudformation.replies import Replies
from cloudlet.services.cloudformation.resources.shaping import shaped_input

Properties = dict[str, Any]
Attributes = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Context:
    """On whose behalf and where a resource is made. `told` takes attributes that a service tells once, at creation."""

    cloud: Cloud
    replies: Replies
    principal: Principal
    account: str
    region: str
    stack_id: str
    stack_name: str
    run: int
    logical_id: str
    resource_type: str
    told: Attributes = field(default_factory=dict[str, Any])

    async def call(self, api: str, operation: str, params: Properties) -> Any:
        """Calls a service with values as templates write them: numbers as texts, documents as objects."""
        return await self.cloud.call(
            api,
            operation,
            shaped_input(api, operation, params),
            as_=self.principal,
            region=self.region,
            account=self.account,
        )

    async def call_if_there(self, api: str, operation: str, params: Properties) -> Any:
        """The call's answer; None if the service says that what it is about does not exist."""
        try:
            answer = await self.call(api, operation, params)
        except AwsError as error:
            if is_missing(error):
                return None
            raise
        return {} if answer is None else answer


class ResourceType:
    """One type. Every method may be called again after a crash in the middle of it.

    `immutable` properties make a new resource if they change. The physical id is what Ref answers.
    """

    type: ClassVar[str]
    properties: ClassVar[frozenset[str]]
    required: ClassVar[frozenset[str]] = frozenset()
    immutable: ClassVar[frozenset[str]] = frozenset()
    name_property: ClassVar[str | None] = None
    longest_name: ClassVar[int] = 255
    lower_case: ClassVar[bool] = False
    # How the type writes tags: a list of Key and Value, a map, or not at all (the stack's tags pass it by).
    tags: ClassVar[str | None] = None

    def new_name(self, context: Context, properties: Properties) -> str | None:
        """The name to give, chosen before the resource is made."""
        if self.name_property is not None and properties.get(self.name_property):
            return str(properties[self.name_property])
        return physical_name(context.stack_name, context.logical_id, longest=self.longest_name, lower=self.lower_case)

    def is_named(self, properties: Properties) -> bool:
        """Whether the template chose the name, so that there can be only one of it."""
        return self.name_property is not None and bool(properties.get(self.name_property))

    async def find(self, context: Context, name: str, properties: Properties) -> str | None:
        """The physical id of what bears the name already, None if nothing does."""
        return None

    async def left_behind(self, context: Context, name: str, properties: Properties) -> str | None:
        """The physical id of what a creation that failed may have made, to be deleted."""
        return await self.find(context, name, properties)

    async def create(self, context: Context, name: str, properties: Properties) -> str:
        """Makes the resource; returns its physical id."""
        raise NotImplementedError

    async def adopt(self, context: Context, physical_id: str, properties: Properties) -> None:
        """Finishes what `create` had begun when the process died."""

    async def attributes(self, context: Context, physical_id: str, properties: Properties) -> Attributes:
        """What Fn::GetAtt answers."""
        return {}

    async def update(self, context: Context, physical_id: str, before: Properties, after: Properties) -> str | None:
        """Changes the resource in place; a physical id other than the old one says that it has been replaced."""
        raise NotImplementedError

    async def delete(self, context: Context, physical_id: str, properties: Properties) -> None:
        """Deletes the resource; one that is gone already is no error."""
        raise NotImplementedError

    def check(self, properties: Properties) -> None:
        """Raises AwsError for properties that the type lacks or does not have."""
        unknown = [name for name in properties if name not in self.properties]
        if unknown:
            raise AwsError("ValidationError", f"Encountered unsupported property {unknown[0]}")
        missing = [name for name in sorted(self.required) if properties.get(name) in (None, "")]
        if missing:
            raise AwsError("ValidationError", f"Property {missing[0]} cannot be empty.")

    def with_stack_tags(self, properties: Properties, stack_tags: Iterable[dict[str, str]]) -> Properties:
        """The properties with the stack's tags added to those of the resource, which come first."""
        added = {tag["Key"]: tag["Value"] for tag in stack_tags}
        if self.tags is None or not added:
            return properties
        if self.tags == "map":
            return {**properties, "Tags": {**added, **properties.get("Tags", {})}}
        own = properties.get("Tags", [])
        keys = {tag["Key"] for tag in own}
        return {**properties, "Tags": [*own, *({"Key": k, "Value": v} for k, v in added.items() if k not in keys)]}


def changed(before: Properties, after: Properties, *names: str) -> bool:
    """Whether one of these properties differs."""
    return any(before.get(name) != after.get(name) for name in names)


def present(properties: Properties, *names: str) -> Properties:
    """Those of the named properties that are set."""
    return {name: properties[name] for name in names if name in properties}


def tag_map(properties: Properties) -> dict[str, str]:
    """Tags written as a list, as a map."""
    return {tag["Key"]: str(tag["Value"]) for tag in properties.get("Tags", [])}


def removed_tags(before: Properties, after: Properties) -> list[str]:
    """The keys of tags that are there no more."""
    return [key for key in tag_map(before) if key not in tag_map(after)]


def is_missing(error: AwsError) -> bool:
    """Whether an error says that the resource does not exist."""
    return error.status == 404 or any(
        word in error.code for word in ("NotFound", "NoSuch", "NonExistent", "DoesNotExist", "NotExist")
    )
