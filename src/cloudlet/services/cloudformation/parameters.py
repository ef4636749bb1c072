"""Parameters: declared in the template, given by the caller, checked by the declaration's rules."""

import re
from collections.abc import Iterable, Mapping
from typing import Any, cast

from cloudlet.core.errors import NotImplementedByCloudlet
from cloudlet.services.cloudformation.errors import validation_error
from cloudlet.services.cloudformation.intrinsics import text
from cloudlet.services.cloudformation.template import Template

HIDDEN = "****"
_NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?")
_LISTS = ("CommaDelimitedList", "List<Number>", "List<String>")


def resolve(
    template: Template, given: Iterable[Mapping[str, Any]], previous: Mapping[str, str] | None = None
) -> dict[str, str]:
    """The value of every parameter as text: given, previous (UsePreviousValue) or default.

    Raises ValidationError for those that are missing, unknown, or against the declaration.
    """
    values: dict[str, str] = {}
    names = {each["ParameterKey"] for each in given}
    unknown = [name for name in names if name not in template.parameters]
    if unknown:
        raise validation_error(f"Parameters: [{', '.join(sorted(unknown))}] do not exist in the template")
    for each in given:
        key = each["ParameterKey"]
        if each.get("UsePreviousValue"):
            if previous is None or key not in previous:
                raise validation_error(
                    f"Invalid input for parameter key {key}. Cannot specify "
                    "usePreviousValue as true for a parameter key not in the previous template"
                )
            values[key] = previous[key]
        else:
            values[key] = each.get("ParameterValue", "")
    for key, declared in template.parameters.items():
        if key not in values and "Default" in declared:
            values[key] = _default(declared["Default"])
    missing = [name for name in template.parameters if name not in values]
    if missing:
        raise validation_error(f"Parameters: [{', '.join(missing)}] must have values")
    for key, declared in template.parameters.items():
        _check(key, declared, values[key])
    return {key: values[key] for key in template.parameters}


def typed(template: Template, values: Mapping[str, str]) -> dict[str, Any]:
    """The values as Ref gives them: lists for list types, else texts."""
    return {
        key: [each.strip() for each in value.split(",")] if template.parameters[key]["Type"] in _LISTS else value
        for key, value in values.items()
        if key in template.parameters
    }


def shown(template: Template, values: Mapping[str, str]) -> list[dict[str, str]]:
    """The values as descriptions show them: those with NoEcho hidden."""
    return [
        {"ParameterKey": key, "ParameterValue": HIDDEN if _no_echo(template.parameters.get(key, {})) else value}
        for key, value in values.items()
    ]


def hidden(template: Template, values: Mapping[str, str]) -> frozenset[str]:
    """The values that nothing may show."""
    return frozenset(value for key, value in values.items() if value and _no_echo(template.parameters.get(key, {})))


def declarations(template: Template, *, full: bool) -> list[dict[str, Any]]:
    """What the template declares, as GetTemplateSummary (`full`) and ValidateTemplate tell it."""
    found: list[dict[str, Any]] = []
    for key, declared in template.parameters.items():
        row: dict[str, Any] = {"ParameterKey": key, "NoEcho": _no_echo(declared)}
        if "Default" in declared:
            row["DefaultValue"] = _default(declared["Default"])
        if "Description" in declared:
            row["Description"] = str(declared["Description"])
        if full:
            row["ParameterType"] = declared["Type"]
            allowed = declared.get("AllowedValues")
            row["ParameterConstraints"] = {"AllowedValues": [text(each) for each in allowed]} if allowed else {}
        found.append(row)
    return found


def _no_echo(declared: Mapping[str, Any]) -> bool:
    return text(declared.get("NoEcho", False)).lower() == "true"


def resolve_default(declared: Mapping[str, Any]) -> str:
    """The default of a declaration that has one, as text."""
    return _default(declared["Default"])


def _default(value: Any) -> str:
    return ",".join(text(each) for each in cast("list[Any]", value)) if isinstance(value, list) else text(value)


def _check(key: str, declared: Mapping[str, Any], value: str) -> None:
    kind = declared["Type"]
    if kind.startswith(("AWS::", "List<AWS::")):
        raise NotImplementedByCloudlet(f"the parameter type {kind} (parameter {key})")
    if kind not in (*_LISTS, "String", "Number"):
        raise validation_error(f"Template format error: Unrecognized parameter type: {kind}")
    each_value = [item.strip() for item in value.split(",")] if kind in _LISTS else [value]
    if kind in ("Number", "List<Number>") and not all(_NUMBER.fullmatch(item) for item in each_value):
        raise validation_error(f"Parameter '{key}' must be a number")
    for item in each_value:
        _check_rules(key, declared, kind, item)


def _check_rules(key: str, declared: Mapping[str, Any], kind: str, value: str) -> None:
    def fail(rule: str) -> None:
        words = declared.get("ConstraintDescription")
        raise validation_error(
            f"Parameter {key} failed to satisfy constraint: {words}" if words else f"Parameter '{key}' must {rule}"
        )

    allowed = declared.get("AllowedValues")
    if allowed is not None and value not in [text(each) for each in allowed]:
        fail(f"be one of AllowedValues: [{', '.join(text(each) for each in allowed)}]")
    pattern = declared.get("AllowedPattern")
    if pattern is not None and re.fullmatch(pattern, value) is None:
        fail(f"match pattern {pattern}")
    if "MinLength" in declared and len(value) < int(declared["MinLength"]):
        fail(f"contain at least {declared['MinLength']} characters")
    if "MaxLength" in declared and len(value) > int(declared["MaxLength"]):
        fail(f"contain at most {declared['MaxLength']} characters")
    if kind in ("Number", "List<Number>"):
        if "MinValue" in declared and float(value) < float(declared["MinValue"]):
            fail(f"be a number not less than {declared['MinValue']}")
        if "MaxValue" in declared and float(value) > float(declared["MaxValue"]):
            fail(f"be a number not greater than {declared['MaxValue']}")
