"""Lambda execution environments: the Runtime API, the sandbox and the pools. Knows nothing of services."""

from cloudlet.runtime.function import Credentials, FunctionVersion, Invocation, LogEvent, Outcome
from cloudlet.runtime.languages import RuntimeMissing
from cloudlet.runtime.pool import RuntimeStopped, TooManyEnvironments
from cloudlet.runtime.pools import Host, Provisioned, Runtime

__all__ = [
    "Credentials",
    "FunctionVersion",
    "Host",
    "Invocation",
    "LogEvent",
    "Outcome",
    "Provisioned",
    "Runtime",
    "RuntimeMissing",
    "RuntimeStopped",
    "TooManyEnvironments",
]
