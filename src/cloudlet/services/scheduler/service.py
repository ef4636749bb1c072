"""The Scheduler: its operations, by what they are about."""

from cloudlet.services.scheduler.group_operations import GroupOperations
from cloudlet.services.scheduler.schedule_operations import ScheduleOperations


class Scheduler(ScheduleOperations, GroupOperations):
    """Owns scheduler.db. Calls targets as the roles of their schedules, from its outbox."""
