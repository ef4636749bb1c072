"""Which route a request takes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudlet.services.apigatewayv2.matching import Matcher, check_key

ROUTES = (
    "GET /pets",
    "ANY /pets",
    "GET /pets/{id}",
    "GET /pets/mine",
    "ANY /pets/{id}/toys/{toy}",
    "GET /pets/dog/1",
    "GET /pets/dog/{id}",
    "GET /pets/{proxy+}",
    "ANY /{proxy+}",
    "$default",
)
SEGMENTS = st.text("abcxyz-._~", min_size=1, max_size=8)


@pytest.mark.parametrize(
    ("method", "path", "key", "variables"),
    [
        ("GET", "/pets", "GET /pets", {}),
        ("POST", "/pets", "ANY /pets", {}),
        ("GET", "/pets/", "GET /pets", {}),
        ("GET", "/pets/7", "GET /pets/{id}", {"id": "7"}),
        ("GET", "/pets/mine", "GET /pets/mine", {}),
        ("GET", "/pets/dog/1", "GET /pets/dog/1", {}),
        ("GET", "/pets/dog/2", "GET /pets/dog/{id}", {"id": "2"}),
        ("GET", "/pets/cat/3", "GET /pets/{proxy+}", {"proxy": "cat/3"}),
        ("PUT", "/pets/7/toys/ball", "ANY /pets/{id}/toys/{toy}", {"id": "7", "toy": "ball"}),
        ("POST", "/pets/dog/1", "ANY /{proxy+}", {"proxy": "pets/dog/1"}),
        ("GET", "/other%20place/x", "ANY /{proxy+}", {"proxy": "other place/x"}),
        ("GET", "/", "$default", {}),
    ],
)
def test_the_most_specific_route_is_taken(method: str, path: str, key: str, variables: dict[str, str]) -> None:
    found = Matcher(ROUTES).find(method, path)
    assert found is not None
    assert (found.route_key, found.variables) == (key, variables)


def test_without_a_default_route_there_may_be_none() -> None:
    assert Matcher(["GET /pets"]).find("POST", "/pets") is None
    assert Matcher(["GET /pets"]).find("GET", "/pets/7") is None


@given(st.lists(SEGMENTS, min_size=1, max_size=5))
def test_a_literal_path_finds_itself_whatever_else_there_is(segments: list[str]) -> None:
    key = f"GET /{'/'.join(segments)}"
    found = Matcher([*ROUTES, key]).find("GET", key.removeprefix("GET "))
    assert found is not None
    assert found.route_key == key


@pytest.mark.parametrize("key", ["GET /a/{b}/{c+}", "ANY /", "$default", "DELETE /a.b/{x-y}"])
def test_good_route_keys(key: str) -> None:
    assert check_key(key) is None


@pytest.mark.parametrize("key", ["get /a", "/a", "GET a", "FETCH /a", "GET /{a+}/b", "GET /a{b}", "$connect"])
def test_bad_route_keys(key: str) -> None:
    assert check_key(key) is not None
