"""What a universal target's input becomes for its operation."""

import pytest

from cloudlet.core.errors import AwsError
from cloudlet.services.scheduler.universal import parameters


def test_members_may_be_spelt_as_sdks_do() -> None:
    assert parameters("sqs", "SendMessage", '{"queueUrl": "u", "MessageBody": "m"}') == {
        "QueueUrl": "u",
        "MessageBody": "m",
    }


def test_what_is_nested_too_deeply_is_no_input() -> None:
    depth = 490  # JSON that deep can be read; an attribute of DynamoDB takes two levels at each of its own
    item = '{"M": {"a": ' * depth + '{"S": "x"}' + "}}" * depth
    with pytest.raises(AwsError, match="nested too deeply"):
        parameters("dynamodb", "PutItem", f'{{"TableName": "t", "Item": {{"k": {item}}}}}')
