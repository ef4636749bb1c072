"""Event buses: their life, their policies, their tags."""

import json
from typing import Any

import pytest
from event_making import error_of

ARN = "arn:aws:events:us-east-1:000000000000:event-bus"


@pytest.fixture(scope="module")
def events(server: Any) -> Any:
    return server.client("events")


def test_the_default_bus_exists_by_itself(events: Any) -> None:
    found = events.describe_event_bus()
    assert (found["Name"], found["Arn"]) == ("default", f"{ARN}/default")
    assert "Policy" not in found
    assert events.list_event_buses(NamePrefix="default")["EventBuses"][0]["Arn"] == f"{ARN}/default"
    assert error_of(events.delete_event_bus, Name="default") == (
        "ValidationException",
        "Cannot delete event bus default.",
    )
    assert error_of(events.create_event_bus, Name="default")[0] == "ResourceAlreadyExistsException"


def test_a_bus_is_made_changed_and_deleted(events: Any) -> None:
    queue = {"Arn": "arn:aws:sqs:us-east-1:000000000000:letters"}
    made = events.create_event_bus(Name="orders", Description="of the shop", DeadLetterConfig=queue)
    assert made["EventBusArn"] == f"{ARN}/orders"
    assert made["Description"] == "of the shop"
    assert error_of(events.create_event_bus, Name="orders") == (
        "ResourceAlreadyExistsException",
        "Event bus orders already exists.",
    )
    changed = events.update_event_bus(Name="orders", Description="of all shops")
    assert (changed["Name"], changed["Arn"], changed["Description"]) == ("orders", f"{ARN}/orders", "of all shops")
    found = events.describe_event_bus(Name=f"{ARN}/orders")
    assert found["Description"] == "of all shops"
    assert found["DeadLetterConfig"] == queue
    assert found["CreationTime"] <= found["LastModifiedTime"]
    events.delete_event_bus(Name="orders")
    events.delete_event_bus(Name="orders")
    assert error_of(events.describe_event_bus, Name="orders") == (
        "ResourceNotFoundException",
        "Event bus orders does not exist.",
    )


def test_a_bus_with_rules_is_kept(events: Any) -> None:
    events.create_event_bus(Name="ruled")
    events.put_rule(Name="r", EventPattern='{"source": ["x"]}', EventBusName="ruled")
    assert error_of(events.delete_event_bus, Name="ruled") == (
        "ValidationException",
        "Event bus ruled can't be deleted since it has rules.",
    )
    events.delete_rule(Name="r", EventBusName="ruled")
    events.delete_event_bus(Name="ruled")


def test_buses_are_listed_in_pages(events: Any) -> None:
    for name in ("page-c", "page-a", "page-b"):
        events.create_event_bus(Name=name)
    first = events.list_event_buses(NamePrefix="page-", Limit=2)
    assert [bus["Name"] for bus in first["EventBuses"]] == ["page-a", "page-b"]
    last = events.list_event_buses(NamePrefix="page-", Limit=2, NextToken=first["NextToken"])
    assert [bus["Name"] for bus in last["EventBuses"]] == ["page-c"]
    assert "NextToken" not in last
    assert error_of(events.list_event_buses, NextToken="nonsense")[0] == "InvalidToken"


@pytest.mark.parametrize("setting", [{"KmsKeyIdentifier": "k"}, {"LogConfig": {"Level": "INFO"}}])
def test_what_a_bus_cannot_do_is_refused(events: Any, setting: dict[str, Any]) -> None:
    assert error_of(events.create_event_bus, Name="wants-more", **setting)[0] == "NotImplemented"


def test_names_with_a_slash_are_those_of_partners(events: Any) -> None:
    assert error_of(events.create_event_bus, Name="a/b")[0] == "ValidationException"


def test_permissions_come_and_go_by_their_ids(events: Any) -> None:
    events.create_event_bus(Name="shared")
    events.put_permission(EventBusName="shared", StatementId="one", Action="events:PutEvents", Principal="111122223333")
    events.put_permission(
        EventBusName="shared",
        StatementId="many",
        Action="events:PutEvents",
        Principal="*",
        Condition={"Type": "StringEquals", "Key": "aws:PrincipalOrgID", "Value": "o-1"},
    )
    policy = json.loads(events.describe_event_bus(Name="shared")["Policy"])
    assert policy == {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Sid": "one",
                "Effect": "Allow",
                "Principal": {"AWS": "arn:aws:iam::111122223333:root"},
                "Action": "events:PutEvents",
                "Resource": f"{ARN}/shared",
            },
            {
                "Sid": "many",
                "Effect": "Allow",
                "Principal": "*",
                "Action": "events:PutEvents",
                "Resource": f"{ARN}/shared",
                "Condition": {"StringEquals": {"aws:PrincipalOrgID": "o-1"}},
            },
        ],
    }
    events.remove_permission(EventBusName="shared", StatementId="one")
    assert error_of(events.remove_permission, EventBusName="shared", StatementId="one") == (
        "ResourceNotFoundException",
        "Statement with the provided id does not exist.",
    )
    events.remove_permission(EventBusName="shared", RemoveAllPermissions=True)
    assert "Policy" not in events.describe_event_bus(Name="shared")
    assert error_of(events.remove_permission, EventBusName="shared", StatementId="many") == (
        "ResourceNotFoundException",
        "EventBus does not have a policy.",
    )


def test_a_policy_can_be_given_whole(events: Any) -> None:
    statement = {"Sid": "all", "Effect": "Allow", "Principal": "*", "Action": "events:*", "Resource": f"{ARN}/whole"}
    events.create_event_bus(Name="whole")
    policy = {"Version": "2012-10-17", "Statement": [statement]}
    events.put_permission(EventBusName="whole", Policy=json.dumps(policy))
    assert json.loads(events.describe_event_bus(Name="whole")["Policy"]) == policy
    assert error_of(events.put_permission, EventBusName="whole", Policy="{}")[0] == "ValidationException"
    large = {**policy, "Statement": [{**statement, "Resource": ["x" * 100] * 110}]}
    code, _ = error_of(events.put_permission, EventBusName="whole", Policy=json.dumps(large))
    assert code == "PolicyLengthExceededException"


def test_permissions_that_make_no_sense(events: Any) -> None:
    assert error_of(events.put_permission, StatementId="x", Action="events:PutEvents")[0] == "ValidationException"
    code, message = error_of(events.put_permission, StatementId="x", Action="events:PutRule", Principal="*")
    assert (code, message) == ("ValidationException", "Provided value in parameter 'action' is not supported.")
    gone = {"StatementId": "x", "Action": "events:PutEvents", "Principal": "*"}
    assert error_of(events.put_permission, EventBusName="gone", **gone)[0] == "ResourceNotFoundException"


def test_tags_of_buses(events: Any) -> None:
    arn = events.create_event_bus(Name="tagged", Tags=[{"Key": "a", "Value": "1"}])["EventBusArn"]
    events.tag_resource(ResourceARN=arn, Tags=[{"Key": "a", "Value": "2"}, {"Key": "b", "Value": ""}])
    events.untag_resource(ResourceARN=arn, TagKeys=["b"])
    assert events.list_tags_for_resource(ResourceARN=arn)["Tags"] == [{"Key": "a", "Value": "2"}]
    many = [{"Key": str(number), "Value": ""} for number in range(50)]
    assert error_of(events.tag_resource, ResourceARN=arn, Tags=many)[0] == "ValidationException"
    assert error_of(events.list_tags_for_resource, ResourceARN=f"{ARN}/none")[0] == "ResourceNotFoundException"


def test_what_is_not_there_says_so(events: Any) -> None:
    assert error_of(events.list_archives)[0] == "NotImplemented"
    assert error_of(events.list_connections)[0] == "NotImplemented"
    entry = {"Source": "x", "DetailType": "x", "Detail": "{}"}
    assert error_of(events.describe_endpoint, Name="x")[0] == "NotImplemented"
    assert error_of(events.list_api_destinations)[0] == "NotImplemented"
    assert events.put_events(Entries=[entry])["FailedEntryCount"] == 0
