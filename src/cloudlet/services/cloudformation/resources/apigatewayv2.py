"""HTTP APIs: the API itself (also as an OpenAPI document), all that belongs to it, and domain names."""

import json
from typing import Any, cast

from cloudlet.core.errors import AwsError
from cloudlet.services.cloudformation.resources.resource_type import (
    Attributes,
    Context,
    Properties,
    ResourceType,
    changed,
    present,
)

_SETTINGS = (
    "ApiKeySelectionExpression",
    "CorsConfiguration",
    "Description",
    "DisableExecuteApiEndpoint",
    "DisableSchemaValidation",
    "IpAddressType",
    "Name",
    "RouteSelectionExpression",
    "Version",
)
_QUICK = ("CredentialsArn", "RouteKey", "Target")
_LARGEST_DOCUMENT = 6 * 1024 * 1024
# What routes and authorizers are once a template no longer says otherwise.
_ROUTE_DEFAULTS: Properties = {
    "AuthorizationScopes": [],
    "AuthorizationType": "NONE",
    "OperationName": "",
    "Target": "",
}
_AUTHORIZER_DEFAULTS: Properties = {
    "AuthorizerCredentialsArn": "",
    "AuthorizerResultTtlInSeconds": 0,
    "EnableSimpleResponses": False,
    "IdentitySource": [],
}


class Api(ResourceType):
    type = "AWS::ApiGatewayV2::Api"
    _document = ("BasePath", "Body", "BodyS3Location", "FailOnWarnings")
    properties = frozenset((*_SETTINGS, *_QUICK, *_document, "ProtocolType", "Tags"))
    immutable = frozenset(("ProtocolType",))
    tags = "map"

    def check(self, properties: Properties) -> None:
        super().check(properties)
        if not _has_document(properties) and not (properties.get("Name") and properties.get("ProtocolType")):
            raise AwsError("ValidationError", "Name and ProtocolType must be specified unless Body is.")

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
        if not _has_document(properties):
            members = present(properties, *_SETTINGS, *_QUICK, "ProtocolType")
            members["Tags"] = properties.get("Tags", {}) | _marks(context)
            return (await context.call("apigatewayv2", "CreateApi", members))["ApiId"]
        params = await self._import(context, properties)
        id_: str = (await context.call("apigatewayv2", "ImportApi", params))["ApiId"]
        await self._configure(context, id_, {}, properties)
        return id_

    async def attributes(self, context: Context, physical_id: str, properties: Properties) -> Attributes:
        api = await context.call("apigatewayv2", "GetApi", {"ApiId": physical_id})
        arn = f"arn:aws:execute-api:{context.region}:{context.account}:{physical_id}"
        return {"ApiEndpoint": api["ApiEndpoint"], "ApiId": physical_id, "ExecuteApiArn": arn}

    async def update(self, context: Context, physical_id: str, before: Properties, after: Properties) -> None:
        if _has_document(after) and changed(before, after, "BasePath", "Body", "BodyS3Location"):
            params = await self._import(context, after)
            await context.call("apigatewayv2", "ReimportApi", {"ApiId": physical_id, **params})
        await self._configure(context, physical_id, before, after)

    async def delete(self, context: Context, physical_id: str, properties: Properties) -> None:
        await context.call("apigatewayv2", "DeleteApi", {"ApiId": physical_id})

    async def _import(self, context: Context, properties: Properties) -> Properties:
        """What ImportApi takes of the document."""
        document = properties["Body"] if "Body" in properties else await _stored(context, properties["BodyS3Location"])
        params = {"Body": json.dumps(_marked(context, document)), **present(properties, "FailOnWarnings")}
        if "BasePath" in properties:
            params["Basepath"] = properties["BasePath"]
        return params

    async def _configure(self, context: Context, id_: str, before: Properties, after: Properties) -> None:
        wanted = present(after, *(name for name in (*_SETTINGS, *_QUICK) if changed(before, after, name)))
        if "Description" in before and "Description" not in after and not _has_document(after):
            wanted["Description"] = ""
        if wanted:
            await context.call("apigatewayv2", "UpdateApi", {"ApiId": id_, **wanted})
        if "CorsConfiguration" in before and "CorsConfiguration" not in after:
            await context.call("apigatewayv2", "DeleteCorsConfiguration", {"ApiId": id_})
        await _tag(context, f"/apis/{id_}", before, after)


class Stage(ResourceType):
    type = "AWS::ApiGatewayV2::Stage"
    _settings = ("AutoDeploy", "DefaultRouteSettings", "DeploymentId", "Description", "RouteSettings", "StageVariables")
    properties = frozenset((*_settings, "AccessLogSettings", "ApiId", "ClientCertificateId", "StageName", "Tags"))
    required = frozenset(("ApiId", "StageName"))
    immutable = required
    tags = "map"

    async def find(self, context: Context, name: str, properties: Properties) -> str | None:
        found = await context.call_if_there("apigatewayv2", "GetStage", present(properties, "ApiId", "StageName"))
        return properties["StageName"] if found is not None else None

    async def create(self, context: Context, name: str, properties: Properties) -> str:
        await context.call("apigatewayv2", "CreateStage", properties)
        return properties["StageName"]

    async def update(self, context: Context, physical_id: str, before: Properties, after: Properties) -> None:
        stage = present(after, "ApiId", "StageName")
        if "AccessLogSettings" in before and "AccessLogSettings" not in after:
            await context.call("apigatewayv2", "DeleteAccessLogSettings", stage)
        for key in sorted(before.get("RouteSettings", {}).keys() - after.get("RouteSettings", {}).keys()):
            await self._forget(context, {**stage, "RouteKey": key})
        names = (*self._settings, "AccessLogSettings", "ClientCertificateId")
        wanted = present(after, *(name for name in names if changed(before, after, name)))
        for name, nothing in (("DefaultRouteSettings", {}), ("Description", "")):
            if name in before and name not in after:
                wanted[name] = nothing
        if changed(before, after, "StageVariables"):
            wanted["StageVariables"] = _with_removals(before, after, "StageVariables", "")
        if wanted:
            await context.call("apigatewayv2", "UpdateStage", {**stage, **wanted})
        await _tag(context, f"/apis/{after['ApiId']}/stages/{physical_id}", before, after)

    async def _forget(self, context: Context, params: Properties) -> None:
        # An earlier attempt may have come so far.
        await context.call_if_there("apigatewayv2", "DeleteRouteSettings", params)

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
            "ModelSelectionExpression",
            "OperationName",
            "RequestModels",
            "RequestParameters",
            "RouteKey",
            "RouteResponseSelectionExpression",
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
        gone: Properties = {name: value for name, value in _ROUTE_DEFAULTS.items() if name in before}
        await context.call("apigatewayv2", "UpdateRoute", {"RouteId": physical_id, **gone, **after})

    async def delete(self, context: Context, physical_id: str, properties: Properties) -> None:
        await context.call("apigatewayv2", "DeleteRoute", {"ApiId": properties["ApiId"], "RouteId": physical_id})


class Integration(ResourceType):
    type = "AWS::ApiGatewayV2::Integration"
    properties = frozenset(
        (
            "ApiId",
            "ConnectionId",
            "ConnectionType",
            "ContentHandlingStrategy",
            "CredentialsArn",
            "Description",
            "IntegrationMethod",
            "IntegrationSubtype",
            "IntegrationType",
            "IntegrationUri",
            "PassthroughBehavior",
            "PayloadFormatVersion",
            "RequestParameters",
            "RequestTemplates",
            "ResponseParameters",
            "TemplateSelectionExpression",
            "TimeoutInMillis",
            "TlsConfig",
        )
    )
    required = frozenset(("ApiId", "IntegrationType"))
    immutable = frozenset(("ApiId",))

    async def create(self, context: Context, name: str, properties: Properties) -> str:
        return (await context.call("apigatewayv2", "CreateIntegration", _integration(properties)))["IntegrationId"]

    async def attributes(self, context: Context, physical_id: str, properties: Properties) -> Attributes:
        return {"IntegrationId": physical_id}

    async def update(self, context: Context, physical_id: str, before: Properties, after: Properties) -> None:
        old, new = _integration(before), _integration(after)
        members = {name: "" for name in ("CredentialsArn", "Description") if name in old} | new
        if changed(old, new, "RequestParameters"):
            members["RequestParameters"] = _with_removals(old, new, "RequestParameters", "")
        if changed(old, new, "ResponseParameters"):
            members["ResponseParameters"] = _with_removals(old, new, "ResponseParameters", {})
        await context.call("apigatewayv2", "UpdateIntegration", {"IntegrationId": physical_id, **members})

    async def delete(self, context: Context, physical_id: str, properties: Properties) -> None:
        params = {"ApiId": properties["ApiId"], "IntegrationId": physical_id}
        await context.call("apigatewayv2", "DeleteIntegration", params)


class Authorizer(ResourceType):
    type = "AWS::ApiGatewayV2::Authorizer"
    properties = frozenset(
        (
            "ApiId",
            "AuthorizerCredentialsArn",
            "AuthorizerPayloadFormatVersion",
            "AuthorizerResultTtlInSeconds",
            "AuthorizerType",
            "AuthorizerUri",
            "EnableSimpleResponses",
            "IdentitySource",
            "IdentityValidationExpression",
            "JwtConfiguration",
            "Name",
        )
    )
    required = frozenset(("ApiId", "AuthorizerType", "Name"))
    immutable = frozenset(("ApiId",))

    async def find(self, context: Context, name: str, properties: Properties) -> str | None:
        """An authorizer's name is unique in its API."""
        found = await context.call(
            "apigatewayv2", "GetAuthorizers", {"ApiId": properties["ApiId"], "MaxResults": "500"}
        )
        return next((each["AuthorizerId"] for each in found["Items"] if each["Name"] == properties["Name"]), None)

    async def create(self, context: Context, name: str, properties: Properties) -> str:
        params = {"IdentitySource": [], **properties}
        return (await context.call("apigatewayv2", "CreateAuthorizer", params))["AuthorizerId"]

    async def attributes(self, context: Context, physical_id: str, properties: Properties) -> Attributes:
        return {"AuthorizerId": physical_id}

    async def update(self, context: Context, physical_id: str, before: Properties, after: Properties) -> None:
        gone = {name: value for name, value in _AUTHORIZER_DEFAULTS.items() if name in before}
        await context.call("apigatewayv2", "UpdateAuthorizer", {"AuthorizerId": physical_id, **gone, **after})

    async def delete(self, context: Context, physical_id: str, properties: Properties) -> None:
        params = {"ApiId": properties["ApiId"], "AuthorizerId": physical_id}
        await context.call("apigatewayv2", "DeleteAuthorizer", params)


class DomainName(ResourceType):
    type = "AWS::ApiGatewayV2::DomainName"
    _settings = ("DomainNameConfigurations", "MutualTlsAuthentication", "RoutingMode")
    properties = frozenset((*_settings, "DomainName", "Tags"))
    required = frozenset(("DomainName",))
    immutable = required
    tags = "map"
    name_property = "DomainName"

    async def find(self, context: Context, name: str, properties: Properties) -> str | None:
        found = await context.call_if_there("apigatewayv2", "GetDomainName", present(properties, "DomainName"))
        return properties["DomainName"] if found is not None else None

    async def create(self, context: Context, name: str, properties: Properties) -> str:
        await context.call("apigatewayv2", "CreateDomainName", properties)
        return properties["DomainName"]

    async def attributes(self, context: Context, physical_id: str, properties: Properties) -> Attributes:
        found = await context.call("apigatewayv2", "GetDomainName", {"DomainName": physical_id})
        configuration = found["DomainNameConfigurations"][0]
        return {
            "DomainNameArn": found["DomainNameArn"],
            "RegionalDomainName": configuration["ApiGatewayDomainName"],
            "RegionalHostedZoneId": configuration["HostedZoneId"],
        }

    async def update(self, context: Context, physical_id: str, before: Properties, after: Properties) -> None:
        wanted = present(after, *(name for name in self._settings if changed(before, after, name)))
        if wanted:
            await context.call("apigatewayv2", "UpdateDomainName", {"DomainName": physical_id, **wanted})
        await _tag(context, f"/domainnames/{physical_id}", before, after)

    async def delete(self, context: Context, physical_id: str, properties: Properties) -> None:
        await context.call("apigatewayv2", "DeleteDomainName", {"DomainName": physical_id})


class ApiMapping(ResourceType):
    type = "AWS::ApiGatewayV2::ApiMapping"
    properties = frozenset(("ApiId", "ApiMappingKey", "DomainName", "Stage"))
    required = frozenset(("ApiId", "DomainName", "Stage"))
    immutable = frozenset(("DomainName",))

    async def find(self, context: Context, name: str, properties: Properties) -> str | None:
        """A key is unique in its domain."""
        params = {"DomainName": properties["DomainName"], "MaxResults": "500"}
        found = await context.call("apigatewayv2", "GetApiMappings", params)
        key = properties.get("ApiMappingKey", "")
        return next((each["ApiMappingId"] for each in found["Items"] if each.get("ApiMappingKey", "") == key), None)

    async def create(self, context: Context, name: str, properties: Properties) -> str:
        return (await context.call("apigatewayv2", "CreateApiMapping", properties))["ApiMappingId"]

    async def attributes(self, context: Context, physical_id: str, properties: Properties) -> Attributes:
        return {"ApiMappingId": physical_id}

    async def update(self, context: Context, physical_id: str, before: Properties, after: Properties) -> None:
        params = {"ApiMappingId": physical_id, "ApiMappingKey": "", **after}
        await context.call("apigatewayv2", "UpdateApiMapping", params)

    async def delete(self, context: Context, physical_id: str, properties: Properties) -> None:
        params = {"ApiMappingId": physical_id, "DomainName": properties["DomainName"]}
        await context.call("apigatewayv2", "DeleteApiMapping", params)


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


def _has_document(properties: Properties) -> bool:
    return "Body" in properties or "BodyS3Location" in properties


async def _stored(context: Context, location: Properties) -> Properties:
    """An OpenAPI document in a bucket. Raises ValidationError for what is none."""
    import yaml  # a slow import that few stacks need

    params = {"Bucket": location.get("Bucket"), "Key": location.get("Key")}
    if "Version" in location:
        params["VersionId"] = location["Version"]
    stored = await context.call("s3", "GetObject", params)
    if stored.get("ContentLength", 0) > _LARGEST_DOCUMENT:
        raise AwsError("ValidationError", f"An OpenAPI document may not exceed {_LARGEST_DOCUMENT} bytes in size.")
    body = stored["Body"]
    text = body if isinstance(body, bytes) else b"".join([chunk async for chunk in body])
    try:
        found = yaml.safe_load(text)
    except yaml.YAMLError:
        found = None
    if not isinstance(found, dict):
        raise AwsError("ValidationError", f"s3://{params['Bucket']}/{params['Key']} is no OpenAPI document.")
    return cast("Properties", found)


def _integration(properties: Properties) -> Properties:
    """Response parameters are written as lists of sources and destinations in templates."""
    declared = properties.get("ResponseParameters")
    if declared is None:
        return properties
    mapped = {
        status: {each["Destination"]: each["Source"] for each in changes.get("ResponseParameters", [])}
        for status, changes in declared.items()
    }
    return {**properties, "ResponseParameters": mapped}


def _with_removals(before: Properties, after: Properties, name: str, nothing: Any) -> Properties:
    """A map as updates take it: what is gone is named, with nothing in it."""
    old, new = before.get(name, {}), after.get(name, {})
    return {**dict.fromkeys(old.keys() - new.keys(), nothing), **new}


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


TYPES = (Api, ApiMapping, Authorizer, Deployment, DomainName, Integration, Route, Stage)
