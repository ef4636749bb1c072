"""The SQS service: its operations, by what they are about."""

from cloudlet.services.sqs.message_operations import MessageOperations
from cloudlet.services.sqs.move_operations import MoveOperations
from cloudlet.services.sqs.queue_operations import QueueOperations


class SQS(QueueOperations, MessageOperations, MoveOperations):
    """Owns sqs.db. Signals: `sqs:<queue ARN>` whenever what a receiver may get, or when, has changed."""
