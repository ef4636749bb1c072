"""Subscription filters: log events that match a pattern, sent on to a function as they come."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from cloudlet.core.arn import Arn
from cloudlet.core.context import Call, Principal
from cloudlet.core.errors import AwsError, NotImplementedByCloudlet
from cloudlet.core.service import operation
from cloudlet.services.logs.arrivals import Arrival
from cloudlet.services.logs.base import LogsBase, find_group, group_arn, milliseconds
from cloudlet.services.logs.deliveries import Batch, invoke
from cloudlet.services.logs.faults import invalid_parameter
from cloudlet.services.logs.filter_pattern import compiled
from cloudlet.services.logs.filters import check_limits, count_filters, delete_filter, refuse_unsupported
from cloudlet.services.logs.positions import sealed, unsealed
from cloudlet.store import Transaction

if TYPE_CHECKING:
    from types_boto3_logs.type_defs import (
        DeleteSubscriptionFilterRequestTypeDef,
        DescribeSubscriptionFiltersRequestTypeDef,
        PutSubscriptionFilterRequestTypeDef,
    )

_PAGE = 50


class SubscriptionFilterOperations(LogsBase):
    @operation("PutSubscriptionFilter")
    async def put_subscription_filter(self, call: Call, params: "PutSubscriptionFilterRequestTypeDef") -> None:
        refuse_unsupported(params)
        group_name, name, pattern = params["logGroupName"], params["filterName"], compiled(params["filterPattern"])
        destination = _destination(call, params)
        find_group(self.store.reader, call, group_name)
        await self._check_function(call, group_name, destination)

        def write(tx: Transaction) -> None:
            group = find_group(tx, call, group_name)
            check_limits(tx, group, "subscription", name, pattern)
            tx.execute(
                "INSERT INTO subscription_filter (log_group, name, pattern, destination, distribution, created)"
                " VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET pattern = excluded.pattern,"
                " destination = excluded.destination, distribution = excluded.distribution",
                (
                    *(group.id, name, params["filterPattern"], str(destination)),
                    *(params.get("distribution", "ByLogStream"), milliseconds(call)),
                ),
            )
            count_filters(tx, group)

        await self.store.write(write)

    @operation("DeleteSubscriptionFilter")
    async def delete_subscription_filter(self, call: Call, params: "DeleteSubscriptionFilterRequestTypeDef") -> None:
        def write(tx: Transaction) -> None:
            delete_filter(tx, find_group(tx, call, params["logGroupName"]), "subscription", params["filterName"])

        await self.store.write(write)

    @operation("DescribeSubscriptionFilters")
    async def describe_subscription_filters(
        self, call: Call, params: "DescribeSubscriptionFiltersRequestTypeDef"
    ) -> dict[str, Any]:
        group = find_group(self.store.reader, call, params["logGroupName"])
        limit = params.get("limit", _PAGE)
        after = unsealed(params["nextToken"], 1)[0] if "nextToken" in params else ""
        rows = self.store.reader.all(
            "SELECT name, pattern, destination, distribution, created FROM subscription_filter WHERE log_group = ?1"
            " AND name > ?2 AND (?3 IS NULL OR substr(name, 1, length(?3)) = ?3) ORDER BY name LIMIT ?4",
            (group.id, after, params.get("filterNamePrefix"), limit + 1),
        )
        output: dict[str, Any] = {"subscriptionFilters": [_described(group.name, row) for row in rows[:limit]]}
        if len(rows) > limit:
            output["nextToken"] = sealed(rows[limit - 1][0])
        return output

    async def _check_function(self, call: Call, group_name: str, destination: Arn) -> None:
        """Raises InvalidParameterException if it may not be invoked, or if these are the logs that it writes itself."""
        source = f"{group_arn(call, group_name)}:*"
        try:
            await invoke(self.cloud, str(destination), source, call.account, kind="DryRun")
            configuration = await self.cloud.call(
                "lambda",
                "GetFunctionConfiguration",
                {"FunctionName": str(destination)},
                as_=Principal.root(call.account),
                region=call.region,
            )
        except AwsError:
            raise invalid_parameter(
                "Could not execute the lambda function. Make sure you have given CloudWatch Logs permission to execute"
                " your function."
            ) from None
        own = configuration.get("LoggingConfig", {}).get("LogGroup", f"/aws/lambda/{configuration['FunctionName']}")
        if own == group_name:
            raise invalid_parameter(
                "The log group provided is reserved for the function logs of the destination function."
            )


def subscribed(tx: Transaction, arrival: Arrival) -> Iterator[tuple[str, Batch]]:
    """What of the events the subscription filters of the log group want, with their destinations."""
    rows = tx.all("SELECT name, pattern, destination FROM subscription_filter WHERE log_group = ?", (arrival.group.id,))
    for name, pattern, destination in rows:
        matches = compiled(pattern).matches
        events = [
            (arrival.first_id + offset, event)
            for offset, event in enumerate(arrival.events)
            if matches(event["message"])
        ]
        for batch in Batch.of(arrival, name, events):
            yield destination, batch


def _destination(call: Call, params: Mapping[str, Any]) -> Arn:
    """The ARN of a function. Raises InvalidParameterException, NotImplementedByCloudlet for other destinations."""
    try:
        arn = Arn.parse(params["destinationArn"])
    except ValueError:
        raise invalid_parameter("Invalid destinationArn specified") from None
    if arn.service in ("kinesis", "firehose", "logs"):
        raise NotImplementedByCloudlet(f"subscription filters with a destination of the service {arn.service}")
    if arn.service != "lambda" or not arn.resource.startswith("function:"):
        raise invalid_parameter(f"destinationArn for vendor {arn.service} cannot be used")
    if "roleArn" in params:
        raise invalid_parameter("destinationArn for vendor lambda cannot be used with roleArn")
    if arn.account != call.account or arn.region != call.region:
        raise invalid_parameter("destinationArn must be of the account and the region of the log group")
    return arn


def _described(group: str, row: tuple[Any, ...]) -> dict[str, Any]:
    name, pattern, destination, distribution, created = row
    return {
        "filterName": name,
        "logGroupName": group,
        "filterPattern": pattern,
        "destinationArn": destination,
        "distribution": distribution,
        "applyOnTransformedLogs": False,
        "creationTime": created,
    }
