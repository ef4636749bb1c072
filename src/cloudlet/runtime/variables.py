"""The environment variables that a function finds, as AWS documents them."""

import sys

from cloudlet.runtime.function import Credentials, FunctionVersion

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

# What the interpreter and the dynamic loader read when they start.
_EARLY = {
    "LANG": "en_US.UTF-8",
    "TZ": ":UTC",
    "PATH": "/var/lang/bin:/usr/local/bin:/usr/bin:/bin:/opt/bin",
    "LD_LIBRARY_PATH": "/var/lang/lib:/lib64:/usr/lib64:/var/task:/var/task/lib:/opt/lib",
}
# For the process of which environments are forked. The last two are for the session of boto3 that it prepares.
ZYGOTE_VARIABLES = {
    **_EARLY,
    "HOME": "/tmp",
    "AWS_EXECUTION_ENV": f"AWS_Lambda_python{sys.version_info.major}.{sys.version_info.minor}",
}


def environment_variables(
    function: FunctionVersion, credentials: Credentials, endpoint_url: str, log_stream: str
) -> dict[str, str]:
    """All but AWS_LAMBDA_RUNTIME_API, which the environment adds. Nothing of Cloudlet's own environment is in it."""
    logging = {"AWS_LAMBDA_LOG_FORMAT": function.log_format}
    if function.log_level is not None:
        logging["AWS_LAMBDA_LOG_LEVEL"] = function.log_level
    return {
        **logging,
        **_EARLY,
        "PYTHONPATH": "/var/runtime",
        "AWS_ENDPOINT_URL": endpoint_url,
        # Plain HTTP to the same machine needs no proxy.
        "NO_PROXY": "localhost,127.0.0.1",
        **function.variables,
        "_HANDLER": function.handler,
        "LAMBDA_TASK_ROOT": "/var/task",
        "LAMBDA_RUNTIME_DIR": "/var/runtime",
        "AWS_REGION": function.region,
        "AWS_DEFAULT_REGION": function.region,
        "AWS_EXECUTION_ENV": f"AWS_Lambda_{function.runtime}",
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
