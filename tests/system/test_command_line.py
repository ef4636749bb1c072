"""The commands against a running server: a small application's whole life."""

import json
import time
from pathlib import Path
from typing import Any

import pytest
import requests

TEMPLATE = """
Transform: AWS::Serverless-2016-10-31
Parameters:
  Word: {Type: String, Default: hello}
  QueueName: {Type: String, Default: greetings}
Resources:
  Bucket:
    Type: AWS::S3::Bucket
  Queue:
    Type: AWS::SQS::Queue
    Properties: {QueueName: !Ref QueueName}
  Greet:
    Type: AWS::Serverless::Function
    Properties:
      Runtime: python3.13
      Handler: greeting.handler
      CodeUri: code
      Environment: {Variables: {WORD: !Ref Word}}
      Events:
        Get: {Type: HttpApi, Properties: {Method: GET, Path: /}}
Outputs:
  Url: {Value: !Sub "${ServerlessHttpApi.ApiEndpoint}/"}
  BucketName: {Value: !Ref Bucket}
"""
CODE = """
import os

def handler(event, context):
    if event.get("fail"):
        raise ValueError("as you wish")
    print("asked by", event.get("name"))
    return {"statusCode": 200, "body": f"{os.environ['WORD']}, {event.get('name', 'world')}"}
"""


@pytest.fixture(scope="module")
def application(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("applications") / "greeter"
    (folder / "code").mkdir(parents=True)
    (folder / "template.yaml").write_text(TEMPLATE)
    (folder / "code" / "greeting.py").write_text(CODE)
    return folder


@pytest.fixture(scope="module")
def outputs(server: Any, cloudlet: Any, application: Path) -> dict[str, str]:
    deployed = cloudlet("deploy", str(application))
    assert deployed.returncode == 0, deployed.stdout + deployed.stderr
    assert "Stack greeter is created" in deployed.stdout
    stack = server.client("cloudformation").describe_stacks(StackName="greeter")["Stacks"][0]
    return {output["OutputKey"]: output["OutputValue"] for output in stack["Outputs"]}


def test_what_was_deployed_answers(outputs: dict[str, str]):
    assert requests.get(outputs["Url"], timeout=30).text == "hello, world"


def test_deploying_the_same_again_changes_nothing(cloudlet: Any, application: Path, outputs: dict[str, str]):
    again = cloudlet("deploy", str(application / "template.yaml"), "--stack-name", "greeter")
    assert again.returncode == 0, again.stderr
    assert "nothing to change" in again.stdout
    assert outputs["Url"] in again.stdout


def test_a_function_is_invoked_by_its_logical_id(cloudlet: Any, outputs: dict[str, str]):
    done = cloudlet("invoke", "Greet", "--payload", '{"name": "Ada"}', "--log")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["body"] == "hello, Ada"
    assert "asked by Ada" in done.stderr


def test_an_event_comes_from_a_file_or_from_standard_input(cloudlet: Any, outputs: dict[str, str], tmp_path: Path):
    event = tmp_path / "event.json"
    event.write_text('{"name": "Grace"}')
    assert "hello, Grace" in cloudlet("invoke", "Greet", "--event", str(event)).stdout
    assert "hello, Alan" in cloudlet("invoke", "Greet", "--event", "-", input='{"name": "Alan"}').stdout


def test_a_function_that_fails_fails_the_command(cloudlet: Any, outputs: dict[str, str]):
    done = cloudlet("invoke", "Greet", "--payload", '{"fail": true}')
    assert done.returncode == 1
    assert json.loads(done.stdout)["errorMessage"] == "as you wish"


def test_a_function_that_is_not_there_is_named(cloudlet: Any, outputs: dict[str, str]):
    done = cloudlet("invoke", "Nobody")
    assert done.returncode == 1
    assert "There is no function Nobody. There are: greeter-Greet-" in done.stderr


def test_what_a_function_printed_is_shown(cloudlet: Any, outputs: dict[str, str]):
    cloudlet("invoke", "Greet", "--payload", '{"name": "Edsger"}')
    shown = cloudlet("logs", "Greet", "--since", "1h").stdout
    assert "START RequestId" in shown
    assert "asked by Edsger" in shown


def test_a_changed_parameter_updates_and_the_others_stay(cloudlet: Any, application: Path, outputs: dict[str, str]):
    updated = cloudlet("deploy", str(application), "--parameter", "Word=good day")
    assert updated.returncode == 0, updated.stderr
    assert requests.get(outputs["Url"], timeout=30).text == "good day, world"
    assert "nothing to change" in cloudlet("deploy", str(application)).stdout


def test_changed_code_updates(cloudlet: Any, application: Path, outputs: dict[str, str]):
    code = application / "code" / "greeting.py"
    code.write_text(CODE.replace("world", "everybody"))
    assert "is up to date" in cloudlet("deploy", str(application)).stdout
    assert requests.get(outputs["Url"], timeout=30).text == "good day, everybody"


def test_a_failed_update_says_why_and_is_rolled_back(cloudlet: Any, application: Path, outputs: dict[str, str]):
    failed = cloudlet("deploy", str(application), "--parameter", "QueueName=not allowed!", "--parameter", "Word=bye")
    assert failed.returncode == 1
    assert "The stack greeter could not be updated: it is now UPDATE_ROLLBACK_COMPLETE." in failed.stderr
    assert "Queue (AWS::SQS::Queue): " in failed.stderr
    assert requests.get(outputs["Url"], timeout=30).text == "good day, everybody"


def test_a_failed_creation_leaves_nothing_and_can_be_repeated(server: Any, cloudlet: Any, application: Path):
    deploy = ("deploy", str(application), "--stack-name", "second", "--parameter")
    failed = cloudlet(*deploy, "QueueName=not allowed!")
    assert failed.returncode == 1
    assert "Everything that it had changed was rolled back." in failed.stderr
    repaired = cloudlet(*deploy, "QueueName=second")
    assert repaired.returncode == 0, repaired.stderr
    assert cloudlet("destroy", "second", "--yes").returncode == 0


def test_an_unknown_parameter_is_refused(cloudlet: Any, application: Path):
    refused = cloudlet("deploy", str(application), "--parameter", "Wrod=hi")
    assert refused.returncode == 1
    assert "no parameter Wrod; it has: Word, QueueName" in refused.stderr


def test_status_shows_what_runs_here(server: Any, cloudlet: Any, outputs: dict[str, str]):
    shown = cloudlet("status").stdout
    assert server.url in shown
    assert "greeter (" in shown
    assert outputs["BucketName"] in shown
    assert "greetings" in shown


def test_the_usual_variables_lead_to_the_server_too(server: Any, cloudlet: Any, outputs: dict[str, str]):
    key = server.session().get_credentials()
    variables = {
        "CLOUDLET_DATA": "",
        "AWS_ENDPOINT_URL": server.url,
        "AWS_ACCESS_KEY_ID": key.access_key,
        "AWS_SECRET_ACCESS_KEY": key.secret_key,
    }
    assert "greeter (" in cloudlet("status", **variables).stdout
    wrong = cloudlet("status", **variables | {"AWS_SECRET_ACCESS_KEY": "wrong"})
    assert wrong.returncode == 1
    assert "SignatureDoesNotMatch" in wrong.stderr


def test_e_mails_are_in_the_mailbox(server: Any, cloudlet: Any):
    sns = server.client("sns")
    topic = sns.create_topic(Name="news")["TopicArn"]
    assert "No e-mail has been sent yet." in cloudlet("mail").stdout
    sns.subscribe(TopicArn=topic, Protocol="email", Endpoint="ada@example.com")
    deadline = time.monotonic() + 30
    while "ada@example.com" not in (shown := cloudlet("mail").stdout):
        assert time.monotonic() < deadline, shown
    assert "Action=ConfirmSubscription" in shown


def test_accounts_are_listed(cloudlet: Any):
    made = cloudlet("account", "create", "branch").stdout
    assert "export AWS_SECRET_ACCESS_KEY=" in made
    assert "branch" in cloudlet("account", "list").stdout
    again = cloudlet("account", "create", "branch")
    assert again.returncode == 1
    assert "There is an account with the name branch already." in again.stderr


def test_a_stack_is_destroyed_with_its_objects(server: Any, cloudlet: Any, outputs: dict[str, str]):
    for number in range(3):
        server.client("s3").put_object(Bucket=outputs["BucketName"], Key=f"{number}.txt", Body=b"x")
    refused = cloudlet("destroy", "greeter", input="n\n")
    assert refused.returncode == 1
    gone = cloudlet("destroy", "greeter", "--yes")
    assert gone.returncode == 0, gone.stderr
    assert f"Emptied the bucket {outputs['BucketName']}: 3 objects" in gone.stdout
    assert requests.get(outputs["Url"], timeout=30).status_code == 404
    nothing = cloudlet("destroy", "greeter", "--yes")
    assert nothing.returncode == 1
    assert "There is no stack greeter." in nothing.stderr
