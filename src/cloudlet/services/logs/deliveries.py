"""Deliveries: log events on their way to subscribed functions, and measurements on their way to CloudWatch.

What cannot be taken now (throttling, HTTP 5xx) is tried again for a day; what is refused is given up at once.
"""

import asyncio
import gzip
import logging
from base64 import b64encode
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import orjson

from cloudlet.core.arn import Arn
from cloudlet.core.context import Principal
from cloudlet.core.errors import AwsError
from cloudlet.core.service import Cloud
from cloudlet.services.logs.arrivals import Arrival
from cloudlet.services.logs.positions import Position
from cloudlet.store import Delivery, Outbox, Retry, Transaction

if TYPE_CHECKING:
    from types_boto3_logs.type_defs import InputLogEventTypeDef

_log = logging.getLogger(__name__)

_DAY = 86_400.0
_LONGEST_PAUSE = 300.0
_THROTTLED = frozenset({"TooManyRequestsException", "ThrottlingException", "Throttling"})
# Lambda takes events of 1 MB; what cannot be compressed grows by a third on its way into JSON.
_MOST_BYTES = 700_000
_CLOUDWATCH = "cloudwatch"


@dataclass(frozen=True, slots=True)
class Batch:
    """Events of one log stream for the destination of one subscription filter: (timestamp, id, message)."""

    account: str
    region: str
    group: str
    stream: str
    filter: str
    events: list[tuple[int, int, str]]

    @classmethod
    def of(cls, arrival: Arrival, name: str, events: Sequence[tuple[int, "InputLogEventTypeDef"]]) -> "list[Batch]":
        """Events with their ids, in as many batches as it takes to stay below what a function can be given."""
        batches: list[Batch] = []
        left = 0
        for id_, event in events:
            size = len(event["message"].encode("utf-8", "surrogatepass"))
            if not batches or size > left:
                batches.append(cls(arrival.account, arrival.region, arrival.group.name, arrival.stream, name, []))
                left = _MOST_BYTES
            batches[-1].events.append((event["timestamp"], id_, event["message"]))
            left -= size
        return batches

    def message(self) -> bytes:
        """As the destination gets it once it has taken off base64 and gzip."""
        return orjson.dumps(
            {
                "messageType": "DATA_MESSAGE",
                "owner": self.account,
                "logGroup": self.group,
                "logStream": self.stream,
                "subscriptionFilters": [self.filter],
                "logEvents": [
                    {"id": str(Position(timestamp, id_)), "timestamp": timestamp, "message": message}
                    for timestamp, id_, message in self.events
                ],
            }
        )


def put_batch(outbox: Outbox, tx: Transaction, destination: str, batch: Batch) -> None:
    outbox.put(tx, destination, asdict(batch))


def put_metric_data(
    outbox: Outbox, tx: Transaction, account: str, region: str, namespace: str, data: Sequence[Mapping[str, Any]]
) -> None:
    """`data` as PutMetricData takes it, times in epoch seconds."""
    outbox.put(tx, _CLOUDWATCH, {"account": account, "region": region, "namespace": namespace, "data": data})


class Deliverer:
    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud

    async def deliver(self, delivery: Delivery) -> None:
        """One attempt at an outbox row."""
        if delivery.target == _CLOUDWATCH:
            await self._measure(delivery)
        else:
            await self._send(delivery, Batch(**delivery.payload))

    async def _measure(self, delivery: Delivery) -> None:
        payload = delivery.payload
        data = [{**datum, "Timestamp": datetime.fromtimestamp(datum["Timestamp"], UTC)} for datum in payload["data"]]
        try:
            await self._cloud.call(
                "cloudwatch",
                "PutMetricData",
                {"Namespace": payload["namespace"], "MetricData": data},
                as_=Principal.root(payload["account"]),
                region=payload["region"],
            )
        except AwsError as error:
            self._again_later(delivery, error)
            _log.warning(
                "metrics of log events given up", extra={"namespace": payload["namespace"], "reason": str(error)}
            )

    async def _send(self, delivery: Delivery, batch: Batch) -> None:
        compressed = await asyncio.to_thread(gzip.compress, batch.message())
        event = orjson.dumps({"awslogs": {"data": b64encode(compressed).decode()}})
        source = f"arn:aws:logs:{batch.region}:{batch.account}:log-group:{batch.group}:*"
        try:
            await invoke(self._cloud, delivery.target, source, batch.account, kind="Event", payload=event)
        except AwsError as error:
            self._record(batch, "DeliveryThrottling" if error.code in _THROTTLED else "DeliveryErrors", 1, "None")
            self._again_later(delivery, error)
            _log.warning(
                "log events given up",
                extra={"destination": delivery.target, "filter": batch.filter, "reason": str(error)},
            )
        else:
            self._record(batch, "ForwardedLogEvents", len(batch.events), "None")
            self._record(batch, "ForwardedBytes", len(compressed), "Bytes")

    def _again_later(self, delivery: Delivery, error: AwsError) -> None:
        """Raises Retry unless the error is final, or a day is over."""
        passing = error.code in _THROTTLED or (error.status >= 500 and error.status != 501)
        if passing and self._cloud.clock.now() - delivery.created < _DAY:
            raise Retry(min(2.0 ** min(delivery.attempts, 10), _LONGEST_PAUSE))

    def _record(self, batch: Batch, name: str, value: float, unit: str) -> None:
        dimensions = (
            ("DestinationType", "Lambda"),
            ("FilterName", batch.filter),
            ("LogGroupName", batch.group),
        )
        place = (batch.account, batch.region)
        self._cloud.metrics.record(place, "AWS/Logs", name, (dimensions,), value, unit, self._cloud.clock.now())


async def invoke(cloud: Cloud, function: str, source: str, account: str, *, kind: str, payload: bytes = b"") -> None:
    """Invokes a function as CloudWatch Logs. Raises AwsError.

    Its policy may name the service with or without the region; both are in use.
    """
    region = Arn.parse(function).region
    params = {"FunctionName": function, "InvocationType": kind, "Payload": payload}

    async def attempt(name: str) -> None:
        principal = Principal.service(name, account)
        await cloud.call("lambda", "Invoke", params, as_=principal, region=region, source_arn=source)

    try:
        await attempt("logs.amazonaws.com")
    except AwsError as error:
        if error.status != 403:
            raise
        await attempt(f"logs.{region}.amazonaws.com")
