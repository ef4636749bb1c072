"""The first thing that runs inside an execution environment: arranges the path, then runs awslambdaric.

It is run by path, outside of Cloudlet's package, with nothing but the standard library on the path.
Arguments: the folder of the runtime interface client, the folder of the layers.
"""

import gc
import os
import sys


def main() -> None:
    # Loading modules makes many objects and little garbage: a third of the time would go into looking for it.
    gc.disable()
    runtime, layers = sys.argv[1:]
    task = os.environ["LAMBDA_TASK_ROOT"]
    own = (os.path.dirname(os.path.abspath(__file__)), runtime)
    standard = [path for path in sys.path if path not in own]
    sys.path[:] = [runtime, *standard]
    from awslambdaric import bootstrap  # pyright: ignore[reportMissingImports]
    from awslambdaric.lambda_runtime_client import LambdaRuntimeClient  # pyright: ignore[reportMissingImports]

    class Client(LambdaRuntimeClient):
        def wait_next_invocation(self):  # type: ignore[no-untyped-def] - the client has no annotations
            gc.enable()
            return super().wait_next_invocation()

    # The function may bring its own version of what the client has loaded for itself.
    for name in [name for name in sys.modules if name.split(".")[0] == "simplejson"]:
        del sys.modules[name]
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    sys.path[:] = [task, f"{layers}/python/lib/{version}/site-packages", f"{layers}/python", runtime, *standard]
    sys.argv[1:] = []
    bootstrap.run(os.environ["_HANDLER"], Client(os.environ["AWS_LAMBDA_RUNTIME_API"]))


main()
