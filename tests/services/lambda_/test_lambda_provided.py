"""Functions that bring a runtime of their own: an executable `bootstrap`."""

import json
from typing import Any

import pytest
from function_making import Functions, archive

# Speaks the Runtime API in bash: answers each event with what it finds around itself.
BOOTSTRAP = r"""#!/bin/bash
host=${AWS_LAMBDA_RUNTIME_API%:*} port=${AWS_LAMBDA_RUNTIME_API#*:}

ask() { # method, path, body
  exec 9<>"/dev/tcp/$host/$port"
  printf '%s /2018-06-01/runtime%s HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%s' "$1" "$2" "${#3}" "$3" >&9
  length=0
  while IFS= read -r -u 9 line && line=${line%$'\r'} && [ -n "$line" ]; do
    case $line in
    Content-Length:*) length=${line#*: } ;;
    Lambda-Runtime-Aws-Request-Id:*) id=${line#*: } ;;
    esac
  done
  IFS= read -r -u 9 -N "$length" body
  exec 9>&-
}

while ask GET /invocation/next; do
  event=$body
  echo "event $event"
  ask POST "/invocation/$id/response" "{\"event\":$event,\"from\":\"$0\",\"handler\":\"$_HANDLER\",\"in\":\"$PWD\"}"
done
"""


def make(functions: Functions, files: dict[str, str | bytes], **options: Any) -> str:
    return functions.make("", **{"Runtime": "provided.al2023", "Code": {"ZipFile": archive(files)}, **options})


@pytest.mark.parametrize("runtime", ["provided", "provided.al2", "provided.al2023"])
def test_the_packages_own_bootstrap_is_run(functions: Functions, runtime: str) -> None:
    name = make(functions, {"bootstrap": BOOTSTRAP}, Runtime=runtime, Handler="any.thing")
    for event in ({"n": 1}, [2]):
        answer = functions.call(name, event)
        assert answer == {"event": event, "from": "/var/task/bootstrap", "handler": "any.thing", "in": "/var/task"}


def test_a_layer_may_bring_it(functions: Functions, lambda_: Any) -> None:
    content = archive({"bootstrap": BOOTSTRAP})
    layer = lambda_.publish_layer_version(LayerName="runtime", Content={"ZipFile": content})["LayerVersionArn"]
    name = make(functions, {"data": "x"}, Layers=[layer])
    assert functions.call(name, 1)["from"] == "/opt/bootstrap"


def test_its_variables(functions: Functions) -> None:
    script = BOOTSTRAP.replace(r"\"event\":$event", r"\"variables\":\"$(env | sort | tr '\n' '|')\"")
    name = make(functions, {"bootstrap": script})
    variables = dict(line.split("=", 1) for line in functions.call(name)["variables"].split("|") if "=" in line)
    assert "AWS_EXECUTION_ENV" not in variables  # as on AWS, for runtimes of the operating system alone
    assert variables["LAMBDA_TASK_ROOT"] == "/var/task"
    assert variables["LAMBDA_RUNTIME_DIR"] == "/var/runtime"
    assert variables["PATH"] == "/usr/local/bin:/usr/bin:/bin:/opt/bin"
    assert "PYTHONPATH" not in variables


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({"other": "x"}, "Couldn't find valid bootstrap(s): [/var/task/bootstrap /opt/bootstrap]"),
        ({"bootstrap": "not executable"}, "fork/exec /var/task/bootstrap: permission denied"),
    ],
)
def test_what_cannot_be_started(functions: Functions, files: dict[str, str | bytes], message: str) -> None:
    error = functions.fail(make(functions, files))
    assert error["errorType"] == "Runtime.InvalidEntrypoint"
    assert error["errorMessage"].endswith(f"Error: {message}")


@pytest.mark.parametrize(
    ("script", "reason"),
    [("#!/bin/sh\nexit 7", "exit status 7"), ("#!/bin/sh\nkill -SEGV $$", "signal: segmentation fault")],
)
def test_a_bootstrap_that_ends(functions: Functions, script: str, reason: str) -> None:
    error = functions.fail(make(functions, {"bootstrap": script}))
    assert error["errorType"] == "Runtime.ExitError"
    assert error["errorMessage"].endswith(f"Error: Runtime exited with error: {reason}")


def test_it_reports_errors_itself(functions: Functions) -> None:
    wanted = {"errorType": "Own.Error", "errorMessage": "no", "stackTrace": []}
    body = json.dumps(wanted).replace('"', '\\"')
    script = BOOTSTRAP.replace("/response", "/error").replace(
        r'"{\"event\":$event,\"from\":\"$0\",\"handler\":\"$_HANDLER\",\"in\":\"$PWD\"}"', f'"{body}"'
    )
    assert functions.fail(make(functions, {"bootstrap": script})) == wanted


def test_one_that_ends_behind_each_answer_loses_no_invocation(functions: Functions) -> None:
    script = BOOTSTRAP.replace("while ask GET /invocation/next; do", "if ask GET /invocation/next; then").replace(
        "\ndone\n", "\nfi\n"
    )
    name = make(functions, {"bootstrap": script})
    assert [functions.call(name, number)["event"] for number in range(8)] == list(range(8))
