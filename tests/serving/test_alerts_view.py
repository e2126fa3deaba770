"""Alerts in a real browser: faults, acknowledgements, the history, the outlook, and what draws attention."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson
import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer, unused_port

from schemas.times import format_ms
from streams.catalogue import WORDS
from streams.configuration.on_call import OnCall
from streams.serving.alerting.action_log import encoded
from streams.serving.api import create_app
from tests.serving.alerting.center import fired
from tests.serving.alerting.memory import MemoryActionLog, known_actions
from tests.serving.alerting.test_past import clock, message
from tests.serving.chromium import Chromium, binary
from tests.serving.records import Backend, alert, client_of, progress, small_center
from tests.serving.test_outlook import NOW, QUARTER, interval, last_hour
from tests.serving.test_outlook import backend as outlook_backend
from tests.serving.test_page import MARK, run, url
from tests.support.require import require

if TYPE_CHECKING:
    from aiohttp.typedefs import Handler

    from streams.catalogue.words import Language
    from streams.serving.api import Serving

pytestmark = pytest.mark.browser

SENTENCE = "document.getElementById('silent').innerText"
ROWS = "[...document.querySelectorAll('.view.alerts .firing li')]"
ON_CALL = OnCall.model_validate({"default": "IT 4000", "kafka": "Net 4100", "serve": "Web 4300"})


@pytest.fixture(autouse=True)
def _browser() -> None:
    require(binary(), "the page is tested in Chromium: apt-get install chromium")


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """Return the folder of the screenshots."""
    folder = Path(os.environ.get("WALLBOARD_SCREENSHOTS") or tmp_path)
    folder.mkdir(parents=True, exist_ok=True)
    return folder


#: Language → the sentences for Kafka that was never reached, for a page that is cut off, and for a silent source.
SENTENCES: dict[Language, tuple[str, str, str]] = {
    "en": (
        (
            "Kafka has not answered since 1970-01-01 00:00:00 UTC: there are no figures yet, and "
            "they will be there once it does. Call Net 4100."
        ),
        "what it shows is right as of 09:00:00, no event is lost by that, and newer figures are shown once it is reached. Call Web 4300.",
        (
            "No events have arrived from mail since 08:00:00 UTC: what other sources report is right, and "
            "later events from there are missing. Call IT 4000."
        ),
    ),
    "ja": (
        "Kafkaが1970-01-01 00:00:00 UTCから応答していません。まだ数値はありませんが、応答があれば自動的に表示されます。連絡先：Net 4100",
        "9:00:00現在の数値を表示しています。これによるイベントの欠落はなく、接続が回復すれば最新の数値が表示されます。 連絡先：Web 4300",
        (
            "mailからの情報が08:00:00 UTCから途絶えています。他の送信元による数値は正しく、途絶した送信元の以降の分は含まれていません。"
            "連絡先：IT 4000"
        ),
    ),
}


@pytest.mark.parametrize("language", ["en", "ja"])
def test_one_sentence_names_the_fault(language: Language, pictures: Path) -> None:
    """Kafka that does not answer, a silent source, and a page that is cut off: each has its own sentence with the contact."""
    kafka, cut, source = SENTENCES[language]
    words = WORDS[language]

    async def check() -> None:
        backend = Backend(ready=False, connected=False, reached=False)
        serving = backend.serving()
        serving.figures.on_call = ON_CALL
        server = TestServer(create_app(serving), port=unused_port())
        async with Chromium(width=1280, height=700) as page:
            await server.start_server()
            await page.open(f"{server.make_url('/')}?lang={language}")
            await page.until(f"{SENTENCE} === {kafka!r} && {MARK} === {words['mark.kafka_not_reached']!r}")
            await page.photograph(pictures / f"kafka-{language}.png")
            for key, value in small_center():
                backend.store.feed(key, value)
            backend.ready = backend.connected = backend.reached = True
            await page.until(f"{SENTENCE} === {source!r} && {MARK} === {words['live']!r}")
            backend.store.feed(*progress(1, revision=9))
            await page.until("document.getElementById('silent').hidden")
            assert page.complaints == []
            await server.close()
            await page.until(f"{SENTENCE}.endsWith({cut!r}) && {MARK} === {words['disconnected']!r}", seconds=15)
            await page.photograph(pictures / f"cut-{language}.png")

    run(check())


def center() -> tuple[Backend, Serving, MemoryActionLog]:
    """Return a center with three alerts of two rules, one of them notified, escalated and of several figures, and one that cleared."""
    conditions = [
        {"kpi": "waiting", "window": None, "value": 6.0, "above": 5.0, "clear_at": 5.0, "minimum_contacts": 0},
        {"kpi": "abandon_rate", "window": "trailing_15m", "value": 0.2, "above": 0.05, "clear_at": 0.05, "minimum_contacts": 10},
    ]
    both: dict[str, Any] = {"rule": "flood", "kpi": "waiting", "window": None, "below": None, "above": 5.0, "value": 6.0, "combined": "all"}
    details: dict[str, Any] = {
        **both,
        "conditions": conditions,
        "message": {"en": "{scope}: open the overflow, {value} wait", "ja": "{scope}：あふれ（{value}件待ち）"},
    }
    backend = Backend.fed(small_center()).with_alerts(
        alert(), alert("queue:claims", "mail"), alert(alert_id="id-flood", severity="warning", **details)
    )
    actions = known_actions()
    actions.concerns = backend.alerts.resend
    log = MemoryActionLog(actions)
    serving = backend.serving(action_log=log, targets={"sales": 0.8})
    serving.figures.actions = actions
    serving.figures.past.known = True
    over = alert("queue:over", state="cleared", value=0.85)
    for record in (alert("queue:over"), over, alert()):
        serving.figures.past.feed(*record)
    for notification in (
        message("fired", "floor", clock("08:55:05"), fired(), settled=clock("08:55:06")),
        message("escalated", "manager", clock("08:56:05"), fired(), step=1, settled=clock("08:56:07"), outcome="refused"),
    ):
        actions.feed(*encoded(notification))
    return backend, serving, log


BUTTON = """((row, text) => [...row.querySelectorAll('button')].find(e => e.innerText === text && !e.hidden))"""


@pytest.mark.parametrize(("language", "width"), [("en", 1280), ("ja", 390)])
def test_alerts_are_acknowledged_and_silenced(language: Language, width: int, pictures: Path) -> None:
    """By rule, with the figures of now, by key; acknowledgements and silences are shown with them, and the outcome of each below."""
    words = WORDS[language]
    of_sales = f"{ROWS}.find(e => e.querySelector('.where').innerText.startsWith('sales') && e.className.includes('critical'))"

    async def check() -> None:
        backend, serving, log = center()
        async with client_of(serving) as client, Chromium(width=width, height=900) as page:
            await page.open(url(client, f"?view=alerts&lang={language}"))
            await page.until(f"{ROWS}.length === 3 && document.querySelectorAll('.history .events').length === 2")
            titles = "[...document.querySelectorAll('.firing h3 > b')].map(e => e.innerText)"
            assert await page.ask(titles) == ["low-service-level (2)", "flood (1)"]
            figures = "[...document.querySelectorAll('.firing .figure')].map(e => e.innerText)"
            flood = (await page.ask(figures))[2]
            # Two wait now, and one in ten gave up: its text when it fired no longer holds.
            assert (
                flood
                == {
                    "en": (
                        "sales: open the overflow, 2 wait – Waiting 2 (was above 5) and "
                        "Abandonment rate 10.0 % (above 5 % · a silent source keeps it)"
                    ),
                    "ja": (
                        "sales：あふれ（2件待ち） – 待ち件数 2（5超から回復）、かつ放棄率 10.0%（5%超 · 更新途絶中の送信元があるため継続）"
                    ),
                }[language]
            )
            assert words["alert.escalated"] in await page.ask(f"{of_sales}.querySelector('.seen').innerText")
            await page.photograph(pictures / f"alerts-{language}-{width}.png")
            lines = "[...e.querySelectorAll('.events span')].map(l => l.innerText)"
            events = f"[...document.querySelectorAll('.history > div > ol > li')].map(e => {lines})"
            sales, over = await page.ask(events)
            assert (
                sales
                == {
                    "en": [
                        "fired at 62.0 %",
                        "delivered to floor: it fires",
                        "escalated to manager, step 1",
                        "refused by manager: it is escalated",
                    ],
                    "ja": [
                        "発生（62.0%）",
                        "floorへ送信済み：発生",
                        "managerへエスカレーション（1段目）",
                        "managerが受信を拒否：エスカレーション",
                    ],
                }[language]
            )
            assert over[-1] == {"en": "cleared at 85.0 %: recovered", "ja": "解消（85.0%、回復）"}[language]
            # Beyond since 08:54, fired at 08:55, cleared at 09:00: it lasted from the first to the last, all of the server's today.
            spans = await page.ask("[...document.querySelectorAll('.history .head .quiet')].map(e => e.innerText)")
            assert (
                spans
                == {
                    "en": ["since 08:54:00 · still firing", "08:54:00 to 09:00:00 · lasted 6:00"],
                    "ja": ["08:54:00から · 発生中", "08:54:00〜09:00:00・継続時間6:00"],
                }[language]
            )

            await page.ask(f"{BUTTON}({of_sales}, {words['acknowledge']!r}).focus()")
            await page.press("Enter")
            await page.until("document.querySelector('dialog[open] input')")
            await page.ask("document.querySelector('dialog[open] input').value = 'calling two back'")
            await page.ask("document.querySelector('dialog[open] form').requestSubmit()")
            # Without logins no user has a name: the page says what would name them.
            by = words["alert.acknowledged_unnamed"]
            assert "--access" in by
            await page.until(f"{of_sales}.querySelector('.seen').innerText === {by!r}")
            assert await page.ask(f"[{of_sales}.className, {of_sales}.querySelector('.note').innerText]") == [
                "critical quiet",
                "calling two back",
            ]
            assert await page.ask(f"!!{BUTTON}({of_sales}, {words['acknowledge']!r})") is False
            note = words["event.acknowledged_unnamed"] + " – calling two back"
            await page.until(f"{events}.some(lines => lines.includes({note!r}))")
            assert log.written[0] == ("acknowledged|id-sales", False)

            await page.ask(f"{BUTTON}({of_sales}, {words['silence.make']!r}).click()")
            await page.until("document.querySelector('dialog[open] select')")
            assert await page.ask("document.querySelector('dialog[open] form').checkValidity()") is False  # without a reason
            await page.ask("document.querySelector('dialog[open] input').value = 'fire drill'")
            await page.photograph(pictures / f"silence-{language}-{width}.png")
            await page.ask("document.querySelector('dialog[open] form').requestSubmit()")
            await page.until("document.querySelector('.silences li .note')?.innerText === 'fire drill'")
            (silence,) = serving.figures.actions.silences(int(backend.clock() * 1000))
            assert (silence.rule, silence.scope) == ("low-service-level", "queue:sales")
            # An hour, by the server's clock: a minute for the test itself.
            assert 3_540 < silence.until.timestamp() - backend.clock() < 3_660
            await page.until(f"{of_sales}.querySelector('.seen').innerText.includes(' · ')")
            await page.ask("document.querySelector('.silences li button').click()")
            await page.until("!document.querySelector('.silences li')")
            assert serving.figures.actions.silences(int(backend.clock() * 1000)) == []
            # A write that Kafka refuses is reported, and not shown as done.
            log.fails = True
            await page.ask(f"{BUTTON}({ROWS}[0], {words['acknowledge']!r}).click()")
            await page.until("document.querySelector('dialog[open] form')")
            await page.ask("document.querySelector('dialog[open] form').requestSubmit()")
            await page.until("document.querySelector('.said').innerText.includes('cannot be written to Kafka now')")
            assert [each for each in page.complaints if "503" not in each] == []
            assert await page.ask("document.documentElement.scrollWidth") <= width

    run(check())


def test_who_may_not_has_no_buttons() -> None:
    """A viewer sees what fires, what is silenced and the history, and is offered nothing that would be refused."""

    async def check() -> None:
        _, serving, _ = center()

        @web.middleware
        async def fewer(request: web.Request, handler: Handler) -> web.StreamResponse:
            answer = await handler(request)
            if request.path != "/api/v1/session" or not isinstance(answer, web.Response):
                return answer
            session = orjson.loads(answer.text or "{}")
            return web.json_response({**session, "rights": [each for each in session["rights"] if each != "alerts"]})

        app = create_app(serving)
        app.middlewares.append(fewer)
        async with TestClient(TestServer(app)) as client, Chromium() as page:
            await page.open(url(client, "?view=alerts"))
            await page.until(f"{ROWS}.length === 3 && document.querySelectorAll('.history .events').length === 2")
            assert await page.ask("document.querySelectorAll('.view.alerts :is(.firing, .silences) button').length") == 0

    run(check())


@pytest.mark.parametrize(("language", "width"), [("en", 1600), ("ja", 390)])
def test_the_outlook_is_shown(language: Language, width: int, pictures: Path) -> None:
    """Eight quarters with the agents they need beside the eight who are there; breaches are marked, listed first, and have a shape."""
    words = WORDS[language]

    async def check() -> None:
        async with client_of(outlook_backend().serving(targets={"sales": 0.75})) as client, Chromium(width=width, height=800) as page:
            await page.open(url(client, f"?view=outlook&lang={language}"))
            await page.until("document.querySelectorAll('.view.outlook tbody tr').length === 1")
            await page.photograph(pictures / f"outlook-{language}-{width}.png")
            (sales,) = (await (await client.get("/api/v1/outlook")).json())["outlook"]
            cells = await page.ask(
                "[...document.querySelectorAll('.view.outlook tbody tr > *')].map(e => [e.className, e.querySelector('b, a').innerText])"
            )
            assert cells[0][1] == "sales"
            assert cells[1] == ["now", "8"]
            needed = [each["agents_needed"] for each in sales["intervals"]]
            # 8 are enough for 20 calls a quarter, and 40 take more.
            assert [text for _, text in cells[2:10]] == [f"{needed[0]}"] + [f"▼ {each}" for each in needed[1:]]
            assert [name for name, _ in cells[2:10]] == ["at"] + 7 * ["at missed short"]
            assert cells[10] == ["error", "0%" if language == "ja" else "0 %"]
            # Required agents are underlined in the table as in the legend, which names each number.
            line = "getComputedStyle(document.querySelector('.view.outlook {place} b')).textDecorationLine"
            assert [await page.ask(line.format(place=place)) for place in ("td.short", ".short dt", "td.at")] == [
                "underline",
                "underline",
                "none",
            ]
            legend = await page.ask("[...document.querySelectorAll('.view.outlook dl div')].map(e => e.innerText.split('\\n'))")
            assert [each[-1] for each in legend] == [
                words[f"outlook.{name}_meaning"].format(n=15) for name in ("required", "short", "missed", "forecast", "planned", "error")
            ]
            assert "48" in legend[-1][-1]
            assert words["outlook.error_of"] in await page.ask("document.querySelector('.view.outlook td.error').innerText")
            small = await page.ask("[...document.querySelectorAll('.view.outlook tbody .at small')].map(e => e.innerText)")
            assert small[1].startswith("40件 · " if language == "ja" else "40 calls · ")
            breaches = await page.ask("document.querySelector('.view.outlook .breaches').innerText")
            assert breaches.startswith(("Below target within half an hour: 1, first sales at ", "30分以内に目標未達の見込み：1件"))
            assert await page.ask("document.documentElement.scrollWidth") <= width
            # A center that has just begun gets a text on what is missing, and when it will be there.
            young = Backend.fed([progress(), interval("sales", NOW - QUARTER, 20), last_hour("sales")])
            async with client_of(young.serving()) as other:
                await page.open(url(other, f"?view=outlook&lang={language}"))
                until = {"en": "begins on 2 Apr 2026 06:45.", "ja": "予測は2026年4月2日 06:45に始まります。"}[language]
                await page.until(f"document.querySelector('.view.outlook .breaches')?.innerText.endsWith({until!r})")
            assert page.complaints == []

    run(check())


COUNT_TONES = """
window.tones = 0;
const plain = AudioContext.prototype.createOscillator;
AudioContext.prototype.createOscillator = function () { window.tones += 1; return plain.call(this); };
"""


def test_what_draws_attention_is_off_until_it_is_asked_for() -> None:
    """Nothing sounds or flashes at first; chosen, it is in the address, and a new alert has two tones and a frame, a silenced one none."""

    async def check() -> None:
        backend, serving, _ = center()
        async with client_of(serving) as client, Chromium(width=1280, height=900) as page:
            await page.open(url(client, "?view=alerts"))
            await page.until(f"{ROWS}.length === 3")
            await page.ask(COUNT_TONES)
            assert await page.ask("document.getElementById('permit').hidden")
            backend.alerts.feed(*alert("queue:a", alert_id="a"))
            await page.until(f"{ROWS}.length === 4")
            assert await page.ask("[window.tones, document.body.classList.contains('flash')]") == [0, False]

            await page.ask("document.querySelector('[name=sound]').focus()")
            await page.press(" ")
            await page.ask("document.querySelector('[name=flash]').click()")
            await page.until("location.search.includes('sound=on') && location.search.includes('flash=on')")
            await page.until("document.getElementById('permit').hidden")
            backend.alerts.feed(*alert("queue:b", alert_id="b"))
            await page.until("window.tones === 2 && document.body.classList.contains('flash')")
            until = format_ms(int(backend.clock() * 1000) + 3_600_000)
            silence = {"kind": "silence", "silence_id": "s", "rule": None, "scope": "queue:c", "reason": "drill", "until": until}
            who: dict[str, Any] = {"by": {"kind": "user", "name": "tanaka"}, "at": until}
            serving.figures.actions.feed(b"silence|s", orjson.dumps({**silence, **who}))
            backend.alerts.feed(*alert("queue:c", alert_id="c"))
            await page.until(f"{ROWS}.length === 6")
            assert await page.ask("window.tones") == 2

            # A wall that is sent such an address asks for the click that browsers want.
            await page.open(url(client, "?view=wall&sound=on"))
            await page.until("document.getElementById('permit').innerText === 'Click to permit sound'")
            assert page.complaints == []

    run(check())


#: Replaces what a headless browser cannot do: keep the screen on, and show a permitted notification.
WITHOUT_A_PERSON = """
window.locks = 0;
const request = async () => { window.locks += 1; return { released: false, release() {} }; };
Object.defineProperty(navigator, 'wakeLock', { value: { request } });
window.shown = [];
window.Notification = class { static permission = 'granted'; constructor(title, { body, tag }) { window.shown.push([title, body, tag]); } };
"""


def test_a_wall_keeps_its_screen_on_and_notifications_name_what_fires() -> None:
    """A wall does so unless it is switched off, another page if it is switched on; a notification names scope and figure."""

    async def check() -> None:
        backend, serving, _ = center()
        async with client_of(serving) as client, Chromium() as page:
            await page.begin_with(WITHOUT_A_PERSON)
            for query, locks in (("?view=wall", 1), ("?view=wall&awake=off", 0), ("?", 0), ("?awake=on", 1)):
                await page.open(url(client, query))
                await page.until("document.querySelector('#alerts li .figure')?.textContent")
                assert await page.ask("window.locks") == locks, query
            await page.open(url(client, "?notify=on"))
            await page.until("document.querySelector('#alerts li .figure')?.textContent")
            backend.alerts.feed(*alert("queue:new", alert_id="new"))
            await page.until("window.shown.length === 1")
            (notification,) = await page.ask("window.shown")
            assert notification == ["Alerts", "new · Voice: Service level 62.0 % (below 80 % · as of 08:55:00)", "alerts"]
            assert page.complaints == []

    run(check())
