"""Alarms, composite alarms and dashboards of templates."""

import json
from typing import Any

TEMPLATE: dict[str, Any] = {
    "Resources": {
        "Topic": {"Type": "AWS::SNS::Topic"},
        "Errors": {
            "Type": "AWS::CloudWatch::Alarm",
            "Properties": {
                "AlarmDescription": "too many errors",
                "Namespace": "AWS/Lambda",
                "MetricName": "Errors",
                "Dimensions": [{"Name": "FunctionName", "Value": "f"}],
                "Statistic": "Sum",
                "Period": "60",
                "EvaluationPeriods": "1",
                "Threshold": "5",
                "ComparisonOperator": "GreaterThanThreshold",
                "AlarmActions": [{"Ref": "Topic"}],
                "Tags": [{"Key": "team", "Value": "a"}],
            },
        },
        "Any": {
            "Type": "AWS::CloudWatch::CompositeAlarm",
            "Properties": {"AlarmName": "any", "AlarmRule": {"Fn::Sub": 'ALARM("${Errors}")'}},
        },
        "Board": {
            "Type": "AWS::CloudWatch::Dashboard",
            "Properties": {"DashboardName": "board", "DashboardBody": '{"widgets": []}'},
        },
    },
    "Outputs": {"Name": {"Value": {"Ref": "Errors"}}, "Arn": {"Value": {"Fn::GetAtt": ["Errors", "Arn"]}}},
}


def test_alarms_and_dashboards_live_with_their_stack(server: Any) -> None:
    cloudformation, cloudwatch = server.client("cloudformation"), server.client("cloudwatch")
    cloudformation.create_stack(StackName="watch", TemplateBody=json.dumps(TEMPLATE))
    cloudformation.get_waiter("stack_create_complete").wait(StackName="watch", WaiterConfig={"Delay": 1})
    [stack] = cloudformation.describe_stacks(StackName="watch")["Stacks"]
    outputs = {output["OutputKey"]: output["OutputValue"] for output in stack["Outputs"]}

    def alarm() -> dict[str, Any]:
        [found] = cloudwatch.describe_alarms(AlarmNames=[outputs["Name"]])["MetricAlarms"]
        return dict(found)

    assert (alarm()["Threshold"], alarm()["AlarmArn"]) == (5, outputs["Arn"])
    assert alarm()["AlarmActions"][0].startswith("arn:aws:sns:")
    tags = cloudwatch.list_tags_for_resource(ResourceARN=outputs["Arn"])["Tags"]
    assert {"Key": "team", "Value": "a"} in tags
    changed = json.loads(json.dumps(TEMPLATE))
    changed["Resources"]["Errors"]["Properties"]["Threshold"] = 7
    changed["Resources"]["Board"]["Properties"]["DashboardBody"] = '{"widgets": [{"type": "text"}]}'
    cloudformation.update_stack(StackName="watch", TemplateBody=json.dumps(changed))
    cloudformation.get_waiter("stack_update_complete").wait(StackName="watch", WaiterConfig={"Delay": 1})
    assert alarm()["Threshold"] == 7
    assert "text" in cloudwatch.get_dashboard(DashboardName="board")["DashboardBody"]
    cloudformation.delete_stack(StackName="watch")
    cloudformation.get_waiter("stack_delete_complete").wait(StackName="watch", WaiterConfig={"Delay": 1})
    left = cloudwatch.describe_alarms(AlarmTypes=["MetricAlarm", "CompositeAlarm"])
    assert left["MetricAlarms"] == left["CompositeAlarms"] == []
    assert cloudwatch.list_dashboards()["DashboardEntries"] == []
