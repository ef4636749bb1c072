"""Versions of layers, and who may use them."""

from cloudlet.core.errors import AwsError
from cloudlet.services.cloudformation.resources.resource_type import (
    Attributes,
    Context,
    Properties,
    ResourceType,
    present,
)


class LayerVersion(ResourceType):
    type = "AWS::Lambda::LayerVersion"
    properties = frozenset(
        ("CompatibleArchitectures", "CompatibleRuntimes", "Content", "Description", "LayerName", "LicenseInfo")
    )
    required = frozenset(("Content",))
    immutable = properties
    longest_name = 140

    def new_name(self, context: Context, properties: Properties) -> str | None:
        """A layer is named after its logical id: each change publishes a further version of it."""
        return str(properties.get("LayerName") or context.logical_id)

    async def create(self, context: Context, name: str, properties: Properties) -> str:
        answer = await context.call("lambda", "PublishLayerVersion", {**properties, "LayerName": name})
        return answer["LayerVersionArn"]

    async def attributes(self, context: Context, physical_id: str, properties: Properties) -> Attributes:
        return {"LayerVersionArn": physical_id}

    async def delete(self, context: Context, physical_id: str, properties: Properties) -> None:
        name, version = physical_id.rsplit(":", 1)
        await context.call("lambda", "DeleteLayerVersion", {"LayerName": name, "VersionNumber": version})


class LayerVersionPermission(ResourceType):
    type = "AWS::Lambda::LayerVersionPermission"
    properties = frozenset(("Action", "LayerVersionArn", "OrganizationId", "Principal"))
    required = frozenset(("Action", "LayerVersionArn", "Principal"))
    immutable = properties
    longest_name = 100

    async def create(self, context: Context, name: str, properties: Properties) -> str:
        params = {"StatementId": name, **present(properties, "Action", "OrganizationId", "Principal")}
        try:
            await context.call("lambda", "AddLayerVersionPermission", params | self._version(properties))
        except AwsError as error:
            # The statement's id is ours alone: if it is there, this was begun before a crash.
            if error.code != "ResourceConflictException":
                raise
        return f"{properties['LayerVersionArn']}#{name}"

    async def attributes(self, context: Context, physical_id: str, properties: Properties) -> Attributes:
        return {"Id": physical_id}

    async def delete(self, context: Context, physical_id: str, properties: Properties) -> None:
        params = {"StatementId": physical_id.rsplit("#", 1)[1]} | self._version(properties)
        await context.call("lambda", "RemoveLayerVersionPermission", params)

    @staticmethod
    def _version(properties: Properties) -> Properties:
        name, version = properties["LayerVersionArn"].rsplit(":", 1)
        return {"LayerName": name, "VersionNumber": int(version)}


TYPES = (LayerVersion, LayerVersionPermission)
