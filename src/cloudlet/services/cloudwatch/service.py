"""The CloudWatch service: its operations, by what they are about."""

from cloudlet.services.cloudwatch.metric_operations import MetricOperations


class CloudWatch(MetricOperations):
    """Owns cloudwatch.db."""
