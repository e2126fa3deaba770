"""One clock on the entire page, that of the configuration, in any zone of the browser: by hand, in both languages."""

from __future__ import annotations

import re
from importlib.resources import files
from typing import TYPE_CHECKING, Any

import pytest

from streams.configuration import Configuration
from streams.serving.call_backs import CallBacks, contacts_of
from streams.serving.page_files import PAGE_FILES
from streams.serving.people import People
from tests.serving.chromium import Chromium, binary
from tests.serving.detail_center import BAD, center, serving
from tests.serving.held_log import HeldLog, agent_event, contact_event
from tests.serving.records import client_of
from tests.serving.test_page import run, url
from tests.support.require import require

if TYPE_CHECKING:
    from pathlib import Path

CONFIGURATION = Configuration.model_validate(
    {
        "sites": {"tokyo": {"zone": "Asia/Tokyo", "individual_figures": True}},
        "teams": {"north": {"site": "tokyo"}},
        "people": {"abe": {"team": "north"}},
    }
)
#: What takes the zone of the browser, or of whatever it is given, outside the one function that knows the zone.
BY_THE_BROWSER = re.compile(
    r"toLocale(Date|Time)String|to(Date|Time)String\(|\b[gs]et(Hours|Minutes|Date|Day|Month|FullYear|TimezoneOffset)\(|DateTimeFormat"
)


def test_one_module_alone_makes_texts_of_instants() -> None:
    """No other part of the page formats an instant or asks which day or hour it is."""
    own = [name for name in PAGE_FILES if name.endswith(".js") and not name.startswith("vendor/")]
    page = files("streams.serving").joinpath("page")
    found = {name for name in own if BY_THE_BROWSER.search(page.joinpath(name).read_text(encoding="utf-8"))}
    assert found == {"text.js"}
    assert len(own) > 30


def zoned(folder: Path) -> tuple[Any, Any]:
    """Return a center whose texts are in the zone of Tokyo, and its backend: abe on a break, two abandoned calls."""
    backend = center()
    people = [
        agent_event("2026-04-01T06:30:00.000Z", "abe", "presence", "ready"),
        agent_event("2026-04-01T08:40:00.000Z", "abe", "presence", "break"),
    ]
    calls = [
        contact_event("arrived", "2026-03-31T22:10:00.000Z", "call-1", channel="voice"),
        contact_event("queued", "2026-03-31T22:10:00.000Z", "call-1", queue="sales", channel="voice"),
        contact_event("left_queue", "2026-03-31T22:10:30.000Z", "call-1", reason="abandoned"),
        # In Tokyo it is the first of April, in Los Angeles the day before.
        contact_event("queued", "2026-04-01T06:50:00.000Z", "call-2", queue="sales", channel="voice"),
        contact_event("left_queue", "2026-04-01T06:50:42.000Z", "call-2", reason="abandoned"),
    ]

    def configured() -> Configuration:
        return CONFIGURATION

    contacts = contacts_of(HeldLog(calls), configured, backend.clock)
    served = serving(backend, folder, people=People(HeldLog(people), configured, backend.clock, contacts), call_backs=CallBacks(contacts))
    served.figures.zone = "Asia/Tokyo"
    return served, backend


@pytest.mark.browser
def test_the_page_is_on_the_clock_of_the_configuration(tmp_path: Path) -> None:
    """A browser in Los Angeles shows what happened at 09:00 UTC as 18:00 of Tokyo, in every view, and names the zone."""
    require(binary(), "the page is tested in Chromium: apt-get install chromium")

    async def check() -> None:
        served, backend = zoned(tmp_path)
        async with client_of(served) as client, Chromium(width=1400, height=1000) as page:
            await page.live_in("America/Los_Angeles")
            text = "(selector => document.querySelector(selector)?.innerText ?? '')"
            for lang, as_of in (("en", "as of 18:00:00"), ("ja", "18:00:00 現在")):
                await page.open(url(client, f"?lang={lang}"))
                # The day of sales begins with its first call, at 06:00 UTC.
                ends = "[...document.querySelectorAll('#queues tr[data-queue=sales] .ends time')].map(e => e.innerText).join()"
                await page.until(f"{ends} === '15:00,18:00'")
                assert [await page.ask(f"{text}('#{name}')") for name in ("as-of", "zone")] == [as_of, "Asia/Tokyo (UTC+09)"]

                await page.open(url(client, f"?lang={lang}&view=queue&of=sales&at={BAD}"))
                opened = {"en": "17:00 to 17:15", "ja": "17:00〜17:15"}[lang]
                await page.until(f"{text}('.opened h4') === {opened!r}")
                hours = await page.ask("[...document.querySelectorAll('table.week thead button')].slice(1, 3).map(e => e.innerText)")
                assert [hour.zfill(5) for hour in hours] == ["00:00", "01:00"]
                # Today began at midnight in Tokyo, when it was eight in the morning of the day before in Los Angeles.
                assert {"en": "Wed, 1 Apr", "ja": "4月1日(水)"}[lang] in (await page.ask(f"{text}('.day-name')")).replace("Wed 1", "Wed, 1")

                await page.open(url(client, f"?lang={lang}&view=earlier&at={BAD}"))
                await page.until(f"{text}('main.view p.span').includes({opened!r})")
                starts = await page.ask("[...document.querySelectorAll('main.view option')].map(e => e.innerText)")
                assert (starts[0], starts[-1]) == ("17:45", {"en": "31 Mar 2026 17:00", "ja": "2026年3月31日 17:00"}[lang])

                await page.open(url(client, f"?lang={lang}&view=quality"))
                # The page shows the server's text about the silent source.
                await page.until("document.querySelectorAll('.sources tbody tr').length === 5")
                mail = await page.ask(f"{text}('.sources tbody tr:has(.is-silent)')")
                assert mail.count("17:00:00") == 2
                assert "17:00:00 JST" in mail

                await page.open(url(client, f"?lang={lang}&view=people"))
                await page.until("document.querySelector('.view.people thead .day')?.innerText.includes('18:00')")
                since = await page.ask("document.querySelector('.view.people tbody td.time').title")
                assert "17:40:00" in since

                await page.open(url(client, f"?lang={lang}&view=contacts&hours=24"))
                await page.until("document.querySelectorAll('.to-call > .wide tbody tr').length === 2")
                left = await page.ask("[...document.querySelectorAll('.to-call > .wide tbody td.left')].map(e => e.innerText).join()")
                assert "15:50:42" in left
                assert "7:10:30" in left
                assert "31" not in left
                await page.photograph(tmp_path / f"zone-{lang}.png")

            # Another configuration has another clock, at once.
            served.figures.zone = "Europe/Berlin"
            backend.store.resend_all()
            await page.until(f"{text}('#zone') === 'Europe/Berlin (UTC+02)' && {text}('#as-of').startsWith('11:00:00')")
            assert page.complaints == []

            async def evaluate(zone: str | None, what: str) -> Any:
                name = "null" if zone is None else repr(zone)
                return await page.ask(f"import('./text.js').then(m => {{ m.learnZone({name}); return {what}; }})")

            at = "'2026-04-01T03:04:05Z'"
            names = [(zone, await evaluate(zone, f"m.zoneName({at})")) for zone in ("Etc/GMT+7", "UTC", "Asia/Kolkata", "Europe/London")]
            assert [name for _, name in names] == ["UTC-07", "UTC", "Asia/Kolkata (UTC+05:30)", "Europe/London (UTC+01)"]
            # One that the browser does not know, or none: its own, and it is named.
            for zone in ("Mars/Olympus", None):
                assert await evaluate(zone, f"[m.zone, m.clock({at}), m.zoneName({at})]") == [
                    None, "20:04:05", "America/Los Angeles (UTC-07)",
                ]  # fmt: skip
            # The night in which the clock is set: 00:59:59 and 01:00 UTC are consecutive seconds, two and three o'clock.
            set_forth = "['2026-03-29T00:59:59Z', '2026-03-29T01:00:00Z'].map(time => m.clock(time).padStart(8, '0'))"
            assert await evaluate("Europe/Berlin", set_forth) == ["01:59:59", "03:00:00"]
            dates = "[m.day('2026-10-01'), m.day('2026-03-31T20:00:00Z'), m.isoDay('2026-03-31T20:00:00Z')]"
            assert await evaluate("Asia/Tokyo", dates) == ["2026年10月1日", "2026年4月1日", "2026-04-01"]
            assert await evaluate("America/Los_Angeles", dates) == ["2026年10月1日", "2026年3月31日", "2026-03-31"]
            begun = "new Date(m.beginOfDay('2026-04-01T09:00:00.500Z')).toISOString()"
            assert await evaluate("Asia/Tokyo", begun) == "2026-03-31T15:00:00.000Z"
            assert await evaluate("Asia/Tokyo", "[m.isSameDay('2026-03-31T15:00:00Z', '2026-04-01T14:59:59Z'), m.clock('soon')]") == [
                True,
                "–",
            ]

    run(check())
