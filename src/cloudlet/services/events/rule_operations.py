"""The operations on rules."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from cloudlet.core.context import Call
from cloudlet.core.service import operation
from cloudlet.services.events import rules
from cloudlet.services.events.base import EventsBase
from cloudlet.services.events.buses import load_bus
from cloudlet.services.events.delivery import SERVICE
from cloudlet.services.events.faults import invalid, limit_exceeded
from cloudlet.services.events.names import bus_of, rule_arn
from cloudlet.services.events.paging import page_of
from cloudlet.services.events.rules import Rule
from cloudlet.services.events.tagging import changed_tags
from cloudlet.store import Transaction

if TYPE_CHECKING:
    from types_boto3_events import type_defs as t

_MOST_RULES = 300
# What begins a schedule anew when it changes.
_TIMING = ("ScheduleExpression", "State")


class RuleOperations(EventsBase):
    @operation("PutRule")
    async def put_rule(self, call: Call, params: "t.PutRuleRequestTypeDef") -> dict[str, Any]:
        """Makes the rule, or replaces all that it is but its targets and tags."""
        bus = bus_of(call, params.get("EventBusName"))
        arn = rule_arn(bus, params["Name"])
        settings = rules.settings_of(params, bus)
        if "RoleArn" in settings:
            self.cloud.authorise_passing(call, settings["RoleArn"], SERVICE)
        tags = changed_tags({}, params.get("Tags", ()))

        def put(tx: Transaction) -> None:
            load_bus(tx, bus)
            existing = rules.find_rule(tx, arn)
            if existing is None:
                self._check_number(tx, bus)
                rules.insert_rule(tx, arn, bus, settings, tags, call.principal.account)
            else:
                rules.set_settings(tx, existing, settings)
            if existing is None or any(existing.settings.get(name) != settings.get(name) for name in _TIMING):
                rules.restart_schedule(tx, arn, call.time)
                self.timetable.changed_after(tx)
            self.directory.put_rule_after(tx, rules.load_rule(tx, arn, bus))

        await self.store.write(put)
        return {"RuleArn": arn}

    @operation("DescribeRule")
    async def describe_rule(self, call: Call, params: "t.DescribeRuleRequestTypeDef") -> dict[str, Any]:
        rule = self._rule(call, params["Name"], params)
        return {**rule.description(), "CreatedBy": rule.created_by}

    @operation("ListRules")
    async def list_rules(self, call: Call, params: "t.ListRulesRequestTypeDef") -> dict[str, Any]:
        bus = self.directory.bus(bus_of(call, params.get("EventBusName")))
        prefix = params.get("NamePrefix", "")
        found = {rule.name: rule for rule in self.directory.rules_of(bus.arn) if rule.name.startswith(prefix)}
        page, token = page_of(list(found), params)
        return {"Rules": [found[name].description() for name in page], **token}

    @operation("ListRuleNamesByTarget")
    async def list_rule_names_by_target(
        self, call: Call, params: "t.ListRuleNamesByTargetRequestTypeDef"
    ) -> dict[str, Any]:
        bus = self.directory.bus(bus_of(call, params.get("EventBusName")))
        wanted = params["TargetArn"]
        names = [
            rule.name
            for rule in self.directory.rules_of(bus.arn)
            if any(target["Arn"] == wanted for target in rule.targets)
        ]
        page, token = page_of(names, params)
        return {"RuleNames": page, **token}

    @operation("EnableRule")
    async def enable_rule(self, call: Call, params: "t.EnableRuleRequestTypeDef") -> None:
        await self._set_state(call, params, "ENABLED")

    @operation("DisableRule")
    async def disable_rule(self, call: Call, params: "t.DisableRuleRequestTypeDef") -> None:
        await self._set_state(call, params, "DISABLED")

    @operation("DeleteRule")
    async def delete_rule(self, call: Call, params: "t.DeleteRuleRequestTypeDef") -> None:
        """Deleting one that is not there is fine."""
        bus = self.directory.bus(bus_of(call, params.get("EventBusName"))).arn

        def delete(tx: Transaction) -> None:
            rule = rules.find_rule(tx, rule_arn(bus, params["Name"]))
            if rule is None:
                return
            if rule.targets:
                raise invalid("Rule can't be deleted since it has targets.")
            tx.execute("DELETE FROM rule WHERE id = ?", (rule.id,))
            self.directory.drop_rule_after(tx, rule)

        await self.store.write(delete)

    async def _set_state(self, call: Call, params: Mapping[str, Any], state: str) -> None:
        rule = self._rule(call, params["Name"], params)

        def change(tx: Transaction) -> None:
            current = rules.load_rule(tx, rule.arn, rule.bus)
            if current.settings["State"] == state:
                return
            rules.set_settings(tx, current, {**current.settings, "State": state})
            rules.restart_schedule(tx, rule.arn, call.time)
            self.timetable.changed_after(tx)
            self.directory.put_rule_after(tx, rules.load_rule(tx, rule.arn, rule.bus))

        await self.store.write(change)

    def _rule(self, call: Call, name: str, params: Mapping[str, Any]) -> Rule:
        """Raises ResourceNotFoundException."""
        bus = self.directory.bus(bus_of(call, params.get("EventBusName")))
        return self.directory.rule(rule_arn(bus.arn, name), bus.arn)

    def _check_number(self, tx: Transaction, bus: str) -> None:
        row = tx.one("SELECT count(*) FROM rule WHERE bus = ?", (bus,))
        if row is not None and row[0] >= _MOST_RULES:
            raise limit_exceeded()
