"""HTTP and HTTPS subscribers: the request as SNS makes it, and what its answer means."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from cloudlet.services.sns.outcomes import Refused, Unavailable

if TYPE_CHECKING:
    import aiohttp

_TIMEOUT_SECONDS = 15
_USER_AGENT = "Amazon Simple Notification Service Agent"
_TOO_MANY_REQUESTS = 429


class HttpEndpoints:
    """One client session, opened when it is first needed."""

    def __init__(self) -> None:
        self._session: aiohttp.ClientSession | None = None

    async def post(
        self,
        url: str,
        body: str,
        content_type: str,
        about: Mapping[str, str],
        *,
        subscription: str | None = None,
        raw: bool = False,
    ) -> None:
        """`about` has Type, MessageId and TopicArn. Raises Unavailable for 429, 5xx and no answer, else Refused."""
        # A slow import: a server that posts to nobody does not wait for it at its start.
        import aiohttp

        headers = {
            "Content-Type": content_type,
            "User-Agent": _USER_AGENT,
            "x-amz-sns-message-type": about["Type"],
            "x-amz-sns-message-id": about["MessageId"],
            "x-amz-sns-topic-arn": about["TopicArn"],
        }
        if subscription is not None:
            headers["x-amz-sns-subscription-arn"] = subscription
        if raw:
            headers["x-amz-sns-rawdelivery"] = "true"
        if self._session is None:
            connector = aiohttp.TCPConnector(limit=0)  # the outbox bounds what is under way
            self._session = aiohttp.ClientSession(
                timeout=aiohttp.ClientTimeout(total=_TIMEOUT_SECONDS), connector=connector
            )
        try:
            async with self._session.post(url, data=body.encode(), headers=headers, allow_redirects=False) as answer:
                status = answer.status
        except (aiohttp.ClientError, TimeoutError) as failure:
            raise Unavailable(f"{type(failure).__name__}: {failure}") from failure
        if status == _TOO_MANY_REQUESTS or status >= 500:
            raise Unavailable(f"HTTP status {status}", status)
        if not 200 <= status < 300:
            raise Refused(f"HTTP status {status}", status)

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()
