"""Who may do what: what policies call alarms, and what they can say of them and of data."""

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

ALARMS = "arn:aws:cloudwatch:us-east-1:000000000000:alarm"
ALARM: dict[str, Any] = {
    "Namespace": "Shop",
    "MetricName": "orders",
    "Statistic": "Sum",
    "Period": 60,
    "EvaluationPeriods": 1,
    "Threshold": 1,
    "ComparisonOperator": "GreaterThanThreshold",
}


def client_of(server: Any, name: str, action: str, resource: str, **more: Any) -> Any:
    iam = server.client("iam")
    iam.create_user(UserName=name)
    statement = {"Effect": "Allow", "Action": action, "Resource": resource, **more}
    document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    iam.put_user_policy(UserName=name, PolicyName="p", PolicyDocument=document)
    key = iam.create_access_key(UserName=name)["AccessKey"]
    return server.client("cloudwatch", session=server.session(key["AccessKeyId"], key["SecretAccessKey"]))


def refused(operation: Any, **params: Any) -> bool:
    with pytest.raises(ClientError) as caught:
        operation(**params)
    return "is not authorized to perform" in str(caught.value)


def test_the_right_to_one_alarm_is_none_to_data_and_to_the_others(server: Any) -> None:
    cloudwatch = client_of(server, "of-one", "cloudwatch:*", f"{ALARMS}:mine-*")
    cloudwatch.put_metric_alarm(AlarmName="mine-1", **ALARM)
    assert refused(cloudwatch.put_metric_alarm, AlarmName="theirs", **ALARM)
    assert refused(cloudwatch.describe_alarms)
    assert refused(cloudwatch.list_metrics)
    assert refused(cloudwatch.put_metric_data, Namespace="Shop", MetricData=[{"MetricName": "m", "Value": 1}])
    cloudwatch.delete_alarms(AlarmNames=["mine-1"])
    lists = client_of(server, "of-all", "cloudwatch:DescribeAlarms", f"{ALARMS}:*")
    assert lists.describe_alarms(AlarmNames=["none"])["MetricAlarms"] == []


def test_data_of_one_namespace(server: Any) -> None:
    condition = {"StringEquals": {"cloudwatch:namespace": "Shop"}}
    cloudwatch = client_of(server, "measures", "cloudwatch:PutMetricData", "*", Condition=condition)
    cloudwatch.put_metric_data(Namespace="Shop", MetricData=[{"MetricName": "m", "Value": 1}])
    assert refused(cloudwatch.put_metric_data, Namespace="Other", MetricData=[{"MetricName": "m", "Value": 1}])


def test_tags_decide_whose_alarm_it_is(server: Any) -> None:
    for team in ("red", "blue"):
        tags = [{"Key": "team", "Value": team}]
        server.client("cloudwatch").put_metric_alarm(AlarmName=f"of-{team}", **ALARM, Tags=tags)
    condition = {"StringEquals": {"aws:ResourceTag/team": "red"}}
    red = client_of(server, "red", "cloudwatch:*", "*", Condition=condition)
    red.set_alarm_state(AlarmName="of-red", StateValue="OK", StateReason="by hand")
    assert refused(red.set_alarm_state, AlarmName="of-blue", StateValue="OK", StateReason="by hand")
    assert refused(red.delete_alarms, AlarmNames=["of-red", "of-blue"])


def test_each_dashboard_that_is_named_must_be_allowed(server: Any) -> None:
    for name in ("ours-1", "theirs-1"):
        server.client("cloudwatch").put_dashboard(DashboardName=name, DashboardBody='{"widgets": []}')
    dashboards = "arn:aws:cloudwatch::000000000000:dashboard"
    cloudwatch = client_of(server, "of-dashboards", "cloudwatch:*", f"{dashboards}/ours-*")
    assert refused(cloudwatch.delete_dashboards, DashboardNames=["ours-1", "theirs-1"])
    cloudwatch.delete_dashboards(DashboardNames=["ours-1"])
