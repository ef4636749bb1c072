"""Deliveries: to queues, web servers, mailboxes; retries, dead letters, signatures, restarts."""

import base64
import json
import re
import time
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from cloudlet.core.context import Principal
from cloudlet.core.errors import AwsError
from cloudlet.core.http import Body, HttpRequest
from cloudlet.services.sns.envelopes import text_to_sign


def get(url: str) -> HttpRequest:
    path, _, query = url.removeprefix("http://127.0.0.1:4566").partition("?")
    return HttpRequest("GET", path, query, {"host": "127.0.0.1:4566"}, Body.of(b""))


async def visit(sns: Any, url: str) -> tuple[int, bytes]:
    """What a browser gets that follows a link."""
    request = get(url)
    assert sns.service.serves_http(request)
    response = await sns.service.handle_http(request, "id")
    return response.status, response.body


async def test_a_queue_gets_the_message_in_an_envelope(sns: Any) -> None:
    topic = await sns.topic()
    queue = await sns.queue("orders", topic)
    subscription = await sns.subscribe(topic, "sqs", sns.arn(queue))
    attributes = {"n": {"DataType": "Number", "StringValue": "1"}, "b": {"DataType": "Binary", "BinaryValue": b"\x00"}}
    sent = await sns("Publish", TopicArn=topic, Message="hällo", Subject="Hi", MessageAttributes=attributes)
    message = await sns.received(queue)
    envelope = json.loads(message["Body"])
    assert list(envelope) == [
        "Type", "MessageId", "TopicArn", "Subject", "Message", "Timestamp", "SignatureVersion", "Signature",
        "SigningCertURL", "UnsubscribeURL", "MessageAttributes",
    ]  # fmt: skip
    assert (envelope["Type"], envelope["Message"], envelope["Subject"]) == ("Notification", "hällo", "Hi")
    assert (envelope["MessageId"], envelope["TopicArn"]) == (sent["MessageId"], topic)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", envelope["Timestamp"])
    assert envelope["MessageAttributes"] == {
        "n": {"Type": "Number", "Value": "1"},
        "b": {"Type": "Binary", "Value": "AA=="},
    }
    assert "MessageAttributes" not in message
    assert (await visit(sns, envelope["UnsubscribeURL"]))[0] == 200
    with pytest.raises(AwsError, match="does not exist"):
        await sns("GetSubscriptionAttributes", SubscriptionArn=subscription)


async def test_raw_delivery_passes_body_and_attributes_on(sns: Any) -> None:
    topic = await sns.topic()
    queue = await sns.queue("orders", topic)
    await sns.subscribe(topic, "sqs", sns.arn(queue), RawMessageDelivery="true")
    attributes = {"kind": {"DataType": "String", "StringValue": "alert"}}
    await sns("Publish", TopicArn=topic, Message="as it is", MessageAttributes=attributes)
    message = await sns.received(queue)
    assert (message["Body"], message["MessageAttributes"]) == ("as it is", attributes)


@pytest.mark.parametrize(("version", "digest"), [("1", hashes.SHA1()), ("2", hashes.SHA256())])
async def test_the_signature_is_proved_by_the_certificate(sns: Any, version: str, digest: Any) -> None:
    topic = await sns.topic(SignatureVersion=version)
    queue = await sns.queue("orders", topic)
    await sns.subscribe(topic, "sqs", sns.arn(queue))
    await sns("Publish", TopicArn=topic, Message="signed", Subject="Hi")
    envelope = json.loads((await sns.received(queue))["Body"])
    status, certificate = await visit(sns, envelope["SigningCertURL"])
    assert status == 200
    key = x509.load_pem_x509_certificate(certificate).public_key()
    assert isinstance(key, rsa.RSAPublicKey)
    signature = base64.b64decode(envelope["Signature"])
    key.verify(signature, text_to_sign(envelope).encode(), padding.PKCS1v15(), digest)
    assert text_to_sign(envelope).startswith("Message\nsigned\nMessageId\n")


async def test_each_protocol_gets_its_own_body(sns: Any) -> None:
    topic = await sns.topic()
    queue = await sns.queue("orders", topic)
    await sns.subscribe(topic, "sqs", sns.arn(queue), RawMessageDelivery="true")
    bodies = json.dumps({"default": "for all", "sqs": "for queues"})
    await sns("Publish", TopicArn=topic, Message=bodies, MessageStructure="json")
    assert (await sns.received(queue))["Body"] == "for queues"


async def test_filter_policies_decide_who_gets_what(sns: Any) -> None:
    topic = await sns.topic()
    by_attribute, by_body = await sns.queue("attribute", topic), await sns.queue("body", topic)
    raw = {"RawMessageDelivery": "true"}
    await sns.subscribe(topic, "sqs", sns.arn(by_attribute), FilterPolicy='{"store": ["berlin"]}', **raw)
    scope = {"FilterPolicyScope": "MessageBody"}
    await sns.subscribe(topic, "sqs", sns.arn(by_body), FilterPolicy='{"count": [0]}', **scope, **raw)
    berlin = {"store": {"DataType": "String", "StringValue": "berlin"}}
    await sns("Publish", TopicArn=topic, Message="for the first", MessageAttributes=berlin)
    await sns("Publish", TopicArn=topic, Message='{"count": 0}')
    await sns("Publish", TopicArn=topic, Message='{"count": 1}')
    await sns.settled()
    assert (await sns.received(by_attribute))["Body"] == "for the first"
    assert (await sns.received(by_body))["Body"] == '{"count": 0}'
    for queue in (by_attribute, by_body):
        assert await sns.sqs("ReceiveMessage", QueueUrl=queue) == {}


async def test_a_queue_that_does_not_allow_the_topic_gets_nothing_but_the_dead_letter_queue_does(sns: Any) -> None:
    topic = await sns.topic()
    closed, dead = await sns.queue("closed"), await sns.queue("dead", topic)
    redrive = json.dumps({"deadLetterTargetArn": sns.arn(dead)})
    await sns.subscribe(topic, "sqs", sns.arn(closed), RedrivePolicy=redrive)
    await sns("Publish", TopicArn=topic, Message="undeliverable")
    assert json.loads((await sns.received(dead))["Body"])["Message"] == "undeliverable"
    await sns.settled()
    assert await sns.sqs("ReceiveMessage", QueueUrl=closed) == {}
    assert sns.service.store.reader.one("SELECT count(*) FROM message") == (0,)


async def test_a_batch_is_published_entry_by_entry(sns: Any) -> None:
    topic = await sns.topic()
    queue = await sns.queue("orders", topic)
    await sns.subscribe(topic, "sqs", sns.arn(queue), RawMessageDelivery="true")
    entries = [{"Id": "good", "Message": "one"}, {"Id": "bad", "Message": ""}]
    answer = await sns("PublishBatch", TopicArn=topic, PublishBatchRequestEntries=entries)
    assert [entry["Id"] for entry in answer["Successful"]] == ["good"]
    assert [(entry["Id"], entry["Code"]) for entry in answer["Failed"]] == [("bad", "InvalidParameter")]
    assert (await sns.received(queue))["Body"] == "one"


async def test_a_web_server_confirms_and_is_notified(sns: Any, subscriber: Any) -> None:
    topic = await sns.topic()
    subscription = await sns.subscribe(topic, "http", subscriber.url)
    headers, body = await subscriber.next()
    asked = json.loads(body)
    assert headers["x-amz-sns-message-type"] == asked["Type"] == "SubscriptionConfirmation"
    assert (asked["TopicArn"], headers["x-amz-sns-topic-arn"]) == (topic, topic)
    await sns("Publish", TopicArn=topic, Message="too early")
    status, answer = await visit(sns, asked["SubscribeURL"])
    assert status == 200
    assert subscription.encode() in answer
    found = (await sns("GetSubscriptionAttributes", SubscriptionArn=subscription))["Attributes"]
    assert (found["PendingConfirmation"], found["ConfirmationWasAuthenticated"]) == ("false", "false")
    await sns("Publish", TopicArn=topic, Message="hello", Subject="Hi")
    headers, body = await subscriber.next()
    assert json.loads(body)["Message"] == "hello"
    assert headers["x-amz-sns-subscription-arn"] == subscription
    assert headers["content-type"] == "text/plain; charset=UTF-8"
    assert headers["user-agent"] == "Amazon Simple Notification Service Agent"


async def confirmed(sns: Any, subscriber: Any, topic: str, **attributes: str) -> str:
    subscription = await sns.subscribe(topic, "http", subscriber.url, **attributes)
    token = json.loads((await subscriber.next())[1])["Token"]
    await sns("ConfirmSubscription", TopicArn=topic, Token=token)
    return subscription


AT_ONCE = json.dumps({"healthyRetryPolicy": {"numRetries": 3, "numNoDelayRetries": 3}})


async def test_a_failing_web_server_is_tried_again(sns: Any, subscriber: Any) -> None:
    topic = await sns.topic()
    await confirmed(sns, subscriber, topic, DeliveryPolicy=AT_ONCE, RawMessageDelivery="true")
    subscriber.statuses = [500, 429]
    await sns("Publish", TopicArn=topic, Message="hello")
    for _ in range(3):
        headers, body = await subscriber.next()
        assert (body, headers["x-amz-sns-rawdelivery"]) == ("hello", "true")
    await sns.settled()
    assert subscriber.requests.empty()


@pytest.mark.parametrize(("statuses", "attempts"), [([404], 1), ([500] * 4, 4)])
async def test_what_a_web_server_does_not_take_becomes_a_dead_letter(
    sns: Any, subscriber: Any, statuses: list[int], attempts: int
) -> None:
    topic = await sns.topic()
    dead = await sns.queue("dead", topic)
    redrive = json.dumps({"deadLetterTargetArn": sns.arn(dead)})
    await confirmed(sns, subscriber, topic, DeliveryPolicy=AT_ONCE, RedrivePolicy=redrive)
    subscriber.statuses = statuses
    await sns("Publish", TopicArn=topic, Message="hello")
    assert json.loads((await sns.received(dead))["Body"])["Message"] == "hello"
    assert subscriber.requests.qsize() == attempts


async def test_mails_go_into_the_local_mailbox(sns: Any) -> None:
    topic = await sns.topic(DisplayName="The shop")
    await sns.subscribe(topic, "email", "boss@example.com")
    (asked,) = await sns.mails()
    assert asked["to"] == "boss@example.com"
    (link,) = re.findall(r"http\S+ConfirmSubscription\S+", asked["body"])
    assert (await visit(sns, link))[0] == 200
    await sns("Publish", TopicArn=topic, Message="Echo Plus is out of stock", Subject="Inventory")
    mail = (await sns.mails())[0]
    assert (mail["from"], mail["subject"]) == ("The shop", "Inventory")
    assert mail["body"].startswith("Echo Plus is out of stock\n")
    assert "Action=Unsubscribe" in mail["body"]


async def test_short_messages_go_into_the_local_mailbox(sns: Any) -> None:
    topic = await sns.topic(DisplayName="Shop")
    await sns.subscribe(topic, "sms", "+49301234567")
    await sns("Publish", TopicArn=topic, Message="hello")
    await sns.settled()
    await sns("Publish", PhoneNumber="+49307654321", Message="to one phone")
    assert [(mail["to"], mail["body"]) for mail in await sns.mails()] == [
        ("+49307654321", "to one phone"),
        ("+49301234567", "Shop> hello"),
    ]


async def test_a_throttled_web_server_gets_so_many_a_second(sns: Any, subscriber: Any) -> None:
    topic = await sns.topic()
    policy = json.dumps({"throttlePolicy": {"maxReceivesPerSecond": 20}})
    await confirmed(sns, subscriber, topic, DeliveryPolicy=policy, RawMessageDelivery="true")
    begin = time.monotonic()
    for number in range(5):
        await sns("Publish", TopicArn=topic, Message=str(number))
    assert sorted([(await subscriber.next())[1] for _ in range(5)]) == ["0", "1", "2", "3", "4"]
    assert time.monotonic() - begin >= 4 / 20


async def test_a_web_server_is_told_of_the_end_and_may_undo_it(sns: Any, subscriber: Any) -> None:
    topic = await sns.topic()
    subscription = await confirmed(sns, subscriber, topic, RawMessageDelivery="true")
    await sns("Unsubscribe", SubscriptionArn=subscription)
    headers, body = await subscriber.next()
    told = json.loads(body)
    assert (headers["x-amz-sns-message-type"], told["Type"]) == ("UnsubscribeConfirmation", "UnsubscribeConfirmation")
    assert headers["x-amz-sns-subscription-arn"] == subscription
    assert told["Message"].startswith(f"You have chosen to deactivate subscription {subscription}.\n")
    assert text_to_sign(told).startswith("Message\n")
    assert (await sns("ListSubscriptionsByTopic", TopicArn=topic))["Subscriptions"] == []
    assert (await visit(sns, told["SubscribeURL"]))[0] == 200
    found = (await sns("GetSubscriptionAttributes", SubscriptionArn=subscription))["Attributes"]
    assert (found["PendingConfirmation"], found["RawMessageDelivery"]) == ("false", "true")
    assert (await visit(sns, told["SubscribeURL"]))[0] == 400


async def test_the_certificate_may_have_another_address(sns: Any) -> None:
    sns.cloud.settings.sns_certificate_url = "https://sns.us-east-1.amazonaws.com"
    topic = await sns.topic()
    queue = await sns.queue("orders", topic)
    await sns.subscribe(topic, "sqs", sns.arn(queue))
    await sns("Publish", TopicArn=topic, Message="signed")
    address = json.loads((await sns.received(queue))["Body"])["SigningCertURL"]
    assert re.fullmatch(r"https://sns\.us-east-1\.amazonaws\.com/SimpleNotificationService-\w+\.pem", address)


async def test_a_link_with_a_wrong_token_is_refused(sns: Any) -> None:
    topic = await sns.topic()
    link = f"http://127.0.0.1:4566/?Action=ConfirmSubscription&TopicArn={topic}&Token=guess"
    status, answer = await visit(sns, link)
    assert status == 400
    assert b"<Code>InvalidParameter</Code>" in answer


async def test_signed_calls_are_not_taken_for_links(sns: Any) -> None:
    request = get("http://127.0.0.1:4566/?Action=Unsubscribe&SubscriptionArn=x")
    request.headers = {"authorization": "AWS4-HMAC-SHA256 …"}
    assert not sns.service.serves_http(request)
    assert not sns.service.serves_http(get("http://127.0.0.1:4566/?Action=DeleteTopic&TopicArn=x"))
    assert not sns.service.serves_http(get("http://127.0.0.1:4566/?list-type=2"))


async def test_what_was_not_delivered_before_a_stop_is_delivered_after_it(sns: Any) -> None:
    topic = await sns.topic()
    queue = await sns.queue("orders", topic)
    await sns.subscribe(topic, "sqs", sns.arn(queue), RawMessageDelivery="true")
    await sns.service.outbox.stop()
    await sns("Publish", TopicArn=topic, Message="survives")
    await sns.service.stop()
    assert await sns.sqs("ReceiveMessage", QueueUrl=queue) == {}
    await sns.service.start()
    await sns.service.recover()
    assert (await sns.received(queue))["Body"] == "survives"


async def test_a_fifo_topic_keeps_order_and_drops_duplicates(sns: Any) -> None:
    topic = await sns.topic("orders.fifo", FifoTopic="true", ContentBasedDeduplication="true")
    queue = await sns.queue("orders.fifo", topic, FifoQueue="true")
    await sns.subscribe(topic, "sqs", sns.arn(queue), RawMessageDelivery="true")
    sent = [await sns("Publish", TopicArn=topic, Message=body, MessageGroupId="g") for body in ("1", "2", "2", "3")]
    assert sent[1] == sent[2]
    assert sorted(message["SequenceNumber"] for message in sent) == [message["SequenceNumber"] for message in sent]
    await sns.settled()
    assert [(await sns.received(queue))["Body"] for _ in range(3)] == ["1", "2", "3"]
    assert await sns.sqs("ReceiveMessage", QueueUrl=queue) == {}
    with pytest.raises(AwsError, match="protocol"):
        await sns.subscribe(topic, "email", "boss@example.com")


async def test_a_fifo_topic_may_have_standard_queues_and_a_fifo_dead_letter_queue(sns: Any) -> None:
    topic = await sns.topic("orders.fifo", FifoTopic="true")
    closed, dead = await sns.queue("closed"), await sns.queue("dead.fifo", topic, FifoQueue="true")
    redrive = json.dumps({"deadLetterTargetArn": sns.arn(dead)})
    await sns.subscribe(topic, "sqs", sns.arn(closed), RedrivePolicy=redrive, RawMessageDelivery="true")
    await sns("Publish", TopicArn=topic, Message="order", MessageGroupId="g", MessageDeduplicationId="d")
    message = await sns.received(dead)
    assert (message["Body"], message["Attributes"]["MessageGroupId"]) == ("order", "g")
    assert message["Attributes"]["MessageDeduplicationId"] == "d"


async def test_a_queue_of_another_account_confirms_first(sns: Any) -> None:
    topic, other = await sns.topic(), {"as_": Principal.root("111111111111"), "region": "us-east-1"}
    url = (await sns.cloud.call("sqs", "CreateQueue", {"QueueName": "theirs"}, **other))["QueueUrl"]
    endpoint = "arn:aws:sqs:us-east-1:111111111111:theirs"
    statement = {
        "Effect": "Allow",
        "Principal": {"Service": "sns.amazonaws.com"},
        "Action": "sqs:SendMessage",
        "Resource": endpoint,
        "Condition": {"ArnEquals": {"aws:SourceArn": topic}},
    }
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    await sns.cloud.call("sqs", "SetQueueAttributes", {"QueueUrl": url, "Attributes": {"Policy": policy}}, **other)
    subscription = await sns.subscribe(topic, "sqs", endpoint)
    asked = {"QueueUrl": url, "WaitTimeSeconds": 20, "VisibilityTimeout": 600}
    (message,) = (await sns.cloud.call("sqs", "ReceiveMessage", asked, **other))["Messages"]
    token = json.loads(message["Body"])["Token"]
    await sns("ConfirmSubscription", TopicArn=topic, Token=token)
    found = (await sns("GetSubscriptionAttributes", SubscriptionArn=subscription))["Attributes"]
    assert (found["PendingConfirmation"], found["ConfirmationWasAuthenticated"]) == ("false", "true")
    await sns("Publish", TopicArn=topic, Message="across accounts")
    (message,) = (await sns.cloud.call("sqs", "ReceiveMessage", asked, **other))["Messages"]
    assert json.loads(message["Body"])["Message"] == "across accounts"


async def test_who_confirmed_with_a_signature_may_demand_one_for_leaving(sns: Any, subscriber: Any) -> None:
    topic = await sns.topic()
    subscription = await sns.subscribe(topic, "http", subscriber.url)
    token = json.loads((await subscriber.next())[1])["Token"]
    await sns("ConfirmSubscription", TopicArn=topic, Token=token, AuthenticateOnUnsubscribe="true")
    status, _ = await visit(sns, f"http://127.0.0.1:4566/?Action=Unsubscribe&SubscriptionArn={subscription}")
    assert status == 403
    await sns("Unsubscribe", SubscriptionArn=subscription)
    assert await sns("ListSubscriptions") == {"Subscriptions": []}


async def test_a_slow_web_server_holds_nobody_else_up(sns: Any, subscriber: Any) -> None:
    topic = await sns.topic()
    queue = await sns.queue("orders", topic)
    await confirmed(sns, subscriber, topic)
    await sns.settled()
    subscriber.answers.clear()
    await sns.subscribe(topic, "sqs", sns.arn(queue), RawMessageDelivery="true")
    published = {str(number) for number in range(200)}
    for message in sorted(published):
        await sns("Publish", TopicArn=topic, Message=message)
    received = {(await sns.received(queue))["Body"] for _ in range(200)}
    assert received == published
    assert subscriber.requests.qsize() < 200
    subscriber.answers.set()
    await sns.settled()
    assert subscriber.requests.qsize() == 200
