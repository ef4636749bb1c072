"""The CloudWatch Logs service: its operations, by what they are about."""

from cloudlet.services.logs.events import EventOperations
from cloudlet.services.logs.groups import GroupOperations
from cloudlet.services.logs.searching import SearchOperations
from cloudlet.services.logs.streams import StreamOperations
from cloudlet.services.logs.tags import TagOperations


class Logs(GroupOperations, StreamOperations, EventOperations, SearchOperations, TagOperations):
    """Owns logs.db. Signals: `logs:<log group ARN>` after events were added to the group."""
