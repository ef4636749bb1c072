"""What users need beside the right to change APIs."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError


@pytest.fixture(scope="module")
def make_user(server: Any) -> Callable[..., Any]:
    """Makes a user that is allowed some statements; returns an API client of theirs."""

    def make(name: str, *statements: dict[str, Any]) -> Any:
        iam = server.client("iam")
        iam.create_user(UserName=name)
        document = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", **each} for each in statements]}
        iam.put_user_policy(UserName=name, PolicyName="all", PolicyDocument=json.dumps(document))
        key = iam.create_access_key(UserName=name)["AccessKey"]
        session = server.session(key["AccessKeyId"], key["SecretAccessKey"])
        return server.client("apigatewayv2", session=session)

    return make


def refused(call: Callable[[], Any]) -> bool:
    with pytest.raises(ClientError) as caught:
        call()
    return caught.value.response.get("Error", {}).get("Code") == "AccessDeniedException"


APIS = {"Action": "apigateway:*", "Resource": "*"}


def test_roles_are_passed(make_user: Callable[..., Any], make_api: Callable[..., Any], role: str) -> None:
    made = make_api()
    poor = make_user("poor", APIS)
    passing = {"StringEquals": {"iam:PassedToService": "apigateway.amazonaws.com"}}
    rich = make_user("rich", APIS, {"Action": "iam:PassRole", "Resource": role, "Condition": passing})
    integration: dict[str, Any] = {
        "ApiId": made.id,
        "IntegrationType": "AWS_PROXY",
        "IntegrationSubtype": "SQS-PurgeQueue",
        "PayloadFormatVersion": "1.0",
        "RequestParameters": {"QueueUrl": "q"},
        "CredentialsArn": role,
    }
    document = {
        "openapi": "3.0.1",
        "info": {"title": "t"},
        "paths": {
            "/": {
                "get": {
                    "x-amazon-apigateway-integration": {
                        "type": "aws_proxy",
                        "integrationSubtype": "SQS-PurgeQueue",
                        "payloadFormatVersion": "1.0",
                        "requestParameters": {"QueueUrl": "q"},
                        "credentials": role,
                    }
                }
            }
        },
    }
    assert refused(lambda: poor.create_integration(**integration))
    assert refused(lambda: poor.import_api(Body=json.dumps(document)))
    rich.create_integration(**integration)
    rich.import_api(Body=json.dumps(document))


def test_access_logs_need_the_right_to_deliver_them(
    server: Any, make_user: Callable[..., Any], make_api: Callable[..., Any]
) -> None:
    made = make_api()
    server.client("logs").create_log_group(logGroupName="rights")
    group = "arn:aws:logs:us-east-1:000000000000:log-group:rights"
    stage: dict[str, Any] = {
        "ApiId": made.id,
        "StageName": "$default",
        "AccessLogSettings": {"DestinationArn": group, "Format": "$context.requestId"},
    }
    without, with_it = make_user("without", APIS), make_user("with", APIS, {"Action": "logs:*", "Resource": "*"})
    assert refused(lambda: without.update_stage(**stage))
    assert with_it.update_stage(**stage)["AccessLogSettings"]["DestinationArn"] == group


def test_rights_are_on_the_parts_of_an_api(make_user: Callable[..., Any], make_api: Callable[..., Any]) -> None:
    made = make_api("GET /")
    arn = f"arn:aws:apigateway:us-east-1::/apis/{made.id}/routes"
    routes = make_user("routes", {"Action": "apigateway:GET", "Resource": [arn, f"{arn}/*"]})
    (route,) = routes.get_routes(ApiId=made.id)["Items"]
    assert routes.get_route(ApiId=made.id, RouteId=route["RouteId"])["RouteKey"] == "GET /"
    assert refused(lambda: routes.get_stages(ApiId=made.id))
    assert refused(lambda: routes.delete_route(ApiId=made.id, RouteId=route["RouteId"]))
