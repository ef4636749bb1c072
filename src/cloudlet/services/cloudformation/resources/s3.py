"""Buckets with their settings, and bucket policies."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from cloudlet.core.errors import AwsError
from cloudlet.services.cloudformation.resources.resource_type import (
    Attributes,
    Context,
    Properties,
    ResourceType,
    is_missing,
    present,
)


@dataclass(frozen=True, slots=True)
class _Setting:
    """How a property of the bucket is put and taken away; `member` is the input's that holds it."""

    put: str
    member: str
    shape: Callable[[Any], Any]
    delete: str | None = None
    empty: Any = None


def _as_it_is(value: Any) -> Any:
    return value


def _tags(value: list[Properties]) -> Properties:
    return {"TagSet": value}


def _cors(value: Properties) -> Properties:
    names = {"ExposedHeaders": "ExposeHeaders", "Id": "ID", "MaxAge": "MaxAgeSeconds"}
    return {"CORSRules": [{names.get(key, key): each for key, each in rule.items()} for rule in value["CorsRules"]]}


def _website(value: Properties) -> Properties:
    found = present(value, "RedirectAllRequestsTo")
    if "IndexDocument" in value:
        found["IndexDocument"] = {"Suffix": value["IndexDocument"]}
    if "ErrorDocument" in value:
        found["ErrorDocument"] = {"Key": value["ErrorDocument"]}
    if "RoutingRules" in value:
        names = {"RedirectRule": "Redirect", "RoutingRuleCondition": "Condition"}
        found["RoutingRules"] = [
            {names.get(key, key): each for key, each in rule.items()} for rule in value["RoutingRules"]
        ]
    return found


def _encryption(value: Properties) -> Properties:
    names = {"ServerSideEncryptionByDefault": "ApplyServerSideEncryptionByDefault"}
    rules = value["ServerSideEncryptionConfiguration"]
    return {"Rules": [{names.get(key, key): each for key, each in rule.items()} for rule in rules]}


def _notification(value: Properties) -> Properties:
    """Each event of the template is a configuration of its own, as CloudFormation has it."""
    found: Properties = {}
    for declared, target, member, arn in (
        ("LambdaConfigurations", "Function", "LambdaFunctionConfigurations", "LambdaFunctionArn"),
        ("QueueConfigurations", "Queue", "QueueConfigurations", "QueueArn"),
        ("TopicConfigurations", "Topic", "TopicConfigurations", "TopicArn"),
    ):
        if value.get(declared):
            found[member] = [_event(each, target, arn) for each in value[declared]]
    bridge = value.get("EventBridgeConfiguration")
    if bridge is not None and str(bridge.get("EventBridgeEnabled", True)).lower() == "true":
        found["EventBridgeConfiguration"] = {}
    return found


def _event(declared: Properties, target: str, arn: str) -> Properties:
    event: Properties = {arn: declared[target], "Events": [declared["Event"]]}
    if "Filter" in declared:
        event["Filter"] = {"Key": {"FilterRules": declared["Filter"]["S3Key"]["Rules"]}}
    return event


def _lifecycle(value: Properties) -> Properties:
    return {"Rules": [_lifecycle_rule(rule) for rule in value["Rules"]]}


def _lifecycle_rule(rule: Properties) -> Properties:
    found = present(rule, "Status", "AbortIncompleteMultipartUpload", "NoncurrentVersionExpiration")
    if "Id" in rule:
        found["ID"] = rule["Id"]
    found["Filter"] = _lifecycle_filter(rule)
    names = {
        "ExpirationInDays": "Days",
        "ExpirationDate": "Date",
        "ExpiredObjectDeleteMarker": "ExpiredObjectDeleteMarker",
    }
    expiration = {names[key]: rule[key] for key in names if key in rule}
    if expiration:
        found["Expiration"] = expiration
    if "NoncurrentVersionExpirationInDays" in rule:
        found["NoncurrentVersionExpiration"] = {"NoncurrentDays": rule["NoncurrentVersionExpirationInDays"]}
    transitions = [*rule.get("Transitions", []), *([rule["Transition"]] if "Transition" in rule else [])]
    if transitions:
        renamed = {"TransitionInDays": "Days", "TransitionDate": "Date"}
        found["Transitions"] = [{renamed.get(key, key): each for key, each in one.items()} for one in transitions]
    return found


def _lifecycle_filter(rule: Properties) -> Properties:
    sizes = present(rule, "ObjectSizeGreaterThan", "ObjectSizeLessThan")
    tags = rule.get("TagFilters", [])
    parts = {"Prefix": rule["Prefix"]} if "Prefix" in rule else {}
    if len(tags) + len(parts) + len(sizes) > 1:
        return {"And": {**parts, **sizes, **({"Tags": tags} if tags else {})}}
    return {"Tag": tags[0]} if tags else {**parts, **sizes} or {"Prefix": ""}


def _acl(value: str) -> str:
    """`PublicRead` is `public-read` to S3."""
    return "".join(f"-{each.lower()}" if each.isupper() and at else each.lower() for at, each in enumerate(value))


def _metrics(declared: Properties) -> Properties:
    tags = declared.get("TagFilters", [])
    parts = present(declared, "Prefix", "AccessPointArn")
    if len(tags) + len(parts) > 1:
        return {"Id": declared["Id"], "Filter": {"And": {**parts, **({"Tags": tags} if tags else {})}}}
    condition = {"Tag": tags[0]} if tags else parts
    return {"Id": declared["Id"], **({"Filter": condition} if condition else {})}


async def _update_metrics(context: Context, bucket: str, before: list[Properties], after: list[Properties]) -> None:
    for each in after:
        if each not in before:
            configuration = _metrics(each)
            params = {"Bucket": bucket, "Id": each["Id"], "MetricsConfiguration": configuration}
            await context.call("s3", "PutBucketMetricsConfiguration", params)
    for id_ in {each["Id"] for each in before} - {each["Id"] for each in after}:
        await context.call("s3", "DeleteBucketMetricsConfiguration", {"Bucket": bucket, "Id": id_})


# In the order in which they are put: public access is regulated before a policy or ACL opens anything.
_SETTINGS = {
    "OwnershipControls": _Setting(
        "PutBucketOwnershipControls", "OwnershipControls", _as_it_is, "DeleteBucketOwnershipControls"
    ),
    "PublicAccessBlockConfiguration": _Setting(
        "PutPublicAccessBlock", "PublicAccessBlockConfiguration", _as_it_is, "DeletePublicAccessBlock"
    ),
    "AccessControl": _Setting("PutBucketAcl", "ACL", _acl, empty="private"),
    "BucketEncryption": _Setting(
        "PutBucketEncryption", "ServerSideEncryptionConfiguration", _encryption, "DeleteBucketEncryption"
    ),
    "CorsConfiguration": _Setting("PutBucketCors", "CORSConfiguration", _cors, "DeleteBucketCors"),
    "LifecycleConfiguration": _Setting(
        "PutBucketLifecycleConfiguration", "LifecycleConfiguration", _lifecycle, "DeleteBucketLifecycle"
    ),
    "NotificationConfiguration": _Setting(
        "PutBucketNotificationConfiguration", "NotificationConfiguration", _notification, empty={}
    ),
    "Tags": _Setting("PutBucketTagging", "Tagging", _tags, "DeleteBucketTagging"),
    "VersioningConfiguration": _Setting(
        "PutBucketVersioning", "VersioningConfiguration", _as_it_is, empty={"Status": "Suspended"}
    ),
    "WebsiteConfiguration": _Setting("PutBucketWebsite", "WebsiteConfiguration", _website, "DeleteBucketWebsite"),
}


class Bucket(ResourceType):
    type = "AWS::S3::Bucket"
    properties = frozenset((*_SETTINGS, "BucketName", "MetricsConfigurations"))
    immutable = frozenset(("BucketName",))
    name_property = "BucketName"
    longest_name = 63
    lower_case = True
    tags = "list"

    async def find(self, context: Context, name: str, properties: Properties) -> str | None:
        try:
            await context.call("s3", "HeadBucket", {"Bucket": name})
        except AwsError as error:
            if is_missing(error):
                return None
            if error.status in (301, 403):
                raise AwsError("AlreadyExists", f"{name} already exists", status=409) from None
            raise
        return name

    async def create(self, context: Context, name: str, properties: Properties) -> str:
        params: Properties = {"Bucket": name}
        if context.region != "us-east-1":
            params["CreateBucketConfiguration"] = {"LocationConstraint": context.region}
        await context.call("s3", "CreateBucket", params)
        await self.adopt(context, name, properties)
        return name

    async def adopt(self, context: Context, physical_id: str, properties: Properties) -> None:
        await self.update(context, physical_id, {}, properties)

    async def attributes(self, context: Context, physical_id: str, properties: Properties) -> Attributes:
        region = context.region
        return {
            "Arn": f"arn:aws:s3:::{physical_id}",
            "DomainName": f"{physical_id}.s3.amazonaws.com",
            "DualStackDomainName": f"{physical_id}.s3.dualstack.{region}.amazonaws.com",
            "RegionalDomainName": f"{physical_id}.s3.{region}.amazonaws.com",
            "WebsiteURL": f"http://{physical_id}.s3-website.{region}.localhost:{context.cloud.settings.port}",
        }

    async def update(self, context: Context, physical_id: str, before: Properties, after: Properties) -> None:
        for name, setting in _SETTINGS.items():
            if before.get(name) == after.get(name):
                continue
            if after.get(name):
                await context.call(
                    "s3", setting.put, {"Bucket": physical_id, setting.member: setting.shape(after[name])}
                )
            elif setting.delete is not None:
                await context.call("s3", setting.delete, {"Bucket": physical_id})
            else:
                await context.call("s3", setting.put, {"Bucket": physical_id, setting.member: setting.empty})
        await _update_metrics(
            context, physical_id, before.get("MetricsConfigurations", []), after.get("MetricsConfigurations", [])
        )

    async def delete(self, context: Context, physical_id: str, properties: Properties) -> None:
        await context.call("s3", "DeleteBucket", {"Bucket": physical_id})


class BucketPolicy(ResourceType):
    type = "AWS::S3::BucketPolicy"
    properties = frozenset(("Bucket", "PolicyDocument"))
    required = properties
    immutable = frozenset(("Bucket",))

    async def find(self, context: Context, name: str, properties: Properties) -> str | None:
        found = await context.call_if_there("s3", "GetBucketPolicy", {"Bucket": properties["Bucket"]})
        return properties["Bucket"] if found is not None else None

    async def create(self, context: Context, name: str, properties: Properties) -> str:
        policy = json.dumps(properties["PolicyDocument"])
        await context.call("s3", "PutBucketPolicy", {"Bucket": properties["Bucket"], "Policy": policy})
        return properties["Bucket"]

    async def adopt(self, context: Context, physical_id: str, properties: Properties) -> None:
        await self.create(context, physical_id, properties)

    async def update(self, context: Context, physical_id: str, before: Properties, after: Properties) -> None:
        await self.create(context, physical_id, after)

    async def delete(self, context: Context, physical_id: str, properties: Properties) -> None:
        await context.call("s3", "DeleteBucketPolicy", {"Bucket": properties["Bucket"]})


TYPES = (Bucket, BucketPolicy)
