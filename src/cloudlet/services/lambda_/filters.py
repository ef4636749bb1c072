"""Filter criteria of event source mappings: event patterns, with Lambda's own limits and errors."""

from collections.abc import Callable, Mapping
from typing import Any

from cloudlet.core.event_patterns import EventPattern, InvalidPattern, compile_pattern, fields_of
from cloudlet.services.lambda_.configuration import invalid

Matcher = Callable[[Mapping[str, Any]], bool]
_MOST_FILTERS = 5
_LONGEST_PATTERN = 4096


def compile_filters(criteria: Mapping[str, Any] | None) -> Matcher:
    """Whether a record matches any of the patterns; every record does where there is none.

    Raises InvalidParameterValueException.
    """
    filters = (criteria or {}).get("Filters", [])
    if len(filters) > _MOST_FILTERS:
        raise invalid(f"An event source mapping may have {_MOST_FILTERS} filters.")
    patterns = [_compile(entry["Pattern"]) for entry in filters if entry.get("Pattern")]
    if not patterns:
        return lambda record: True
    steps = frozenset[str]().union(*(pattern.steps for pattern in patterns))

    def matches(record: Mapping[str, Any]) -> bool:
        fields = fields_of(record, steps)
        return any(pattern.matches(fields) for pattern in patterns)

    return matches


def _compile(text: str) -> EventPattern:
    if len(text) > _LONGEST_PATTERN:
        raise invalid("Filter pattern is too long.")
    try:
        return compile_pattern(text)
    except InvalidPattern:
        raise invalid("Invalid filter pattern definition.") from None
