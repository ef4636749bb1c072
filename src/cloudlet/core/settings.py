"""How this Cloudlet was started."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(slots=True)
class Settings:
    """`port` is 0 until the server is bound where the system was asked for a free one.

    `smtp_url` (`smtp://user:password@host:587`) is where SNS e-mails go; without it, into the local mailbox.
    `sns_certificate_url` is the address under which subscribers find the certificate of SNS, where that is not this
    server's own. Execution environments of functions end when nobody has called them for `function_idle_seconds`.
    """

    data: Path
    host: str = "127.0.0.1"
    port: int = 4566
    default_region: str = "us-east-1"
    smtp_url: str | None = None
    sns_certificate_url: str | None = None
    function_idle_seconds: float = 600.0

    @property
    def endpoint_url(self) -> str:
        """What clients on this machine, functions among them, use as AWS_ENDPOINT_URL."""
        host = "127.0.0.1" if self.host in ("0.0.0.0", "::", "") else self.host
        return f"http://[{host}]:{self.port}" if ":" in host else f"http://{host}:{self.port}"
