"""People and contacts on the page, in a real browser and both languages: what supervisors ask, answered in three clicks at most."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from streams.configuration import Configuration
from streams.configuration.floor import Links
from streams.serving.agents import Agents
from streams.serving.call_backs import CallBacks, contacts_of, links_of
from streams.serving.event_log import Limits
from streams.serving.explainer import Explainer
from streams.serving.people import People
from tests.serving.chromium import Chromium, binary
from tests.serving.held_log import HeldLog, agent_event, contact_event
from tests.serving.records import Backend, client_of, figure, person, small_center
from tests.serving.test_floor import Slow
from tests.serving.test_page import OUTSIDE, run, url
from tests.serving.test_wall import FAINT
from tests.support.require import require

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.browser

NAMES = {
    "north": ("abe", "baba", "chiba", "doi", "endo", "fukuda"),
    "south": ("goto", "hara", "iida 飯田", "jinnai", "kato", "long name of somebody who has one"),
}
CONFIGURATION = Configuration.model_validate(
    {
        "sites": {"tokyo": {"zone": "Asia/Tokyo", "day_start": "15:00", "individual_figures": True}, "osaka": {"zone": "Asia/Tokyo"}},
        "teams": {team: {"site": "tokyo"} for team in NAMES},
        "people": {name: {"team": team} for team, names in NAMES.items() for name in names},
        "links": {"conversation": "https://pbx.example/calls/{conversation_id}"},
    }
)


def at(time: str) -> str:
    """Return an instant of the day; the figures are as of 09:00, and Tokyo's day began at 06:00."""
    return f"2026-04-01T{time}.000Z"


#: Baba has been on a break for 20 minutes, and doi in wrap-up for 6; a break of 15 and a wrap-up of 5 are long enough.
NOW: dict[str, tuple[str, str, str, dict[str, str]]] = {
    "abe": ("08:58:00", "routing", "interacting", {}),
    "baba": ("08:40:00", "presence", "Pause", {"reason": "Break"}),
    "chiba": ("08:45:00", "presence", "Pause", {"reason": "break"}),
    "doi": ("08:54:00", "activity", "wrap_up", {}),
    "endo": ("08:59:00", "routing", "idle", {}),
    "fukuda": ("08:30:00", "presence", "Pause", {"reason": "lunch"}),
    "goto": ("08:10:00", "presence", "Pause", {"reason": "Blutspende"}),
    "hara": ("08:59:30", "routing", "interacting", {}),
    "iida 飯田": ("08:57:00", "routing", "interacting", {}),
    "jinnai": ("08:50:00", "presence", "ready", {}),
    "kato": ("08:00:00", "presence", "logged_out", {}),
}


def agent_events() -> list[dict[str, Any]]:
    """Return a morning of every agent: calls in turn, and then what they do now."""
    events = []
    for number, (name, (now, axis, state, more)) in enumerate(NOW.items()):
        events.append(agent_event(at("06:30:00"), name, "presence", "ready"))
        for hour, minute in ((6, 40), (7, 5), (7, 25), (7, 45)):
            begin = minute + number % 5
            events.append(agent_event(at(f"{hour:02}:{begin:02}:00"), name, "activity", "talking"))
            events.append(agent_event(at(f"{hour:02}:{begin + 8:02}:00"), name, "activity", "wrap_up"))
            events.append(agent_event(at(f"{hour:02}:{begin + 10:02}:00"), name, "activity", "idle"))
        events.append(agent_event(at(now), name, axis, state, **more))
    queues = {"type": "agent.skills_changed", "event_id": "skills", "queues": ["sales", "claims"], "source": "pbx", "person_id": "abe"}
    return [*events, {**queues, "occurred_at": at("06:00:00"), "received_at": at("06:00:00")}]


def gave_up(contact: str, customer: str | None, begin: str, end: str, queue: str = "sales") -> list[dict[str, Any]]:
    """Return a call that was given up."""
    key = {} if customer is None else {"customer_key": customer}
    return [
        contact_event("arrived", at(begin), contact, channel="voice", **key),
        contact_event("queued", at(begin), contact, queue=queue, channel="voice"),
        contact_event("left_queue", at(end), contact, reason="abandoned"),
    ]


CONTACTS = [
    *gave_up("call-1", "k1", "08:20:00", "08:21:12"),
    *gave_up("call-2", "k2", "08:46:00", "08:46:40"),
    *gave_up("call-3", "k2", "08:51:00", "08:51:35"),
    *gave_up("call-4", "k4", "08:52:00", "08:52:15"),
    *gave_up("call-5", None, "08:55:00", "08:57:00"),
    contact_event("arrived", at("08:55:00"), "call-6", channel="voice", customer_key="k4"),
    contact_event("queued", at("08:55:00"), "call-6", queue="sales", channel="voice"),
    contact_event("answered", at("08:55:09"), "call-6", agent="abe"),
    contact_event("queued", at("08:59:10"), "call-7", queue="sales", channel="voice"),
]
PEOPLE = "[...document.querySelectorAll('.view.people tbody tr')]"
CALLS = "[...document.querySelectorAll('.view.contacts .to-call > .wide tbody tr')]"
GROUPS = "[...document.querySelectorAll('.view.people tr.group')].map(row => row.innerText.trim())"
BEHIND = "[...document.querySelectorAll('.view.contacts .behind tbody tr')]"
TEXTS = "map(row => [...row.querySelectorAll('b, small')].map(e => e.textContent).filter(Boolean))"
#: Latin words that are names, ids or units.
NAMED = "|".join(
    (
        *(
            r"pbx\.example",
            "Contact Streams",
            "English",
            "UTC",
            "on_call",
            "sales",
            "claims",
            "north",
            "south",
            "pbx",
            "mail",
            r"call-\d",
            "[0-9a-f]{8}",
            "AHT",
            "CSAT",
            "Enter",
            "tokyo",
            "osaka",
        ),
        *("individual_figures: true", "customer_key", "on_call", "--config", "Kafka"),
        *("ID", "interacting", "wrap_up", "Pause", "ready", "idle", "Blutspende"),
        *(name for names in NAMES.values() for name in names),
    )
)


@pytest.fixture(autouse=True)
def _browser() -> None:
    require(binary(), "the page is tested in Chromium: apt-get install chromium")


def serving(configuration: Configuration = CONFIGURATION) -> Any:
    """Return what serves the center with people and contacts."""
    backend, read = Backend.fed(small_center()), Agents()
    for number, name in enumerate(NOW):
        assert read.feed(*person(name, kpis={"occupancy": figure(0.6 + 0.03 * number, 600, 1000, 1)}, counts={"handled": 9 + number}))
    agents = Agents()
    agents.take_over(read)

    def configured() -> Configuration:
        return configuration

    contacts = contacts_of(HeldLog(CONTACTS), configured, backend.clock)
    return backend.serving(
        agents=agents,
        people=People(HeldLog(agent_events()), configured, backend.clock, contacts),
        explainer=Explainer(HeldLog(CONTACTS), configured, Limits()),
        call_backs=CallBacks(contacts, links_of(HeldLog([]), configured, backend.clock)),
    )


async def click(page: Chromium, selector: str, text: str | None = None) -> None:
    """Click what a selector finds, as a mouse does."""
    with_text = "true" if text is None else f"e.textContent.includes({text!r})"
    found = f"[...document.querySelectorAll({selector!r})].find(e => e.getClientRects().length && {with_text})"
    await page.until(found)
    await page.ask(f"{found}.dispatchEvent(new PointerEvent('click', {{bubbles: true, cancelable: true, pointerType: 'mouse'}}))")


async def choose(page: Chromium, selector: str, has: str, value: str) -> None:
    """Choose a value of the list that has an option, as one does by hand."""
    found = f"[...document.querySelectorAll({selector!r})].find(e => [...e.options].some(o => o.value === {has!r}))"
    await page.until(found)
    await page.ask(f"(e => {{ e.value = {value!r}; e.dispatchEvent(new Event('change')); }})({found})")


def test_the_questions_of_a_supervisor(tmp_path: Path) -> None:
    """Who is on break too long, whom to call back, which contacts are behind a figure: in clicks from the overview, and by key."""

    async def check() -> None:
        async with client_of(serving()) as client, Chromium(width=1500, height=1000) as page:
            await page.open(url(client))
            # Who is on break too long: one click.
            await click(page, "#views a", "People")
            await page.until(f"{PEOPLE}.length === 10")
            rows = await page.ask(f"{PEOPLE}.{TEXTS}")
            assert rows[0][:6] == ["goto", "south", "■ Unavailable", "Blutspende", "▲ 50:00", "over 30:00"]
            assert rows[1][:6] == ["baba", "north", "■ Unavailable", "Break", "▲ 20:00", "over 15:00"]
            assert rows[2][:6] == ["doi", "north", "◐ Wrap-up", "▲ 6:00", "over 5:00", "–"]
            # 15 minutes are not longer than 15 minutes.
            chiba = next(row for row in rows if row[0] == "chiba")
            assert chiba[:7] == ["chiba", "north", "■ Unavailable", "Break", "15:00", "limit 15:00", "–"]
            abe = next(row for row in rows if row[0] == "abe")
            assert abe == ["abe", "north", "● Handling", "2:00", "sales · Voice", "serves sales, claims", "60.0 %", "9"]
            sites = await page.ask("document.querySelector('.view.people .sites').innerText")
            assert sites.startswith("Agents are shown of: tokyo. Off by configuration: osaka. A site shows the agents")
            assert await page.ask("document.querySelector('.view.people thead .day').innerText") == "Today, 06:00–09:00"
            strip = await page.ask("document.querySelector('.view.people .strip').getAttribute('aria-label')")
            # Four calls of eight minutes with two of wrap-up, and then the blood donation.
            assert "Handling 32:00 · Wrap-up 8:00" in strip
            assert "Blutspende 50:00" in strip
            await page.photograph(tmp_path / "people-en.png")
            # By the chip these alone, and all who are out by theirs.
            await click(page, ".chips button", "Too long")
            await page.until(f"{PEOPLE}.length === 3")
            await click(page, ".chips button", "Signed out")
            await page.until(f"{PEOPLE}.length === 1")
            assert await page.ask("new URLSearchParams(location.search).get('state')") == "offline"
            # By team, queue and state, each with how many and how many too long; an agent of two queues is below both.
            for group, headings in (
                ("team", ["north 6 · ▲ 2", "south 4 · ▲ 1"]),
                ("queue", ["claims 1", "sales 1", "Not known 9 · ▲ 3"]),
                ("state", ["● Handling 3", "◐ Wrap-up 1 · ▲ 1", "○ Idle 2", "■ Unavailable 4 · ▲ 2"]),
            ):
                await page.open(url(client, f"?view=people&group={group}"))
                await page.until(f"{PEOPLE}.length >= 10 + {len(headings)}")
                assert await page.ask(GROUPS) == headings
                await page.photograph(tmp_path / f"people-by-{group}.png")
            await choose(page, ".view.people .choices select", "sales", "sales")
            await page.until(f"{PEOPLE}.length === 2")
            assert await page.ask("new URLSearchParams(location.search).get('serving')") == "sales"
            # A site that is off has the reason in place of agents.
            await page.open(url(client, "?view=people&site=osaka"))
            await page.until(
                "document.querySelector('.view.people .sites')?.innerText.startsWith('Agents of osaka are off by configuration.')"
            )
            assert await page.ask(f"{PEOPLE}.length") == 0
            # Arranged by a column, by key too; a team and a search are in the address.
            await page.open(url(client, "?view=people&team=north"))
            await page.until(f"{PEOPLE}.length === 6")
            await page.ask("document.querySelector('.view.people thead .occupancy button').focus()")
            await page.press("Enter")
            assert [row[0] for row in await page.ask(f"{PEOPLE}.{TEXTS}")] == ["fukuda", "endo", "doi", "chiba", "baba", "abe"]
            assert await page.ask("document.querySelector('.view.people thead .occupancy').getAttribute('aria-sort')") == "descending"
            await page.open(url(client, "?view=people&person=IIDA&by=-occupancy"))
            await page.until(f"{PEOPLE}.length === 1")

            # Whom to call back: one click. Who got through since is not there.
            await click(page, "#views a", "Contacts")
            await page.until(f"{CALLS}.length === 3")
            rows = await page.ask(f"{CALLS}.{TEXTS}")
            assert [row[:1] + row[2:8] for row in rows] == [
                ["call-5", "sales", "Voice", "2 min ago", rows[0][5], "2:00", "1"],
                ["call-3", "sales", "Voice", "7 min ago", rows[1][5], "0:35", "2"],
                ["call-1", "sales", "Voice", "37 min ago", rows[2][5], "1:12", "1"],
            ]
            assert [rows[0][-1], len(rows[1][-1]), rows[1][-1] != rows[2][-1]] == ["–", 8, True]
            assert rows[1][8].startswith("since ")
            needs = await page.ask("document.querySelector('.view.contacts .needs').innerText")
            assert needs.startswith("Of 1 the events name no customer_key")
            links = await page.ask(f"{CALLS}.map(row => row.querySelector('a').href)")
            assert links == [f"https://pbx.example/calls/call-{n}" for n in (5, 3, 1)]
            opens = await page.ask(f"{CALLS}.map(row => [row.querySelector('a').innerText, row.querySelector('a').ariaLabel])")
            assert opens[0] == ["Open in pbx.example", "Open in pbx.example: call-5"]
            await page.photograph(tmp_path / "call-back-en.png")
            # Who has waited longest for a call first, as the address keeps it.
            await choose(page, ".view.contacts .to-call select", "longest", "longest")
            ids = f"{CALLS}.map(row => row.querySelector('b').innerText)"
            await page.until(f'JSON.stringify({ids}) === \'["call-1","call-3","call-5"]\'')
            assert await page.ask("new URLSearchParams(location.search).get('calls')") == "longest"
            await page.open(await page.ask("location.href"))
            await page.until(f'JSON.stringify({ids}) === \'["call-1","call-3","call-5"]\'')

            # The contacts behind a figure: a click on it, and Enter does the same.
            await page.open(url(client))
            await click(page, "#queues[data-opens] tr[data-queue=sales] td.waiting")
            await page.until(f"{BEHIND}.length === 1")
            assert (await page.ask(f"{BEHIND}.{TEXTS}"))[0][:3] == ["call-7", "pbx · Open in pbx.example", "Waiting"]
            await page.open(url(client))
            level = "document.querySelector('#queues[data-opens] tr[data-queue=sales] td.service_level_live')"
            await page.until(level)
            await page.ask("document.querySelector('#summary li:last-child').focus()")
            await page.press("Tab")
            await page.ask(f"(cell => {{ cell.tabIndex = 0; cell.focus({{ focusVisible: true }}); }})({level})")
            await page.until("document.querySelector('#explanation:popover-open')?.innerText.includes('Its contacts')")
            await page.press("Enter")
            await page.until(f"{BEHIND}.length === 6")
            rows = await page.ask(f"{BEHIND}.{TEXTS}")
            assert [(row[0], row[2], row[3]) for row in rows] == [
                ("call-5", "▼ Abandoned", "not in time"),
                ("call-4", "▼ Abandoned", "not in time"),
                ("call-3", "▼ Abandoned", "not in time"),
                ("call-2", "▼ Abandoned", "not in time"),
                ("call-7", "Waiting", "not decided"),
                ("call-6", "Answered", "in time"),
            ]
            assert "they do not give the served figure" in await page.ask(
                "document.querySelector('.view.contacts .behind > .none').innerText"
            )
            assert await page.ask(OUTSIDE) == []
            assert page.complaints == []

    run(check())


def test_in_japanese_dark_light_and_on_a_telephone(tmp_path: Path) -> None:
    """But for names every word is Japanese, nothing is faint or outside, and a narrow page has each row as a card."""

    async def check() -> None:
        async with client_of(serving()) as client, Chromium(width=1500, height=1000) as page:
            for view, ready in (
                ("people", f"{PEOPLE}.length === 10"),
                ("contacts&of=sales", f"{BEHIND}.length === 6 && {CALLS}.length === 3"),
            ):
                for theme in ("dark", "light"):
                    await page.open(url(client, f"?view={view}&lang=ja&theme={theme}"))
                    await page.until(ready)
                    assert await page.ask(FAINT) == [], (view, theme)
                    assert await page.ask(OUTSIDE) == [], (view, theme)
                    await page.photograph(tmp_path / f"{view[:8]}-ja-{theme}.png")
                hidden = "[...document.querySelectorAll('[title], [aria-label]')].map(e => `${e.title} ${e.ariaLabel ?? ''}`)"
                text = await page.ask(f"[document.body.innerText, ...{hidden}].join('\\n')")
                assert re.findall(r"[A-Za-z]{2,}", re.sub(NAMED, "", text)) == [], view
        async with client_of(serving()) as client, Chromium(width=390, height=844) as page:
            for view, ready in (("people", f"{PEOPLE}.length === 10"), ("contacts", f"{CALLS}.length === 3")):
                await page.open(url(client, f"?view={view}&theme=light"))
                await page.until(ready)
                assert await page.ask("document.documentElement.scrollWidth") == 390
                assert await page.ask(OUTSIDE) == []
                await page.photograph(tmp_path / f"{view}-narrow.png")

    run(check())


def test_a_view_names_the_missing_option_or_right() -> None:
    """Without the options the views name the missing one."""

    async def check() -> None:
        async with client_of(Backend.fed(small_center()).serving()) as client, Chromium() as page:
            for view, option in (("people", "--agents"), ("contacts", "--explain")):
                await page.open(url(client, f"?view={view}"))
                await page.until(f"document.querySelector('.view > .none')?.innerText.includes('{option}')")

    run(check())


def test_reading_is_shown_at_once_with_what_the_list_needs(tmp_path: Path) -> None:
    """While events are read: which, from when on and how far, in place of people as they were long ago. Without links ids are plain."""
    plain = CONFIGURATION.model_copy(update={"links": Links()})

    async def check() -> None:
        made = serving(plain)
        backend = Backend.fed(small_center())
        slow = {"people": Slow(agent_events()), "contacts": Slow(CONTACTS)}
        slow["people"].topic = "contactcenter.agent-events.v1"
        people = People(slow["people"], lambda: plain, backend.clock)
        call_backs = CallBacks(contacts_of(slow["contacts"], lambda: plain, backend.clock))
        reading = "document.querySelector('.view .reading:not([hidden])')?.innerText"
        async with client_of(replace(made, people=people, call_backs=call_backs)) as client, Chromium(width=1500, height=1000) as page:
            for lang, view, kind in (
                ("en", "people", "Reading events of agents from Kafka"),
                ("ja", "people", "担当者のイベントをKafkaから読み込み中"),
                ("en", "contacts", "Reading events of contacts from Kafka"),
                ("ja", "contacts", "問い合わせのイベントをKafkaから読み込み中"),
            ):
                await page.open(url(client, f"?view={view}&lang={lang}"))
                await page.until(f"{reading}?.startsWith({kind!r})")
                await page.until(f"/(4\\d|50) ?%/.test({reading})")
                assert await page.ask(f"{PEOPLE}.length + {CALLS}.length") == 0
                assert await page.ask(FAINT) == []
                await page.photograph(tmp_path / f"reading-{view}-{lang}.png")
            slow["contacts"].may_go_on.set()
            await page.until(f"{CALLS}.length === 3")
            assert await page.ask("document.querySelectorAll('.view .reading:not([hidden]), .view.contacts .to-call a').length") == 0
            needs = await page.ask("document.querySelector('.view.contacts .needs').innerText")
            assert "お客様の同一情報を読み込めない" in needs
            assert needs.endswith("設定に links がないため、IDから管理画面を開けません。")
            await page.photograph(tmp_path / "call-back-needs.png")
            slow["people"].may_go_on.set()
            await page.open(url(client, "?view=people"))
            await page.until(f"{PEOPLE}.length === 10")
            assert await page.ask(f"{reading} ?? null") is None

    run(check())
