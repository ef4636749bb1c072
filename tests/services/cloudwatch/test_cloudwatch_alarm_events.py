"""What the default event bus hears of alarms: their states, and what is changed about them."""

import json
import time
from collections.abc import Callable
from typing import Any

import pytest

ACCOUNT = "000000000000"


@pytest.fixture(scope="module")
def next_event(server: Any) -> Callable[[str], dict[str, Any]]:
    """The next event with a detail type, of those that a rule for CloudWatch's sends to a queue."""
    events, sqs = server.client("events"), server.client("sqs")
    url = sqs.create_queue(QueueName="alarm-events")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    statement = {"Effect": "Allow", "Principal": {"Service": "events.amazonaws.com"}, "Action": "*", "Resource": arn}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": policy})
    events.put_rule(Name="alarms", EventPattern=json.dumps({"source": ["aws.cloudwatch"]}))
    events.put_targets(Rule="alarms", Targets=[{"Id": "queue", "Arn": arn}])

    def ask(detail_type: str) -> dict[str, Any]:
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            for message in sqs.receive_message(QueueUrl=url, WaitTimeSeconds=5).get("Messages", ()):
                sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
                event: dict[str, Any] = json.loads(message["Body"])
                if event["detail-type"] == detail_type:
                    return event
        pytest.fail("the event did not come")

    return ask


def put_alarm(cloudwatch: Any, name: str, **more: Any) -> None:
    cloudwatch.put_metric_alarm(
        AlarmName=name,
        Namespace="Shop",
        MetricName="Errors",
        Dimensions=[{"Name": "Kind", "Value": "a"}],
        Statistic="Sum",
        Period=86400,
        EvaluationPeriods=1,
        Threshold=5,
        ComparisonOperator="GreaterThanThreshold",
        **more,
    )


def test_a_change_of_state(cloudwatch: Any, next_event: Callable[[str], dict[str, Any]]) -> None:
    put_alarm(cloudwatch, "heard", AlarmDescription="errors")
    cloudwatch.set_alarm_state(AlarmName="heard", StateValue="ALARM", StateReason="by hand", StateReasonData='{"a": 1}')
    event = next_event("CloudWatch Alarm State Change")
    arn = f"arn:aws:cloudwatch:us-east-1:{ACCOUNT}:alarm:heard"
    assert (event["source"], event["resources"], event["account"]) == ("aws.cloudwatch", [arn], ACCOUNT)
    detail = event["detail"]
    assert detail["alarmName"] == "heard"
    assert detail["previousState"]["value"] == "INSUFFICIENT_DATA"
    timestamp = detail["state"].pop("timestamp")
    assert timestamp.endswith("+0000")
    assert detail["state"] == {"value": "ALARM", "reason": "by hand", "reasonData": '{"a": 1}'}
    [metric] = detail["configuration"]["metrics"]
    assert detail["configuration"]["description"] == "errors"
    assert metric["metricStat"] == {
        "metric": {"namespace": "Shop", "name": "Errors", "dimensions": {"Kind": "a"}},
        "period": 86400,
        "stat": "Sum",
    }


def test_what_is_changed_about_an_alarm(cloudwatch: Any, next_event: Callable[[str], dict[str, Any]]) -> None:
    def next_change() -> dict[str, Any]:
        while (detail := next_event("CloudWatch Alarm Configuration Change")["detail"])["alarmName"] != "changed":
            pass  # of another test's alarm
        return detail

    put_alarm(cloudwatch, "changed")
    assert next_change()["operation"] == "create"
    put_alarm(cloudwatch, "changed", OKActions=[f"arn:aws:sns:us-east-1:{ACCOUNT}:t"])
    detail = next_change()
    assert detail["operation"] == "update"
    assert detail["configuration"]["okActions"] == [f"arn:aws:sns:us-east-1:{ACCOUNT}:t"]
    assert detail["configuration"]["threshold"] == 5
    cloudwatch.delete_alarms(AlarmNames=["changed"])
    assert next_change()["operation"] == "delete"


def test_a_composite_alarm_follows_its_parts(cloudwatch: Any, next_event: Callable[[str], dict[str, Any]]) -> None:
    put_alarm(cloudwatch, "part")
    cloudwatch.put_composite_alarm(AlarmName="both", AlarmRule='ALARM("part")')
    cloudwatch.set_alarm_state(AlarmName="part", StateValue="ALARM", StateReason="by hand")
    found: dict[str, dict[str, Any]] = {}
    while "both" not in found or found["both"]["state"]["value"] != "ALARM":
        detail = next_event("CloudWatch Alarm State Change")["detail"]
        found[detail["alarmName"]] = detail
    [triggering] = json.loads(found["both"]["state"]["reasonData"])["triggeringAlarms"]
    assert triggering["arn"].endswith(":alarm:part")
    assert triggering["state"]["value"] == "ALARM"
    assert found["both"]["configuration"] == {"alarmRule": 'ALARM("part")'}
