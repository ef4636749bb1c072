"""Request metrics of buckets in templates."""

import json
from typing import Any


def template(configurations: list[dict[str, Any]]) -> str:
    properties = {"BucketName": "measured-by-stack", "MetricsConfigurations": configurations}
    return json.dumps({"Resources": {"Files": {"Type": "AWS::S3::Bucket", "Properties": properties}}})


def test_metrics_configurations_follow_the_template(server: Any) -> None:
    cloudformation, s3 = server.client("cloudformation"), server.client("s3")

    def filters() -> dict[str, Any]:
        listed = s3.list_bucket_metrics_configurations(Bucket="measured-by-stack")["MetricsConfigurationList"]
        return {each["Id"]: each.get("Filter") for each in listed}

    red, big = {"Key": "colour", "Value": "red"}, {"Key": "size", "Value": "big"}
    first = [{"Id": "All"}, {"Id": "Logs", "Prefix": "logs/"}, {"Id": "Red", "TagFilters": [red]}]
    cloudformation.create_stack(StackName="measured", TemplateBody=template(first))
    cloudformation.get_waiter("stack_create_complete").wait(StackName="measured", WaiterConfig={"Delay": 1})
    assert filters() == {"All": None, "Logs": {"Prefix": "logs/"}, "Red": {"Tag": red}}
    second = [{"Id": "All"}, {"Id": "Logs", "Prefix": "log/", "TagFilters": [red, big]}]
    cloudformation.update_stack(StackName="measured", TemplateBody=template(second))
    cloudformation.get_waiter("stack_update_complete").wait(StackName="measured", WaiterConfig={"Delay": 1})
    assert filters() == {"All": None, "Logs": {"And": {"Prefix": "log/", "Tags": [red, big]}}}
