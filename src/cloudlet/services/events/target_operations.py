"""The operations on a rule's targets."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from cloudlet.core.context import Call
from cloudlet.core.service import operation
from cloudlet.services.events import rules
from cloudlet.services.events.base import EventsBase
from cloudlet.services.events.delivery import SERVICE
from cloudlet.services.events.faults import limit_exceeded
from cloudlet.services.events.names import bus_of, rule_arn
from cloudlet.services.events.paging import page_of
from cloudlet.services.events.targets import check_target
from cloudlet.store import Transaction

if TYPE_CHECKING:
    from types_boto3_events import type_defs as t

_MOST_TARGETS = 5


class TargetOperations(EventsBase):
    @operation("PutTargets")
    async def put_targets(self, call: Call, params: "t.PutTargetsRequestTypeDef") -> dict[str, Any]:
        bus, arn = self._addresses(call, params)
        targets = params["Targets"]
        for target in targets:
            check_target(target)
            if "RoleArn" in target:
                self.cloud.authorise_passing(call, target["RoleArn"], SERVICE)

        def put(tx: Transaction) -> None:
            rule = rules.load_rule(tx, arn, bus)
            for target in targets:
                rules.put_target(tx, rule, target)
            changed = rules.load_rule(tx, arn, bus)
            if len(changed.targets) > _MOST_TARGETS:
                raise limit_exceeded()
            self.directory.put_rule_after(tx, changed)

        await self.store.write(put)
        return {"FailedEntryCount": 0, "FailedEntries": []}

    @operation("RemoveTargets")
    async def remove_targets(self, call: Call, params: "t.RemoveTargetsRequestTypeDef") -> dict[str, Any]:
        bus, arn = self._addresses(call, params)

        def remove(tx: Transaction) -> list[dict[str, str]]:
            rule = rules.load_rule(tx, arn, bus)
            failed = [
                {
                    "TargetId": id_,
                    "ErrorCode": "ResourceNotFoundException",
                    "ErrorMessage": f"Rule {rule.name} does not have a target with the Id {id_}.",
                }
                for id_ in params["Ids"]
                if not rules.remove_target(tx, rule, id_)
            ]
            self.directory.put_rule_after(tx, rules.load_rule(tx, arn, bus))
            return failed

        failed = await self.store.write(remove)
        return {"FailedEntryCount": len(failed), "FailedEntries": failed}

    @operation("ListTargetsByRule")
    async def list_targets_by_rule(self, call: Call, params: "t.ListTargetsByRuleRequestTypeDef") -> dict[str, Any]:
        bus, arn = self._addresses(call, params)
        found = {target["Id"]: target for target in self.directory.rule(arn, bus).targets}
        page, token = page_of(list(found), params)
        return {"Targets": [dict(found[id_]) for id_ in page], **token}

    def _addresses(self, call: Call, params: Mapping[str, Any]) -> tuple[str, str]:
        """The ARNs of the bus and the rule. Raises ResourceNotFoundException for a bus that does not exist."""
        bus = self.directory.bus(bus_of(call, params.get("EventBusName"))).arn
        return bus, rule_arn(bus, params["Rule"])
