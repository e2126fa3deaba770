"""One queue by interval, the day so far, and the health of sources: computed by hand from the records of a morning."""

from __future__ import annotations

import asyncio
import time
from fractions import Fraction
from itertools import count, product
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import pytest

from schemas.api import EarlierAnswer, IntervalsAnswer, SourcesAnswer, TodayAnswer
from schemas.times import format_ms, parse_time_ms
from schemas.topics import topic
from streams.access.views import View
from streams.configuration import Configuration
from streams.serving.dead_letters import Dead, DeadLetterCounts, DeadLetterWatch
from streams.serving.earlier import Intervals
from streams.serving.intervals import held_of, intervals_of
from streams.serving.source_health import health_of
from streams.serving.today import restoring, shows_day, sparing, today_of
from streams.windows.targets import terms_of
from tests.serving.detail_center import BAD, NOW, QUARTER, center, day, interval, serving
from tests.serving.records import Backend, client_of, figure, people_window, progress, window
from tests.serving.running import ALL, FEW, guarded
from tests.serving.topics import bootstrap, make, publish, until

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["bootstrap"]


def document_of(folder: Path, path: str) -> dict[str, Any]:
    """Return the center's answer of an endpoint."""

    async def ask() -> dict[str, Any]:
        async with client_of(serving(center(), folder)) as client:
            answer = await client.get(path)
            assert answer.status == 200
            assert "ETag" in answer.headers
            found: dict[str, Any] = await answer.json()
            return found

    return asyncio.run(ask())


def test_the_fewest_contacts_restore_a_target() -> None:
    """The closed formula equals counting up one contact at a time, for every figure of up to 25 contacts and eight targets."""
    parts = [(0, 1), (1, 3), (1, 2), (4, 5), (171, 200), (9, 10), (99, 100), (1, 1)]
    for (above, below), counted in product(parts, range(1, 26)):
        for met in range(counted + 1):
            if above < below:
                fewest = next(k for k in count() if (met + k) * below >= above * (counted + k))
                assert restoring(met, counted, Fraction(above, below)) == fewest
            else:
                assert restoring(met, counted, Fraction(above, below)) == (0 if met == counted else None)
            most = 0
            while above and met * below >= above * (counted + most + 1):
                most += 1
            assert sparing(met, counted, Fraction(above, below)) == (most if above else None)


def test_rounding_of_floats_decides_nothing() -> None:
    """63 of 83 need exactly 17 for 80 %, not 18; so do 70 of 100 for 10 % of ten."""
    assert restoring(63, 83, Fraction("0.8")) == 17
    assert restoring(7, 10, Fraction("0.7")) == 0
    assert restoring(0, 1, Fraction("0.1")) == 1
    assert sparing(90, 100, Fraction("0.8")) == 12
    assert sparing(8, 10, Fraction("0.8")) == 0


def test_the_day_so_far(tmp_path: Path) -> None:
    """Every scope and channel with its target and the contacts to restore or spare; a queue without a contact today is absent."""
    document = TodayAnswer.model_validate(document_of(tmp_path, "/api/v1/today"))

    days = {(each.scope, each.channel): each for each in document.days}
    assert set(days) == {("sales", "voice"), ("claims", "voice"), ("billing", "voice"), ("vip", "voice"), ("all", "voice"), ("all", "chat")}
    needs = {
        name: (each.met, each.contacts_to_restore, each.contacts_to_spare) for (name, channel), each in days.items() if channel == "voice"
    }
    # (225 − 210) ÷ 0.1; (66.4 − 63) ÷ 0.2; 90 ÷ 0.8 − 100 = 12.5; of all of 30 none may be missed.
    assert needs == {
        "sales": (False, 150, 0),
        "claims": (False, 17, 0),
        "billing": (True, 0, 12),
        "vip": (False, None, 0),
        "all": (None, None, None),
    }
    sales = days["sales", "voice"]
    assert (sales.target, sales.threshold_seconds, sales.offered, sales.answered) == (0.9, 20, 250, 225)
    assert sales.answer_rate is not None
    assert (sales.answer_rate.value, sales.answer_rate.denominator) == (0.9375, 240)
    assert sales.coverage == {"aht": pytest.approx(230 / 240)}
    assert days["all", "voice"].events_uncounted == {"no_begin": 5, "no_leg": 2}
    assert days["all", "chat"].coverage["aht"] == pytest.approx(20 / 30)


def test_a_target_of_a_channel_and_of_a_site(tmp_path: Path) -> None:
    """A configured target of a day holds for its scope and channel, before that of the queue."""
    configuration = Configuration.model_validate(
        {
            "sites": {"tokyo": {"zone": "Asia/Tokyo"}},
            "queues": {"sales": {"target": 0.9}},
            "targets": [
                {"kpi": "service_level", "scope": "queue:sales", "channel": "chat", "window": "day", "unit": "percent", "target": 50},
                {"kpi": "service_level", "scope": "site:tokyo", "window": "day", "unit": "percent", "target": 80},
            ],
        }
    )
    backend = Backend.fed([progress(), day("sales", 30, 50), day("sales", 30, 50, "chat"), day("site:tokyo", 30, 50)])
    days = today_of(backend.store, configuration, {"sales": 0.9}, terms_of(configuration))["days"]
    assert {(each["scope"], each["channel"]): (each["target"], each["met"]) for each in days} == {
        ("sales", "chat"): (0.5, True),
        ("sales", "voice"): (0.9, False),
        ("tokyo", "voice"): (0.8, False),
    }
    # Where queues of a scope are judged differently, there is no one threshold.
    mixed = Backend.fed([progress(), day("total:all", 1, 20, definitions={"service_level": "a@1, b@2"})])
    assert today_of(mixed.store, configuration, {}, ())["days"][0]["threshold_seconds"] is None
    none = Backend.fed([progress(), day("sales", 0, 20, kpis={"service_level": figure(None, 0, 0)})])
    (empty,) = today_of(none.store, configuration, {"sales": 0.9}, ())["days"]
    assert (empty["met"], empty["contacts_to_restore"], empty["contacts_to_spare"]) == (None, None, None)
    assert not shows_day(View(frozenset({"queue:claims"}), frozenset()), empty)


def test_all_queues_in_an_interval(tmp_path: Path) -> None:
    """The interval of 08:00 holds 08:14:59; the default is the last complete one; a missing one is reported, an invalid time refused."""
    document = EarlierAnswer.model_validate(document_of(tmp_path, "/api/v1/earlier?at=2026-04-01T08:14:59Z"))
    assert (document.start, document.end) == (BAD, "2026-04-01T08:15:00.000Z")
    (sales,) = document.scopes
    assert (sales.scope_kind, sales.scope, sales.channel, sales.target) == ("queue", "sales", "voice", 0.9)
    assert (sales.offered, sales.service_level and sales.service_level.value, sales.aht_seconds, sales.final) == (30, 0.4, 360, True)
    # Four of yesterday and twelve of this morning.
    assert (len(document.starts), document.starts[4], document.starts[-1]) == (16, "2026-04-01T06:00:00.000Z", "2026-04-01T08:45:00.000Z")

    last = EarlierAnswer.model_validate(document_of(tmp_path, "/api/v1/earlier"))
    assert (last.start, [each.offered for each in last.scopes]) == ("2026-04-01T08:45:00.000Z", [20])
    before = EarlierAnswer.model_validate(document_of(tmp_path, "/api/v1/earlier?at=2020-01-01T00:00:00Z"))
    assert (before.start, before.end, before.scopes) == (None, None, [])
    assert Intervals(center().store, {}).at(NOW, View(frozenset({"queue:claims"}), frozenset()))["scopes"] == []

    async def check() -> None:
        async with client_of(serving(center(), tmp_path)) as client:
            answer = await client.get("/api/v1/earlier?at=noon")
            assert (answer.status, (await answer.json())["detail"][:4]) == (400, "at: ")

    asyncio.run(check())


def test_one_queue_by_interval(tmp_path: Path) -> None:
    """Volume, service level, handle time, workload and agents of each quarter; waits and flow-outs of today; yesterday too."""
    document = IntervalsAnswer.model_validate(document_of(tmp_path, "/api/v1/intervals?queue=sales"))

    (voice,) = document.channels
    assert (voice.channel, voice.target, voice.threshold_seconds) == ("voice", 0.9, 20)
    assert [each.start for each in voice.intervals] == sorted(each.start for each in voice.intervals)
    assert len(voice.intervals) == 4 + 12
    bad = next(each for each in voice.intervals if each.start == BAD)
    assert bad.service_level is not None
    assert (bad.offered, bad.abandoned, bad.service_level.value, bad.aht_seconds) == (30, 2, 0.4, 360)
    # 26 × 360 s in 900 s; the others 18 × 300.
    assert bad.workload_agents == pytest.approx(10.4)
    assert [each.workload_agents for each in voice.intervals[4:] if each is not bad] == pytest.approx([6] * 11)
    assert document.staff is not None
    assert (document.staff.scope_kind, document.staff.scope) == ("site", "tokyo")
    assert {each.start: each.actual for each in document.staff.intervals}[BAD] == 8
    assert [(each.up_to_seconds, each.answered, each.abandoned) for each in voice.waits] == [
        (5, 100, 0), (10, 60, 0), (15, 30, 0), (20, 20, 5), (30, 10, 0), (60, 5, 10), (None, 0, 0),
    ]  # fmt: skip
    assert list(voice.flow_outs.items()) == [("overflow", 7), ("voicemail", 3)]
    assert voice.today is not None
    assert (voice.today.offered, voice.today.answered, voice.today.workload_agents) == (250, 225, None)


def test_a_queue_that_is_missing_or_hidden(tmp_path: Path) -> None:
    """A missing name is refused, an unknown or hidden queue is not found; a view without agents gets no staff."""

    async def check() -> None:
        async with client_of(serving(center(), tmp_path)) as client:
            assert (await client.get("/api/v1/intervals")).status == 400
            assert (await client.get("/api/v1/intervals?queue=nowhere")).status == 404
            idle = IntervalsAnswer.model_validate_json(await (await client.get("/api/v1/intervals?queue=idle")).read())
            # Yesterday's day is not today's.
            assert (idle.channels[0].today, idle.channels[0].waits, idle.channels[0].intervals) == (None, [], [])

    asyncio.run(check())
    store = center().store
    few = View(frozenset({"queue:sales", "site:tokyo"}), frozenset())
    assert held_of(store, "claims", None, few) is None
    held = held_of(store, "sales", "tokyo", few)
    assert held is not None
    assert (len(held.intervals), held.staff) == (16, [])


def test_a_running_interval_has_no_workload() -> None:
    """Half of an interval is not half of its work: the workload is known when the interval is complete."""
    store = Backend.fed([progress(), interval(NOW - 60_000, 20, 18, 300, 9), interval(NOW - 60_000 - QUARTER, 20, 18, 300, 9)]).store
    held = held_of(store, "sales", None, View(None, None))
    assert held is not None
    (voice,) = intervals_of(held, Configuration(), None)["channels"]
    assert [each["workload_agents"] for each in voice["intervals"]] == [pytest.approx(3), None]


def staff_of(start_ms: int, people_seconds: float, planned_seconds: float, through: str | None) -> tuple[bytes, bytes]:
    """Return the record of the site's agents in a quarter, as the roll-up writes it: averages over the entire quarter."""
    kpis = {
        "staff_actual": figure(people_seconds / 900, people_seconds, 900, 1),
        "staff_scheduled": figure(planned_seconds / 900, planned_seconds, 900, 1),
    }
    start, end = format_ms(start_ms), format_ms(start_ms + QUARTER)
    more = {"window_start": start, "window_end": end, "complete_through": through}
    key, value = window("site:tokyo", None, name="interval_15m", kpis=kpis, definitions={}, **more)
    return key + f"|{start_ms}".encode(), value


@pytest.mark.parametrize(
    ("begun", "people_seconds", "through", "trailing_end", "actual"),
    [
        # Ten people for 350 s, whose time is counted to 08:59:50; over the whole quarter they would be 3.9.
        ("08:54:00", 3_500, "08:59:55", None, 10),
        # The record of 08:58 is the newest: since then all are gone, so on average there were six, not ten.
        ("08:54:00", 2_100, "08:57:35", None, 6),
        # Contacts are stuck at 08:50, agents are not: their trailing windows show how far they are. 240 s.
        ("08:54:00", 2_400, "08:50:00", "08:58:00", 10),
        # A minute that is not over has no figure.
        ("08:59:00", 500, "08:59:55", None, None),
        # One that is over, counted to its end.
        ("08:44:50", 8_100, "08:59:55", None, 9),
    ],
)
def test_agents_of_a_running_interval_are_those_of_its_complete_part(
    begun: str, people_seconds: int, through: str, trailing_end: str | None, actual: float | None
) -> None:
    """By hand: agents' seconds divided by the counted seconds, actual and scheduled, two scheduled for each actual one."""
    start_ms = parse_time_ms(f"2026-04-01T{begun}Z")
    stuck: dict[str, Any] = {"complete_through": f"2026-04-01T{through}Z"} if trailing_end else {}
    records = [progress(**stuck), interval(start_ms, 20, 18, 300, 9)]
    records.append(staff_of(start_ms, people_seconds, 2 * people_seconds, f"2026-04-01T{through}Z"))
    if trailing_end:
        records.append(people_window("site:tokyo", figure(0.8, 8, 10, 1), window_end=f"2026-04-01T{trailing_end}Z"))
    held = held_of(Backend.fed(records).store, "sales", "tokyo", View(None, None))
    assert held is not None
    staff = intervals_of(held, Configuration(), None)["staff"]
    if actual is None:
        assert staff is None
    else:
        (found,) = staff["intervals"]
        assert (found["actual"], found["scheduled"]) == (pytest.approx(actual), pytest.approx(2 * actual))


def test_a_sentence_of_every_source(tmp_path: Path) -> None:
    """Quarantined, never seen and silent sources come first; a journal has its watermark; exceeded limits are reported too."""
    document = SourcesAnswer.model_validate(document_of(tmp_path, "/api/v1/sources"))

    assert [(each.source, each.code) for each in document.health] == [
        ("chat", "quarantined"), ("mail", "silent"), ("never", "never_heard"), ("cdr", "heard"), ("pbx", "heard"),
    ]  # fmt: skip
    texts = {each.source: (each.text_en, each.text_ja) for each in document.health}
    # The server's clock is a second ahead of the figures.
    assert texts == {
        "chat": (
            "chat has been quarantined since 08:30:00 UTC (too many bad records): 1,234 records are dead letters and are not counted.",
            "chat：08:30:00 UTCから隔離中（不正レコード過多）。1,234件がデッドレターとなり、集計されていません。",
        ),
        "mail": (
            "mail has sent nothing since 08:00:00 UTC, for 1 h: figures of claims lack its later events.",
            "mail：08:00:00 UTCから1時間受信がありません。claimsの数値には、以降の分が含まれていません。",
        ),
        "never": (
            "never has never sent anything: figures lack its events.",
            "never：一度も受信がありません。数値には、この送信元の分が含まれていません。",
        ),
        "cdr": (
            (
                "cdr was last seen at 08:58:00 UTC, 2 min ago: its events are counted. "
                "It reports afterwards, and is complete through 2026-03-31 23:00:00 UTC."
            ),
            (
                "cdr：最終受信 08:58:00 UTC（2分前）。受信分は集計されています。"
                "事後に届く送信元で、2026-03-31 23:00:00 UTCまでのデータがそろっています。"
            ),
        ),
        "pbx": (
            (
                "pbx was last seen at 09:00:00 UTC, 1 s ago: its events are counted. "
                "It exceeds the limit of names: 3 events count as (other)."
            ),
            (
                "pbx：最終受信 09:00:00 UTC（1秒前）。受信分は集計されています。"
                "名称の上限を超えたため、3件のイベントは「(other)」に合算されています。"
            ),
        ),
    }
    assert document.dead_letters is not None
    assert document.dead_letters["contact-events-dead-letters.v1"].model_dump() == {"last_hour": 0, "last_day": 6, "held": 9}


def test_names_of_sources_and_scopes_are_made_visible() -> None:
    """The name of a source comes from its sender; beyond three scopes only their number is shown."""
    fed_by = {f"queue:q{number}": ["p\u200bbx"] for number in range(5)}
    silent = {"last_seen": "2026-04-01T09:00:00Z", "stale": True}
    (source,) = health_of({"p\u200bbx": silent}, fed_by, 1_775_034_060_000, ZoneInfo("Asia/Tokyo"))["health"]
    assert source["text_en"].startswith("p⟨U+200B⟩bx has sent nothing since 18:00:00 JST, for 1 min: figures of q0, q1, q2 and 2 more lack")
    assert "q0、q1、q2ほか2件の数値" in source["text_ja"]


def test_old_counts_of_dead_letters_are_unknown(tmp_path: Path) -> None:
    """Three minutes after the last answer of Kafka the counts are null."""

    async def check() -> None:
        backend = center()
        async with client_of(serving(backend, tmp_path)) as client:
            assert (await (await client.get("/api/v1/sources")).json())["dead_letters"] is not None
            backend.clock.seconds += 181
            assert (await (await client.get("/api/v1/sources")).json())["dead_letters"] is None

    asyncio.run(check())


def test_a_restricted_view_has_no_dead_letters() -> None:
    """They are of the entire stream: a view of a site gets null, and no text about a source that does not feed it."""
    counts = DeadLetterCounts()
    counts.update({"contact-events-dead-letters.v1": Dead(1, 2, 3)}, NOW)

    async def check() -> None:
        served, _ = guarded(dead_letters=counts)
        async with client_of(served) as client:
            document = {}
            for token in (ALL, FEW):
                answer = await client.get("/api/v1/sources", headers={"Authorization": f"Bearer {token}"})
                document[token] = SourcesAnswer.model_validate_json(await answer.read())
            of_all = document[ALL].dead_letters
            assert of_all is not None
            assert of_all["contact-events-dead-letters.v1"].last_hour == 1
            assert document[FEW].dead_letters is None
            assert [each.source for each in document[FEW].health] == ["pbx"]
            assert {each.source for each in document[ALL].health} > {"pbx"}

    asyncio.run(check())


@pytest.mark.embedded
def test_dead_letters_are_counted_on_a_broker(bootstrap: str) -> None:
    """By offsets alone: those of three transactions, each with a marker at most; topics created later are counted too."""

    async def check() -> None:
        first, second = (topic(f"{kind}-events-dead-letters.v1").full_name("dead") for kind in ("agent", "contact"))
        await make(bootstrap, first)
        counts = DeadLetterCounts()
        watch = DeadLetterWatch(counts, bootstrap=bootstrap, topic_prefix="dead", poll_seconds=0.1)
        task = asyncio.create_task(watch.run())
        now = int(time.time() * 1000)
        try:
            await until(lambda: counts.at(now) is not None)
            assert counts.at(now) == {"agent-events-dead-letters.v1": Dead(0, 0, 0)}
            await make(bootstrap, second)
            for _ in range(3):
                await publish(bootstrap, second, [(b"a", b"{"), (b"b", b"{")], partition=0)

            def found() -> int:
                document = counts.at(now) or {}
                return document.get("contact-events-dead-letters.v1", Dead(0, 0, 0)).last_hour

            await until(lambda: found() >= 6)
            assert 6 <= found() <= 9
            document = counts.at(now)
            assert document is not None
            assert document["contact-events-dead-letters.v1"].held == document["contact-events-dead-letters.v1"].last_day == found()
            assert document["agent-events-dead-letters.v1"] == Dead(0, 0, 0)
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    asyncio.run(asyncio.wait_for(check(), 60))
