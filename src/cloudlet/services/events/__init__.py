"""Amazon EventBridge: event buses, rules with patterns and schedules, delivery that survives any stop."""

from cloudlet.services.events.service import EventBridge

__all__ = ["EventBridge"]
