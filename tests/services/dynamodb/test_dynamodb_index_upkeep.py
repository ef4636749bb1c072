"""Whatever is written, an index holds exactly the items that belong there, followed or filled later."""

from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

INDEX = {
    "IndexName": "by-g",
    "KeySchema": [{"AttributeName": "g", "KeyType": "HASH"}, {"AttributeName": "n", "KeyType": "RANGE"}],
    "Projection": {"ProjectionType": "ALL"},
}
DEFINITIONS = [
    {"AttributeName": "p", "AttributeType": "S"},
    {"AttributeName": "g", "AttributeType": "S"},
    {"AttributeName": "n", "AttributeType": "N"},
]
keys = st.sampled_from(["a", "b", "c"]).map(lambda key: {"p": {"S": key}})
groups = st.sampled_from([None, {"S": "x"}, {"S": "y"}])
numbers = st.sampled_from([None, {"N": "1"}, {"N": "-2.50"}])


@st.composite
def writes(draw: st.DrawFn) -> tuple[str, dict[str, Any]]:
    key, given = draw(keys), {"g": draw(groups), "n": draw(numbers)}
    present = {name: value for name, value in given.items() if value is not None}
    kind = draw(st.sampled_from(["put", "update", "delete"]))
    if kind == "put":
        return "PutItem", {"Item": {**key, **present}}
    if kind == "delete":
        return "DeleteItem", {"Key": key}
    absent = [name for name in given if name not in present]
    parts = [f"SET {', '.join(f'{name} = :{name}' for name in present)}"] if present else []
    parts += [f"REMOVE {', '.join(absent)}"] if absent else []
    update: dict[str, Any] = {"Key": key, "UpdateExpression": " ".join(parts)}
    if present:
        update["ExpressionAttributeValues"] = {f":{name}": value for name, value in present.items()}
    return "UpdateItem", update


def in_any_order(items: list[dict[str, Any]]) -> list[str]:
    return sorted(map(str, (sorted(item.items()) for item in items)))


@given(st.lists(writes(), max_size=25), st.integers(0, 25))
@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
async def test_an_index_has_what_belongs_there(
    dynamodb: Any, done: list[tuple[str, dict[str, Any]]], created_after: int
) -> None:
    table = await dynamodb.table("p:S")
    for position in range(max(len(done), created_after) + 1):
        if position == created_after:
            await dynamodb(
                "UpdateTable",
                TableName=table,
                AttributeDefinitions=DEFINITIONS,
                GlobalSecondaryIndexUpdates=[{"Create": INDEX}],
            )
        if position < len(done):
            operation, params = done[position]
            await dynamodb(operation, TableName=table, **params)
    await dynamodb.service.background.rebuild()
    items = (await dynamodb("Scan", TableName=table))["Items"]
    indexed = (await dynamodb("Scan", TableName=table, IndexName="by-g"))["Items"]
    assert in_any_order(indexed) == in_any_order([item for item in items if "g" in item and "n" in item])
