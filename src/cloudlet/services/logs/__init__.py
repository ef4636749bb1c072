"""Amazon CloudWatch Logs: log groups, log streams, log events and their search by filter patterns."""

from cloudlet.services.logs.service import Logs

__all__ = ["Logs"]
