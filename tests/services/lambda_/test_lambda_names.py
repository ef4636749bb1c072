"""The ways to name a function."""

import pytest

from cloudlet.core.context import FIRST_ACCOUNT, Call, Principal
from cloudlet.core.errors import AwsError
from cloudlet.services.lambda_.names import parse_arn, parse_reference

ARN = "arn:aws:lambda:eu-central-1:111122223333:function:my-function"


def make_call(region: str = "eu-central-1") -> Call:
    return Call("lambda", "Invoke", FIRST_ACCOUNT, region, Principal.root(FIRST_ACCOUNT), "id", 0.0)


@pytest.mark.parametrize(
    ("name", "account", "qualifier"),
    [
        ("my-function", FIRST_ACCOUNT, None),
        ("my-function:live", FIRST_ACCOUNT, "live"),
        ("function:my-function", FIRST_ACCOUNT, None),
        ("111122223333:function:my-function", "111122223333", None),
        ("111122223333:my-function:7", "111122223333", "7"),
        (ARN, "111122223333", None),
        (f"{ARN}:$LATEST", "111122223333", "$LATEST"),
    ],
)
def test_forms(name: str, account: str, qualifier: str | None) -> None:
    reference = parse_reference(make_call(), name)
    assert (reference.key.account, reference.key.name, reference.qualifier) == (account, "my-function", qualifier)


def test_the_qualifier_may_come_twice_but_not_differ() -> None:
    assert parse_reference(make_call(), f"{ARN}:1", "1").qualifier == "1"
    with pytest.raises(AwsError, match="does not match the specified qualifier"):
        parse_reference(make_call(), f"{ARN}:1", "2")


def test_functions_of_another_region_are_not_reachable() -> None:
    with pytest.raises(AwsError, match="not reachable in this region"):
        parse_reference(make_call("us-east-1"), ARN)


def test_an_arn_is_complete() -> None:
    assert parse_arn(f"{ARN}:live").arn == f"{ARN}:live"
    with pytest.raises(ValueError, match="not the ARN of a function"):
        parse_arn("my-function")
