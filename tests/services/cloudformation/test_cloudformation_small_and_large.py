"""A small template that stands for an endless one is refused."""

import pytest

from cloudlet.core.errors import AwsError
from cloudlet.services.cloudformation.foreach import expand
from cloudlet.services.cloudformation.template import parse


@pytest.mark.parametrize("text", ["A: &a [1]\nB: [*a, *a]", "{A: &a [1], B: *a}"])
def test_aliases_are_refused(text: str) -> None:
    with pytest.raises(AwsError, match="YAML aliases are not allowed"):
        parse(text)


def test_stars_are_fine() -> None:
    assert parse("Action: 's3:*'\nResource: \"*\"") == {"Action": "s3:*", "Resource": "*"}


def test_loops_within_loops_have_an_end() -> None:
    node: object = {"${A}${B}${C}${D}": 1}
    for name in "ABCD":
        node = {f"Fn::ForEach::{name}": [name, [f"{number:02}" for number in range(100)], node]}
    with pytest.raises(AwsError, match="too large"):
        expand(node, {})
