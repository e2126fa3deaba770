"""The wallboard of the running demo in a real browser: its figures are those of ``/metrics``, and it marks figures that it cannot know."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import time
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import aiohttp
import orjson
import pytest
from aiokafka import AIOKafkaProducer

from schemas.topics import DEFAULT_PREFIX, TOPICS
from streams.catalogue import WORDS
from streams.demo.scrape import Scrape
from tests.demo.every_kpi import figures_without_value
from tests.demo.test_run import Demo, descendants
from tests.demo.wallboard_reading import READ, Expected, Shown, as_of_seconds, rounded
from tests.serving.chromium import Chromium, binary
from tests.serving.test_page import OUTSIDE
from tests.support.require import require

if TYPE_CHECKING:
    from collections.abc import Coroutine, Iterator

    from streams.catalogue.words import Language

pytestmark = [pytest.mark.embedded, pytest.mark.browser, pytest.mark.faults, pytest.mark.long]

#: Where the pictures go; pytest's own folder without it.
PICTURES = "WALLBOARD_SCREENSHOTS"
STALE = "document.body.classList.contains('stale')"
MARK = "document.getElementById('mark').innerText"


@pytest.fixture(autouse=True)
def _browser() -> None:
    require(binary(), "the page is tested in Chromium: apt-get install chromium")


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """Return the folder of the screenshots, and print its path."""
    folder = Path(os.environ.get(PICTURES) or tmp_path)
    folder.mkdir(parents=True, exist_ok=True)
    print(f"screenshots: {folder}")  # noqa: T201 - CI keeps the log alone
    return folder


def address(demo: Demo, name: str = "page") -> str:
    """Return an address that the demo printed."""
    found = re.search(rf"  {name} +(\S+)\n", demo.output)
    assert found is not None
    return found[1]


def run(check: Coroutine[Any, Any, None], seconds: float = 150) -> None:
    """Run a check."""
    asyncio.run(asyncio.wait_for(check, seconds))


@contextmanager
def frozen(*pids: int) -> Iterator[None]:
    """Stop processes, their sockets open and dumb, as behind a cut cable."""
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in reversed(pids):
            os.kill(pid, signal.SIGCONT)


def process(demo: Demo, module: str) -> int:
    """Return the id of the process of the demo that runs a module, without the guard around it."""
    found = [pid for pid, command in descendants(demo.process.pid).items() if f" -m {module} " in command and "guard.py" not in command]
    assert len(found) == 1
    return found[0]


async def scraped(client: aiohttp.ClientSession) -> Scrape:
    """Return the present ``/metrics``."""
    async with client.get("metrics") as answer:
        return Scrape(await answer.text())


async def looks(page: Chromium, demo: Demo, client: aiohttp.ClientSession, number: int) -> list[tuple[Shown, Scrape]]:
    """Return looks at the page, each with a scrape of the same as-of.

    The sources, and the gateway that vouches for them, hold their breath meanwhile: what was
    published passes through, and page and metrics reach one instant. A comparison counts if nothing changed from half a second
    before it until after it.
    """
    found: list[tuple[Shown, Scrape]] = []
    for _ in range(number):
        with frozen(process(demo, "streams.demo.feeder"), process(demo, "streams gateway")):
            deadline = time.monotonic() + 30
            while True:
                assert time.monotonic() < deadline, "page and metrics did not reach the same as-of"
                before = await scraped(client)
                await asyncio.sleep(0.5)
                shown = await page.ask(READ)
                after = await scraped(client)
                if before.figures() == after.figures() and as_of_seconds(before) == as_of_seconds(after) == shown["as_of"]:
                    break
            found.append((shown, after))
        await asyncio.sleep(2)
    return found


def test_two_definitions_side_by_side(demo: Demo) -> None:
    """Must-show 4: queues of calls are judged by standard@1, with strict@1 beside it: in records, in ``/metrics`` and on the page."""
    beside = """Object.fromEntries([...document.querySelectorAll('#queues tbody tr')].filter(row => row.querySelector('.beside'))
        .map(row => [row.querySelector('.name b').innerText, row.querySelector('.beside').innerText.replace('\\n', ' ')]))"""

    async def check() -> None:
        async with aiohttp.ClientSession(address(demo)) as client, Chromium(width=1920, height=1080) as page:
            await page.open(address(demo))
            await page.until(f"!{STALE} && document.querySelectorAll('#queues tbody .beside').length === 4", seconds=30)
            (_, scrape), *_ = await looks(page, demo, client, 1)
            with frozen(process(demo, "streams.demo.feeder"), process(demo, "streams gateway")):
                await asyncio.sleep(2)
                async with client.get("api/v1/figures?window=trailing_15m") as answer:
                    records = (await answer.json())["records"].values()
                shown, scrape = await page.ask(beside), await scraped(client)
            records_by_queue = {each["scope"]: each for each in records if each.get("scope_kind") == "queue" and "by_definition" in each}
            assert len(records_by_queue) == 4
            assert shown.keys() == records_by_queue.keys()
            for queue, record in records_by_queue.items():
                other = record["by_definition"]["strict@1"]
                assert record["definitions"]["service_level"] == "standard@1"
                for name, figure in (("standard@1", record["kpis"]["service_level"]), ("strict@1", other["service_level"])):
                    labels = {"scope": queue, "window": "15m", "definition": name}
                    exported = [
                        each.value
                        for each in scrape.samples
                        if each.name == "contact_center_service_level_by_definition_ratio" and labels.items() <= each.labels.items()
                    ]
                    assert exported == [figure["value"]]
                assert shown[queue] == f"{rounded(other['service_level_live']['value'])} % strict"

    run(check())


@pytest.mark.parametrize(
    ("language", "width", "height"),
    [
        ("en", 1920, 1080),
        ("ja", 390, 844),
        pytest.param("ja", 1920, 1080, marks=pytest.mark.nightly),
        pytest.param("en", 390, 844, marks=pytest.mark.nightly),
    ],
)
def test_the_page_shows_the_figures_of_metrics(demo: Demo, language: Language, width: int, height: int, pictures: Path) -> None:
    """At two moments every figure of every queue, total, team, backlog and tile is that of ``/metrics`` at the same as-of."""

    async def check() -> None:
        async with aiohttp.ClientSession(address(demo)) as client, Chromium(width=width, height=height) as page:
            await page.open(f"{address(demo)}?lang={language}&theme=dark")
            await page.until(f"!{STALE} && document.querySelectorAll('#queues tbody tr').length >= 7", seconds=30)
            # On a telephone a row has its most urgent figures; opened, all that is looked at here.
            await page.ask("for (const row of document.querySelectorAll('#queues tr')) row.classList.add('open')")
            for shown, scrape in await looks(page, demo, client, 2):
                found = Expected(scrape, language).differences(shown)
                # A telephone shows in one line how many alerts there are and the worst: tests/serving/test_choosing.py.
                assert [each for each in found if width > 600 or not each.startswith("alerts: ")] == []
                assert len([row for row in shown["queues"] if not row["total"]]) >= 7
                assert len(shown["teams"]) == 6
            await page.until(f"!{STALE} && {MARK} === {WORDS[language]['live']!r}", seconds=30)
            await page.photograph(pictures / f"wallboard-{language}-{width}x{height}.png")
            assert await page.ask("document.documentElement.scrollWidth") <= width
            assert await page.ask(OUTSIDE) == []
            assert page.complaints == []

    run(check())


def test_trends_show_the_intervals_of_the_day(demo: Demo) -> None:
    """Each queue has a column for every interval with contacts, and its text counts those that missed the target, and names the lowest."""

    async def expected(client: aiohttp.ClientSession) -> dict[str, tuple[int, list[str]]]:
        query = [("window", "interval_15m"), ("window", "day")]
        async with client.get("api/v1/figures", params=query) as answer:
            figures = await answer.json()
        records = [record for record in figures["records"].values() if record["kind"] == "window" and record["scope_kind"] == "queue"]
        found = {}
        for queue, target in figures["targets"].items():
            days = [record["window_start"] for record in records if record["scope"] == queue and record["window"] == "day"]
            mine = [
                each
                for each in records
                if each["scope"] == queue and each["window"] != "day" and each["window_start"] >= max(days, default="")
            ]
            levels = [each["kpis"]["service_level"] for each in mine if each["kpis"]["service_level"]["value"] is not None]
            judged = [level["value"] for level in levels if level["denominator"] >= 5]
            texts = []
            if judged:
                lowest = rounded(min(judged), 1, target)
                texts = [f"target missed in {sum(value < target for value in judged)} of {len(judged)}", f"lowest {lowest} % at "]
            found[queue] = (len(levels), texts)
        return found

    async def check() -> None:
        async with aiohttp.ClientSession(address(demo)) as client, Chromium() as page:
            await page.open(address(demo))
            await page.until("document.querySelectorAll('.trend rect').length > 20", seconds=30)
            # The last interval continues meanwhile, and trends are polled every 20 s: every queue has to agree in one of the comparisons.
            right: set[str] = set()
            deadline = time.monotonic() + 90
            while True:
                should = await expected(client)
                for row in (await page.ask(READ))["queues"]:
                    name = row["name"][0]
                    if not row["total"] and name in should:
                        columns, texts = should[name]
                        if row["trend"][1] == columns and all(text in row["trend"][0] for text in texts):
                            right.add(name)
                wanted = {name for name, (columns, _) in should.items() if columns}
                assert len(wanted) >= 7
                if right >= wanted:
                    break
                assert time.monotonic() < deadline, wanted - right
                await asyncio.sleep(0.5)

    run(check())


def test_a_cut_of_ten_seconds(demo: Demo, pictures: Path) -> None:
    """Within 8 s of a cut the page is marked and keeps its last figures; after it, fresh and right ones come without a reload."""
    serve = process(demo, "streams serve")

    async def check() -> None:
        async with aiohttp.ClientSession(address(demo)) as client, Chromium(width=1920, height=1080) as page:
            await page.open(f"{address(demo)}?theme=dark")
            await page.until(f"!{STALE} && document.querySelectorAll('#queues tbody tr').length >= 7", seconds=30)
            await page.ask("window.same = true")
            with frozen(serve):
                cut = time.monotonic()
                await page.until(f"{STALE} && {MARK}.startsWith('connection lost')", seconds=8)
                at = (await page.ask(READ))["as_of"]
                await page.photograph(pictures / "wallboard-cut.png")
                await asyncio.sleep(10 - (time.monotonic() - cut))
                shown = await page.ask(READ)
                assert shown["as_of"] == at
                assert shown["mark"] == WORDS["en"]["disconnected"]
                assert len(shown["queues"]) >= 7
            await page.until(f"!{STALE} && {MARK} === 'live'", seconds=15)
            for shown, scrape in await looks(page, demo, client, 1):
                assert shown["as_of"] > at + 9
                assert Expected(scrape, "en").differences(shown) == []
            assert await page.ask("window.same") is True, "the page was loaded again"

    run(check())


def test_a_silent_source_marks_its_queue_alone(demo: Demo, pictures: Path) -> None:
    """A source that speaks once and falls silent turns its own queue gray, with its name and last sign of life; the others stay judged."""

    async def check() -> None:
        now = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        base = {"occurred_at": now, "received_at": now, "source": "helpdesk", "conversation_id": "h-1", "contact_id": "h-1"}
        event = {"type": "contact.queued", "event_id": "h-1:1", "queue": "Helpdesk", "channel": "voice", **base}
        # Not through the gateway, which reports the sources that it has received.
        topic = next(entry for entry in TOPICS if entry.name.startswith("contact-events"))
        async with AIOKafkaProducer(bootstrap_servers=address(demo, "kafka")) as producer:
            await producer.send_and_wait(topic.full_name(DEFAULT_PREFIX), orjson.dumps(event), key=b"h-1")
        async with Chromium(width=1920, height=1080) as page:
            await page.open(f"{address(demo)}?theme=dark")
            of = "[...document.querySelectorAll('#queues tbody tr')].find(row => row.querySelector('.name b').innerText === 'Helpdesk')"
            await page.until(f"{of} && {of}.querySelector('.silent-mark').innerText === ''", seconds=20)
            await page.until(f"{of}.querySelector('.silent-mark').innerText.startsWith('helpdesk silent since ')", seconds=60)
            shown = await page.ask(READ)
            assert [row["name"][0] for row in shown["queues"] + shown["teams"] if row["silent"]] == ["Helpdesk"]
            assert next(row for row in shown["queues"] if row["silent"])["verdict"] == []
            assert sum(bool(row["verdict"]) for row in shown["queues"]) >= 5
            assert "helpdesk" in await page.ask("document.getElementById('silent').innerText")
            assert await page.ask(f"getComputedStyle({of}.querySelector('td')).filter") == "grayscale(1)"
            assert shown["mark"] == "live"
            await page.photograph(pictures / "wallboard-silent.png")

    run(check())


def test_every_figure_has_a_value(demo: Demo) -> None:
    """The simulated center makes each figure of the question happen, and the API returns its value."""

    async def check() -> None:
        async with aiohttp.ClientSession(address(demo)) as client:
            assert await figures_without_value(client) == []

    run(check())
