"""Each platform goes on while its connector is interrupted anywhere: between any two steps, and with any transaction refused or in doubt.

This is what a kill does to what is in Kafka, in one process and thousands of steps; `tests/faults/test_pull_is_killed.py` kills a real one.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections import Counter
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from schemas.other import SourceHeartbeat
from streams.connectors.publishing import NotPublishedError
from streams.connectors.pull.entries import MemoryLedger
from tests.connectors.live.test_freshdesk import Freshdesk, said
from tests.connectors.live.test_next_engine import NOW, NextEngine
from tests.connectors.live.test_others import Oracle
from tests.connectors.live.test_zendesk import SETTINGS, Zendesk
from tests.support.asked import Clock, ask_once, serving

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from streams.connectors.pull.entries import Entry


#: How far a platform goes on: it has an end, so that whoever asks comes to it.
_STEPS = 60


class ShakyLedger(MemoryLedger):
    """Refuses an entry now and then, or takes it and says nothing."""

    chance: random.Random | None = None

    async def write(self, entry: Entry) -> None:
        """See Ledger."""
        if self.chance is not None and entry.cursor is not None:
            fate = self.chance.random()
            if fate < 0.15:
                self._open = False
                raise NotPublishedError("refused")
            self.in_doubt = fate < 0.3
        await super().write(entry)


def told(ledger: MemoryLedger) -> Counter[str]:
    """Return the ids of what was told, and how often."""
    return Counter(event.event_id for event in ledger.events if not isinstance(event, SourceHeartbeat))


def next_engine(clock: Clock, chance: random.Random) -> tuple[Any, Callable[[], None], dict[str, Any]]:
    """Orders come, are changed, and some are cancelled."""
    shop = NextEngine(page=5)

    def step() -> None:
        clock.now += timedelta(seconds=chance.randint(1, 40))
        shop.change(len(shop.slips), clock.now - timedelta(seconds=1))
        order = chance.randrange(len(shop.slips))
        if chance.random() < 0.3:
            shop.change(order, clock.now, receive_order_cancel_type_id="1")
        elif chance.random() < 0.5:
            shop.change(order, clock.now)

    return shop, step, {}


def zendesk(clock: Clock, chance: random.Random) -> tuple[Any, Callable[[], None], dict[str, Any]]:
    """Tickets come and are answered, several a second at times."""
    desk = Zendesk(clock)

    def step() -> None:
        clock.now += timedelta(seconds=chance.choice([0, 0, 5, 70]))
        desk.ticket(len(desk.tickets) + 1, clock.now.replace(microsecond=0))
        if chance.random() < 0.6:
            desk.reply(chance.randint(1, len(desk.tickets)), clock.now.replace(microsecond=0))

    return desk, step, SETTINGS


def freshdesk(clock: Clock, chance: random.Random) -> tuple[Any, Callable[[], None], dict[str, Any]]:
    """Tickets come, and are answered once."""
    desk = Freshdesk()

    def step() -> None:
        clock.now += timedelta(seconds=chance.randint(0, 30))
        for _ in range(chance.randint(1, 20)):
            desk.ticket(len(desk.tickets), clock.now)
        ticket = chance.randrange(len(desk.tickets))
        if not desk.tickets[ticket]["stats"]:
            desk.ticket(ticket, clock.now, first_responded_at=said(clock.now))

    return desk, step, {"api_key": "key"}


def oracle(clock: Clock, chance: random.Random) -> tuple[Any, Callable[[], None], dict[str, Any]]:
    """Incidents come, and are solved once."""
    site = Oracle()

    def step() -> None:
        clock.now += timedelta(seconds=chance.randint(0, 30))
        for _ in range(chance.randint(1, 20)):
            site.change(len(site.incidents) + 1, clock.now)
        incident = chance.randint(1, len(site.incidents))
        if "initialSolutionTime" not in site.incidents[incident]:
            solved = {"initialSolutionTime": said(clock.now), "statusWithType.statusType": "2"}
            site.change(incident, clock.now, **solved)

    return site, step, {"user": "api", "password": "pw", "threads": chance.random() < 0.5}


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize(
    ("name", "make"),
    [("next-engine", next_engine), ("zendesk-export", zendesk), ("freshdesk", freshdesk), ("oracle-b2c-service", oracle)],
    ids=lambda each: each if isinstance(each, str) else "",
)
def test_interrupted_anywhere(name: str, make: Callable[..., Any], seed: int, tmp_path: Path) -> None:
    """What was told in pieces is what one who asks at the end is told: nothing is lost, and of those that compare nothing is told twice."""

    async def scenario() -> None:
        chance, clock = random.Random(seed), Clock(NOW)
        fake, step, settings = make(clock, chance)
        ledger, going_on = ShakyLedger("platform"), True
        ledger.chance = chance
        interrupted: Counter[str] = Counter()
        steps = 0

        def meanwhile() -> None:
            nonlocal steps
            if going_on and steps < _STEPS and chance.random() < 0.15:
                steps += 1
                step()

        async with serving(fake.routes, meanwhile) as url, asyncio.timeout(180):
            settings = {**settings, "url": url}
            if name == "next-engine":
                settings |= {"tokens_file": str(tmp_path / "tokens"), "access_token": "access-1", "refresh_token": "refresh-1"}
            while (steps < _STEPS or min(interrupted["killed"], interrupted["not acknowledged"]) <= 2) and interrupted.total() < 200:
                asking = asyncio.create_task(ask_once(name, settings, ledger, clock))
                if chance.random() < 0.5:
                    await asyncio.sleep(chance.uniform(0, 0.01))
                    interrupted["killed"] += asking.cancel()
                try:
                    with contextlib.suppress(asyncio.CancelledError):
                        await asking
                except NotPublishedError:
                    interrupted["not acknowledged"] += 1
            going_on, ledger.chance = False, None
            clock.now += timedelta(hours=1)
            await ask_once(name, settings, ledger, clock, rounds=2)
            clean = MemoryLedger("platform")
            await ask_once(name, settings, clean, clock)
        assert min(interrupted["killed"], interrupted["not acknowledged"]) > 2, interrupted
        assert set(told(ledger)) == set(told(clean))
        assert len(told(clean)) > 20
        if name == "next-engine":
            assert set(told(ledger).values()) == {1}
        assert ledger.rejected == []

    asyncio.run(scenario())
