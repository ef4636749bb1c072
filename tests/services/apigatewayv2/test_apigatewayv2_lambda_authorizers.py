"""Lambda authorizers: functions that say who may pass."""

from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

# Says what the token asks for; counts how often it was asked, as the context tells.
AUTHORIZER = """
asked = 0

def policy(effect, resource):
    statement = {"Effect": effect, "Action": "execute-api:Invoke", "Resource": resource}
    return {"Version": "2012-10-17", "Statement": [statement]}

def handler(event, context):
    global asked
    asked += 1
    token = event["headers"].get("authorization", "")
    said = {"asked": asked, "user": {"name": "ada"}, "sources": event["identitySource"]}
    arn = event.get("routeArn") or event["methodArn"]
    if token == "unauthorized":
        raise Exception("Unauthorized")
    if token == "broken":
        raise Exception("broken")
    if token == "odd":
        return {"isAuthorized": "yes"}
    if token == "yes":
        return {"isAuthorized": True, "context": said}
    if token == "silent":
        return {"isAuthorized": True}
    if token == "allow":
        return {"principalId": "ada", "policyDocument": policy("Allow", arn), "context": {"asked": str(asked)}}
    if token == "deny":
        return {"principalId": "ada", "policyDocument": policy("Deny", "*")}
    return {"isAuthorized": False}
"""


@pytest.fixture(scope="module")
def uri(make_handler: Callable[[str, str], str]) -> str:
    function = make_handler("authorizer", AUTHORIZER)
    return f"arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/{function}/invocations"


@pytest.fixture(scope="module")
def guarded(api: Any, make_api: Callable[..., Any], uri: str) -> Callable[..., Any]:
    """Makes an API with two routes behind an authorizer."""

    def make(version: str = "2.0", payload: str = "2.0", **settings: Any) -> Any:
        made = make_api(PayloadFormatVersion=payload)
        id_ = api.create_authorizer(
            ApiId=made.id,
            AuthorizerType="REQUEST",
            Name="ask",
            AuthorizerUri=uri,
            AuthorizerPayloadFormatVersion=version,
            **{"IdentitySource": ["$request.header.Authorization"], **settings},
        )["AuthorizerId"]
        for key in ("GET /a", "GET /b/{id}"):
            api.create_route(
                ApiId=made.id,
                RouteKey=key,
                Target=f"integrations/{made.integration}",
                AuthorizationType="CUSTOM",
                AuthorizerId=id_,
            )
        return made

    return make


@pytest.fixture(scope="module")
def simple(guarded: Callable[..., Any]) -> Any:
    return guarded(EnableSimpleResponses=True)


@pytest.mark.parametrize(
    ("token", "status", "message"),
    [
        ("no", 403, "Forbidden"),
        ("unauthorized", 401, "Unauthorized"),
        ("broken", 500, "Internal Server Error"),
        ("odd", 500, "Internal Server Error"),
        ("", 401, "Unauthorized"),
    ],
)
def test_who_does_not_pass(simple: Any, token: str, status: int, message: str) -> None:
    answer = simple.get("/a", authorization=token)
    assert (answer.status_code, answer.json()) == (status, {"message": message})


def test_the_context_reaches_the_function(simple: Any) -> None:
    found = simple.get("/a", authorization="yes").json()["requestContext"]["authorizer"]["lambda"]
    assert found["user"] == {"name": "ada"}
    assert found["sources"] == ["yes"]
    assert simple.get("/a", authorization="silent").json()["requestContext"]["authorizer"] == {"lambda": None}


def test_policies_tell_for_each_request(guarded: Callable[..., Any]) -> None:
    made = guarded(AuthorizerResultTtlInSeconds=300)

    first = made.get("/a", authorization="allow")
    assert first.status_code == 200
    # What was said about /a is kept, and does not allow /b.
    assert made.get("/b/1", authorization="allow").status_code == 403
    assert made.get("/a", authorization="deny").json() == {"message": "Forbidden"}
    again = made.get("/a", authorization="allow")
    assert again.json()["requestContext"]["authorizer"] == first.json()["requestContext"]["authorizer"]


def test_results_are_kept_until_the_cache_is_reset(api: Any, guarded: Callable[..., Any]) -> None:
    made = guarded(EnableSimpleResponses=True, AuthorizerResultTtlInSeconds=3600)

    def asked() -> int:
        return made.get("/a", authorization="yes").json()["requestContext"]["authorizer"]["lambda"]["asked"]

    first = asked()
    assert asked() == first
    api.reset_authorizers_cache(ApiId=made.id, StageName="$default")
    assert asked() > first
    with pytest.raises(ClientError, match="Invalid stage"):
        api.reset_authorizers_cache(ApiId=made.id, StageName="none")


def test_without_a_time_to_live_nothing_is_kept(simple: Any) -> None:
    first, second = (simple.get("/a", authorization="yes").json()["requestContext"]["authorizer"] for _ in range(2))
    assert first["lambda"]["asked"] != second["lambda"]["asked"]


def test_format_1_0(guarded: Callable[..., Any]) -> None:
    made = guarded(version="1.0", payload="1.0")
    found = made.get("/b/7", authorization="allow").json()["requestContext"]
    assert found["authorizer"]["principalId"] == "ada"
    assert found["authorizer"]["asked"].isdigit()
    assert made.get("/b/7", authorization="yes").status_code == 500  # format 1.0 knows policies alone


def test_several_identity_sources(guarded: Callable[..., Any]) -> None:
    sources = ["$request.header.Authorization", "$request.querystring.q", "$context.routeKey"]
    made = guarded(EnableSimpleResponses=True, IdentitySource=sources)
    found = made.get("/a?q=1", authorization="yes").json()["requestContext"]["authorizer"]["lambda"]
    assert found["sources"] == ["yes", "1", "GET /a"]
    assert made.get("/a", authorization="yes").status_code == 401


def test_a_role_to_call_the_function_with(guarded: Callable[..., Any], role: str) -> None:
    made = guarded(EnableSimpleResponses=True, AuthorizerCredentialsArn=role)
    assert made.get("/a", authorization="yes").status_code == 200


def test_a_function_that_the_api_may_not_call(server: Any, api: Any, make_handler: Any, make_api: Any) -> None:
    function = make_handler("closed", AUTHORIZER)
    server.client("lambda").remove_permission(FunctionName="closed", StatementId="apis")
    made = make_api()
    id_ = api.create_authorizer(
        ApiId=made.id,
        AuthorizerType="REQUEST",
        Name="ask",
        IdentitySource=["$request.header.Authorization"],
        AuthorizerUri=f"arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/{function}/invocations",
        AuthorizerPayloadFormatVersion="2.0",
    )["AuthorizerId"]
    api.create_route(
        ApiId=made.id,
        RouteKey="GET /",
        Target=f"integrations/{made.integration}",
        AuthorizationType="CUSTOM",
        AuthorizerId=id_,
    )
    assert made.get("/", authorization="yes").status_code == 500
    server.client("lambda").add_permission(
        FunctionName="closed",
        StatementId="authorizer",
        Action="lambda:InvokeFunction",
        Principal="apigateway.amazonaws.com",
        SourceArn=f"arn:aws:execute-api:us-east-1:000000000000:{made.id}/authorizers/{id_}",
    )
    assert made.get("/", authorization="allow").status_code == 200


def test_authorizers_are_kept_changed_and_deleted(api: Any, make_api: Callable[..., Any], uri: str) -> None:
    made = make_api()
    created = api.create_authorizer(
        ApiId=made.id,
        AuthorizerType="REQUEST",
        Name="ask",
        IdentitySource=["$request.header.A"],
        AuthorizerUri=uri,
        AuthorizerPayloadFormatVersion="2.0",
    )
    id_ = created["AuthorizerId"]
    api.update_authorizer(ApiId=made.id, AuthorizerId=id_, AuthorizerResultTtlInSeconds=5, Name="asks")
    found = api.get_authorizer(ApiId=made.id, AuthorizerId=id_)
    assert (found["Name"], found["AuthorizerResultTtlInSeconds"], found["AuthorizerUri"]) == ("asks", 5, uri)
    assert [each["AuthorizerId"] for each in api.get_authorizers(ApiId=made.id)["Items"]] == [id_]

    route = api.create_route(ApiId=made.id, RouteKey="GET /", AuthorizationType="CUSTOM", AuthorizerId=id_)["RouteId"]
    with pytest.raises(ClientError, match="ConflictException"):
        api.delete_authorizer(ApiId=made.id, AuthorizerId=id_)
    changed = api.update_route(ApiId=made.id, RouteId=route, AuthorizationType="NONE")
    assert "AuthorizerId" not in changed
    api.delete_authorizer(ApiId=made.id, AuthorizerId=id_)
    with pytest.raises(ClientError, match="NotFoundException"):
        api.get_authorizer(ApiId=made.id, AuthorizerId=id_)


@pytest.mark.parametrize(
    "wrong",
    [
        {"AuthorizerUri": "arn:aws:lambda:us-east-1:000000000000:function:f"},
        {"AuthorizerPayloadFormatVersion": "3.0"},
        {"AuthorizerPayloadFormatVersion": "1.0", "EnableSimpleResponses": True},
        {"IdentitySource": ["Authorization"]},
        {"IdentitySource": ["$request.body.token"]},
        {"IdentitySource": [], "AuthorizerResultTtlInSeconds": 60},
        {"JwtConfiguration": {"Issuer": "https://issuer.example", "Audience": ["a"]}},
        {"AuthorizerType": "JWT"},
        {"IdentityValidationExpression": ".*"},
    ],
)
def test_what_an_authorizer_cannot_be(api: Any, make_api: Callable[..., Any], uri: str, wrong: dict[str, Any]) -> None:
    settings: dict[str, Any] = {
        "AuthorizerType": "REQUEST",
        "AuthorizerUri": uri,
        "AuthorizerPayloadFormatVersion": "2.0",
        "IdentitySource": ["$request.header.A"],
    }
    with pytest.raises(ClientError) as caught:
        api.create_authorizer(ApiId=make_api().id, Name="ask", **settings | wrong)
    assert caught.value.response.get("Error", {}).get("Code") == "BadRequestException"


def test_the_authorizers_event(server: Any, api: Any, make_handler: Any, make_api: Any) -> None:
    source = "def handler(event, context):\n    return {'isAuthorized': True, 'context': {'event': event}}"
    function = make_handler("tells", source)
    made = make_api()
    id_ = api.create_authorizer(
        ApiId=made.id,
        AuthorizerType="REQUEST",
        Name="tells",
        IdentitySource=["$request.header.Authorization"],
        AuthorizerUri=f"arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/{function}/invocations",
        AuthorizerPayloadFormatVersion="2.0",
        EnableSimpleResponses=True,
    )["AuthorizerId"]
    api.create_route(
        ApiId=made.id,
        RouteKey="GET /b/{id}",
        Target=f"integrations/{made.integration}",
        AuthorizationType="CUSTOM",
        AuthorizerId=id_,
    )
    answer = made.get("/b/7?x=1", authorization="t", cookie="k=v")
    event = answer.json()["requestContext"]["authorizer"]["lambda"]["event"]
    assert (event["type"], event["version"], event["routeKey"]) == ("REQUEST", "2.0", "GET /b/{id}")
    assert event["routeArn"] == f"arn:aws:execute-api:us-east-1:000000000000:{made.id}/$default/GET/b/7"
    assert event["identitySource"] == ["t"]
    assert (event["pathParameters"], event["queryStringParameters"]) == ({"id": "7"}, {"x": "1"})
    assert event["cookies"] == ["k=v"]
    assert "body" not in event
