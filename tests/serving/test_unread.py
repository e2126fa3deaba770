"""While serve reads the topics of figures, what is not read yet is distinguished from what is absent: in the API and on the page."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from streams.access.views import EVERYTHING, View
from streams.catalogue import WORDS
from streams.serving.cached import CachedAnswer
from streams.serving.endpoints import ENDPOINTS
from streams.serving.reader import latest_topic
from streams.serving.reading import Reading
from tests.serving.chromium import Chromium, binary
from tests.serving.detail_center import center, serving
from tests.serving.records import Backend, client_of, small_center
from tests.serving.running import full
from tests.serving.test_page import run, url
from tests.serving.test_service import reading as running_reader
from tests.serving.topics import bootstrap, make, publish, until
from tests.support.require import require

if TYPE_CHECKING:
    from pathlib import Path

    from aiohttp import ClientResponse
    from aiohttp.test_utils import TestClient

    from streams.catalogue.words import Language

__all__ = ["bootstrap"]

TOPIC = latest_topic("contactcenter")
UNREAD: dict[str, Any] = {"ready": False, "connected": False, "reading": Reading(TOPIC, 0.438)}
READING = {"topic": TOPIC, "share": 0.43}

#: Addresses that answer with nothing of the topics of figures, or have their own field for whether it is known.
OF_OTHERS = {
    "metrics",  # contact_center_reader_connected, and no figure
    "events",  # below
    "silences",  # null while not known
    "boards",  # of the configuration
    "catalogue",
    "contacts_reading",  # how far events are read
    "audit",
    "openapi",
    "session",
    "sessions",
    "alive",
    "ready",
    "standing",
}
#: What is asked of those that answer 503.
ASKED = {
    "queue": "/api/v1/queues/nowhere",
    "intervals": "/api/v1/intervals?queue=nowhere",
    "explain": "/api/v1/explain?queue=nowhere&kpi=offered",
    "contacts": "/api/v1/contacts?queue=nowhere&kpi=offered",
    "export": "/api/v1/export",
}


async def status_and_reading(answer: ClientResponse) -> tuple[int, Any]:
    """Return the status of an answer and how far figures are read."""
    document = await answer.json(content_type=None)
    assert document.get("ready") in {None, False}
    return answer.status, document["figures_reading"]


def asked(client: TestClient[Any, Any], path: str) -> Any:
    """Ask, as a browser does."""
    return client.get(path, headers={"Accept": "application/json"})


def test_every_endpoint_distinguishes_unread_from_absent() -> None:
    """Each GET of figures states how far reading is: in its header with 200, or with 503 and Retry-After; none is empty."""

    async def check() -> None:
        made = full()
        backend = made.figures.readers
        assert isinstance(backend, Backend)
        for name, value in UNREAD.items():
            setattr(backend, name, value)
        backend.store.take_over(Backend().store)
        async with client_of(made) as client:
            documented = [each for each in ENDPOINTS if each.method == "GET" and each.documented and each.name not in OF_OTHERS]
            assert len(documented) >= 18
            for each in documented:
                answer = await asked(client, ASKED.get(each.name, each.path))
                assert (each.name, *(await status_and_reading(answer))) == (each.name, 503 if each.name in ASKED else 200, READING)
                assert answer.headers.get("Retry-After") == ("2" if each.name in ASKED else None)

            detail = (await (await asked(client, ASKED["queue"])).json())["detail"]
            assert detail == f"serve is still reading {TOPIC}, 43 % so far: figures are not known yet"
            # Now it is read, and there is none.
            backend.ready = backend.connected = True
            for name in ("queue", "intervals"):
                answer = await asked(client, ASKED[name])
                assert (answer.status, (await answer.json())["detail"]) == (404, "no record names this queue")
            assert (await (await asked(client, "/api/v1/figures")).json())["figures_reading"] is None

    asyncio.run(check())


@pytest.mark.parametrize(
    ("changes", "detail"),
    [
        ({"missing": True}, "no worker has created the topics of figures yet: figures are not known"),
        ({"reached": False}, "figures have not been read from Kafka yet"),
    ],
    ids=["no topic", "no Kafka"],
)
def test_figures_that_nothing_reads_yet(changes: dict[str, bool], detail: str) -> None:
    """Without a topic, and without Kafka, figures are unknown too: 503 with the reason."""

    async def check() -> None:
        backend = Backend(**{**UNREAD, "reading": None, **changes})
        async with client_of(backend.serving()) as client:
            answer = await asked(client, ASKED["intervals"])
            assert (answer.status, (await answer.json())["detail"]) == (503, detail)

    asyncio.run(check())


def test_a_restricted_view_does_not_get_the_share() -> None:
    """The pace of reading reveals how much there is of others: a view of one queue gets that reading is under way, and not how far."""
    figures = Backend(**UNREAD).serving().figures
    part = View(frozenset({"queue:sales"}), None)

    assert figures.header(part)["figures_reading"] == {"topic": TOPIC, "share": None}
    assert figures.seen(part).percent is None
    assert figures.seen(EVERYTHING).percent == 43


def test_what_was_made_unread_is_not_kept() -> None:
    """An answer that is cached for a minute is recomputed at once when figures have been read."""

    async def check() -> None:
        backend = Backend(**UNREAD)
        kept = CachedAnswer(
            backend.serving().figures, lambda store: {"found": [entry.key for entry in store.entries()]}, 60, "found", lambda *_: True
        )
        assert (await kept.answer())["found"] == []
        backend.store.take_over(Backend.fed(small_center()).store)
        backend.ready = backend.connected = True
        first = await kept.answer()
        assert len(first["found"]) == len(small_center())
        assert await kept.answer() == first

    asyncio.run(check())


def test_an_event_stream_reports_how_far_reading_is() -> None:
    """Before any record: the snapshot states how far reading is, and a message follows when that has changed."""

    async def check() -> None:
        backend = Backend(**UNREAD)
        async with client_of(backend.serving()) as client, client.get("/api/v1/events") as stream:
            seen = b""
            while b'"share":0.43' not in seen:
                seen += await stream.content.readany()
            backend.reading = Reading(TOPIC, 0.9)
            while b'"share":0.9' not in seen:
                seen += await stream.content.readany()

    run(check())


@pytest.mark.embedded
def test_a_reader_reports_how_far_it_is(bootstrap: str) -> None:
    """From a real topic of a thousand records, read 250 at a time: ever more of it, and nothing any more once it was read."""

    async def check() -> None:
        name = latest_topic("far")
        await make(bootstrap, name)
        await publish(bootstrap, name, [(b"key-%d" % n, b"{}") for n in range(1000)])
        async with running_reader(bootstrap, name) as (reader, _):
            seen: list[Reading] = []
            while not reader.ready:
                if reader.reading is not None and reader.reading not in seen:
                    seen.append(reader.reading)
                await asyncio.sleep(0)
            assert {each.topic for each in seen} == {name}
            shares = [each.share for each in seen]
            assert shares == sorted(shares)
            assert 0 <= shares[0] < 0.3
            assert 0.5 < shares[-1] <= 1
            assert reader.reading is None
        await until(lambda: reader.reading is None)

    run(check())


#: View → the element with its message.
MESSAGES = {
    "queue&of=sales": "main.view > .none",
    "outlook": ".breaches",
    "goals": ".attained",
    "customers": ".said .none",
    "earlier": "main.view.earlier",
    "quality": ".coverage .none",
}


@pytest.mark.browser
@pytest.mark.parametrize("language", ["en", "ja"])
def test_views_show_that_figures_are_being_read(language: Language, tmp_path: Path) -> None:
    """Each view shows how far, in place of "there is none"; once figures are read it shows them at once, and not 20 s later."""
    require(binary(), "the page is tested in Chromium: apt-get install chromium")
    words = WORDS[language]
    unread = f"{words['unread.reading']} · {words['reading.share'].format(value='43 %' if language == 'en' else '43%')}"

    async def check() -> None:
        read = center()
        backend = Backend(**UNREAD, clock=read.clock)
        async with client_of(serving(backend, tmp_path)) as client, Chromium(width=1280, height=800) as page:
            for view, place in MESSAGES.items():
                await page.open(url(client, f"?lang={language}&view={view}"))
                await page.until(f"document.querySelector({place!r})?.innerText.includes({unread!r})")
            await page.open(url(client, f"?lang={language}&view=queue&of=sales"))
            await page.until(f"document.querySelector('main.view > .none')?.innerText === {unread!r}")
            await page.photograph(tmp_path / f"unread-{language}.png")
            backend.store.take_over(read.store)
            backend.ready = backend.connected = True
            await page.until("document.querySelectorAll('.view.queue .today li').length > 3", seconds=6)
            assert await page.ask("document.querySelector('main.view > .none').innerText") == ""
            # Of its own: a browser notes each answer of 503.
            assert [each for each in page.complaints if "503" not in each] == []

    run(check())
