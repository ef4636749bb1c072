"""Transactions: all or nothing, why not, and once per client request token."""

from collections.abc import Callable
from typing import Any, cast

import pytest
from botocore.exceptions import ClientError

from cloudlet.core.errors import AwsError


@pytest.fixture
def table(make_table: Callable[..., str]) -> str:
    return make_table("p:S")


def put(table: str, key: str, **more: Any) -> dict[str, Any]:
    return {"Put": {"TableName": table, "Item": {"p": {"S": key}}, **more}}


def test_all_is_written(client: Any, table: str) -> None:
    client.put_item(TableName=table, Item={"p": {"S": "gone"}})
    client.put_item(TableName=table, Item={"p": {"S": "there"}})
    add = {"UpdateExpression": "ADD n :one", "ExpressionAttributeValues": {":one": {"N": "1"}}}
    client.transact_write_items(
        TransactItems=[
            put(table, "new", ConditionExpression="attribute_not_exists(p)"),
            {"Update": {"TableName": table, "Key": {"p": {"S": "counter"}}, **add}},
            {"Delete": {"TableName": table, "Key": {"p": {"S": "gone"}}}},
            {
                "ConditionCheck": {
                    "TableName": table,
                    "Key": {"p": {"S": "there"}},
                    "ConditionExpression": "attribute_exists(p)",
                }
            },
        ]
    )
    gets = [{"Get": {"TableName": table, "Key": {"p": {"S": key}}}} for key in ("new", "counter", "gone")]
    responses = client.transact_get_items(TransactItems=gets)["Responses"]
    assert responses == [
        {"Item": {"p": {"S": "new"}}},
        {"Item": {"p": {"S": "counter"}, "n": {"N": "1"}}},
        {},
    ]


def test_nothing_is_written_if_one_condition_fails(client: Any, table: str) -> None:
    client.put_item(TableName=table, Item={"p": {"S": "taken"}, "by": {"S": "me"}})
    with pytest.raises(ClientError) as caught:
        client.transact_write_items(
            TransactItems=[
                put(table, "first"),
                put(
                    table,
                    "taken",
                    ConditionExpression="attribute_not_exists(p)",
                    ReturnValuesOnConditionCheckFailure="ALL_OLD",
                ),
            ]
        )
    error = cast(Any, caught.value.response)
    assert error["Error"]["Code"] == "TransactionCanceledException"
    assert error["Error"]["Message"].endswith("specific reasons [None, ConditionalCheckFailed]")
    assert error["CancellationReasons"][0] == {"Code": "None"}
    assert error["CancellationReasons"][1] == {
        "Code": "ConditionalCheckFailed",
        "Message": "The conditional request failed",
        "Item": {"p": {"S": "taken"}, "by": {"S": "me"}},
    }
    assert "Item" not in client.get_item(TableName=table, Key={"p": {"S": "first"}})


def test_an_item_that_breaks_a_rule_cancels(client: Any, table: str) -> None:
    wrong = {"Put": {"TableName": table, "Item": {"p": {"N": "1"}}}}
    with pytest.raises(ClientError) as caught:
        client.transact_write_items(TransactItems=[put(table, "a"), wrong])
    reasons = cast(Any, caught.value.response)["CancellationReasons"]
    assert [reason["Code"] for reason in reasons] == ["None", "ValidationError"]


def test_one_item_is_named_once(client: Any, table: str) -> None:
    with pytest.raises(ClientError, match="cannot include multiple operations on one item"):
        client.transact_write_items(TransactItems=[put(table, "same"), put(table, "same")])


async def test_a_token_makes_a_transaction_happen_once(dynamodb: Any) -> None:
    table = await dynamodb.table("p:S")
    add = {"UpdateExpression": "ADD n :one", "ExpressionAttributeValues": {":one": {"N": "1"}}}
    items = [{"Update": {"TableName": table, "Key": {"p": {"S": "c"}}, **add}}]

    async def count() -> str:
        return (await dynamodb("GetItem", TableName=table, Key={"p": {"S": "c"}}))["Item"]["n"]["N"]

    for _ in range(3):
        await dynamodb("TransactWriteItems", TransactItems=items, ClientRequestToken="once")
    assert await count() == "1"
    other = [put(table, "other")]
    with pytest.raises(AwsError, match="IdempotentParameterMismatchException"):
        await dynamodb("TransactWriteItems", TransactItems=other, ClientRequestToken="once")
    dynamodb.clock.advance(601)
    await dynamodb("TransactWriteItems", TransactItems=items, ClientRequestToken="once")
    assert await count() == "2"
