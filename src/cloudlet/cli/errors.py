"""What went wrong, in words for the person at the terminal."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from botocore.exceptions import ClientError


class CommandError(Exception):
    """Ends the command with exit status 1; its message says what is wrong and what helps."""


def code(error: "ClientError") -> str:
    """AWS's code of an error answer."""
    return error.response.get("Error", {}).get("Code", "")


def explanation(error: Exception) -> str | None:
    """The message to show instead of a traceback; None for what is a defect of ours."""
    if isinstance(error, CommandError):
        return str(error)
    from botocore.exceptions import BotoCoreError, ClientError, EndpointConnectionError, NoCredentialsError

    if isinstance(error, ClientError):
        details = error.response.get("Error", {})
        return f"{error.operation_name} was refused: {details.get('Code')}: {details.get('Message')}"
    if isinstance(error, EndpointConnectionError):
        return f"Nothing answers at {error.kwargs.get('endpoint_url')}. Start Cloudlet: cloudlet up"
    if isinstance(error, NoCredentialsError):
        return 'AWS_ENDPOINT_URL is set, but no credentials are. Set all of them: eval "$(cloudlet env)"'
    if isinstance(error, BotoCoreError):
        return str(error)
    return None
