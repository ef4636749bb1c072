"""The EventBridge service: its operations, by what they are about."""

from cloudlet.services.events.bus_operations import BusOperations
from cloudlet.services.events.event_operations import EventOperations
from cloudlet.services.events.rule_operations import RuleOperations
from cloudlet.services.events.tagging import TagOperations
from cloudlet.services.events.target_operations import TargetOperations


class EventBridge(BusOperations, RuleOperations, TargetOperations, EventOperations, TagOperations):
    """Owns events.db. Delivers as `events.amazonaws.com`, with the rule as source, from its outbox."""
