"""Powertools for AWS Lambda (Python), as its users have it: in a layer, with Cloudlet's services behind it."""

import io
import json
import sys
import zipfile
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import requests

from waiting import eventually

POWERTOOLS = Path(sys.prefix) / "lambda-powertools"
RUNTIME = f"python{sys.version_info.major}.{sys.version_info.minor}"

BATCH = """
from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.batch import BatchProcessor, EventType, process_partial_response
from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord

logger = Logger(service="stock")
processor = BatchProcessor(event_type=EventType.SQS)

def store(record: SQSRecord):
    order = record.json_body
    logger.info("stored", order=order["order"])

@logger.inject_lambda_context
def handler(event, context):
    return process_partial_response(event=event, record_handler=store, processor=processor, context=context)
"""

IDEMPOTENT = """
import uuid
from aws_lambda_powertools.utilities.idempotency import (
    DynamoDBPersistenceLayer, IdempotencyConfig, idempotent)

persistence = DynamoDBPersistenceLayer(table_name="payments")
config = IdempotencyConfig(event_key_jmespath="order", payload_validation_jmespath="amount")

@idempotent(persistence_store=persistence, config=config)
def handler(event, context):
    return {"payment": str(uuid.uuid4())}
"""

PARSER = """
from pydantic import BaseModel, PositiveInt
from aws_lambda_powertools.utilities.parser import envelopes, event_parser

class Level(BaseModel):
    store: str
    item: str
    count: PositiveInt

@event_parser(model=Level, envelope=envelopes.EventBridgeEnvelope)
def handler(event: Level, context):
    return event.model_dump()
"""

METRICS = """
from aws_lambda_powertools import Metrics
from aws_lambda_powertools.metrics import MetricUnit

metrics = Metrics(namespace="Shop", service="stock")

@metrics.log_metrics(capture_cold_start_metric=True)
def handler(event, context):
    metrics.add_metric(name="Sold", unit=MetricUnit.Count, value=event["sold"])
"""

RESOLVER = """
from aws_lambda_powertools.event_handler import LambdaFunctionUrlResolver
from aws_lambda_powertools.event_handler.exceptions import NotFoundError

app = LambdaFunctionUrlResolver()

@app.get("/levels/<store>")
def level(store: str):
    if store == "nowhere":
        raise NotFoundError("no such store")
    return {"store": store, "sorted": app.current_event.get_query_string_value("sort", "")}

def handler(event, context):
    return app.resolve(event, context)
"""


@pytest.fixture(scope="module")
def layer(server: Any) -> str:
    """Powertools as a layer version's ARN."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for path in POWERTOOLS.rglob("*"):
            if path.is_file() and "__pycache__" not in path.parts:
                archive.write(path, Path("python") / path.relative_to(POWERTOOLS))
    server.client("s3").create_bucket(Bucket="layers")
    server.client("s3").put_object(Bucket="layers", Key="powertools.zip", Body=buffer.getvalue())
    published = server.client("lambda").publish_layer_version(
        LayerName="powertools",
        Content={"S3Bucket": "layers", "S3Key": "powertools.zip"},
        CompatibleRuntimes=[RUNTIME],
    )
    arn: str = published["LayerVersionArn"]
    return arn


@pytest.fixture
def deploy(server: Any, layer: str, make_function: Callable[..., str]) -> Callable[[str, str], str]:
    """Makes a function that has the layer; returns its name."""

    def make(name: str, source: str) -> str:
        variables = {"POWERTOOLS_TRACE_DISABLED": "true", "POWERTOOLS_LOG_LEVEL": "INFO"}
        settings = {"Runtime": RUNTIME, "Timeout": 3, "Layers": [layer], "Environment": {"Variables": variables}}
        make_function(server, name, source, **settings)
        return name

    return make


def invoke(server: Any, name: str, event: Any) -> Any:
    """What the function answers, or the error object that it ends with."""
    return json.load(server.client("lambda").invoke(FunctionName=name, Payload=json.dumps(event))["Payload"])


def test_a_batch_fails_in_part(server: Any, deploy: Callable[[str, str], str]) -> None:
    sqs = server.client("sqs")
    dead = sqs.create_queue(QueueName="dead")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=dead, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    redrive = json.dumps({"deadLetterTargetArn": arn, "maxReceiveCount": 1})
    orders = sqs.create_queue(QueueName="orders", Attributes={"RedrivePolicy": redrive, "VisibilityTimeout": "3"})
    bodies = ['{"order": 1}', "not json", '{"order": 2}']
    entries = [{"Id": str(at), "MessageBody": body} for at, body in enumerate(bodies)]
    sqs.send_message_batch(QueueUrl=orders["QueueUrl"], Entries=entries)
    server.client("lambda").create_event_source_mapping(
        FunctionName=deploy("batch", BATCH),
        EventSourceArn=arn.replace("dead", "orders"),
        FunctionResponseTypes=["ReportBatchItemFailures"],
    )
    [letter] = eventually(lambda: sqs.receive_message(QueueUrl=dead, WaitTimeSeconds=5).get("Messages"))
    assert letter["Body"] == "not json"
    pattern = '{ $.message = "stored" && $.service = "stock" }'
    lines = server.client("logs").filter_log_events(logGroupName="/aws/lambda/batch", filterPattern=pattern)["events"]
    assert sorted(json.loads(line["message"])["order"] for line in lines) == [1, 2]


def test_a_payment_is_made_once(server: Any, deploy: Callable[[str, str], str]) -> None:
    server.client("dynamodb").create_table(
        TableName="payments",
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        BillingMode="PAY_PER_REQUEST",
    )
    server.client("dynamodb").get_waiter("table_exists").wait(TableName="payments", WaiterConfig={"Delay": 1})
    deploy("pay", IDEMPOTENT)
    first = invoke(server, "pay", {"order": "7", "amount": 10})
    assert first["payment"]
    assert invoke(server, "pay", {"order": "7", "amount": 10}) == first
    assert invoke(server, "pay", {"order": "8", "amount": 10}) != first
    assert invoke(server, "pay", {"order": "7", "amount": 11})["errorType"] == "IdempotencyValidationError"


def test_an_event_is_parsed(server: Any, deploy: Callable[[str, str], str]) -> None:
    deploy("parse", PARSER)
    level = {"store": "bern", "item": "tea", "count": 3}
    event = {
        "version": "0",
        "id": "6a7e8feb-b491-4cf7-a9f1-bf3703467718",
        "source": "shop",
        "account": "000000000000",
        "time": "2026-01-01T00:00:00Z",
        "region": "us-east-1",
        "resources": [],
        "detail-type": "Counted",
        "detail": level,
    }
    assert invoke(server, "parse", event) == level
    assert invoke(server, "parse", {**event, "detail": {**level, "count": -1}})["errorType"] == "ValidationError"


def test_metrics_reach_cloudwatch(server: Any, deploy: Callable[[str, str], str]) -> None:
    deploy("sell", METRICS)
    for sold in (2, 5):
        invoke(server, "sell", {"sold": sold})

    def sums(metric: str, dimensions: dict[str, str]) -> list[float]:
        now = datetime.now(UTC)
        found = server.client("cloudwatch").get_metric_statistics(
            Namespace="Shop",
            MetricName=metric,
            Dimensions=[{"Name": name, "Value": value} for name, value in dimensions.items()],
            StartTime=now - timedelta(hours=1),
            EndTime=now + timedelta(hours=1),
            Period=7200,
            Statistics=["Sum"],
        )
        return [point["Sum"] for point in found["Datapoints"]]

    assert eventually(lambda: sums("Sold", {"service": "stock"}) == [7.0])
    assert eventually(lambda: sums("ColdStart", {"service": "stock", "function_name": "sell"}) == [1.0])


def test_a_function_url_is_resolved(server: Any, deploy: Callable[[str, str], str]) -> None:
    deploy("levels", RESOLVER)
    client = server.client("lambda")
    url = client.create_function_url_config(FunctionName="levels", AuthType="NONE")["FunctionUrl"]
    client.add_permission(
        FunctionName="levels",
        StatementId="everybody",
        Action="lambda:InvokeFunctionUrl",
        Principal="*",
        FunctionUrlAuthType="NONE",
    )
    client.add_permission(
        FunctionName="levels",
        StatementId="everybody-invokes",
        Action="lambda:InvokeFunction",
        Principal="*",
        InvokedViaFunctionUrl=True,
    )
    found = requests.get(f"{url}levels/bern", params={"sort": "item"}, timeout=30)
    assert (found.status_code, found.json()) == (200, {"store": "bern", "sorted": "item"})
    missing = requests.get(f"{url}levels/nowhere", timeout=30)
    assert (missing.status_code, missing.json()["message"]) == (404, "no such store")
