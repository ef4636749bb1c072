"""The difference between a stack's resources and what a new deployment would make of them."""

from collections.abc import Iterator, Mapping
from typing import Any, cast

from cloudlet.services.cloudformation.errors import validation_error
from cloudlet.services.cloudformation.intrinsics import UNKNOWN, function_of, is_unknown
from cloudlet.services.cloudformation.plan import Plan
from cloudlet.services.cloudformation.records import Deployment, Resource
from cloudlet.services.cloudformation.resources import resource_type
from cloudlet.services.cloudformation.template import Template, read

Change = dict[str, Any]


class Forecast(Plan):
    """A plan that is only looked at: what does not exist yet, or will be made anew, has unknown values."""

    unknown: set[str]

    def ref(self, logical_id: str) -> Any:
        return UNKNOWN if self._is_unknown(logical_id) else super().ref(logical_id)

    def attribute(self, logical_id: str, name: str) -> Any:
        return UNKNOWN if self._is_unknown(logical_id) else super().attribute(logical_id, name)

    def _is_unknown(self, logical_id: str) -> bool:
        return logical_id in getattr(self, "unknown", set()) or logical_id not in self.resources

    def forecast_properties(self, logical_id: str) -> dict[str, Any]:
        """Like `properties`, with UNKNOWN in the place of each property that depends on something unknown."""
        kind = self.kind(logical_id)
        values = self.evaluator.value(self.definition(logical_id).properties)
        known = {name: UNKNOWN if is_unknown(each) else each for name, each in values.items()}
        if known.get("Tags") is UNKNOWN:
            return known
        return kind.with_stack_tags(known, self.deployment.tags)


def changes(plan: Forecast, previous: Deployment | None) -> list[Change]:
    """Each as DescribeChangeSet gives it, in the order in which things would be done."""
    plan.unknown = set()
    old = read(previous.body) if previous is not None else None
    existing = {name: each for name, each in plan.resources.items() if each.exists}
    found: list[Change] = []
    for name in _in_order(plan.graph):
        definition = plan.definition(name)
        resource = existing.get(name)
        if resource is None:
            plan.forecast_properties(name)
            plan.unknown.add(name)
            found.append({"Action": "Add", "LogicalResourceId": name, "ResourceType": definition.type, "Scope": []})
            continue
        if resource.type != definition.type:
            raise validation_error(
                "Update of resource type is not permitted. The new template modifies resource type of the following "
                f"resources: [{name}]"
            )
        details = list(_details(plan, resource, old, previous))
        if details:
            found.append(_modification(plan, resource, details))
    found += [_removal(each) for name, each in existing.items() if name not in plan.graph]
    return [{"Type": "Resource", "ResourceChange": each | {"Details": each.get("Details", [])}} for each in found]


def has_other_changes(plan: Forecast, previous: Deployment) -> bool:
    """Whether something beside resources differs that an update carries out: outputs, tags, policies of deletion."""
    old = read(previous.body)
    return (
        plan.template.outputs != old.outputs
        or plan.deployment.tags != previous.tags
        or _outlines(plan.template) != _outlines(old)
        or (_parameters_in_outputs(plan.template) and plan.deployment.parameters != previous.parameters)
    )


def _outlines(template: Template) -> dict[str, Any]:
    return {
        name: (each.deletion_policy, each.update_replace_policy, each.metadata)
        for name, each in template.resources.items()
    }


def _parameters_in_outputs(template: Template) -> bool:
    named = {name for output in template.outputs.values() for name in _names(output)}
    return bool(named & template.parameters.keys()) or any("Condition" in each for each in template.outputs.values())


def _in_order(graph: Mapping[str, frozenset[str]]) -> Iterator[str]:
    done: set[str] = set()
    while len(done) < len(graph):
        ready = [name for name, needs in graph.items() if name not in done and needs <= done]
        yield from ready
        done.update(ready)


def _details(plan: Forecast, resource: Resource, old: Template | None, previous: Deployment | None) -> Iterator[Change]:
    kind = resource_type(resource.type)
    name = resource.logical_id
    after = plan.forecast_properties(name)
    declared = plan.definition(name).properties
    for key in sorted(resource.properties.keys() | after.keys()):
        value = after.get(key)
        if value is not UNKNOWN and value == resource.properties.get(key):
            continue
        target = {
            "Attribute": "Tags" if key == "Tags" else "Properties",
            "RequiresRecreation": "Always" if key in kind.immutable else "Never",
        }
        if key != "Tags":
            target["Name"] = key
        before = old.resources[name].properties.get(key) if old is not None and name in old.resources else None
        source = _source(declared.get(key), before, plan, previous)
        yield {"Target": target, "Evaluation": "Dynamic" if value is UNKNOWN else "Static", **source}


def _source(node: Any, before: Any, plan: Forecast, previous: Deployment | None) -> dict[str, str]:
    """Why a property changes: the template itself, a parameter, or another resource."""
    if node != before:
        return {"ChangeSource": "DirectModification"}
    for name in _names(node):
        given = plan.deployment.parameters.get(name)
        if previous is not None and given is not None and previous.parameters.get(name) != given:
            return {"ChangeSource": "ParameterReference", "CausingEntity": name}
        if name in plan.unknown:
            return {"ChangeSource": "ResourceReference", "CausingEntity": name}
    return {"ChangeSource": "DirectModification"}


def _names(node: Any) -> Iterator[str]:
    """The names that Ref and Fn::GetAtt mention anywhere below."""
    call = function_of(node)
    if call is not None and call[0] == "Ref":
        yield str(call[1])
    elif call is not None and call[0] == "Fn::GetAtt":
        yield str(call[1].split(".")[0] if isinstance(call[1], str) else call[1][0])
    elif isinstance(node, dict):
        for each in cast("dict[str, Any]", node).values():
            yield from _names(each)
    elif isinstance(node, list):
        for each in cast("list[Any]", node):
            yield from _names(each)


def _modification(plan: Forecast, resource: Resource, details: list[Change]) -> Change:
    recreated = [each for each in details if each["Target"]["RequiresRecreation"] == "Always"]
    replacement = "False"
    if recreated:
        replacement = "True" if any(each["Evaluation"] == "Static" for each in recreated) else "Conditional"
        plan.unknown.add(resource.logical_id)
    return {
        "Action": "Modify",
        "LogicalResourceId": resource.logical_id,
        "PhysicalResourceId": resource.physical_id,
        "ResourceType": resource.type,
        "Replacement": replacement,
        "Scope": sorted({each["Target"]["Attribute"] for each in details}),
        "Details": details,
    }


def _removal(resource: Resource) -> Change:
    change = {
        "Action": "Remove",
        "LogicalResourceId": resource.logical_id,
        "PhysicalResourceId": resource.physical_id,
        "ResourceType": resource.type,
        "Scope": [],
    }
    if resource.deletion_policy != "Delete":
        change["PolicyAction"] = resource.deletion_policy
    return change
