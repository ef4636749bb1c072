"""JWT authorizers, with an issuer that this test is."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import jwt
import pytest
import requests
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from jwt.algorithms import RSAAlgorithm


class Issuer:
    """Signs tokens and publishes the keys to check them with. `asked` counts how often for the keys."""

    def __init__(self) -> None:
        self.keys: dict[str, rsa.RSAPrivateKey] = {}
        self.asked = 0
        self.add_key("first")
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.url = f"http://127.0.0.1:{self.server.server_port}/pool"

    def add_key(self, name: str) -> None:
        self.keys[name] = rsa.generate_private_key(public_exponent=65537, key_size=2048)

    def token(self, key: str = "first", algorithm: str = "RS256", **claims: Any) -> str:
        now = int(time.time())
        members = {"iss": self.url, "aud": "shop", "sub": "ada", "iat": now - 1, "exp": now + 600, **claims}
        members = {name: value for name, value in members.items() if value is not None}
        return jwt.encode(members, self.keys[key], algorithm=algorithm, headers={"kid": key})

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        issuer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                if self.path == "/pool/.well-known/openid-configuration":
                    found: Any = {"issuer": issuer.url, "jwks_uri": f"{issuer.url}/keys"}
                elif self.path == "/pool/keys":
                    issuer.asked += 1
                    found = {"keys": [issuer.public(name) for name in issuer.keys]}
                else:
                    self.send_error(404)
                    return
                body = json.dumps(found).encode()
                self.send_response(200)
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: Any) -> None:
                pass

        return Handler

    def public(self, name: str) -> dict[str, Any]:
        return json.loads(RSAAlgorithm.to_jwk(self.keys[name].public_key())) | {"kid": name, "use": "sig"}


@pytest.fixture(scope="module")
def issuer() -> Iterator[Issuer]:
    made = Issuer()
    with made.server as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield made
        server.shutdown()
        thread.join()


@pytest.fixture(scope="module")
def shop(api: Any, make_api: Callable[..., Any], issuer: Issuer) -> Any:
    """An API with a route for whoever has a token, one for a scope, and one with a token in the query."""
    made = make_api("GET /me", "GET /orders", "GET /link")
    routes = {route["RouteKey"]: route["RouteId"] for route in api.get_routes(ApiId=made.id)["Items"]}

    def authorizer(name: str, source: str) -> str:
        return api.create_authorizer(
            ApiId=made.id,
            AuthorizerType="JWT",
            Name=name,
            IdentitySource=[source],
            JwtConfiguration={"Issuer": issuer.url, "Audience": ["shop", "office"]},
        )["AuthorizerId"]

    by_header, by_query = (
        authorizer("h", "$request.header.Authorization"),
        authorizer("q", "$request.querystring.token"),
    )
    for key, id_, scopes in (
        ("GET /me", by_header, []),
        ("GET /orders", by_header, ["read", "all"]),
        ("GET /link", by_query, []),
    ):
        api.update_route(
            ApiId=made.id,
            RouteId=routes[key],
            AuthorizationType="JWT",
            AuthorizerId=id_,
            AuthorizationScopes=scopes,
        )
    return made


def challenge(answer: requests.Response) -> tuple[int, Any, str]:
    return answer.status_code, answer.json(), answer.headers["www-authenticate"]


def test_claims_reach_the_function(shop: Any, issuer: Issuer) -> None:
    token = issuer.token(**{"cognito:groups": ["admins", "users"], "level": 3, "verified": True})
    answer = shop.get("/me", authorization=f"Bearer {token}")

    found = answer.json()["requestContext"]["authorizer"]["jwt"]
    assert found["scopes"] is None
    assert found["claims"]["sub"] == "ada"
    assert found["claims"]["cognito:groups"] == "[admins users]"
    assert (found["claims"]["level"], found["claims"]["verified"]) == ("3", "true")
    assert found["claims"]["exp"].isdigit()


@pytest.mark.parametrize("algorithm", ["RS256", "RS384", "RS512"])
def test_algorithms(shop: Any, issuer: Issuer, algorithm: str) -> None:
    assert shop.get("/me", authorization=issuer.token(algorithm=algorithm)).status_code == 200


def test_without_a_token(shop: Any) -> None:
    assert challenge(shop.get("/me")) == (401, {"message": "Unauthorized"}, "Bearer")


def test_a_token_for_somebody_else(shop: Any, issuer: Issuer) -> None:
    answer = shop.get("/me", authorization=issuer.token(aud="other"))
    expected = 'Bearer scope="" error="invalid_token" error_description="the token does not have a valid audience"'
    assert challenge(answer) == (401, {"message": "Unauthorized"}, expected)


@pytest.mark.parametrize(
    ("claims", "status"),
    [
        ({"aud": ["x", "office"]}, 200),
        ({"aud": None, "client_id": "shop"}, 200),
        ({"aud": "x", "client_id": "shop"}, 401),
        ({"aud": None}, 401),
        ({"iss": "http://127.0.0.1/else"}, 401),
        ({"exp": 1}, 401),
        ({"exp": None}, 401),
        ({"nbf": 4_000_000_000}, 401),
        ({"iat": 4_000_000_000}, 401),
        ({"nbf": "soon"}, 401),
    ],
)
def test_claims_that_count(shop: Any, issuer: Issuer, claims: dict[str, Any], status: int) -> None:
    assert shop.get("/me", authorization=f"Bearer {issuer.token(**claims)}").status_code == status


@pytest.mark.parametrize(
    ("scopes", "status"),
    [({"scope": "write read"}, 200), ({"scp": ["all"]}, 200), ({"scope": "readx"}, 403), ({}, 403)],
)
def test_scopes(shop: Any, issuer: Issuer, scopes: dict[str, Any], status: int) -> None:
    answer = shop.get("/orders", authorization=f"Bearer {issuer.token(**scopes)}")
    assert answer.status_code == status
    if status == 403:
        assert answer.json() == {"message": "Forbidden"}
        assert 'scope="read all" error="insufficient_scope"' in answer.headers["www-authenticate"]
    else:
        assert answer.json()["requestContext"]["authorizer"]["jwt"]["scopes"]


def test_forged_tokens(shop: Any, issuer: Issuer) -> None:
    good = issuer.token()
    head, payload, signature = good.split(".")
    unsigned = jwt.encode(
        {"iss": issuer.url, "aud": "shop", "exp": 4_000_000_000}, "", algorithm="none", headers={"kid": "first"}
    )
    secret = jwt.encode(
        {"iss": issuer.url, "aud": "shop", "exp": 4_000_000_000}, "x" * 64, algorithm="HS256", headers={"kid": "first"}
    )
    curve = jwt.encode(
        {"iss": issuer.url}, ec.generate_private_key(ec.SECP256R1()), algorithm="ES256", headers={"kid": "first"}
    )
    other = Issuer()
    try:
        stranger = jwt.encode(
            {"iss": issuer.url, "aud": "shop", "exp": 4_000_000_000},
            other.keys["first"],
            algorithm="RS256",
            headers={"kid": "first"},
        )
    finally:
        other.server.server_close()
    for token in (
        unsigned,
        secret,
        curve,
        stranger,
        f"{head}.{payload}.{signature[:-4]}AAAA",
        "x",
        "a.b.c",
        f"{head}..",
        "x" * 9000,
    ):
        assert shop.get("/me", authorization=f"Bearer {token}").status_code == 401


def test_a_token_in_the_query(shop: Any, issuer: Issuer) -> None:
    assert shop.get(f"/link?token={issuer.token()}").status_code == 200
    assert shop.get("/link").status_code == 401


def test_new_keys_are_found_and_made_up_ones_do_not_trouble_the_issuer(shop: Any, issuer: Issuer) -> None:
    assert shop.get("/me", authorization=issuer.token()).status_code == 200
    issuer.add_key("second")
    assert shop.get("/me", authorization=issuer.token("second")).status_code == 200

    asked = issuer.asked
    for number in range(20):
        token = jwt.encode({"iss": issuer.url}, issuer.keys["first"], algorithm="RS256", headers={"kid": f"x{number}"})
        assert shop.get("/me", authorization=token).status_code == 401
    assert issuer.asked - asked < 10
    assert shop.get("/me", authorization=issuer.token()).status_code == 200


def test_an_issuer_that_does_not_answer(api: Any, make_api: Callable[..., Any], issuer: Issuer) -> None:
    made = make_api()
    nobody = "http://127.0.0.1:1/pool"
    id_ = api.create_authorizer(
        ApiId=made.id,
        AuthorizerType="JWT",
        Name="gone",
        IdentitySource=["$request.header.Authorization"],
        JwtConfiguration={"Issuer": nobody, "Audience": ["shop"]},
    )["AuthorizerId"]
    api.create_route(
        ApiId=made.id,
        RouteKey="GET /",
        Target=f"integrations/{made.integration}",
        AuthorizationType="JWT",
        AuthorizerId=id_,
    )

    answer = made.get("/", authorization=issuer.token(iss=nobody))

    assert answer.status_code == 401
    assert "OIDC discovery endpoint communication error" in answer.headers["www-authenticate"]


def test_payload_format_1_0(api: Any, make_api: Callable[..., Any], issuer: Issuer) -> None:
    made = make_api(PayloadFormatVersion="1.0")
    id_ = api.create_authorizer(
        ApiId=made.id,
        AuthorizerType="JWT",
        Name="jwt",
        IdentitySource=["$request.header.Authorization"],
        JwtConfiguration={"Issuer": issuer.url, "Audience": ["shop"]},
    )["AuthorizerId"]
    api.create_route(
        ApiId=made.id,
        RouteKey="GET /",
        Target=f"integrations/{made.integration}",
        AuthorizationType="JWT",
        AuthorizerId=id_,
        AuthorizationScopes=["read"],
    )
    found = made.get("/", authorization=issuer.token(scope="read"))
    assert found.json()["requestContext"]["authorizer"]["claims"]["sub"] == "ada"
    assert found.json()["requestContext"]["authorizer"]["scopes"] == ["read"]
