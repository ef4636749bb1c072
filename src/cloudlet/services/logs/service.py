"""The CloudWatch Logs service: its operations, by what they are about."""

from cloudlet.services.logs.events import EventOperations
from cloudlet.services.logs.groups import GroupOperations
from cloudlet.services.logs.live_tail_operations import LiveTailOperations
from cloudlet.services.logs.metric_filters import MetricFilterOperations
from cloudlet.services.logs.resource_policies import ResourcePolicyOperations
from cloudlet.services.logs.searching import SearchOperations
from cloudlet.services.logs.streams import StreamOperations
from cloudlet.services.logs.subscription_filters import SubscriptionFilterOperations
from cloudlet.services.logs.tags import TagOperations


class Logs(
    GroupOperations,
    StreamOperations,
    EventOperations,
    SearchOperations,
    LiveTailOperations,
    SubscriptionFilterOperations,
    MetricFilterOperations,
    ResourcePolicyOperations,
    TagOperations,
):
    """Owns logs.db. Signals: `logs:<log group ARN>` after events were added to the group.

    Delivers as `logs.amazonaws.com`, with the log group as source, from its outbox.
    """
