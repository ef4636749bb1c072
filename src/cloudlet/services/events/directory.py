"""All buses and rules in memory, as committed: where each event looks them up."""

from collections.abc import Iterable

from cloudlet.services.events.buses import EventBus, all_buses
from cloudlet.services.events.faults import bus_not_found, rule_not_found
from cloudlet.services.events.matching import RuleIndex
from cloudlet.services.events.names import DEFAULT, bus_name, rule_name
from cloudlet.services.events.rules import Rule, all_rules
from cloudlet.store import Reader, Transaction

_NO_RULES = RuleIndex(())


class Directory:
    """Changes come in by the `…_after` methods, after the commit of the row."""

    def __init__(self, reader: Reader) -> None:
        self._buses = {bus.arn: bus for bus in all_buses(reader)}
        self._rules: dict[str, Rule] = {}
        self._of_bus: dict[str, dict[str, Rule]] = {}
        self._indexes: dict[str, RuleIndex] = {}
        for rule in all_rules(reader):
            self._put_rule(rule)

    def find_bus(self, arn: str) -> EventBus | None:
        bus = self._buses.get(arn)
        return EventBus.untouched(arn) if bus is None and bus_name(arn) == DEFAULT else bus

    def bus(self, arn: str) -> EventBus:
        """Raises ResourceNotFoundException."""
        bus = self.find_bus(arn)
        if bus is None:
            raise bus_not_found(bus_name(arn))
        return bus

    def buses_under(self, prefix: str) -> list[EventBus]:
        """Those whose ARNs begin so, but for default buses without a row."""
        return [bus for arn, bus in self._buses.items() if arn.startswith(prefix)]

    def find_rule(self, arn: str) -> Rule | None:
        return self._rules.get(arn)

    def rule(self, arn: str, bus: str) -> Rule:
        """Raises ResourceNotFoundException."""
        rule = self._rules.get(arn)
        if rule is None:
            raise rule_not_found(rule_name(arn), bus_name(bus))
        return rule

    def rules_of(self, bus: str) -> Iterable[Rule]:
        found = self._of_bus.get(bus)
        return found.values() if found is not None else ()

    def index_of(self, bus: str) -> RuleIndex:
        """The rules of a bus, for matching; made anew when first asked for after a change."""
        index = self._indexes.get(bus)
        if index is None:
            rules = self._of_bus.get(bus)
            if not rules:
                return _NO_RULES
            index = self._indexes[bus] = RuleIndex(rules.values())
        return index

    def put_bus_after(self, tx: Transaction, bus: EventBus) -> None:
        def put() -> None:
            self._buses[bus.arn] = bus

        tx.after_commit(put)

    def drop_bus_after(self, tx: Transaction, arn: str) -> None:
        def drop() -> None:
            self._buses.pop(arn, None)

        tx.after_commit(drop)

    def put_rule_after(self, tx: Transaction, rule: Rule) -> None:
        tx.after_commit(lambda: self._put_rule(rule))

    def drop_rule_after(self, tx: Transaction, rule: Rule) -> None:
        def drop() -> None:
            self._rules.pop(rule.arn, None)
            of_bus = self._of_bus.get(rule.bus, {})
            of_bus.pop(rule.arn, None)
            if not of_bus:
                self._of_bus.pop(rule.bus, None)
            self._indexes.pop(rule.bus, None)

        tx.after_commit(drop)

    def _put_rule(self, rule: Rule) -> None:
        self._rules[rule.arn] = rule
        self._of_bus.setdefault(rule.bus, {})[rule.arn] = rule
        self._indexes.pop(rule.bus, None)
