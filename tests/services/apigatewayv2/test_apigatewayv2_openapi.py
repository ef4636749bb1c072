"""OpenAPI documents as the SAM transform writes them."""

import json
from typing import Any

import pytest

from cloudlet.core.errors import AwsError, NotImplementedByCloudlet
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


def test_authorizers_are_not_silently_left_out() -> None:
    with pytest.raises(NotImplementedByCloudlet):
        read(document(paths={"/a": {"get": {"security": [{"jwt": []}]}}}))
