"""The SNS service: its operations, by what they are about."""

from cloudlet.services.sns.http_door import HttpDoor
from cloudlet.services.sns.publish_operations import PublishOperations
from cloudlet.services.sns.sms_operations import SmsOperations
from cloudlet.services.sns.topic_operations import TopicOperations


class SNS(TopicOperations, PublishOperations, SmsOperations, HttpDoor):
    """Owns sns.db. Delivers as `sns.amazonaws.com`, with the topic as source, from its outbox."""
