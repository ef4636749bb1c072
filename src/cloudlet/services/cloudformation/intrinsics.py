"""The intrinsic functions: what a template's expressions come to, given parameters and resources."""

import base64
import ipaddress
import json
import re
from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Protocol, cast

from cloudlet.core.errors import NotImplementedByCloudlet
from cloudlet.services.cloudformation.errors import validation_error
from cloudlet.services.cloudformation.template import Template
from cloudlet.services.cloudformation.variables import VARIABLE

_ZONES = "abc"

JSON = Any


class _Marker:
    """A value that is none: told apart by identity."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __repr__(self) -> str:
        return self._name


NO_VALUE = _Marker("AWS::NoValue")
# The value of something that does not exist yet: change sets are worked out before anything is made.
UNKNOWN = _Marker("known after apply")


class ResourceValues(Protocol):
    """What resources answer to Ref and Fn::GetAtt."""

    def ref(self, logical_id: str) -> JSON: ...

    def attribute(self, logical_id: str, name: str) -> JSON: ...


def function_of(node: JSON) -> tuple[str, JSON] | None:
    """The name and argument of a node that is a function call, else None."""
    if isinstance(node, dict) and len(cast("dict[str, JSON]", node)) == 1:
        ((name, argument),) = cast("dict[str, JSON]", node).items()
        if name in ("Ref", "Condition") or name.startswith("Fn::"):
            return name, argument
    return None


def is_unknown(value: JSON) -> bool:
    """Whether some part of the value does not exist yet."""
    if isinstance(value, dict):
        return any(is_unknown(each) for each in cast("dict[str, JSON]", value).values())
    if isinstance(value, list):
        return any(is_unknown(each) for each in cast("list[JSON]", value))
    return value is UNKNOWN


def text(value: JSON) -> str:
    """A scalar as CloudFormation writes it into a string."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


class Evaluator:
    """Evaluates expressions of one template.

    `parameters` are the typed values (lists for list types) together with the pseudo parameters; `resources` answers
    for those that exist; `exported` gives the value of an export of another stack.
    """

    def __init__(
        self,
        template: Template,
        parameters: Mapping[str, JSON],
        resources: ResourceValues,
        exported: Callable[[str], JSON],
    ) -> None:
        self._template = template
        self._parameters = parameters
        self._resources = resources
        self._exported = exported
        self._conditions: dict[str, bool] = {}
        self._evaluating: set[str] = set()

    def value(self, node: JSON) -> JSON:
        """What the node comes to; NO_VALUE members are left out of objects and lists."""
        call = function_of(node)
        if call is not None:
            return self._call(*call)
        if isinstance(node, dict):
            members = {key: self.value(each) for key, each in cast("dict[str, JSON]", node).items()}
            return {key: each for key, each in members.items() if each is not NO_VALUE}
        if isinstance(node, list):
            items = [self.value(each) for each in cast("list[JSON]", node)]
            return [each for each in items if each is not NO_VALUE]
        return node

    def condition(self, name: JSON) -> bool:
        """The truth of a condition of the template."""
        if name not in self._template.conditions:
            raise validation_error(f"Template format error: Unresolved condition dependency {name}")
        if name not in self._conditions:
            if name in self._evaluating:
                raise validation_error(f"Template format error: Circular dependency in condition {name}")
            self._evaluating.add(name)
            self._conditions[name] = self._truth(self._template.conditions[name])
            self._evaluating.discard(name)
        return self._conditions[name]

    def branch(self, argument: JSON) -> JSON:
        """The branch that an Fn::If takes, not evaluated."""
        if not isinstance(argument, list) or len(cast("list[JSON]", argument)) != 3:
            raise validation_error("Template error: Fn::If requires a list argument with three elements")
        name, yes, no = cast("list[JSON]", argument)
        return yes if self.condition(name) else no

    def exists(self, logical_id: str) -> bool:
        """Whether the template declares the resource and its condition holds."""
        definition = self._template.resources.get(logical_id)
        return definition is not None and (definition.condition is None or self.condition(definition.condition))

    def _truth(self, node: JSON) -> bool:
        call = function_of(node)
        value = self._call(*call) if call is not None else node
        if isinstance(value, bool):
            return value
        if value in ("true", "false"):
            return value == "true"
        raise validation_error("Template format error: Every Conditions member must be a condition function.")

    def _call(self, name: str, argument: JSON) -> JSON:
        if name == "Condition":
            # A resource attribute of that name holds a text; elsewhere it names a condition.
            return self.condition(argument) if isinstance(argument, str) else {name: self.value(argument)}
        function = self._functions.get(name)
        if function is None:
            raise validation_error(f"Template error: Unrecognized intrinsic function {name}")
        return function(self, argument)

    def _ref(self, name: JSON) -> JSON:
        if name == "AWS::NoValue":
            return NO_VALUE
        if name in self._parameters:
            return self._parameters[name]
        if not isinstance(name, str) or not self.exists(name):
            raise _unresolved(name)
        return self._resources.ref(name)

    def _get_att(self, argument: JSON) -> JSON:
        parts: list[JSON] = argument.split(".", 1) if isinstance(argument, str) else argument
        if not isinstance(parts, list) or len(parts) != 2 or not isinstance(parts[0], str):
            raise validation_error(
                "Template error: every Fn::GetAtt object requires two non-empty parameters, "
                "the resource name and the resource attribute"
            )
        attribute = self.value(parts[1])
        if not self.exists(parts[0]):
            raise validation_error(f"Template error: instance of Fn::GetAtt references undefined resource {parts[0]}")
        return self._resources.attribute(parts[0], text(attribute))

    def _sub(self, argument: JSON) -> JSON:
        template, variables = _sub_parts(argument)
        values = {key: self.value(each) for key, each in variables.items()}
        unknown = False

        def substitute(match: re.Match[str]) -> str:
            nonlocal unknown
            name = match[1]
            if name.startswith("!"):
                return "${" + name[1:] + "}"
            if name in values:
                value = values[name]
            elif name in self._parameters or "." not in name:
                value = self._ref(name)
            else:
                value = self._get_att(name)
            if is_unknown(value):
                unknown = True
                return ""
            if isinstance(value, dict | list):
                raise validation_error(
                    f"Template error: variable {name} in Fn::Sub expression does not resolve to a string"
                )
            return text(value)

        result = VARIABLE.sub(substitute, template)
        return UNKNOWN if unknown else result

    def _join(self, argument: JSON) -> JSON:
        parts = cast("list[JSON]", argument if isinstance(argument, list) else [])
        values = self.value(parts[1]) if len(parts) == 2 else None
        if values is UNKNOWN or (isinstance(values, list) and is_unknown(values)):
            return UNKNOWN
        if len(parts) != 2 or not isinstance(parts[0], str) or not _is_list_of_scalars(values):
            raise validation_error(
                "Template error: every Fn::Join object requires two parameters, (1) a string delimiter and (2) a "
                "list of strings to be joined or a function that returns a list of strings (such as Fn::GetAZs) to be "
                "joined."
            )
        return parts[0].join(text(each) for each in cast("list[JSON]", values))

    def _select(self, argument: JSON) -> JSON:
        parts = cast("list[JSON]", argument if isinstance(argument, list) else [])
        if len(parts) != 2:
            raise validation_error(
                "Template error: Fn::Select requires a list argument with two elements: an integer index and a list"
            )
        index, values = self.value(parts[0]), self.value(parts[1])
        if values is UNKNOWN or index is UNKNOWN:
            return UNKNOWN
        if not isinstance(values, list) or not re.fullmatch(r"\d+", text(index)):
            raise validation_error(
                "Template error: Fn::Select requires a list argument with two elements: an integer index and a list"
            )
        if int(index) >= len(cast("list[JSON]", values)):
            raise validation_error(f"Template error: Fn::Select  cannot select nonexistent value at index {index}")
        return cast("list[JSON]", values)[int(index)]

    def _split(self, argument: JSON) -> JSON:
        parts = cast("list[JSON]", argument if isinstance(argument, list) else [])
        source = self.value(parts[1]) if len(parts) == 2 else None
        if source is UNKNOWN:
            return UNKNOWN
        if len(parts) != 2 or not isinstance(parts[0], str) or not parts[0] or not isinstance(source, str):
            raise validation_error(
                "Template error: every Fn::Split object requires two parameters, (1) a string delimiter and "
                "(2) a string to be split or a function that returns a string to be split."
            )
        return source.split(parts[0])

    def _if(self, argument: JSON) -> JSON:
        return self.value(self.branch(argument))

    def _equals(self, argument: JSON) -> JSON:
        if not isinstance(argument, list) or len(cast("list[JSON]", argument)) != 2:
            raise validation_error("Template error: Fn::Equals requires a list argument with two elements")
        first, second = self.value(argument)
        if isinstance(first, dict | list) or isinstance(second, dict | list):
            return first == second
        return text(first) == text(second)

    def _operands(self, name: str, argument: JSON, least: int, most: int) -> list[bool]:
        if not isinstance(argument, list) or not least <= len(cast("list[JSON]", argument)) <= most:
            raise validation_error(
                f"Template error: every {name} object requires a list of {least} to {most} conditions"
            )
        return [self._truth(each) for each in cast("list[JSON]", argument)]

    def _and(self, argument: JSON) -> JSON:
        return all(self._operands("Fn::And", argument, 2, 10))

    def _or(self, argument: JSON) -> JSON:
        return any(self._operands("Fn::Or", argument, 2, 10))

    def _not(self, argument: JSON) -> JSON:
        return not self._operands("Fn::Not", argument, 1, 1)[0]

    def _find_in_map(self, argument: JSON) -> JSON:
        parts = cast("list[JSON]", argument if isinstance(argument, list) else [])
        if len(parts) not in (3, 4):
            raise validation_error("Template error: every Fn::FindInMap object requires three parameters")
        name, first, second = (self.value(each) for each in parts[:3])
        found: JSON = self._template.mappings
        for key in (name, first, second):
            found = cast("dict[str, JSON]", found).get(text(key)) if isinstance(found, dict) else None
        if found is None and len(parts) == 4 and isinstance(parts[3], dict) and "DefaultValue" in parts[3]:
            return self.value(cast("dict[str, JSON]", parts[3])["DefaultValue"])
        if found is None:
            raise validation_error(f"Template error: Unable to get mapping for {name}::{first}::{second}")
        return found

    def _base64(self, argument: JSON) -> JSON:
        value = self.value(argument)
        if value is UNKNOWN:
            return UNKNOWN
        if isinstance(value, dict | list):
            raise validation_error("Template error: every Fn::Base64 object must have a String-typed value.")
        return base64.b64encode(text(value).encode()).decode()

    def _cidr(self, argument: JSON) -> JSON:
        parts = self.value(argument)
        if is_unknown(parts):
            return UNKNOWN
        try:
            block = ipaddress.ip_network(parts[0])
            count, bits = int(parts[1]), int(parts[2]) if len(parts) > 2 else 8
            subnets = block.subnets(new_prefix=block.max_prefixlen - bits)
            return [str(next(subnets)) for _ in range(count)]
        except (ValueError, TypeError, IndexError, StopIteration):
            raise validation_error("Template error: Fn::Cidr cannot make these blocks.") from None

    def _get_azs(self, argument: JSON) -> JSON:
        region = self.value(argument) or self._parameters["AWS::Region"]
        return [f"{region}{zone}" for zone in _ZONES]

    def _import_value(self, argument: JSON) -> JSON:
        name = self.value(argument)
        return UNKNOWN if name is UNKNOWN else self._exported(text(name))

    def _to_json_string(self, argument: JSON) -> JSON:
        value = self.value(argument)
        return UNKNOWN if is_unknown(value) else json.dumps(value, separators=(",", ":"))

    def _length(self, argument: JSON) -> JSON:
        value = self.value(argument)
        if value is UNKNOWN:
            return UNKNOWN
        if not isinstance(value, list):
            raise validation_error("Template error: Fn::Length requires a list")
        return len(cast("list[JSON]", value))

    def _transform(self, argument: JSON) -> JSON:
        name = cast("dict[str, JSON]", argument).get("Name") if isinstance(argument, dict) else argument
        raise NotImplementedByCloudlet(f"the transform {name}")

    _functions: ClassVar[dict[str, Callable[["Evaluator", JSON], JSON]]] = {
        "Ref": _ref,
        "Fn::GetAtt": _get_att,
        "Fn::Sub": _sub,
        "Fn::Join": _join,
        "Fn::Select": _select,
        "Fn::Split": _split,
        "Fn::If": _if,
        "Fn::Equals": _equals,
        "Fn::And": _and,
        "Fn::Or": _or,
        "Fn::Not": _not,
        "Fn::FindInMap": _find_in_map,
        "Fn::Base64": _base64,
        "Fn::Cidr": _cidr,
        "Fn::GetAZs": _get_azs,
        "Fn::ImportValue": _import_value,
        "Fn::ToJsonString": _to_json_string,
        "Fn::Length": _length,
        "Fn::Transform": _transform,
    }


def _sub_parts(argument: JSON) -> tuple[str, dict[str, JSON]]:
    if isinstance(argument, str):
        return argument, {}
    if isinstance(argument, list):
        parts = cast("list[JSON]", argument)
        if len(parts) == 2 and isinstance(parts[0], str) and isinstance(parts[1], dict):
            return parts[0], cast("dict[str, JSON]", parts[1])
    raise validation_error(
        "Template error: One or more Fn::Sub intrinsic functions don't specify expected arguments. Specify a string as "
        "first argument, and an optional second argument to specify a mapping of values to replace in the string"
    )


def _is_list_of_scalars(value: JSON) -> bool:
    return isinstance(value, list) and not any(isinstance(each, dict | list) for each in cast("list[JSON]", value))


def _unresolved(name: JSON) -> Exception:
    return validation_error(
        f"Template format error: Unresolved resource dependencies [{name}] in the Resources block of the template"
    )
