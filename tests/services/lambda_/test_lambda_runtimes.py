"""Which runtimes a function may have, and what each of them finds around itself."""

from typing import Any

import pytest
from botocore.exceptions import ClientError
from function_making import Functions, archive, zipped

PRINT = "import os\ndef handler(event, context): return dict(os.environ)"


@pytest.mark.parametrize(
    ("runtime", "message"),
    [
        ("python3.8", "no longer supported .* use the new runtime \\(python3.14\\)"),
        ("nodejs16.x", "no longer supported .* use the new runtime \\(nodejs24.x\\)"),
        ("go1.x", "no longer supported .* use the new runtime \\(provided.al2023\\)"),
        ("dotnet8", "does not run .NET functions"),
    ],
)
def test_what_is_refused(functions: Functions, lambda_: Any, runtime: str, message: str) -> None:
    with pytest.raises(ClientError, match=f"InvalidParameterValueException.*{message}"):
        functions.make(PRINT, Runtime=runtime)
    name = functions.make(PRINT)
    with pytest.raises(ClientError, match=message):
        lambda_.update_function_configuration(FunctionName=name, Runtime=runtime)


def test_the_variables_of_python(functions: Functions) -> None:
    variables = functions.call(functions.make(PRINT))
    assert variables["AWS_EXECUTION_ENV"] == "AWS_Lambda_python3.11"
    assert variables["PYTHONPATH"] == variables["LAMBDA_RUNTIME_DIR"] == "/var/runtime"
    assert variables["PATH"].split(":")[0] == "/var/lang/bin"
    assert {"/var/task/lib", "/opt/lib"} <= set(variables["LD_LIBRARY_PATH"].split(":"))
    assert (variables["TZ"], variables["LANG"]) == (":UTC", "en_US.UTF-8")


def test_the_runtime_can_be_changed(functions: Functions, lambda_: Any) -> None:
    content = archive({"app.py": PRINT, "app.js": "exports.handler = async () => process.env"})
    name = functions.make("", Code={"ZipFile": content})
    assert functions.call(name)["AWS_EXECUTION_ENV"] == "AWS_Lambda_python3.11"
    lambda_.update_function_configuration(FunctionName=name, Runtime="nodejs20.x")
    assert functions.call(name)["AWS_EXECUTION_ENV"] == "AWS_Lambda_nodejs20.x"


@pytest.mark.parametrize("runtime", ["python3.11", "nodejs20.x"])
def test_a_wrapper_script_starts_the_interpreter(functions: Functions, runtime: str) -> None:
    files: dict[str, str | bytes] = {
        "wrapper": '#!/bin/sh\nexport FROM_WRAPPER="$(basename "$1")"\nexec "$@"\n',
        "app.py": PRINT,
        "app.js": "exports.handler = async () => process.env",
    }
    wrapper = {"Variables": {"AWS_LAMBDA_EXEC_WRAPPER": "/var/task/wrapper"}}
    name = functions.make("", Code={"ZipFile": archive(files)}, Runtime=runtime, Environment=wrapper)
    assert functions.call(name)["FROM_WRAPPER"].startswith(runtime[:4])


def test_other_versions_of_python_find_boto3(functions: Functions) -> None:
    """By their own interpreter where there is one, by the nearest where not."""
    code = "import boto3\ndef handler(event, context): return boto3.client('sts').get_caller_identity()['Arn']"
    for runtime in ("python3.9", "python3.12"):
        name = functions.make("", Code={"ZipFile": zipped(app=code)}, Runtime=runtime, Timeout=60)
        assert functions.call(name).endswith(f"/{name}")
