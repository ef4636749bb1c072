"""When failed deliveries are tried again."""

import json

import pytest

from cloudlet.core.errors import AwsError
from cloudlet.services.sns.delivery_policy import (
    BY_MAIL,
    WITHIN_AWS,
    RetryPolicy,
    check_subscription_policy,
    effective_subscription_policy,
    retry_policy,
)


def pauses(policy: RetryPolicy, most: int = 1000) -> list[float]:
    found: list[float] = []
    for attempts in range(1, most):
        pause = policy.pause(attempts)
        if pause is None:
            break
        found.append(pause)
    return found


def test_http_is_retried_three_times_after_twenty_seconds() -> None:
    effective = effective_subscription_policy(None, None)
    assert pauses(retry_policy(effective["healthyRetryPolicy"])) == [20.0, 20.0, 20.0]


def test_a_subscription_overrides_its_topic_unless_forbidden() -> None:
    topic = json.dumps({"http": {"defaultHealthyRetryPolicy": {"numRetries": 5}}})
    own = json.dumps({"healthyRetryPolicy": {"numRetries": 1}, "requestPolicy": {"headerContentType": "text/xml"}})
    assert effective_subscription_policy(topic, None)["healthyRetryPolicy"]["numRetries"] == 5
    effective = effective_subscription_policy(topic, own)
    assert effective["healthyRetryPolicy"]["numRetries"] == 1
    assert effective["requestPolicy"] == {"headerContentType": "text/xml"}
    stern = json.dumps({"http": {"disableSubscriptionOverrides": True}})
    assert effective_subscription_policy(stern, own)["healthyRetryPolicy"]["numRetries"] == 3


def test_the_phases_follow_each_other() -> None:
    policy = RetryPolicy(2, 2, 3, 1, 1.0, 9.0, "linear")
    assert pauses(policy) == [0.0, 0.0, 1.0, 1.0, 1.0, 5.0, 9.0, 9.0]


@pytest.mark.parametrize("function", ["linear", "arithmetic", "geometric", "exponential"])
def test_backing_off_rises_from_the_shortest_to_the_longest_pause(function: str) -> None:
    found = pauses(RetryPolicy(0, 0, 10, 0, 1.0, 20.0, function))
    assert found == sorted(found)
    assert (found[0], round(found[-1], 6)) == (1.0, 20.0)


def test_attempts_within_aws_and_by_mail_are_those_of_aws() -> None:
    assert len(pauses(BY_MAIL)) + 1 == 50
    assert pauses(WITHIN_AWS, 16)[:5] == [0.0, 0.0, 0.0, 1.0, 1.0]
    assert WITHIN_AWS.pause(100_014) == 20.0
    assert WITHIN_AWS.pause(100_015) is None


@pytest.mark.parametrize(
    "healthy",
    [
        {"numRetries": 101},
        {"numRetries": "3"},
        {"minDelayTarget": 0},
        {"minDelayTarget": 30, "maxDelayTarget": 20},
        {"numRetries": 1, "numNoDelayRetries": 2},
        {"backoffFunction": "cubic"},
        {"unknown": 1},
    ],
)
def test_bad_policies_are_refused(healthy: dict[str, object]) -> None:
    with pytest.raises(AwsError, match="DeliveryPolicy"):
        check_subscription_policy(json.dumps({"healthyRetryPolicy": healthy}))


def test_a_subscription_may_be_throttled_by_itself_or_by_its_topic() -> None:
    topic = json.dumps({"http": {"defaultThrottlePolicy": {"maxReceivesPerSecond": 5}}})
    own = json.dumps({"throttlePolicy": {"maxReceivesPerSecond": 10}})
    assert effective_subscription_policy(None, None)["throttlePolicy"] is None
    assert effective_subscription_policy(topic, None)["throttlePolicy"] == {"maxReceivesPerSecond": 5}
    assert effective_subscription_policy(topic, own)["throttlePolicy"] == {"maxReceivesPerSecond": 10}
    with pytest.raises(AwsError, match="maxReceivesPerSecond"):
        check_subscription_policy('{"throttlePolicy": {"maxReceivesPerSecond": 0}}')
