"""Versions of functions and aliases of them, with the concurrency that is provisioned for one."""

from cloudlet.services.cloudformation.resources.resource_type import (
    Attributes,
    Context,
    Properties,
    ResourceType,
    changed,
    present,
)


class Version(ResourceType):
    type = "AWS::Lambda::Version"
    properties = frozenset(
        ("CodeSha256", "Description", "FunctionName", "ProvisionedConcurrencyConfig", "RuntimePolicy")
    )
    required = frozenset(("FunctionName",))
    immutable = properties

    async def find(self, context: Context, name: str, properties: Properties) -> str | None:
        # Publishing what has not changed answers the version that there is.
        return await self.create(context, name, properties)

    async def create(self, context: Context, name: str, properties: Properties) -> str:
        wanted = present(properties, "CodeSha256", "Description", "FunctionName")
        answer = await context.call("lambda", "PublishVersion", wanted)
        version = {"FunctionName": properties["FunctionName"], "Qualifier": answer["Version"]}
        await _provision(context, version, {}, properties)
        if "RuntimePolicy" in properties:
            await context.call("lambda", "PutRuntimeManagementConfig", version | properties["RuntimePolicy"])
        arn: str = answer["FunctionArn"]
        return arn if arn.rsplit(":", 1)[1] == answer["Version"] else f"{arn}:{answer['Version']}"

    async def attributes(self, context: Context, physical_id: str, properties: Properties) -> Attributes:
        return {"FunctionArn": physical_id, "Version": physical_id.rsplit(":", 1)[1]}

    async def delete(self, context: Context, physical_id: str, properties: Properties) -> None:
        name, version = physical_id.rsplit(":", 1)
        await context.call("lambda", "DeleteFunction", {"FunctionName": name, "Qualifier": version})


class Alias(ResourceType):
    type = "AWS::Lambda::Alias"
    properties = frozenset(
        ("Description", "FunctionName", "FunctionVersion", "Name", "ProvisionedConcurrencyConfig", "RoutingConfig")
    )
    required = frozenset(("FunctionName", "FunctionVersion", "Name"))
    immutable = frozenset(("FunctionName", "Name"))

    async def find(self, context: Context, name: str, properties: Properties) -> str | None:
        answer = await context.call_if_there("lambda", "GetAlias", present(properties, "FunctionName", "Name"))
        return answer["AliasArn"] if answer is not None else None

    async def create(self, context: Context, name: str, properties: Properties) -> str:
        answer = await context.call("lambda", "CreateAlias", _alias(properties))
        await self.adopt(context, answer["AliasArn"], properties)
        return answer["AliasArn"]

    async def adopt(self, context: Context, physical_id: str, properties: Properties) -> None:
        await _provision(context, _qualified(properties), {}, properties)

    async def attributes(self, context: Context, physical_id: str, properties: Properties) -> Attributes:
        return {"AliasArn": physical_id}

    async def update(self, context: Context, physical_id: str, before: Properties, after: Properties) -> None:
        await context.call("lambda", "UpdateAlias", {"Description": "", "RoutingConfig": {}, **_alias(after)})
        await _provision(context, _qualified(after), before, after)

    async def delete(self, context: Context, physical_id: str, properties: Properties) -> None:
        await context.call("lambda", "DeleteAlias", present(properties, "FunctionName", "Name"))


def _qualified(alias: Properties) -> Properties:
    return {"FunctionName": alias["FunctionName"], "Qualifier": alias["Name"]}


async def _provision(context: Context, qualified: Properties, before: Properties, after: Properties) -> None:
    """Brings provisioned concurrency about; it is not waited for."""
    if not changed(before, after, "ProvisionedConcurrencyConfig"):
        return
    if "ProvisionedConcurrencyConfig" in after:
        await context.call(
            "lambda", "PutProvisionedConcurrencyConfig", qualified | after["ProvisionedConcurrencyConfig"]
        )
    else:
        await context.call("lambda", "DeleteProvisionedConcurrencyConfig", qualified)


def _alias(properties: Properties) -> Properties:
    found = present(properties, "Description", "FunctionName", "FunctionVersion", "Name")
    if "RoutingConfig" in properties:
        weights = properties["RoutingConfig"].get("AdditionalVersionWeights", [])
        by_version = {each["FunctionVersion"]: each["FunctionWeight"] for each in weights}
        found["RoutingConfig"] = {"AdditionalVersionWeights": by_version}
    return found


TYPES = (Alias, Version)
