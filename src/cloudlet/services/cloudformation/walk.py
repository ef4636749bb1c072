"""Runs a step for each resource of a graph: what waits for nothing runs at the same time."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

Step = Callable[[str], Awaitable[bool]]


@dataclass(frozen=True, slots=True)
class Outcome:
    """`failed` steps answered False; `left` were never begun."""

    failed: frozenset[str]
    left: frozenset[str]


class Walk:
    """One walk. After `halt` no step begins; those under way end."""

    def __init__(self) -> None:
        self.halted = False

    def halt(self) -> None:
        self.halted = True

    async def run(self, graph: Mapping[str, frozenset[str]], step: Step, *, keep_going: bool = False) -> Outcome:
        """`graph` names for each step the ones to come before it.

        After a failure nothing else begins, or with `keep_going` only what does not wait for the failed.
        A step that raises ends the walk with that error, once the others under way have ended.
        """
        waiting = dict(graph)
        done: set[str] = set()
        failed: set[str] = set()
        running: dict[asyncio.Task[bool], str] = {}
        try:
            while True:
                if not self.halted and (keep_going or not failed):
                    ready = [name for name, needs in waiting.items() if needs & graph.keys() <= done]
                    if not ready and not running and not failed:
                        ready = list(waiting)  # a circle, which only leftovers of several updates can form
                    for name in ready:
                        del waiting[name]
                        running[asyncio.ensure_future(step(name))] = name
                if not running:
                    return Outcome(frozenset(failed), frozenset(waiting))
                finished, _ = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
                for task in finished:
                    name = running.pop(task)
                    (done if task.result() else failed).add(name)
        finally:
            for task in running:
                task.cancel()
            await asyncio.gather(*running, return_exceptions=True)
