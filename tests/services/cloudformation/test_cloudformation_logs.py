"""Log groups with what belongs to them, made, changed and deleted as their template says."""

import json
from typing import Any

import pytest
from test_cloudformation_resources import Deployed, arn, resource

CODE = """
import base64, gzip, json

def handler(event, context):
    batch = json.loads(gzip.decompress(base64.b64decode(event["awslogs"]["data"])))
    print("GOT", batch["logGroup"], [found["message"] for found in batch["logEvents"]])
"""


@pytest.fixture
def deployed(server: Any, request: pytest.FixtureRequest) -> Deployed:
    return Deployed(server, request.node.name.replace("_", "-"))


def function(name: str) -> dict[str, Any]:
    """A function with its role, and the permission for CloudWatch Logs to invoke it."""
    trust = {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
    return {
        f"{name}Role": resource("IAM::Role", AssumeRolePolicyDocument={"Version": "2012-10-17", "Statement": [trust]}),
        name: resource(
            "Lambda::Function",
            Code={"ZipFile": CODE},
            Handler="index.handler",
            Runtime="python3.11",
            Role=arn(f"{name}Role"),
        ),
        f"{name}Permission": resource(
            "Lambda::Permission",
            FunctionName={"Ref": name},
            Action="lambda:InvokeFunction",
            Principal="logs.amazonaws.com",
            SourceArn=arn("Group"),
        ),
    }


def test_filters_of_a_group(deployed: Deployed) -> None:
    logs = deployed.server.client("logs")
    group = {"LogGroupName": {"Ref": "Group"}}
    made = {
        **function("Receiver"),
        "Group": resource("Logs::LogGroup", RetentionInDays="7", DeletionProtectionEnabled="false"),
        "Stream": resource("Logs::LogStream", **group, LogStreamName="one"),
        # Made beside the permission that it needs, in whatever order.
        "Subscription": resource("Logs::SubscriptionFilter", **group, FilterPattern="", DestinationArn=arn("Receiver")),
        "Metric": resource(
            "Logs::MetricFilter",
            **group,
            FilterName="errors",
            FilterPattern="{ $.level = ERROR }",
            MetricTransformations=[
                {
                    "MetricName": "Errors",
                    "MetricNamespace": "Shop",
                    "MetricValue": 1,
                    "Unit": "Count",
                    "Dimensions": [{"Key": "Level", "Value": "$.level"}],
                }
            ],
        ),
    }
    deployed.create(made)
    name = deployed.id_of("Group")
    assert logs.describe_log_streams(logGroupName=name)["logStreams"][0]["logStreamName"] == "one"
    (subscription,) = logs.describe_subscription_filters(logGroupName=name)["subscriptionFilters"]
    assert subscription["filterName"] == deployed.id_of("Subscription")
    (metric,) = logs.describe_metric_filters(logGroupName=name)["metricFilters"]
    assert metric["filterName"] == deployed.id_of("Metric") == "errors"
    assert metric["metricTransformations"] == [
        {
            "metricName": "Errors",
            "metricNamespace": "Shop",
            "metricValue": "1",
            "unit": "Count",
            "dimensions": {"Level": "$.level"},
        }
    ]

    made["Subscription"]["Properties"]["FilterPattern"] = "ERROR"
    made["Metric"]["Properties"]["FilterName"] = "failures"
    made["Metric"]["Properties"]["MetricTransformations"] = [
        {"MetricName": "Errors", "MetricNamespace": "Shop", "MetricValue": "1", "DefaultValue": "0"}
    ]
    deployed.update(made)
    assert logs.describe_subscription_filters(logGroupName=name)["subscriptionFilters"][0]["filterPattern"] == "ERROR"
    (metric,) = logs.describe_metric_filters(logGroupName=name)["metricFilters"]
    assert (metric["filterName"], metric["metricTransformations"][0]["defaultValue"]) == ("failures", 0)

    del made["Subscription"], made["Metric"], made["Stream"]
    deployed.update(made)
    assert logs.describe_subscription_filters(logGroupName=name)["subscriptionFilters"] == []
    assert logs.describe_metric_filters(logGroupName=name)["metricFilters"] == []
    assert logs.describe_log_streams(logGroupName=name)["logStreams"] == []
    deployed.delete()


def test_a_resource_policy(deployed: Deployed) -> None:
    logs = deployed.server.client("logs")
    statement = {
        "Effect": "Allow",
        "Principal": {"Service": "events.amazonaws.com"},
        "Action": ["logs:CreateLogStream", "logs:PutLogEvents"],
        "Resource": "*",
    }
    document = {"Version": "2012-10-17", "Statement": [statement]}
    policy = resource("Logs::ResourcePolicy", PolicyName="writers", PolicyDocument=json.dumps(document))
    deployed.create({"Policy": policy})
    assert deployed.id_of("Policy") == "writers"
    statement["Action"] = "logs:PutLogEvents"
    policy["Properties"]["PolicyDocument"] = json.dumps(document)
    deployed.update({"Policy": policy})
    (found,) = logs.describe_resource_policies()["resourcePolicies"]
    assert (found["policyName"], json.loads(found["policyDocument"])) == ("writers", document)
    deployed.delete()
    assert logs.describe_resource_policies()["resourcePolicies"] == []


def test_sams_event_of_a_log_group(server: Any) -> None:
    template = {
        "Transform": "AWS::Serverless-2016-10-31",
        "Resources": {
            "Group": {"Type": "AWS::Logs::LogGroup", "Properties": {"LogGroupName": "/sam/source"}},
            "Receiver": {
                "Type": "AWS::Serverless::Function",
                "Properties": {
                    "InlineCode": CODE,
                    "Handler": "index.handler",
                    "Runtime": "python3.11",
                    "Events": {
                        "Logs": {
                            "Type": "CloudWatchLogs",
                            "Properties": {"LogGroupName": {"Ref": "Group"}, "FilterPattern": "ERROR"},
                        }
                    },
                },
            },
        },
    }
    client = server.client("cloudformation")
    client.create_stack(
        StackName="sam-logs",
        TemplateBody=json.dumps(template),
        Capabilities=["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"],
    )
    client.get_waiter("stack_create_complete").wait(
        StackName="sam-logs", WaiterConfig={"Delay": 0.1, "MaxAttempts": 600}
    )
    (found,) = server.client("logs").describe_subscription_filters(logGroupName="/sam/source")["subscriptionFilters"]
    assert found["filterPattern"] == "ERROR"
