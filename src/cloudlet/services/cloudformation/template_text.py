"""Templates as text: JSON or YAML with its short forms, read into plain values."""

import json
from typing import Any, cast

import yaml

from cloudlet.core.errors import AwsError
from cloudlet.services.cloudformation.errors import validation_error

# Functions that take a bare name in their short form keep it; all others are `Fn::` and their name.
_BARE_TAGS = {"Ref": "Ref", "Condition": "Condition"}


class _Loader(yaml.CSafeLoader if hasattr(yaml, "CSafeLoader") else yaml.SafeLoader):  # type: ignore[misc]
    """YAML as CloudFormation reads it: dates stay texts, tags are functions."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def _function(loader: Any, suffix: str, node: yaml.Node) -> dict[str, Any]:
    name = _BARE_TAGS.get(suffix, f"Fn::{suffix}")
    if isinstance(node, yaml.ScalarNode):
        value: Any = loader.construct_scalar(node)
        if suffix == "GetAtt":
            value = value.split(".", 1)
    elif isinstance(node, yaml.SequenceNode):
        value = loader.construct_sequence(node, deep=True)
    else:
        value = loader.construct_mapping(node, deep=True)
    return {name: value}


_Loader.add_multi_constructor("!", _function)


def parse(text: str) -> dict[str, Any]:
    """Reads a template's text. Raises ValidationError in CloudFormation's words."""
    try:
        body = json.loads(text) if text.lstrip().startswith("{") else _yaml(text)
    except json.JSONDecodeError:
        body = _flow_yaml(text)
    except yaml.YAMLError as error:
        raise _not_well_formed(error) from None
    except RecursionError:
        raise validation_error("Template format error: unsupported structure.") from None
    if not isinstance(body, dict) or not all(isinstance(key, str) for key in cast("dict[Any, Any]", body)):
        raise validation_error("Template format error: unsupported structure.")
    return cast("dict[str, Any]", body)


def _yaml(text: str) -> Any:
    """Aliases are refused, as on AWS: with them a page of text can stand for more than any machine can hold."""
    if "*" in text and any(isinstance(event, yaml.AliasEvent) for event in yaml.parse(text, Loader=_Loader)):
        raise validation_error("Template error: YAML aliases are not allowed in CloudFormation templates")
    return yaml.load(text, Loader=_Loader)


def _flow_yaml(text: str) -> Any:
    """What begins with a brace and is not JSON may still be YAML in flow style."""
    try:
        return _yaml(text)
    except yaml.YAMLError:
        raise validation_error("Template format error: JSON not well-formed.") from None


def _not_well_formed(error: yaml.YAMLError) -> AwsError:
    mark = getattr(error, "problem_mark", None)
    where = f" (line {mark.line + 1}, column {mark.column + 1})" if mark is not None else ""
    return validation_error(f"Template format error: YAML not well-formed.{where}")
