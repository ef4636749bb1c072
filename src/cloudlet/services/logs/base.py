"""What all operations of CloudWatch Logs stand on: the data, and the log group that a call is about."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from cloudlet.core.arn import Arn
from cloudlet.core.context import Call
from cloudlet.core.service import Service
from cloudlet.services.logs.deliveries import Deliverer
from cloudlet.services.logs.faults import invalid_parameter, no_such_group, no_such_stream
from cloudlet.services.logs.live_tail import LiveTail
from cloudlet.services.logs.log_group import LogGroup
from cloudlet.services.logs.retention import Retention
from cloudlet.store import Outbox, Reader, Store

# Of the deliveries under way, so many to one function: a slow one does not hold up the others.
_PER_TARGET = 16
# These are about whichever log groups there are: IAM sees a log group without a name, or with the beginning of one.
_OF_GROUPS = frozenset({"DescribeLogGroups", "ListLogGroups"})


class LogsBase(Service):
    apis = ("logs",)
    store: Store
    outbox: Outbox
    live_tail: LiveTail

    async def start(self) -> None:
        self.store = Store(self.cloud.settings.data / "logs.db", Path(__file__).with_name("schema.sql"))
        self.outbox = Outbox(self.store, self.cloud.clock, Deliverer(self.cloud).deliver, per_target=_PER_TARGET)
        self.live_tail = LiveTail()
        self.retention = Retention(self.store, self.cloud.clock)
        self.retention.start()

    async def recover(self) -> None:
        self.outbox.start()

    async def drain(self) -> None:
        """What is not delivered yet stays in the outbox for the next start."""
        self.live_tail.end()
        await self.outbox.stop()

    async def stop(self) -> None:
        await self.outbox.stop()
        await self.retention.stop()
        self.store.close()

    def counts_as(self, call: Call, params: dict[str, Any]) -> Iterable[tuple[str, dict[str, Any]]]:
        """A tail of several log groups must be allowed for each, tags at creation as TagResource."""
        if call.operation == "StartLiveTail":
            return tuple((call.operation, {"logGroupIdentifier": each}) for each in params["logGroupIdentifiers"])
        asked = [(call.operation, params)]
        if call.operation == "CreateLogGroup" and params.get("tags"):
            arn = group_arn(call, params["logGroupName"])
            asked.append(("TagResource", {"resourceArn": arn, "tags": params["tags"]}))
        return asked

    def resource(self, call: Call, params: Mapping[str, Any]) -> str | None:
        """IAM knows a log group with `:*` at its end but for tags, and a log stream where there is one."""
        if "resourceArn" in params:
            return str(params["resourceArn"])
        if call.operation in _OF_GROUPS:
            return f"{group_arn(call, params.get('logGroupNamePrefix', ''))}:log-stream:"
        if "logGroupName" not in params and "logGroupIdentifier" not in params:
            return "*"
        arn = group_arn(call, group_name(params))
        stream = params.get("logStreamName")
        return f"{arn}:log-stream:{stream}" if stream and call.operation != "CreateLogStream" else f"{arn}:*"


def group_arn(call: Call, name: str) -> str:
    return f"arn:aws:logs:{call.region}:{call.account}:log-group:{name}"


def signal(call: Call, name: str) -> str:
    """The topic that is notified after events were added to the group."""
    return f"logs:{group_arn(call, name)}"


def group_name(params: Mapping[str, Any]) -> str:
    """The group's name from logGroupName or logGroupIdentifier, of which there must be one."""
    name, identifier = params.get("logGroupName"), params.get("logGroupIdentifier")
    if (name is None) == (identifier is None):
        raise invalid_parameter("Exactly one of logGroupName and logGroupIdentifier must be specified.")
    return name_in(identifier) if identifier is not None else str(name)


def name_in(identifier: str) -> str:
    """The name of the log group in its ARN, with or without `:*`, or the name itself."""
    if not identifier.startswith("arn:"):
        return identifier
    try:
        resource = Arn.parse(identifier).resource
    except ValueError:
        raise invalid_parameter(f"Invalid log group identifier: {identifier}") from None
    kind, _, name = resource.partition(":")
    if kind != "log-group":
        raise invalid_parameter(f"Invalid log group identifier: {identifier}")
    return name.removesuffix(":*")


def find_group(reader: Reader, call: Call, name: str) -> LogGroup:
    """Raises ResourceNotFoundException."""
    row = reader.one(
        "SELECT id, name, retention, filters FROM log_group WHERE account = ? AND region = ? AND name = ?",
        (call.account, call.region, name),
    )
    if row is None:
        raise no_such_group()
    return LogGroup(*row)


def find_stream(reader: Reader, group: LogGroup, name: str) -> int:
    """The id of the log stream. Raises ResourceNotFoundException."""
    row = reader.one("SELECT id FROM log_stream WHERE log_group = ? AND name = ?", (group.id, name))
    if row is None:
        raise no_such_stream()
    return row[0]


def milliseconds(call: Call) -> int:
    """When the call came in, in the unit of the API."""
    return int(call.time * 1000)
