"""The environment variables that a function finds, as AWS documents them."""

from cloudlet.runtime.function import Credentials, FunctionVersion
from cloudlet.runtime.languages import Launcher, Places

# There is no X-Ray daemon. What is sent to this port is lost without an error, and no function may listen there.
_NO_DAEMON = ("127.0.0.1", "9")

# Set by Lambda; a function's own configuration may not name them.
RESERVED = frozenset(
    {
        "_HANDLER", "_X_AMZN_TRACE_ID", "AWS_DEFAULT_REGION", "AWS_REGION", "AWS_EXECUTION_ENV",
        "AWS_LAMBDA_FUNCTION_NAME", "AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "AWS_LAMBDA_FUNCTION_VERSION",
        "AWS_LAMBDA_INITIALIZATION_TYPE", "AWS_LAMBDA_LOG_GROUP_NAME", "AWS_LAMBDA_LOG_STREAM_NAME",
        "AWS_ACCESS_KEY", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SECRET_KEY", "AWS_SESSION_TOKEN",
        "AWS_SECURITY_TOKEN", "AWS_LAMBDA_RUNTIME_API", "LAMBDA_TASK_ROOT", "LAMBDA_RUNTIME_DIR",
    }
)  # fmt: skip


def environment_variables(
    function: FunctionVersion, credentials: Credentials, endpoint_url: str, log_stream: str
) -> dict[str, str]:
    """All but AWS_LAMBDA_RUNTIME_API and what is the runtime's, which the environment adds.

    Nothing of Cloudlet's own environment is in it.
    """
    logging = {"AWS_LAMBDA_LOG_FORMAT": function.log_format}
    if function.log_level is not None:
        logging["AWS_LAMBDA_LOG_LEVEL"] = function.log_level
    return {
        **logging,
        "AWS_ENDPOINT_URL": endpoint_url,
        # Some operations have hosts of their own on AWS; here there is one.
        "AWS_DISABLE_HOST_PREFIX_INJECTION": "true",
        # Plain HTTP to the same machine needs no proxy.
        "NO_PROXY": "localhost,127.0.0.1",
        "AWS_XRAY_CONTEXT_MISSING": "LOG_ERROR",
        "AWS_XRAY_DAEMON_ADDRESS": ":".join(_NO_DAEMON),
        "_AWS_XRAY_DAEMON_ADDRESS": _NO_DAEMON[0],
        "_AWS_XRAY_DAEMON_PORT": _NO_DAEMON[1],
        **function.variables,
        "_HANDLER": function.handler,
        "LAMBDA_TASK_ROOT": "/var/task",
        "LAMBDA_RUNTIME_DIR": "/var/runtime",
        "AWS_REGION": function.region,
        "AWS_DEFAULT_REGION": function.region,
        **({} if function.runtime.startswith("provided") else {"AWS_EXECUTION_ENV": f"AWS_Lambda_{function.runtime}"}),
        "AWS_LAMBDA_FUNCTION_NAME": function.name,
        "AWS_LAMBDA_FUNCTION_VERSION": function.version,
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(function.memory),
        "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
        "AWS_LAMBDA_LOG_GROUP_NAME": function.log_group,
        "AWS_LAMBDA_LOG_STREAM_NAME": log_stream,
        "AWS_ACCESS_KEY_ID": credentials.access_key_id,
        "AWS_SECRET_ACCESS_KEY": credentials.secret_access_key,
        "AWS_SESSION_TOKEN": credentials.session_token,
    }


def zygote_variables(launcher: Launcher, places: Places) -> dict[str, str]:
    """For the process of which environments are forked; what is not the runtime's is for its session of boto3."""
    variables = launcher.variables(places)
    del variables["PYTHONPATH"]
    return {**variables, "HOME": "/tmp", "AWS_EXECUTION_ENV": f"AWS_Lambda_{launcher.runtime}"}
