"""The fair queue: one turn at a time, askers in rotation, limits, and no wait for requests that have left."""

from __future__ import annotations

import asyncio

import pytest

from streams.serving.turns import NoTurnError, Turns


class Desk:
    """Requests that hold their turn until they are ended."""

    def __init__(self) -> None:
        """Start without requests."""
        self.turns = Turns(waiting_each=3, waiting=5)
        self.served: list[str] = []
        self.ends = asyncio.Event()

    async def _ask(self, asker: str, name: str) -> None:
        async with self.turns.turn(asker):
            self.served.append(name)
            await self.ends.wait()
            self.ends.clear()

    async def ask(self, *names: str) -> list[asyncio.Task[None]]:
        """Queue requests in the order given; the first letter is the asker."""
        tasks = [asyncio.create_task(self._ask(name[0], name)) for name in names]
        await asyncio.sleep(0)
        return tasks

    async def end(self) -> None:
        """End the current turn, and start the next."""
        self.ends.set()
        for _ in range(5):
            await asyncio.sleep(0)


def test_askers_take_turns() -> None:
    """An asker with four requests is followed by the others, each once, before its next turn."""

    async def check() -> None:
        desk = Desk()
        tasks = await desk.ask("a1", "a2", "a3", "a4", "b1", "c1")
        assert desk.served == ["a1"]
        for _ in range(6):
            await desk.end()
        await asyncio.gather(*tasks)
        assert desk.served == ["a1", "a2", "b1", "c1", "a3", "a4"]

    asyncio.run(check())


def test_the_bounds() -> None:
    """Three requests of one asker wait and five in all; one more is refused at once, with the number ahead and whether they are its own."""

    async def check() -> None:
        desk = Desk()
        tasks = await desk.ask("a1", "a2", "a3", "a4")
        for asker, ahead, own in (("a", 3, True), ("d", 5, False)):
            with pytest.raises(NoTurnError) as refused:
                async with desk.turns.turn(asker):
                    pass
            assert (refused.value.ahead, refused.value.own) == (ahead, own)
            if own:
                tasks += await desk.ask("b1", "c1")
        for _ in range(6):
            await desk.end()
        await asyncio.gather(*tasks)

    asyncio.run(check())


def test_a_wait_that_times_out() -> None:
    """A request that times out is refused and removed: the turn goes to the next."""

    async def check() -> None:
        turns = Turns(waiting_seconds=0.05)
        async with turns.turn("a"):
            with pytest.raises(NoTurnError) as refused:
                async with turns.turn("b"):
                    pass
            assert (refused.value.ahead, refused.value.own, refused.value.late, turns.waiting) == (0, False, True, 0)
        async with asyncio.timeout(1), turns.turn("c"):
            pass

    asyncio.run(check())


def test_a_cancelled_request_is_skipped() -> None:
    """It may be cancelled while it waits, at the moment of its turn, and during its turn."""

    async def check() -> None:
        desk = Desk()
        served, waiting, called, last = await desk.ask("a1", "b1", "c1", "d1")
        waiting.cancel()
        await asyncio.sleep(0)
        served.cancel()
        await asyncio.sleep(0)  # c1 is called, and not there yet
        called.cancel()
        for _ in range(5):
            await asyncio.sleep(0)
        assert desk.served == ["a1", "d1"]
        await desk.end()
        await last
        async with desk.turns.turn("e"):
            assert desk.turns.waiting == 0

    asyncio.run(check())
