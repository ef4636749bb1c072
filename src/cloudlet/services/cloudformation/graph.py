"""What depends on what among a template's resources."""

from collections.abc import Iterator, Mapping
from typing import Any, cast

from cloudlet.services.cloudformation.errors import validation_error
from cloudlet.services.cloudformation.intrinsics import Evaluator, function_of
from cloudlet.services.cloudformation.template import Template
from cloudlet.services.cloudformation.variables import variables_of


def references(node: Any, evaluator: Evaluator) -> Iterator[str]:
    """The logical ids that an expression refers to, along the branches that its Fn::If take."""
    call = function_of(node)
    if call is not None:
        yield from _call_references(*call, evaluator)
    elif isinstance(node, dict):
        for each in cast("dict[str, Any]", node).values():
            yield from references(each, evaluator)
    elif isinstance(node, list):
        for each in cast("list[Any]", node):
            yield from references(each, evaluator)


def _call_references(name: str, argument: Any, evaluator: Evaluator) -> Iterator[str]:
    if name == "Ref":
        yield from (argument,) if isinstance(argument, str) else ()
    elif name == "Fn::GetAtt":
        parts = argument.split(".", 1) if isinstance(argument, str) else argument
        if isinstance(parts, list) and parts and isinstance(parts[0], str):
            yield parts[0]
            yield from references(cast("list[Any]", parts)[1:], evaluator)
    elif name == "Fn::Sub":
        own: dict[str, Any] = (
            argument[1] if isinstance(argument, list) and len(cast("list[Any]", argument)) == 2 else {}
        )
        text = argument if isinstance(argument, str) else cast("list[Any]", argument)[0]
        yield from (variable.split(".", 1)[0] for variable in variables_of(text) if variable not in own)
        yield from references(own, evaluator)
    elif name == "Fn::If":
        yield from references(evaluator.branch(argument), evaluator)
    else:
        yield from references(argument, evaluator)


def dependencies(template: Template, evaluator: Evaluator) -> dict[str, frozenset[str]]:
    """For each resource whose condition holds, the resources that must exist before it.

    Raises ValidationError for a name that is nobody's, and for a circle.
    """
    existing = [name for name in template.resources if evaluator.exists(name)]
    graph: dict[str, frozenset[str]] = {}
    for name in existing:
        definition = template.resources[name]
        for wanted in definition.depends_on:
            if wanted not in template.resources:
                raise validation_error(
                    f"Template format error: Unresolved resource dependencies [{wanted}] in the Resources block of the "
                    "template"
                )
        found = set(definition.depends_on) | set(references(definition.properties, evaluator))
        graph[name] = frozenset(found & set(existing) - {name})
        if name in found:
            raise validation_error(f"Circular dependency between resources: [{name}]")
    check_acyclic(graph)
    return graph


def check_acyclic(graph: Mapping[str, frozenset[str]]) -> None:
    """Raises ValidationError that names the resources which wait for each other."""
    left = dict(graph)
    while True:
        free = [name for name, needs in left.items() if not needs & left.keys()]
        if not free:
            break
        for name in free:
            del left[name]
    if left:
        raise validation_error(f"Circular dependency between resources: [{', '.join(sorted(left))}]")
