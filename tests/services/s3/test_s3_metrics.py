"""What S3 measures: requests of buckets that are configured so, and once a day what buckets hold."""

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import requests
from botocore.exceptions import ClientError

Statistic = Callable[..., Any]


@pytest.fixture
def statistic(server: Any) -> Statistic:
    """One statistic of a metric of the last two days, None where there is no data."""

    def ask(bucket: str, metric: str, of: str = "Sum", **dimension: str) -> Any:
        now = datetime.now(UTC)
        answer = server.client("cloudwatch").get_metric_statistics(
            Namespace="AWS/S3",
            MetricName=metric,
            Dimensions=[{"Name": name, "Value": value} for name, value in {"BucketName": bucket, **dimension}.items()],
            StartTime=(now - timedelta(days=1)).replace(hour=0, minute=0, second=0, microsecond=0),
            EndTime=now + timedelta(days=2),
            Period=86400 * 5,
            Statistics=[of],
        )
        return answer["Datapoints"][0][of] if answer["Datapoints"] else None

    return ask


def put(s3: Any, bucket: str, id_: str, **condition: Any) -> None:
    configuration = {"Id": id_, **({"Filter": condition} if condition else {})}
    s3.put_bucket_metrics_configuration(Bucket=bucket, Id=id_, MetricsConfiguration=configuration)


def test_configurations_are_kept(server: Any, s3: Any, bucket: str, error_of: Callable[..., Any]) -> None:
    put(s3, bucket, "All")
    put(s3, bucket, "Logs", Prefix="logs/")
    both = {"Prefix": "x/", "Tags": [{"Key": "colour", "Value": "red"}, {"Key": "size", "Value": "big"}]}
    put(s3, bucket, "Tagged", And=both)
    assert error_of(s3.get_bucket_metrics_configuration, Bucket=bucket, Id="None") == ("NoSuchConfiguration", 404)
    assert error_of(s3.delete_bucket_metrics_configuration, Bucket=bucket, Id="None") == ("NoSuchConfiguration", 404)
    server.kill9()
    server.start()
    s3 = server.client("s3")
    found = s3.get_bucket_metrics_configuration(Bucket=bucket, Id="Tagged")["MetricsConfiguration"]
    assert found == {"Id": "Tagged", "Filter": {"And": both}}
    s3.delete_bucket_metrics_configuration(Bucket=bucket, Id="Logs")
    listed = s3.list_bucket_metrics_configurations(Bucket=bucket)
    assert [each["Id"] for each in listed["MetricsConfigurationList"]] == ["All", "Tagged"]
    assert listed["IsTruncated"] is False


def test_configurations_are_listed_in_pages(s3: Any, bucket: str) -> None:
    for number in range(101):
        put(s3, bucket, f"{number:03}")
    first = s3.list_bucket_metrics_configurations(Bucket=bucket)
    assert first["IsTruncated"] is True
    assert len(first["MetricsConfigurationList"]) == 100
    token = first["NextContinuationToken"]
    second = s3.list_bucket_metrics_configurations(Bucket=bucket, ContinuationToken=token)
    assert [each["Id"] for each in second["MetricsConfigurationList"]] == ["100"]


def test_what_is_no_configuration(s3: Any, bucket: str, error_of: Callable[..., Any]) -> None:
    def error(id_: str, configuration: dict[str, Any]) -> Any:
        method = s3.put_bucket_metrics_configuration
        return error_of(method, Bucket=bucket, Id=id_, MetricsConfiguration=configuration)

    assert error("a", {"Id": "b"}) == ("InvalidArgument", 400)
    assert error("not an id", {"Id": "not an id"}) == ("InvalidArgument", 400)
    assert error("a", {"Id": "a", "Filter": {"And": {"Prefix": "x"}}}) == ("MalformedXML", 400)
    access_point = "arn:aws:s3:us-east-1:000000000000:accesspoint/a"
    assert error("a", {"Id": "a", "Filter": {"AccessPointArn": access_point}}) == ("NotImplemented", 501)


def test_requests(s3: Any, bucket: str, statistic: Statistic) -> None:
    s3.put_object(Bucket=bucket, Key="before", Body=b"not measured")
    put(s3, bucket, "All")
    s3.put_object(Bucket=bucket, Key="a", Body=b"12345")
    s3.get_object(Bucket=bucket, Key="a", Range="bytes=0-2")["Body"].read()
    s3.head_object(Bucket=bucket, Key="a")
    s3.list_objects_v2(Bucket=bucket)
    with pytest.raises(ClientError):
        s3.get_object(Bucket=bucket, Key="not there")
    s3.delete_object(Bucket=bucket, Key="a")
    upload = s3.create_multipart_upload(Bucket=bucket, Key="b")["UploadId"]
    s3.abort_multipart_upload(Bucket=bucket, Key="b", UploadId=upload)

    def total(metric: str) -> float:
        return statistic(bucket, metric, FilterId="All")

    assert total("PutRequests") == 1
    assert total("GetRequests") == 2
    assert total("HeadRequests") == 1
    assert total("ListRequests") == 1
    assert total("DeleteRequests") == 2
    assert total("PostRequests") == 1
    assert total("AllRequests") == 8
    assert total("4xxErrors") == 1
    assert total("5xxErrors") == 0
    assert total("BytesUploaded") == 5
    assert total("BytesDownloaded") == 3
    for metric in ("FirstByteLatency", "TotalRequestLatency"):
        assert statistic(bucket, metric, "SampleCount", FilterId="All") == 8


def test_large_bodies_are_measured_when_they_are_sent(s3: Any, bucket: str, statistic: Statistic) -> None:
    put(s3, bucket, "All")
    s3.put_object(Bucket=bucket, Key="a", Body=bytes(3_000_000))
    assert len(s3.get_object(Bucket=bucket, Key="a")["Body"].read()) == 3_000_000
    assert statistic(bucket, "BytesUploaded", FilterId="All") == 3_000_000
    assert statistic(bucket, "BytesDownloaded", FilterId="All") == 3_000_000
    assert statistic(bucket, "TotalRequestLatency", "SampleCount", FilterId="All") == 2


def test_filters(s3: Any, bucket: str, statistic: Statistic) -> None:
    put(s3, bucket, "Logs", Prefix="logs/")
    put(s3, bucket, "Red", Tag={"Key": "colour", "Value": "red"})
    put(s3, bucket, "RedLogs", And={"Prefix": "logs/", "Tags": [{"Key": "colour", "Value": "red"}]})
    s3.put_object(Bucket=bucket, Key="logs/1", Tagging="colour=red")
    s3.put_object(Bucket=bucket, Key="logs/2")
    s3.put_object(Bucket=bucket, Key="other", Tagging="colour=red")
    s3.get_object(Bucket=bucket, Key="logs/1")
    s3.delete_object(Bucket=bucket, Key="other")
    s3.list_objects_v2(Bucket=bucket, Prefix="logs/")
    assert statistic(bucket, "AllRequests", FilterId="Logs") == 3
    assert statistic(bucket, "AllRequests", FilterId="Red") == 4
    assert statistic(bucket, "DeleteRequests", FilterId="Red") == 1
    assert statistic(bucket, "AllRequests", FilterId="RedLogs") == 2


def test_requests_that_are_refused(server: Any, s3: Any, bucket: str, statistic: Statistic) -> None:
    put(s3, bucket, "All")
    assert requests.get(f"{server.url}/{bucket}/a", timeout=30).status_code == 403
    assert statistic(bucket, "4xxErrors", FilterId="All") == 1
    assert statistic(bucket, "GetRequests", FilterId="All") == 1


def test_without_a_configuration_no_requests_are_measured(server: Any, s3: Any, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="a")
    dimensions = [{"Name": "BucketName", "Value": bucket}]
    listed = server.client("cloudwatch").list_metrics(Namespace="AWS/S3", Dimensions=dimensions)["Metrics"]
    assert {each["MetricName"] for each in listed} <= {"BucketSizeBytes", "NumberOfObjects"}


def test_what_buckets_hold_is_measured_once_a_day(server: Any, s3: Any, versioned: str, statistic: Statistic) -> None:
    s3.put_object(Bucket=versioned, Key="a", Body=b"123")
    s3.put_object(Bucket=versioned, Key="a", Body=b"45")
    s3.put_object(Bucket=versioned, Key="b", Body=b"6789", StorageClass="STANDARD_IA")
    upload = s3.create_multipart_upload(Bucket=versioned, Key="c")["UploadId"]
    s3.upload_part(Bucket=versioned, Key="c", UploadId=upload, PartNumber=1, Body=b"0123456789")

    def measured() -> bool:
        return statistic(versioned, "NumberOfObjects", StorageType="AllStorageTypes") is not None

    for _ in range(2):  # the second start finds it measured
        server.stop()
        server.start()
        deadline = time.monotonic() + 60
        while not measured():
            assert time.monotonic() < deadline
            time.sleep(0.1)
    assert statistic(versioned, "NumberOfObjects", "Average", StorageType="AllStorageTypes") == 4
    assert statistic(versioned, "NumberOfObjects", "SampleCount", StorageType="AllStorageTypes") == 1
    assert statistic(versioned, "BucketSizeBytes", "Average", StorageType="StandardStorage") == 15
    assert statistic(versioned, "BucketSizeBytes", "Average", StorageType="StandardIAStorage") == 4
