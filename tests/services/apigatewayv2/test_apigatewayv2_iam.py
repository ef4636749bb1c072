"""AWS_IAM on routes: requests signed for `execute-api`."""

import json
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import pytest
import requests
from botocore.auth import SigV4Auth, SigV4QueryAuth
from botocore.awsrequest import AWSRequest


@pytest.fixture(scope="module")
def shop(api: Any, make_api: Callable[..., Any]) -> Any:
    made = make_api("ANY /items/{id}", "ANY /open")
    for route in api.get_routes(ApiId=made.id)["Items"]:
        if route["RouteKey"] == "ANY /items/{id}":
            api.update_route(ApiId=made.id, RouteId=route["RouteId"], AuthorizationType="AWS_IAM")
    return made


@pytest.fixture(scope="module")
def ada(server: Any, shop: Any) -> Any:
    """A user who may get items that begin with 1."""
    iam = server.client("iam")
    iam.create_user(UserName="ada")
    arn = f"arn:aws:execute-api:us-east-1:000000000000:{shop.id}/*/GET/items/1*"
    statement = {"Effect": "Allow", "Action": "execute-api:Invoke", "Resource": arn}
    document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    iam.put_user_policy(UserName="ada", PolicyName="items", PolicyDocument=document)
    key = iam.create_access_key(UserName="ada")["AccessKey"]
    return server.session(key["AccessKeyId"], key["SecretAccessKey"])


def send(
    session: Any, method: str, url: str, body: str = "", service: str = "execute-api", region: str = "us-east-1"
) -> requests.Response:
    request = AWSRequest(method=method, url=url, data=body, headers={"content-type": "application/json"})
    SigV4Auth(session.get_credentials(), service, region).add_auth(request)
    return requests.request(method, url, data=body, headers=dict(request.headers), timeout=20)


def test_who_signed_reaches_the_function(server: Any, shop: Any, ada: Any) -> None:
    answer = send(ada, "GET", f"{shop.url}/items/1?b=2&a=1")

    found = answer.json()["requestContext"]["authorizer"]["iam"]
    assert found["userArn"] == "arn:aws:iam::000000000000:user/ada"
    assert found["accessKey"] == ada.get_credentials().access_key
    assert found["accountId"] == "000000000000"
    assert found["userId"].startswith("AIDA")


def test_root_may_do_everything_and_bodies_are_signed(server: Any, shop: Any) -> None:
    answer = send(server.session(), "POST", f"{shop.url}/items/9", '{"n": 1}')
    assert (answer.status_code, answer.json()["body"]) == (200, '{"n": 1}')


def test_presigned(server: Any, shop: Any, ada: Any) -> None:
    request = AWSRequest(method="GET", url=f"{shop.url}/items/1")
    SigV4QueryAuth(ada.get_credentials(), "execute-api", "us-east-1", expires=60).add_auth(request)
    assert requests.get(str(request.url), timeout=20).status_code == 200


@pytest.mark.parametrize("path", ["/items/a%2Fb", "/items/%C3%A9", f"/items/{quote('1 2')}"])
def test_paths_with_escapes(server: Any, shop: Any, path: str) -> None:
    assert send(server.session(), "GET", f"{shop.url}{path}").status_code == 200


def refused(answer: requests.Response) -> bool:
    return (answer.status_code, answer.json()) == (403, {"message": "Forbidden"})


def test_who_does_not_pass(server: Any, shop: Any, ada: Any) -> None:
    assert refused(requests.get(f"{shop.url}/items/1", timeout=20))
    assert refused(send(ada, "GET", f"{shop.url}/items/2"))
    assert refused(send(ada, "POST", f"{shop.url}/items/1"))
    assert refused(send(ada, "GET", f"{shop.url}/items/1", service="s3"))
    assert refused(send(ada, "GET", f"{shop.url}/items/1", region="eu-west-1"))
    assert refused(send(server.session(secret="wrong"), "GET", f"{shop.url}/items/1"))
    assert refused(shop.get("/items/1", authorization="Bearer x"))


def test_the_body_cannot_be_changed(server: Any, shop: Any) -> None:
    request = AWSRequest(method="POST", url=f"{shop.url}/items/1", data="signed")
    SigV4Auth(server.session().get_credentials(), "execute-api", "us-east-1").add_auth(request)
    assert refused(requests.post(f"{shop.url}/items/1", data="changed", headers=dict(request.headers), timeout=20))


def test_the_callers_rights_can_be_those_of_the_integration(
    server: Any, api: Any, make_api: Callable[..., Any], ada: Any
) -> None:
    made = make_api(CredentialsArn="arn:aws:iam::*:user/*")
    target = f"integrations/{made.integration}"
    api.create_route(ApiId=made.id, RouteKey="GET /", Target=target, AuthorizationType="AWS_IAM")
    server.client("iam").put_user_policy(
        UserName="ada",
        PolicyName="api",
        PolicyDocument=json.dumps(
            {
                "Version": "2012-10-17",
                "Statement": [
                    {
                        "Effect": "Allow",
                        "Action": "execute-api:Invoke",
                        "Resource": f"arn:aws:execute-api:*:*:{made.id}/*",
                    }
                ],
            }
        ),
    )
    assert send(server.session(), "GET", f"{made.url}/").status_code == 200
    assert send(ada, "GET", f"{made.url}/").status_code == 500  # she may call the API, but not the function
