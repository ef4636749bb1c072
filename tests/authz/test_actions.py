"""The IAM action of every operation."""

import pytest

from cloudlet.authz.actions import action_of
from cloudlet.core.model import api_model


@pytest.mark.parametrize(
    ("api", "operation", "action"),
    [
        ("s3", "GetObject", "s3:GetObject"),
        ("s3", "HeadObject", "s3:GetObject"),
        ("s3", "ListObjectsV2", "s3:ListBucket"),
        ("s3", "ListBuckets", "s3:ListAllMyBuckets"),
        ("s3", "CompleteMultipartUpload", "s3:PutObject"),
        ("lambda", "Invoke", "lambda:InvokeFunction"),
        ("lambda", "GetFunction", "lambda:GetFunction"),
        ("dynamodbstreams", "GetRecords", "dynamodb:GetRecords"),
        ("sqs", "SendMessageBatch", "sqs:SendMessage"),
        ("sns", "PublishBatch", "sns:Publish"),
        ("apigatewayv2", "CreateApi", "apigateway:POST"),
        ("apigatewayv2", "GetApis", "apigateway:GET"),
        ("sts", "AssumeRole", "sts:AssumeRole"),
    ],
)
def test_actions(api: str, operation: str, action: str) -> None:
    assert action_of(api, operation) == action


@pytest.mark.parametrize("api", ["s3", "dynamodb", "sqs", "lambda", "apigatewayv2", "logs"])
def test_every_operation_has_one(api: str) -> None:
    assert all(":" in action_of(api, operation) for operation in api_model(api).operation_names)
