"""AWS's own managed policies that templates attach by ARN: what each allows, as AWS documents it."""

import hashlib
from base64 import b32encode
from dataclasses import dataclass
from typing import Any

_LOGS = ["logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents"]
_STREAM = ["dynamodb:DescribeStream", "dynamodb:GetRecords", "dynamodb:GetShardIterator", "dynamodb:ListStreams"]
_QUEUE = ["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"]
_KINESIS = [
    "kinesis:DescribeStream",
    "kinesis:DescribeStreamSummary",
    "kinesis:GetRecords",
    "kinesis:GetShardIterator",
    "kinesis:ListShards",
    "kinesis:ListStreams",
    "kinesis:SubscribeToShard",
]
_NETWORK = [
    "ec2:AssignPrivateIpAddresses",
    "ec2:CreateNetworkInterface",
    "ec2:DeleteNetworkInterface",
    "ec2:DescribeNetworkInterfaces",
    "ec2:DescribeSubnets",
    "ec2:UnassignPrivateIpAddresses",
]
_XRAY = [
    "xray:GetSamplingRules",
    "xray:GetSamplingStatisticSummaries",
    "xray:GetSamplingTargets",
    "xray:PutTelemetryRecords",
    "xray:PutTraceSegments",
]
# What the service-wide policies of Lambda let see of the services around it.
_AROUND_LAMBDA = [
    "cloudformation:DescribeStacks",
    "cloudformation:ListStackResources",
    "cloudwatch:GetMetricData",
    "cloudwatch:ListMetrics",
    "ec2:DescribeSecurityGroups",
    "ec2:DescribeSubnets",
    "ec2:DescribeVpcs",
    "iam:GetPolicy",
    "iam:GetPolicyVersion",
    "iam:GetRole",
    "iam:GetRolePolicy",
    "iam:ListAttachedRolePolicies",
    "iam:ListRolePolicies",
    "iam:ListRoles",
    "kms:ListAliases",
    "logs:DescribeLogGroups",
    "states:DescribeStateMachine",
    "states:ListStateMachines",
    "tag:GetResources",
    "xray:BatchGetTraces",
    "xray:GetTraceSummaries",
]


@dataclass(frozen=True, slots=True)
class AwsPolicy:
    id: str
    name: str
    path: str
    description: str
    document: dict[str, Any]


def _allow(*actions: str, resource: str | list[str] = "*", **more: Any) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": list(actions), "Resource": resource, **more}


_LOG_DELIVERY = _allow(*_LOGS)
_READ_ONLY = [
    "{}:BatchGet*",
    "{}:Describe*",
    "{}:Get*",
    "{}:List*",
]
_READABLE_SERVICES = (
    "acm",
    "apigateway",
    "application-autoscaling",
    "autoscaling",
    "cloudformation",
    "cloudfront",
    "cloudtrail",
    "cloudwatch",
    "cognito-idp",
    "dynamodb",
    "ec2",
    "ecr",
    "ecs",
    "elasticloadbalancing",
    "events",
    "iam",
    "kinesis",
    "kms",
    "lambda",
    "logs",
    "rds",
    "route53",
    "s3",
    "scheduler",
    "secretsmanager",
    "ses",
    "sns",
    "sqs",
    "ssm",
    "states",
    "sts",
    "tag",
    "xray",
)
# Reading that would hand out secrets is not part of ReadOnlyAccess.
_SECRET_READS = {"secretsmanager:Get*", "secretsmanager:BatchGet*", "sts:Get*", "kms:BatchGet*", "ssm:BatchGet*"}

_READ_ONLY_ACTIONS = [
    action
    for service in _READABLE_SERVICES
    for pattern in _READ_ONLY
    if (action := pattern.format(service)) not in _SECRET_READS
] + [
    "apigateway:GET",
    "dynamodb:ConditionCheckItem",
    "dynamodb:PartiQLSelect",
    "dynamodb:Query",
    "dynamodb:Scan",
    "iam:Generate*",
    "iam:SimulateCustomPolicy",
    "iam:SimulatePrincipalPolicy",
    "logs:FilterLogEvents",
    "logs:StartQuery",
    "logs:StopQuery",
    "logs:TestMetricFilter",
    "secretsmanager:GetResourcePolicy",
    "sts:GetAccessKeyInfo",
    "sts:GetCallerIdentity",
    "sts:GetSessionToken",
]

# Path and name, description, statements.
_POLICIES: tuple[tuple[str, str, list[dict[str, Any]]], ...] = (
    ("/AdministratorAccess", "Provides full access to AWS services and resources.", [_allow("*")]),
    (
        "/PowerUserAccess",
        "Provides full access to AWS services and resources, but does not allow management of Users and groups.",
        [
            {"Effect": "Allow", "NotAction": ["iam:*", "organizations:*", "account:*"], "Resource": "*"},
            _allow(
                "account:GetAccountInformation",
                "account:ListRegions",
                "iam:CreateServiceLinkedRole",
                "iam:DeleteServiceLinkedRole",
                "iam:ListRoles",
                "organizations:DescribeOrganization",
            ),
        ],
    ),
    ("/ReadOnlyAccess", "Provides read-only access to AWS services and resources.", [_allow(*_READ_ONLY_ACTIONS)]),
    ("/IAMFullAccess", "Provides full access to IAM.", [_allow("iam:*")]),
    (
        "/IAMReadOnlyAccess",
        "Provides read only access to IAM.",
        [_allow("iam:Generate*", "iam:Get*", "iam:List*", "iam:Simulate*")],
    ),
    (
        "/IAMUserChangePassword",
        "Provides the ability for an IAM user to change their own password.",
        [
            _allow("iam:ChangePassword", resource="arn:aws:iam::*:user/${aws:username}"),
            _allow("iam:GetAccountPasswordPolicy"),
        ],
    ),
    ("/AmazonS3FullAccess", "Provides full access to all buckets.", [_allow("s3:*", "s3-object-lambda:*")]),
    (
        "/AmazonS3ReadOnlyAccess",
        "Provides read only access to all buckets.",
        [_allow("s3:Get*", "s3:List*", "s3:Describe*", "s3-object-lambda:Get*", "s3-object-lambda:List*")],
    ),
    (
        "/AmazonDynamoDBFullAccess",
        "Provides full access to Amazon DynamoDB.",
        [_allow("dynamodb:*", "dax:*", "application-autoscaling:*", "cloudwatch:GetMetricData", "iam:ListRoles")],
    ),
    ("/AmazonDynamoDBFullAccess_v2", "Provides full access to Amazon DynamoDB.", [_allow("dynamodb:*", "dax:*")]),
    (
        "/AmazonDynamoDBReadOnlyAccess",
        "Provides read only access to Amazon DynamoDB.",
        [
            _allow(
                "dynamodb:BatchGetItem",
                "dynamodb:Describe*",
                "dynamodb:GetItem",
                "dynamodb:GetAbacStatus",
                "dynamodb:GetResourcePolicy",
                "dynamodb:List*",
                "dynamodb:PartiQLSelect",
                "dynamodb:Query",
                "dynamodb:Scan",
            )
        ],
    ),
    ("/AmazonSNSFullAccess", "Provides full access to Amazon SNS.", [_allow("sns:*")]),
    (
        "/AmazonSNSReadOnlyAccess",
        "Provides read only access to Amazon SNS.",
        [_allow("sns:Check*", "sns:Get*", "sns:List*")],
    ),
    ("/AmazonSQSFullAccess", "Provides full access to Amazon SQS.", [_allow("sqs:*")]),
    (
        "/AmazonSQSReadOnlyAccess",
        "Provides read only access to Amazon SQS.",
        [_allow("sqs:GetQueueAttributes", "sqs:GetQueueUrl", "sqs:List*")],
    ),
    ("/AmazonAPIGatewayAdministrator", "Full access to create and edit APIs.", [_allow("apigateway:*")]),
    (
        "/AmazonAPIGatewayInvokeFullAccess",
        "Full access to invoke APIs.",
        [_allow("execute-api:Invoke", "execute-api:ManageConnections", resource="arn:aws:execute-api:*:*:*")],
    ),
    (
        "/AmazonEventBridgeFullAccess",
        "Full access to Amazon EventBridge.",
        [_allow("events:*", "schemas:*", "pipes:*")],
    ),
    ("/AWSStepFunctionsFullAccess", "Provides full access to AWS Step Functions.", [_allow("states:*")]),
    ("/SecretsManagerReadWrite", "Read and write access to AWS Secrets Manager.", [_allow("secretsmanager:*")]),
    ("/AmazonSSMFullAccess", "Provides full access to Amazon SSM.", [_allow("ssm:*", "cloudwatch:PutMetricData")]),
    (
        "/AmazonSSMReadOnlyAccess",
        "Provides read only access to Amazon SSM.",
        [_allow("ssm:Describe*", "ssm:Get*", "ssm:List*")],
    ),
    ("/CloudWatchFullAccess", "Provides full access to CloudWatch.", [_allow("cloudwatch:*", "logs:*", "sns:*")]),
    (
        "/CloudWatchLogsFullAccess",
        "Provides full access to CloudWatch Logs.",
        [_allow("logs:*", "cloudwatch:GenerateQuery")],
    ),
    (
        "/CloudWatchLogsReadOnlyAccess",
        "Provides read only access to CloudWatch Logs.",
        [
            _allow(
                "logs:Describe*",
                "logs:FilterLogEvents",
                "logs:Get*",
                "logs:List*",
                "logs:StartLiveTail",
                "logs:StartQuery",
                "logs:StopLiveTail",
                "logs:StopQuery",
                "logs:TestMetricFilter",
            )
        ],
    ),
    ("/AWSCloudFormationFullAccess", "Provides full access to AWS CloudFormation.", [_allow("cloudformation:*")]),
    (
        "/AWSCloudFormationReadOnlyAccess",
        "Provides read only access to AWS CloudFormation.",
        [
            _allow(
                "cloudformation:Describe*",
                "cloudformation:Get*",
                "cloudformation:List*",
                "cloudformation:ValidateTemplate",
            )
        ],
    ),
    (
        "/AWSLambda_FullAccess",
        "Grants full access to AWS Lambda service and related services.",
        [
            _allow("lambda:*", *_AROUND_LAMBDA),
            _allow("iam:PassRole", Condition={"StringEquals": {"iam:PassedToService": "lambda.amazonaws.com"}}),
            _allow(
                "logs:DescribeLogStreams",
                "logs:FilterLogEvents",
                "logs:GetLogEvents",
                "logs:StartLiveTail",
                "logs:StopLiveTail",
                resource="arn:aws:logs:*:*:log-group:/aws/lambda/*",
            ),
        ],
    ),
    (
        "/AWSLambda_ReadOnlyAccess",
        "Grants read-only access to AWS Lambda service and related services.",
        [
            _allow("lambda:Get*", "lambda:List*", *_AROUND_LAMBDA),
            _allow(
                "logs:DescribeLogStreams",
                "logs:FilterLogEvents",
                "logs:GetLogEvents",
                "logs:StartLiveTail",
                "logs:StopLiveTail",
                resource="arn:aws:logs:*:*:log-group:/aws/lambda/*",
            ),
        ],
    ),
    (
        "/AWSLambdaExecute",
        "Provides Put, Get access to S3 and full access to CloudWatch Logs.",
        [
            _allow("logs:*", resource="arn:aws:logs:*:*:*"),
            _allow("s3:GetObject", "s3:PutObject", resource="arn:aws:s3:::*"),
        ],
    ),
    (
        "/AWSLambdaInvocation-DynamoDB",
        "Provides read access to DynamoDB streams.",
        [_allow("lambda:InvokeFunction"), _allow(*_STREAM)],
    ),
    ("/AWSXRayDaemonWriteAccess", "Allows the X-Ray daemon to relay trace segments.", [_allow(*_XRAY)]),
    ("/AWSXrayWriteOnlyAccess", "Allows the X-Ray daemon to relay trace segments.", [_allow(*_XRAY)]),
    ("/AWSXrayFullAccess", "Full access to AWS X-Ray.", [_allow("xray:*")]),
    (
        "/service-role/AWSLambdaBasicExecutionRole",
        "Provides write permissions to CloudWatch Logs.",
        [_LOG_DELIVERY],
    ),
    (
        "/service-role/AWSLambdaDynamoDBExecutionRole",
        "Provides list and read access to DynamoDB streams and write permissions to CloudWatch logs.",
        [_allow(*_STREAM, *_LOGS)],
    ),
    (
        "/service-role/AWSLambdaSQSQueueExecutionRole",
        "Provides receive message, delete message, and read attribute access to SQS queues, and write permissions to "
        "CloudWatch logs.",
        [_allow(*_QUEUE, *_LOGS)],
    ),
    (
        "/service-role/AWSLambdaKinesisExecutionRole",
        "Provides list and read access to Kinesis streams and write permissions to CloudWatch logs.",
        [_allow(*_KINESIS, *_LOGS)],
    ),
    (
        "/service-role/AWSLambdaVPCAccessExecutionRole",
        "Provides minimum permissions for a Lambda function to execute while accessing a resource within a VPC.",
        [_allow(*_LOGS, *_NETWORK)],
    ),
    (
        "/service-role/AWSLambdaENIManagementAccess",
        "Provides minimum permissions for a Lambda function to manage ENIs used by a VPC-enabled Lambda function.",
        [_allow(*_NETWORK)],
    ),
    ("/service-role/AWSLambdaRole", "Default policy for AWS Lambda service role.", [_allow("lambda:InvokeFunction")]),
    (
        "/service-role/AmazonAPIGatewayPushToCloudWatchLogs",
        "Allows API Gateway to push logs to user's account.",
        [
            _allow(
                *_LOGS,
                "logs:DescribeLogGroups",
                "logs:DescribeLogStreams",
                "logs:FilterLogEvents",
                "logs:GetLogEvents",
            )
        ],
    ),
    (
        "/service-role/AmazonECSTaskExecutionRolePolicy",
        "Provides access to other AWS service resources that are required to run Amazon ECS tasks.",
        [
            _allow(
                "ecr:BatchCheckLayerAvailability",
                "ecr:BatchGetImage",
                "ecr:GetAuthorizationToken",
                "ecr:GetDownloadUrlForLayer",
                "logs:CreateLogStream",
                "logs:PutLogEvents",
            )
        ],
    ),
    (
        "/CloudWatchLambdaInsightsExecutionRolePolicy",
        "Policy required for the Lambda Insights Extension.",
        [
            _allow("logs:CreateLogGroup"),
            _allow(
                "logs:CreateLogStream",
                "logs:PutLogEvents",
                resource="arn:aws:logs:*:*:log-group:/aws/lambda-insights:*",
            ),
        ],
    ),
)


def _policy(place: str, description: str, statements: list[dict[str, Any]]) -> AwsPolicy:
    path, _, name = place.rpartition("/")
    id_ = b32encode(hashlib.sha256(place.encode()).digest()).decode()[:17]
    return AwsPolicy(id_, name, f"{path}/", description, {"Version": "2012-10-17", "Statement": statements})


AWS_MANAGED: dict[str, AwsPolicy] = {f"arn:aws:iam::aws:policy{policy[0]}": _policy(*policy) for policy in _POLICIES}
