"""Which rules of a bus an event matches: only those whose pattern may want its source or its type are tried."""

from collections.abc import Iterable, Mapping
from typing import Any

from cloudlet.core.event_patterns import fields_of
from cloudlet.services.events.rules import Rule

# The fields by whose values rules are looked up, in this order of preference.
_KEYS = ("source", "detail-type")


class RuleIndex:
    """The rules of one bus that are enabled and have a pattern."""

    def __init__(self, rules: Iterable[Rule]) -> None:
        self._by_value: dict[str, dict[str, list[Rule]]] = {key: {} for key in _KEYS}
        self._others: list[Rule] = []
        steps: set[str] = set()
        for rule in rules:
            if rule.enabled and rule.pattern is not None:
                steps |= rule.pattern.steps
                self._add(rule)
        self._steps = frozenset(steps)

    def matching(self, event: Mapping[str, Any]) -> list[Rule]:
        """In the order in which the rules were made."""
        candidates = list(self._others)
        for key, rules in self._by_value.items():
            candidates += rules.get(event[key], ())
        if not candidates:
            return []
        fields = fields_of(event, self._steps)
        found = [rule for rule in candidates if rule.pattern is not None and rule.pattern.matches(fields)]
        return sorted(found, key=lambda rule: rule.id)

    def _add(self, rule: Rule) -> None:
        assert rule.pattern is not None
        for key in _KEYS:
            values = rule.pattern.strings_at(key)
            if values is not None:
                for value in values:
                    self._by_value[key].setdefault(value, []).append(rule)
                return
        self._others.append(rule)
