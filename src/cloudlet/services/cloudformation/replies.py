"""What custom resources answer: their functions put it to an address that is made for one request each."""

import secrets
from dataclasses import dataclass
from typing import Any, cast

import orjson

from cloudlet.core.errors import AwsError
from cloudlet.core.http import HttpRequest, HttpResponse
from cloudlet.core.service import Cloud
from cloudlet.store import Store, Transaction

PATH = "/_aws/cloudformation/replies/"
_LARGEST = 4096


@dataclass(frozen=True, slots=True)
class Question:
    """One request to a custom resource. `kind` is Create, Update or Delete; `run` the walk that it belongs to."""

    stack: str
    logical_id: str
    run: int
    kind: str


class Replies:
    """The questions that wait for an answer, kept so that an answer that comes after a crash finds its question."""

    def __init__(self, cloud: Cloud, store: Store) -> None:
        self._cloud = cloud
        self._store = store

    async def token(self, question: Question) -> str:
        """The secret in the question's address: the same again if the question was asked before a crash."""

        def write(tx: Transaction) -> str:
            key = (question.stack, question.logical_id, question.run, question.kind)
            row = tx.one("SELECT token FROM replies WHERE stack = ? AND logical_id = ? AND run = ? AND kind = ?", key)
            if row is not None:
                return row[0]
            token = secrets.token_urlsafe(32)
            tx.execute(
                "INSERT INTO replies (token, stack, logical_id, run, kind) VALUES (?, ?, ?, ?, ?)", (token, *key)
            )
            return token

        return await self._store.write(write)

    def url(self, token: str) -> str:
        return f"{self._cloud.settings.endpoint_url}{PATH}{token}"

    def answer(self, token: str) -> dict[str, Any] | None:
        row = self._store.reader.one("SELECT body FROM replies WHERE token = ?", (token,))
        return None if row is None or row[0] is None else orjson.loads(row[0])

    async def wait_answered(self, token: str, seconds: float) -> dict[str, Any]:
        """Raises AwsError if no answer comes within the time."""
        deadline = self._cloud.clock.now() + seconds
        with self._cloud.signals.listen(_topic(token)) as listener:
            while (answer := self.answer(token)) is None:
                left = deadline - self._cloud.clock.now()
                if left <= 0 or not await listener.wait(left):
                    raise AwsError(
                        "NotStabilized", "CloudFormation did not receive a response from your Custom Resource."
                    )
        return answer

    async def receive(self, request: HttpRequest) -> HttpResponse:
        """Takes an answer in: the address is the permission."""
        token = request.path.removeprefix(PATH)
        if request.method != "PUT":
            return HttpResponse(405)
        if request.body.length is None:
            return HttpResponse(411)
        if request.body.length > _LARGEST:
            return HttpResponse(413)
        content = await request.body.read()
        try:
            body = orjson.loads(content)
        except orjson.JSONDecodeError:
            return HttpResponse(400)
        if not isinstance(body, dict):
            return HttpResponse(400)
        text = orjson.dumps(cast("dict[str, Any]", body))

        def write(tx: Transaction) -> int:
            tx.after_commit(lambda: self._cloud.signals.notify(_topic(token)))
            return tx.execute("UPDATE replies SET body = ? WHERE token = ? AND body IS NULL", (text, token))

        return HttpResponse(200 if await self._store.write(write) else 404)


def _topic(token: str) -> str:
    return f"cloudformation-reply:{token}"
