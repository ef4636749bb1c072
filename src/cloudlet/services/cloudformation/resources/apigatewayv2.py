"""HTTP APIs: the API itself (also as an OpenAPI document), stages, routes, integrations, deployments."""

import json

from cloudlet.core.errors import AwsError, NotImplementedByCloudlet
from cloudlet.services.cloudformation.resources.resource_type import (
    Attributes,
    Context,
    Properties,
    ResourceType,
    changed,
    is_missing,
    present,
)

_SETTINGS = (
    "ApiKeySelectionExpression",
    "CorsConfiguration",
    "Description",
    "DisableExecuteApiEndpoint",
    "Name",
    "RouteSelectionExpression",
    "Version",
)
_QUICK = ("CredentialsArn", "RouteKey", "Target")


class Api(ResourceType):
    type = "AWS::ApiGatewayV2::Api"
    properties = frozenset((*_SETTINGS, *_QUICK, "BasePath", "Body", "FailOnWarnings", "ProtocolType", "Tags"))
    immutable = frozenset(("ProtocolType",))
    tags = "map"

    def check(self, properties: Properties) -> None:
        super().check(properties)
        if "Body" not in properties and not (properties.get("Name") and properties.get("ProtocolType")):
            raise AwsError("ValidationError", "Name and ProtocolType must be specified unless Body is.")
        if properties.get("BasePath", "ignore") != "ignore":
            raise NotImplementedByCloudlet(f"BasePath {properties['BasePath']} of {self.type}")

    async def find(self, context: Context, name: str, properties: Properties) -> str | None:
        """An API's id is chosen by the service, so what was made before a crash is told by its tags."""
        token: Properties = {}
        while True:
            page = await context.call("apigatewayv2", "GetApis", token)
            for api in page["Items"]:
                if _marks(context).items() <= api.get("Tags", {}).items():
                    return api["ApiId"]
            if not page.get("NextToken"):
                return None
            token = {"NextToken": page["NextToken"]}

    async def adopt(self, context: Context, physical_id: str, properties: Properties) -> None:
        await self._configure(context, physical_id, {}, properties)

    async def create(self, context: Context, name: str, properties: Properties) -> str:
        if "Body" not in properties:
            members = present(properties, *_SETTINGS, *_QUICK, "ProtocolType")
            members["Tags"] = properties.get("Tags", {}) | _marks(context)
            return (await context.call("apigatewayv2", "CreateApi", members))["ApiId"]
        params = {"Body": json.dumps(_marked(context, properties["Body"])), **present(properties, "FailOnWarnings")}
        id_: str = (await context.call("apigatewayv2", "ImportApi", params))["ApiId"]
        await self._configure(context, id_, {}, properties)
        return id_

    async def attributes(self, context: Context, physical_id: str, properties: Properties) -> Attributes:
        api = await context.call("apigatewayv2", "GetApi", {"ApiId": physical_id})
        arn = f"arn:aws:execute-api:{context.region}:{context.account}:{physical_id}"
        return {"ApiEndpoint": api["ApiEndpoint"], "ApiId": physical_id, "ExecuteApiArn": arn}

    async def update(self, context: Context, physical_id: str, before: Properties, after: Properties) -> None:
        if "Body" in after and changed(before, after, "Body"):
            params = {"Body": json.dumps(_marked(context, after["Body"])), **present(after, "FailOnWarnings")}
            await context.call("apigatewayv2", "ReimportApi", {"ApiId": physical_id, **params})
        await self._configure(context, physical_id, before, after)

    async def delete(self, context: Context, physical_id: str, properties: Properties) -> None:
        await context.call("apigatewayv2", "DeleteApi", {"ApiId": physical_id})

    async def _configure(self, context: Context, id_: str, before: Properties, after: Properties) -> None:
        wanted = present(after, *(name for name in (*_SETTINGS, *_QUICK) if changed(before, after, name)))
        if "Description" in before and "Description" not in after and "Body" not in after:
            wanted["Description"] = ""
        if wanted:
            await context.call("apigatewayv2", "UpdateApi", {"ApiId": id_, **wanted})
        if "CorsConfiguration" in before and "CorsConfiguration" not in after:
            await context.call("apigatewayv2", "DeleteCorsConfiguration", {"ApiId": id_})
        await _tag(context, f"/apis/{id_}", before, after)


class Stage(ResourceType):
    type = "AWS::ApiGatewayV2::Stage"
    _settings = ("AutoDeploy", "DefaultRouteSettings", "DeploymentId", "Description", "RouteSettings", "StageVariables")
    properties = frozenset((*_settings, "AccessLogSettings", "ApiId", "StageName", "Tags"))
    required = frozenset(("ApiId", "StageName"))
    immutable = required
    tags = "map"

    async def find(self, context: Context, name: str, properties: Properties) -> str | None:
        try:
            await context.call("apigatewayv2", "GetStage", present(properties, "ApiId", "StageName"))
        except AwsError as error:
            if is_missing(error):
                return None
            raise
        return properties["StageName"]

    async def create(self, context: Context, name: str, properties: Properties) -> str:
        await context.call("apigatewayv2", "CreateStage", properties)
        return properties["StageName"]

    async def update(self, context: Context, physical_id: str, before: Properties, after: Properties) -> None:
        names = (*self._settings, "AccessLogSettings")
        wanted = present(after, *(name for name in names if changed(before, after, name)))
        if wanted:
            params = {**present(after, "ApiId", "StageName"), **wanted}
            await context.call("apigatewayv2", "UpdateStage", params)
        await _tag(context, f"/apis/{after['ApiId']}/stages/{physical_id}", before, after)

    async def delete(self, context: Context, physical_id: str, properties: Properties) -> None:
        await context.call("apigatewayv2", "DeleteStage", present(properties, "ApiId", "StageName"))


class Route(ResourceType):
    type = "AWS::ApiGatewayV2::Route"
    properties = frozenset(
        (
            "ApiId",
            "ApiKeyRequired",
            "AuthorizationScopes",
            "AuthorizationType",
            "AuthorizerId",
            "OperationName",
            "RouteKey",
            "Target",
        )
    )
    required = frozenset(("ApiId", "RouteKey"))
    immutable = frozenset(("ApiId",))

    async def find(self, context: Context, name: str, properties: Properties) -> str | None:
        """A route key is unique in its API."""
        answer = await context.call("apigatewayv2", "GetRoutes", {"ApiId": properties["ApiId"], "MaxResults": "500"})
        found = (each["RouteId"] for each in answer["Items"] if each["RouteKey"] == properties["RouteKey"])
        return next(found, None)

    async def create(self, context: Context, name: str, properties: Properties) -> str:
        return (await context.call("apigatewayv2", "CreateRoute", properties))["RouteId"]

    async def attributes(self, context: Context, physical_id: str, properties: Properties) -> Attributes:
        return {"RouteId": physical_id}

    async def update(self, context: Context, physical_id: str, before: Properties, after: Properties) -> None:
        await context.call("apigatewayv2", "UpdateRoute", {"RouteId": physical_id, **after})

    async def delete(self, context: Context, physical_id: str, properties: Properties) -> None:
        await context.call("apigatewayv2", "DeleteRoute", {"ApiId": properties["ApiId"], "RouteId": physical_id})


class Integration(ResourceType):
    type = "AWS::ApiGatewayV2::Integration"
    properties = frozenset(
        (
            "ApiId",
            "ConnectionType",
            "CredentialsArn",
            "Description",
            "IntegrationMethod",
            "IntegrationType",
            "IntegrationUri",
            "PayloadFormatVersion",
            "RequestParameters",
            "TimeoutInMillis",
        )
    )
    required = frozenset(("ApiId", "IntegrationType"))
    immutable = frozenset(("ApiId",))

    async def create(self, context: Context, name: str, properties: Properties) -> str:
        return (await context.call("apigatewayv2", "CreateIntegration", properties))["IntegrationId"]

    async def attributes(self, context: Context, physical_id: str, properties: Properties) -> Attributes:
        return {"IntegrationId": physical_id}

    async def update(self, context: Context, physical_id: str, before: Properties, after: Properties) -> None:
        await context.call("apigatewayv2", "UpdateIntegration", {"IntegrationId": physical_id, **after})

    async def delete(self, context: Context, physical_id: str, properties: Properties) -> None:
        params = {"ApiId": properties["ApiId"], "IntegrationId": physical_id}
        await context.call("apigatewayv2", "DeleteIntegration", params)


class Deployment(ResourceType):
    type = "AWS::ApiGatewayV2::Deployment"
    properties = frozenset(("ApiId", "Description", "StageName"))
    required = frozenset(("ApiId",))
    immutable = frozenset(("ApiId", "StageName"))

    async def create(self, context: Context, name: str, properties: Properties) -> str:
        return (await context.call("apigatewayv2", "CreateDeployment", properties))["DeploymentId"]

    async def attributes(self, context: Context, physical_id: str, properties: Properties) -> Attributes:
        return {"DeploymentId": physical_id}

    async def update(self, context: Context, physical_id: str, before: Properties, after: Properties) -> None:
        params = {"ApiId": after["ApiId"], "DeploymentId": physical_id, "Description": after.get("Description", "")}
        await context.call("apigatewayv2", "UpdateDeployment", params)

    async def delete(self, context: Context, physical_id: str, properties: Properties) -> None:
        params = {"ApiId": properties["ApiId"], "DeploymentId": physical_id}
        await context.call("apigatewayv2", "DeleteDeployment", params)


def _marks(context: Context) -> dict[str, str]:
    """The tags by which CloudFormation marks what it makes."""
    return {
        "aws:cloudformation:logical-id": context.logical_id,
        "aws:cloudformation:stack-id": context.stack_id,
        "aws:cloudformation:stack-name": context.stack_name,
    }


def _marked(context: Context, body: Properties) -> Properties:
    """An OpenAPI document with these tags added to its own."""
    marks = [{"name": key, "x-amazon-apigateway-tag-value": value} for key, value in _marks(context).items()]
    return {**body, "tags": [*body.get("tags", []), *marks]}


async def _tag(context: Context, path: str, before: Properties, after: Properties) -> None:
    arn = f"arn:aws:apigateway:{context.region}::{path}"
    old, new = before.get("Tags", {}), after.get("Tags", {})
    if gone := sorted(old.keys() - new.keys()):
        await context.call("apigatewayv2", "UntagResource", {"ResourceArn": arn, "TagKeys": gone})
    if new and new != old:
        await context.call("apigatewayv2", "TagResource", {"ResourceArn": arn, "Tags": new})


TYPES = (Api, Deployment, Integration, Route, Stage)
