"""Templates: what their sections and resources may hold, checked and given types."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, cast

from cloudlet.core.errors import NotImplementedByCloudlet
from cloudlet.services.cloudformation.errors import validation_error

_SECTIONS = frozenset(
    (
        "AWSTemplateFormatVersion",
        "Conditions",
        "Description",
        "Globals",
        "Mappings",
        "Metadata",
        "Outputs",
        "Parameters",
        "Resources",
        "Rules",
        "Transform",
    )
)
_RESOURCE_MEMBERS = frozenset(
    (
        "Condition",
        "CreationPolicy",
        "DeletionPolicy",
        "DependsOn",
        "Description",
        "Metadata",
        "Properties",
        "Type",
        "UpdatePolicy",
        "UpdateReplacePolicy",
        "Version",
        # Only before the SAM transform.
        "Connectors",
        "IgnoreGlobals",
    )
)
_DELETION_POLICIES = ("Delete", "Retain", "RetainExceptOnCreate", "Snapshot")
INCLUDE = "AWS::Include"
_LOGICAL_ID = re.compile(r"[A-Za-z0-9]+")


@dataclass(frozen=True, slots=True)
class Definition:
    """A resource as the template declares it; `properties` still holds functions."""

    logical_id: str
    type: str
    properties: dict[str, Any]
    condition: str | None
    depends_on: tuple[str, ...]
    deletion_policy: str
    update_replace_policy: str
    metadata: dict[str, Any] | None


@dataclass(frozen=True, slots=True)
class Template:
    """A template whose structure is right. Sections that it does not have are empty."""

    body: dict[str, Any]
    parameters: dict[str, dict[str, Any]]
    mappings: dict[str, Any]
    conditions: dict[str, Any]
    resources: dict[str, Definition]
    outputs: dict[str, dict[str, Any]]
    transforms: tuple[str, ...] = field(default=())

    @property
    def description(self) -> str | None:
        return self.body.get("Description")


def parse(text: str) -> dict[str, Any]:
    """Reads a template's text. Raises ValidationError in CloudFormation's words."""
    # A slow import, because of yaml: a server that is given no template does not wait for it at its start.
    from cloudlet.services.cloudformation import template_text

    return template_text.parse(text)


def read(body: dict[str, Any]) -> Template:
    """Checks the structure of a parsed template, before or after its transforms."""
    unknown = [name for name in body if name not in _SECTIONS]
    if unknown:
        raise validation_error(f"Invalid template property or properties [{', '.join(unknown)}]")
    if "Rules" in body:
        raise NotImplementedByCloudlet("the section Rules of templates")
    sections = {name: _section(body, name) for name in ("Parameters", "Mappings", "Conditions", "Resources", "Outputs")}
    if not sections["Resources"]:
        raise validation_error("Template format error: At least one Resources member must be defined.")
    transforms = tuple(_transforms(body.get("Transform")))
    if "AWS::LanguageExtensions" in transforms:
        # Loops are written out by the transform; until then they declare nothing that could be checked.
        sections = {name: _without_loops(section) for name, section in sections.items()}
    _check_names(sections)
    return Template(
        body=body,
        parameters=_members(sections, "Parameters"),
        mappings=sections["Mappings"],
        conditions=sections["Conditions"],
        resources={name: _definition(name, value) for name, value in sections["Resources"].items()},
        outputs=_outputs(sections),
        transforms=transforms,
    )


def _section(body: dict[str, Any], name: str) -> dict[str, Any]:
    section = body.get(name)
    if section is None:
        return {}
    if not isinstance(section, dict):
        raise validation_error(f"Template format error: {name} section must be a map")
    return cast("dict[str, Any]", section)


def _without_loops(section: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in section.items() if not name.startswith("Fn::ForEach::")}


def _check_names(sections: dict[str, dict[str, Any]]) -> None:
    for section, label in (("Resources", "Resource"), ("Parameters", "Parameter"), ("Outputs", "Output")):
        for name in sections[section]:
            if not isinstance(name, str) or not _LOGICAL_ID.fullmatch(name):
                raise validation_error(f"Template format error: {label} name {name} is non alphanumeric.")
    both = sections["Parameters"].keys() & sections["Resources"].keys()
    if both:
        raise validation_error(f"Template format error: Duplicate parameter/resource names: {sorted(both)}")


def _members(sections: dict[str, dict[str, Any]], name: str) -> dict[str, dict[str, Any]]:
    for member, value in sections[name].items():
        if not isinstance(value, dict):
            raise validation_error(f"Template format error: Any {name} member must be an object.")
        if name == "Parameters" and "Type" not in value:
            raise validation_error(
                f"Template format error: Every {name} object must contain a Type member. [/Parameters/{member}]"
            )
    return cast("dict[str, dict[str, Any]]", sections[name])


def _outputs(sections: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    outputs = _members(sections, "Outputs")
    for name, output in outputs.items():
        if output.get("Value") is None:
            raise validation_error(
                f"Template format error: Every Outputs member must contain a Value object. [/Outputs/{name}]"
            )
    return outputs


def _definition(name: str, value: Any) -> Definition:
    if not isinstance(value, dict):
        raise validation_error(f"Template format error: [/Resources/{name}] Any Resources member must be an object.")
    declared = cast("dict[str, Any]", value)
    kind = declared.get("Type")
    if not isinstance(kind, str) or not kind:
        raise validation_error(
            f"Template format error: [/Resources/{name}] Every Resources object must contain a Type member."
        )
    unknown = [member for member in declared if member not in _RESOURCE_MEMBERS]
    if unknown:
        raise validation_error(f"Invalid template resource property '{unknown[0]}'")
    for member in ("CreationPolicy", "UpdatePolicy"):
        if declared.get(member):
            raise NotImplementedByCloudlet(f"{member} (resource {name})")
    properties = declared.get("Properties") or {}
    if not isinstance(properties, dict):
        raise validation_error(f"Template format error: [/Resources/{name}/Properties] must be an object.")
    condition = declared.get("Condition")
    return Definition(
        logical_id=name,
        type=kind,
        properties=cast("dict[str, Any]", properties),
        condition=condition if isinstance(condition, str) else None,
        depends_on=tuple(_depends_on(name, declared.get("DependsOn"))),
        deletion_policy=_policy(name, declared, "DeletionPolicy"),
        update_replace_policy=_policy(name, declared, "UpdateReplacePolicy"),
        metadata=declared.get("Metadata"),
    )


def _depends_on(name: str, value: Any) -> Iterator[str]:
    names = [value] if isinstance(value, str) else value or []
    if not isinstance(names, list) or not all(isinstance(each, str) for each in cast("list[Any]", names)):
        raise validation_error(
            f"Template format error: [/Resources/{name}/DependsOn] must be a string or a list of strings."
        )
    yield from cast("list[str]", names)


def _policy(name: str, declared: dict[str, Any], member: str) -> str:
    policy = declared.get(member, "Delete")
    if policy not in _DELETION_POLICIES:
        raise validation_error(f"Template error: {member} of resource {name} is not one of {list(_DELETION_POLICIES)}")
    if policy == "Snapshot":
        # Of volumes, clusters and databases, none of which is here.
        raise validation_error(f"Template error: resource type {declared['Type']} does not support {member} Snapshot")
    return cast("str", policy)


def _transforms(declared: Any) -> Iterator[str]:
    for each in [declared] if isinstance(declared, str) else declared or []:
        name = cast("dict[str, Any]", each).get("Name") if isinstance(each, dict) else each
        if not isinstance(name, str) or (each is not name and name != INCLUDE):
            raise NotImplementedByCloudlet("transforms with parameters")
        yield name
