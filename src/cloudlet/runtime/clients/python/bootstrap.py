"""The first thing that runs inside an execution environment: arranges the path, then runs awslambdaric.

It is run by path, outside of Cloudlet's package, with nothing but the standard library on the path.
Arguments: the folder of the runtime interface client, the folder of the layers.
"""

from __future__ import annotations

import gc
import os
import sys


def main() -> None:
    # Loading modules makes many objects and little garbage: a third of the time would go into looking for it.
    gc.disable()
    os.closerange(3, os.sysconf("SC_OPEN_MAX"))  # whatever Cloudlet itself was started with
    runtime, layers = sys.argv[1:]
    standard = standard_path(runtime)
    sys.path[:] = client_path(runtime, standard)
    import awslambdaric.bootstrap  # noqa: F401  # pyright: ignore[reportMissingImports]

    # The function may bring its own version of what the client has loaded for itself.
    for name in [name for name in sys.modules if name.split(".")[0] == "simplejson"]:
        del sys.modules[name]
    run(runtime, layers, standard)


def standard_path(runtime: str) -> list[str]:
    """The folders of the standard library."""
    own = (os.path.dirname(os.path.abspath(__file__)), runtime)
    return [path for path in sys.path if path not in own]


def client_path(runtime: str, standard: list[str]) -> list[str]:
    """Where the client finds itself, and at the end, in this folder, what takes the place of its extension."""
    return [runtime, *standard, os.path.dirname(os.path.abspath(__file__))]


def run(runtime: str, layers: str, standard: list[str]) -> None:
    """Loads the function and serves its invocations."""
    from awslambdaric import bootstrap  # pyright: ignore[reportMissingImports]
    from awslambdaric.lambda_runtime_client import LambdaRuntimeClient  # pyright: ignore[reportMissingImports]

    class Client(LambdaRuntimeClient):
        def wait_next_invocation(self):  # type: ignore[no-untyped-def] - the client has no annotations
            gc.enable()
            return super().wait_next_invocation()

    task = os.environ["LAMBDA_TASK_ROOT"]
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    sys.path[:] = [task, f"{layers}/python/lib/{version}/site-packages", f"{layers}/python", runtime, *standard]
    sys.argv[1:] = []
    bootstrap.run(os.environ["_HANDLER"], Client(os.environ["AWS_LAMBDA_RUNTIME_API"]))


if __name__ == "__main__":
    main()
