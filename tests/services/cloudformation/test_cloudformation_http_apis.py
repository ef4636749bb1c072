"""HTTP APIs in templates: authorizers, settings of stages, domain names; as resources and as SAM writes them."""

import json
import time
from collections.abc import Callable
from typing import Any

import pytest
import requests
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest

ECHO = """
import json

def handler(event, context):
    return {"statusCode": 200, "body": json.dumps(event)}
"""
SAM = """
Transform: AWS::Serverless-2016-10-31
Resources:
  Logs: {Type: AWS::Logs::LogGroup, Properties: {LogGroupName: /apis/sam}}
  InvokeRole:
    Type: AWS::IAM::Role
    Properties:
      AssumeRolePolicyDocument:
        Version: "2012-10-17"
        Statement: [{Effect: Allow, Principal: {Service: apigateway.amazonaws.com}, Action: "sts:AssumeRole"}]
      Policies:
        - PolicyName: invoke
          PolicyDocument:
            Version: "2012-10-17"
            Statement: [{Effect: Allow, Action: "lambda:InvokeFunction", Resource: !GetAtt Ask.Arn}]
  Api:
    Type: AWS::Serverless::HttpApi
    Properties:
      StageName: prod
      StageVariables: {color: blue}
      AccessLogSettings: {DestinationArn: !GetAtt Logs.Arn, Format: "$context.requestId $context.status"}
      DefaultRouteSettings: {ThrottlingRateLimit: 200, ThrottlingBurstLimit: 100, DetailedMetricsEnabled: true}
      RouteSettings: {"GET /slow": {ThrottlingRateLimit: 0.001, ThrottlingBurstLimit: 1}}
      CorsConfiguration: {AllowOrigins: ["https://shop.example"], AllowMethods: [GET], AllowHeaders: [authorization]}
      Auth:
        DefaultAuthorizer: Ask
        EnableIamAuthorizer: true
        Authorizers:
          Ask:
            FunctionArn: !GetAtt Ask.Arn
            FunctionInvokeRole: !GetAtt InvokeRole.Arn
            AuthorizerPayloadFormatVersion: "2.0"
            EnableSimpleResponses: true
            Identity: {Headers: [Authorization], ReauthorizeEvery: 30}
          Token:
            AuthorizationScopes: [read]
            IdentitySource: $request.header.Authorization
            JwtConfiguration: {issuer: "http://127.0.0.1:1/pool", audience: [shop]}
  Ask:
    Type: AWS::Serverless::Function
    Properties:
      Runtime: python3.11
      Handler: index.handler
      InlineCode: |
        def handler(event, context):
            return {"isAuthorized": event["headers"]["authorization"] == "yes", "context": {"who": "ada"}}
  Echo:
    Type: AWS::Serverless::Function
    Properties:
      Runtime: python3.11
      Handler: index.handler
      InlineCode: |
        import json
        def handler(event, context):
            return {"statusCode": 200, "body": json.dumps(event)}
      Events:
        Me: {Type: HttpApi, Properties: {ApiId: !Ref Api, Path: /me, Method: GET}}
        Slow: {Type: HttpApi, Properties: {ApiId: !Ref Api, Path: /slow, Method: GET, Auth: {Authorizer: NONE}}}
        Token: {Type: HttpApi, Properties: {ApiId: !Ref Api, Path: /token, Method: GET, Auth: {Authorizer: Token}}}
        Iam: {Type: HttpApi, Properties: {ApiId: !Ref Api, Path: /iam, Method: GET, Auth: {Authorizer: AWS_IAM}}}
Outputs:
  Url: {Value: !Sub "${Api}"}
"""


class Stack:
    """A stack, and what became of its resources."""

    def __init__(self, server: Any, name: str) -> None:
        self.name = name
        self.client = server.client("cloudformation")

    def put(self, template: str, operation: str = "create") -> None:
        """Creates or updates it; says what went wrong if it does not end well."""
        change = self.client.create_stack if operation == "create" else self.client.update_stack
        change(
            StackName=self.name,
            TemplateBody=template,
            Capabilities=["CAPABILITY_NAMED_IAM", "CAPABILITY_AUTO_EXPAND"],
        )
        self._wait(f"stack_{operation}_complete", self.name)

    def delete(self) -> None:
        id_ = self.client.describe_stacks(StackName=self.name)["Stacks"][0]["StackId"]
        self.client.delete_stack(StackName=id_)
        self._wait("stack_delete_complete", id_)

    def _wait(self, waiter: str, name: str) -> None:
        try:
            self.client.get_waiter(waiter).wait(StackName=name, WaiterConfig={"Delay": 0.1, "MaxAttempts": 600})
        except Exception:
            for event in self.client.describe_stack_events(StackName=name)["StackEvents"]:
                print(event["LogicalResourceId"], event["ResourceStatus"], event.get("ResourceStatusReason"))  # noqa: T201
            raise

    def id_of(self, logical_id: str) -> str:
        found = self.client.describe_stack_resource(StackName=self.name, LogicalResourceId=logical_id)
        return str(found["StackResourceDetail"]["PhysicalResourceId"])


def resource(kind: str, **properties: Any) -> dict[str, Any]:
    return {"Type": f"AWS::{kind}", "Properties": properties}


def template(resources: dict[str, Any]) -> str:
    return json.dumps({"Resources": resources})


def signed(session: Any, url: str) -> dict[str, str]:
    request = AWSRequest(method="GET", url=url)
    SigV4Auth(session.get_credentials(), "execute-api", "us-east-1").add_auth(request)
    return dict(request.headers)


def test_an_api_of_sam_with_all_that_it_can_have(server: Any) -> None:
    stack = Stack(server, "sam-http-api")
    stack.put(SAM)
    url = f"{server.url}/_aws/execute-api/{stack.id_of('Api')}/prod"

    def get(path: str, headers: dict[str, str]) -> requests.Response:
        return requests.get(f"{url}{path}", headers=headers, timeout=20)

    event = get("/me", {"authorization": "yes"}).json()
    assert event["requestContext"]["authorizer"] == {"lambda": {"who": "ada"}}
    assert event["stageVariables"] == {"color": "blue"}
    assert get("/me", {"authorization": "no"}).status_code == 403
    assert get("/me", {}).status_code == 401
    assert [get("/slow", {}).status_code for _ in range(2)] == [200, 429]
    assert "www-authenticate" in get("/token", {"authorization": "Bearer x.y.z"}).headers
    assert get("/iam", {}).status_code == 403
    assert get("/iam", signed(server.session(), f"{url}/iam")).status_code == 200
    asked = {"origin": "https://shop.example", "access-control-request-method": "GET"}
    assert requests.options(f"{url}/me", headers=asked, timeout=20).status_code == 204

    assert len(lines(server, "/apis/sam", 9)) == 9
    stack.delete()
    assert get("/me", {"authorization": "yes"}).status_code == 404


def lines(server: Any, group: str, count: int) -> list[str]:
    """The messages in a log group, once there are so many."""
    logs = server.client("logs")
    deadline = time.monotonic() + 30
    while True:
        found = [event["message"] for event in logs.filter_log_events(logGroupName=group)["events"]]
        if len(found) >= count or time.monotonic() > deadline:
            return found
        time.sleep(0.05)


def parts(function: str, **changes: Any) -> dict[str, Any]:
    """An API of single resources; `changes` are members of their properties, by logical id."""
    uri = f"arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/{function}/invocations"
    found = {
        "Group": resource("Logs::LogGroup", LogGroupName="/apis/parts"),
        "Api": resource("ApiGatewayV2::Api", Name="shop", ProtocolType="HTTP"),
        "Ask": resource(
            "ApiGatewayV2::Authorizer",
            ApiId={"Ref": "Api"},
            Name="ask",
            AuthorizerType="REQUEST",
            AuthorizerUri=uri,
            AuthorizerPayloadFormatVersion="2.0",
            EnableSimpleResponses="true",
            IdentitySource=["$request.header.Authorization"],
        ),
        "Integration": resource(
            "ApiGatewayV2::Integration",
            ApiId={"Ref": "Api"},
            IntegrationType="AWS_PROXY",
            IntegrationUri=function,
            PayloadFormatVersion="2.0",
            RequestParameters={"append:header.x-a": "1", "append:header.x-b": "2"},
            ResponseParameters={"200": {"ResponseParameters": [{"Destination": "append:header.x-c", "Source": "3"}]}},
        ),
        "Route": resource(
            "ApiGatewayV2::Route",
            ApiId={"Ref": "Api"},
            RouteKey="GET /x",
            Target={"Fn::Sub": "integrations/${Integration}"},
            AuthorizationType="CUSTOM",
            AuthorizerId={"Ref": "Ask"},
        ),
        "Stage": {
            **resource(
                "ApiGatewayV2::Stage",
                ApiId={"Ref": "Api"},
                StageName="prod",
                AutoDeploy=True,
                StageVariables={"a": "1", "b": "2"},
                RouteSettings={"GET /x": {"ThrottlingRateLimit": 1000}},
                AccessLogSettings={"DestinationArn": {"Fn::GetAtt": ["Group", "Arn"]}, "Format": "$context.requestId"},
            ),
            "DependsOn": "Route",
        },
        "Domain": resource(
            "ApiGatewayV2::DomainName",
            DomainName="parts.example",
            DomainNameConfigurations=[{"CertificateArn": "arn:aws:acm:us-east-1:000000000000:certificate/1"}],
            Tags={"a": "b"},
        ),
        "Mapping": resource(
            "ApiGatewayV2::ApiMapping",
            ApiId={"Ref": "Api"},
            DomainName={"Ref": "Domain"},
            Stage={"Ref": "Stage"},
            ApiMappingKey="v1",
        ),
    }
    for logical_id, members in changes.items():
        properties = found[logical_id]["Properties"] | members
        found[logical_id]["Properties"] = {name: value for name, value in properties.items() if value is not None}
    return found


def test_an_api_of_single_resources(server: Any, make_function: Callable[..., str]) -> None:
    function = make_function(server, "parts", ECHO)
    server.client("lambda").add_permission(
        FunctionName="parts",
        StatementId="apis",
        Action="lambda:InvokeFunction",
        Principal="apigateway.amazonaws.com",
        SourceArn="arn:aws:execute-api:us-east-1:000000000000:*",
    )
    stack = Stack(server, "http-api-parts")
    stack.put(template(parts(function)))

    def get(path: str) -> requests.Response:
        headers = {"host": f"parts.example:{server.port}", "authorization": "yes"}
        return requests.get(f"{server.url}/{path}", headers=headers, timeout=20)

    # The echo is no authorizer, so nobody passes until the route asks for nobody.
    assert get("v1/x").status_code == 500
    stack.put(
        template(
            parts(
                function,
                Integration={"RequestParameters": {"append:header.x-a": "1"}, "ResponseParameters": None},
                Mapping={"ApiMappingKey": "v2"},
                Route={"AuthorizationType": None, "AuthorizerId": None},
                Stage={"StageVariables": {"a": "3"}, "RouteSettings": None, "AccessLogSettings": None},
                Ask={"AuthorizerResultTtlInSeconds": 60},
            )
        ),
        "update",
    )

    event = get("v2/x")
    assert "x-c" not in event.headers
    assert event.json()["headers"]["x-a"] == "1"
    assert "x-b" not in event.json()["headers"]
    assert event.json()["stageVariables"] == {"a": "3"}
    apis, id_ = server.client("apigatewayv2"), stack.id_of("Api")
    stage = apis.get_stage(ApiId=id_, StageName="prod")
    assert "AccessLogSettings" not in stage
    assert stage["RouteSettings"] == {}
    authorizer = apis.get_authorizer(ApiId=id_, AuthorizerId=stack.id_of("Ask"))
    assert authorizer["AuthorizerResultTtlInSeconds"] == 60
    stack.delete()
    with pytest.raises(apis.exceptions.NotFoundException):
        apis.get_domain_name(DomainName="parts.example")


def test_a_document_in_a_bucket(server: Any) -> None:
    s3 = server.client("s3")
    s3.create_bucket(Bucket="documents")
    document = f"""
openapi: "3.0.1"
info: {{title: health, version: "1"}}
servers: [{{url: "https://health.example/v1"}}]
paths:
  /health:
    get:
      x-amazon-apigateway-integration:
        {{type: http_proxy, httpMethod: GET, payloadFormatVersion: "1.0", uri: "{server.url}/_cloudlet/health"}}
"""
    s3.put_object(Bucket="documents", Key="api.yaml", Body=document)
    stack = Stack(server, "http-api-document")
    stack.put(
        template(
            {
                "Api": resource(
                    "ApiGatewayV2::Api",
                    BodyS3Location={"Bucket": "documents", "Key": "api.yaml"},
                    BasePath="prepend",
                    FailOnWarnings=True,
                ),
                "Stage": resource("ApiGatewayV2::Stage", ApiId={"Ref": "Api"}, StageName="$default", AutoDeploy=True),
            }
        )
    )
    url = f"{server.url}/_aws/execute-api/{stack.id_of('Api')}"
    assert requests.get(f"{url}/v1/health", timeout=20).json()["status"] == "ok"
    stack.delete()
