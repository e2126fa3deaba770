"""Each platform changes while its connector is interrupted anywhere: between any two steps, and with any transaction refused or in doubt.

This is what a kill does to what is in Kafka, in one process and thousands of steps; `tests/faults/test_pull_is_killed.py` kills a real one.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import random
from collections import Counter
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from schemas.other import SourceHeartbeat
from streams.connectors.publishing import NotPublishedError
from streams.connectors.pull.entries import MemoryLedger
from streams.connectors.pull.status import RunSettings
from tests.connectors.live import going_on
from tests.connectors.live.test_freshdesk import Freshdesk, formatted
from tests.connectors.live.test_next_engine import NOW, NextEngine
from tests.connectors.live.test_others import Oracle
from tests.connectors.live.test_salesforce_service_cloud import going_on as salesforce
from tests.connectors.live.test_zendesk import SETTINGS, Zendesk
from tests.support.polling import Clock, poll_once, serving

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from streams.connectors.pull.entries import Entry
    from tests.connectors.live.going_on import Made


#: How many steps a platform takes: it stops, so that a connector that polls reaches its end.
_STEPS = 60


class ShakyLedger(MemoryLedger):
    """Refuses an entry now and then, or takes it without an acknowledgement."""

    chance: random.Random | None = None
    meanwhile: Callable[[], None] | None = None

    async def write(self, entry: Entry) -> None:
        """See Ledger."""
        if self.meanwhile is not None:
            self.meanwhile()
        if self.chance is not None and entry.cursor is not None:
            fate = self.chance.random()
            if fate < 0.15:
                self._open = False
                raise NotPublishedError("refused")
            self.in_doubt = fate < 0.3
        await super().write(entry)


def published(ledger: MemoryLedger) -> Counter[str]:
    """Return the ids of the published events, and how often each was published."""
    return Counter(event.event_id for event in ledger.events if not isinstance(event, SourceHeartbeat))


def last_words(ledger: MemoryLedger) -> dict[str, dict[str, Any]]:
    """Return the last version of each event that may be repeated, without its time."""
    words: dict[str, Any] = {}
    for event in ledger.events:
        before = words.get(event.event_id)
        if event.revision is not None and (before is None or event.revision >= before.revision):
            words[event.event_id] = event
    return {name: event.model_dump(exclude={"occurred_at", "received_at", "revision"}) for name, event in words.items()}


def next_engine(clock: Clock, chance: random.Random, folder: Path) -> Made:
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

    tokens = {"access_token": "access-1", "refresh_token": "refresh-1"}
    return shop.routes, step, {"tokens_file": str(folder / "tokens"), **tokens}


def zendesk(clock: Clock, chance: random.Random, _: Path) -> Made:
    """Tickets come and are answered, several a second at times."""
    desk = Zendesk(clock)

    def step() -> None:
        clock.now += timedelta(seconds=chance.choice([0, 0, 5, 70]))
        desk.ticket(len(desk.tickets) + 1, clock.now.replace(microsecond=0))
        if chance.random() < 0.6:
            desk.reply(chance.randint(1, len(desk.tickets)), clock.now.replace(microsecond=0))

    return desk.routes, step, SETTINGS


def freshdesk(clock: Clock, chance: random.Random, _: Path) -> Made:
    """Tickets come, and are answered once."""
    desk = Freshdesk()

    def step() -> None:
        clock.now += timedelta(seconds=chance.randint(0, 30))
        for _ in range(chance.randint(1, 20)):
            # Some are found late.
            desk.ticket(len(desk.tickets), clock.now - timedelta(seconds=chance.choice([0, chance.randint(0, 100)])))
        ticket = chance.randrange(len(desk.tickets))
        if not desk.tickets[ticket]["stats"]:
            desk.ticket(ticket, clock.now, first_responded_at=formatted(clock.now))

    return desk.routes, step, {"api_key": "key"}


def oracle(clock: Clock, chance: random.Random, _: Path) -> Made:
    """Incidents come, and are solved once."""
    site = Oracle()

    def step() -> None:
        clock.now += timedelta(seconds=chance.randint(0, 30))
        for _ in range(chance.randint(1, 12)):
            # Some are found late.
            site.change(len(site.incidents) + 1, clock.now - timedelta(seconds=chance.choice([0, chance.randint(0, 100)])))
        incident = chance.randint(1, len(site.incidents))
        if "initialSolutionTime" not in site.incidents[incident]:
            solved = {"initialSolutionTime": formatted(clock.now), "statusWithType.statusType": "2"}
            site.change(incident, clock.now, **solved)

    return site.routes, step, {"user": "api", "password": "pw", "threads": chance.random() < 0.5}


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize(
    ("name", "make"),
    [
        ("next-engine", next_engine),
        ("zendesk-export", zendesk),
        ("freshdesk", freshdesk),
        ("oracle-b2c-service", oracle),
        ("salesforce-service-cloud", salesforce),
        ("surveymonkey", going_on.surveymonkey),
        ("typeform", going_on.typeform),
        ("qualtrics", going_on.qualtrics),
        ("customerly", going_on.customerly),
        ("maildealer", going_on.maildealer),
        ("tempostar", going_on.tempostar),
        ("twilio-taskrouter", going_on.twilio),
        ("zendesk-talk", going_on.talk),
    ],
    ids=lambda each: each if isinstance(each, str) else "",
)
def test_interrupted_anywhere(name: str, make: Callable[..., Any], seed: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Events polled in pieces are those polled once at the end: nothing is lost, and the last version of each event is the same."""
    if name in going_on.SHORT_PAGES:
        monkeypatch.setattr(importlib.import_module(f"streams.connectors.live.{name}"), "_PAGE", going_on.SHORT_PAGES[name])

    async def scenario() -> None:
        chance, clock = random.Random(seed), Clock(NOW)
        routes, step, settings = make(clock, chance, tmp_path)
        run = RunSettings(since=clock.now - timedelta(hours=1), first_pause_seconds=0.01, longest_pause_seconds=0.05)
        ledger = ShakyLedger("platform")
        ledger.chance = chance
        interrupted: Counter[str] = Counter()
        steps, over = 0, False

        def meanwhile() -> None:
            nonlocal steps
            if not over and steps < _STEPS and chance.random() < 0.15:
                steps += 1
                step()

        # Between two files of a folder nothing is asked.
        ledger.meanwhile = meanwhile if name == "tempostar" else None
        async with serving(routes, meanwhile) as url, asyncio.timeout(180):
            settings = {**settings, "url": url}
            while (steps < _STEPS or min(interrupted["killed"], interrupted["not acknowledged"]) <= 2) and interrupted.total() < 200:
                asking = asyncio.create_task(poll_once(name, settings, ledger, clock, run=run))
                if chance.random() < 0.5:
                    await asyncio.sleep(chance.uniform(0, 0.01))
                    interrupted["killed"] += asking.cancel()
                try:
                    with contextlib.suppress(asyncio.CancelledError):
                        await asking
                except NotPublishedError:
                    interrupted["not acknowledged"] += 1
            over = True
            while name == "tempostar" and steps % 2:
                # What is half written is written to its end.
                steps += 1
                step()
            ledger.chance = None
            clock.now += timedelta(hours=1)
            await poll_once(name, settings, ledger, clock, rounds=2, run=run)
            clean = MemoryLedger("platform")
            await poll_once(name, settings, clean, clock, run=run)
        assert min(interrupted["killed"], interrupted["not acknowledged"]) > 2, interrupted
        assert set(published(ledger)) == set(published(clean))
        assert last_words(ledger) == last_words(clean)
        assert len(published(clean)) > 20
        if name == "next-engine":
            assert set(published(ledger).values()) == {1}
        assert ledger.rejected == []

    asyncio.run(scenario())
