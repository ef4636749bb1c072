"""The delivery of access logs to log groups: who may set it up, and the policy under which lines are delivered."""

import re
from dataclasses import replace

import orjson

from cloudlet.core.arn import Arn
from cloudlet.core.context import Call, Principal
from cloudlet.core.errors import NotImplementedByCloudlet
from cloudlet.core.service import Cloud
from cloudlet.services.apigatewayv2.base import bad_request

# The service of AWS that delivers logs for others, and the policy that it makes for itself.
DELIVERER = "delivery.logs.amazonaws.com"
_POLICY = "AWSLogDeliveryWrite20150319"
_LOG_GROUP = re.compile(r"arn:aws[\w-]*:logs:[\w-]+:\d{12}:log-group:([\w./#-]{1,512})(?::\*)?")
_FIREHOSE = re.compile(r"arn:aws[\w-]*:firehose:.*")


async def set_up(cloud: Cloud, call: Call, destination: str) -> None:
    """Raises BadRequestException where there is no such log group, AccessDenied where the caller may not log there."""
    if _FIREHOSE.fullmatch(destination):
        raise NotImplementedByCloudlet("access logs to Firehose")
    match = _LOG_GROUP.fullmatch(destination)
    if match is None:
        raise bad_request("Invalid access log destination ARN specified. It must be the ARN of a log group.")
    arn = Arn.parse(destination)
    if arn.account != call.account:
        raise bad_request("The log group of an access log must be in the account of the API.")
    if call.principal.kind != "root":
        creation = replace(call, api="logs", operation="CreateLogDelivery", condition_keys={})
        cloud.authoriser.authorise(creation, destination, None)
    owner = Principal.root(arn.account)
    prefix = {"logGroupNamePrefix": match[1]}
    groups = await cloud.call("logs", "DescribeLogGroups", prefix, as_=owner, region=arn.region)
    if all(group["logGroupName"] != match[1] for group in groups["logGroups"]):
        raise bad_request(f"The access log destination does not exist: {destination}")
    await _allow(cloud, owner, arn.region)


async def _allow(cloud: Cloud, owner: Principal, region: str) -> None:
    """Whoever deletes this policy stops the deliveries, as on AWS."""
    policies = await cloud.call("logs", "DescribeResourcePolicies", {}, as_=owner, region=region)
    if any(policy["policyName"] == _POLICY for policy in policies["resourcePolicies"]):
        return
    statement = {
        "Sid": "AWSLogDeliveryWrite",
        "Effect": "Allow",
        "Principal": {"Service": DELIVERER},
        "Action": ["logs:CreateLogStream", "logs:PutLogEvents"],
        "Resource": f"arn:aws:logs:{region}:{owner.account}:log-group:*",
        "Condition": {"StringEquals": {"aws:SourceAccount": owner.account}},
    }
    document = orjson.dumps({"Version": "2012-10-17", "Statement": [statement]}).decode()
    policy = {"policyName": _POLICY, "policyDocument": document}
    await cloud.call("logs", "PutResourcePolicy", policy, as_=owner, region=region)
