"""The throttle policy of HTTP subscribers: so many deliveries a second, at even distances."""

import asyncio

# Slots that have passed say nothing any more; they are looked through once there are so many.
_MANY = 1000


class Throttle:
    def __init__(self) -> None:
        self._next: dict[str, float] = {}

    async def wait(self, subscription: str, per_second: int) -> None:
        """Waits for the subscription's next slot."""
        loop = asyncio.get_running_loop()
        now = loop.time()
        slot = max(now, self._next.get(subscription, 0.0))
        if len(self._next) >= _MANY:
            self._next = {known: time for known, time in self._next.items() if time > now}
        self._next[subscription] = slot + 1 / per_second
        if slot > now:
            await asyncio.sleep(slot - now)
