"""Reads CloudFormation templates in YAML or JSON, with their short-hand functions (`!Ref`, `!Sub`, …) spelled out."""

from pathlib import Path
from typing import Any

import yaml

from cloudlet.cli.errors import CommandError

Template = dict[str, Any]


class _Loader(yaml.SafeLoader):
    """Dates stay texts: `AWSTemplateFormatVersion: 2010-09-09` is one."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def _function(loader: _Loader, name: str, node: yaml.Node) -> dict[str, Any]:
    value: Any
    if isinstance(node, yaml.ScalarNode):
        value = loader.construct_scalar(node)
    elif isinstance(node, yaml.SequenceNode):
        value = loader.construct_sequence(node, deep=True)
    else:
        assert isinstance(node, yaml.MappingNode)
        value = loader.construct_mapping(node, deep=True)
    if name == "GetAtt" and isinstance(value, str):
        value = value.split(".", 1)
    return {name if name in ("Ref", "Condition") else f"Fn::{name}": value}


_Loader.add_multi_constructor("!", _function)


def read_template(path: Path) -> Template:
    """Raises CommandError if the file is missing or is not a template."""
    try:
        template = yaml.load(path.read_text(encoding="utf-8"), _Loader)
    except OSError as error:
        raise CommandError(f"The template cannot be read: {error}") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise CommandError(f"{path} is not YAML or JSON: {error}") from None
    if not isinstance(template, dict) or not isinstance(template.get("Resources"), dict):
        raise CommandError(f"{path} is not a CloudFormation template: it has no Resources.")
    return template
