"""Schedules and their groups: made, read, changed, listed, deleted, and what is refused."""

import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError

ACCOUNT = "000000000000"
OFF = {"Mode": "OFF"}


@pytest.fixture(scope="module")
def target(desk: Any) -> dict[str, Any]:
    return {"Arn": desk.queue("schedules")[1], "RoleArn": desk.role("schedules", "sqs:SendMessage")}


def refused(call: Any, **params: Any) -> tuple[str, str]:
    with pytest.raises(ClientError) as refusal:
        call(**params)
    error: Any = refusal.value.response
    return error["Error"]["Code"], error["Error"]["Message"]


def test_a_schedule_is_read_with_its_defaults(desk: Any, target: Any) -> None:
    arn = desk.schedule("plain", "rate(5 minutes)", target, State="DISABLED")
    assert arn == f"arn:aws:scheduler:us-east-1:{ACCOUNT}:schedule/default/plain"
    found = desk.scheduler.get_schedule(Name="plain")
    retry = {"MaximumEventAgeInSeconds": 86400, "MaximumRetryAttempts": 185}
    del found["ResponseMetadata"], found["CreationDate"], found["LastModificationDate"]
    assert found == {
        "ActionAfterCompletion": "NONE",
        "Arn": arn,
        "FlexibleTimeWindow": OFF,
        "GroupName": "default",
        "Name": "plain",
        "ScheduleExpression": "rate(5 minutes)",
        "ScheduleExpressionTimezone": "UTC",
        "State": "DISABLED",
        "Target": {**target, "RetryPolicy": retry},
    }


def test_a_schedule_is_read_as_it_was_written(desk: Any, target: Any) -> None:
    start = (datetime.now(UTC) + timedelta(days=1)).replace(microsecond=0)
    settings = {
        "Description": "every night",
        "EndDate": start + timedelta(days=30),
        "FlexibleTimeWindow": {"Mode": "FLEXIBLE", "MaximumWindowInMinutes": 15},
        "ScheduleExpressionTimezone": "Europe/Berlin",
        "StartDate": start,
        "ActionAfterCompletion": "DELETE",
    }
    desk.schedule("whole", "cron(0 2 * * ? *)", {**target, "Input": "hello"}, **settings)
    found = desk.scheduler.get_schedule(Name="whole")
    assert {name: found[name] for name in settings} == settings
    assert found["Target"]["Input"] == "hello"


def test_an_update_replaces_everything(desk: Any, target: Any) -> None:
    desk.schedule("changing", "rate(1 hour)", target, Description="before", State="DISABLED")
    params = {"ScheduleExpression": "rate(2 hours)", "Target": target, "FlexibleTimeWindow": OFF}
    desk.scheduler.update_schedule(Name="changing", **params)
    found = desk.scheduler.get_schedule(Name="changing")
    assert (found["ScheduleExpression"], found["State"], "Description" in found) == ("rate(2 hours)", "ENABLED", False)
    assert found["LastModificationDate"] > found["CreationDate"]
    assert refused(desk.scheduler.update_schedule, Name="unknown", **params) == (
        "ResourceNotFoundException",
        "Schedule unknown does not exist.",
    )


def test_a_deleted_schedule_is_gone(desk: Any, target: Any) -> None:
    desk.schedule("passing", "rate(1 hour)", target)
    desk.scheduler.delete_schedule(Name="passing")
    for call in (desk.scheduler.get_schedule, desk.scheduler.delete_schedule):
        assert refused(call, Name="passing") == ("ResourceNotFoundException", "Schedule passing does not exist.")


def test_the_same_client_token_makes_one_schedule(desk: Any, target: Any) -> None:
    params = {"ScheduleExpression": "rate(1 hour)", "Target": target, "FlexibleTimeWindow": OFF}
    first = desk.scheduler.create_schedule(Name="once", ClientToken="token-1", **params)
    again = desk.scheduler.create_schedule(Name="once", ClientToken="token-1", **params)
    assert again["ScheduleArn"] == first["ScheduleArn"]
    assert refused(desk.scheduler.create_schedule, Name="once", ClientToken="token-2", **params) == (
        "ConflictException",
        "Schedule once already exists.",
    )


def test_listings_filter_and_page(desk: Any, target: Any) -> None:
    desk.scheduler.create_schedule_group(Name="listed")
    for number in range(5):
        state = "DISABLED" if number == 4 else "ENABLED"
        desk.schedule(f"job-{number}", "rate(1 hour)", target, GroupName="listed", State=state)
    desk.schedule("job-0", "rate(1 hour)", target)
    pages = desk.scheduler.get_paginator("list_schedules").paginate(
        GroupName="listed", State="ENABLED", NamePrefix="job-", PaginationConfig={"PageSize": 3}
    )
    found = [[schedule["Name"] for schedule in page["Schedules"]] for page in pages]
    assert found == [["job-0", "job-1", "job-2"], ["job-3"]]
    everywhere = desk.scheduler.list_schedules(NamePrefix="job-0")["Schedules"]
    assert [(schedule["GroupName"], schedule["Target"]) for schedule in everywhere] == [
        ("default", {"Arn": target["Arn"]}),
        ("listed", {"Arn": target["Arn"]}),
    ]
    assert refused(desk.scheduler.list_schedules, NextToken="nonsense")[0] == "ValidationException"


def test_groups_begin_with_the_default_one(desk: Any, target: Any) -> None:
    client = desk.scheduler
    arn = client.create_schedule_group(Name="night", Tags=[{"Key": "team", "Value": "a"}])["ScheduleGroupArn"]
    assert arn == f"arn:aws:scheduler:us-east-1:{ACCOUNT}:schedule-group/night"
    names = [group["Name"] for group in client.list_schedule_groups()["ScheduleGroups"]]
    assert {"default", "night"} <= set(names)
    assert client.get_schedule_group(Name="default")["State"] == "ACTIVE"
    client.tag_resource(ResourceArn=arn, Tags=[{"Key": "cost", "Value": "1"}])
    client.untag_resource(ResourceArn=arn, TagKeys=["team"])
    assert client.list_tags_for_resource(ResourceArn=arn)["Tags"] == [{"Key": "cost", "Value": "1"}]
    assert refused(client.create_schedule_group, Name="night") == (
        "ConflictException",
        "Schedule group night already exists.",
    )
    assert refused(client.delete_schedule_group, Name="default")[0] == "ValidationException"
    assert refused(client.get_schedule_group, Name="day")[1] == "Schedule group day does not exist."


def test_a_group_takes_its_schedules_with_it(desk: Any, target: Any) -> None:
    client = desk.scheduler
    client.create_schedule_group(Name="short-lived")
    desk.schedule("inside", "rate(1 hour)", target, GroupName="short-lived")
    client.delete_schedule_group(Name="short-lived")
    deadline = time.monotonic() + 60
    while client.list_schedule_groups(NamePrefix="short-lived")["ScheduleGroups"]:
        assert time.monotonic() < deadline
    missing = refused(client.get_schedule, Name="inside", GroupName="short-lived")
    assert missing[0] == "ResourceNotFoundException"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"ScheduleExpression": "rate(0 minutes)"}, "Invalid Schedule Expression rate(0 minutes)."),
        ({"ScheduleExpression": "cron(0 0 * * * *)"}, "Invalid Schedule Expression cron(0 0 * * * *)."),
        ({"ScheduleExpressionTimezone": "Mars/Phobos"}, "Invalid ScheduleExpressionTimezone Mars/Phobos."),
        ({"FlexibleTimeWindow": {"Mode": "FLEXIBLE"}}, "MaximumWindowInMinutes is required"),
        ({"FlexibleTimeWindow": {"Mode": "OFF", "MaximumWindowInMinutes": 5}}, "MaximumWindowInMinutes is not allowed"),
        ({"StartDate": datetime(2020, 1, 1, tzinfo=UTC)}, "cannot be earlier than 5 minutes ago."),
        ({"EndDate": datetime(2020, 1, 1, tzinfo=UTC)}, "The EndDate you specify cannot be in the past."),
        ({"Target": {"Arn": "nonsense"}}, "Provided Arn is not in correct format."),
        ({"Target": {"Arn": "arn:aws:scheduler:::aws-sdk:sqs"}}, "Provided Arn is not in correct format."),
        ({"Target": {"Arn": "arn:aws:scheduler:::aws-sdk:sqs:getQueueUrl"}}, "is not a supported api action"),
        ({"Target": {"Arn": "arn:aws:scheduler:::aws-sdk:sqs:fly"}}, "is not a supported api action"),
        ({"Target": {"Arn": "arn:aws:scheduler:::aws-sdk:scheduler:deleteSchedule"}}, "is not a supported service"),
        ({"Target": {"Arn": f"arn:aws:s3:::{ACCOUNT}"}}, "s3 is not a supported service for a target."),
        ({"Target": {"Arn": f"arn:aws:sqs:us-east-1:{ACCOUNT}:q.fifo"}}, "MessageGroupId is required"),
        ({"Target": {"Arn": f"arn:aws:events:us-east-1:{ACCOUNT}:event-bus/b"}}, "EventBridgeParameters is required"),
        ({"Target": {"Arn": f"arn:aws:lambda:us-east-1:{ACCOUNT}:function:f", "Input": "no json"}}, "well-formed JSON"),
        (
            {"Target": {"Arn": f"arn:aws:lambda:us-east-1:{ACCOUNT}:function:f", "Input": '{"a":' * 5000}},
            "well-formed JSON",
        ),
        ({"Target": {"SqsParameters": {"MessageGroupId": "g"}, "Arn": f"arn:aws:sns:us-east-1:{ACCOUNT}:t"}}, "Sqs"),
        (
            {"Target": {"RoleArn": f"arn:aws:iam::{ACCOUNT}:role/none"}},
            "must allow AWS EventBridge Scheduler to assume",
        ),
    ],
)
def test_what_is_refused(desk: Any, target: Any, changes: dict[str, Any], message: str) -> None:
    params: dict[str, Any] = {"ScheduleExpression": "rate(1 hour)", "FlexibleTimeWindow": OFF, **changes}
    params["Target"] = {**target, **changes.get("Target", {})}
    code, said = refused(desk.scheduler.create_schedule, Name="refused", **params)
    assert code == "ValidationException"
    assert message in said


def test_what_cloudlet_does_not_have_is_not_taken(desk: Any, target: Any) -> None:
    for arn in (f"arn:aws:states:us-east-1:{ACCOUNT}:stateMachine:m", "arn:aws:scheduler:::aws-sdk:rds:stopDBInstance"):
        code, _ = refused(
            desk.scheduler.create_schedule,
            Name="refused",
            ScheduleExpression="rate(1 hour)",
            FlexibleTimeWindow=OFF,
            Target={**target, "Arn": arn},
        )
        assert code == "NotImplemented"


def test_a_group_that_is_not_there(desk: Any, target: Any) -> None:
    params = {"ScheduleExpression": "rate(1 hour)", "FlexibleTimeWindow": OFF, "Target": target}
    missing = ("ResourceNotFoundException", "Schedule group nowhere does not exist.")
    assert refused(desk.scheduler.create_schedule, Name="x", GroupName="nowhere", **params) == missing
    assert refused(desk.scheduler.list_schedules, GroupName="nowhere") == missing


def test_a_role_must_be_the_callers_to_pass(desk: Any, target: Any) -> None:
    desk.iam.create_user(UserName="clerk")
    policy = (
        '{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "scheduler:*",'
        f' "Resource": "arn:aws:scheduler:*:{ACCOUNT}:schedule/default/*"}}]}}'
    )
    desk.iam.put_user_policy(UserName="clerk", PolicyName="schedules", PolicyDocument=policy)
    key = desk.iam.create_access_key(UserName="clerk")["AccessKey"]
    clerk = desk.server.client("scheduler", session=desk.server.session(key["AccessKeyId"], key["SecretAccessKey"]))
    params = {"ScheduleExpression": "rate(1 hour)", "FlexibleTimeWindow": OFF, "Target": target}
    code, said = refused(clerk.create_schedule, Name="clerks", **params)
    assert (code, "iam:PassRole" in said) == ("AccessDeniedException", True)
    assert refused(clerk.get_schedule_group, Name="default")[0] == "AccessDeniedException"
    assert refused(clerk.get_schedule, Name="none")[0] == "ResourceNotFoundException"
