"""Amazon DynamoDB and DynamoDB Streams: tables, items, indexes, transactions, time to live, change records."""

from cloudlet.services.dynamodb.service import DynamoDB

__all__ = ["DynamoDB"]
