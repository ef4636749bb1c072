"""Tags of buses and rules: what becomes of them, and the operations on them."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from cloudlet.core.context import Call
from cloudlet.core.service import operation
from cloudlet.services.events import rules
from cloudlet.services.events.base import EventsBase
from cloudlet.services.events.buses import load_bus, save_bus
from cloudlet.services.events.faults import invalid, not_found
from cloudlet.services.events.names import DEFAULT
from cloudlet.store import Transaction

if TYPE_CHECKING:
    from types_boto3_events import type_defs as t

_MOST_TAGS = 50
Tags = Mapping[str, str]


def changed_tags(tags: Tags, given: "Iterable[t.TagTypeDef]") -> dict[str, str]:
    """The tags with those given. Raises ValidationException."""
    added = {tag["Key"]: tag["Value"] for tag in given}
    if any(key.lower().startswith("aws:") for key in added):
        raise invalid("Tag keys that begin with aws: are reserved.")
    found = {**tags, **added}
    if len(found) > _MOST_TAGS:
        raise invalid(f"A resource can have at most {_MOST_TAGS} tags.")
    return found


class TagOperations(EventsBase):
    @operation("TagResource")
    async def tag_resource(self, call: Call, params: "t.TagResourceRequestTypeDef") -> dict[str, Any]:
        return await self._change_tags(call, params["ResourceARN"], lambda tags: changed_tags(tags, params["Tags"]))

    @operation("UntagResource")
    async def untag_resource(self, call: Call, params: "t.UntagResourceRequestTypeDef") -> dict[str, Any]:
        gone = set(params["TagKeys"])
        return await self._change_tags(
            call, params["ResourceARN"], lambda tags: {key: value for key, value in tags.items() if key not in gone}
        )

    @operation("ListTagsForResource")
    async def list_tags_for_resource(self, call: Call, params: "t.ListTagsForResourceRequestTypeDef") -> dict[str, Any]:
        arn = params["ResourceARN"]
        found = self.directory.find_bus(arn) if _is_bus(arn) else self.directory.find_rule(arn)
        if found is None:
            raise _no_resource(arn)
        return {"Tags": [{"Key": key, "Value": value} for key, value in found.tags.items()]}

    async def _change_tags(self, call: Call, arn: str, changed: Callable[[Tags], dict[str, str]]) -> dict[str, Any]:
        def change(tx: Transaction) -> None:
            if _is_bus(arn):
                bus = load_bus(tx, arn)
                tagged = replace(bus, tags=changed(bus.tags))
                self.directory.put_bus_after(tx, save_bus(tx, tagged, call.time))
                return
            rule = rules.find_rule(tx, arn)
            if rule is None:
                raise _no_resource(arn)
            tags = changed(rule.tags)
            rules.set_tags(tx, rule, tags)
            self.directory.put_rule_after(tx, replace(rule, tags=tags))

        await self.store.write(change)
        return {}


def _is_bus(arn: str) -> bool:
    return arn.split(":", 5)[-1].startswith("event-bus/")


def _no_resource(arn: str) -> Exception:
    kind, _, name = arn.split(":", 5)[-1].partition("/")
    if kind == "rule":
        bus, _, rule = name.rpartition("/")
        return not_found(f"Rule {rule} does not exist on EventBus {bus or DEFAULT}.")
    return not_found(f"Event bus {name or arn} does not exist.")
