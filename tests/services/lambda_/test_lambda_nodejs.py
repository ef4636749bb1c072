"""Functions in JavaScript: how they are found, how they answer, how they fail, what they log."""

import json
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from function_making import Functions, archive

from waiting import eventually

SDK = Path(sys.prefix) / "lambda-nodejs" / "node_modules" / "@aws-sdk"
HANDLER = "exports.handler = async (event, context) => "


def make(functions: Functions, files: str | dict[str, str], **options: Any) -> str:
    """A function of one CommonJS module, or of several files."""
    content = {"app.js": files} if isinstance(files, str) else files
    settings = {"Runtime": "nodejs20.x", "Timeout": 20, "Code": {"ZipFile": archive({**content})}, **options}
    return functions.make("", **settings)


@pytest.fixture(scope="module")
def log_of(server: Any) -> Callable[[str], list[str]]:
    """What a function has logged, once it has reported."""
    logs = server.client("logs")

    def messages(name: str) -> list[str]:
        try:
            found = logs.filter_log_events(logGroupName=f"/aws/lambda/{name}")["events"]
        except logs.exceptions.ResourceNotFoundException:
            return []
        lines = [event["message"] for event in found]
        return lines if any("REPORT" in line or "platform.report" in line for line in lines) else []

    return lambda name: eventually(lambda: messages(name))


@pytest.mark.parametrize(
    ("files", "handler"),
    [
        ({"app.js": "exports.handler = async (event) => event.n + 1"}, "app.handler"),
        ({"app.cjs": "exports.handler = async (event) => event.n + 1"}, "app.handler"),
        ({"app.mjs": "export const handler = async (event) => event.n + 1"}, "app.handler"),
        ({"app.js": "export const run = async (event) => event.n + 1", "package.json": '{"type":"module"}'}, "app.run"),
        ({"src/deep/app.js": "exports.a = {b: async (event) => event.n + 1}"}, "src/deep/app.a.b"),
        (
            {
                "app.js": "exports.handler = require('dep')",
                "node_modules/dep/index.js": "module.exports=async e=>e.n+1",
            },
            "app.handler",
        ),
        ({"node_modules/dep/index.js": "exports.handler = async (event) => event.n + 1"}, "dep.handler"),
    ],
)
def test_where_a_handler_is_found(functions: Functions, files: dict[str, str], handler: str) -> None:
    assert functions.call(make(functions, files, Handler=handler), {"n": 1}) == 2


@pytest.mark.parametrize(
    ("code", "answer"),
    [
        (HANDLER + "undefined", None),
        ("exports.handler = (event, context, callback) => { callback(null, 'called back') }", "called back"),
        ("exports.handler = (event, context) => { context.succeed('succeeded') }", "succeeded"),
        ("exports.handler = (event, context) => { context.done(null, 'done') }", "done"),
        (HANDLER + "{ await new Promise(() => {}) }", None),
        ("exports.handler = (event, context, callback) => 'not awaited'", None),
    ],
)
def test_how_a_handler_answers(functions: Functions, code: str, answer: Any) -> None:
    assert functions.call(make(functions, code)) == answer


@pytest.mark.parametrize(("waits", "seen"), [("true", [0, 1]), ("false", [0, 0])])
def test_whether_a_callback_waits_for_what_is_left_to_do(functions: Functions, waits: str, seen: list[int]) -> None:
    code = f"""
let done = 0
exports.handler = (event, context, callback) => {{
  context.callbackWaitsForEmptyEventLoop = {waits}
  const before = done
  setTimeout(() => {{ done = 1 }}, 300)
  callback(null, before)
}}"""
    name = make(functions, code)
    assert [functions.call(name), functions.call(name)] == seen


def test_the_context(functions: Functions) -> None:
    code = HANDLER + "({...context, left: context.getRemainingTimeInMillis(), trace: process.env._X_AMZN_TRACE_ID})"
    name = make(functions, code, MemorySize=256)
    context = functions.call(name)
    assert context["functionName"] == name
    assert context["memoryLimitInMB"] == "256"
    assert context["invokedFunctionArn"].endswith(f":function:{name}")
    assert re.fullmatch(r"[0-9a-f-]{36}", context["awsRequestId"])
    assert 0 < context["left"] <= 20_000
    assert context["trace"].startswith("Root=1-")


@pytest.mark.parametrize(
    ("code", "kind", "message"),
    [
        (HANDLER + "{ throw new TypeError('no') }", "TypeError", "no"),
        (HANDLER + "{ throw 'text' }", "string", "text"),
        ("exports.handler = (event, context, callback) => callback(new RangeError('far'))", "RangeError", "far"),
        ("exports.handler = () => { setTimeout(() => { throw new Error('later') }, 10) }", "Error", "later"),
        (
            HANDLER + "{ Promise.reject(new Error('lost')); await new Promise((r) => setTimeout(r, 5000)) }",
            "Runtime.UnhandledPromiseRejection",
            "Error: lost",
        ),
        ("exports.other = 1", "Runtime.HandlerNotFound", "app.handler is undefined or not exported"),
        ("exports.handler = 1", "Runtime.HandlerNotFound", "app.handler is not a function"),
        (
            "require('missing')",
            "Runtime.ImportModuleError",
            "Error: Cannot find module 'missing'\nRequire stack:\n- /var/task/app.js",
        ),
        ("function (", "Runtime.UserCodeSyntaxError", "SyntaxError: Function statements require a function name"),
        ("throw new URIError('loading')", "URIError", "loading"),
    ],
)
def test_how_a_function_fails(functions: Functions, code: str, kind: str, message: str) -> None:
    error = functions.fail(make(functions, code))
    assert error["errorType"] == kind
    assert error["errorMessage"].startswith(message)
    assert isinstance(error["trace"], list)
    assert not error["trace"] or error["trace"][0].startswith(f"{kind}: {message.partition(chr(10))[0]}")


def test_after_an_uncaught_exception_a_fresh_process_serves(functions: Functions) -> None:
    code = """
let count = 0
exports.handler = (event, context, callback) => {
  count += 1
  if (event) setTimeout(() => { throw new Error("x") })
  else callback(null, count)
}"""
    name = make(functions, code)
    functions.fail(name, True)
    assert functions.call(name) == 1


def test_what_is_logged_as_text(functions: Functions, log_of: Callable[[str], list[str]]) -> None:
    name = make(
        functions, HANDLER + "{ console.log('one %d', 1, {a: 2}); console.warn('two\\nlines'); console.debug('three') }"
    )
    functions.call(name)
    lines = [line for line in log_of(name) if "\t" in line and not line.startswith(("REPORT", "INIT"))]
    fields = [line.split("\t") for line in lines]
    assert [field[2:] for field in fields] == [
        ["INFO", "one 1 { a: 2 }\n"],
        ["WARN", "two\nlines\n"],
        ["DEBUG", "three\n"],
    ]
    for field in fields:
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", field[0])
        assert re.fullmatch(r"[0-9a-f-]{36}", field[1])


def test_what_is_logged_as_json(functions: Functions, log_of: Callable[[str], list[str]]) -> None:
    code = HANDLER + "{ console.log({a: 1}); console.error('bad', new Error('e')); console.debug('silent') }"
    name = make(functions, code, LoggingConfig={"LogFormat": "JSON", "ApplicationLogLevel": "INFO"})
    functions.call(name)
    lines = [json.loads(line) for line in log_of(name)]
    first, second = [line for line in lines if "level" in line]
    assert (first["level"], first["message"]) == ("INFO", {"a": 1})
    assert (second["level"], second["errorType"], second["errorMessage"]) == ("ERROR", "Error", "e")
    assert second["stackTrace"][0] == "Error: e"


def test_a_layer_brings_modules(functions: Functions, lambda_: Any) -> None:
    content = archive({"nodejs/node_modules/shared/index.js": "module.exports = 'of the layer'"})
    layer = lambda_.publish_layer_version(LayerName="modules", Content={"ZipFile": content})["LayerVersionArn"]
    name = make(functions, HANDLER + "require('shared')", Layers=[layer])
    assert functions.call(name) == "of the layer"


def test_a_streamed_response_is_gathered_for_who_waits_for_all_of_it(functions: Functions, lambda_: Any) -> None:
    code = """
exports.handler = awslambda.streamifyResponse(async (event, stream) => {
  stream.setContentType("text/plain")
  stream.write("one ")
  await new Promise((resolve) => setTimeout(resolve, 50))
  stream.end("two")
})"""
    answer = lambda_.invoke(FunctionName=make(functions, code))
    assert answer["Payload"].read() == b"one two"


def test_a_stream_that_fails_on_the_way(functions: Functions) -> None:
    code = """
exports.handler = awslambda.streamifyResponse(async (event, stream) => {
  stream.write("x")
  throw new Error("no")
})"""
    error = functions.fail(make(functions, code))
    assert (error["errorType"], error["errorMessage"]) == ("Error", "no")


def test_an_http_response_begins_with_its_head(functions: Functions, lambda_: Any) -> None:
    code = """
exports.handler = awslambda.streamifyResponse(async (event, stream) => {
  const http = awslambda.HttpResponseStream.from(stream, {statusCode: 201, headers: {"X-Own": "1"}})
  http.end("body")
})"""
    answer = lambda_.invoke(FunctionName=make(functions, code))
    head, _, body = answer["Payload"].read().partition(b"\0" * 8)
    assert json.loads(head) == {"statusCode": 201, "headers": {"X-Own": "1"}}
    assert body == b"body"


def test_the_last_version_has_no_callbacks(functions: Functions) -> None:
    name = make(functions, "exports.handler = (event, context, callback) => callback()", Runtime="nodejs24.x")
    assert functions.fail(name)["errorType"] == "Runtime.CallbackHandlerDeprecated"


def test_es_modules_find_what_layers_bring(functions: Functions, lambda_: Any) -> None:
    """As on AWS, though Node.js itself looks into NODE_PATH for CommonJS alone."""
    brought = archive({"nodejs/node_modules/dep/index.js": "module.exports = 42"})
    layer = lambda_.publish_layer_version(LayerName="dep", Content={"ZipFile": brought})["LayerVersionArn"]
    code = "import dep from 'dep';\nexport const handler = async () => dep;"
    assert functions.call(make(functions, {"app.mjs": code}, Layers=[layer])) == 42


@pytest.mark.skipif(not SDK.is_dir(), reason="make setup had no npm to install the AWS SDK for JavaScript with")
@pytest.mark.parametrize(
    ("file", "imported", "exported"),
    [
        ("app.mjs", "import {S3Client, ListBucketsCommand} from '@aws-sdk/client-s3'", "export const handler"),
        ("app.js", "const {S3Client, ListBucketsCommand} = require('@aws-sdk/client-s3')", "exports.handler"),
    ],
)
def test_the_sdk_is_installed(functions: Functions, file: str, imported: str, exported: str) -> None:
    code = (
        f"{imported};\n{exported} = async () => !!(await new S3Client({{}}).send(new ListBucketsCommand({{}}))).Owner;"
    )
    assert functions.call(make(functions, {file: code}, MemorySize=512)) is True
