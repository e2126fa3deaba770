"""Figures are cached by sums and definitions: another scope with the same sums has its own figures."""

from __future__ import annotations

from typing import Any

import pytest
from orjson import loads

from schemas.times import parse_time_ms
from streams.configuration import Configuration
from streams.windows.calendar import Span
from streams.windows.encoded_figures import encode_figures
from streams.windows.rollup import RollUp

START_MS = parse_time_ms("2026-06-15T09:00:00Z")
SPAN = Span(START_MS, START_MS + 900_000)
CONFIGURATION: dict[str, Any] = {
    "definitions": {
        "slow": [{"threshold_s": 30, "asa_denominator": "decided"}],
        "fast": [{"threshold_s": 10}, {"version": 2, "threshold_s": 30, "effective_from": "2026-06-15T10:00:00Z"}],
    },
    "default_definitions": ["slow"],
    "queues": {
        "slow": {"channel": "voice", "department": "front"},
        "fast": {"channel": "voice", "department": "side", "definitions": ["fast", "slow"]},
        "chat": {"channel": "chat", "department": "front"},
        "silent": {"channel": "voice", "department": "back", "sources": ["plain"]},
    },
    "teams": {"red": {"costs": {"hourly": 30, "fixed_per_hour": 60}}, "blue": {"costs": {"hourly": 30, "fixed_per_hour": 90}}},
    "costs": {"currency": "EUR", "hourly": 30},
    "sources": {"plain": {"not_reported": ["transfer_rate"]}, "full": {}},
}
CONTACTS = {"offered": 6, "answered": 4, "abandoned": 2, "answered_wait_le_10000": 1, "answered_wait_le_30000": 3, "wait_ms": 60_000}
PEOPLE = {"handling_ms": 600_000, "idle_ms": 300_000, "staffed_ms": 900_000}


def figures(roll_up: RollUp, scope: str, channel: str | None, *, span: Span = SPAN, live_at: int | None = None) -> dict[str, Any]:
    """Return the encoded figures of a scope as a record, all from the same sums."""
    roll_up.expect(scope, channel)
    state = roll_up.scopes[scope, channel]
    sums = PEOPLE if channel is None else CONTACTS
    found = encode_figures(state, sums, span, live_at=live_at, beside={})
    return dict(loads(found.head + b'"counts":' + found.counts + b',"kpis":' + found.kpis + b"}"))


@pytest.fixture
def roll_up() -> RollUp:
    """Return a roll-up that has published its definitions."""
    made = RollUp(Configuration.model_validate(CONFIGURATION), 0, [("contact-events", 0)], [])
    progress = {"progress_ms": START_MS, "received_through_ms": START_MS, "sources": {}, "stale_sources": []}
    made.apply("progress|-|contact-events|0|-|-", progress)
    assert list(made.collect())
    return made


def test_each_scope_has_its_own(roll_up: RollUp) -> None:
    """Sums of the same amounts, by definition, version, channel and what is not reported."""
    slow, fast = figures(roll_up, "queue:slow", "voice"), figures(roll_up, "queue:fast", "voice")
    assert slow["kpis"]["service_level"]["numerator"] == 4
    assert fast["kpis"]["service_level"]["numerator"] == 1
    assert fast["by_definition"]["slow@1"]["service_level"]["numerator"] == 4
    assert "by_definition" not in slow
    assert (slow["definitions"]["service_level"], fast["definitions"]["service_level"]) == ("slow@1", "fast@1")
    later = figures(roll_up, "queue:fast", "voice", span=Span(START_MS + 3_600_000, START_MS + 4_500_000))
    assert later["definitions"]["service_level"] == "fast@2"
    assert later["kpis"]["service_level"]["numerator"] == 4
    assert figures(roll_up, "queue:silent", "voice")["kpis"]["transfer_rate"]["coverage"] == 0
    assert slow["kpis"]["transfer_rate"]["coverage"] != 0
    assert figures(roll_up, "department:front", "voice") == slow
    assert "service_level_live" not in slow["kpis"]


def test_waiting_contacts_and_fixed_costs(roll_up: RollUp) -> None:
    """Of the same sums: those who have waited too long count where they wait, each team has its fixed cost, each window its length."""
    roll_up.expect("queue:slow", "voice")
    roll_up.scopes["queue:slow", "voice"].set_now(("contact-events", 0), {"waiting_since_ms": [START_MS - 31_000, START_MS - 1_000]})

    waiting, other = (figures(roll_up, scope, "voice", live_at=START_MS) for scope in ("queue:slow", "department:front"))
    assert waiting["kpis"]["service_level_live"]["denominator"] == other["kpis"]["service_level_live"]["denominator"] + 1

    costs = [figures(roll_up, f"team:{name}", None)["kpis"]["cost_per_contact"]["numerator"] for name in ("red", "blue")]
    assert costs[1] - costs[0] == pytest.approx(30 / 4)
    short, long = (figures(roll_up, "team:red", None, span=Span(START_MS, START_MS + length)) for length in (900_000, 1_800_000))
    assert short != long
