"""What tests of HTTP APIs share: a function that says what it got, and APIs in front of it."""

import io
import json
import zipfile
from collections.abc import Callable
from typing import Any, NamedTuple

import pytest
import requests

ECHO = """
import json

def handler(event, context):
    return {"statusCode": 200, "headers": {"content-type": "application/json"}, "body": json.dumps(event)}
"""
TRUST = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Allow",
            "Principal": {"Service": ["lambda.amazonaws.com", "apigateway.amazonaws.com"]},
            "Action": "sts:AssumeRole",
        }
    ],
}
ALLOWED = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}


class HttpApi(NamedTuple):
    """An API, and where its default stage answers."""

    id: str
    url: str
    integration: str

    def get(self, path: str, **headers: str) -> requests.Response:
        return requests.get(f"{self.url}{path}", headers=headers, timeout=20)


@pytest.fixture(scope="module")
def api(server: Any) -> Any:
    return server.client("apigatewayv2")


@pytest.fixture(scope="module")
def role(server: Any) -> str:
    """A role that functions and API Gateway take, and that may do everything."""
    iam = server.client("iam")
    arn: str = iam.create_role(RoleName="of-apis", AssumeRolePolicyDocument=json.dumps(TRUST))["Role"]["Arn"]
    iam.put_role_policy(RoleName="of-apis", PolicyName="all", PolicyDocument=json.dumps(ALLOWED))
    return arn


@pytest.fixture(scope="module")
def make_handler(server: Any, role: str) -> Callable[[str, str], str]:
    """Makes a function that any API of the account may call; returns its ARN."""

    def make(name: str, source: str) -> str:
        package = io.BytesIO()
        with zipfile.ZipFile(package, "w") as archive:
            archive.writestr("app.py", source)
        functions = server.client("lambda")
        arn: str = functions.create_function(
            FunctionName=name,
            Runtime="python3.11",
            Handler="app.handler",
            Role=role,
            Code={"ZipFile": package.getvalue()},
        )["FunctionArn"]
        functions.get_waiter("function_active_v2").wait(FunctionName=name, WaiterConfig={"Delay": 1})
        functions.add_permission(
            FunctionName=name,
            StatementId="apis",
            Action="lambda:InvokeFunction",
            Principal="apigateway.amazonaws.com",
            SourceArn="arn:aws:execute-api:us-east-1:000000000000:*",
        )
        return arn

    return make


@pytest.fixture(scope="module")
def echo(make_handler: Callable[[str, str], str]) -> str:
    return make_handler("echo", ECHO)


@pytest.fixture(scope="module")
def make_api(server: Any, api: Any, echo: str) -> Callable[..., HttpApi]:
    """Makes an API whose default stage deploys by itself, with an integration to the echo or to what is given."""

    def make(*keys: str, **integration: Any) -> HttpApi:
        api_id = api.create_api(Name="shop", ProtocolType="HTTP")["ApiId"]
        settings = {"IntegrationType": "AWS_PROXY", **integration}
        if settings["IntegrationType"] == "AWS_PROXY" and "IntegrationSubtype" not in settings:
            settings = {"IntegrationUri": echo, "PayloadFormatVersion": "2.0", **settings}
        id_ = api.create_integration(ApiId=api_id, **settings)["IntegrationId"]
        for key in keys:
            api.create_route(ApiId=api_id, RouteKey=key, Target=f"integrations/{id_}")
        api.create_stage(ApiId=api_id, StageName="$default", AutoDeploy=True)
        return HttpApi(api_id, f"{server.url}/_aws/execute-api/{api_id}", id_)

    return make
