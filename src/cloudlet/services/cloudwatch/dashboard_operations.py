"""Operations on dashboards, and on the tags of dashboards and alarms."""

from collections.abc import Callable
from typing import Any

from cloudlet.core.arn import Arn
from cloudlet.core.context import Call
from cloudlet.core.errors import AwsError
from cloudlet.core.service import operation
from cloudlet.services.cloudwatch.alarm_configuration import checked_tags, given_tags
from cloudlet.services.cloudwatch.alarms import change_tags, find_alarm
from cloudlet.services.cloudwatch.base import CloudWatchBase
from cloudlet.services.cloudwatch.dashboards import (
    change_dashboard_tags,
    check_dashboard,
    dashboard_arn,
    dashboard_body,
    dashboard_tags,
    delete_dashboards,
    list_dashboards,
    put_dashboard,
)
from cloudlet.store import Reader, Transaction

_PAGE = 1000
Tags = dict[str, str]


class DashboardOperations(CloudWatchBase):
    @operation("PutDashboard")
    async def put_dashboard(self, call: Call, params: dict[str, Any]) -> dict[str, Any]:
        name, body, tags = params["DashboardName"], params["DashboardBody"], given_tags(params)
        check_dashboard(name, body)
        await self.store.write(lambda tx: put_dashboard(tx, call.account, name, body, tags, call.time))
        return {"DashboardValidationMessages": []}

    @operation("GetDashboard")
    async def get_dashboard(self, call: Call, params: dict[str, Any]) -> dict[str, Any]:
        name = params["DashboardName"]
        body = dashboard_body(self.store.reader, call.account, name)
        return {"DashboardArn": dashboard_arn(call.account, name), "DashboardBody": body, "DashboardName": name}

    @operation("ListDashboards")
    async def list_dashboards(self, call: Call, params: dict[str, Any]) -> dict[str, Any]:
        """Its token is the last name of the page before."""
        prefix, after = params.get("DashboardNamePrefix", ""), params.get("NextToken", "")
        found = list_dashboards(self.store.reader, call.account, prefix, after, _PAGE + 1)
        more = {"NextToken": found[_PAGE - 1]["DashboardName"]} if len(found) > _PAGE else {}
        return {"DashboardEntries": found[:_PAGE]} | more

    @operation("DeleteDashboards")
    async def delete_dashboards(self, call: Call, params: dict[str, Any]) -> dict[str, Any]:
        await self.store.write(lambda tx: delete_dashboards(tx, call.account, params["DashboardNames"]))
        return {}

    @operation("TagResource")
    async def tag_resource(self, call: Call, params: dict[str, Any]) -> dict[str, Any]:
        given = {tag["Key"]: tag["Value"] for tag in params["Tags"]}
        return await self._change_tags(call, params["ResourceARN"], lambda tags: {**tags, **given})

    @operation("UntagResource")
    async def untag_resource(self, call: Call, params: dict[str, Any]) -> dict[str, Any]:
        gone = set(params["TagKeys"])
        return await self._change_tags(
            call, params["ResourceARN"], lambda tags: {key: value for key, value in tags.items() if key not in gone}
        )

    @operation("ListTagsForResource")
    async def list_tags_for_resource(self, call: Call, params: dict[str, Any]) -> dict[str, Any]:
        tags = _tags(self.store.reader, call, params["ResourceARN"])
        return {"Tags": [{"Key": key, "Value": value} for key, value in tags.items()]}

    async def _change_tags(self, call: Call, arn: str, changed: Callable[[Tags], Tags]) -> dict[str, Any]:
        def change(tx: Transaction) -> None:
            tags = checked_tags(changed(_tags(tx, call, arn)))
            kind, name = _resource(arn)
            alarm = find_alarm(tx, (call.account, call.region), name) if kind == "alarm" else None
            if alarm is not None:
                change_tags(tx, alarm, tags)
            else:
                change_dashboard_tags(tx, call.account, name, tags)

        await self.store.write(change)
        return {}


def _tags(reader: Reader, call: Call, arn: str) -> Tags:
    """Raises ResourceNotFoundException for what is neither an alarm nor a dashboard."""
    kind, name = _resource(arn)
    found: Tags | None = None
    if kind == "alarm":
        alarm = find_alarm(reader, (call.account, call.region), name)
        found = None if alarm is None else dict(alarm.tags)
    elif kind == "dashboard":
        found = dashboard_tags(reader, call.account, name)
    if found is None:
        fields = {"ResourceType": kind, "ResourceId": name}
        raise AwsError("ResourceNotFoundException", f"{arn} does not exist", fields=fields)
    return found


def _resource(arn: str) -> tuple[str, str]:
    """`alarm` or `dashboard`, and the name."""
    try:
        resource = Arn.parse(arn).resource
    except ValueError:
        raise AwsError("InvalidParameterValueException", f"{arn} is not an ARN") from None
    separator = ":" if resource.startswith("alarm:") else "/"
    kind, _, name = resource.partition(separator)
    return kind, name
