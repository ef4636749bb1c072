"""The memory that all execution environments share, and who gets it when there is not enough for all."""

import asyncio
from collections import Counter
from collections.abc import Callable, Hashable
from dataclasses import dataclass


@dataclass(slots=True)
class _Wanted:
    holder: Hashable
    memory: int
    still: Callable[[], bool]
    answer: asyncio.Future[bool]


class MemoryBudget:
    """`total` MB for environments. What comes free goes to whoever holds the least, so that nobody starves the others.

    `evict` begins to end an idle environment, and returns its memory; 0 if none is idle.
    """

    def __init__(self, total: int, evict: Callable[[], int]) -> None:
        self.used = 0
        self._total = total
        self._evict = evict
        self._held: Counter[Hashable] = Counter()
        self._ending = 0
        self._waiting: list[_Wanted] = []

    async def take(self, holder: Hashable, memory: int, still_wanted: Callable[[], bool], patience: float) -> bool:
        """Waits for its turn; False once it is not wanted any more. Raises TimeoutError after `patience` seconds."""
        wanted = _Wanted(holder, memory, still_wanted, asyncio.get_running_loop().create_future())
        self._waiting.append(wanted)
        self.look_again()
        try:
            async with asyncio.timeout(patience):
                return await wanted.answer
        except BaseException:
            if wanted in self._waiting:
                self._waiting.remove(wanted)
            elif wanted.answer.done() and not wanted.answer.cancelled() and wanted.answer.result():
                self._add(holder, -memory)  # it was given in the same moment
            raise

    def ends(self, memory: int) -> None:
        """An environment of so much is on its way out: `give_back` follows."""
        self._ending += memory

    def give_back(self, holder: Hashable, memory: int) -> None:
        self._ending -= memory
        self._add(holder, -memory)
        self.look_again()

    def is_owed(self, holder: Hashable) -> bool:
        """Whether somebody waits who would still hold less than this one with what it wants."""
        held = self._held[holder]
        return any(
            wanted.holder is not holder and self._held[wanted.holder] + wanted.memory < held for wanted in self._waiting
        )

    def look_again(self) -> None:
        """Something has changed for those who wait: there is memory, or an idle environment to end."""
        while self._waiting:
            wanted = min(self._waiting, key=lambda each: self._held[each.holder])
            if not wanted.still():
                self._answer(wanted, given=False)
            elif not self.used or self.used + wanted.memory <= self._total:
                self._answer(wanted, given=True)
            elif self.used - self._ending + wanted.memory <= self._total or not self._evict():
                return

    def _answer(self, wanted: _Wanted, *, given: bool) -> None:
        self._waiting.remove(wanted)
        if not wanted.answer.done():
            if given:
                self._add(wanted.holder, wanted.memory)
            wanted.answer.set_result(given)

    def _add(self, holder: Hashable, memory: int) -> None:
        self.used += memory
        self._held[holder] += memory
        if not self._held[holder]:
            del self._held[holder]
