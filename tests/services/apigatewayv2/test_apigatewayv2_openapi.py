"""OpenAPI documents as the SAM transform writes them."""

import json
from typing import Any

import pytest

from cloudlet.core.errors import AwsError
from cloudlet.services.apigatewayv2.openapi import read

FUNCTION = "arn:aws:lambda:us-east-1:000000000000:function:f"
URI = f"arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/{FUNCTION}/invocations"
INTEGRATION = {"type": "aws_proxy", "httpMethod": "POST", "payloadFormatVersion": "2.0", "uri": URI}


def document(**members: Any) -> str:
    return json.dumps({"openapi": "3.0.1", "info": {"title": "shop", "version": "1.0"}, **members})


def test_what_a_document_says_of_an_api() -> None:
    imported = read(
        document(
            paths={
                "/items/{id}": {"get": {"operationId": "item", "x-amazon-apigateway-integration": INTEGRATION}},
                "$default": {"x-amazon-apigateway-any-method": {"x-amazon-apigateway-integration": INTEGRATION}},
                "/{proxy+}": {"x-amazon-apigateway-any-method": {}, "parameters": []},
            },
            tags=[{"name": "createdBy", "x-amazon-apigateway-tag-value": "SAM"}, {"name": "plain"}],
            **{"x-amazon-apigateway-cors": {"allowOrigins": ["*"], "maxAge": 5}},
        )
    )

    assert imported.settings == {
        "Name": "shop",
        "Version": "1.0",
        "CorsConfiguration": {"AllowOrigins": ["*"], "MaxAge": 5},
    }
    assert [route.key for route in imported.routes] == ["GET /items/{id}", "$default", "ANY /{proxy+}"]
    assert imported.routes[0].operation_name == "item"
    assert imported.routes[0].integration == {
        "IntegrationType": "AWS_PROXY",
        "IntegrationMethod": "POST",
        "IntegrationUri": URI,
        "PayloadFormatVersion": "2.0",
    }
    assert imported.tags == {"createdBy": "SAM"}
    assert imported.warnings == ["No integration is defined for ANY /{proxy+}"]


def test_integrations_may_be_shared() -> None:
    reference = {"$ref": "#/components/x-amazon-apigateway-integrations/one"}
    imported = read(
        document(
            paths={"/a": {"get": {"x-amazon-apigateway-integration": reference}}},
            components={"x-amazon-apigateway-integrations": {"one": INTEGRATION}},
        )
    )
    assert imported.routes[0].integration is not None
    assert imported.routes[0].integration["IntegrationUri"] == URI


@pytest.mark.parametrize("text", ["{", "[]", '{"swagger": "2.0"}', '{"openapi": "3.0.1"}'])
def test_what_is_no_openapi_3_document(text: str) -> None:
    with pytest.raises(AwsError) as caught:
        read(text)
    assert caught.value.code == "BadRequestException"


SCHEMES = {
    "Jwt": {
        "type": "oauth2",
        "x-amazon-apigateway-authorizer": {
            "type": "jwt",
            "identitySource": "$request.header.Authorization",
            "jwtConfiguration": {"issuer": "https://issuer.example", "audience": ["shop"]},
        },
    },
    "Ask": {
        "type": "apiKey",
        "name": "Unused",
        "in": "header",
        "x-amazon-apigateway-authorizer": {
            "type": "request",
            "identitySource": "$request.header.A, $request.querystring.b",
            "authorizerUri": URI,
            "authorizerPayloadFormatVersion": 2.0,
            "enableSimpleResponses": True,
        },
    },
    "AWS_IAM": {"type": "apiKey", "name": "Authorization", "in": "header", "x-amazon-apigateway-authtype": "awsSigv4"},
    "Plain": {"type": "http", "scheme": "bearer"},
}


def secured(*security: Any, **members: Any) -> Any:
    """A document with a route of each security."""
    operations = {f"/{number}": {"get": {"security": each}} for number, each in enumerate(security)}
    return read(document(paths=operations, components={"securitySchemes": SCHEMES}, **members))


def test_authorizers_and_who_asks_them() -> None:
    imported = secured([{"Jwt": ["read"]}], [{"Ask": []}], [{"AWS_IAM": []}], [{"NONE": []}], [])

    assert [(each.authorization, each.authorizer, each.scopes) for each in imported.routes] == [
        ("JWT", "Jwt", ("read",)),
        ("CUSTOM", "Ask", ()),
        ("AWS_IAM", None, ()),
        ("NONE", None, ()),
        ("NONE", None, ()),
    ]
    jwt, ask = imported.authorizers
    assert jwt["JwtConfiguration"] == {"Issuer": "https://issuer.example", "Audience": ["shop"]}
    assert ask["IdentitySource"] == ["$request.header.A", "$request.querystring.b"]
    assert ask["AuthorizerPayloadFormatVersion"] == "2.0"


def test_security_of_the_whole_document_counts_where_an_operation_says_nothing() -> None:
    operations = {"/a": {"get": {}}, "/b": {"get": {"security": []}}}
    text = document(paths=operations, components={"securitySchemes": SCHEMES}, security=[{"AWS_IAM": []}])
    assert [each.authorization for each in read(text).routes] == ["AWS_IAM", "NONE"]


def test_a_scheme_without_an_authorizer_is_a_warning() -> None:
    imported = secured([{"Plain": []}])
    assert imported.routes[0].authorization == "NONE"
    assert any("Plain" in warning for warning in imported.warnings)


def test_no_route_is_open_because_its_scheme_is_missing() -> None:
    with pytest.raises(AwsError, match="not defined"):
        secured([{"Nobody": []}])


@pytest.mark.parametrize(
    ("base_path", "key"), [("ignore", "GET /a"), ("prepend", "GET /v1/shop/a"), ("split", "GET /shop/a")]
)
def test_base_paths(base_path: str, key: str) -> None:
    servers = [{"url": "https://shop.example/{basePath}", "variables": {"basePath": {"default": "v1/shop"}}}]
    assert read(document(paths={"/a": {"get": {}}}, servers=servers), base_path).routes[0].key == key
