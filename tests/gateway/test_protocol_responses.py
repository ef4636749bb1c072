"""Answers as they look on the wire."""

import zlib
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

from cloudlet.core.http import HttpResponse
from cloudlet.core.model import operation_model
from cloudlet.gateway.protocols import protocol_for


def rendered(api: str, protocol: str, name: str, output: dict[str, Any] | None) -> HttpResponse:
    return protocol_for(api, protocol).render(operation_model(api, name), output, "request-id")


def test_json() -> None:
    created = datetime(2026, 1, 31, 12, 0, 0, 500_000, UTC)
    output = {"TableDescription": {"TableName": "t", "CreationDateTime": created, "TableArn": None}}
    response = rendered("dynamodb", "json", "CreateTable", output)
    assert isinstance(response.body, bytes)
    assert response.body == b'{"TableDescription":{"TableName":"t","CreationDateTime":1769860800.5}}'
    assert response.headers == [
        ("x-amzn-RequestId", "request-id"),
        ("Content-Type", "application/x-amz-json-1.0"),
        ("x-amz-crc32", str(zlib.crc32(response.body))),
    ]


def test_none_is_left_out_at_any_depth() -> None:
    response = rendered("logs", "json", "GetLogEvents", {"events": [{"message": "a", "timestamp": None}]})
    assert response.body == b'{"events":[{"message":"a"}]}'


def test_operations_without_output() -> None:
    assert rendered("logs", "json", "CreateLogGroup", None).body == b""
    assert rendered("lambda", "rest-json", "DeleteFunctionConcurrency", None).status == 204


def test_query() -> None:
    response = rendered("sns", "query", "CreateTopic", {"TopicArn": "arn"})
    assert response.body == (
        b'<CreateTopicResponse xmlns="http://sns.amazonaws.com/doc/2010-03-31/"><CreateTopicResult><TopicArn>arn'
        b"</TopicArn></CreateTopicResult><ResponseMetadata><RequestId>request-id</RequestId></ResponseMetadata>"
        b"</CreateTopicResponse>"
    )


def test_sqs_in_the_query_protocol() -> None:
    messages = [{"MessageId": "1", "Body": "b", "Attributes": {"SentTimestamp": "5"}}]
    response = rendered("sqs", "query", "ReceiveMessage", {"Messages": messages})
    assert (
        b"<ReceiveMessageResult><Message><MessageId>1</MessageId><Body>b</Body><Attribute><Name>SentTimestamp</Name>"
        b"<Value>5</Value></Attribute></Message></ReceiveMessageResult>" in response.body  # type: ignore[operator]
    )


def test_roots_and_times_of_s3() -> None:
    output = {"Buckets": [{"Name": "b", "CreationDate": 1769860800}], "Owner": {"ID": "1"}}
    response = rendered("s3", "rest-xml", "ListBuckets", output)
    assert response.body == (
        b'<?xml version="1.0" encoding="UTF-8"?>\n<ListAllMyBucketsResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">'
        b"<Buckets><Bucket><Name>b</Name><CreationDate>2026-01-31T12:00:00.000Z</CreationDate></Bucket></Buckets>"
        b"<Owner><ID>1</ID></Owner></ListAllMyBucketsResult>"
    )


def test_where_a_bucket_is() -> None:
    response = rendered("s3", "rest-xml", "GetBucketLocation", {"LocationConstraint": "eu-west-1"})
    assert b'<LocationConstraint xmlns="http://s3.amazonaws.com/doc/2006-03-01/">eu-west-1</' in response.body  # type: ignore[operator]


def test_xml_attributes() -> None:
    grants = [{"Grantee": {"Type": "CanonicalUser", "ID": "1"}, "Permission": "READ"}]
    response = rendered("s3", "rest-xml", "GetBucketAcl", {"Grants": grants})
    assert (
        b'<Grantee xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:type="CanonicalUser"><ID>1</ID></Grantee>'
        in response.body  # type: ignore[operator]
    )


async def test_a_stream_passes_through() -> None:
    async def chunks() -> AsyncIterator[bytes]:
        yield b"ab"
        yield b"c"

    body = chunks()
    output = {"Body": body, "ContentLength": 3, "LastModified": 1769860800, "Metadata": {"store": "Berlin"}}
    response = rendered("s3", "rest-xml", "GetObject", output)
    assert response.body is body
    assert response.content_length == 3
    assert ("Last-Modified", "Sat, 31 Jan 2026 12:00:00 GMT") in response.headers
    assert ("x-amz-meta-store", "Berlin") in response.headers


def test_members_that_are_the_status() -> None:
    response = rendered("lambda", "rest-json", "Invoke", {"StatusCode": 202, "Payload": b""})
    assert (response.status, response.body) == (202, b"")
