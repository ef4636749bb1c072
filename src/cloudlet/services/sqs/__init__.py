"""Amazon SQS: standard and FIFO queues, long polling, dead-letter queues."""

from cloudlet.services.sqs.service import SQS

__all__ = ["SQS"]
