"""Parameter mapping, as functions and clients see it."""

import json
from collections.abc import Callable
from typing import Any

import pytest
import requests
from botocore.exceptions import ClientError

from cloudlet.services.apigatewayv2 import expressions
from cloudlet.services.apigatewayv2.expressions import Variable


def test_requests_are_changed(api: Any, make_api: Callable[..., Any]) -> None:
    made = make_api(
        "POST /pets/{id}",
        RequestParameters={
            "append:header.x-list": "$request.querystring.a",
            "overwrite:header.x-user": "${request.header.x-first} ${context.httpMethod}-${stageVariables.color}",
            "remove:header.x-secret": "''",
            "append:querystring.name": "$request.body.pets[0].name",
            "overwrite:querystring.a": "fixed",
            "remove:querystring.gone": "''",
            "overwrite:header.x-missing": "$request.header.nothing",
            "overwrite:path": "/animals/${request.path.id}",
        },
    )
    api.update_stage(ApiId=made.id, StageName="$default", StageVariables={"color": "blue"})

    answer = requests.post(
        f"{made.url}/pets/7?a=1&gone=2",
        json={"pets": [{"name": "Rex"}]},
        headers={"x-list": "0", "x-user": "old", "x-first": "ada", "x-secret": "s", "x-missing": "stays"},
        timeout=20,
    )

    event = answer.json()
    headers = event["headers"]
    assert (headers["x-list"], headers["x-user"]) == ("0,1", "ada POST-blue")
    assert "x-secret" not in headers
    assert headers["x-missing"] == "stays"
    assert event["queryStringParameters"] == {"a": "fixed", "name": "Rex"}
    assert event["rawPath"] == "/animals/7"
    assert event["body"] == '{"pets": [{"name": "Rex"}]}'


def test_answers_are_changed_by_their_status(
    make_handler: Callable[[str, str], str], make_api: Callable[..., Any]
) -> None:
    source = """
import json

def handler(event, context):
    return {"statusCode": 404, "headers": {"x-gone": "1", "x-kept": "2"}, "body": json.dumps({"why": "a\\nb"})}
"""
    made = make_api(
        "GET /",
        IntegrationUri=make_handler("lost", source),
        ResponseParameters={
            "404": {
                "overwrite:statuscode": "410",
                "append:header.x-why": "$response.body.why",
                "overwrite:header.x-both": "${response.header.x-kept}/${context.stage}",
                "remove:header.x-gone": "''",
            },
            "200": {"overwrite:statuscode": "500"},
        },
    )
    answer = made.get("/")
    assert answer.status_code == 410
    assert (answer.headers["x-why"], answer.headers["x-both"]) == ("a b", "2/$default")
    assert "x-gone" not in answer.headers


def test_updates_change_single_parameters(api: Any, make_api: Callable[..., Any]) -> None:
    made = make_api(RequestParameters={"append:header.a": "1", "append:header.b": "2"})
    found = api.update_integration(
        ApiId=made.id,
        IntegrationId=made.integration,
        RequestParameters={"append:header.a": "", "append:header.c": "3"},
        ResponseParameters={"200": {"overwrite:statuscode": "201"}},
    )
    assert found["RequestParameters"] == {"append:header.b": "2", "append:header.c": "3"}
    found = api.update_integration(ApiId=made.id, IntegrationId=made.integration, ResponseParameters={"200": {}})
    assert "ResponseParameters" not in found


@pytest.mark.parametrize(
    "parameters",
    [
        {"overwrite:header.authorization": "x"},
        {"append:header.X-Amz-Date": "x"},
        {"overwrite:statuscode": "200"},
        {"append:path": "/x"},
        {"header.a": "x"},
        {"append:header.a": "$request.nothing.x"},
        {"append:header.a": "$response.header.x"},
        {"append:header.a": "${request.header}"},
        {"append:header.a b": "x"},
    ],
)
def test_parameters_that_cannot_be(make_api: Callable[..., Any], parameters: dict[str, str]) -> None:
    with pytest.raises(ClientError, match="BadRequestException"):
        make_api(RequestParameters=parameters)


def test_expressions() -> None:
    places = expressions.REQUEST | expressions.SURROUNDINGS
    assert expressions.parse("plain $5", places).parts == ("plain $5",)
    assert expressions.parse("$request.header.X-A", places).parts == (Variable("request.header", "x-a"),)
    assert expressions.parse("$request.body", places).parts == (Variable("request.body", ""),)
    assert expressions.parse("$request.body[0].a", places).parts == (Variable("request.body", "[0].a"),)
    assert expressions.parse("a ${context.x} b ${stageVariables.y}", places).parts == (
        "a ",
        Variable("context", "x"),
        " b ",
        Variable("stageVariables", "y"),
    )


def test_headers_are_not_split(make_api: Callable[..., Any]) -> None:
    made = make_api("POST /", RequestParameters={"overwrite:header.x-a": "$request.body.a"})
    answer = requests.post(f"{made.url}/", data=json.dumps({"a": "1\r\nx-b: 2"}), timeout=20)
    assert answer.json()["headers"]["x-a"] == "1  x-b: 2"
    assert "x-b" not in answer.json()["headers"]
