"""HTTP APIs over the wire: made with boto3, called with a client that knows nothing of AWS."""

import io
import json
import socket
import time
import zipfile
from typing import Any

import pytest
import requests
from botocore.exceptions import ClientError

CODE = """
import json

def handler(event, context):
    path = event.get("rawPath") or event.get("path")
    if path.endswith("/fail"):
        raise ValueError("no")
    if path.endswith("/odd"):
        return {"statusCode": 200, "body": {"not": "text"}}
    if path.endswith("/picture"):
        headers = {"content-type": "image/png", "service-worker-allowed": "/"}
        return {"statusCode": 200, "headers": headers, "body": "iVBORw==", "isBase64Encoded": True}
    return {"statusCode": 200, "headers": {"content-type": "application/json"}, "body": json.dumps(event)}
"""
TRUST = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}],
}


@pytest.fixture(scope="module")
def api(server: Any) -> Any:
    return server.client("apigatewayv2")


@pytest.fixture(scope="module")
def function(server: Any) -> str:
    """A function's ARN, which any API of the account may call."""
    role = server.client("iam").create_role(RoleName="echo", AssumeRolePolicyDocument=json.dumps(TRUST))["Role"]["Arn"]
    package = io.BytesIO()
    with zipfile.ZipFile(package, "w") as archive:
        archive.writestr("echo.py", CODE)
    functions = server.client("lambda")
    arn = functions.create_function(
        FunctionName="echo",
        Runtime="python3.11",
        Handler="echo.handler",
        Role=role,
        Code={"ZipFile": package.getvalue()},
    )["FunctionArn"]
    functions.get_waiter("function_active_v2").wait(FunctionName="echo", WaiterConfig={"Delay": 0.1})
    allow(server, arn)
    return str(arn)


def allow(server: Any, function: str, source: str = "arn:aws:execute-api:us-east-1:000000000000:*") -> None:
    server.client("lambda").add_permission(
        FunctionName=function,
        StatementId=f"api-{time.time_ns()}",
        Action="lambda:InvokeFunction",
        Principal="apigateway.amazonaws.com",
        SourceArn=source,
    )


def url(server: Any, api_id: str, path: str) -> str:
    return f"{server.url}/_aws/execute-api/{api_id}{path}"


def made(api: Any, function: str, *keys: str, version: str = "2.0", stage: str = "$default") -> str:
    """An API with routes to the function and a stage that deploys by itself."""
    api_id = api.create_api(Name="shop", ProtocolType="HTTP")["ApiId"]
    integration = api.create_integration(
        ApiId=api_id, IntegrationType="AWS_PROXY", IntegrationUri=function, PayloadFormatVersion=version
    )["IntegrationId"]
    for key in keys:
        api.create_route(ApiId=api_id, RouteKey=key, Target=f"integrations/{integration}")
    api.create_stage(ApiId=api_id, StageName=stage, AutoDeploy=True)
    return str(api_id)


def test_quick_create_serves_everything(server: Any, api: Any, function: str) -> None:
    created = api.create_api(Name="quick", ProtocolType="HTTP", Target=function)

    answer = requests.post(url(server, created["ApiId"], "/a/b?x=1"), json={"n": 1}, timeout=20)

    assert answer.status_code == 200
    event = answer.json()
    assert (event["routeKey"], event["rawPath"], event["body"]) == ("$default", "/a/b", '{"n": 1}')
    assert api.get_stages(ApiId=created["ApiId"])["Items"][0]["ApiGatewayManaged"] is True


def test_the_endpoint_works_as_it_is(server: Any, api: Any, function: str) -> None:
    api_id = made(api, function, "GET /")
    endpoint = api.get_api(ApiId=api_id)["ApiEndpoint"]
    assert requests.get(f"{endpoint}/", timeout=20).status_code == 200


def test_an_api_answers_by_its_host_name(server: Any, api: Any, function: str) -> None:
    api_id = made(api, function, "GET /items/{id}")
    for host in (f"{api_id}.execute-api.us-east-1.localhost", f"{api_id}.execute-api.us-east-1.amazonaws.com"):
        event = requests.get(f"{server.url}/items/7", headers={"Host": host}, timeout=20).json()
        assert event["pathParameters"] == {"id": "7"}
        assert event["requestContext"]["domainName"] == host


def test_a_stage_of_its_own_name_and_its_variables(server: Any, api: Any, function: str) -> None:
    api_id = made(api, function, "GET /x", stage="prod")
    api.update_stage(ApiId=api_id, StageName="prod", StageVariables={"color": "blue"})

    event = requests.get(url(server, api_id, "/prod/x"), timeout=20).json()

    assert (event["rawPath"], event["requestContext"]["stage"]) == ("/prod/x", "prod")
    assert event["stageVariables"] == {"color": "blue"}
    assert requests.get(url(server, api_id, "/x"), timeout=20).status_code == 404


def test_payload_format_1_0(server: Any, api: Any, function: str) -> None:
    api_id = made(api, function, "GET /x", version="1.0")
    event = requests.get(url(server, api_id, "/x"), timeout=20).json()
    assert (event["version"], event["httpMethod"], event["resource"]) == ("1.0", "GET", "/x")


def test_answers_that_are_none(server: Any, api: Any, function: str) -> None:
    api_id = made(api, function, "GET /{proxy+}")

    for path in ("/fail", "/odd"):
        answer = requests.get(url(server, api_id, path), timeout=20)
        assert (answer.status_code, answer.json()) == (500, {"message": "Internal Server Error"})
    missing = requests.post(url(server, api_id, "/x"), timeout=20)
    assert (missing.status_code, missing.json()) == (404, {"message": "Not Found"})
    assert requests.get(url(server, "nothing123", "/x"), timeout=20).status_code == 404


def test_binary_answers(server: Any, api: Any, function: str) -> None:
    answer = requests.get(url(server, made(api, function, "GET /picture"), "/picture"), timeout=20)
    assert (answer.headers["content-type"], answer.content) == ("image/png", b"\x89PNG")


def test_an_api_may_reach_for_the_paths_of_its_own_host_alone(server: Any, api: Any, function: str) -> None:
    api_id = made(api, function, "GET /picture")
    own = {"host": f"{api_id}.execute-api.us-east-1.localhost:{server.port}"}
    assert "service-worker-allowed" in requests.get(f"{server.url}/picture", headers=own, timeout=20).headers
    shared = requests.get(url(server, api_id, "/picture"), timeout=20)
    assert shared.status_code == 200
    assert "service-worker-allowed" not in shared.headers


def test_bodies_that_are_too_large(server: Any, api: Any, function: str) -> None:
    api_id = made(api, function, "POST /x")
    answer = requests.post(url(server, api_id, "/x"), data=b"x" * (10 * 1024 * 1024 + 1), timeout=20)
    assert (answer.status_code, answer.json()) == (413, {"message": "Request Entity Too Large"})


def test_a_form_with_a_file(server: Any, api: Any, function: str) -> None:
    api_id = made(api, function, "POST /x")
    answer = requests.post(url(server, api_id, "/x"), files={"file": b"hello"}, timeout=20)
    assert answer.status_code == 200
    assert answer.json()["headers"]["content-type"].startswith("multipart/form-data")


def test_without_permission_the_function_is_not_called(server: Any, api: Any) -> None:
    role = server.client("iam").get_role(RoleName="echo")["Role"]["Arn"]
    package = io.BytesIO()
    with zipfile.ZipFile(package, "w") as archive:
        archive.writestr("echo.py", CODE)
    functions = server.client("lambda")
    closed = functions.create_function(
        FunctionName="closed",
        Runtime="python3.11",
        Handler="echo.handler",
        Role=role,
        Code={"ZipFile": package.getvalue()},
    )["FunctionArn"]
    functions.get_waiter("function_active_v2").wait(FunctionName="closed", WaiterConfig={"Delay": 0.1})
    api_id = made(api, closed, "GET /x", "GET /y")

    assert requests.get(url(server, api_id, "/x"), timeout=20).status_code == 500
    allow(server, closed, f"arn:aws:execute-api:us-east-1:000000000000:{api_id}/*/GET/x")
    assert requests.get(url(server, api_id, "/x"), timeout=20).status_code == 200
    assert requests.get(url(server, api_id, "/y"), timeout=20).status_code == 500


def test_a_stage_without_auto_deploy_serves_what_was_deployed(server: Any, api: Any, function: str) -> None:
    api_id = made(api, function, "GET /x")
    api.create_stage(ApiId=api_id, StageName="slow")
    assert requests.get(url(server, api_id, "/slow/x"), timeout=20).status_code == 404

    deployment = api.create_deployment(ApiId=api_id, StageName="slow", Description="first")
    assert deployment["DeploymentStatus"] == "DEPLOYED"
    assert requests.get(url(server, api_id, "/slow/x"), timeout=20).status_code == 200
    route = next(each for each in api.get_routes(ApiId=api_id)["Items"] if each["RouteKey"] == "GET /x")
    api.delete_route(ApiId=api_id, RouteId=route["RouteId"])

    assert requests.get(url(server, api_id, "/slow/x"), timeout=20).status_code == 200
    assert requests.get(url(server, api_id, "/x"), timeout=20).status_code == 404


def test_cors(server: Any, api: Any, function: str) -> None:
    api_id = made(api, function, "GET /x")
    api.update_api(ApiId=api_id, CorsConfiguration={"AllowOrigins": ["https://a.example"], "AllowMethods": ["GET"]})
    asked = {"Origin": "https://a.example", "Access-Control-Request-Method": "GET"}

    preflight = requests.options(url(server, api_id, "/x"), headers=asked, timeout=20)
    answer = requests.get(url(server, api_id, "/x"), headers=asked, timeout=20)

    assert preflight.status_code == 204
    assert preflight.headers["access-control-allow-methods"] == "GET"
    assert answer.headers["access-control-allow-origin"] == "https://a.example"
    api.delete_cors_configuration(ApiId=api_id)
    assert "CorsConfiguration" not in api.get_api(ApiId=api_id)


def test_http_proxy(server: Any, api: Any) -> None:
    target = f"{server.url}/_cloudlet/{{proxy}}"
    api_id = api.create_api(Name="proxy", ProtocolType="HTTP", Target=target, RouteKey="GET /up/{proxy+}")["ApiId"]

    assert requests.get(url(server, api_id, "/up/health"), timeout=20).json()["status"] == "ok"


def test_an_integration_that_nobody_answers(server: Any, api: Any) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        target = f"http://127.0.0.1:{closed.getsockname()[1]}/"
        api_id = api.create_api(Name="proxy", ProtocolType="HTTP", Target=target)["ApiId"]
        assert requests.get(url(server, api_id, "/"), timeout=20).status_code == 500


def test_import_and_reimport(server: Any, api: Any, function: str) -> None:
    integration = {"type": "aws_proxy", "payloadFormatVersion": "2.0", "uri": function}
    paths = {"/x": {"get": {"x-amazon-apigateway-integration": integration}}}
    document = {"openapi": "3.0.1", "info": {"title": "imported", "version": "1"}, "paths": paths}
    api_id = api.import_api(Body=json.dumps(document))["ApiId"]
    api.create_stage(ApiId=api_id, StageName="$default", AutoDeploy=True)
    assert requests.get(url(server, api_id, "/x"), timeout=20).status_code == 200

    document["paths"] = {"/y": paths["/x"]}
    assert api.reimport_api(ApiId=api_id, Body=json.dumps(document))["Name"] == "imported"

    assert requests.get(url(server, api_id, "/x"), timeout=20).status_code == 404
    assert requests.get(url(server, api_id, "/y"), timeout=20).status_code == 200


def test_tags(api: Any) -> None:
    created = api.create_api(Name="tagged", ProtocolType="HTTP", Tags={"a": "1"})
    arn = f"arn:aws:apigateway:us-east-1::/apis/{created['ApiId']}"

    api.tag_resource(ResourceArn=arn, Tags={"b": "2"})
    api.untag_resource(ResourceArn=arn, TagKeys=["a"])

    assert api.get_tags(ResourceArn=arn)["Tags"] == {"b": "2"}
    assert api.get_api(ApiId=created["ApiId"])["Tags"] == {"b": "2"}


def test_pages(server: Any) -> None:
    elsewhere = server.session().client("apigatewayv2", endpoint_url=server.url, region_name="eu-west-3")
    names = [f"api-{number}" for number in range(5)]
    for name in names:
        elsewhere.create_api(Name=name, ProtocolType="HTTP")

    pages = list(elsewhere.get_paginator("get_apis").paginate(PaginationConfig={"PageSize": 2}))

    assert [len(page["Items"]) for page in pages] == [2, 2, 1]
    assert sorted(each["Name"] for page in pages for each in page["Items"]) == names


@pytest.mark.parametrize(
    ("call", "code"),
    [
        (lambda api: api.get_api(ApiId="nothing"), "NotFoundException"),
        (lambda api: api.create_api(Name="ws", ProtocolType="WEBSOCKET"), "NotImplemented"),
        (
            lambda api: api.create_authorizer(ApiId="x", AuthorizerType="JWT", IdentitySource=["a"], Name="n"),
            "NotFoundException",
        ),
        (lambda api: api.import_api(Body="{"), "BadRequestException"),
        (lambda api: api.get_apis(NextToken="?"), "BadRequestException"),
    ],
)
def test_errors(api: Any, call: Any, code: str) -> None:
    with pytest.raises(ClientError) as caught:
        call(api)
    assert caught.value.response.get("Error", {}).get("Code") == code


def test_what_a_route_cannot_be(api: Any, function: str) -> None:
    api_id = made(api, function, "GET /x")
    for arguments, code in (
        ({"RouteKey": "GET /x"}, "ConflictException"),
        ({"RouteKey": "bad"}, "BadRequestException"),
        ({"RouteKey": "GET /y", "Target": "integrations/none"}, "NotFoundException"),
        ({"RouteKey": "GET /y", "AuthorizationType": "JWT"}, "BadRequestException"),
        ({"RouteKey": "GET /y", "AuthorizationType": "CUSTOM", "AuthorizerId": "none"}, "NotFoundException"),
        ({"RouteKey": "GET /y", "ApiKeyRequired": True}, "NotImplemented"),
    ):
        with pytest.raises(ClientError) as caught:
            api.create_route(ApiId=api_id, **arguments)
        assert caught.value.response.get("Error", {}).get("Code") == code


def test_an_api_survives_the_kill_of_the_server(own_server: Any) -> None:
    api = own_server.client("apigatewayv2")
    api_id = api.create_api(Name="proxy", ProtocolType="HTTP", Target=f"{own_server.url}/_cloudlet/health")["ApiId"]
    own_server.restart()
    assert requests.get(url(own_server, api_id, "/"), timeout=20).json()["status"] == "ok"
