"""What the gateway serves to customers: the page of a survey link and the beacon of a FAQ, and their limits."""

from __future__ import annotations

import asyncio
import base64
import re
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.cli import main
from streams.connectors.configured import BY_TOKEN
from streams.connectors.kit.surveys import SCALES
from streams.connectors.pages.beacon import SCRIPT
from streams.connectors.pages.recent import Recent
from streams.connectors.pages.survey_texts import language_of
from streams.connectors.platforms import connector
from streams.connectors.publishing import MemoryPublisher, NotPublishedError
from streams.connectors.survey_links import LinkKeys, SurveyLink, scale_ends
from tests.connectors.test_hooks import House, configured, inside
from tests.support.gateways import NOON

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from aiohttp import ClientResponse

KEY, OLD_KEY = "k" * 32, "o" * 32
DAY = int((NOON + timedelta(days=1)).timestamp())
LINK = SurveyLink("zendesk:T-100", "csat", 1, 5, DAY)
KEYS = LinkKeys([KEY])


def survey(**fields: Any) -> Any:
    """Return a survey of a connectors file."""
    settings = {"organization": "Acme & Söhne <b>", "texts": {}, **fields.pop("settings", {})}
    context = configured(connector("survey-link")).context
    return configured(
        connector("survey-link"),
        "poll",
        **{"secrets": (KEY, OLD_KEY), "verification": BY_TOKEN, "context": type(context)(source="poll", settings=settings), **fields},
    )


def beacon(**settings: Any) -> Any:
    """Return a FAQ beacon of a connectors file."""
    there = {"origins": ["https://www.example.com"], "categories": ["Delivery", "Bill*"], "events_per_second": 50.0, **settings}
    context = configured(connector("faq-beacon")).context
    return configured(
        connector("faq-beacon"), "faq", secrets=(), verification=BY_TOKEN, context=type(context)(source="faq", settings=there)
    )


async def got(there: House, method: str, path: str, **kwargs: Any) -> tuple[int, str, ClientResponse]:
    """Send a request; return status, text and response."""
    async with there.session.request(method, f"{there.address}{path}", allow_redirects=False, **kwargs) as response:
        return response.status, (await response.read()).decode("latin-1" if response.content_type == "image/gif" else "utf-8"), response


def opened(scenario: Callable[[House], Awaitable[None]], *connectors: Any, **kwargs: Any) -> None:
    """Run a scenario with a survey and a beacon."""
    inside(scenario, *(connectors or (survey(), beacon())), **kwargs)


# ---- Links -------------------------------------------------------------------------------------------------------------------------


@given(
    st.text(min_size=1, max_size=190).filter(lambda text: len(text.encode("utf-8", "ignore")) > 0 and text.isprintable()),
    st.sampled_from(sorted(SCALES)),
    st.integers(0, 2**32 - 1),
)
def test_a_link_carries_its_fields(conversation: str, kind: Any, expires: int) -> None:
    """For every id, kind and time."""
    low, high = scale_ends(kind, None)
    link = SurveyLink(conversation, kind, low, high, expires)
    token = KEYS.token(link)
    assert KEYS.read(token) == link
    assert re.fullmatch(r"[A-Za-z0-9_-]+", token)


def test_a_link_is_short_enough_for_an_sms() -> None:
    """160 characters hold it, with an id of 36 characters and a sentence before it."""
    token = KEYS.token(SurveyLink("5e0c6b1a-2d1f-4c1e-9c4f-0a1b2c3d4e5f", "csat", 1, 5, DAY))
    assert len(f"How was it? https://c.example.com/s/poll/{token}") <= 160


def test_only_signed_links_are_valid() -> None:
    """Each bit of it changed, cut, lengthened, padded, of another key, of no key: none is read."""
    token = KEYS.token(LINK)
    complete = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4))
    for bit in range(8 * len(complete)):
        changed = bytearray(complete)
        changed[bit // 8] ^= 1 << bit % 8
        assert KEYS.read(base64.urlsafe_b64encode(changed).rstrip(b"=").decode()) is None
    # The last character has bits that decode to nothing: a second text must not lead to the same link.
    others = [
        token[:-1] + character for character in "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_" if character != token[-1]
    ]
    for wrong in (*others, token[:-1], token + "A", token + "=", "", "A" * 5000, "ä" * 40, LinkKeys(["x" * 32]).token(LINK)):
        assert KEYS.read(wrong) is None


def test_keys_are_replaced_without_losing_links() -> None:
    """Links of the old key are read while it is listed after the new one."""
    old = LinkKeys([OLD_KEY]).token(LINK)
    both = LinkKeys([KEY, OLD_KEY])
    assert both.read(old) == LINK
    assert both.token(LINK) == KEYS.token(LINK)
    assert KEYS.read(old) is None


@pytest.mark.parametrize("secrets", [[], ["short"], [KEY, "short"]])
def test_short_keys_are_refused(secrets: list[str]) -> None:
    """With one link, short keys could be guessed."""
    with pytest.raises(ValueError, match="survey links need a secret of at least 32 characters"):
        LinkKeys(secrets)


@pytest.mark.parametrize(
    ("kind", "scale"), [("csat", "5-1"), ("csat", "1-1"), ("nps", "0-100"), ("ces", "x"), ("csat", "-1-3"), ("csat", "")]
)
def test_scales_that_no_page_can_ask(kind: str, scale: str) -> None:
    """At most eleven choices, from low to high."""
    with pytest.raises(ValueError, match="no scale for a link"):
        scale_ends(kind, scale)


# ---- The page ----------------------------------------------------------------------------------------------------------------------


def test_the_page_asks_and_the_answer_counts() -> None:
    """GET publishes nothing, POST an answer about the conversation of the link; another answer has the same id."""

    async def scenario(there: House) -> None:
        path = f"/s/poll/{KEYS.token(LINK)}"
        status, text, response = await got(there, "GET", path)
        assert (status, response.content_type) == (200, "text/html")
        assert "How satisfied are you" in text
        assert re.findall(r'name="score" value="(\d+)"', text) == ["1", "2", "3", "4", "5"]
        assert "Acme &amp; Söhne &lt;b&gt;" in text
        assert there.published() == []

        status, text, _ = await got(there, "POST", path, data={"score": "4"})
        assert status == 200
        assert "Thank you for your answer: 4" in text
        (answer,) = there.published()
        expected = {
            "type": "survey.answered",
            "source": "poll",
            "conversation_id": "zendesk:T-100",
            "kind": "csat",
            "score": 4.0,
            "scale": "1-5",
            "occurred_at": "2026-03-02T12:00:00.000Z",
            "received_at": "2026-03-02T12:00:00.000Z",
            "site": "berlin",
        }
        assert {name: answer[name] for name in expected} == expected

        there.clock.seconds = 60
        assert (await got(there, "POST", path, data={"score": "2"}))[0] == 200
        assert [event["score"] for event in there.published()] == [4.0, 2.0]
        assert len({event["event_id"] for event in there.published()}) == 1
        first, last = (event["revision"] for event in there.published())
        assert last - first == 60_000
        assert 'contact_center_gateway_page_requests_total{outcome="taken",source="poll"} 2.0' in await there.metrics()

    opened(scenario)


@pytest.mark.parametrize(
    ("query", "accepted", "language"),
    [
        ("", "ja-JP,ja;q=0.9,en;q=0.8", "ja"),
        ("", "en-GB,ja;q=0.5", "en"),
        ("", "de,ja;q=0.3,en;q=0.2", "ja"),
        ("", "de", "en"),
        ("", "ja;q=x,;;,=,en;q=0.1", "en"),
        ("?lang=ja", "en", "ja"),
        ("?lang=en", "ja", "en"),
        ("?lang=<script>", "ja", "ja"),
    ],
)
def test_the_language(query: str, accepted: str, language: str) -> None:
    """That of the link, else the browser's preference."""

    async def scenario(there: House) -> None:
        status, text, _ = await got(there, "GET", f"/s/poll/{KEYS.token(LINK)}{query}", headers={"Accept-Language": accepted})
        assert status == 200
        assert f'<html lang="{language}">' in text
        assert ("ご満足" in text) is (language == "ja")
        assert "<script" not in text

    opened(scenario)


@pytest.mark.parametrize("kind", sorted(SCALES))
def test_every_kind_in_both_languages(kind: Any) -> None:
    """A question of ours, or the organization's own, escaped."""

    async def scenario(there: House) -> None:
        low, high = scale_ends(kind, None)
        path = f"/s/poll/{KEYS.token(SurveyLink('c', kind, low, high, DAY))}"
        pages = [(await got(there, "GET", f"{path}?lang={language}"))[1] for language in ("en", "ja")]
        assert "How &lt;i&gt;good&lt;/i&gt;?" in pages[0] if kind == "csat" else "How " in pages[0]
        assert [len(re.findall("<button", page)) for page in pages] == [high - low + 1] * 2

    opened(scenario, survey(settings={"texts": {"csat": {"en": "How <i>good</i>?"}}}))


def test_nothing_that_is_not_needed_is_allowed() -> None:
    """No script, frame, cookie, cache, index or referrer; HEAD answers as GET."""

    async def scenario(there: House) -> None:
        for method, path in (("GET", f"/s/poll/{KEYS.token(LINK)}"), ("HEAD", f"/s/poll/{KEYS.token(LINK)}"), ("GET", "/s/poll/no")):
            _, text, response = await got(there, method, path)
            policy = response.headers["Content-Security-Policy"]
            assert policy.startswith("default-src 'none'; style-src 'sha256-")
            assert "script" not in policy
            assert "unsafe" not in policy
            assert "frame-ancestors 'none'" in policy
            assert response.headers["Referrer-Policy"] == "no-referrer"
            assert response.headers["Cache-Control"] == "no-store"
            assert "Set-Cookie" not in response.headers
            # Nothing of the link's content is in the page.
            assert "T-100" not in text

    opened(scenario)


def test_invalid_or_expired_links() -> None:
    """404 and 410, in words; nothing is published."""

    async def scenario(there: House) -> None:
        token = KEYS.token(LINK)
        for path in (f"/s/poll/{token[:-2]}", "/s/other/" + token, "/s/poll/%00%ff"):
            for method in ("GET", "POST"):
                status, text, _ = await got(there, method, path, data={"score": "3"} if method == "POST" else None)
                assert status == 404
                assert "This link is not valid" in text
        there.clock.seconds = 86_400
        for method in ("GET", "POST"):
            status, text, _ = await got(there, method, f"/s/poll/{token}", data={"score": "3"} if method == "POST" else None)
            assert (status, "This survey has ended" in text) == (410, True)
        assert there.published() == []

    opened(scenario)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"score=6",
        b"score=0",
        b"score=-1",
        b"score=3&score=4",
        b"score=3.5",
        b"score=\xef\xbc\x95",
        b"score=" + b"1" * 4000,
        b"\xff" * 50,
        b"a=1&" * 50,
    ],
)
def test_invalid_answers(body: bytes) -> None:
    """The question again, and no event."""

    async def scenario(there: House) -> None:
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        status, text, _ = await got(there, "POST", f"/s/poll/{KEYS.token(LINK)}", data=body, headers=headers)
        assert (status, "How satisfied" in text) == (200, True)
        assert there.published() == []

    opened(scenario)


def test_trying_tokens_is_slowed_and_harms_no_link() -> None:
    """After some hundred invalid ones further ones get 429; a valid one is answered meanwhile."""

    async def scenario(there: House) -> None:
        statuses = [(await got(there, "GET", f"/s/poll/{'A' * 60}{number:04}"))[0] for number in range(230)]
        assert set(statuses[:200]) == {404}
        assert set(statuses[201:]) == {429}
        assert (await got(there, "POST", f"/s/poll/{KEYS.token(LINK)}", data={"score": "5"}))[0] == 200
        there.clock.seconds = 60
        assert (await got(there, "GET", "/s/poll/" + "A" * 60))[0] == 404

    opened(scenario)


def test_a_link_cannot_be_used_to_flood() -> None:
    """Twenty answers an hour about a conversation, by all of its links together."""

    async def scenario(there: House) -> None:
        paths = [f"/s/poll/{KEYS.token(SurveyLink('c', 'csat', 1, 5, DAY + number))}" for number in range(2)]
        statuses = [(await got(there, "POST", paths[number % 2], data={"score": "5"}))[0] for number in range(25)]
        assert statuses == [200] * 20 + [429] * 5
        assert len(there.published()) == 20
        there.clock.seconds = 3601
        assert (await got(there, "POST", paths[0], data={"score": "1"}))[0] == 200

    opened(scenario)


class Broken(MemoryPublisher):
    """An unavailable Kafka."""

    async def publish(self, *_: Any, **__: Any) -> None:
        """Raise."""
        raise NotPublishedError("away")


def test_while_kafka_is_unavailable_no_answer_is_acknowledged() -> None:
    """The page asks to try again, and the beacon gets 503."""

    async def scenario(there: House) -> None:
        status, text, response = await got(there, "POST", f"/s/poll/{KEYS.token(LINK)}?lang=ja", data={"score": "5"})
        assert (status, response.headers["Retry-After"]) == (503, "5")
        assert "回答を保存できませんでした" in text
        assert (await sent(there))[0] == 503

    opened(scenario, publisher=Broken)


def test_recent_is_bounded() -> None:
    """For any number of keys."""
    recent = Recent(2, 10, keys=3)
    assert [recent.allows("a", at) for at in (0, 1, 2, 11)] == [True, True, False, True]
    for key in "bcdefg":
        assert recent.allows(key, 12)
    assert len(recent._known) == 3


def test_the_command_creates_links_that_the_gateway_opens(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """From the connectors file of the gateway, without the secrets of its other entries; ids are arguments or on stdin."""
    monkeypatch.setenv("SURVEY_KEY", KEY)
    file = tmp_path / "connectors.yaml"
    file.write_text(
        "public_url: https://c.example.com/\nconnectors:\n  poll: {connector: survey-link, secrets: [{env: SURVEY_KEY}]}\n"
        "  desk: {connector: zendesk, secrets: [{env: NOT_SET_HERE}]}\n"
    )
    assert main(["survey-link", "--connectors", str(file), "--source", "poll", "--kind", "nps", "--language", "ja", "T-1", "T-2"]) == 0
    lines = capsys.readouterr().out.splitlines()
    matches = [re.fullmatch(r"(T-\d)\thttps://c\.example\.com/s/poll/([\w-]+)\?lang=ja", line) for line in lines]
    links = [KEYS.read(match[2]) for match in matches if match]
    assert [(link.conversation_id, link.kind, link.scale) for link in links if link] == [("T-1", "nps", "0-10"), ("T-2", "nps", "0-10")]


@pytest.mark.parametrize(
    ("change", "arguments", "complaint"),
    [
        ("", ["--source", "other", "x"], "has no entry 'other' with connector: survey-link"),
        ("public_url: https://c.example.com/\n", ["--source", "poll", "x"], "write `public_url` at the top"),
        ("", ["--source", "poll", "--scale", "1-99", "x"], "no scale for a link"),
        ("", ["--source", "poll", "--days", "0", "x"], "--days is above 0"),
        ("SURVEY_KEY", ["--source", "poll", "x"], "survey links need a secret of at least 32 characters"),
    ],
)
def test_the_command_reports_errors(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, change: str, arguments: list[str], complaint: str
) -> None:
    """Each as a text, and with 2."""
    monkeypatch.setenv("SURVEY_KEY", KEY)
    monkeypatch.setenv("SHORT", "too short")
    text = "public_url: https://c.example.com/\nconnectors:\n  poll: {connector: survey-link, secrets: [{env: SURVEY_KEY}]}\n"
    file = tmp_path / "connectors.yaml"
    file.write_text(text.replace(change, "SHORT" if change == "SURVEY_KEY" else "") if change else text)
    assert main(["survey-link", "--connectors", str(file), *arguments]) == 2
    assert complaint in capsys.readouterr().err


# ---- The beacon --------------------------------------------------------------------------------------------------------------------

SESSION = "0123456789abcdef0123456789abcdef"
SITE = {"Origin": "https://www.example.com"}


async def sent(
    there: House, event: str = "started", session: str = SESSION, category: str = "Delivery", headers: dict[str, str] | None = None
) -> tuple[int, str, ClientResponse]:
    """Send an event as a page does."""
    return await got(there, "POST", "/b/faq", data={"e": event, "s": session, "c": category}, headers=SITE if headers is None else headers)


def test_the_events_of_a_page() -> None:
    """A session begins, and ends in one of three ways."""

    async def scenario(there: House) -> None:
        for number, end in enumerate(("solved", "left", "contact")):
            session = f"{number:032x}"
            assert (await sent(there, "started", session))[0] == 204
            status, _, response = await sent(there, end, session)
            assert (status, response.headers["Access-Control-Allow-Origin"]) == (204, "https://www.example.com")
            assert "Access-Control-Allow-Credentials" not in response.headers
        events = there.published()
        assert [event.get("outcome") for event in events] == [None, "confirmed_solved", None, "left", None, "handed_over"]
        assert {event["kind"] for event in events} == {"faq"}
        assert {event["category"] for event in events} == {"Delivery"}
        assert len({event["conversation_id"] for event in events}) == 3
        assert len({event["event_id"] for event in events}) == 6

    opened(scenario)


@pytest.mark.parametrize(
    ("event", "session", "category", "headers", "status"),
    [
        ("started", SESSION, "Delivery", {}, 403),
        ("started", SESSION, "Delivery", {"Origin": "https://evil.example"}, 403),
        ("started", SESSION, "Delivery", {"Origin": "https://www.example.com.evil.example"}, 403),
        ("started", SESSION, "Delivery", {"Origin": "null"}, 403),
        ("solve", SESSION, "Delivery", SITE, 400),
        ("started", "x", "Delivery", SITE, 400),
        ("started", SESSION.upper(), "Delivery", SITE, 400),
        ("started", "anna@example.com", "Delivery", SITE, 400),
        ("started", SESSION, "x" * 3000, SITE, 400),
    ],
)
def test_foreign_pages(event: str, session: str, category: str, headers: dict[str, str], status: int) -> None:
    """Other sites, other events, other ids: nothing is published."""

    async def scenario(there: House) -> None:
        answered, _, response = await sent(there, event, session, category, headers)
        assert answered == status
        assert (status == 403) is ("Access-Control-Allow-Origin" not in response.headers)
        assert there.published() == []

    opened(scenario)


@pytest.mark.parametrize(
    ("category", "passes"), [("Delivery", True), ("Billing", True), ("delivery", False), ("Anna Private", False), ("", False)]
)
def test_categories_are_those_configured(category: str, passes: bool) -> None:
    """An unknown category becomes no label of a figure; the session counts all the same."""

    async def scenario(there: House) -> None:
        assert (await sent(there, category=category))[0] == 204
        (event,) = there.published()
        assert event.get("category") == (category if passes else None)

    opened(scenario)


def test_a_page_cannot_be_used_to_flood() -> None:
    """A session has at most six events, and all of them together no more than the rate."""

    async def scenario(there: House) -> None:
        assert [(await sent(there))[0] for _ in range(8)] == [204] * 6 + [429] * 2
        statuses = [(await sent(there, session=f"{number:032x}"))[0] for number in range(40)]
        assert statuses.count(204) == 14
        assert statuses[-1] == 429

    opened(scenario, beacon(events_per_second=2.0))


def test_the_image_of_a_page_without_scripts() -> None:
    """It begins a session for a page of a configured site; every request gets an image."""

    async def scenario(there: House) -> None:
        for referer, count in ((None, 0), ("https://evil.example/x", 0), ("https://www.example.com/", 1), ("https://www.example.com", 2)):
            status, text, response = await got(there, "GET", "/b/faq.gif?c=Billing", headers={"Referer": referer} if referer else {})
            assert (status, response.content_type, text[:6]) == (200, "image/gif", "GIF89a")
            assert response.headers["Cache-Control"] == "no-store"
            assert len(there.published()) == count
        assert {event["category"] for event in there.published()} == {"Billing"}
        assert (await got(there, "GET", "/b/none.gif"))[0] == 404

    opened(scenario)


def test_the_script_is_small_and_stores_nothing() -> None:
    """At most 1 kB, as it is served; no cookie, no storage."""

    async def scenario(there: House) -> None:
        status, text, response = await got(there, "GET", "/b/faq.js")
        assert (status, response.content_type, text) == (200, "text/javascript", SCRIPT)

    opened(scenario)
    assert len(SCRIPT.encode()) <= 1_000
    assert not re.search(r"cookie|localStorage|sessionStorage|userAgent|referrer", SCRIPT)


def test_languages_of_any_header_raise_nothing() -> None:
    """However long."""
    assert language_of(None, "ja," * 10_000) == "ja"


def test_heartbeats_cover_pages() -> None:
    """The gateway reports how far its pages are complete."""

    async def scenario(there: House) -> None:
        await there.gateway.beat()
        beats = [record.value for records in there.publisher.records.values() for record in records if b"source.heartbeat" in record.value]
        assert {b"poll", b"faq"} <= {match[1] for beat in beats if (match := re.search(rb'"source":\s?"(\w+)"', beat))}

    opened(scenario)
    assert asyncio.iscoroutinefunction(got)
