"""The local files that a template names to be read as they are: includes, descriptions of APIs, nested templates."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cloudlet.cli.errors import CommandError
from cloudlet.cli.template import Template

# Where resources name a template of their own, and where the description of an API.
_NESTED = {"AWS::CloudFormation::Stack": "TemplateURL", "AWS::Serverless::Application": "Location"}
_DESCRIPTIONS = {"AWS::Serverless::HttpApi": "DefinitionUri"}


@dataclass(frozen=True, slots=True)
class Document:
    """`is_template`: what it names is packaged as well, and CloudFormation wants its address as a URL."""

    path: Path
    is_template: bool = False


Enter = Callable[[str], None]


def local_documents(template: Template, folder: Path) -> Iterator[tuple[Document, Enter]]:
    """Each with the function that enters its address into the template. Raises CommandError for what is missing."""
    for parameters in _includes(template):
        yield from _named(parameters, "Location", folder, "AWS::Include", is_template=False)
    for name, resource in template["Resources"].items():
        kind = resource.get("Type")
        properties = resource.get("Properties") or {}
        if kind in _NESTED:
            yield from _named(properties, _NESTED[kind], folder, name, is_template=True)
        elif kind in _DESCRIPTIONS:
            yield from _named(properties, _DESCRIPTIONS[kind], folder, name, is_template=False)


def _named(
    holder: dict[str, Any], member: str, folder: Path, name: str, *, is_template: bool
) -> Iterator[tuple[Document, Enter]]:
    place = holder.get(member)
    if not isinstance(place, str) or place.startswith(("s3://", "http://", "https://")):
        return
    path = folder / place
    if not path.is_file():
        raise CommandError(f"{name}: its {member} {place} does not exist (looked for {path.resolve()}).")
    yield Document(path, is_template), lambda address: holder.__setitem__(member, address)


def _includes(node: Any) -> Iterator[dict[str, Any]]:
    """The parameters of every AWS::Include."""
    if isinstance(node, list):
        for each in node:
            yield from _includes(each)
    elif isinstance(node, dict):
        if node.get("Name") == "AWS::Include" and isinstance(node.get("Parameters"), dict):
            yield node["Parameters"]
        for each in node.values():
            yield from _includes(each)
