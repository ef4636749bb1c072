"""Who gets the memory of execution environments when there is not enough for all."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudlet.runtime.budget import MemoryBudget


def nothing_idle() -> int:
    return 0


def take(budget: MemoryBudget, holder: str, memory: int = 1) -> asyncio.Task[bool]:
    return asyncio.create_task(budget.take(holder, memory, lambda: True, 60.0))


def end(budget: MemoryBudget, holder: str, memory: int = 1) -> None:
    budget.ends(memory)
    budget.give_back(holder, memory)


async def test_what_comes_free_goes_to_whoever_holds_the_least() -> None:
    budget = MemoryBudget(3, nothing_idle)
    await asyncio.gather(*(take(budget, "noisy") for _ in range(3)))
    again, quiet = take(budget, "noisy"), take(budget, "quiet")
    await asyncio.sleep(0)
    assert budget.is_owed("noisy")
    assert not budget.is_owed("quiet")
    end(budget, "noisy")
    assert await quiet
    assert not again.done()
    end(budget, "quiet")
    assert await again


async def test_idle_environments_make_room() -> None:
    budget = MemoryBudget(2, lambda: (budget.ends(2), 2)[1])
    assert await take(budget, "idle", 2)
    wanted = take(budget, "new", 2)
    await asyncio.sleep(0)
    assert not wanted.done()
    budget.give_back("idle", 2)
    assert await wanted


async def test_who_does_not_want_it_any_more_or_has_no_patience() -> None:
    budget = MemoryBudget(1, nothing_idle)
    assert await take(budget, "first")
    assert not await budget.take("second", 1, lambda: False, 60.0)
    with pytest.raises(TimeoutError):
        await budget.take("third", 1, lambda: True, 0.0)
    end(budget, "first")
    assert budget.used == 0


async def test_what_is_larger_than_the_budget_runs_alone() -> None:
    budget = MemoryBudget(1, nothing_idle)
    assert await take(budget, "large", 5)
    assert budget.used == 5


@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(1, 4)), max_size=20))
def test_the_budget_is_never_exceeded(wishes: list[tuple[str, int]]) -> None:
    async def run() -> None:
        budget = MemoryBudget(4, nothing_idle)

        async def use(holder: str, memory: int) -> None:
            assert await budget.take(holder, memory, lambda: True, 60.0)
            assert budget.used <= 4
            await asyncio.sleep(0)
            end(budget, holder, memory)

        await asyncio.gather(*(use(holder, memory) for holder, memory in wishes))
        assert budget.used == 0

    asyncio.run(run())
