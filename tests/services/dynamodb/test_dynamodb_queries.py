"""Queries and scans: order, ranges, pages, indexes, segments."""

from collections.abc import Callable, Iterator
from typing import Any, cast

import pytest
from botocore.exceptions import ClientError
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

INDEXES: dict[str, Any] = {
    "more_definitions": [{"AttributeName": "g", "AttributeType": "S"}, {"AttributeName": "l", "AttributeType": "N"}],
    "GlobalSecondaryIndexes": [
        {
            "IndexName": "by-g",
            "KeySchema": [{"AttributeName": "g", "KeyType": "HASH"}, {"AttributeName": "l", "KeyType": "RANGE"}],
            "Projection": {"ProjectionType": "INCLUDE", "NonKeyAttributes": ["shown"]},
        }
    ],
    "LocalSecondaryIndexes": [
        {
            "IndexName": "by-l",
            "KeySchema": [{"AttributeName": "p", "KeyType": "HASH"}, {"AttributeName": "l", "KeyType": "RANGE"}],
            "Projection": {"ProjectionType": "KEYS_ONLY"},
        }
    ],
}


def pages(call: Callable[..., Any], **params: Any) -> Iterator[dict[str, Any]]:
    """All items, page by page."""
    while True:
        page = call(**params)
        yield from page["Items"]
        if "LastEvaluatedKey" not in page:
            return
        params["ExclusiveStartKey"] = page["LastEvaluatedKey"]


@pytest.fixture
def numbered(client: Any, make_table: Callable[..., str]) -> str:
    """A table with the sort keys -5 to 5 in one partition."""
    table = make_table("p:S", "s:N")
    for number in (3, -5, 0, 5, -1, 1, -3, 2, 4, -4, -2):
        client.put_item(
            TableName=table, Item={"p": {"S": "x"}, "s": {"N": str(number)}, "even": {"BOOL": number % 2 == 0}}
        )
    return table


def found(client: Any, table: str, condition: str, values: dict[str, str], **params: Any) -> list[int]:
    given_values = {":p": {"S": "x"}, **{f":{name}": {"N": value} for name, value in values.items()}}
    items = pages(
        client.query,
        TableName=table,
        KeyConditionExpression=f"p = :p{condition}",
        ExpressionAttributeValues=given_values,
        **params,
    )
    return [int(item["s"]["N"]) for item in items]


def test_numbers_come_in_their_order(client: Any, numbered: str) -> None:
    assert found(client, numbered, "", {}) == list(range(-5, 6))
    assert found(client, numbered, "", {}, ScanIndexForward=False, Limit=3) == list(range(5, -6, -1))


@pytest.mark.parametrize(
    ("condition", "values", "expected"),
    [
        (" AND s = :a", {"a": "2.0"}, [2]),
        (" AND s < :a", {"a": "-3"}, [-5, -4]),
        (" AND s <= :a", {"a": "-3"}, [-5, -4, -3]),
        (" AND s > :a", {"a": "3"}, [4, 5]),
        (" AND s >= :a", {"a": "3"}, [3, 4, 5]),
        (" AND s BETWEEN :a AND :b", {"a": "-1", "b": "1"}, [-1, 0, 1]),
    ],
)
def test_ranges(client: Any, numbered: str, condition: str, values: dict[str, str], expected: list[int]) -> None:
    assert found(client, numbered, condition, values) == expected


def test_a_filter_works_after_the_limit(client: Any, numbered: str) -> None:
    page = client.query(
        TableName=numbered,
        KeyConditionExpression="p = :p",
        FilterExpression="even = :yes",
        ExpressionAttributeValues={":p": {"S": "x"}, ":yes": {"BOOL": True}},
        Limit=4,
    )
    assert (page["Count"], page["ScannedCount"]) == (2, 4)
    assert page["LastEvaluatedKey"] == {"p": {"S": "x"}, "s": {"N": "-2"}}


def test_a_page_ends_at_a_megabyte(client: Any, make_table: Callable[..., str]) -> None:
    table = make_table("p:S", "s:N")
    for number in range(5):
        item = {"p": {"S": "x"}, "s": {"N": str(number)}, "a": {"S": "x" * 300_000}}
        client.put_item(TableName=table, Item=item)
    page = client.scan(TableName=table, Select="COUNT")
    assert page["Count"] == 3
    assert "LastEvaluatedKey" in page
    assert len(list(pages(client.scan, TableName=table))) == 5


def test_segments_are_disjoint_and_complete(client: Any, make_table: Callable[..., str]) -> None:
    table = make_table("p:S")
    requests = [{"PutRequest": {"Item": {"p": {"S": f"item-{number}"}}}} for number in range(25)]
    client.batch_write_item(RequestItems={table: requests})
    seen = [
        item["p"]["S"]
        for segment in range(4)
        for item in pages(client.scan, TableName=table, Segment=segment, TotalSegments=4, Limit=2)
    ]
    assert sorted(seen) == sorted(f"item-{number}" for number in range(25))


def test_indexes_follow_the_items(client: Any, make_table: Callable[..., str]) -> None:
    table = make_table("p:S", "s:N", **INDEXES)
    key = {"p": {"S": "x"}, "s": {"N": "1"}}
    rest = {"shown": {"S": "yes"}, "hidden": {"S": "no"}}

    def in_index() -> list[dict[str, Any]]:
        return client.query(
            TableName=table,
            IndexName="by-g",
            KeyConditionExpression="g = :g",
            ExpressionAttributeValues={":g": {"S": "group"}},
        )["Items"]

    client.put_item(TableName=table, Item={**key, **rest})
    assert in_index() == []
    client.put_item(TableName=table, Item={**key, **rest, "g": {"S": "group"}, "l": {"N": "7"}})
    assert in_index() == [{**key, "g": {"S": "group"}, "l": {"N": "7"}, "shown": {"S": "yes"}}]
    client.update_item(TableName=table, Key=key, UpdateExpression="REMOVE g")
    assert in_index() == []
    client.update_item(
        TableName=table, Key=key, UpdateExpression="SET g = :g", ExpressionAttributeValues={":g": {"S": "group"}}
    )
    assert len(in_index()) == 1
    client.delete_item(TableName=table, Key=key)
    assert in_index() == []


def test_an_index_is_read_in_its_order_page_by_page(client: Any, make_table: Callable[..., str]) -> None:
    table = make_table("p:S", "s:N", **INDEXES)
    for number in range(9):
        item = {"p": {"S": f"p{number % 2}"}, "s": {"N": str(number)}, "g": {"S": "g"}, "l": {"N": str(-(number // 3))}}
        client.put_item(TableName=table, Item=item)
    for forward in (True, False):
        items = pages(
            client.query,
            TableName=table,
            IndexName="by-g",
            KeyConditionExpression="g = :g",
            ExpressionAttributeValues={":g": {"S": "g"}},
            ScanIndexForward=forward,
            Limit=2,
        )
        order = [int(item["l"]["N"]) for item in items]
        assert order == sorted([0, 0, 0, -1, -1, -1, -2, -2, -2], reverse=not forward)


def test_a_local_index_fetches_what_it_lacks_a_global_one_does_not(client: Any, make_table: Callable[..., str]) -> None:
    table = make_table("p:S", "s:N", **INDEXES)
    item = {"p": {"S": "x"}, "s": {"N": "1"}, "g": {"S": "g"}, "l": {"N": "2"}, "hidden": {"S": "no"}}
    client.put_item(TableName=table, Item=item)
    local: dict[str, Any] = {
        "TableName": table,
        "IndexName": "by-l",
        "KeyConditionExpression": "p = :p",
        "ExpressionAttributeValues": {":p": {"S": "x"}},
    }
    assert "hidden" not in client.query(**local)["Items"][0]
    assert client.query(**local, Select="ALL_ATTRIBUTES")["Items"] == [item]
    with pytest.raises(ClientError, match="Select type ALL_ATTRIBUTES is not supported for global secondary index"):
        client.scan(TableName=table, IndexName="by-g", Select="ALL_ATTRIBUTES")
    with pytest.raises(ClientError, match="Consistent reads are not supported on global secondary indexes"):
        client.scan(TableName=table, IndexName="by-g", ConsistentRead=True)


@pytest.mark.parametrize(
    ("condition", "message"),
    [
        ("s = :n", "Query condition missed key schema element: p"),
        ("p > :p", "Query key condition not supported"),
        ("p = :p AND mine = :n", "Query condition missed key schema element: s"),
        ("p = :p OR s = :n", "Invalid operator used in KeyConditionExpression: OR"),
        ("p = :p AND p = :p", "KeyConditionExpressions must only contain one condition per key"),
        ("p = :n", "Condition parameter type does not match schema type"),
    ],
)
def test_wrong_key_conditions_are_refused(client: Any, numbered: str, condition: str, message: str) -> None:
    values = {":p": {"S": "x"}, ":n": {"N": "1"}}
    used = {name: value for name, value in values.items() if name in condition}
    with pytest.raises(ClientError) as caught:
        client.query(TableName=numbered, KeyConditionExpression=condition, ExpressionAttributeValues=used)
    assert cast(Any, caught.value.response)["Error"]["Code"] == "ValidationException"
    assert message in cast(Any, caught.value.response)["Error"]["Message"]


@given(
    keys=st.sets(st.text(min_size=1, max_size=4).filter(lambda text: text.isprintable()), max_size=20),
    limit=st.integers(1, 7),
    forward=st.booleans(),
)
@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
async def test_pages_are_complete_and_in_order(dynamodb: Any, keys: set[str], limit: int, forward: bool) -> None:
    table = await dynamodb.table("p:S", "s:S")
    for key in keys:
        await dynamodb("PutItem", TableName=table, Item={"p": {"S": "x"}, "s": {"S": key}})
    params: dict[str, Any] = {
        "TableName": table,
        "KeyConditionExpression": "p = :p",
        "ExpressionAttributeValues": {":p": {"S": "x"}},
        "Limit": limit,
        "ScanIndexForward": forward,
    }
    seen: list[str] = []
    while True:
        page = await dynamodb("Query", **params)
        seen += [item["s"]["S"] for item in page["Items"]]
        if "LastEvaluatedKey" not in page:
            break
        params["ExclusiveStartKey"] = page["LastEvaluatedKey"]
    assert seen == sorted(keys, key=str.encode, reverse=not forward)
