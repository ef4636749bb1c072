"""Exports: what an API says of itself makes the same API again."""

import json
from collections.abc import Callable
from typing import Any

import pytest
import yaml
from botocore.exceptions import ClientError

JWT = {"Issuer": "https://issuer.example", "Audience": ["shop"]}


@pytest.fixture(scope="module")
def shop(api: Any, make_api: Callable[..., Any]) -> Any:
    made = make_api("GET /items/{id}", "$default", "ANY /iam", ResponseParameters={"200": {"append:header.a": "1"}})
    routes = {route["RouteKey"]: route["RouteId"] for route in api.get_routes(ApiId=made.id)["Items"]}
    id_ = api.create_authorizer(
        ApiId=made.id,
        AuthorizerType="JWT",
        Name="token",
        IdentitySource=["$request.header.Authorization"],
        JwtConfiguration=JWT,
    )["AuthorizerId"]
    api.update_route(
        ApiId=made.id,
        RouteId=routes["GET /items/{id}"],
        OperationName="item",
        AuthorizationType="JWT",
        AuthorizerId=id_,
        AuthorizationScopes=["read"],
    )
    api.update_route(ApiId=made.id, RouteId=routes["ANY /iam"], AuthorizationType="AWS_IAM")
    api.update_api(ApiId=made.id, CorsConfiguration={"AllowOrigins": ["*"], "MaxAge": 5}, Version="2")
    return made


def exported(api: Any, api_id: str, **settings: Any) -> bytes:
    parameters = {"Specification": "OAS30", "OutputType": "JSON", **settings}
    return api.export_api(ApiId=api_id, **parameters)["body"].read()


def test_what_is_exported_can_be_imported(api: Any, shop: Any) -> None:
    document = exported(api, shop.id)
    again = api.import_api(Body=document.decode(), FailOnWarnings=True)["ApiId"]

    before, after = (
        {
            route["RouteKey"]: (
                route["AuthorizationType"],
                route.get("AuthorizationScopes"),
                route.get("OperationName"),
            )
            for route in api.get_routes(ApiId=id_)["Items"]
        }
        for id_ in (shop.id, again)
    )
    assert before == after
    assert api.get_authorizers(ApiId=again)["Items"][0]["JwtConfiguration"] == JWT
    assert api.get_api(ApiId=again)["CorsConfiguration"] == {"AllowOrigins": ["*"], "MaxAge": 5}
    parameters = [each.get("ResponseParameters") for each in api.get_integrations(ApiId=again)["Items"]]
    assert {"200": {"append:header.a": "1"}} in parameters


def test_forms_of_an_export(api: Any, shop: Any) -> None:
    as_json = json.loads(exported(api, shop.id))
    assert as_json["paths"]["/items/{id}"]["get"]["parameters"][0]["name"] == "id"
    assert yaml.safe_load(exported(api, shop.id, OutputType="YAML")) == as_json
    plain = exported(api, shop.id, IncludeExtensions=False).decode()
    assert "x-amazon" not in plain
    assert "/items/{id}" in plain


def test_a_stage_is_exported_as_it_was_deployed(api: Any, make_api: Callable[..., Any]) -> None:
    made = make_api("GET /old")
    api.create_stage(ApiId=made.id, StageName="slow")
    with pytest.raises(ClientError, match="BadRequestException"):
        exported(api, made.id, StageName="slow")
    api.create_deployment(ApiId=made.id, StageName="slow")
    api.create_route(ApiId=made.id, RouteKey="GET /new")

    assert list(json.loads(exported(api, made.id, StageName="slow"))["paths"]) == ["/old"]
    assert list(json.loads(exported(api, made.id))["paths"]) == ["/new", "/old"]


def test_the_quickly_made_parts_can_be_changed(api: Any, make_api: Callable[..., Any], echo: str) -> None:
    api_id = api.create_api(Name="quick", ProtocolType="HTTP", Target=echo)["ApiId"]
    api.update_api(ApiId=api_id, RouteKey="GET /x", Target="https://shop.example/")
    assert [route["RouteKey"] for route in api.get_routes(ApiId=api_id)["Items"]] == ["GET /x"]
    assert api.get_integrations(ApiId=api_id)["Items"][0]["IntegrationUri"] == "https://shop.example/"
    with pytest.raises(ClientError, match="BadRequestException"):
        api.update_api(ApiId=make_api().id, Target="https://shop.example/")
