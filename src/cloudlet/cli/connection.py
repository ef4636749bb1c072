"""Where Cloudlet is and as whom to speak to it: by its data folder, or by the usual AWS_* variables."""

import json
import os
import urllib.error
import urllib.request
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cloudlet.cli.errors import CommandError
from cloudlet.core.data_folder import running_server
from cloudlet.core.rootkeys import IncompleteRootKey, RootKey, root_key

if TYPE_CHECKING:
    import boto3

DEFAULT_DATA = Path(".cloudlet")
DEFAULT_ENDPOINT = "http://127.0.0.1:4566"


@dataclass(frozen=True)
class Connection:
    """`key` is None where the AWS SDK finds the credentials itself, as with AWS_ENDPOINT_URL set by hand."""

    endpoint: str
    region: str
    key: RootKey | None

    @cached_property
    def session(self) -> "boto3.Session":
        import boto3

        if self.key is None:
            return boto3.Session(region_name=self.region)
        return boto3.Session(self.key.access_key_id, self.key.secret_access_key, region_name=self.region)

    def client(self, service: Any) -> Any:
        """A client with a few retries, quick to say that nobody answers."""
        from botocore.config import Config

        config = Config(retries={"mode": "standard", "total_max_attempts": 3}, connect_timeout=5, read_timeout=900)
        return self.session.client(service, endpoint_url=self.endpoint, config=config)

    def ask(self, service: str, method: str, path: str, content: object = None) -> Any:
        """Calls an endpoint of Cloudlet's own (`/_cloudlet/…`), signed for its service; returns what its JSON says."""
        from botocore.auth import SigV4Auth
        from botocore.awsrequest import AWSRequest
        from botocore.exceptions import NoCredentialsError

        body = b"" if content is None else json.dumps(content).encode()
        credentials = self.session.get_credentials()
        if credentials is None:
            raise NoCredentialsError
        url = self.endpoint + path
        request = AWSRequest(method, url, {"Content-Type": "application/json"}, body)
        SigV4Auth(credentials, service, self.region).add_auth(request)
        signed = urllib.request.Request(url, body or None, dict(request.headers), method=method)
        return _answer(signed, self.endpoint)

    def health(self) -> dict[str, Any]:
        health: dict[str, Any] = _answer(urllib.request.Request(f"{self.endpoint}/_cloudlet/health"), self.endpoint)
        return health


def connect(data: Path | None) -> Connection:
    """To the server that has the data folder; without one given, AWS_ENDPOINT_URL is followed if it is set.

    Raises CommandError if no server runs there. AWS itself is never meant: without an endpoint, the data folder
    decides.
    """
    if data is None and os.environ.get("AWS_ENDPOINT_URL"):
        return Connection(os.environ["AWS_ENDPOINT_URL"].rstrip("/"), region(), None)
    folder = data_folder(data)
    server = running_server(folder)
    if server is None:
        raise CommandError(f"No Cloudlet is running on the data folder {folder}. Start it: {_up(folder)}")
    return Connection(server.url, region(), readable_root_key(folder))


def data_folder(data: Path | None) -> Path:
    return data or Path(os.environ.get("CLOUDLET_DATA") or DEFAULT_DATA)


def region() -> str:
    return os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION") or "us-east-1"


def readable_root_key(folder: Path) -> RootKey:
    """Raises CommandError if it may not be read or is only half given."""
    try:
        return root_key(folder)
    except (IncompleteRootKey, OSError) as error:
        raise CommandError(f"The root access key of {folder} cannot be had: {error}") from None


def _up(folder: Path) -> str:
    return "cloudlet up" if folder == DEFAULT_DATA else f"cloudlet up --data {folder}"


def _answer(request: urllib.request.Request, endpoint: str) -> Any:
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.load(answer)
    except urllib.error.HTTPError as error:
        raise CommandError(f"{request.selector} was refused ({error.code}): {_reason(error)}") from None
    except (urllib.error.URLError, TimeoutError) as error:
        raise CommandError(f"Nothing answers at {endpoint} ({error}). Start Cloudlet: cloudlet up") from None


def _reason(error: urllib.error.HTTPError) -> str:
    text = error.read().decode("utf-8", "replace")
    try:
        content = json.loads(text)
    except ValueError:
        return text[:300] or error.reason
    return str(content.get("message") or content.get("Message") or text[:300])
