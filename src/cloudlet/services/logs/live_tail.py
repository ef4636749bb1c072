"""Live Tail: what is added to log groups, seen as it comes."""

import asyncio
import random
from collections.abc import AsyncIterator, Mapping
from typing import TYPE_CHECKING, Any

from cloudlet.core.context import Call
from cloudlet.core.errors import AwsError
from cloudlet.core.ids import request_id
from cloudlet.services.logs.arrivals import Arrival
from cloudlet.services.logs.filter_pattern import compiled

if TYPE_CHECKING:
    from types_boto3_logs.type_defs import StartLiveTailRequestTypeDef

_UPDATE_SECONDS = 1.0
_MOST_SECONDS = 3 * 3600.0
_MOST_EVENTS = 500


class Session:
    """One tail: what has come since its last update, a sample of it if that is more than an update holds."""

    def __init__(self, call: Call, groups: Mapping[int, str], params: "StartLiveTailRequestTypeDef") -> None:
        """`groups` are the ARNs of the log groups by their ids."""
        self.account = call.account
        self.groups = groups
        self._id = request_id()
        self._request_id = call.request_id
        self._names = frozenset(params.get("logStreamNames", ()))
        self._prefixes = tuple(params.get("logStreamNamePrefixes", ()))
        self._pattern = params.get("logEventFilterPattern", "")
        self._matches = compiled(self._pattern).matches
        self._results: list[dict[str, Any]] = []
        self._seen = 0

    def start(self) -> dict[str, Any]:
        """The session as its first event tells it."""
        return {
            "requestId": self._request_id,
            "sessionId": self._id,
            "logGroupIdentifiers": list(self.groups.values()),
            "logStreamNames": sorted(self._names),
            "logStreamNamePrefixes": list(self._prefixes),
            "logEventFilterPattern": self._pattern,
        }

    def offer(self, arrival: Arrival) -> None:
        if self._names and arrival.stream not in self._names:
            return
        if self._prefixes and not arrival.stream.startswith(self._prefixes):
            return
        identifier = self.groups[arrival.group.id]
        for event in arrival.events:
            if self._matches(event["message"]):
                self._keep(
                    {
                        "logStreamName": arrival.stream,
                        "logGroupIdentifier": identifier,
                        "message": event["message"],
                        "timestamp": event["timestamp"],
                        "ingestionTime": arrival.ingested,
                    }
                )

    def update(self) -> dict[str, Any]:
        """What has come since the last one."""
        results, seen = self._results, self._seen
        self._results, self._seen = [], 0
        return {"sessionMetadata": {"sampled": seen > len(results)}, "sessionResults": results}

    def _keep(self, result: dict[str, Any]) -> None:
        """Each of all that have come has the same chance to be in the update."""
        self._seen += 1
        if len(self._results) < _MOST_EVENTS:
            self._results.append(result)
        elif (place := random.randrange(self._seen)) < _MOST_EVENTS:
            del self._results[place]
            self._results.append(result)


class LiveTail:
    """All sessions under way."""

    def __init__(self) -> None:
        self._sessions: dict[int, list[Session]] = {}
        self._ended = asyncio.Event()

    def end(self) -> None:
        """Ends all sessions: nothing new comes any more."""
        self._ended.set()

    def offer(self, arrival: Arrival) -> None:
        """To be called once the events are on disk."""
        for session in self._sessions.get(arrival.group.id, ()):
            session.offer(arrival)

    def count(self, account: str) -> int:
        sessions = {session for watching in self._sessions.values() for session in watching}
        return sum(session.account == account for session in sessions)

    async def stream(self, session: Session) -> AsyncIterator[dict[str, Any]]:
        """The events of the session's stream; closing it ends the session."""
        for id_ in session.groups:
            self._sessions.setdefault(id_, []).append(session)
        try:
            yield {"sessionStart": session.start()}
            end = asyncio.get_running_loop().time() + _MOST_SECONDS
            while not await self._ends_within(_UPDATE_SECONDS):
                yield {"sessionUpdate": session.update()}
                if asyncio.get_running_loop().time() > end:
                    raise AwsError("SessionTimeoutException", "The session was kept open for three hours.")
        finally:
            for id_ in session.groups:
                self._sessions[id_].remove(session)
                if not self._sessions[id_]:
                    del self._sessions[id_]

    async def _ends_within(self, seconds: float) -> bool:
        try:
            async with asyncio.timeout(seconds):
                return await self._ended.wait()
        except TimeoutError:
            return False
