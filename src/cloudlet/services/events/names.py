"""ARNs of event buses and rules."""

from cloudlet.core.arn import Arn
from cloudlet.core.context import Call

DEFAULT = "default"


def bus_arn(account: str, region: str, name: str | None) -> str:
    """Of a bus by its name or ARN; of the default bus for None."""
    name = name or DEFAULT
    return name if name.startswith("arn:") else str(Arn("events", region, account, f"event-bus/{name}"))


def bus_of(call: Call, name: str | None) -> str:
    return bus_arn(call.account, call.region, name)


def bus_name(arn: str) -> str:
    return arn.split(":", 5)[-1].removeprefix("event-bus/")


def rule_arn(bus: str, name: str) -> str:
    """The name of a bus that is not the default one stands before that of the rule."""
    arn = Arn.parse(bus)
    holder = bus_name(bus)
    return str(Arn("events", arn.region, arn.account, f"rule/{name}" if holder == DEFAULT else f"rule/{holder}/{name}"))


def rule_name(arn: str) -> str:
    return arn.rpartition("/")[2]
