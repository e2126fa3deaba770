"""All queues in a past interval, and their totals: computed by hand, recounted, cached for all clients, and on the page."""

from __future__ import annotations

import asyncio
from functools import cache
from random import Random
from typing import Any

import orjson
import pytest

from schemas.events import parse_contact_event
from schemas.times import parse_time_ms
from streams.access.views import EVERYTHING, View
from streams.configuration import Configuration
from streams.serving.earlier import Earlier, Intervals
from tests.oracle.recount import recount
from tests.properties.pipeline import MemoryPipeline
from tests.serving.chromium import Chromium, binary
from tests.serving.held_log import contact_event
from tests.serving.records import Backend, client_of
from tests.serving.test_detail_pages import ROWS
from tests.serving.test_page import run, url
from tests.support.require import require

CONFIGURATION = Configuration.model_validate(
    {
        "service_level": {"threshold_s": 20, "aht_parts": ["talk"]},
        "queues": {"sales": {"channel": "voice", "target": 0.9}, "claims": {"channel": "voice"}, "web": {"channel": "chat"}},
    }
)


def at(clock: str) -> str:
    """Return an instant of the morning, UTC."""
    return f"2026-04-01T{clock}.000Z"


FIRST, SECOND = at("08:00:00"), at("08:15:00")


def served(contact: str, queue: str, entered: str, answered: str, ended: str) -> list[dict[str, Any]]:
    """Return the events of a contact that was answered."""
    return [
        contact_event("queued", at(entered), contact, queue=queue),
        contact_event("answered", at(answered), contact, agent="ann"),
        contact_event("ended", at(ended), contact, by="customer"),
    ]


#: From eight on: sales answers after 10, 10 and 30 s and talks for 100 s each, and one gives up; claims answers after 70 s and talks for
#: 400 s; in chat two are answered after 5 s, and take 60 s. From 08:15 on one call passes both queues of calls.
EVENTS = [
    *served("s1", "sales", "08:01:00", "08:01:10", "08:02:50"),
    *served("s2", "sales", "08:02:00", "08:02:10", "08:03:50"),
    *served("s3", "sales", "08:03:00", "08:03:30", "08:05:10"),
    contact_event("queued", at("08:04:00"), "s4", queue="sales"),
    contact_event("left_queue", at("08:04:50"), "s4", reason="abandoned"),
    *served("c1", "claims", "08:05:00", "08:06:10", "08:12:50"),
    *served("w1", "web", "08:06:00", "08:06:05", "08:07:05"),
    *served("w2", "web", "08:07:00", "08:07:05", "08:08:05"),
    *served("t", "sales", "08:16:00", "08:16:20", "08:20:00")[:2],
    contact_event("transferred", at("08:17:00"), "t", agent="ann", to_queue="claims"),
    contact_event("queued", at("08:17:00"), "t", queue="claims"),
    contact_event("answered", at("08:17:40"), "t", agent="bob"),
    contact_event("ended", at("08:20:00"), "t", by="customer"),
    contact_event("arrived", at("08:59:59"), "last", channel="voice"),
]


@cache
def counted() -> tuple[Backend, Any]:
    """Return a backend with the worker's output for these events, and their recount."""
    events = [parse_contact_event(orjson.dumps(each)) for each in EVENTS]
    pipeline = MemoryPipeline(CONFIGURATION, Random(1))
    pipeline.run(events)
    records = [(key.encode(), orjson.dumps(record)) for key, record in pipeline.latest.items()]
    return Backend.fed(records), recount(events, CONFIGURATION)


def scopes_at(start: str, view: View = EVERYTHING) -> dict[tuple[str, str], dict[str, Any]]:
    """Return the scopes of the interval that starts then."""
    found = Intervals(counted()[0].store, {"sales": 0.9}).at(parse_time_ms(start), view)
    assert found["start"] == start
    return {(each["scope"], each["channel"]): each for each in found["scopes"] if each["offered"]}


def shown(each: dict[str, Any]) -> tuple[Any, ...]:
    """Return counts, the parts of ratios, and means of a scope."""
    ratios = [(each[name]["numerator"], each[name]["denominator"]) for name in ("answer_rate", "service_level")]
    return each["offered"], each["answered"], each["abandoned"], *ratios, each["asa_seconds"], each["aht_seconds"]


def test_totals_are_of_sums_and_of_one_channel() -> None:
    """Of five calls 2 were in time: 40 %, not the mean of 50 and 0 %; 120 s of wait in 4 answers: 30 s, not 43; 700 s of talk: 175 s."""
    found = scopes_at(FIRST)
    assert {place: shown(each) for place, each in found.items()} == {
        ("sales", "voice"): (4, 3, 1, (3, 4), (2, 4), 50 / 3, 100),
        ("claims", "voice"): (1, 1, 0, (1, 1), (0, 1), 70, 400),
        ("web", "chat"): (2, 2, 0, (2, 2), (2, 2), 5, 60),
        ("all", "voice"): (5, 4, 1, (4, 5), (2, 5), 30, 175),
        ("all", "chat"): (2, 2, 0, (2, 2), (2, 2), 5, 60),
    }
    assert (found["all", "voice"]["service_level"]["value"], found["all", "voice"]["answer_rate"]["value"]) == (0.4, 0.8)
    assert {place: each["target"] for place, each in found.items() if each["target"] is not None} == {("sales", "voice"): 0.9}


def test_totals_count_a_contact_of_two_queues_once() -> None:
    """It entered sales, in time, and claims, late: in the total it is one contact, answered once, in time."""
    found = scopes_at(SECOND)
    assert {place: shown(each)[:5] for place, each in found.items()} == {
        ("sales", "voice"): (1, 1, 0, (1, 1), (1, 1)),
        ("claims", "voice"): (1, 1, 0, (1, 1), (0, 1)),
        ("all", "voice"): (1, 1, 0, (1, 1), (1, 1)),
    }


@pytest.mark.parametrize("start", [FIRST, SECOND])
def test_a_recount_agrees(start: str) -> None:
    """Every figure of queues and totals is that of the oracle."""
    found, again = scopes_at(start), counted()[1]
    for (scope, channel), each in found.items():
        kind = "total" if scope == "all" else "queue"
        figures = again.window(f"{kind}:{scope}", channel, "interval_15m", parse_time_ms(start))
        names = {"asa": "asa_seconds", "aht": "aht_seconds", **dict.fromkeys(("offered", "answered", "abandoned", "handled"))}
        for kpi, name in names.items():
            assert each[name or kpi] == figures[kpi]["value"], (scope, kpi)
        for kpi in ("answer_rate", "service_level"):
            assert {part: each[kpi][part] for part in ("value", "numerator", "denominator")} == {
                part: figures[kpi][part] for part in ("value", "numerator", "denominator")
            }


def test_a_cached_answer_is_reduced_to_each_view() -> None:
    """A view of claims has no total and no other queue, a view of the web no interval of calls alone; in any order."""
    everything, claims, web = EVERYTHING, *(View(frozenset({f"queue:{name}"}), frozenset()) for name in ("claims", "web"))
    kept = Intervals(counted()[0].store, {})
    for view in (everything, claims, web, everything, web, claims):
        alone = Intervals(counted()[0].store, {})
        for instant in (FIRST, SECOND, None):
            at_ms = None if instant is None else parse_time_ms(instant)
            assert kept.at(at_ms, view) == alone.at(at_ms, view)
    assert {(each["scope"], each["channel"]) for each in kept.at(parse_time_ms(FIRST), claims)["scopes"]} == {("claims", "voice")}
    assert kept.at(parse_time_ms(at("08:15:00")), web)["scopes"] == []
    assert SECOND not in kept.at(None, web)["starts"]
    assert SECOND in kept.at(None, claims)["starts"]


def test_the_answer_is_computed_again_after_its_time() -> None:
    """For an hour the answer is the same, whatever has been read since; without caching new records appear at once."""

    async def check() -> None:
        backend = Backend.fed([(key.encode(), entry.raw) for key, entry in ((each.key, each) for each in counted()[0].store.entries())])
        kept, fresh = (Earlier(backend.serving().figures, seconds) for seconds in (3600, 0))
        first = await kept.answer(parse_time_ms(FIRST), EVERYTHING)
        (entry,) = (
            each for each in backend.store.group("interval_15m") if (each.scope, each.window_start_ms) == ("web", parse_time_ms(FIRST))
        )
        record = orjson.loads(entry.raw)
        record["kpis"]["offered"] |= {"value": 9, "numerator": 9}
        assert backend.store.feed(entry.key.encode(), orjson.dumps({**record, "revision": record["revision"] + 1}))
        again, new = [await each.answer(parse_time_ms(FIRST), EVERYTHING) for each in (kept, fresh)]
        assert again["scopes"] == first["scopes"]
        assert [each["offered"] for each in new["scopes"] if each["scope"] == "web"] == [9]

    asyncio.run(check())


@pytest.mark.browser
def test_totals_on_the_page() -> None:
    """The total of each channel is above the queues, with its parts; no row mixes channels, and too few contacts are not judged."""
    require(binary(), "the page is tested in Chromium: apt-get install chromium")

    async def check() -> None:
        async with client_of(counted()[0].serving(targets={"sales": 0.9})) as client, Chromium(width=1400, height=900) as page:
            await page.open(url(client, f"?view=earlier&at={FIRST}"))
            await page.until("document.querySelectorAll('.everything tbody tr').length === 2")
            assert await page.ask(f"{ROWS}('.everything')") == [
                ["Voice", "5", "4", "1", "80.0 %\n4 / 5", "40.0 %\n2 / 5", "–", "0:30", "2:55"],
                ["Chat", "2", "2", "0", "100.0 %\n2 / 2", "100.0 %\n2 / 2", "–", "0:05", "1:00"],
            ]
            rows = {row[0].split("\n")[0]: row for row in await page.ask(f"{ROWS}('.by_queue')")}
            assert (rows["sales"][5:7], rows["claims"][5]) == (["50.0 %\n2 / 4", "90 %"], "0.0 %\n0 / 1")
            assert page.complaints == []

    run(check())
