"""Items and objects: requests a second from 16 connections."""

from collections.abc import Iterator

from bench.load import Result, closed_loop, prepare
from bench.measure import Measure
from bench.peers import RunningPeer

_DIFFERENT = 2000


def measure_data(peer: RunningPeer, seconds: float) -> Iterator[Measure]:
    dynamodb = peer.client("dynamodb")
    dynamodb.create_table(
        TableName="bench",
        KeySchema=[{"AttributeName": "Store", "KeyType": "HASH"}, {"AttributeName": "Item", "KeyType": "RANGE"}],
        AttributeDefinitions=[
            {"AttributeName": "Store", "AttributeType": "S"},
            {"AttributeName": "Item", "AttributeType": "S"},
        ],
        BillingMode="PAY_PER_REQUEST",
    )
    dynamodb.get_waiter("table_exists").wait(TableName="bench", WaiterConfig={"Delay": 1})
    keys = [{"Store": {"S": f"store-{n % 50}"}, "Item": {"S": f"item-{n}"}} for n in range(_DIFFERENT)]
    items = [{**key, "Count": {"N": "12"}, "Note": {"S": "x" * 100}} for key in keys]
    puts = [prepare(dynamodb, "put_item", TableName="bench", Item=item) for item in items]
    yield _rate("PutItem", closed_loop(peer.port, puts, seconds=seconds))
    gets = [prepare(dynamodb, "get_item", TableName="bench", Key=key) for key in keys]
    yield _rate("GetItem", closed_loop(peer.port, gets, seconds=seconds))

    s3 = peer.client("s3")
    s3.create_bucket(Bucket="bench")
    content = bytes(range(256)) * 16
    names = [f"folder-{n % 50}/object-{n}" for n in range(_DIFFERENT)]
    puts = [prepare(s3, "put_object", Bucket="bench", Key=name, Body=content) for name in names]
    yield _rate("PutObject 4 KB", closed_loop(peer.port, puts, seconds=seconds))
    gets = [prepare(s3, "get_object", Bucket="bench", Key=name) for name in names]
    yield _rate("GetObject 4 KB", closed_loop(peer.port, gets, seconds=seconds))


def _rate(name: str, result: Result) -> Measure:
    if result.failed:
        return Measure(name, None, "/s", note=f"{result.failed} failed: {result.first_failure}")
    p50, p99 = (result.percentile(share) * 1000 for share in (0.5, 0.99))
    return Measure(name, result.per_second, "/s", note=f"p50 {p50:.2f} ms, p99 {p99:.2f} ms", more_is_better=True)
