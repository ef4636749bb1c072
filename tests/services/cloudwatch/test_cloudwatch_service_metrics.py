"""What services measure of themselves is there as soon as it is asked for."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError

Eventually = Callable[..., Any]


def statistics(cloudwatch: Any, namespace: str, metric: str, **dimensions: str) -> dict[str, float]:
    """Over the last and the next minutes, as one data point."""
    now = datetime.now(UTC)
    answer = cloudwatch.get_metric_statistics(
        Namespace=namespace,
        MetricName=metric,
        Dimensions=[{"Name": name, "Value": value} for name, value in dimensions.items()],
        StartTime=now - timedelta(minutes=30),
        EndTime=now + timedelta(minutes=30),
        Period=7200,
        Statistics=["Sum", "SampleCount", "Maximum"],
    )
    found: dict[str, float] = answer["Datapoints"][0] if answer["Datapoints"] else {}
    return found


def test_functions(server: Any, cloudwatch: Any, make_function: Callable[..., str], eventually: Eventually) -> None:
    make_function(server, "measured", "def handler(event, context):\n    return 1 / event['by']\n")
    client = server.client("lambda")
    client.publish_version(FunctionName="measured")
    client.create_alias(FunctionName="measured", Name="live", FunctionVersion="1")
    client.invoke(FunctionName="measured", Payload=b'{"by": 1}')
    client.invoke(FunctionName="measured", Payload=b'{"by": 0}')
    client.invoke(FunctionName="measured", Qualifier="live", Payload=b'{"by": 1}')
    client.invoke(FunctionName="measured", InvocationType="Event", Payload=b'{"by": 1}')

    def invocations() -> bool:
        return statistics(cloudwatch, "AWS/Lambda", "Invocations", FunctionName="measured").get("Sum") == 4

    eventually(invocations)
    assert statistics(cloudwatch, "AWS/Lambda", "Errors", FunctionName="measured")["Sum"] == 1
    assert statistics(cloudwatch, "AWS/Lambda", "Duration", FunctionName="measured")["SampleCount"] == 4
    assert statistics(cloudwatch, "AWS/Lambda", "Invocations")["Sum"] == 4
    alias = {"FunctionName": "measured", "Resource": "measured:live"}
    assert statistics(cloudwatch, "AWS/Lambda", "Invocations", **alias)["Sum"] == 1
    assert statistics(cloudwatch, "AWS/Lambda", "Invocations", **alias, ExecutedVersion="1")["Sum"] == 1
    assert statistics(cloudwatch, "AWS/Lambda", "AsyncEventsReceived", FunctionName="measured")["Sum"] == 1
    assert statistics(cloudwatch, "AWS/Lambda", "ConcurrentExecutions", FunctionName="measured")["Maximum"] == 1
    client.put_function_concurrency(FunctionName="measured", ReservedConcurrentExecutions=0)
    with pytest.raises(ClientError):
        client.invoke(FunctionName="measured")
    assert statistics(cloudwatch, "AWS/Lambda", "Throttles", FunctionName="measured")["Sum"] == 1


def test_queues(server: Any, cloudwatch: Any) -> None:
    sqs = server.client("sqs")
    url = sqs.create_queue(QueueName="measured")["QueueUrl"]
    sqs.receive_message(QueueUrl=url)
    sqs.send_message(QueueUrl=url, MessageBody="12345")
    entries = [{"Id": str(number), "MessageBody": "123"} for number in range(2)]
    sqs.send_message_batch(QueueUrl=url, Entries=entries)
    messages = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10)["Messages"]
    for message in messages:
        sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])

    def total(metric: str) -> float:
        return statistics(cloudwatch, "AWS/SQS", metric, QueueName="measured")["Sum"]

    assert total("NumberOfMessagesSent") == 3
    assert total("SentMessageSize") == 11
    assert total("NumberOfMessagesReceived") == len(messages)
    assert total("NumberOfMessagesDeleted") == len(messages)
    assert total("NumberOfEmptyReceives") == 1


def test_topics(server: Any, cloudwatch: Any, eventually: Eventually) -> None:
    sns, sqs = server.client("sns"), server.client("sqs")
    topic = sns.create_topic(Name="measured")["TopicArn"]
    arn = f"arn:aws:sqs:us-east-1:000000000000:{'missing'}"
    sqs.create_queue(QueueName="missing")
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)
    filtered = {"FilterPolicy": '{"kind": ["other"]}'}
    url = sqs.create_queue(QueueName="filtered")["QueueUrl"]
    other = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=other, Attributes=filtered)
    sns.publish(TopicArn=topic, Message="hello")

    def failed() -> bool:
        return statistics(cloudwatch, "AWS/SNS", "NumberOfNotificationsFailed", TopicName="measured").get("Sum") == 1

    eventually(failed)  # the queue's policy lets nobody in
    assert statistics(cloudwatch, "AWS/SNS", "NumberOfMessagesPublished", TopicName="measured")["Sum"] == 1
    assert statistics(cloudwatch, "AWS/SNS", "PublishSize", TopicName="measured")["Sum"] == 5
    filtered_out = statistics(cloudwatch, "AWS/SNS", "NumberOfNotificationsFilteredOut", TopicName="measured")
    assert filtered_out["Sum"] == 1


def test_tables(server: Any, cloudwatch: Any) -> None:
    dynamodb = server.client("dynamodb")
    dynamodb.create_table(
        TableName="measured",
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    item = {"id": {"S": "a"}, "text": {"S": "x" * 1500}}
    dynamodb.put_item(TableName="measured", Item=item)
    dynamodb.batch_write_item(RequestItems={"measured": [{"PutRequest": {"Item": {"id": {"S": "b"}}}}]})
    dynamodb.get_item(TableName="measured", Key={"id": {"S": "a"}}, ConsistentRead=True)
    dynamodb.scan(TableName="measured")
    with pytest.raises(ClientError):
        dynamodb.put_item(TableName="measured", Item=item, ConditionExpression="attribute_not_exists(id)")
    with pytest.raises(ClientError):
        dynamodb.get_item(TableName="unknown", Key={"id": {"S": "a"}})

    def total(metric: str, **dimensions: str) -> float:
        return statistics(cloudwatch, "AWS/DynamoDB", metric, TableName="measured", **dimensions)["Sum"]

    assert total("ConsumedWriteCapacityUnits") == 3
    assert total("ConsumedReadCapacityUnits") == 1.5
    assert total("ConditionalCheckFailedRequests") == 1
    assert total("ReturnedItemCount", Operation="Scan") == 2
    latency = {"TableName": "measured", "Operation": "PutItem"}
    assert statistics(cloudwatch, "AWS/DynamoDB", "SuccessfulRequestLatency", **latency)["SampleCount"] == 1
    assert statistics(cloudwatch, "AWS/DynamoDB", "UserErrors")["Sum"] == 1


def test_log_groups(server: Any, cloudwatch: Any) -> None:
    logs = server.client("logs")
    logs.create_log_group(logGroupName="measured")
    logs.create_log_stream(logGroupName="measured", logStreamName="s")
    events = [{"timestamp": int(datetime.now(UTC).timestamp() * 1000), "message": "12345"}] * 2
    logs.put_log_events(logGroupName="measured", logStreamName="s", logEvents=events)
    assert statistics(cloudwatch, "AWS/Logs", "IncomingLogEvents", LogGroupName="measured")["Sum"] == 2
    assert statistics(cloudwatch, "AWS/Logs", "IncomingBytes", LogGroupName="measured")["Sum"] == 62


def test_acknowledged_metrics_and_pending_actions_survive(own_server: Any, eventually: Eventually) -> None:
    cloudwatch, sns = own_server.client("cloudwatch"), own_server.client("sns")
    cloudwatch.put_metric_data(Namespace="Shop", MetricData=[{"MetricName": "Orders", "Value": 3}])
    sqs = own_server.client("sqs")
    url = sqs.create_queue(QueueName="heard")["QueueUrl"]
    topic = sns.create_topic(Name="heard")["TopicArn"]
    policy = '{"Statement": [{"Effect": "Allow", "Principal": "*", "Action": "sqs:SendMessage", "Resource": "*"}]}'
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": policy})
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint="arn:aws:sqs:us-east-1:000000000000:heard")
    cloudwatch.put_metric_alarm(
        AlarmName="killed",
        TreatMissingData="ignore",
        Namespace="Shop",
        MetricName="Unmeasured",
        Statistic="Sum",
        Period=60,
        EvaluationPeriods=1,
        Threshold=5,
        ComparisonOperator="GreaterThanThreshold",
        AlarmActions=[topic],
    )
    cloudwatch.set_alarm_state(AlarmName="killed", StateValue="ALARM", StateReason="test")
    own_server.restart()
    assert statistics(cloudwatch, "Shop", "Orders")["Sum"] == 3
    assert cloudwatch.describe_alarms(AlarmNames=["killed"])["MetricAlarms"][0]["StateValue"] == "ALARM"
    assert eventually(lambda: sqs.receive_message(QueueUrl=url, WaitTimeSeconds=1).get("Messages"))
