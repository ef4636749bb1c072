"""How often and when a failed delivery is tried again. Pure: a policy in, the pause before the next attempt out."""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from cloudlet.services.sns.errors import invalid_parameter

_FUNCTIONS = ("arithmetic", "exponential", "geometric", "linear")
_CONTENT_TYPES = (
    "text/plain",
    "application/json",
    "application/xml",
    "application/atom+xml",
    "application/x-www-form-urlencoded",
    "application/octet-stream",
    "application/soap+xml",
    "text/css",
    "text/html",
    "text/xml",
)
DEFAULT_CONTENT_TYPE = "text/plain; charset=UTF-8"
_DEFAULT_HEALTHY = {
    "minDelayTarget": 20,
    "maxDelayTarget": 20,
    "numRetries": 3,
    "numMaxDelayRetries": 0,
    "numNoDelayRetries": 0,
    "numMinDelayRetries": 0,
    "backoffFunction": "linear",
}
_LIMITS = {
    "minDelayTarget": (1, 3600),
    "maxDelayTarget": (1, 3600),
    "numRetries": (0, 100),
    "numMaxDelayRetries": (0, 100),
    "numNoDelayRetries": (0, 100),
    "numMinDelayRetries": (0, 100),
}


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """Phases of retries, in this order: at once, after `shortest` seconds, backing off, after `longest` seconds."""

    immediate: int
    shortest_count: int
    backoff_count: int
    longest_count: int
    shortest: float
    longest: float
    function: str = "exponential"

    def pause(self, attempts: int) -> float | None:
        """Seconds to wait once `attempts` have failed (one or more); None when it was the last."""
        retry = attempts - 1
        if retry < self.immediate:
            return 0.0
        retry -= self.immediate
        if retry < self.shortest_count:
            return self.shortest
        retry -= self.shortest_count
        if retry < self.backoff_count:
            return self._backoff(retry)
        return self.longest if retry - self.backoff_count < self.longest_count else None

    def _backoff(self, step: int) -> float:
        """From the shortest to the longest pause; the functions differ in how soon they grow."""
        share = step / (self.backoff_count - 1) if self.backoff_count > 1 else 0.0
        if self.function == "arithmetic":
            share = share * (share + 1) / 2
        elif self.function == "geometric":
            share = share**2
        elif self.function == "exponential":
            return self.shortest * math.pow(self.longest / self.shortest, share)
        return self.shortest + (self.longest - self.shortest) * share


# AWS's fixed policies for what is delivered within AWS, and by mail: 100,015 attempts in 23 days, 50 in 6 hours.
WITHIN_AWS = RetryPolicy(3, 2, 10, 100_000 - 1, 1.0, 20.0)
BY_MAIL = RetryPolicy(0, 2, 10, 38 - 1, 10.0, 600.0)


def check_topic_policy(text: str) -> None:
    policy = _object(text)
    http = policy.get("http", {})
    if set(policy) - {"http"} or not isinstance(http, dict):
        raise _invalid("Unexpected JSON member")
    known = {
        "defaultHealthyRetryPolicy",
        "disableSubscriptionOverrides",
        "defaultThrottlePolicy",
        "defaultRequestPolicy",
    }
    if set(http) - known:
        raise _invalid("Unexpected JSON member")
    _check_parts(
        http.get("defaultHealthyRetryPolicy"), http.get("defaultThrottlePolicy"), http.get("defaultRequestPolicy")
    )


def check_subscription_policy(text: str) -> None:
    policy = _object(text)
    if set(policy) - {"healthyRetryPolicy", "sicklyRetryPolicy", "throttlePolicy", "requestPolicy", "guaranteed"}:
        raise _invalid("Unexpected JSON member")
    _check_parts(policy.get("healthyRetryPolicy"), policy.get("throttlePolicy"), policy.get("requestPolicy"))


def effective_topic_policy(topic: str | None) -> dict[str, Any]:
    http = json.loads(topic).get("http", {}) if topic else {}
    effective = {
        "defaultHealthyRetryPolicy": _DEFAULT_HEALTHY | (http.get("defaultHealthyRetryPolicy") or {}),
        "disableSubscriptionOverrides": http.get("disableSubscriptionOverrides", False),
        "defaultRequestPolicy": {"headerContentType": DEFAULT_CONTENT_TYPE} | (http.get("defaultRequestPolicy") or {}),
    }
    if http.get("defaultThrottlePolicy"):
        effective["defaultThrottlePolicy"] = http["defaultThrottlePolicy"]
    return {"http": effective}


def effective_subscription_policy(topic: str | None, subscription: str | None) -> dict[str, Any]:
    """The topic's policy, overridden by the subscription's unless the topic forbids that."""
    http = effective_topic_policy(topic)["http"]
    own = json.loads(subscription) if subscription and not http["disableSubscriptionOverrides"] else {}
    return {
        "healthyRetryPolicy": http["defaultHealthyRetryPolicy"] | (own.get("healthyRetryPolicy") or {}),
        "sicklyRetryPolicy": None,
        "throttlePolicy": own.get("throttlePolicy") or http.get("defaultThrottlePolicy"),
        "requestPolicy": http["defaultRequestPolicy"] | (own.get("requestPolicy") or {}),
        "guaranteed": False,
    }


def retry_policy(healthy: Mapping[str, Any]) -> RetryPolicy:
    """Of an effective `healthyRetryPolicy`."""
    immediate, shortest = healthy["numNoDelayRetries"], healthy["numMinDelayRetries"]
    longest = healthy["numMaxDelayRetries"]
    return RetryPolicy(
        immediate,
        shortest,
        healthy["numRetries"] - immediate - shortest - longest,
        longest,
        float(healthy["minDelayTarget"]),
        float(healthy["maxDelayTarget"]),
        healthy["backoffFunction"],
    )


def _check_parts(healthy: Any, throttle: Any, request: Any) -> None:
    if healthy is not None:
        _check_healthy(healthy)
    if throttle is not None:
        _check_throttle(throttle)
    if request is not None:
        content_type = request.get("headerContentType", "text/plain").partition(";")[0].strip()
        if content_type not in _CONTENT_TYPES:
            raise _invalid("headerContentType is not supported")


def _check_throttle(throttle: Any) -> None:
    if not isinstance(throttle, dict) or set(throttle) - {"maxReceivesPerSecond"}:
        raise _invalid("Unexpected JSON member: throttlePolicy")
    most = throttle.get("maxReceivesPerSecond")
    if most is not None and (not isinstance(most, int) or isinstance(most, bool) or most < 1):
        raise _invalid("maxReceivesPerSecond must be an integer of at least 1")


def _check_healthy(healthy: Any) -> None:
    if not isinstance(healthy, dict) or set(healthy) - set(_DEFAULT_HEALTHY):
        raise _invalid("Unexpected JSON member: healthyRetryPolicy")
    policy = _DEFAULT_HEALTHY | healthy
    for name, (low, high) in _LIMITS.items():
        value = policy[name]
        if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
            raise _invalid(f"{name} must be an integer between {low} and {high}")
    if policy["maxDelayTarget"] < policy["minDelayTarget"]:
        raise _invalid("maxDelayTarget must be greater than or equal to minDelayTarget")
    if policy["backoffFunction"] not in _FUNCTIONS:
        raise _invalid(f"backoffFunction must be one of {', '.join(_FUNCTIONS)}")
    phases = ("numNoDelayRetries", "numMinDelayRetries", "numMaxDelayRetries")
    if sum(policy[name] for name in phases) > policy["numRetries"]:
        raise _invalid("numRetries must be greater than or equal to the sum of the retries of all phases")


def _object(text: str) -> dict[str, Any]:
    try:
        policy = orjson.loads(text)
    except ValueError:
        raise _invalid("failed to parse JSON.") from None
    if not isinstance(policy, dict):
        raise _invalid("must be a JSON object")
    return policy


def _invalid(reason: str) -> Exception:
    return invalid_parameter(f"DeliveryPolicy: {reason}")
