"""The DynamoDB service: its operations, by what they are about."""

from cloudlet.services.dynamodb.batch_operations import BatchOperations
from cloudlet.services.dynamodb.item_operations import ItemOperations
from cloudlet.services.dynamodb.policy_operations import PolicyOperations
from cloudlet.services.dynamodb.query_operations import QueryOperations
from cloudlet.services.dynamodb.setting_operations import SettingOperations
from cloudlet.services.dynamodb.stream_operations import StreamOperations
from cloudlet.services.dynamodb.table_operations import TableOperations
from cloudlet.services.dynamodb.transaction_operations import TransactionOperations


class DynamoDB(
    TableOperations,
    SettingOperations,
    PolicyOperations,
    ItemOperations,
    QueryOperations,
    BatchOperations,
    TransactionOperations,
    StreamOperations,
):
    """Owns dynamodb.db. Signals: `dynamodb-stream:<stream ARN>` when a stream has new records."""
