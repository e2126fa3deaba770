"""Whose turn it is: one at a time, askers in turn, a bound, and nobody waits for one who has left."""

from __future__ import annotations

import asyncio

import pytest

from streams.serving.turns import NoTurnError, Turns


class Desk:
    """Requests that hold their turn until told to end."""

    def __init__(self) -> None:
        """Begin with nobody."""
        self.turns = Turns(waiting_each=3, waiting=5)
        self.served: list[str] = []
        self.ends = asyncio.Event()

    async def _ask(self, asker: str, name: str) -> None:
        async with self.turns.turn(asker):
            self.served.append(name)
            await self.ends.wait()
            self.ends.clear()

    async def ask(self, *names: str) -> list[asyncio.Task[None]]:
        """Ask, in the order given; the first letter is who asks."""
        tasks = [asyncio.create_task(self._ask(name[0], name)) for name in names]
        await asyncio.sleep(0)
        return tasks

    async def end(self) -> None:
        """End the turn that is held, and let the next begin."""
        self.ends.set()
        for _ in range(5):
            await asyncio.sleep(0)


def test_askers_take_turns() -> None:
    """One who asked four times first is followed by the others, each once, before it is its turn again."""

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
    """Three of one asker wait and five in all; who comes on top is told at once how many are ahead, and whether they are its own."""

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


def test_a_turn_that_does_not_come_in_time() -> None:
    """One who has waited for long enough is told so, and waits no more: the turn goes to the next without it."""

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


def test_who_leaves_is_skipped() -> None:
    """While it waits, in the moment in which it is called, and while it is served."""

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
