"""Amazon SNS: topics, subscriptions with filter policies, delivery that survives any stop."""

from cloudlet.services.sns.service import SNS

__all__ = ["SNS"]
