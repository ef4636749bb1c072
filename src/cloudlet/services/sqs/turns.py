"""Fair queues: in a standard queue whose messages have group ids, the groups are served in turn.

Who sends much waits for his own messages, not the others for his.
"""

from collections import OrderedDict

from cloudlet.services.sqs.queues import Queue
from cloudlet.store import Reader

_MOST_QUEUES = 1000
# Groups without a message to give that one receive looks at, before it takes what has been visible longest.
_MOST_EMPTY = 50

_GROUPED = "FROM message WHERE queue = ?1 AND sequence IS NULL"
_HAS_GROUPS = f"SELECT 1 {_GROUPED} AND group_id > '' LIMIT 1"
_NEXT_GROUP = f"SELECT min(group_id) {_GROUPED} AND group_id > ?2"
_OF_GROUP = (
    f"SELECT id {_GROUPED} AND group_id = ?2 AND visible <= ?3 AND +sent > ?4 ORDER BY visible, id LIMIT 1 OFFSET ?5"
)
_OF_NONE = (
    "SELECT id FROM message WHERE queue = ?1 AND group_id IS NULL AND visible <= ?3 AND +sent > ?4"
    " ORDER BY visible, id LIMIT 1 OFFSET ?5"
)
_NONE = ""  # stands for the messages without a group, which are served once a round as well


class Turns:
    """Remembers which group was served last in each queue; after a restart the first one begins."""

    def __init__(self) -> None:
        self._last: OrderedDict[int, str] = OrderedDict()

    def messages(self, reader: Reader, queue: Queue, count: int, now: int) -> list[int] | None:
        """The ids of the next `count` messages in turn; None where the queue has no groups, or too many idle ones."""
        if reader.one(_HAS_GROUPS, (queue.id,)) is None:
            return None
        found: list[int] = []
        given: dict[str, int] = {}
        group, empty = self._last.get(queue.id, _NONE), 0
        idle: set[str] = set()
        while len(found) < count and group not in idle:
            if empty == _MOST_EMPTY:
                break
            message = _message(reader, queue, group, given.get(group, 0), now)
            if message is None:
                idle.add(group)
                empty += 1
            else:
                found.append(message)
                given[group] = given.get(group, 0) + 1
                idle.clear()
            group = _following(reader, queue, group)
        self._remember(queue, group)
        return None if not found and empty == _MOST_EMPTY else found

    def _remember(self, queue: Queue, group: str) -> None:
        self._last[queue.id] = group
        self._last.move_to_end(queue.id)
        if len(self._last) > _MOST_QUEUES:
            self._last.popitem(last=False)


def _message(reader: Reader, queue: Queue, group: str, given: int, now: int) -> int | None:
    sql = _OF_NONE if group == _NONE else _OF_GROUP
    row = reader.one(sql, (queue.id, group, now, now - queue.retention * 1000, given))
    return row[0] if row is not None else None


def _following(reader: Reader, queue: Queue, group: str) -> str:
    """The next group by name; behind the last one come the messages without any."""
    row = reader.one(_NEXT_GROUP, (queue.id, group))
    return row[0] if row is not None and row[0] is not None else _NONE
