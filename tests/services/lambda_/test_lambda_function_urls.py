"""Function URLs: HTTP that invokes a function, for all or for those who sign."""

import json
from typing import Any

import pytest
import requests
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.exceptions import ClientError
from function_making import Functions
from streaming_functions import streaming

ECHO = "import json\ndef handler(event, context):\n  return {'statusCode': 200, 'body': json.dumps(event)}"


def open_to_all(lambda_: Any, name: str, **qualifier: str) -> None:
    lambda_.add_permission(
        FunctionName=name,
        StatementId="url",
        Action="lambda:InvokeFunctionUrl",
        Principal="*",
        FunctionUrlAuthType="NONE",
        **qualifier,
    )
    lambda_.add_permission(
        FunctionName=name,
        StatementId="invoke",
        Action="lambda:InvokeFunction",
        Principal="*",
        InvokedViaFunctionUrl=True,
        **qualifier,
    )


def public(functions: Functions, code: str, function: dict[str, Any] | None = None, **url: Any) -> str:
    """The address of a new function's URL that anybody may call."""
    name = functions.make(code, **(function or {}))
    open_to_all(functions.client, name)
    address: str = functions.client.create_function_url_config(FunctionName=name, AuthType="NONE", **url)["FunctionUrl"]
    return address


def signed(method: str, url: str, key: str, secret: str, body: str = "", service: str = "lambda") -> requests.Response:
    request = AWSRequest(method, url, data=body)
    SigV4Auth(Credentials(key, secret), service, "us-east-1").add_auth(request)
    return requests.request(method, url, headers=dict(request.headers), data=body, timeout=30)


def test_configurations(functions: Functions, lambda_: Any) -> None:
    name = functions.make(ECHO)
    arn = lambda_.get_function_configuration(FunctionName=name)["FunctionArn"]
    created = lambda_.create_function_url_config(FunctionName=name, AuthType="NONE")
    assert (created["FunctionArn"], created["AuthType"], created["InvokeMode"]) == (arn, "NONE", "BUFFERED")
    with pytest.raises(lambda_.exceptions.ResourceConflictException, match="FunctionUrlConfig exists"):
        lambda_.create_function_url_config(FunctionName=name, AuthType="NONE")
    cors = {"AllowOrigins": ["https://shop.example"], "MaxAge": 60}
    lambda_.update_function_url_config(FunctionName=name, AuthType="AWS_IAM", Cors=cors, InvokeMode="RESPONSE_STREAM")
    found = lambda_.get_function_url_config(FunctionName=name)
    assert (found["FunctionUrl"], found["CreationTime"]) == (created["FunctionUrl"], created["CreationTime"])
    assert (found["AuthType"], found["Cors"], found["InvokeMode"]) == ("AWS_IAM", cors, "RESPONSE_STREAM")
    [listed] = lambda_.list_function_url_configs(FunctionName=name)["FunctionUrlConfigs"]
    assert listed["FunctionUrl"] == found["FunctionUrl"]
    lambda_.delete_function_url_config(FunctionName=name)
    with pytest.raises(lambda_.exceptions.ResourceNotFoundException):
        lambda_.get_function_url_config(FunctionName=name)
    assert requests.get(found["FunctionUrl"], timeout=30).status_code == 404


def test_the_event(functions: Functions) -> None:
    url = public(functions, ECHO)
    answer = requests.post(
        f"{url}a/b?x=1&x=2&y=",
        data="{}",
        headers={"content-type": "application/json", "cookie": "one=1; two=2", "X-Own": "yes"},
        timeout=30,
    )
    event = answer.json()
    id_ = event["requestContext"]["apiId"]
    assert (event["version"], event["routeKey"], event["rawPath"]) == ("2.0", "$default", "/a/b")
    assert (event["rawQueryString"], event["queryStringParameters"]) == ("x=1&x=2&y=", {"x": "1,2", "y": ""})
    assert (event["cookies"], event["headers"]["x-own"]) == (["one=1", "two=2"], "yes")
    assert (event["body"], event["isBase64Encoded"]) == ("{}", False)
    context = event["requestContext"]
    assert (context["accountId"], context["stage"], context["domainPrefix"]) == ("anonymous", "$default", id_)
    assert (context["http"]["method"], context["http"]["path"]) == ("POST", "/a/b")
    assert context["requestId"] == answer.headers["x-amzn-requestid"]
    assert "authorizer" not in context


def test_bytes_are_base64(functions: Functions) -> None:
    url = public(functions, ECHO)
    event = requests.post(url, data=b"\xff\0", headers={"content-type": "image/png"}, timeout=30).json()
    assert (event["body"], event["isBase64Encoded"]) == ("/wA=", True)


@pytest.mark.parametrize(
    ("result", "status", "headers", "body"),
    [
        ("'hello'", 200, {"content-type": "application/json"}, b"hello"),
        ("{'a': 1}", 200, {"content-type": "application/json"}, b'{"a":1}'),
        ("{'statusCode': 201, 'body': 'made', 'headers': {'X-A': 'b'}}", 201, {"x-a": "b"}, b"made"),
        ("{'statusCode': 200, 'body': '/wA=', 'isBase64Encoded': True}", 200, {}, b"\xff\0"),
        ("{'statusCode': 200, 'cookies': ['a=1']}", 200, {"set-cookie": "a=1"}, b""),
        ("{'statusCode': 'many'}", 502, {}, b"Internal Server Error"),
        ("1 / 0", 502, {}, b"Internal Server Error"),
    ],
)
def test_results(functions: Functions, result: str, status: int, headers: dict[str, str], body: bytes) -> None:
    url = public(functions, f"def handler(event, context): return {result}")
    answer = requests.get(url, timeout=30)
    assert (answer.status_code, answer.content) == (status, body)
    assert {name: answer.headers[name] for name in headers} == headers


def test_without_both_rights_nobody_gets_in(functions: Functions, lambda_: Any) -> None:
    name = functions.make(ECHO)
    url = lambda_.create_function_url_config(FunctionName=name, AuthType="NONE")["FunctionUrl"]
    refused = requests.get(url, timeout=30)
    assert (refused.status_code, refused.json()) == (403, {"Message": "Forbidden"})
    assert refused.headers["x-amzn-errortype"] == "AccessDeniedException"
    open_to_all(lambda_, name)
    assert requests.get(url, timeout=30).status_code == 200
    lambda_.remove_permission(FunctionName=name, StatementId="invoke")
    assert requests.get(url, timeout=30).status_code == 403


def test_those_who_sign_are_known_to_the_function(functions: Functions, lambda_: Any, server: Any) -> None:
    name = functions.make(ECHO)
    url = lambda_.create_function_url_config(FunctionName=name, AuthType="AWS_IAM")["FunctionUrl"]
    iam = server.client("iam")
    user = iam.create_user(UserName="caller")["User"]
    key = iam.create_access_key(UserName="caller")["AccessKey"]
    keys = (key["AccessKeyId"], key["SecretAccessKey"])
    assert requests.get(url, timeout=30).status_code == 403
    assert signed("GET", url, *keys).json() == {"Message": "Forbidden"}
    statement = {"Effect": "Allow", "Action": "lambda:InvokeFunctionUrl", "Resource": "*"}
    invoke = {
        "Effect": "Allow",
        "Action": "lambda:InvokeFunction",
        "Resource": "*",
        "Condition": {"Bool": {"lambda:InvokedViaFunctionUrl": "true"}},
    }
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement, invoke]})
    iam.put_user_policy(UserName="caller", PolicyName="url", PolicyDocument=policy)
    answer = signed("POST", f"{url}path?b=2&a=1", *keys, body="text")
    identity = answer.json()["requestContext"]["authorizer"]["iam"]
    assert (identity["accessKey"], identity["userArn"]) == (key["AccessKeyId"], user["Arn"])
    assert (identity["accountId"], identity["userId"]) == ("000000000000", user["UserId"])
    wrong = signed("GET", url, key["AccessKeyId"], "not the secret")
    assert (wrong.status_code, wrong.headers["x-amzn-errortype"]) == (403, "InvalidSignatureException")
    assert signed("GET", url, *keys, service="execute-api").status_code == 403
    with pytest.raises(ClientError, match="not authorized"):
        server.client("lambda", session=server.session(*keys)).invoke(FunctionName=name)


def test_the_url_answers_browsers_of_other_origins(functions: Functions) -> None:
    code = "def handler(event, context): return {'statusCode': 200, 'headers': {'access-control-allow-origin': 'x'}}"
    cors = {"AllowOrigins": ["https://shop.example"], "AllowMethods": ["GET", "POST"], "AllowHeaders": ["x-own"]}
    url = public(functions, code, Cors=cors)
    asked = {"origin": "https://shop.example", "access-control-request-method": "POST"}
    preflight = requests.options(url, headers=asked, timeout=30)
    assert preflight.status_code == 200
    assert preflight.headers["access-control-allow-origin"] == "https://shop.example"
    assert preflight.headers["access-control-allow-methods"] == "GET,POST"
    answer = requests.get(url, headers={"origin": "https://shop.example"}, timeout=30)
    assert answer.headers["access-control-allow-origin"] == "https://shop.example"
    other = requests.get(url, headers={"origin": "https://other.example"}, timeout=30)
    assert "access-control-allow-origin" not in other.headers


def test_an_alias_has_a_url_of_its_own(functions: Functions, lambda_: Any) -> None:
    name = functions.make("def handler(event, context): return context.function_version")
    lambda_.publish_version(FunctionName=name)
    lambda_.create_alias(FunctionName=name, Name="live", FunctionVersion="1")
    created = lambda_.create_function_url_config(FunctionName=name, Qualifier="live", AuthType="NONE")
    assert created["FunctionArn"].endswith(f":{name}:live")
    open_to_all(lambda_, name, Qualifier="live")
    assert requests.get(created["FunctionUrl"], timeout=30).text == "1"
    with pytest.raises(lambda_.exceptions.ResourceNotFoundException):
        lambda_.create_function_url_config(FunctionName=name, Qualifier="other", AuthType="NONE")
    lambda_.delete_alias(FunctionName=name, Name="live")
    assert requests.get(created["FunctionUrl"], timeout=30).status_code == 404


def test_too_much_and_too_often(functions: Functions, lambda_: Any) -> None:
    name = functions.make(ECHO)
    open_to_all(lambda_, name)
    url = lambda_.create_function_url_config(FunctionName=name, AuthType="NONE")["FunctionUrl"]
    assert requests.post(url, data=b"x" * (6 * 1024 * 1024 + 1), timeout=30).status_code == 413
    lambda_.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=0)
    assert requests.get(url, timeout=30).status_code == 429


def test_a_streamed_response(functions: Functions) -> None:
    prelude = '{"statusCode": 203, "headers": {"x-a": "b"}, "cookies": ["c=1"]}'
    code = streaming(
        f"yield {prelude!r}.encode() + bytes(4)\nyield bytes(4) + b'one '\ntime.sleep(0.2)\nyield b'two'",
        "application/vnd.awslambda.http-integration-response",
    )
    answer = requests.get(public(functions, code, InvokeMode="RESPONSE_STREAM"), timeout=30)
    assert (answer.status_code, answer.text, answer.headers["x-a"]) == (203, "one two", "b")
    assert (answer.cookies["c"], answer.headers["transfer-encoding"]) == ("1", "chunked")


def test_a_stream_without_prelude_is_the_body(functions: Functions) -> None:
    answer = requests.get(public(functions, streaming('yield b"text"'), InvokeMode="RESPONSE_STREAM"), timeout=30)
    assert (answer.status_code, answer.text, answer.headers["content-type"]) == (200, "text", "text/plain")


def test_a_stream_that_breaks_ends_the_connection(functions: Functions) -> None:
    url = public(functions, streaming('yield b"begun"', fails=True), InvokeMode="RESPONSE_STREAM")
    with pytest.raises(requests.exceptions.ChunkedEncodingError):
        requests.get(url, timeout=30)


def test_a_streaming_function_that_fails_at_once(functions: Functions) -> None:
    url = public(functions, "def handler(event, context): raise ValueError", InvokeMode="RESPONSE_STREAM")
    assert requests.get(url, timeout=30).status_code == 502


def test_by_path_the_url_answers_as_well(functions: Functions, lambda_: Any, server: Any) -> None:
    code = "def handler(event, context): return event['requestContext']['apiId'] + event['rawPath']"
    id_ = requests.get(public(functions, code), timeout=30).text.rstrip("/")
    assert requests.get(f"{server.url}/_aws/lambda-url/{id_}/x", timeout=30).text == f"{id_}/x"
    host = {"host": f"{id_}.lambda-url.us-east-1.on.aws"}
    assert requests.get(f"{server.url}/y", headers=host, timeout=30).text == f"{id_}/y"
