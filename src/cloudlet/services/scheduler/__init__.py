"""Amazon EventBridge Scheduler: schedules that call their target when they fall due, through any stop."""

from cloudlet.services.scheduler.service import Scheduler

__all__ = ["Scheduler"]
