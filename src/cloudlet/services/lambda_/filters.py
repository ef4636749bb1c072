"""Filter criteria of event source mappings: event patterns, compiled once and matched against records."""

import operator
from collections.abc import Callable, Mapping
from typing import Any

import orjson

from cloudlet.services.lambda_.configuration import invalid

Matcher = Callable[[Any], bool]
_MISSING: Any = object()
_COMPARISONS: dict[str, Callable[[float, float], bool]] = {
    "=": operator.eq,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_MOST_FILTERS = 5
_LONGEST_PATTERN = 4096


def compile_filters(criteria: Mapping[str, Any] | None) -> Matcher:
    """Whether a record matches any of the patterns; every record does where there is none.

    Raises InvalidParameterValueException.
    """
    filters = (criteria or {}).get("Filters", [])
    if len(filters) > _MOST_FILTERS:
        raise invalid(f"An event source mapping may have {_MOST_FILTERS} filters.")
    matchers = [_compile_text(entry["Pattern"]) for entry in filters if entry.get("Pattern")]
    if not matchers:
        return lambda record: True
    return lambda record: any(matches(record) for matches in matchers)


def _compile_text(text: str) -> Matcher:
    if len(text) > _LONGEST_PATTERN:
        raise invalid("Filter pattern is too long.")
    try:
        pattern = orjson.loads(text)
    except orjson.JSONDecodeError:
        raise _bad_pattern() from None
    if not isinstance(pattern, dict):
        raise _bad_pattern()
    return _compile_object(pattern)


def _compile_object(pattern: Mapping[str, Any]) -> Matcher:
    """All members must match; with `$or`, one of its alternatives too."""
    members: list[tuple[str, Matcher]] = []
    alternatives: list[Matcher] = []
    for name, rule in pattern.items():
        if name == "$or" and isinstance(rule, list):
            alternatives = [_compile_object(alternative) for alternative in rule]
        elif isinstance(rule, dict):
            members.append((name, _compile_object(rule)))
        elif isinstance(rule, list) and rule:
            members.append((name, _compile_values(rule)))
        else:
            raise _bad_pattern()

    def matches(value: Any) -> bool:
        content: Mapping[str, Any] = value if isinstance(value, dict) else {}
        if alternatives and not any(alternative(content) for alternative in alternatives):
            return False
        return all(matcher(content.get(name, _MISSING)) for name, matcher in members)

    return matches


def _compile_values(rules: list[Any]) -> Matcher:
    matchers = [_compile_value(rule) for rule in rules]

    def matches(value: Any) -> bool:
        if isinstance(value, list):
            return any(matcher(element) for matcher in matchers for element in value)
        return any(matcher(value) for matcher in matchers)

    return matches


def _compile_value(rule: Any) -> Matcher:
    if not isinstance(rule, dict):
        return lambda value: value is not _MISSING and type(value) is type(rule) and value == rule
    if len(rule) != 1:
        raise _bad_pattern()
    [(kind, operand)] = rule.items()
    match kind, operand:
        case "exists", bool():
            return lambda value: (value is not _MISSING) == operand
        case "prefix", str():
            return lambda value: isinstance(value, str) and value.startswith(operand)
        case "suffix", str():
            return lambda value: isinstance(value, str) and value.endswith(operand)
        case "equals-ignore-case", str():
            return lambda value: isinstance(value, str) and value.casefold() == operand.casefold()
        case "anything-but", _:
            return _compile_anything_but(operand)
        case "numeric", list():
            return _compile_numeric(operand)
        case _:
            raise _bad_pattern()


def _compile_anything_but(operand: Any) -> Matcher:
    rules = operand if isinstance(operand, list) else [operand]
    matchers = [_compile_value(rule) for rule in rules]
    return lambda value: value is not _MISSING and not any(matcher(value) for matcher in matchers)


def _compile_numeric(operand: list[Any]) -> Matcher:
    if len(operand) not in (2, 4):
        raise _bad_pattern()
    bounds: list[tuple[Callable[[float, float], bool], float]] = []
    for comparison, bound in zip(operand[::2], operand[1::2], strict=True):
        if comparison not in _COMPARISONS or isinstance(bound, bool) or not isinstance(bound, int | float):
            raise _bad_pattern()
        bounds.append((_COMPARISONS[comparison], bound))

    def matches(value: Any) -> bool:
        if isinstance(value, bool) or not isinstance(value, int | float):
            return False
        return all(compare(value, bound) for compare, bound in bounds)

    return matches


def _bad_pattern() -> Exception:
    return invalid("Invalid filter pattern definition.")
