"""Items through boto3: put, get, update, delete, their conditions and what they return."""

from collections.abc import Callable
from typing import Any, cast

import pytest
from botocore.exceptions import ClientError


@pytest.fixture
def table(make_table: Callable[..., str]) -> str:
    return make_table("Store:S", "Item:S")


def key(item: str = "Echo") -> dict[str, Any]:
    return {"Store": {"S": "Berlin"}, "Item": {"S": item}}


def error_of(call: Callable[..., Any], **params: Any) -> tuple[str, str]:
    with pytest.raises(ClientError) as caught:
        call(**params)
    error = cast(Any, caught.value.response)["Error"]
    return error["Code"], error["Message"]


def test_what_is_put_is_got(client: Any, table: str) -> None:
    item = {
        **key(),
        "Count": {"N": "12"},
        "Price": {"N": "49.990"},
        "Tags": {"SS": ["b", "a"]},
        "Blob": {"B": b"\x00\xff"},
        "Deep": {"M": {"List": {"L": [{"NULL": True}, {"BOOL": False}, {"NS": ["10", "9"]}, {"BS": [b"x"]}]}}},
        "Empty": {"S": ""},
    }
    client.put_item(TableName=table, Item=item)
    got = client.get_item(TableName=table, Key=key(), ConsistentRead=True)["Item"]
    assert got.pop("Price") == {"N": "49.99"}
    assert sorted(got["Tags"].pop("SS")) == ["a", "b"]
    assert sorted(got["Deep"]["M"]["List"]["L"][2].pop("NS")) == ["10", "9"]
    assert got["Blob"] == {"B": b"\x00\xff"}
    assert got["Deep"]["M"]["List"]["L"][:2] == [{"NULL": True}, {"BOOL": False}]
    assert "Item" not in client.get_item(TableName=table, Key=key("none"))


def test_a_condition_guards_a_put(client: Any, table: str) -> None:
    once: dict[str, Any] = {"TableName": table, "ConditionExpression": "attribute_not_exists(n)"}
    client.put_item(Item={**key("once"), "n": {"N": "1"}}, **once)
    with pytest.raises(ClientError) as caught:
        client.put_item(Item={**key("once"), "n": {"N": "2"}}, ReturnValuesOnConditionCheckFailure="ALL_OLD", **once)
    assert cast(Any, caught.value.response)["Error"]["Code"] == "ConditionalCheckFailedException"
    assert cast(Any, caught.value.response)["Error"]["Message"] == "The conditional request failed"
    assert cast(Any, caught.value.response)["Item"]["n"] == {"N": "1"}
    assert client.get_item(TableName=table, Key=key("once"))["Item"]["n"] == {"N": "1"}


def test_put_and_delete_return_the_old_item(client: Any, table: str) -> None:
    old = {**key("old"), "v": {"S": "old"}}
    assert "Attributes" not in client.put_item(TableName=table, Item=old, ReturnValues="ALL_OLD")
    assert client.put_item(TableName=table, Item=key("old"), ReturnValues="ALL_OLD")["Attributes"] == old
    assert client.delete_item(TableName=table, Key=key("old"), ReturnValues="ALL_OLD")["Attributes"] == key("old")
    assert "Attributes" not in client.delete_item(TableName=table, Key=key("old"), ReturnValues="ALL_OLD")


@pytest.mark.parametrize(
    ("returns", "attributes"),
    [
        ("NONE", None),
        ("ALL_OLD", {**key("r"), "n": {"N": "1"}, "m": {"M": {"a": {"S": "x"}, "b": {"S": "y"}}}}),
        ("ALL_NEW", {**key("r"), "n": {"N": "3"}, "m": {"M": {"a": {"S": "z"}, "b": {"S": "y"}}}}),
        ("UPDATED_OLD", {"n": {"N": "1"}, "m": {"M": {"a": {"S": "x"}}}}),
        ("UPDATED_NEW", {"n": {"N": "3"}, "m": {"M": {"a": {"S": "z"}}}}),
    ],
)
def test_an_update_returns_what_is_asked_for(client: Any, table: str, returns: str, attributes: Any) -> None:
    client.put_item(TableName=table, Item={**key("r"), "n": {"N": "1"}, "m": {"M": {"a": {"S": "x"}, "b": {"S": "y"}}}})
    answer = client.update_item(
        TableName=table,
        Key=key("r"),
        UpdateExpression="SET m.a = :z ADD n :two",
        ExpressionAttributeValues={":z": {"S": "z"}, ":two": {"N": "2"}},
        ReturnValues=returns,
    )
    assert answer.get("Attributes") == attributes


def test_an_update_makes_the_item_it_does_not_find(client: Any, table: str) -> None:
    update: dict[str, Any] = {
        "TableName": table,
        "Key": key("new"),
        "UpdateExpression": "SET #c = if_not_exists(#c, :zero) + :one",
        "ExpressionAttributeNames": {"#c": "Count"},
        "ExpressionAttributeValues": {":zero": {"N": "0"}, ":one": {"N": "1"}},
    }
    for _ in range(3):
        client.update_item(**update)
    assert client.get_item(TableName=table, Key=key("new"))["Item"] == {**key("new"), "Count": {"N": "3"}}


def test_legacy_parameters_do_the_same(client: Any, table: str) -> None:
    client.update_item(TableName=table, Key=key("l"), AttributeUpdates={"n": {"Action": "ADD", "Value": {"N": "5"}}})
    code, _ = error_of(
        client.update_item,
        TableName=table,
        Key=key("l"),
        AttributeUpdates={"n": {"Action": "PUT", "Value": {"N": "0"}}},
        Expected={"n": {"ComparisonOperator": "LT", "AttributeValueList": [{"N": "5"}]}},
    )
    assert code == "ConditionalCheckFailedException"
    got = client.get_item(TableName=table, Key=key("l"), AttributesToGet=["n"])["Item"]
    assert got == {"n": {"N": "5"}}


WRONG_PUTS = [
    ({"Store": {"S": "x"}}, "One or more parameter values were invalid: Missing the key Item in the item"),
    ({**key(), "Item": {"N": "1"}}, "Type mismatch for key Item expected: S actual: N"),
    ({**key(), "Item": {"S": ""}}, "cannot contain an empty string value. Key: Item"),
    ({**key(), "Item": {"S": "x" * 1025}}, "Size of rangekey has exceeded the maximum size limit of 1024 bytes"),
    ({**key(), "Store": {"S": "x" * 2049}}, "Size of hashkey has exceeded the maximum size limit of 2048 bytes"),
    ({**key(), "a": {"N": "x"}}, "The parameter cannot be converted to a numeric value: x"),
    ({**key(), "a": {"SS": []}}, "An string set  may not be empty"),
    ({**key(), "a": {"NS": ["1", "1.0"]}}, "contains duplicates"),
    ({**key(), "a": {"S": "x" * 409_600}}, "Item size has exceeded the maximum allowed size"),
]


@pytest.mark.parametrize(("item", "message"), WRONG_PUTS)
def test_items_that_break_a_rule_are_refused(client: Any, table: str, item: Any, message: str) -> None:
    code, text = error_of(client.put_item, TableName=table, Item=item)
    assert code == "ValidationException"
    assert message in text


WRONG_CALLS = [
    (
        {"ExpressionAttributeNames": {"#a": "a"}},
        "ExpressionAttributeNames can only be specified when using expressions",
    ),
    (
        {"ConditionExpression": "a = :v"},
        "Invalid ConditionExpression: An expression attribute value used in expression is not defined; "
        "attribute value: :v",
    ),
    (
        {"ConditionExpression": "attribute_exists(#n)", "ExpressionAttributeNames": {"#m": "a"}},
        "Invalid ConditionExpression: An expression attribute name used in the document path is not defined; "
        "attribute name: #n",
    ),
    (
        {"ConditionExpression": "attribute_exists(a)", "ExpressionAttributeNames": {"#m": "a"}},
        "Value provided in ExpressionAttributeNames unused in expressions: keys: {#m}",
    ),
    (
        {"ConditionExpression": "attribute_exists(a)", "Expected": {"a": {"Exists": False}}},
        "Can not use both expression and non-expression parameters in the same request: Non-expression parameters: "
        "{Expected} Expression parameters: {ConditionExpression}",
    ),
]


@pytest.mark.parametrize(("params", "message"), WRONG_CALLS)
def test_wrong_expressions_are_refused(client: Any, table: str, params: Any, message: str) -> None:
    assert error_of(client.delete_item, TableName=table, Key=key(), **params) == ("ValidationException", message)


def test_a_key_must_be_that_of_the_schema(client: Any, table: str) -> None:
    refused = ("ValidationException", "The provided key element does not match the schema")
    assert error_of(client.get_item, TableName=table, Key={"Store": {"S": "x"}}) == refused
    assert error_of(client.get_item, TableName=table, Key={**key(), "Item": {"N": "1"}}) == refused


def test_no_update_touches_the_key(client: Any, table: str) -> None:
    code, message = error_of(
        client.update_item,
        TableName=table,
        Key=key(),
        UpdateExpression="SET #i = :v",
        ExpressionAttributeNames={"#i": "Item"},
        ExpressionAttributeValues={":v": {"S": "x"}},
    )
    assert code == "ValidationException"
    assert message.endswith("Cannot update attribute Item. This attribute is part of the key")


def test_an_unknown_table_is_not_found(client: Any) -> None:
    assert error_of(client.get_item, TableName="nowhere", Key=key()) == (
        "ResourceNotFoundException",
        "Requested resource not found",
    )


def test_consumed_capacity_is_counted_by_size(client: Any, table: str) -> None:
    item = {**key("big"), "a": {"S": "x" * 5000}}
    put = client.put_item(TableName=table, Item=item, ReturnConsumedCapacity="TOTAL")
    assert put["ConsumedCapacity"] == {"TableName": table, "CapacityUnits": 5.0}
    for consistent, units in ((True, 2.0), (False, 1.0)):
        got = client.get_item(
            TableName=table, Key=key("big"), ConsistentRead=consistent, ReturnConsumedCapacity="TOTAL"
        )
        assert got["ConsumedCapacity"]["CapacityUnits"] == units


def test_batches_write_and_read(client: Any, table: str) -> None:
    requests = [{"PutRequest": {"Item": {**key(f"batch-{n}"), "n": {"N": str(n)}}}} for n in range(25)]
    assert client.batch_write_item(RequestItems={table: requests})["UnprocessedItems"] == {}
    client.batch_write_item(RequestItems={table: [{"DeleteRequest": {"Key": key("batch-0")}}]})
    keys = [key(f"batch-{n}") for n in range(25)]
    got = client.batch_get_item(RequestItems={table: {"Keys": keys, "ProjectionExpression": "n"}})
    assert sorted(int(item["n"]["N"]) for item in got["Responses"][table]) == list(range(1, 25))
    assert got["UnprocessedKeys"] == {}


def test_a_batch_names_no_item_twice(client: Any, table: str) -> None:
    twice = [{"DeleteRequest": {"Key": key()}}, {"PutRequest": {"Item": key()}}]
    assert error_of(client.batch_write_item, RequestItems={table: twice}) == (
        "ValidationException",
        "Provided list of item keys contains duplicates",
    )
