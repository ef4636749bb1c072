"""`cloudlet up`: its contract with whoever starts and stops it."""

import json
import os
import re
import stat
import subprocess
import sys
import threading
import time
from pathlib import Path

import boto3
import pytest

CLOUDLET = [sys.executable, "-m", "cloudlet.cli.main"]


def children_of(pid: int) -> set[int]:
    """All living descendants of a process."""
    listed = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return {int(child) for child in listed} | {grand for child in listed for grand in children_of(int(child))}


def alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


def clean_environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "CLOUDLET_"))}


def test_health_names_version_services_and_data(server) -> None:
    health = server.health()
    assert health["status"] == "ok"
    assert re.fullmatch(r"\d+\.\d+\.\d+.*", health["version"])
    assert {"s3", "dynamodb", "dynamodbstreams", "sqs", "sns", "lambda", "iam", "sts", "logs", "cloudformation",
            "apigatewayv2"} <= set(health["services"])  # fmt: skip
    assert health["data"]["path"] == str(server.data)
    assert health["data"]["state"] == "writable"


def test_a_second_server_on_the_same_data_is_refused(server) -> None:
    before = {path: path.stat().st_mtime_ns for path in server.data.rglob("*") if path.suffix == ".db"}
    second = subprocess.run(
        [*CLOUDLET, "up", "--port", "0", "--data", str(server.data)], capture_output=True, text=True, timeout=30
    )
    assert second.returncode != 0
    assert "another Cloudlet is running on the data folder" in second.stderr + second.stdout
    assert before == {path: path.stat().st_mtime_ns for path in before}
    assert server.health()["status"] == "ok"


def test_a_taken_port_is_a_clear_error(server, tmp_path: Path) -> None:
    second = subprocess.run(
        [*CLOUDLET, "up", "--port", str(server.port), "--data", str(tmp_path / "other")],
        capture_output=True,
        text=True,
        timeout=30,
    )
    assert second.returncode != 0
    assert str(server.port) in second.stderr + second.stdout
    assert not (tmp_path / "other" / "s3.db").exists()


def test_port_0_says_which(tmp_path: Path) -> None:
    process = subprocess.Popen(
        [*CLOUDLET, "up", "--port", "0", "--data", str(tmp_path / "data")],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=clean_environment(),
    )
    assert process.stdout is not None
    said = ""
    while not (found := re.search(r"http://127\.0\.0\.1:(\d+)", said)):
        line = process.stdout.readline()
        assert line, said
        said += line
    assert int(found[1]) > 0
    process.terminate()
    assert process.wait(timeout=30) == 0


def test_the_root_key_is_made_once_and_kept_private(tmp_path: Path) -> None:
    data = tmp_path / "data"
    exports = []
    for _ in range(2):
        process = subprocess.Popen([*CLOUDLET, "up", "--port", "0", "--data", str(data)], env=clean_environment(),
                                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)  # fmt: skip
        while not (data / "server.json").exists():
            assert process.poll() is None
            time.sleep(0.02)
        printed = subprocess.run(
            [*CLOUDLET, "env", "--data", str(data)], capture_output=True, text=True, env=clean_environment(), check=True
        ).stdout
        exports.append(dict(re.findall(r"export (\w+)=['\"]?([^'\"\n]+)", printed)))
        process.terminate()
        assert process.wait(timeout=30) == 0
    first, second = exports
    names = ("AWS_ENDPOINT_URL", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_DEFAULT_REGION")
    assert set(names) <= set(first)
    assert first["AWS_SECRET_ACCESS_KEY"] == second["AWS_SECRET_ACCESS_KEY"]
    for path in data.rglob("*"):
        if path.is_file() and first["AWS_SECRET_ACCESS_KEY"].encode() in path.read_bytes():
            assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0 or stat.S_IMODE(data.stat().st_mode) & 0o077 == 0


def test_the_printed_environment_makes_boto3_work(server) -> None:
    printed = subprocess.run(
        [*CLOUDLET, "env", "--data", str(server.data)], capture_output=True, text=True, check=True,
        env={**clean_environment(), "CLOUDLET_ROOT_ACCESS_KEY_ID": "AKIAROOTOFTHETESTS00",
             "CLOUDLET_ROOT_SECRET_ACCESS_KEY": "secret-of-the-root-of-the-tests"},
    ).stdout  # fmt: skip
    program = "import boto3; print(boto3.client('sts').get_caller_identity()['Arn'])"
    done = subprocess.run(
        ["sh", "-c", f'{printed}\nexec "$0" -c "$1"', sys.executable, program], capture_output=True, text=True,
        env=clean_environment(),
    )  # fmt: skip
    assert done.stdout.strip() == "arn:aws:iam::000000000000:root", done.stderr


def test_sigterm_leaves_nothing_running(own_server, make_function) -> None:
    make_function(own_server, "idle", "def handler(event, context):\n    return 1\n")
    own_server.client("lambda").invoke(FunctionName="idle")
    family = children_of(own_server.pid)
    assert family
    assert own_server.stop() == 0
    assert not [pid for pid in family if alive(pid)]
    assert not (own_server.data / "server.json").exists()


def test_kill_9_leaves_no_function_running(own_server, make_function) -> None:
    make_function(own_server, "idle", "def handler(event, context):\n    return 1\n")
    own_server.client("lambda").invoke(FunctionName="idle")
    family = children_of(own_server.pid)
    own_server.kill9()
    deadline = time.monotonic() + 20
    while (left := [pid for pid in family if alive(pid)]) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not left


def test_sigterm_lets_a_running_invocation_end(own_server, make_function) -> None:
    source = (
        "import time, boto3\n"
        "def handler(event, context):\n"
        "    boto3.client('sqs').create_queue(QueueName='running')\n"
        "    time.sleep(1)\n"
        "    return boto3.client('sts').get_caller_identity()['Arn']\n"
    )
    make_function(own_server, "slow", source)
    client = own_server.client("lambda")
    answers: list[dict] = []
    asked = threading.Thread(target=lambda: answers.append(client.invoke(FunctionName="slow")))
    asked.start()
    while not own_server.client("sqs").list_queues().get("QueueUrls"):
        time.sleep(0.02)
    assert own_server.stop() == 0
    asked.join()
    assert "FunctionError" not in answers[0]
    assert b"assumed-role" in answers[0]["Payload"].read()


def test_accounts_are_apart(server) -> None:
    made = subprocess.run(
        [*CLOUDLET, "account", "create", "branch", "--data", str(server.data)],
        capture_output=True, text=True, check=True,
        env={**clean_environment(), "CLOUDLET_ROOT_ACCESS_KEY_ID": "AKIAROOTOFTHETESTS00",
             "CLOUDLET_ROOT_SECRET_ACCESS_KEY": "secret-of-the-root-of-the-tests"},
    ).stdout  # fmt: skip
    key = re.search(r"\b(AKIA\w{16})\b", made)
    secret = re.search(r"SECRET_ACCESS_KEY\W+([\w/+]{40})", made)
    account = re.search(r"\b(\d{12})\b", made)
    assert key is not None, made
    assert secret is not None, made
    assert account is not None, made
    other = boto3.Session(key[1], secret[1], region_name="us-east-1")
    assert server.client("sts", session=other).get_caller_identity()["Account"] == account[1] != "000000000000"
    server.client("sqs").create_queue(QueueName="ours")
    assert "QueueUrls" not in server.client("sqs", session=other).list_queues()
    owner = server.client("s3", session=other).list_buckets()["Owner"]["ID"]
    assert owner != server.client("s3").list_buckets()["Owner"]["ID"]
    assert re.fullmatch(r"[0-9a-f]{64}", owner)


def test_regions_are_apart(server) -> None:
    berlin = boto3.Session("AKIAROOTOFTHETESTS00", "secret-of-the-root-of-the-tests", region_name="eu-central-1")
    server.client("sns").create_topic(Name="here")
    assert server.client("sns", session=berlin).list_topics()["Topics"] == []
    arn = server.client("sns", session=berlin).create_topic(Name="there")["TopicArn"]
    assert arn == "arn:aws:sns:eu-central-1:000000000000:there"


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
def test_any_local_name_reaches_the_server(server, host: str) -> None:
    client = server.session().client("sqs", endpoint_url=f"http://{host}:{server.port}")
    assert client.list_queues()["ResponseMetadata"]["HTTPStatusCode"] == 200


def test_no_function_listens_in_its_place(server, make_function) -> None:
    """Many clients try ::1 first when they look for `localhost`."""
    listen = (
        "import socket\ndef handler(event, context):\n  family = socket.AF_INET6 if ':' in event else socket.AF_INET\n"
    )
    listen += (
        f"  try: socket.socket(family).bind((event, {server.port}))\n  except OSError as error: return error.strerror"
    )
    make_function(server, "in-its-place", listen)
    lambda_ = server.client("lambda")
    for address in ("127.0.0.1", "0.0.0.0", "::1", "::"):
        answer = lambda_.invoke(FunctionName="in-its-place", Payload=json.dumps(address))
        assert json.loads(answer["Payload"].read())
