"""Requests as other clients than botocore write them, and what cannot be read."""

from typing import Any

import pytest

from cloudlet.core.errors import AwsError
from cloudlet.core.http import Body, HttpRequest
from cloudlet.core.model import operation_model
from cloudlet.core.validation import validate_input
from cloudlet.gateway.protocols import protocol_for


def parsed(
    api: str,
    protocol: str,
    name: str,
    body: bytes = b"",
    *,
    query: str = "",
    labels: dict[str, str] | None = None,
    **headers: str,
) -> dict[str, Any]:
    named = {header.replace("_", "-"): value for header, value in headers.items()}
    request = HttpRequest("POST", "/", query, named, Body.of(body))
    operation = operation_model(api, name)
    params = protocol_for(api, protocol).parse(operation, request, body, labels or {})
    validate_input(api, name, params)
    return params


def refused(api: str, protocol: str, name: str, body: bytes = b"", **more: Any) -> AwsError:
    with pytest.raises(AwsError) as caught:
        parsed(api, protocol, name, body, **more)
    return caught.value


def test_json() -> None:
    assert parsed("dynamodb", "json", "ListTables", b"") == {}
    assert parsed("dynamodb", "json", "ListTables", b'{"Limit": null}') == {}
    assert parsed("dynamodb", "json", "ListTables", b'{"Limit": 5}') == {"Limit": 5}


def test_attribute_values_stay_as_on_the_wire() -> None:
    body = b'{"TableName": "t", "Item": {"a": {"B": "AQI="}, "b": {"NULL": true}}}'
    assert parsed("dynamodb", "json", "PutItem", body)["Item"] == {"a": {"B": "AQI="}, "b": {"NULL": True}}


@pytest.mark.parametrize("body", [b"{", b"[]", b'"text"', b'{"Limit": 5}x', b'{"a": "\xff"}', b"\xef\xbb\xbf{}"])
def test_broken_json(body: bytes) -> None:
    assert refused("dynamodb", "json", "ListTables", body).code == "SerializationException"


def test_wrong_json_types() -> None:
    assert refused("dynamodb", "json", "ListTables", b'{"Limit": "5"}').code == "SerializationException"
    assert refused("lambda", "rest-json", "CreateFunction", b'{"Code": {"ZipFile": "%%%"}}').code == (
        "SerializationException"
    )


def test_forms() -> None:
    body = b"Action=CreateTopic&Name=alerts&Tags.member.2.Key=b&Tags.member.2.Value=2&Tags.member.1.Key=a"
    assert refused("sns", "query", "CreateTopic", body).message.endswith("Member must not be null")
    body += b"&Tags.member.1.Value=1&Attributes.entry.1.key=DisplayName&Attributes.entry.1.value=%C3%84"
    assert parsed("sns", "query", "CreateTopic", body) == {
        "Name": "alerts",
        "Tags": [{"Key": "a", "Value": "1"}, {"Key": "b", "Value": "2"}],
        "Attributes": {"DisplayName": "Ä"},
    }


def test_a_form_in_the_query_of_a_get() -> None:
    assert parsed("sns", "query", "CreateTopic", query="Action=CreateTopic&Name=alerts") == {"Name": "alerts"}


@pytest.mark.parametrize("body", [b"Name=%FF", b"Name=\xff"])
def test_forms_that_are_not_utf8(body: bytes) -> None:
    assert refused("sns", "query", "CreateTopic", body).code == "MalformedInput"


def test_sqs_in_the_query_protocol() -> None:
    body = (
        b"Action=SendMessage&QueueUrl=q&MessageBody=b&MessageAttribute.1.Name=color&MessageAttribute.1.Value.DataType="
        b"String&MessageAttribute.1.Value.StringValue=red&MessageSystemAttribute.1.Name=AWSTraceHeader"
        b"&MessageSystemAttribute.1.Value.DataType=String&MessageSystemAttribute.1.Value.StringValue=Root"
    )
    assert parsed("sqs", "query", "SendMessage", body) == {
        "QueueUrl": "q",
        "MessageBody": "b",
        "MessageAttributes": {"color": {"DataType": "String", "StringValue": "red"}},
        "MessageSystemAttributes": {"AWSTraceHeader": {"DataType": "String", "StringValue": "Root"}},
    }
    body = b"QueueUrl=q&AttributeName.1=All&MessageAttributeName.1=a&MaxNumberOfMessages=10"
    assert parsed("sqs", "query", "ReceiveMessage", body) == {
        "QueueUrl": "q",
        "AttributeNames": ["All"],
        "MessageAttributeNames": ["a"],
        "MaxNumberOfMessages": 10,
    }
    body = b"QueueName=q&Attribute.1.Name=VisibilityTimeout&Attribute.1.Value=5&Tag.1.Key=k&Tag.1.Value=v"
    assert parsed("sqs", "query", "CreateQueue", body) == {
        "QueueName": "q",
        "Attributes": {"VisibilityTimeout": "5"},
        "tags": {"k": "v"},
    }
    body = b"QueueUrl=q&SendMessageBatchRequestEntry.1.Id=a&SendMessageBatchRequestEntry.1.MessageBody=b"
    assert parsed("sqs", "query", "SendMessageBatch", body)["Entries"] == [{"Id": "a", "MessageBody": "b"}]
    body = b"QueueUrl=q&Label=l&AWSAccountId.1=1&ActionName.1=SendMessage"
    assert parsed("sqs", "query", "AddPermission", body)["Actions"] == ["SendMessage"]


BUCKET = {"Bucket": "b"}


def test_xml() -> None:
    body = b"""<?xml version="1.0"?><Delete xmlns="http://s3.amazonaws.com/doc/2006-03-01/">
        <Quiet>true</Quiet><Object><Key>a &amp; b</Key></Object><Object><Key>c</Key></Object><Unknown/></Delete>"""
    assert parsed("s3", "rest-xml", "DeleteObjects", body, labels=BUCKET) == {
        "Bucket": "b",
        "Delete": {"Quiet": True, "Objects": [{"Key": "a & b"}, {"Key": "c"}]},
    }


def test_xml_attributes() -> None:
    body = b"""<AccessControlPolicy><AccessControlList><Grant><Grantee xsi:type="CanonicalUser"
        xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"><ID>1</ID></Grantee><Permission>READ</Permission></Grant>
        </AccessControlList></AccessControlPolicy>"""
    params = parsed("s3", "rest-xml", "PutBucketAcl", body, labels=BUCKET)
    assert params["AccessControlPolicy"]["Grants"] == [
        {"Grantee": {"Type": "CanonicalUser", "ID": "1"}, "Permission": "READ"}
    ]


@pytest.mark.parametrize(
    "body",
    [
        b"<Delete>",
        b"nonsense",
        b"<Other/>",
        b"<Delete><Quiet>maybe</Quiet></Delete>",
        b'<!DOCTYPE d [<!ENTITY a "aaa">]><Delete><Object><Key>&a;</Key></Object></Delete>',
        '<?xml version="1.0" encoding="UTF-16"?><!DOCTYPE d><Delete/>'.encode("utf-16"),
        b"<Delete>" + b"<a>" * 1000 + b"</a>" * 1000 + b"</Delete>",
    ],
)
def test_malformed_xml(body: bytes) -> None:
    assert refused("s3", "rest-xml", "DeleteObjects", body, labels=BUCKET).code == "MalformedXML"


def test_numbers_and_dates_outside_the_body() -> None:
    error = refused("s3", "rest-xml", "ListObjectsV2", query="list-type=2&max-keys=many", labels=BUCKET)
    assert (error.code, error.fields["ArgumentName"]) == ("InvalidArgument", "max-keys")
    key = BUCKET | {"Key": "k"}
    assert "IfModifiedSince" not in parsed("s3", "rest-xml", "HeadObject", labels=key, if_modified_since="yesterday")


def test_metadata_and_lists_in_headers() -> None:
    key = BUCKET | {"Key": "k"}
    params = parsed("s3", "rest-xml", "CreateMultipartUpload", labels=key, x_amz_meta_store="Berlin")
    assert params["Metadata"] == {"store": "Berlin"}
    params = parsed(
        "s3", "rest-xml", "GetObjectAttributes", labels=key, x_amz_object_attributes="ETag, ObjectSize", range="x"
    )
    assert params["ObjectAttributes"] == ["ETag", "ObjectSize"]


def test_broken_cbor() -> None:
    assert refused("cloudwatch", "smithy-rpc-v2-cbor", "ListMetrics", b"\xa1").code == "SerializationException"
    assert refused("cloudwatch", "smithy-rpc-v2-cbor", "ListMetrics", b"\x80").code == "SerializationException"
