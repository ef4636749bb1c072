"""Resources of every service: made, changed and deleted as their template says."""

import io
import json
import zipfile
from typing import Any

import pytest

TRUST = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}],
}


class Deployed:
    """A stack that is made and changed, and the clients to look at what came of it."""

    def __init__(self, server: Any, name: str) -> None:
        self.server = server
        self.name = name
        self.client = server.client("cloudformation")

    def create(self, resources: dict[str, Any]) -> None:
        self.client.create_stack(
            StackName=self.name, TemplateBody=body(resources), Capabilities=["CAPABILITY_NAMED_IAM"]
        )
        self._wait("stack_create_complete")

    def update(self, resources: dict[str, Any]) -> None:
        self.client.update_stack(
            StackName=self.name, TemplateBody=body(resources), Capabilities=["CAPABILITY_NAMED_IAM"]
        )
        self._wait("stack_update_complete")

    def delete(self) -> None:
        id_ = self.client.describe_stacks(StackName=self.name)["Stacks"][0]["StackId"]
        self.client.delete_stack(StackName=id_)
        self.client.get_waiter("stack_delete_complete").wait(
            StackName=id_, WaiterConfig={"Delay": 0.1, "MaxAttempts": 600}
        )

    def id_of(self, logical_id: str) -> str:
        found = self.client.describe_stack_resource(StackName=self.name, LogicalResourceId=logical_id)
        return str(found["StackResourceDetail"]["PhysicalResourceId"])

    def _wait(self, waiter: str) -> None:
        try:
            self.client.get_waiter(waiter).wait(StackName=self.name, WaiterConfig={"Delay": 0.1, "MaxAttempts": 600})
        except Exception:
            for event in self.client.describe_stack_events(StackName=self.name)["StackEvents"]:
                print(event["LogicalResourceId"], event["ResourceStatus"], event.get("ResourceStatusReason"))  # noqa: T201
            raise


def body(resources: dict[str, Any]) -> str:
    return json.dumps({"Resources": resources})


def resource(kind: str, **properties: Any) -> dict[str, Any]:
    return {"Type": f"AWS::{kind}", "Properties": properties}


def arn(logical_id: str) -> dict[str, Any]:
    return {"Fn::GetAtt": [logical_id, "Arn"]}


@pytest.fixture
def deployed(server: Any, request: pytest.FixtureRequest) -> Deployed:
    return Deployed(server, request.node.name.replace("_", "-"))


def test_buckets(deployed: Deployed) -> None:
    settings: dict[str, Any] = {
        "BucketEncryption": {
            "ServerSideEncryptionConfiguration": [{"ServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms"}}]
        },
        "CorsConfiguration": {
            "CorsRules": [
                {"AllowedMethods": ["GET"], "AllowedOrigins": ["*"], "ExposedHeaders": ["ETag"], "MaxAge": "60"}
            ]
        },
        "LifecycleConfiguration": {
            "Rules": [
                {"Id": "old", "Status": "Enabled", "Prefix": "logs/", "ExpirationInDays": "7"},
                {
                    "Id": "parts",
                    "Status": "Enabled",
                    "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 1},
                },
            ]
        },
        "OwnershipControls": {"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]},
        "PublicAccessBlockConfiguration": {"BlockPublicAcls": "true", "BlockPublicPolicy": False},
        "Tags": [{"Key": "team", "Value": "blue"}],
        "VersioningConfiguration": {"Status": "Enabled"},
        "WebsiteConfiguration": {"IndexDocument": "index.html", "ErrorDocument": "error.html"},
    }
    policy = {
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": {"Fn::Sub": "${Site.Arn}/*"}}
        ],
    }
    opened = resource("S3::BucketPolicy", Bucket={"Ref": "Site"}, PolicyDocument=policy)
    deployed.create({"Site": resource("S3::Bucket", **settings), "Opened": opened})
    s3, name = deployed.server.client("s3"), deployed.id_of("Site")

    assert name.startswith("test-buckets-site-")
    assert s3.get_bucket_cors(Bucket=name)["CORSRules"][0]["MaxAgeSeconds"] == 60
    rules = s3.get_bucket_lifecycle_configuration(Bucket=name)["Rules"]
    assert (rules[0]["Expiration"], rules[0]["Filter"]) == ({"Days": 7}, {"Prefix": "logs/"})
    assert s3.get_public_access_block(Bucket=name)["PublicAccessBlockConfiguration"]["BlockPublicAcls"] is True
    assert s3.get_bucket_tagging(Bucket=name)["TagSet"] == [{"Key": "team", "Value": "blue"}]
    assert s3.get_bucket_versioning(Bucket=name)["Status"] == "Enabled"
    assert s3.get_bucket_website(Bucket=name)["IndexDocument"] == {"Suffix": "index.html"}
    assert (
        json.loads(s3.get_bucket_policy(Bucket=name)["Policy"])["Statement"][0]["Resource"] == f"arn:aws:s3:::{name}/*"
    )

    deployed.update({"Site": resource("S3::Bucket")})

    assert s3.get_bucket_versioning(Bucket=name)["Status"] == "Suspended"
    for gone in (
        s3.get_bucket_cors,
        s3.get_bucket_lifecycle_configuration,
        s3.get_bucket_website,
        s3.get_bucket_policy,
    ):
        with pytest.raises(s3.exceptions.ClientError):
            gone(Bucket=name)
    deployed.delete()


def table(**properties: Any) -> dict[str, Any]:
    return resource(
        "DynamoDB::Table",
        **{
            "BillingMode": "PAY_PER_REQUEST",
            "AttributeDefinitions": [{"AttributeName": "id", "AttributeType": "S"}],
            "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}],
            **properties,
        },
    )


def test_tables(deployed: Deployed) -> None:
    deployed.create({"Items": table(TimeToLiveSpecification={"AttributeName": "until", "Enabled": "true"})})
    dynamodb, name = deployed.server.client("dynamodb"), deployed.id_of("Items")
    assert name.startswith("test-tables-Items-")
    assert dynamodb.describe_time_to_live(TableName=name)["TimeToLiveDescription"]["AttributeName"] == "until"

    index = {
        "IndexName": "by-color",
        "KeySchema": [{"AttributeName": "color", "KeyType": "HASH"}],
        "Projection": {"ProjectionType": "ALL"},
    }
    definitions = [{"AttributeName": each, "AttributeType": "S"} for each in ("id", "color")]
    stream = {"StreamViewType": "NEW_IMAGE"}
    deployed.update(
        {"Items": table(AttributeDefinitions=definitions, GlobalSecondaryIndexes=[index], StreamSpecification=stream)}
    )
    described = dynamodb.describe_table(TableName=name)["Table"]
    assert described["GlobalSecondaryIndexes"][0]["IndexName"] == "by-color"
    assert described["StreamSpecification"] == {"StreamEnabled": True, "StreamViewType": "NEW_IMAGE"}

    other = [{"AttributeName": "id", "KeyType": "HASH"}, {"AttributeName": "color", "KeyType": "RANGE"}]
    deployed.update({"Items": table(AttributeDefinitions=definitions, KeySchema=other)})
    assert deployed.id_of("Items") != name
    with pytest.raises(dynamodb.exceptions.ResourceNotFoundException):
        dynamodb.describe_table(TableName=name)
    deployed.delete()


def test_topics_and_queues(deployed: Deployed) -> None:
    statement = {"Effect": "Allow", "Principal": "*", "Action": "sqs:SendMessage", "Resource": arn("Inbox")}
    policy = {"Version": "2012-10-17", "Statement": [statement]}
    parts = {
        "Inbox": resource("SQS::Queue"),
        "Opened": resource("SQS::QueuePolicy", Queues=[{"Ref": "Inbox"}], PolicyDocument=policy),
        "News": resource("SNS::Topic", Subscription=[{"Protocol": "sqs", "Endpoint": arn("Inbox")}]),
        "Line": resource("SQS::Queue", FifoQueue=True, ContentBasedDeduplication="true"),
        "More": resource("SNS::Topic", DisplayName="more"),
        "Reader": resource(
            "SNS::Subscription",
            TopicArn={"Ref": "More"},
            Protocol="sqs",
            Endpoint=arn("Inbox"),
            RawMessageDelivery=True,
            FilterPolicy={"kind": ["a"]},
        ),
    }
    deployed.create(parts)
    sns, sqs = deployed.server.client("sns"), deployed.server.client("sqs")
    sns.publish(TopicArn=deployed.id_of("News"), Message="hello")
    received = sqs.receive_message(QueueUrl=deployed.id_of("Inbox"), WaitTimeSeconds=10)["Messages"]
    assert json.loads(received[0]["Body"])["Message"] == "hello"
    assert deployed.id_of("Line").endswith(".fifo")
    attributes = sns.get_subscription_attributes(SubscriptionArn=deployed.id_of("Reader"))["Attributes"]
    assert (attributes["RawMessageDelivery"], json.loads(attributes["FilterPolicy"])) == ("true", {"kind": ["a"]})

    parts["News"] = resource("SNS::Topic", DisplayName="news")
    parts["Inbox"] = resource("SQS::Queue", VisibilityTimeout="5")
    deployed.update(parts)

    assert sns.list_subscriptions_by_topic(TopicArn=deployed.id_of("News"))["Subscriptions"] == []
    deployed.delete()


def test_functions_with_all_that_belongs_to_them(deployed: Deployed) -> None:
    storage = deployed.server.client("s3")
    storage.create_bucket(Bucket="layers")
    package = io.BytesIO()
    with zipfile.ZipFile(package, "w") as archive:
        archive.writestr("python/shared.py", "WORD = 'shared'")
    storage.put_object(Bucket="layers", Key="shared.zip", Body=package.getvalue())

    def parts(word: str, version: str) -> dict[str, Any]:
        code = f"import os, shared\ndef handler(e, c): return [{word!r}, shared.WORD, os.environ.get('COLOR')]"
        return {
            "Role": resource("IAM::Role", AssumeRolePolicyDocument=TRUST),
            "Shared": resource("Lambda::LayerVersion", Content={"S3Bucket": "layers", "S3Key": "shared.zip"}),
            "Hello": resource(
                "Lambda::Function",
                Runtime="python3.11",
                Handler="index.handler",
                Role=arn("Role"),
                Code={"ZipFile": code},
                Layers=[{"Ref": "Shared"}],
                Timeout="5",
                Environment={"Variables": {"COLOR": "blue"}},
                ReservedConcurrentExecutions=3,
                Tags=[{"Key": "a", "Value": "b"}],
            ),
            f"Version{version}": resource("Lambda::Version", FunctionName={"Ref": "Hello"}, Description=word),
            "Live": resource(
                "Lambda::Alias",
                Name="live",
                FunctionName={"Ref": "Hello"},
                FunctionVersion={"Fn::GetAtt": [f"Version{version}", "Version"]},
            ),
            "Jobs": resource("SQS::Queue"),
            "Retries": resource(
                "Lambda::EventInvokeConfig", FunctionName={"Ref": "Hello"}, Qualifier="$LATEST", MaximumRetryAttempts=1
            ),
            "Logs": resource("Logs::LogGroup", LogGroupName={"Fn::Sub": "/aws/lambda/${Hello}"}, RetentionInDays=7),
        }

    deployed.create(parts("one", "1"))
    functions = deployed.server.client("lambda")

    def said() -> Any:
        return json.loads(functions.invoke(FunctionName=deployed.id_of("Live"))["Payload"].read())

    assert said() == ["one", "shared", "blue"]
    name = deployed.id_of("Hello")
    assert functions.get_function_concurrency(FunctionName=name)["ReservedConcurrentExecutions"] == 3
    assert functions.get_function(FunctionName=name)["Tags"] == {"a": "b"}
    groups = deployed.server.client("logs").describe_log_groups(logGroupNamePrefix=f"/aws/lambda/{name}")["logGroups"]
    assert groups[0]["retentionInDays"] == 7

    deployed.update(parts("two", "2"))

    assert said() == ["two", "shared", "blue"]
    deployed.delete()
    with pytest.raises(functions.exceptions.ResourceNotFoundException):
        functions.get_function(FunctionName=name)


def test_http_apis_part_by_part(deployed: Deployed) -> None:
    def parts(path: str) -> dict[str, Any]:
        return {
            "Api": resource("ApiGatewayV2::Api", Name="shop", ProtocolType="HTTP", Tags={"a": "b"}),
            "Health": resource(
                "ApiGatewayV2::Integration",
                ApiId={"Ref": "Api"},
                IntegrationType="HTTP_PROXY",
                IntegrationMethod="GET",
                IntegrationUri=f"{deployed.server.url}/_cloudlet/health",
                PayloadFormatVersion="1.0",
            ),
            "Route": resource(
                "ApiGatewayV2::Route",
                ApiId={"Ref": "Api"},
                RouteKey=f"GET {path}",
                Target={"Fn::Sub": "integrations/${Health}"},
            ),
            "Stage": resource("ApiGatewayV2::Stage", ApiId={"Ref": "Api"}, StageName="$default", AutoDeploy="true"),
        }

    deployed.create(parts("/a"))
    apis, id_ = deployed.server.client("apigatewayv2"), deployed.id_of("Api")
    route = deployed.id_of("Route")
    deployed.update(parts("/b"))

    assert deployed.id_of("Route") == route
    assert apis.get_route(ApiId=id_, RouteId=route)["RouteKey"] == "GET /b"
    assert apis.get_api(ApiId=id_)["Tags"]["aws:cloudformation:logical-id"] == "Api"
    deployed.delete()
    with pytest.raises(apis.exceptions.NotFoundException):
        apis.get_api(ApiId=id_)


def test_placeholders(deployed: Deployed) -> None:
    deployed.create(
        {
            "Nothing": {"Type": "AWS::CloudFormation::WaitConditionHandle"},
            "Cdk": resource("CDK::Metadata", Analytics="x"),
        }
    )
    deployed.delete()
