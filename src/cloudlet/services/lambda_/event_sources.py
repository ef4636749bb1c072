"""Operations on event source mappings."""

import uuid
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import orjson

from cloudlet.core.context import Call
from cloudlet.core.errors import AwsError, NotImplementedByCloudlet
from cloudlet.core.service import operation
from cloudlet.services.lambda_.base import LambdaBase
from cloudlet.services.lambda_.catalog import Function
from cloudlet.services.lambda_.configuration import invalid
from cloudlet.services.lambda_.destinations import check_destination
from cloudlet.services.lambda_.filters import compile_filters
from cloudlet.services.lambda_.names import FunctionKey, function_not_found, parse_arn, parse_reference
from cloudlet.services.lambda_.paging import page
from cloudlet.services.lambda_.pollers import Pollers
from cloudlet.services.lambda_.stream_poller import describe_shards, save_position
from cloudlet.store import Transaction

if TYPE_CHECKING:
    from types_boto3_lambda import type_defs as t

_UNSUPPORTED = (
    "Topics", "Queues", "SourceAccessConfigurations", "SelfManagedEventSource", "AmazonManagedKafkaEventSourceConfig",
    "SelfManagedKafkaEventSourceConfig", "DocumentDBEventSourceConfig", "ProvisionedPollerConfig", "KMSKeyArn",
    "MetricsConfig", "LoggingConfig",
)  # fmt: skip
_STREAM_ONLY = (
    "StartingPosition", "ParallelizationFactor", "BisectBatchOnFunctionError", "MaximumRecordAgeInSeconds",
    "MaximumRetryAttempts", "TumblingWindowInSeconds",
)  # fmt: skip
_QUEUE_DEFAULTS: dict[str, Any] = {"BatchSize": 10, "MaximumBatchingWindowInSeconds": 0}
_STREAM_DEFAULTS: dict[str, Any] = {
    "BatchSize": 100,
    "MaximumBatchingWindowInSeconds": 0,
    "ParallelizationFactor": 1,
    "BisectBatchOnFunctionError": False,
    "MaximumRecordAgeInSeconds": -1,
    "MaximumRetryAttempts": -1,
    "TumblingWindowInSeconds": 0,
    "DestinationConfig": {"OnFailure": {}},
}
_SETTINGS = (
    "BatchSize", "FilterCriteria", "MaximumBatchingWindowInSeconds", "ParallelizationFactor", "StartingPosition",
    "DestinationConfig", "MaximumRecordAgeInSeconds", "BisectBatchOnFunctionError", "MaximumRetryAttempts",
    "FunctionResponseTypes", "ScalingConfig",
)  # fmt: skip
# What a role must be allowed to do with its event source.
_QUEUE_ACTIONS = ("ReceiveMessage", "DeleteMessage", "GetQueueAttributes")
_STREAM_ACTIONS = ("GetRecords", "GetShardIterator", "DescribeStream")


class EventSourceOperations(LambdaBase):
    pollers: Pollers

    @operation("CreateEventSourceMapping")
    async def create_event_source_mapping(
        self, call: Call, params: "t.CreateEventSourceMappingRequestTypeDef"
    ) -> dict[str, Any]:
        source = params.get("EventSourceArn", "")
        is_queue = _is_queue(source)
        reference = parse_reference(call, params["FunctionName"])
        function = self.catalog.get(reference)
        id_ = str(uuid.uuid4())
        mapping: dict[str, Any] = {
            **(_QUEUE_DEFAULTS if is_queue else _STREAM_DEFAULTS),
            "UUID": id_,
            "EventSourceArn": source,
            "FunctionArn": reference.arn,
            "EventSourceMappingArn": f"arn:aws:lambda:{call.region}:{call.account}:event-source-mapping:{id_}",
            "StateTransitionReason": "USER_INITIATED",
            "FunctionResponseTypes": [],
        }
        _apply(mapping, params, call.time, enabled=params.get("Enabled", True))
        _check(mapping, params, is_queue=is_queue)
        if is_queue:
            await self._check_queue(function, source)
            positions: dict[str, tuple[str, bool]] = {}
        else:
            positions = await self._check_stream(function, source, mapping["StartingPosition"])

        def write(tx: Transaction) -> None:
            _check_unique(tx, call, mapping)
            tx.execute(
                "INSERT INTO event_source_mapping (uuid, account, region, name, configuration, tags)"
                " VALUES (?, ?, ?, ?, ?, ?)",
                (
                    *(id_, call.account, call.region, reference.key.name),
                    *(orjson.dumps(mapping), orjson.dumps(params.get("Tags", {}))),
                ),
            )
            for shard, (sequence_number, done) in positions.items():
                save_position(tx, id_, shard, sequence_number, done=done)
            tx.after_commit(lambda: self.pollers.replace(id_, mapping))

        await self.store.write(write)
        return self._shown(mapping, "Creating")

    @operation("GetEventSourceMapping")
    async def get_event_source_mapping(
        self, call: Call, params: "t.GetEventSourceMappingRequestTypeDef"
    ) -> dict[str, Any]:
        row = self.store.reader.one(
            "SELECT configuration FROM event_source_mapping WHERE uuid = ? AND account = ? AND region = ?",
            (params["UUID"], call.account, call.region),
        )
        return self._shown(_mapping(row))

    @operation("ListEventSourceMappings")
    async def list_event_source_mappings(
        self, call: Call, params: "t.ListEventSourceMappingsRequestTypeDef"
    ) -> dict[str, Any]:
        rows = self.store.reader.all(
            "SELECT configuration FROM event_source_mapping WHERE account = ? AND region = ? ORDER BY uuid",
            (call.account, call.region),
        )
        mappings = [orjson.loads(configuration) for (configuration,) in rows]
        if "EventSourceArn" in params:
            mappings = [found for found in mappings if found["EventSourceArn"] == params["EventSourceArn"]]
        if "FunctionName" in params:
            wanted = parse_reference(call, params["FunctionName"])
            if self.catalog.find(wanted.key) is None:
                raise function_not_found(wanted.arn)
            mappings = [found for found in mappings if found["FunctionArn"] == wanted.arn]
        shown, more = page(mappings, params, lambda mapping: mapping["UUID"], most=100)
        return {"EventSourceMappings": [self._shown(mapping) for mapping in shown], **more}

    @operation("UpdateEventSourceMapping")
    async def update_event_source_mapping(
        self, call: Call, params: "t.UpdateEventSourceMappingRequestTypeDef"
    ) -> dict[str, Any]:
        id_ = params["UUID"]
        function_arn = None
        if "FunctionName" in params:
            reference = parse_reference(call, params["FunctionName"])
            self.catalog.get(reference)
            function_arn = reference.arn

        def write(tx: Transaction) -> tuple[dict[str, Any], str]:
            mapping = _owned(tx, call, id_)
            before = mapping["State"] == "Enabled"
            enabled = params.get("Enabled", before)
            _apply(mapping, params, call.time, enabled=enabled)
            if function_arn is not None:
                mapping["FunctionArn"] = function_arn
            _check(mapping, params, is_queue=_is_queue(mapping["EventSourceArn"]))
            tx.execute(
                "UPDATE event_source_mapping SET configuration = ?, name = ? WHERE uuid = ?",
                (orjson.dumps(mapping), parse_arn(mapping["FunctionArn"]).key.name, id_),
            )
            tx.after_commit(lambda: self.pollers.replace(id_, mapping))
            return mapping, "Updating" if enabled == before else "Enabling" if enabled else "Disabling"

        result = self.pollers.result(id_)
        mapping, state = await self.store.write(write)
        return self._shown(mapping, state, result)

    @operation("DeleteEventSourceMapping")
    async def delete_event_source_mapping(
        self, call: Call, params: "t.DeleteEventSourceMappingRequestTypeDef"
    ) -> dict[str, Any]:
        def write(tx: Transaction) -> dict[str, Any]:
            mapping = _owned(tx, call, params["UUID"])
            tx.execute("DELETE FROM event_source_mapping WHERE uuid = ?", (params["UUID"],))
            tx.after_commit(lambda: self.pollers.replace(params["UUID"], None))
            return mapping

        result = self.pollers.result(params["UUID"])
        return self._shown(await self.store.write(write), "Deleting", result)

    def _shown(self, mapping: Mapping[str, Any], state: str | None = None, result: str | None = None) -> dict[str, Any]:
        """`result` is of the last batch, where the poller that knows it may be gone."""
        shown = {**mapping, "LastProcessingResult": result or self.pollers.result(mapping["UUID"])}
        if state is not None:
            shown["State"] = state
        return shown

    async def _check_queue(self, function: Function, arn: str) -> None:
        _, _, _, region, account, name = arn.split(":")
        await self._check_role(function, "sqs", _QUEUE_ACTIONS, arn, "{action} on SQS")
        url = f"{self.cloud.settings.endpoint_url}/{account}/{name}"
        wanted = {"QueueUrl": url, "AttributeNames": ["VisibilityTimeout"]}
        try:
            session = await self._session(function)
            answer = await self.cloud.call("sqs", "GetQueueAttributes", wanted, as_=session, region=region)
        except AwsError as error:
            raise invalid(
                f"Error occurred while ReceiveMessage. SQS Error Code: {error.code}. SQS Error Message: {error.message}"
            ) from None
        visibility, timeout = int(answer["Attributes"]["VisibilityTimeout"]), function.latest.configuration["Timeout"]
        if visibility < timeout:
            raise invalid(
                f"Queue visibility timeout: {visibility} seconds is less than Function timeout: {timeout} seconds"
            )

    async def _check_stream(self, function: Function, arn: str, position: str) -> dict[str, tuple[str, bool]]:
        """Where to begin: for LATEST behind the last record that is there now."""
        await self._check_role(
            function, "dynamodbstreams", _STREAM_ACTIONS, arn, "GetRecords, GetShardIterator and DescribeStream"
        )
        principal, region = await self._session(function), arn.split(":")[3]

        async def call(api: str, name: str, wanted: dict[str, Any]) -> Any:
            return await self.cloud.call(api, name, wanted, as_=principal, region=region)

        try:
            shards = await describe_shards(call, arn)
        except AwsError as error:
            raise invalid(f"Stream not found: {arn}" if "NotFound" in error.code else error.message) from None
        if position == "TRIM_HORIZON":
            return {}
        return {
            shard["ShardId"]: ("", True)
            if "EndingSequenceNumber" in shard.get("SequenceNumberRange", {})
            else (await _last_sequence_number(call, arn, shard["ShardId"]), False)
            for shard in shards
        }

    async def _session(self, function: Function) -> Any:
        return (await self.roles.session(function.key, function.latest.configuration["Role"])).principal

    async def _check_role(self, function: Function, api: str, actions: tuple[str, ...], arn: str, what: str) -> None:
        """Raises InvalidParameterValueException if the function's role may not read the event source."""
        for action in actions:
            if not await self.roles.allows(function.key, function.latest.configuration["Role"], api, action, arn):
                raise invalid(
                    f"The provided execution role does not have permissions to call {what.format(action=action)}"
                )


async def _last_sequence_number(call: Any, arn: str, shard: str) -> str:
    """Of an open shard; empty if it has no record. The whole shard is read for it: a day's records at most."""
    wanted = {"StreamArn": arn, "ShardId": shard, "ShardIteratorType": "TRIM_HORIZON"}
    iterator = (await call("dynamodbstreams", "GetShardIterator", wanted))["ShardIterator"]
    last = ""
    while iterator is not None:
        answer = await call("dynamodbstreams", "GetRecords", {"ShardIterator": iterator, "Limit": 1000})
        if not answer["Records"]:
            break
        last = answer["Records"][-1]["dynamodb"]["SequenceNumber"]
        iterator = answer.get("NextShardIterator")
    return last


def _is_queue(arn: str) -> bool:
    """Raises for what is neither an SQS queue nor a DynamoDB stream."""
    service = arn.split(":")[2] if arn.count(":") >= 5 else ""
    if service == "sqs":
        return True
    if service == "dynamodb" and "/stream/" in arn:
        return False
    if service in ("kinesis", "kafka", "mq", "rds"):
        raise NotImplementedByCloudlet(f"event sources of the service {service}")
    raise invalid("Unrecognized event source.")


def _apply(mapping: dict[str, Any], params: Mapping[str, Any], now: float, *, enabled: bool) -> None:
    for member in _SETTINGS:
        if member in params:
            mapping[member] = params[member]
    if not mapping.get("FilterCriteria", {}).get("Filters"):
        mapping.pop("FilterCriteria", None)
    mapping["State"] = "Enabled" if enabled else "Disabled"
    mapping["LastModified"] = now


def _check(mapping: Mapping[str, Any], params: Mapping[str, Any], *, is_queue: bool) -> None:
    for member in _UNSUPPORTED:
        if params.get(member):
            raise NotImplementedByCloudlet(f"{member} of event source mappings")
    compile_filters(mapping.get("FilterCriteria"))
    if is_queue:
        _check_queue_settings(mapping, params)
    else:
        _check_stream_settings(mapping, params)


def _check_queue_settings(mapping: Mapping[str, Any], params: Mapping[str, Any]) -> None:
    for member in _STREAM_ONLY:
        if member in params:
            raise invalid(f"{member} is not valid for SQS event sources.")
    if params.get("DestinationConfig", {}).get("OnFailure", {}).get("Destination"):
        raise invalid("DestinationConfig is not valid for SQS event sources.")
    size, window = mapping["BatchSize"], mapping["MaximumBatchingWindowInSeconds"]
    if mapping["EventSourceArn"].endswith(".fifo"):
        if window:
            raise invalid("Batching window is not supported for FIFO queues.")
        if size > 10:
            raise invalid("BatchSize must be at most 10 for FIFO queues.")
    elif size > 10 and not window:
        raise invalid("Maximum batch window in seconds must be greater than 0 if maximum batch size is greater than 10")


def _check_stream_settings(mapping: Mapping[str, Any], params: Mapping[str, Any]) -> None:
    position = mapping.get("StartingPosition")
    if position is None:
        raise AwsError(
            "ValidationException",
            "1 validation error detected: Value null at 'startingPosition' failed to satisfy constraint:"
            " Member must not be null.",
        )
    if position == "AT_TIMESTAMP":
        raise invalid("Unsupported starting position for stream type. Please use LATEST or TRIM_HORIZON.")
    if params.get("TumblingWindowInSeconds"):
        raise NotImplementedByCloudlet("tumbling windows")
    if params.get("ScalingConfig"):
        raise invalid("ScalingConfig is not valid for DynamoDB event sources.")
    if mapping["BatchSize"] > 10_000:
        raise invalid("BatchSize must be at most 10000.")
    if not (mapping["MaximumRecordAgeInSeconds"] == -1 or mapping["MaximumRecordAgeInSeconds"] >= 60):
        raise invalid("MaximumRecordAgeInSeconds must be -1 or at least 60.")
    destinations = mapping["DestinationConfig"]
    if destinations.get("OnSuccess", {}).get("Destination"):
        raise invalid("OnSuccess is not valid for DynamoDB event sources.")
    target = destinations.get("OnFailure", {}).get("Destination")
    if target:
        check_destination(target, mapping["FunctionArn"], ("sqs", "sns", "s3"))


def _check_unique(tx: Transaction, call: Call, mapping: Mapping[str, Any]) -> None:
    key: FunctionKey = parse_arn(mapping["FunctionArn"]).key
    rows = tx.all(
        "SELECT configuration FROM event_source_mapping WHERE account = ? AND region = ? AND name = ?",
        (call.account, call.region, key.name),
    )
    for (configuration,) in rows:
        other = orjson.loads(configuration)
        if (other["EventSourceArn"], other["FunctionArn"]) == (mapping["EventSourceArn"], mapping["FunctionArn"]):
            raise AwsError(
                "ResourceConflictException",
                f'The event source arn (" {mapping["EventSourceArn"]} ") and function (" {key.name} ") provided mapping'
                f" already exists. Please update or delete the existing mapping with UUID {other['UUID']}",
                status=409,
            )


def _owned(tx: Transaction, call: Call, id_: str) -> dict[str, Any]:
    row = tx.one(
        "SELECT configuration FROM event_source_mapping WHERE uuid = ? AND account = ? AND region = ?",
        (id_, call.account, call.region),
    )
    return _mapping(row)


def _mapping(row: tuple[Any, ...] | None) -> dict[str, Any]:
    if row is None:
        raise AwsError(
            "ResourceNotFoundException",
            "The resource you requested does not exist.",
            status=404,
            fields={"Type": "User"},
        )
    return orjson.loads(row[0])
