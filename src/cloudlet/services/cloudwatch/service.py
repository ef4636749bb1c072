"""The CloudWatch service: its operations, by what they are about."""

from cloudlet.services.cloudwatch.alarm_operations import AlarmOperations
from cloudlet.services.cloudwatch.dashboard_operations import DashboardOperations
from cloudlet.services.cloudwatch.metric_operations import MetricOperations


class CloudWatch(MetricOperations, AlarmOperations, DashboardOperations):
    """Owns cloudwatch.db, where what clients and the other services measure comes together.

    From its outbox alarms publish as `cloudwatch.amazonaws.com` and invoke as `lambda.alarms.cloudwatch.amazonaws.com`.
    """
