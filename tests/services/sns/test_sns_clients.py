"""SNS through boto3 against a running server: a web server subscribes, mails arrive, nothing is lost by kill -9."""

import io
import json
import queue
import re
import threading
import zipfile
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
import requests
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.exceptions import ClientError


class WebServer(ThreadingHTTPServer):
    """Keeps what it is sent; answers the statuses it was given, one a request, then 200."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Inbox)
        self.received: queue.Queue[dict[str, Any]] = queue.Queue()
        self.statuses: list[int] = []
        self.url = f"http://127.0.0.1:{self.server_address[1]}/inbox"

    def next(self) -> dict[str, Any]:
        return self.received.get(timeout=60)


class _Inbox(BaseHTTPRequestHandler):
    server: WebServer  # pyright: ignore[reportIncompatibleVariableOverride] - it is made by no other

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.received.put(json.loads(body))
        self.send_response(self.server.statuses.pop(0) if self.server.statuses else 200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        """Silence: the tests read what was received."""


@pytest.fixture
def web() -> Iterator[WebServer]:
    with WebServer() as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def sns(server: Any) -> Any:
    return server.client("sns")


AT_ONCE = json.dumps({"healthyRetryPolicy": {"numRetries": 3, "numNoDelayRetries": 3}})


def mails(server: Any) -> list[dict[str, Any]]:
    url = f"{server.url}/_cloudlet/mail"
    request = AWSRequest("GET", url)
    SigV4Auth(server.session().get_credentials(), "sns", "us-east-1").add_auth(request)
    answer = requests.get(url, headers=dict(request.headers.items()), timeout=30)
    return answer.json()["mail"]


def mail_to(server: Any, recipient: str) -> dict[str, Any]:
    """The newest mail, once there is one."""
    while True:
        for mail in mails(server):
            if mail["to"] == recipient:
                return mail


def make_queue(server: Any, name: str, topic: str) -> tuple[str, str]:
    """A queue that lets the topic in: its URL and ARN."""
    sqs = server.client("sqs")
    arn = f"arn:aws:sqs:us-east-1:000000000000:{name}"
    statement = {
        "Effect": "Allow",
        "Principal": {"Service": "sns.amazonaws.com"},
        "Action": "sqs:SendMessage",
        "Resource": arn,
        "Condition": {"ArnEquals": {"aws:SourceArn": topic}},
    }
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    return sqs.create_queue(QueueName=name, Attributes={"Policy": policy})["QueueUrl"], arn


def test_a_web_server_confirms_by_the_link_and_is_notified(sns: Any, web: WebServer) -> None:
    topic = sns.create_topic(Name="web", Tags=[{"Key": "a", "Value": "b"}])["TopicArn"]
    pending = sns.subscribe(TopicArn=topic, Protocol="http", Endpoint=web.url, Attributes={"DeliveryPolicy": AT_ONCE})
    assert pending["SubscriptionArn"] == "pending confirmation"
    asked = web.next()
    assert asked["Type"] == "SubscriptionConfirmation"
    confirmed = requests.get(asked["SubscribeURL"], timeout=30)
    assert confirmed.status_code == 200
    assert "<ConfirmSubscriptionResult><SubscriptionArn>arn:aws:sns:" in confirmed.text
    web.statuses = [500]
    sent = sns.publish(TopicArn=topic, Message="Echo Plus is out of stock", Subject="Inventory")
    first, second = web.next(), web.next()
    assert first == second
    assert (first["Message"], first["MessageId"]) == ("Echo Plus is out of stock", sent["MessageId"])
    certificate = requests.get(first["SigningCertURL"], timeout=30)
    assert certificate.text.startswith("-----BEGIN CERTIFICATE-----")
    assert requests.get(first["UnsubscribeURL"], timeout=30).status_code == 200
    assert sns.list_subscriptions_by_topic(TopicArn=topic)["Subscriptions"] == []


def test_a_mail_confirms_and_notifies(sns: Any, server: Any) -> None:
    topic = sns.create_topic(Name="mails", Attributes={"DisplayName": "The shop"})["TopicArn"]
    sns.subscribe(TopicArn=topic, Protocol="email", Endpoint="boss@example.com")
    (link,) = re.findall(r"http\S+Action=ConfirmSubscription\S+", mail_to(server, "boss@example.com")["body"])
    assert requests.get(link, timeout=30).status_code == 200
    sns.publish(TopicArn=topic, Message="out of stock", Subject="Inventory")
    while (mail := mail_to(server, "boss@example.com"))["subject"] != "Inventory":
        pass
    assert (mail["from"], mail["body"].splitlines()[0]) == ("The shop", "out of stock")


def test_the_mailbox_is_for_the_account_alone(server: Any) -> None:
    answer = requests.get(f"{server.url}/_cloudlet/mail", timeout=30)
    assert answer.status_code == 403


def test_a_queue_is_notified_through_its_filter(sns: Any, server: Any) -> None:
    topic = sns.create_topic(Name="filtered")["TopicArn"]
    url, arn = make_queue(server, "filtered", topic)
    attributes = {"FilterPolicy": json.dumps({"count": [{"numeric": ["=", 0]}]}), "RawMessageDelivery": "true"}
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn, Attributes=attributes)
    for count in ("5", "0", "7"):
        attribute = {"DataType": "Number", "StringValue": count}
        sns.publish(TopicArn=topic, Message=f"count is {count}", MessageAttributes={"count": attribute})
    sqs = server.client("sqs")
    received = sqs.receive_message(QueueUrl=url, WaitTimeSeconds=20, MessageAttributeNames=["All"])["Messages"]
    assert [message["Body"] for message in received] == ["count is 0"]
    assert received[0]["MessageAttributes"]["count"]["StringValue"] == "0"


def test_errors_have_aws_codes(sns: Any) -> None:
    with pytest.raises(sns.exceptions.NotFoundException):
        sns.publish(TopicArn="arn:aws:sns:us-east-1:000000000000:missing", Message="x")
    topic = sns.create_topic(Name="errors")["TopicArn"]
    with pytest.raises(sns.exceptions.InvalidParameterException, match="Empty message"):
        sns.publish(TopicArn=topic, Message="")
    with pytest.raises(ClientError, match="NotImplemented"):
        sns.create_platform_application(Name="x", Platform="GCM", Attributes={})


def test_what_was_published_survives_kill_9(own_server: Any) -> None:
    sns = own_server.client("sns")
    topic = sns.create_topic(Name="durable")["TopicArn"]
    url, arn = make_queue(own_server, "durable", topic)
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn, Attributes={"RawMessageDelivery": "true"})
    published = {str(number) for number in range(40)}
    for message in published:
        sns.publish(TopicArn=topic, Message=message)
    own_server.restart()
    sqs, received = own_server.client("sqs"), set[str]()
    while received != published:
        for message in sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, WaitTimeSeconds=20)["Messages"]:
            received.add(message["Body"])
            sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])


SHOW_EVENT = """
import boto3, json, os
def handler(event, context):
    boto3.client("sqs").send_message(QueueUrl=os.environ["QUEUE"], MessageBody=json.dumps(event))
"""


def make_function(server: Any, name: str, source: str, **environment: str) -> str:
    """A Python function that may do anything with queues; its ARN."""
    iam, trust = server.client("iam"), {"Service": "lambda.amazonaws.com"}
    statement = {"Effect": "Allow", "Principal": trust, "Action": "sts:AssumeRole"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    role = iam.create_role(RoleName=name, AssumeRolePolicyDocument=document)["Role"]["Arn"]
    allowed = {"Effect": "Allow", "Action": "sqs:*", "Resource": "*"}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [allowed]})
    iam.put_role_policy(RoleName=name, PolicyName="queues", PolicyDocument=policy)
    package = io.BytesIO()
    with zipfile.ZipFile(package, "w") as archive:
        archive.writestr("app.py", source)
    functions = server.client("lambda")
    made = functions.create_function(
        FunctionName=name,
        Runtime="python3.12",
        Role=role,
        Handler="app.handler",
        Timeout=30,
        Code={"ZipFile": package.getvalue()},
        Environment={"Variables": environment},
    )
    functions.get_waiter("function_active_v2").wait(FunctionName=name)
    return made["FunctionArn"]


def test_a_function_gets_the_message_as_an_event(sns: Any, server: Any) -> None:
    topic = sns.create_topic(Name="functions")["TopicArn"]
    url = server.client("sqs").create_queue(QueueName="events")["QueueUrl"]
    function = make_function(server, "show-event", SHOW_EVENT, QUEUE=url)
    permission = {"Action": "lambda:InvokeFunction", "Principal": "sns.amazonaws.com", "SourceArn": topic}
    server.client("lambda").add_permission(FunctionName="show-event", StatementId="sns", **permission)
    subscription = sns.subscribe(TopicArn=topic, Protocol="lambda", Endpoint=function)["SubscriptionArn"]
    attributes = {"kind": {"DataType": "String", "StringValue": "alert"}}
    sent = sns.publish(TopicArn=topic, Message="out of stock", MessageAttributes=attributes)
    sqs = server.client("sqs")
    (message,) = sqs.receive_message(QueueUrl=url, WaitTimeSeconds=20)["Messages"]
    (record,) = json.loads(message["Body"])["Records"]
    assert (record["EventSource"], record["EventVersion"]) == ("aws:sns", "1.0")
    assert record["EventSubscriptionArn"] == subscription
    body = record["Sns"]
    assert (body["Message"], body["MessageId"], body["Subject"]) == ("out of stock", sent["MessageId"], None)
    assert body["MessageAttributes"] == {"kind": {"Type": "String", "Value": "alert"}}
    assert {"SigningCertUrl", "UnsubscribeUrl", "Signature", "SignatureVersion", "Timestamp"} <= body.keys()


def test_a_function_that_does_not_allow_the_topic_is_not_invoked(sns: Any, server: Any) -> None:
    topic = sns.create_topic(Name="forbidden")["TopicArn"]
    url, dead = make_queue(server, "dead", topic)
    function = make_function(server, "closed", "def handler(event, context): ...")
    redrive = {"RedrivePolicy": json.dumps({"deadLetterTargetArn": dead})}
    sns.subscribe(TopicArn=topic, Protocol="lambda", Endpoint=function, Attributes=redrive)
    sns.publish(TopicArn=topic, Message="let me in")
    (message,) = server.client("sqs").receive_message(QueueUrl=url, WaitTimeSeconds=20)["Messages"]
    assert json.loads(message["Body"])["Message"] == "let me in"


def test_a_bucket_may_publish_only_if_the_policy_says_so(sns: Any, server: Any) -> None:
    topic = sns.create_topic(Name="uploads")["TopicArn"]
    url, arn = make_queue(server, "uploads", topic)
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)
    s3, bucket = server.client("s3"), "uploads"
    s3.create_bucket(Bucket=bucket)
    notify = {"TopicConfigurations": [{"TopicArn": topic, "Events": ["s3:ObjectCreated:*"]}]}
    with pytest.raises(ClientError, match="Unable to validate the following destination configurations"):
        s3.put_bucket_notification_configuration(Bucket=bucket, NotificationConfiguration=notify)
    statement = {
        "Effect": "Allow",
        "Principal": {"Service": "s3.amazonaws.com"},
        "Action": "sns:Publish",
        "Resource": topic,
        "Condition": {"ArnLike": {"aws:SourceArn": f"arn:aws:s3:::{bucket}"}},
    }
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    sns.set_topic_attributes(TopicArn=topic, AttributeName="Policy", AttributeValue=policy)
    s3.put_bucket_notification_configuration(Bucket=bucket, NotificationConfiguration=notify)
    s3.put_object(Bucket=bucket, Key="berlin.csv", Body=b"store,item,count\n")
    sqs, keys = server.client("sqs"), list[str]()
    while "berlin.csv" not in keys:  # the first message is the test that S3 sends when it is configured
        for message in sqs.receive_message(QueueUrl=url, WaitTimeSeconds=20)["Messages"]:
            event = json.loads(json.loads(message["Body"])["Message"])
            keys += [record["s3"]["object"]["key"] for record in event.get("Records", [])]
