"""PutMetricData and GetMetricStatistics over all three protocols, and what they refuse."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode
from xml.etree import ElementTree

import cbor2
import pytest
import requests
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.exceptions import ClientError

_XML = {"a": "http://monitoring.amazonaws.com/doc/2010-08-01/"}


def signed(server: Any, path: str, body: bytes, **headers: str) -> requests.Response:
    frozen = server.session().get_credentials()
    request = AWSRequest("POST", server.url + path, data=body, headers=headers)
    SigV4Auth(Credentials(frozen.access_key, frozen.secret_key), "monitoring", "us-east-1").add_auth(request)
    return requests.post(server.url + path, data=body, headers=dict(request.headers), timeout=30)


def query(server: Any, **fields: Any) -> requests.Response:
    body = urlencode({"Version": "2010-08-01", **fields}).encode()
    return signed(server, "/", body, **{"Content-Type": "application/x-www-form-urlencoded"})


def rpc(server: Any, operation: str, body: dict[str, Any]) -> requests.Response:
    path = f"/service/GraniteServiceVersion20100801/operation/{operation}"
    headers = {"Content-Type": "application/cbor", "smithy-protocol": "rpc-v2-cbor"}
    return signed(server, path, cbor2.dumps(body), **headers)


def test_the_query_protocol(server: Any) -> None:
    sent = {
        "MetricData.member.1.MetricName": "Old",
        "MetricData.member.1.Value": "5",
        "MetricData.member.1.Dimensions.member.1.Name": "Client",
        "MetricData.member.1.Dimensions.member.1.Value": "cli",
    }
    assert query(server, Action="PutMetricData", Namespace="Shop", **sent).status_code == 200
    now = datetime.now(UTC)
    asked = {
        "MetricName": "Old",
        "Dimensions.member.1.Name": "Client",
        "Dimensions.member.1.Value": "cli",
        "StartTime": (now - timedelta(minutes=5)).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "EndTime": (now + timedelta(minutes=5)).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "Period": 60,
        "Statistics.member.1": "Sum",
    }
    answer = ElementTree.fromstring(query(server, Action="GetMetricStatistics", Namespace="Shop", **asked).text)
    assert answer.findtext(".//a:Datapoints/a:member/a:Sum", namespaces=_XML) == "5.0"
    refused = query(server, Action="PutMetricData", Namespace="Shop", **{"MetricData.member.1.Value": "1"})
    assert refused.status_code == 400
    error = ElementTree.fromstring(refused.text)
    assert error.findtext(".//a:Code", namespaces=_XML) == "MissingParameter"
    assert (
        error.findtext(".//a:Message", namespaces=_XML) == "The parameter MetricData.member.1.MetricName is required."
    )


def test_rpc_v2_cbor(server: Any) -> None:
    assert rpc(server, "PutMetricData", {"Namespace": "Shop", "MetricData": [{"MetricName": "New", "Value": 7.5}]}).ok
    now = datetime.now(UTC).timestamp()
    asked = {
        "Namespace": "Shop",
        "MetricName": "New",
        "StartTime": cbor2.CBORTag(1, now - 300),
        "EndTime": cbor2.CBORTag(1, now + 300),
        "Period": 60,
        "Statistics": ["Maximum"],
    }
    [point] = cbor2.loads(rpc(server, "GetMetricStatistics", asked).content)["Datapoints"]
    assert (point["Maximum"], point["Unit"]) == (7.5, "None")


def test_values_counts_and_statistics_come_together(cloudwatch: Any, minute: Callable[[int], datetime]) -> None:
    at = {"MetricName": "Mixed", "Timestamp": minute(3), "Unit": "Count"}
    statistics = {"SampleCount": 2, "Sum": 20, "Minimum": 10, "Maximum": 10}
    cloudwatch.put_metric_data(
        Namespace="Shop",
        MetricData=[{**at, "Values": [1, 2], "Counts": [3, 1]}, {**at, "StatisticValues": statistics}],
    )
    asked = {"Namespace": "Shop", "MetricName": "Mixed", "StartTime": minute(5), "EndTime": minute(0), "Period": 60}
    simple = ["SampleCount", "Sum", "Minimum", "Maximum", "Average"]
    [point] = cloudwatch.get_metric_statistics(**asked, Statistics=simple)["Datapoints"]
    assert [point[name] for name in simple] == [6, 25, 1, 10, 25 / 6]
    [point] = cloudwatch.get_metric_statistics(**asked, ExtendedStatistics=["p50", "p99"])["Datapoints"]
    assert point["ExtendedStatistics"] == {"p50": 1, "p99": 10}


@pytest.mark.parametrize(
    ("datum", "code", "message"),
    [
        ({"Value": float("nan")}, "InvalidParameterValue", "The value NaN for parameter MetricData.member.1.Value is"),
        ({"Value": 2.0**361}, "InvalidParameterValue", "-2^360 to 2^360"),
        ({}, "MissingParameter", "At least one of the parameters MetricData.member.1.Value"),
        ({"Value": 1, "Values": [1]}, "InvalidParameterCombination", "mutually exclusive"),
        ({"Values": [1], "Counts": [1, 2]}, "InvalidParameterValue", "must be of the same size"),
        ({"Values": list(range(151))}, "InvalidParameterValue", "must not have a size greater than 150"),
        ({"Value": 1, "StorageResolution": 5}, "InvalidParameterValue", "must be a value in the set [ 1, 60 ]"),
        ({"Value": 1, "Unit": "Apples"}, "InvalidParameterValue", "The parameter MetricData.member.1.Unit must be"),
        ({"Value": 1, "Timestamp": datetime(2020, 1, 1, tzinfo=UTC)}, "InvalidParameterValue", "past two weeks"),
        (
            {"Value": 1, "Dimensions": [{"Name": str(n), "Value": "v"} for n in range(31)]},
            "InvalidParameterValue",
            "must not have a size greater than 30",
        ),
    ],
)
def test_data_that_is_refused(cloudwatch: Any, datum: dict[str, Any], code: str, message: str) -> None:
    with pytest.raises(ClientError) as caught:
        cloudwatch.put_metric_data(Namespace="Shop", MetricData=[{"MetricName": "Refused", **datum}])
    assert f"({code})" in str(caught.value)
    assert message in str(caught.value)


def test_limits_of_requests(cloudwatch: Any, minute: Callable[[int], datetime]) -> None:
    datum = {"MetricName": "Many", "Value": 1}
    with pytest.raises(ClientError, match="must not have a size greater than 1000"):
        cloudwatch.put_metric_data(Namespace="Shop", MetricData=[datum] * 1001)
    with pytest.raises(ClientError, match="The value AWS/Mine for parameter Namespace is invalid"):
        cloudwatch.put_metric_data(Namespace="AWS/Mine", MetricData=[datum])
    asked = {"Namespace": "Shop", "MetricName": "Many", "StartTime": minute(2000), "EndTime": minute(0), "Period": 60}
    with pytest.raises(ClientError, match="which exceeds the limit of 1,440"):
        cloudwatch.get_metric_statistics(**asked, Statistics=["Sum"])
    with pytest.raises(ClientError, match="At least one of the parameters Statistics and ExtendedStatistics"):
        cloudwatch.get_metric_statistics(**{**asked, "Period": 300})


def test_dashboards_and_tags(server: Any, cloudwatch: Any) -> None:
    body = '{"widgets": [{"type": "text", "properties": {"markdown": "hello"}}]}'
    cloudwatch.put_dashboard(DashboardName="shop", DashboardBody=body, Tags=[{"Key": "team", "Value": "a"}])
    assert cloudwatch.get_dashboard(DashboardName="shop")["DashboardBody"] == body
    [entry] = cloudwatch.list_dashboards(DashboardNamePrefix="sh")["DashboardEntries"]
    assert (entry["DashboardName"], entry["Size"]) == ("shop", len(body))
    arn = entry["DashboardArn"]
    cloudwatch.tag_resource(ResourceARN=arn, Tags=[{"Key": "stage", "Value": "dev"}])
    cloudwatch.untag_resource(ResourceARN=arn, TagKeys=["team"])
    assert cloudwatch.list_tags_for_resource(ResourceARN=arn)["Tags"] == [{"Key": "stage", "Value": "dev"}]
    for bad in ("{", '{"widgets":' * 5000):
        with pytest.raises(ClientError) as caught:
            cloudwatch.put_dashboard(DashboardName="bad", DashboardBody=bad)
        assert "(InvalidParameterInput)" in str(caught.value)
    cloudwatch.delete_dashboards(DashboardNames=["shop"])
    with pytest.raises(ClientError) as caught:
        cloudwatch.get_dashboard(DashboardName="shop")
    assert "(ResourceNotFound)" in str(caught.value)
