"""Functions in Ruby."""

import shutil
from typing import Any

import pytest
from function_making import Functions, archive

pytestmark = pytest.mark.skipif(shutil.which("ruby") is None, reason="functions in Ruby need ruby")


def make(functions: Functions, files: dict[str, str | bytes], **options: Any) -> str:
    settings = {"Runtime": "ruby3.3", "Timeout": 20, "Handler": "app.handler", **options}
    return functions.make("", Code={"ZipFile": archive(files)}, **settings)


@pytest.mark.parametrize(
    ("files", "handler"),
    [
        ({"app.rb": "def handler(event:, context:) = event['n'] + 1"}, "app.handler"),
        (
            {"lib/app.rb": "module A; class B; def self.run(event:, context:) = event['n'] + 1; end; end"},
            "lib/app.A::B.run",
        ),
        (
            {
                "app.rb": "require 'own'\ndef handler(event:, context:) = own(event)",
                "own.rb": "def own(e) = e['n'] + 1",
            },
            "app.handler",
        ),
    ],
)
def test_where_a_handler_is_found(functions: Functions, files: dict[str, str | bytes], handler: str) -> None:
    assert functions.call(make(functions, files, Handler=handler), {"n": 1}) == 2


def test_the_context(functions: Functions) -> None:
    code = """
def handler(event:, context:)
  { name: context.function_name, memory: context.memory_limit_in_mb, left: context.get_remaining_time_in_millis,
    id: context.aws_request_id, arn: context.invoked_function_arn, trace: ENV["_X_AMZN_TRACE_ID"] }
end"""
    name = make(functions, {"app.rb": code}, MemorySize=256)
    context = functions.call(name)
    assert (context["name"], context["memory"]) == (name, "256")
    assert 0 < context["left"] <= 20_000
    assert context["arn"].endswith(f":function:{name}")
    assert context["trace"].startswith("Root=1-")


@pytest.mark.parametrize(
    ("code", "kind", "message"),
    [
        ("def handler(event:, context:) = raise(ArgumentError, 'no')", "Function<ArgumentError>", "no"),
        ("require 'missing'", "Init<LoadError>", "cannot load such file -- missing"),
        ("def (", "Init<SyntaxError>", ""),
    ],
)
def test_how_a_function_fails(functions: Functions, code: str, kind: str, message: str) -> None:
    error = functions.fail(make(functions, {"app.rb": code}))
    assert error["errorType"] == kind
    assert error["errorMessage"].startswith(message)
    assert isinstance(error["stackTrace"], list)


def test_a_layer_brings_files(functions: Functions, lambda_: Any) -> None:
    content = archive({"ruby/lib/shared.rb": "SHARED = 'of the layer'"})
    layer = lambda_.publish_layer_version(LayerName="ruby", Content={"ZipFile": content})["LayerVersionArn"]
    code = "require 'shared'\ndef handler(event:, context:) = SHARED"
    assert functions.call(make(functions, {"app.rb": code}, Layers=[layer])) == "of the layer"
