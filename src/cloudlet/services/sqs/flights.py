"""The limit of messages in flight: a queue gives out no more than that until some are deleted or come back."""

from collections import OrderedDict

from cloudlet.services.sqs.queues import Queue
from cloudlet.store import Reader

MOST_IN_FLIGHT = 120_000
_MOST_QUEUES = 1000


class Flights:
    """Counts anew only when as many messages were given out as there was room for: until then there surely is some."""

    def __init__(self) -> None:
        self._room: OrderedDict[int, int] = OrderedDict()

    def room(self, reader: Reader, queue: Queue, wanted: int, now: int) -> int:
        """How many of the wanted messages may be given out; they count as given."""
        room = self._room.pop(queue.id, 0)
        if room < wanted:
            room = max(0, MOST_IN_FLIGHT - _in_flight(reader, queue, now))
        given = min(room, wanted)
        self._room[queue.id] = room - given
        if len(self._room) > _MOST_QUEUES:
            self._room.popitem(last=False)
        return given


def _in_flight(reader: Reader, queue: Queue, now: int) -> int:
    row = reader.one("SELECT count(*) FROM message WHERE queue = ? AND visible > ? AND receives > 0", (queue.id, now))
    return row[0] if row is not None else 0
