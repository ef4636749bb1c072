"""Functions in Java, by AWS's runtime interface client; without it they are refused."""

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from function_making import Functions, archive

JARS = Path(sys.prefix) / "lambda-java"
needs_java = pytest.mark.skipif(
    shutil.which("javac") is None or not JARS.is_dir(), reason="functions in Java need a JDK and make lambda-java"
)

SOURCES = {
    "Plain.java": """
package own;
import java.util.Map;
import com.amazonaws.services.lambda.runtime.Context;
public class Plain {
    public static class Event { public int n; public void setN(int n) { this.n = n; } public int getN() { return n; } }
    public int add(Event event, Context context) {
        context.getLogger().log("adding for " + context.getFunctionName());
        return event.n + 1;
    }
    public String fail(Map<String, Object> event) { throw new IllegalStateException("no"); }
}""",
    "Requests.java": """
package own;
import java.util.Map;
import com.amazonaws.services.lambda.runtime.*;
public class Requests implements RequestHandler<Map<String, Integer>, Integer> {
    public Integer handleRequest(Map<String, Integer> event, Context context) { return event.get("n") + 1; }
}""",
    "Streams.java": """
package own;
import java.io.*;
import com.amazonaws.services.lambda.runtime.*;
public class Streams implements RequestStreamHandler {
    public void handleRequest(InputStream in, OutputStream out, Context context) throws IOException {
        out.write(in.readAllBytes());
    }
}""",
}


@pytest.fixture(scope="module")
def classes(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A package of compiled classes."""
    folder = tmp_path_factory.mktemp("java")
    for name, text in SOURCES.items():
        (folder / name).write_text(text)
    command = ["javac", "--release", "17", "-cp", f"{JARS}/*", "-d", "out", *SOURCES]
    subprocess.run(command, cwd=folder, check=True)
    made = folder / "out"
    return archive({str(path.relative_to(made)): path.read_bytes() for path in made.rglob("*.class")})


def make(functions: Functions, classes: bytes, handler: str, **options: Any) -> str:
    settings = {"Runtime": "java17", "Handler": handler, "Timeout": 60, "MemorySize": 512, **options}
    return functions.make("", Code={"ZipFile": classes}, **settings)


@needs_java
@pytest.mark.parametrize(
    ("handler", "answer"),
    [("own.Plain::add", 2), ("own.Requests::handleRequest", 2), ("own.Requests", 2), ("own.Streams", {"n": 1})],
)
def test_how_a_handler_is_named(functions: Functions, classes: bytes, handler: str, answer: Any) -> None:
    assert functions.call(make(functions, classes, handler), {"n": 1}) == answer


@needs_java
def test_how_a_function_fails(functions: Functions, classes: bytes) -> None:
    error = functions.fail(make(functions, classes, "own.Plain::fail"), {})
    assert (error["errorType"], error["errorMessage"]) == ("java.lang.IllegalStateException", "no")
    assert error["stackTrace"][0].startswith("own.Plain.fail(Plain.java:")


@needs_java
def test_a_class_that_is_not_there(functions: Functions, classes: bytes) -> None:
    error = functions.fail(make(functions, classes, "own.Missing::run"), {})
    assert error["errorType"] == "java.lang.ClassNotFoundException"
    assert "own.Missing" in error["errorMessage"]
