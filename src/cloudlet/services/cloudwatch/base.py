"""What all CloudWatch operations stand on: the data, what services measured, whom a call is about."""

import asyncio
import logging
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import apsw

from cloudlet.core.context import Call
from cloudlet.core.service import Service
from cloudlet.services.cloudwatch.datapoints import MINUTE, put_datum
from cloudlet.services.cloudwatch.datums import Datum
from cloudlet.services.cloudwatch.metrics import MetricId
from cloudlet.services.cloudwatch.retention import Retention
from cloudlet.store import Store, Transaction

_log = logging.getLogger(__name__)
# What services measure waits so long for more of the same.
_TAKE_AFTER = 5.0
# More data than this in one write is more than a few milliseconds of work.
_MOST_AT_ONCE = 50
# These are about whichever alarms there are.
_OF_ALARMS = frozenset({"DescribeAlarms", "DescribeAlarmHistory", "DescribeAlarmsForMetric"})


class CloudWatchBase(Service):
    apis = ("cloudwatch",)
    store: Store

    async def start(self) -> None:
        self.store = Store(self.cloud.settings.data / "cloudwatch.db", Path(__file__).with_name("schema.sql"))
        self._retention = Retention(self.store, self.cloud.clock)
        self._taking: set[asyncio.Task[None]] = set()
        self._measuring: asyncio.Task[None] | None = None
        self.cloud.metrics.on_first = self._take_soon

    async def recover(self) -> None:
        self._retention.start()
        self._measuring = asyncio.create_task(self._read_gauges(), name="cloudwatch-gauges")

    async def drain(self) -> None:
        await self.take_over()

    async def stop(self) -> None:
        if self._measuring is not None:
            self._measuring.cancel()
            with suppress(asyncio.CancelledError):
                await self._measuring
        for task in self._taking:
            task.cancel()
        await self._retention.stop()
        await self.take_over()
        self.store.close()

    def resource(self, call: Call, params: dict[str, Any]) -> str | None:
        if "ResourceARN" in params:
            return params["ResourceARN"]
        if "DashboardName" in params:
            return f"arn:aws:cloudwatch::{call.account}:dashboard/{params['DashboardName']}"
        if "AlarmName" not in params and call.operation not in _OF_ALARMS:
            return "*"
        return f"arn:aws:cloudwatch:{call.region}:{call.account}:alarm:{params.get('AlarmName', '*')}"

    def condition_keys(self, call: Call, params: dict[str, Any]) -> dict[str, str]:
        return {"cloudwatch:namespace": params["Namespace"]} if "Namespace" in params else {}

    async def put_data(self, datums: Sequence[Datum]) -> None:
        """Returns when they are on disk."""

        def put(tx: Transaction) -> None:
            for datum in datums:
                put_datum(tx, datum)

        await self.store.write(put, long=len(datums) > _MOST_AT_ONCE)
        self.data_arrived(datums)

    def data_arrived(self, datums: Sequence[Datum]) -> None:
        """For whoever watches metrics."""

    async def take_over(self) -> None:
        """Stores what services have measured until now."""
        datums = [
            Datum(MetricId(*key[:5]), key.minute, MINUTE, key.unit, samples)
            for key, samples in self.cloud.metrics.take()
        ]
        if datums:
            await self.put_data(datums)

    def _take_soon(self) -> None:
        task = asyncio.create_task(self._take_later(), name="cloudwatch-take-over")
        self._taking.add(task)
        task.add_done_callback(self._taking.discard)

    async def _take_later(self) -> None:
        await asyncio.sleep(_TAKE_AFTER)
        try:
            await self.take_over()
        except apsw.Error:
            _log.exception("what services measured could not be stored")

    async def _read_gauges(self) -> None:
        """Once a minute, shortly before its end, so that a value is there when the minute is over."""
        while True:
            now = self.cloud.clock.now()
            await asyncio.sleep((MINUTE - 2 - now) % MINUTE or MINUTE)
            try:
                self.cloud.metrics.read_gauges(self.cloud.clock.now())
            except Exception:  # noqa: BLE001 - a boundary: the gauges are the services' own
                _log.exception("the state of services could not be measured")
