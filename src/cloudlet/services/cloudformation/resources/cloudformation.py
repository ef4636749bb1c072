"""What stacks hold beside services' resources: placeholders, and what the CDK notes about itself."""

from cloudlet.services.cloudformation.resources.resource_type import Context, Properties, ResourceType


class WaitConditionHandle(ResourceType):
    """Without a WaitCondition, which is not known here, it stands for nothing: templates use it as a placeholder."""

    type = "AWS::CloudFormation::WaitConditionHandle"
    properties = frozenset[str]()

    async def create(self, context: Context, name: str, properties: Properties) -> str:
        return f"{context.cloud.settings.endpoint_url}/_aws/cloudformation/{context.stack_name}/{name}"

    async def delete(self, context: Context, physical_id: str, properties: Properties) -> None:
        return None


class CdkMetadata(ResourceType):
    type = "AWS::CDK::Metadata"
    properties = frozenset(("Analytics",))

    async def create(self, context: Context, name: str, properties: Properties) -> str:
        return name

    async def update(self, context: Context, physical_id: str, before: Properties, after: Properties) -> None:
        return None

    async def delete(self, context: Context, physical_id: str, properties: Properties) -> None:
        return None


TYPES = (CdkMetadata, WaitConditionHandle)
