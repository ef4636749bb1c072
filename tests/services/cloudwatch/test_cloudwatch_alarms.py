"""Alarms from the outside: put, described, evaluated, and what they tell topics and functions."""

import json
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from botocore.exceptions import ClientError

Eventually = Callable[..., Any]
ACCOUNT = "000000000000"


def settings(name: str, **more: Any) -> dict[str, Any]:
    """An alarm that looks every ten seconds whether more than five errors were counted."""
    return {
        "AlarmName": name,
        "Namespace": "Shop",
        "MetricName": name,
        "Statistic": "Sum",
        "Period": 10,
        "EvaluationPeriods": 1,
        "Threshold": 5,
        "ComparisonOperator": "GreaterThanThreshold",
        **more,
    }


def count(cloudwatch: Any, name: str, value: float, **more: Any) -> None:
    """A data point of ten seconds that are over, so that nobody waits for their end."""
    moment = datetime.fromtimestamp(time.time() // 10 * 10 - 5, UTC)
    datum = {"MetricName": name, "Value": value, "StorageResolution": 1, "Timestamp": moment, **more}
    cloudwatch.put_metric_data(Namespace="Shop", MetricData=[datum])


def described(cloudwatch: Any, name: str) -> dict[str, Any]:
    answer = cloudwatch.describe_alarms(AlarmNames=[name], AlarmTypes=["MetricAlarm", "CompositeAlarm"])
    [alarm] = answer["MetricAlarms"] + answer["CompositeAlarms"]
    return dict(alarm)


def in_state(cloudwatch: Any, name: str, state: str) -> Callable[[], Any]:
    def ask() -> Any:
        alarm = described(cloudwatch, name)
        return alarm if alarm["StateValue"] == state else None

    return ask


def queue_of_topic(server: Any, name: str) -> tuple[str, str]:
    """A topic and the URL of a queue that gets what is published to it, as it is."""
    sns, sqs = server.client("sns"), server.client("sqs")
    topic = sns.create_topic(Name=name)["TopicArn"]
    url = sqs.create_queue(QueueName=name)["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    statement = {"Effect": "Allow", "Principal": {"Service": "sns.amazonaws.com"}, "Action": "*", "Resource": arn}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": policy})
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)
    return topic, url


def received(server: Any, url: str) -> dict[str, Any] | None:
    answer = server.client("sqs").receive_message(QueueUrl=url, WaitTimeSeconds=1)
    for message in answer.get("Messages", []):
        server.client("sqs").delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
        return dict(json.loads(message["Body"]))
    return None


def test_an_alarm_tells_a_topic_and_recovers(server: Any, cloudwatch: Any, eventually: Eventually) -> None:
    topic, url = queue_of_topic(server, "alerts")
    put = settings(
        "errors",
        AlarmDescription="too many",
        AlarmActions=[topic],
        OKActions=[topic],
        TreatMissingData="notBreaching",
        Dimensions=[{"Name": "Service", "Value": "cart"}],
    )
    cloudwatch.put_metric_alarm(**put)
    count(cloudwatch, "errors", 6, Dimensions=put["Dimensions"])
    alarm = eventually(in_state(cloudwatch, "errors", "ALARM"))
    assert alarm["StateReason"].startswith("Threshold Crossed: 1 out of the last 1 datapoints [6.0 (")
    assert alarm["StateReason"].endswith(
        "] was greater than the threshold (5.0) (minimum 1 datapoint for OK -> ALARM transition)."
    )
    heard = eventually(lambda: received(server, url))
    while json.loads(heard["Message"])["NewStateValue"] != "ALARM":  # it may have begun with OK
        heard = eventually(lambda: received(server, url))
    assert heard["Subject"] == 'ALARM: "errors" in US East (N. Virginia)'
    message = json.loads(heard["Message"])
    assert message["AlarmArn"] == f"arn:aws:cloudwatch:us-east-1:{ACCOUNT}:alarm:errors"
    assert message["AlarmDescription"] == "too many"
    assert message["NewStateReason"] == alarm["StateReason"]
    assert message["Trigger"] == {
        "MetricName": "errors",
        "Namespace": "Shop",
        "StatisticType": "Statistic",
        "Statistic": "SUM",
        "Unit": None,
        "Dimensions": [{"value": "cart", "name": "Service"}],
        "Period": 10,
        "EvaluationPeriods": 1,
        "ComparisonOperator": "GreaterThanThreshold",
        "Threshold": 5.0,
        "TreatMissingData": "notBreaching",
        "EvaluateLowSampleCountPercentile": "",
    }
    # Nothing more is counted: after a few periods that is as good as nothing wrong.
    eventually(in_state(cloudwatch, "errors", "OK"))
    assert eventually(lambda: received(server, url))["Subject"] == 'OK: "errors" in US East (N. Virginia)'
    assert "no datapoints were received" in described(cloudwatch, "errors")["StateReason"]


def test_an_alarm_invokes_a_function(
    server: Any, cloudwatch: Any, eventually: Eventually, make_function: Callable[..., str]
) -> None:
    table = server.client("dynamodb")
    table.create_table(
        TableName="heard",
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    source = (
        "import boto3, json\n"
        "def handler(event, context):\n"
        "    item = {'id': {'S': 'event'}, 'event': {'S': json.dumps(event)}}\n"
        "    boto3.client('dynamodb').put_item(TableName='heard', Item=item)\n"
    )
    function = make_function(server, "on-alarm", source)
    arn = f"arn:aws:cloudwatch:us-east-1:{ACCOUNT}:alarm:by-hand"
    server.client("lambda").add_permission(
        FunctionName="on-alarm",
        StatementId="alarm",
        Action="lambda:InvokeFunction",
        Principal="lambda.alarms.cloudwatch.amazonaws.com",
        SourceArn=arn,
    )
    cloudwatch.put_metric_alarm(**settings("by-hand", Period=60, AlarmActions=[function]))
    cloudwatch.set_alarm_state(AlarmName="by-hand", StateValue="ALARM", StateReason="test")
    item = eventually(lambda: table.get_item(TableName="heard", Key={"id": {"S": "event"}}).get("Item"))
    event = json.loads(item["event"]["S"])
    assert (event["source"], event["alarmArn"], event["accountId"]) == ("aws.cloudwatch", arn, ACCOUNT)
    assert event["alarmData"]["state"] == {"value": "ALARM", "reason": "test", "timestamp": event["time"]}
    assert event["alarmData"]["previousState"]["value"] == "INSUFFICIENT_DATA"
    [metric] = event["alarmData"]["configuration"]["metrics"]
    assert metric["metricStat"] == {
        "metric": {"namespace": "Shop", "name": "by-hand", "dimensions": {}},
        "period": 60,
        "stat": "Sum",
    }


def test_data_of_a_reason_is_json(cloudwatch: Any) -> None:
    cloudwatch.put_metric_alarm(**settings("with-data", Period=60))
    for data in ("no json", "[" * 4000):
        state = {"AlarmName": "with-data", "StateValue": "OK", "StateReason": "test", "StateReasonData": data}
        with pytest.raises(ClientError, match="StateReasonData was not valid JSON"):
            cloudwatch.set_alarm_state(**state)


def test_an_action_that_is_refused_stands_in_the_history(cloudwatch: Any, eventually: Eventually) -> None:
    missing = f"arn:aws:sns:us-east-1:{ACCOUNT}:missing"
    cloudwatch.put_metric_alarm(**settings("unheard", Period=60, AlarmActions=[missing]))
    cloudwatch.set_alarm_state(AlarmName="unheard", StateValue="ALARM", StateReason="test", StateReasonData='{"a": 1}')

    def history(**asked: Any) -> list[dict[str, Any]]:
        answer = cloudwatch.describe_alarm_history(AlarmName="unheard", **asked)
        return list(answer["AlarmHistoryItems"])

    [action] = eventually(lambda: history(HistoryItemType="Action"))
    assert action["HistorySummary"].startswith(f"Failed to execute action {missing}. Received error:")
    [change] = history(HistoryItemType="StateUpdate")
    assert change["HistorySummary"] == "Alarm updated from INSUFFICIENT_DATA to ALARM"
    assert json.loads(change["HistoryData"])["newState"] == {
        "stateValue": "ALARM",
        "stateReason": "test",
        "stateReasonData": {"a": 1},
    }
    oldest = history(ScanBy="TimestampAscending", MaxRecords=1)
    assert [item["HistorySummary"] for item in oldest] == ['Alarm "unheard" created']


def test_disabled_actions_do_not_happen(server: Any, cloudwatch: Any, eventually: Eventually) -> None:
    topic, url = queue_of_topic(server, "muted")
    cloudwatch.put_metric_alarm(**settings("muted", Period=60, AlarmActions=[topic], OKActions=[topic]))
    cloudwatch.disable_alarm_actions(AlarmNames=["muted"])
    assert described(cloudwatch, "muted")["ActionsEnabled"] is False
    cloudwatch.set_alarm_state(AlarmName="muted", StateValue="ALARM", StateReason="unheard")
    cloudwatch.enable_alarm_actions(AlarmNames=["muted"])
    cloudwatch.set_alarm_state(AlarmName="muted", StateValue="OK", StateReason="heard")
    heard = eventually(lambda: received(server, url))
    assert json.loads(heard["Message"])["NewStateReason"] == "heard"


def test_an_alarm_on_an_expression(server: Any, cloudwatch: Any, eventually: Eventually) -> None:
    def stat(id_: str, metric: str) -> dict[str, Any]:
        found = {"Metric": {"Namespace": "Shop", "MetricName": metric}, "Period": 10, "Stat": "Sum"}
        return {"Id": id_, "MetricStat": found, "ReturnData": False}

    queries = [
        {"Id": "rate", "Expression": "100 * failed / FILL(all, 0)", "Label": "share"},
        stat("failed", "failed"),
        stat("all", "all"),
    ]
    alarm = settings("rate", Metrics=queries)
    for member in ("Namespace", "MetricName", "Statistic", "Period"):
        del alarm[member]
    cloudwatch.put_metric_alarm(**alarm)
    count(cloudwatch, "all", 10)
    count(cloudwatch, "failed", 1)
    found = eventually(in_state(cloudwatch, "rate", "ALARM"))
    assert "[10.0 (" in found["StateReason"]
    assert [query["Id"] for query in found["Metrics"]] == ["rate", "failed", "all"]


def test_the_first_look_decides_what_missing_data_means(cloudwatch: Any, eventually: Eventually) -> None:
    cloudwatch.put_metric_alarm(**settings("silent", Period=60, TreatMissingData="breaching"))
    found = eventually(in_state(cloudwatch, "silent", "ALARM"))
    assert found["StateReason"] == (
        "Threshold Crossed: no datapoints were received for 1 period"
        " and 1 missing datapoint was treated as [Breaching]."
    )
    cloudwatch.put_metric_alarm(**settings("waiting", Period=60, EvaluationPeriods=2))
    words = "Insufficient Data: 2 datapoints were unknown."
    found = eventually(lambda: described(cloudwatch, "waiting")["StateReason"] == words)
    data = json.loads(described(cloudwatch, "waiting")["StateReasonData"])
    assert (data["recentDatapoints"], data["period"], len(data["evaluatedDatapoints"])) == ([], 60, 2)


def test_composite_alarms_follow_their_rules(server: Any, cloudwatch: Any, eventually: Eventually) -> None:
    topic, url = queue_of_topic(server, "composite")
    for name in ("left", "right"):
        cloudwatch.put_metric_alarm(**settings(name, Period=60))
    rule = 'ALARM("left") AND NOT OK(right)'
    cloudwatch.put_composite_alarm(AlarmName="both", AlarmRule=rule, AlarmActions=[topic])
    eventually(in_state(cloudwatch, "both", "OK"))
    cloudwatch.set_alarm_state(AlarmName="left", StateValue="ALARM", StateReason="test")
    found = described(cloudwatch, "both")
    assert found["StateValue"] == "ALARM"
    assert found["StateReason"].startswith(f"arn:aws:cloudwatch:us-east-1:{ACCOUNT}:alarm:left transitioned to ALARM")
    message = json.loads(eventually(lambda: received(server, url))["Message"])
    assert message["AlarmRule"] == rule
    assert message["TriggeringChildren"][0]["Arn"].endswith(":alarm:left")
    cloudwatch.set_alarm_state(AlarmName="right", StateValue="OK", StateReason="test")
    assert described(cloudwatch, "both")["StateValue"] == "OK"
    children = cloudwatch.describe_alarms(ChildrenOfAlarmName="both")["MetricAlarms"]
    assert [child["AlarmName"] for child in children] == ["left", "right"]
    parents = cloudwatch.describe_alarms(ParentsOfAlarmName="left")["CompositeAlarms"]
    assert [parent["AlarmName"] for parent in parents] == ["both"]
    with pytest.raises(ClientError, match="composite alarm"):
        cloudwatch.delete_alarms(AlarmNames=["left"])
    cloudwatch.delete_alarms(AlarmNames=["left", "right", "both"])
    assert cloudwatch.describe_alarms(AlarmNames=["left", "right"])["MetricAlarms"] == []


def test_a_suppressed_alarm_acts_when_the_suppression_ends(
    server: Any, cloudwatch: Any, eventually: Eventually
) -> None:
    topic, url = queue_of_topic(server, "suppressed")
    for name in ("cause", "deployment"):
        cloudwatch.put_metric_alarm(**settings(name, Period=60))
    cloudwatch.put_composite_alarm(
        AlarmName="quiet",
        AlarmRule="ALARM(cause)",
        AlarmActions=[topic],
        ActionsSuppressor="deployment",
        ActionsSuppressorWaitPeriod=60,
        ActionsSuppressorExtensionPeriod=0,
    )
    cloudwatch.set_alarm_state(AlarmName="cause", StateValue="ALARM", StateReason="test")
    assert described(cloudwatch, "quiet")["ActionsSuppressedBy"] == "WaitPeriod"
    cloudwatch.set_alarm_state(AlarmName="deployment", StateValue="ALARM", StateReason="test")
    assert described(cloudwatch, "quiet")["ActionsSuppressedBy"] == "Alarm"
    assert received(server, url) is None
    cloudwatch.set_alarm_state(AlarmName="deployment", StateValue="OK", StateReason="test")
    message = json.loads(eventually(lambda: received(server, url))["Message"])
    assert (message["AlarmName"], message["NewStateValue"]) == ("quiet", "ALARM")
    assert "ActionsSuppressedBy" not in described(cloudwatch, "quiet")


def test_alarms_are_listed_by_name_state_and_action(server: Any, cloudwatch: Any) -> None:
    topic = server.client("sns").create_topic(Name="listed")["TopicArn"]
    for number in range(5):
        cloudwatch.put_metric_alarm(**settings(f"list-{number}", Period=60, AlarmActions=[topic] if number < 2 else []))
    cloudwatch.put_composite_alarm(AlarmName="list-all", AlarmRule="ALARM(list-0) OR ALARM(list-1)")
    cloudwatch.set_alarm_state(AlarmName="list-3", StateValue="OK", StateReason="test")

    def names(**asked: Any) -> list[str]:
        pages = cloudwatch.get_paginator("describe_alarms").paginate(AlarmNamePrefix="list-", **asked)
        return [
            alarm["AlarmName"] for page in pages for kind in ("MetricAlarms", "CompositeAlarms") for alarm in page[kind]
        ]

    assert names(PaginationConfig={"PageSize": 2}) == [f"list-{number}" for number in range(5)]
    assert names(StateValue="OK") == ["list-3"]
    assert names(ActionPrefix=topic) == ["list-0", "list-1"]
    assert names(AlarmTypes=["CompositeAlarm"]) == ["list-all"]
    asked = {"Namespace": "Shop", "MetricName": "list-2"}
    assert [a["AlarmName"] for a in cloudwatch.describe_alarms_for_metric(**asked)["MetricAlarms"]] == ["list-2"]
    assert cloudwatch.describe_alarms_for_metric(**asked, Statistic="Average")["MetricAlarms"] == []


def test_what_is_put_again_replaces_the_configuration_but_not_the_state(cloudwatch: Any) -> None:
    cloudwatch.put_metric_alarm(**settings("again", Period=60, AlarmDescription="first", TreatMissingData="ignore"))
    cloudwatch.set_alarm_state(AlarmName="again", StateValue="OK", StateReason="test")
    cloudwatch.put_metric_alarm(**settings("again", Period=60, Threshold=7.5, TreatMissingData="ignore"))
    found = described(cloudwatch, "again")
    assert (found["StateValue"], found["Threshold"]) == ("OK", 7.5)
    assert "AlarmDescription" not in found


@pytest.mark.parametrize(
    ("changes", "code", "message"),
    [
        ({"Period": 45}, "ValidationError", "Period must be 10, 20, 30 or a multiple of 60"),
        ({"Threshold": None}, "ValidationError", "Value null at 'threshold'"),
        ({"DatapointsToAlarm": 2}, "ValidationError", "DatapointsToAlarm must be less than or equal"),
        ({"Period": 3540, "EvaluationPeriods": 100}, "ValidationError", "cannot be checked across more than a day"),
        ({"TreatMissingData": "what"}, "ValidationError", "at 'treatMissingData' failed to satisfy constraint"),
        ({"Statistic": None}, "ValidationError", "Exactly one of Statistic and ExtendedStatistic"),
        ({"AlarmActions": ["nonsense"]}, "ValidationError", "Invalid arn syntax: nonsense"),
        ({"AlarmActions": ["arn:aws:sns:eu-west-1:0:t"]}, "ValidationError", "Invalid region eu-west-1 specified"),
        ({"AlarmActions": ["arn:aws:automate:us-east-1:ec2:stop"]}, "NotImplemented", "does not implement"),
        ({"ComparisonOperator": "GreaterThanUpperThreshold"}, "NotImplemented", "anomaly detection"),
        ({"ComparisonOperator": "More"}, "ValidationError", "enum value set"),
    ],
)
def test_alarms_that_are_refused(cloudwatch: Any, changes: dict[str, Any], code: str, message: str) -> None:
    asked = {member: value for member, value in settings("refused", **changes).items() if value is not None}
    with pytest.raises(ClientError) as caught:
        cloudwatch.put_metric_alarm(**asked)
    assert f"({code})" in str(caught.value)
    assert message in str(caught.value)


def test_unknown_alarms(cloudwatch: Any) -> None:
    with pytest.raises(ClientError) as caught:
        cloudwatch.set_alarm_state(AlarmName="nobody", StateValue="OK", StateReason="test")
    assert "(ResourceNotFound)" in str(caught.value)
    with pytest.raises(ClientError, match="AlarmRule"):
        cloudwatch.put_composite_alarm(AlarmName="c", AlarmRule="ALARM(nobody)")
    with pytest.raises(ClientError, match="AlarmRule is not valid"):
        cloudwatch.put_composite_alarm(AlarmName="c", AlarmRule="ALARM(errors) AND")
