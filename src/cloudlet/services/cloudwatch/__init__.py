"""Amazon CloudWatch: metrics, alarms and dashboards."""

from cloudlet.services.cloudwatch.service import CloudWatch

__all__ = ["CloudWatch"]
