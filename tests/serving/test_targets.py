"""Targets: the records that count, channels together, and the API's answer."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from streams.configuration.models import Configuration
from streams.serving.targets import judged_targets, targets_of
from streams.windows.targets import terms_of
from tests.serving.records import Backend, client_of, figure, now_record, people_window, progress, small_center, window

CENTER: dict[str, Any] = {"queues": {"sales": {}, "claims": {}}, "teams": {"north": {}}}
DAY = {"window_start": "2026-04-01T00:00:00Z", "window_end": "2026-04-02T00:00:00Z"}


def terms(*targets: dict[str, Any]) -> Any:
    """Return the terms of targets, of the queue "sales" by default."""
    return terms_of(Configuration.model_validate({**CENTER, "targets": [{"scope": "queue:sales", **each} for each in targets]}))


def day(channel: str, level: dict[str, Any], **changes: Any) -> tuple[bytes, bytes]:
    """Return the day of the queue "sales" on a channel."""
    key, value = window("queue:sales", channel, name="day", kpis={"service_level": level, "offered": figure(9, 9)}, **{**DAY, **changes})
    return key + f"|{changes.get('window_start', '')}".encode(), value


LEVEL = {"kpi": "service_level", "unit": "ratio", "target": 0.8}


@pytest.mark.parametrize(
    ("records", "target", "value", "provisional"),
    [
        # Both channels together: 45 of 60. One of them alone: 37 of 50.
        ([day("voice", figure(0.74, 37, 50, 1)), day("chat", figure(0.8, 8, 10, 1))], LEVEL, 0.75, True),
        ([day("voice", figure(0.74, 37, 50, 1)), day("chat", figure(0.8, 8, 10, 1))], {**LEVEL, "channel": "voice"}, 0.74, True),
        # Yesterday is not today: chat got nothing yet.
        (
            [
                day("voice", figure(0.74, 37, 50, 1), final=True),
                day("chat", figure(0.8, 8, 10, 1), window_start="2026-03-31T00:00:00Z", window_end="2026-04-01T00:00:00Z"),
            ],
            LEVEL,
            0.74,
            False,
        ),
        ([day("voice", figure(0.8, 8, 10), window_start="2026-03-31T00:00:00Z", window_end="2026-04-01T00:00:00Z")], LEVEL, None, None),
        ([window("queue:sales", kpis={"service_level": figure(0.9, 9, 10)})], LEVEL, None, None),
        (
            [now_record("queue:sales", waiting=2), now_record("queue:sales", "chat", waiting=3)],
            {"kpi": "waiting", "unit": "contacts", "target": 4},
            5,
            None,
        ),
        (
            [now_record("queue:sales", waiting=1, waiting_since="2026-04-01T08:58:48Z"), now_record("queue:sales", "chat", waiting=0)],
            {"kpi": "longest_wait", "unit": "seconds", "target": 60},
            72,
            None,
        ),
    ],
    ids=["together", "one channel", "yesterday's channel", "yesterday", "another window", "now", "as of now"],
)  # fmt: skip
def test_which_record_counts(records: list[Any], target: dict[str, Any], value: float | None, provisional: bool | None) -> None:
    """The running day, the channels asked for, waits as of now; else nothing is known."""
    backend = Backend.fed([progress(), *records])
    ((_, judgment, is_provisional, _),) = judged_targets(backend.store, terms(target))

    assert (judgment.figure["value"], is_provisional) == (value, provisional)
    assert (judgment.standing == "unknown") is (value is None)


@pytest.mark.parametrize(
    ("days", "value", "provisional"),
    [
        # Of three weeks' days those before last week are final; the newest of these counts.
        ([("2026-03-24", 0.25, True), ("2026-03-25", 0.3, True), ("2026-03-31", 0.1, False), ("2026-04-01", 0, False)], 0.3, False),
        # None is final yet: the newest that is over, which may still grow.
        ([("2026-03-30", 0.2, False), ("2026-03-31", 0.1, False), ("2026-04-01", 0, False)], 0.1, True),
        ([("2026-04-01", 0, False)], None, None),
    ],
    ids=["final", "over", "today"],
)
def test_a_kpi_with_a_horizon_is_judged_when_final(
    days: list[tuple[str, float, bool]], value: float | None, provisional: bool | None
) -> None:
    """A customer of today may come back within a week: today's share of repeats is not final."""
    records = []
    for date, share, final in days:
        end = f"{date[:8]}{int(date[8:]) + 1:02}" if date != "2026-03-31" else "2026-04-01"
        key, record = window(
            "queue:sales",
            name="customers_day",
            kpis={"repeat_contact_rate": figure(share, 100 * share, 100)},
            window_start=f"{date}T00:00:00Z",
            window_end=f"{end}T00:00:00Z",
            final=final,
        )
        records.append((key + f"|{date}".encode(), record))
    backend = Backend.fed([progress(), *records])
    ((_, judgment, is_provisional, start),) = judged_targets(
        backend.store, terms({"kpi": "repeat_contact_rate", "unit": "percent", "target": 20})
    )

    assert (judgment.figure["value"], is_provisional) == (value, provisional)
    assert start == next((f"{date}T00:00:00Z" for date, share, _ in days if share == value), None)


def test_the_last_complete_interval_counts() -> None:
    """At 09:00 that is 08:30 to 09:00, and a minute later too; at 09:30 nothing is known of 09:00 to 09:30."""
    half = [
        (
            f"queue:{start}",
            window("queue:sales", name="interval_30m", kpis={"asa": figure(value, value, 1)}, window_start=start, window_end=end),
        )
        for start, end, value in (
            ("2026-04-01T08:00:00Z", "2026-04-01T08:30:00Z", 10),
            ("2026-04-01T08:30:00Z", "2026-04-01T09:00:00Z", 30),
            ("2026-04-01T09:00:00Z", "2026-04-01T09:30:00Z", 50),
        )
    ]
    target = terms({"kpi": "asa", "unit": "seconds", "target": 20, "window": "interval_30m"})

    found = []
    for at in ("2026-04-01T08:59:59Z", "2026-04-01T09:00:00Z", "2026-04-01T09:01:00Z", "2026-04-01T10:00:00Z"):
        backend = Backend()
        for key, (_, value) in half:
            assert backend.store.feed(key.encode(), value.replace(b'"as_of":"2026-04-01T09:00:00Z"', b'"as_of":"2026-04-01T08:00:00Z"'))
        backend.store.feed(*progress(as_of=at))
        found.append(judged_targets(backend.store, target)[0].judgment.figure["value"])
    assert found == [10, 30, 30, None]


def test_the_answer_of_the_api() -> None:
    """All fields of a target, in the figure's unit; a queue's own target comes last."""
    configuration = Configuration.model_validate(
        {
            "queues": {"sales": {"target": 0.8}},
            "teams": {"north": {}},
            "targets": [
                {
                    "kpi": "csat", "scope": "queue:sales", "window": "trailing_15m", "unit": "score", "target": 4.5, "stretch": 4.75,
                    "start_value": 4, "start_date": "2026-03-02", "due": "2026-04-30",
                },
                {"kpi": "occupancy", "scope": "team:north", "window": "trailing_15m", "unit": "percent", "low": 75, "high": 85},
            ],
        }
    )  # fmt: skip

    async def check() -> None:
        backend = Backend.fed([*small_center(), people_window("team:south", figure(0.5, 1, 2))])
        async with client_of(backend.serving(kpi_targets=terms_of(configuration))) as client:
            document = await (await client.get("/api/v1/targets")).json()
            csat, occupancy, own = document["targets"]

            assert document["as_of"] == "2026-04-01T09:00:00.000Z"
            # March 2 to May 1 are 60 days, of which 30.375 are gone: 4 + 0.50625 × 0.5. Half the way took these: the whole takes 60.75.
            assert csat == {
                "kpi": "csat",
                "scope_kind": "queue",
                "scope": "sales",
                "channel": None,
                "window": "trailing_15m",
                "of_queue": False,
                "unit": "score",
                "direction": "up",
                "target": 4.5,
                "stretch": 4.75,
                "low": None,
                "high": None,
                "start_value": 4.0,
                "start_date": "2026-03-02",
                "due": "2026-04-30",
                "figure": {"value": 4.25, "numerator": 17, "denominator": 4, "coverage": 0.8},
                "window_start": "2026-04-01T08:45:00Z",
                "provisional": True,
                "attainment": {"value": 4.25 / 4.5, "numerator": 4.25, "denominator": 4.5, "coverage": 0.8},
                "standing": "behind",
                "met": False,
                "stretch_met": False,
                "margin": -0.25,
                "progress": {
                    "value": 0.5,
                    "numerator": 0.25,
                    "denominator": 0.5,
                    "coverage": None,
                    "expected": 4.253125,
                    "on_track": False,
                    "ahead": -0.003125,
                    "projected_at": "2026-05-01T18:00:00.000Z",
                },
            }
            assert (occupancy["standing"], occupancy["low"], occupancy["high"], occupancy["unit"]) == ("met", 0.75, 0.85, "ratio")
            assert (own["kpi"], own["window"], own["target"], own["of_queue"], own["standing"]) == (
                "service_level",
                "day",
                0.8,
                True,
                "unknown",
            )

    asyncio.run(check())


def test_without_any_record() -> None:
    """Before any record every target is listed, with an unknown judgment."""
    (answer,) = targets_of(Backend().store, terms(LEVEL))["targets"]

    assert (answer["standing"], answer["figure"]["value"], answer["met"], answer["progress"]) == ("unknown", None, None, None)
