"""The CloudWatch service: its operations, by what they are about."""

from cloudlet.services.cloudwatch.alarm_operations import AlarmOperations
from cloudlet.services.cloudwatch.metric_operations import MetricOperations


class CloudWatch(MetricOperations, AlarmOperations):
    """Owns cloudwatch.db."""
