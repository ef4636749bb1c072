"""What Lambda measures beside invocations: provisioned concurrency, asynchronous events, and records of streams."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

Eventually = Callable[..., Any]
SLOW = "import time\n\ndef handler(event, context):\n    time.sleep(event.get('seconds', 0))\n"


def statistic(cloudwatch: Any, metric: str, of: str, function: str, **further: str) -> Any:
    """None where there is no data."""
    now = datetime.now(UTC)
    named = {"FunctionName": function, **further}
    answer = cloudwatch.get_metric_statistics(
        Namespace="AWS/Lambda",
        MetricName=metric,
        Dimensions=[{"Name": name, "Value": value} for name, value in named.items()],
        StartTime=now - timedelta(minutes=30),
        EndTime=now + timedelta(minutes=30),
        Period=7200,
        Statistics=[of],
    )
    return answer["Datapoints"][0][of] if answer["Datapoints"] else None


def test_provisioned_concurrency(
    server: Any, cloudwatch: Any, make_function: Callable[..., str], eventually: Eventually
) -> None:
    make_function(server, "provisioned", SLOW)
    client = server.client("lambda")
    client.publish_version(FunctionName="provisioned")
    at = {"FunctionName": "provisioned", "Qualifier": "1"}
    client.put_provisioned_concurrency_config(**at, ProvisionedConcurrentExecutions=1)
    eventually(lambda: client.get_provisioned_concurrency_config(**at)["Status"] == "READY")
    client.invoke(**at, Payload=b"{}")

    def found(metric: str, of: str) -> Any:
        return statistic(cloudwatch, metric, of, "provisioned", Resource="provisioned:1")

    assert found("ProvisionedConcurrencyInvocations", "Sum") == 1
    assert found("ProvisionedConcurrencySpilloverInvocations", "Sum") is None
    assert found("ProvisionedConcurrentExecutions", "Maximum") == 1
    assert found("ProvisionedConcurrencyUtilization", "Maximum") == 1
    with ThreadPoolExecutor(2) as both:
        list(both.map(lambda _: client.invoke(**at, Payload=b'{"seconds": 3}'), range(2)))
    assert found("ProvisionedConcurrencyInvocations", "Sum") == 2
    assert found("ProvisionedConcurrencySpilloverInvocations", "Sum") == 1
    assert found("ProvisionedConcurrentExecutions", "Maximum") == 1
    client.invoke(FunctionName="provisioned", Payload=b"{}")
    assert statistic(cloudwatch, "ProvisionedConcurrencyInvocations", "Sum", "provisioned") == 2


def test_events_that_are_late_and_records_that_nobody_takes(
    server: Any, cloudwatch: Any, make_function: Callable[..., str], eventually: Eventually
) -> None:
    make_function(server, "failing", "def handler(event, context):\n    raise ValueError\n")
    client, sqs = server.client("lambda"), server.client("sqs")
    queues = [sqs.create_queue(QueueName=name)["QueueUrl"] for name in ("dead", "destination")]
    arns = [
        sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"] for url in queues
    ]
    client.update_function_configuration(FunctionName="failing", DeadLetterConfig={"TargetArn": arns[0]})
    client.get_waiter("function_updated_v2").wait(FunctionName="failing", WaiterConfig={"Delay": 1})
    destination = {"OnFailure": {"Destination": arns[1]}}
    client.put_function_event_invoke_config(
        FunctionName="failing", MaximumRetryAttempts=0, DestinationConfig=destination
    )
    for url in queues:
        sqs.delete_queue(QueueUrl=url)
    client.invoke(FunctionName="failing", InvocationType="Event", Payload=b"{}")
    for metric in ("DeadLetterErrors", "DestinationDeliveryFailures"):
        eventually(lambda m=metric: statistic(cloudwatch, m, "Sum", "failing") == 1)
    assert 0 <= statistic(cloudwatch, "AsyncEventAge", "Maximum", "failing") < 60_000


def test_the_age_of_records_of_streams(
    server: Any, cloudwatch: Any, make_function: Callable[..., str], eventually: Eventually
) -> None:
    make_function(server, "following", SLOW)
    dynamodb = server.client("dynamodb")
    table = dynamodb.create_table(
        TableName="followed",
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        BillingMode="PAY_PER_REQUEST",
        StreamSpecification={"StreamEnabled": True, "StreamViewType": "KEYS_ONLY"},
    )["TableDescription"]
    dynamodb.put_item(TableName="followed", Item={"id": {"S": "1"}})
    server.client("lambda").create_event_source_mapping(
        FunctionName="following", EventSourceArn=table["LatestStreamArn"], StartingPosition="TRIM_HORIZON"
    )
    age = eventually(lambda: statistic(cloudwatch, "IteratorAge", "Maximum", "following"))
    assert 0 < age < 600_000
