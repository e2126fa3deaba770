"""The outlook of the API, computed from records of intervals and of the last hour, for queues of calls only."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from schemas.api import OutlookAnswer
from schemas.times import format_ms, parse_time_ms
from streams.configuration import Configuration
from streams.serving.outlook import outlook_of
from streams.staffing.erlang import Workload, agents_needed, erlang_a
from tests.serving.records import AS_OF, Backend, client_of, figure, progress, window

if TYPE_CHECKING:
    from collections.abc import Iterator

QUARTER, DAY = 900_000, 86_400_000
NOW = parse_time_ms(AS_OF)
#: Of calls of 5 minutes with patience of 2 minutes: Erlang A with 8 agents and 80 calls an hour.
SEEN = erlang_a(Workload(contacts_per_hour=80, aht_seconds=300, patience_seconds=120), 8, 20)


def interval(queue: str, start_ms: int, offered: float | None, channel: str = "voice", **more: Any) -> tuple[bytes, bytes]:
    """Return the record of a quarter of an hour."""
    start, end = format_ms(start_ms), format_ms(start_ms + QUARTER)
    kpis = {"offered": figure(offered, offered)}
    key, value = window(f"queue:{queue}", channel, name="interval_15m", kpis=kpis, window_start=start, window_end=end, **more)
    return key + f"|{start_ms}".encode(), value


def last_hour(queue: str, channel: str = "voice", **more: Any) -> tuple[bytes, bytes]:
    """Return the record of an hour of 80 calls, with as many abandoned as with 8 agents."""
    abandoned = 80 * SEEN.abandon_rate
    # All who waited did so for this long together, of which the abandoned a part.
    waited = 80 * (SEEN.wait_seconds or 0)
    kpis = {
        "offered": figure(80, 80),
        "abandoned": figure(abandoned, abandoned),
        "aht": figure(300, 21_600, 72, 1),
        "asa": figure(1, waited - 100, 72, 1),
        "time_to_abandon": figure(1, 100, abandoned, 1),
        "service_level": figure(SEEN.service_level, 62, 80, 1),
    }
    start = format_ms(NOW - 4 * QUARTER)
    return window(f"queue:{queue}", channel, name="trailing_60m", kpis=kpis | more, window_start=start)


def records(queue: str, channel: str = "voice") -> Iterator[tuple[bytes, bytes]]:
    """Yield two days: 20 calls a quarter until half past nine, when yesterday it was 40."""
    for start in range(NOW - DAY - 3 * 3_600_000, NOW, QUARTER):
        busy = start in range(NOW - DAY + 2 * QUARTER, NOW - DAY + 12 * QUARTER)
        yield interval(queue, start, 40 if busy else 20, channel)


def backend() -> Backend:
    """Return a center of two queues, one of mail."""
    return Backend.fed([progress(), *records("sales"), last_hour("sales"), *records("letters", "mail"), last_hour("letters", "mail")])


def test_the_start_of_the_forecast_is_reported() -> None:
    """The first known quarter began at 07:00 today: tomorrow at 05:00 the last of eight has a counterpart; then it is not reported."""
    first = NOW - 8 * QUARTER
    young = [interval("sales", start, 20) for start in range(first, NOW, QUARTER)]
    nothing = outlook_of(Backend.fed([progress(), *young, last_hour("sales")]).store, Configuration(), {})["outlook"]

    assert [(each["intervals"], each["expected_from"]) for each in nothing] == [([], "2026-04-02T05:00:00.000Z")]
    unknown = outlook_of(Backend.fed([progress(), last_hour("sales")]).store, Configuration(), {})["outlook"]
    assert [each["expected_from"] for each in unknown] == [None]
    assert [each["expected_from"] for each in outlook_of(backend().store, Configuration(), {})["outlook"]] == [None]


def test_computed() -> None:
    """With twice the calls from half past nine on, 8 agents are present, more are needed, and a breach is expected then."""
    outlook = outlook_of(backend().store, Configuration(), {"sales": 0.75})

    (sales,) = outlook["outlook"]  # Erlang's formulas do not apply to mail
    assert (sales["queue"], sales["channel"], sales["target"], sales["threshold_seconds"]) == ("sales", "voice", 0.75, 20)
    assert sales["patience_seconds"] == pytest.approx(120)
    assert sales["agents_now"] == 8
    starts = [parse_time_ms(each["start"]) - NOW for each in sales["intervals"]]
    assert starts == [QUARTER * number for number in range(1, 9)]
    contacts = [each["contacts"] for each in sales["intervals"]]
    assert contacts == pytest.approx([20] + 7 * [40])
    double = Workload(contacts_per_hour=160, aht_seconds=300, patience_seconds=120)
    for each in sales["intervals"][1:]:
        assert each["agents_needed"] == agents_needed(double, 0.75, 20).agents
        assert each["service_level"] == pytest.approx(erlang_a(double, 8, 20).service_level)
    assert sales["breach_expected_at"] == format_ms(NOW + 2 * QUARTER)
    assert sales["past_error"] == 0


def test_missing_inputs() -> None:
    """Without yesterday, target or handle time, unknown values are null or left out."""
    unknown = figure(None, 0, 0, 0)
    fed = Backend.fed([progress(), interval("sales", NOW - QUARTER, 20), last_hour("sales", aht=unknown, service_level=unknown)])
    (sales,) = outlook_of(fed.store, Configuration(), {})["outlook"]
    assert (sales["intervals"], sales["agents_now"], sales["past_error"], sales["breach_expected_at"]) == ([], None, None, None)

    fed = Backend.fed([progress(), *records("sales"), last_hour("sales", aht=unknown)])
    (sales,) = outlook_of(fed.store, Configuration(), {})["outlook"]
    assert {(each["agents_needed"], each["service_level"]) for each in sales["intervals"]} == {(None, None)}
    assert outlook_of(Backend.fed([]).store, Configuration(), {})["outlook"] == []


def test_a_disturbed_day_is_no_model() -> None:
    """Intervals of a typhoon predict no other day."""
    fed = Backend.fed([progress(), interval("sales", NOW - DAY + QUARTER, 3, exceptions=["typhoon"]), last_hour("sales")])
    (sales,) = outlook_of(fed.store, Configuration(), {})["outlook"]
    assert sales["intervals"] == []


def test_served() -> None:
    """The endpoint answers as its type states."""

    async def check() -> None:
        async with client_of(backend().serving(targets={"sales": 0.75})) as client:
            answer = await client.get("/api/v1/outlook")
            assert answer.status == 200
            document = OutlookAnswer.model_validate_json(await answer.read())
            assert [each.queue for each in document.outlook] == ["sales"]
            assert document.outlook[0].intervals[0].contacts == pytest.approx(20)
            assert "ETag" in answer.headers

    asyncio.run(check())
