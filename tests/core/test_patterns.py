"""Java's regular expressions in the models, in Python."""

import re

import pytest

from cloudlet.core.model import api_model
from cloudlet.core.patterns import compiled_pattern


@pytest.mark.parametrize(
    ("java", "matching", "other"),
    [
        (r"[\p{L}\p{Z}\p{N}_.:/=+\-@]*", "Größe 5/東京", "a;b"),
        (r"[\w-_]*", "a-b_c", "a b"),
        (r"\p{Print}+", "a b", "a\nb"),
        (r"[\u0020-\uD7FF\uE000-\uFFFD\uD800\uDC00-\uDBFF\uDFFF\r\n\t]*", "a\U0001f600\n", "\x00"),
        (r"\d+", "12", "١٢"),
    ],
)
def test_translation(java: str, matching: str, other: str) -> None:
    pattern = compiled_pattern(java)
    assert pattern is not None
    assert pattern.fullmatch(matching)
    assert not pattern.fullmatch(other)


@pytest.mark.parametrize(
    "api", ["s3", "dynamodb", "sqs", "sns", "lambda", "iam", "sts", "logs", "cloudformation", "apigatewayv2"]
)
def test_every_pattern_of_our_apis_is_checked(api: str) -> None:
    model = api_model(api)
    patterns = {model.shape_for(name).metadata.get("pattern") for name in model.shape_names} - {None}
    assert [text for text in patterns if not isinstance(compiled_pattern(text), re.Pattern)] == []
