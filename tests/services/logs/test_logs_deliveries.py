"""Which deliveries are tried again, and for how long."""

from types import SimpleNamespace
from typing import Any, cast

import pytest

from cloudlet.core.errors import AwsError
from cloudlet.core.metrics import Metrics
from cloudlet.core.service import Cloud
from cloudlet.services.logs.deliveries import Batch, Deliverer
from cloudlet.store import Delivery, Retry

NOW = 1_000_000.0
FUNCTION = "arn:aws:lambda:us-east-1:000000000000:function:f"


class Refusing:
    """A cloud whose every operation fails alike."""

    def __init__(self, error: AwsError) -> None:
        self.clock = SimpleNamespace(now=lambda: NOW)
        self.metrics = Metrics()
        self.asked: list[tuple[str, str, str]] = []
        self._error = error

    async def call(self, api: str, operation: str, params: Any, **where: Any) -> None:
        self.asked.append((api, operation, where["as_"].arn))
        raise self._error


def events(created: float, attempts: int = 0) -> Delivery:
    batch = Batch("000000000000", "us-east-1", "/g", "s", "f", [(1, 1, "m")])
    payload = {name: getattr(batch, name) for name in ("account", "region", "group", "stream", "filter", "events")}
    return Delivery(1, FUNCTION, payload, None, attempts, created)


def measurement(created: float) -> Delivery:
    datum = {"MetricName": "m", "Timestamp": 60, "Values": [1.0], "Counts": [1]}
    payload = {"account": "000000000000", "region": "us-east-1", "namespace": "N", "data": [datum]}
    return Delivery(1, "cloudwatch", payload, None, 0, created)


THROTTLED = AwsError("TooManyRequestsException", "Rate Exceeded.", status=429)
BROKEN = AwsError("ServiceException", "oops", status=500)
FORBIDDEN = AwsError("AccessDenied", "no", status=403)
ABSENT = AwsError("ResourceNotFoundException", "gone", status=404)


@pytest.mark.parametrize("error", [THROTTLED, BROKEN])
@pytest.mark.parametrize("make", [events, measurement])
async def test_what_passes_is_waited_for_a_day(error: AwsError, make: Any) -> None:
    deliverer = Deliverer(cast("Cloud", Refusing(error)))
    with pytest.raises(Retry):
        await deliverer.deliver(make(NOW - 86_399))
    await deliverer.deliver(make(NOW - 86_401))


@pytest.mark.parametrize("error", [FORBIDDEN, ABSENT])
@pytest.mark.parametrize("make", [events, measurement])
async def test_what_is_refused_is_given_up(error: AwsError, make: Any) -> None:
    await Deliverer(cast("Cloud", Refusing(error))).deliver(make(NOW))


async def test_pauses_grow_up_to_five_minutes() -> None:
    pauses: list[float] = []
    for attempts in (0, 1, 5, 50):
        with pytest.raises(Retry) as caught:
            await Deliverer(cast("Cloud", Refusing(BROKEN))).deliver(events(NOW, attempts))
        pauses.append(caught.value.after)
    assert pauses == [1, 2, 32, 300]


async def test_the_service_has_two_names() -> None:
    cloud = Refusing(FORBIDDEN)
    await Deliverer(cast("Cloud", cloud)).deliver(events(NOW))
    assert [name for _, _, name in cloud.asked] == ["logs.amazonaws.com", "logs.us-east-1.amazonaws.com"]


@pytest.mark.parametrize(("error", "name"), [(THROTTLED, "DeliveryThrottling"), (ABSENT, "DeliveryErrors")])
async def test_failures_are_measured(error: AwsError, name: str) -> None:
    cloud = Refusing(error)
    try:
        await Deliverer(cast("Cloud", cloud)).deliver(events(NOW))
    except Retry:
        assert name == "DeliveryThrottling"
    ((key, samples),) = cloud.metrics.take()
    assert (key.namespace, key.name, samples.sum) == ("AWS/Logs", name, 1)
    assert key.dimensions == (("DestinationType", "Lambda"), ("FilterName", "f"), ("LogGroupName", "/g"))
