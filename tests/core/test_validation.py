"""What the models forbid, in the words of AWS."""

from datetime import UTC, datetime
from typing import Any

import pytest

from cloudlet.core.errors import AwsError
from cloudlet.core.http import Body
from cloudlet.core.validation import validate_input


def refused(api: str, operation: str, params: dict[str, Any]) -> AwsError:
    with pytest.raises(AwsError) as caught:
        validate_input(api, operation, params)
    return caught.value


def test_what_the_model_allows_passes() -> None:
    validate_input("dynamodb", "PutItem", {"TableName": "Inventory", "Item": {"Store": {"S": "Berlin"}}})
    validate_input("s3", "PutObject", {"Bucket": "b", "Key": "k", "Body": Body.of(b"x"), "Expires": datetime.now(UTC)})
    validate_input("lambda", "Invoke", {"FunctionName": "load-inventory", "Payload": b"{}"})


def test_missing_members() -> None:
    error = refused("dynamodb", "PutItem", {"Item": {}})
    assert error.code == "ValidationException"
    assert error.message == (
        "1 validation error detected: Value null at 'tableName' failed to satisfy constraint: Member must not be null"
    )


def test_all_errors_are_named() -> None:
    error = refused(
        "dynamodb",
        "CreateTable",
        {
            "TableName": "t" * 1025,
            "AttributeDefinitions": [{"AttributeName": "Store", "AttributeType": "X"}],
            "KeySchema": [],
        },
    )
    assert error.message.startswith("3 validation errors detected: ")
    assert "at 'tableName' failed to satisfy constraint: Member must have length less than or equal to 1024" in (
        error.message
    )
    assert (
        "Value 'X' at 'attributeDefinitions.1.member.attributeType' failed to satisfy constraint: "
        "Member must satisfy enum value set: [S, N, B]" in error.message
    )
    assert "Value '[]' at 'keySchema'" in error.message


def test_paths_through_maps() -> None:
    requests = [{"PutRequest": {"Item": {}}}] * 26
    error = refused("dynamodb", "BatchWriteItem", {"RequestItems": {"Inventory": requests}})
    assert "at 'requestItems.Inventory.member' failed to satisfy constraint" in error.message
    assert error.message.endswith("Member must have length less than or equal to 25")


def test_items_of_a_list_are_reported_together() -> None:
    error = refused("dynamodb", "UntagResource", {"ResourceArn": "arn:aws:dynamodb:x", "TagKeys": ["", "a" * 200]})
    assert error.message == (
        f"1 validation error detected: Value '[, {'a' * 200}]' at 'tagKeys' failed to satisfy constraint: Member must "
        "satisfy constraint: [Member must have length less than or equal to 128, "
        "Member must have length greater than or equal to 1]"
    )


def test_attribute_values_are_left_to_the_service() -> None:
    validate_input("dynamodb", "PutItem", {"TableName": "Inventory", "Item": {"Store": {"Nonsense": 5}}})


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (5, "NUMBER_VALUE cannot be converted to String"),
        (True, "TRUE_VALUE cannot be converted to String"),
        ({}, "Start of structure or map found where not expected"),
        ([], "Start of list found where not expected"),
    ],
)
def test_wrong_types(value: Any, message: str) -> None:
    error = refused("dynamodb", "DescribeTable", {"TableName": value})
    assert (error.code, error.message) == ("SerializationException", message)


def test_unknown_members_and_none_are_as_if_absent() -> None:
    validate_input("dynamodb", "DescribeTable", {"TableName": "Inventory", "Unknown": object()})
    validate_input("dynamodb", "ListTables", {"Limit": None})


@pytest.mark.parametrize(
    ("api", "operation", "params", "code"),
    [
        ("iam", "CreateUser", {"UserName": ""}, "ValidationError"),
        ("logs", "CreateLogGroup", {"logGroupName": "a b"}, "InvalidParameterException"),
        ("lambda", "GetFunction", {"FunctionName": "a b"}, "ValidationException"),
        ("sqs", "SendMessage", {"QueueUrl": "q"}, "MissingParameter"),
        ("apigatewayv2", "GetApis", {"MaxResults": 5}, "SerializationException"),
        ("s3", "PutObject", {"Bucket": "b", "Key": "k", "StorageClass": "COLD"}, "InvalidStorageClass"),
        ("s3", "PutBucketTagging", {"Bucket": "b", "Tagging": {}}, "MalformedXML"),
        ("s3", "PutBucketTagging", {"Bucket": "b"}, "MissingRequestBodyError"),
    ],
)
def test_codes_by_service(api: str, operation: str, params: dict[str, Any], code: str) -> None:
    assert refused(api, operation, params).code == code


def test_messages_of_services_with_words_of_their_own() -> None:
    assert refused("sqs", "SendMessage", {"QueueUrl": "q"}).message == (
        "The request must contain the parameter MessageBody."
    )
    wrong = {"QueueUrl": "q", "AttributeNames": ["Wrong"]}
    assert refused("sqs", "GetQueueAttributes", wrong).message == "Unknown Attribute Wrong."


def test_s3_takes_back_what_it_gave() -> None:
    rules = [{"Name": "Prefix", "Value": "incoming/"}, {"Name": "suffix", "Value": ".csv"}]
    queue = {"QueueArn": "arn:aws:sqs:x", "Events": ["s3:ObjectCreated:*"], "Filter": {"Key": {"FilterRules": rules}}}
    configuration = {"Bucket": "b", "NotificationConfiguration": {"QueueConfigurations": [queue]}}
    validate_input("s3", "PutBucketNotificationConfiguration", configuration)


def test_names_in_iam() -> None:
    assert refused("iam", "CreateUser", {"UserName": "a b"}).message == (
        "The specified value for userName is invalid. "
        "It must contain only alphanumeric characters and/or the following: +=,.@_-"
    )


def test_sensitive_values_are_not_repeated() -> None:
    error = refused("iam", "CreateLoginProfile", {"UserName": "anna", "Password": ""})
    assert "Value at 'password' failed" in error.message
