"""Presets: each gives, of one set of contacts, what the page says by hand that its vendor's formula gives."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import orjson
import pytest

from schemas.times import format_ms, parse_time_ms
from streams.configuration import Configuration
from streams.configuration.service_level import PRESETS, ServiceLevelDefinition
from streams.replay import Replay

PAGE = (Path(__file__).parents[2] / "docs" / "configuration.md").read_text(encoding="utf-8")

#: The example of the page: how each contact left the queue, and after how many seconds.
CONTACTS = [
    *(("answered", seconds) for seconds in (5, 12, 20, 31, 45)),
    *(("abandoned", seconds) for seconds in (3, 15, 40)),
    ("timeout", 60),
    ("voicemail", 25),
    ("overflow", 10),
]

#: Preset → met, of, from the table of the page.
ROWS = {
    found[1]: (int(found[2]), int(found[3]), float(found[4]))
    for found in re.finditer(r"^\| `([\w-]+)` \|[^|]*\|[^|]*\| (\d+) ÷ (\d+) = ([\d.]+) \|", PAGE, re.MULTILINE)
}


def told(number: int, how: str, seconds: int) -> list[bytes]:
    """Return the events of one contact."""
    begin = parse_time_ms("2026-03-02T09:00:00Z") + 1_000 * number
    common = {"conversation_id": f"c{number}", "queue": "sales", "source": "test"}

    def event(kind: str, at_ms: int, **fields: Any) -> bytes:
        at = format_ms(at_ms)
        return orjson.dumps({"type": kind, "event_id": f"{number}-{kind}", "occurred_at": at, "received_at": at, **common, **fields})

    end = begin + 1_000 * seconds
    last = event("contact.answered", end, agent="a") if how == "answered" else event("contact.left_queue", end, reason=how)
    return [event("contact.queued", begin), last]


def service_level(configuration: dict[str, Any]) -> dict[str, Any]:
    """Return the service level of the example in its queue."""
    replay = Replay(Configuration.model_validate(configuration))
    for number, (how, seconds) in enumerate(CONTACTS):
        for value in told(number, how, seconds):
            replay.add(value, "contact")
    figure: dict[str, Any] = replay.finish()["queues"]["sales"]["voice"]["service_level"]
    return figure


def test_every_preset_is_on_the_page() -> None:
    """The table has a row for each, and none for another."""
    assert set(ROWS) == set(PRESETS)


@pytest.mark.parametrize("preset", PRESETS)
def test_what_the_page_says(preset: str) -> None:
    """Counted from events: met, of how many, and their ratio; as the definition of all queues, and as that of one."""
    met, of, ratio = ROWS[preset]

    for configuration in ({"service_level": {"preset": preset}}, {"queues": {"sales": {"service_level": {"preset": preset}}}}):
        figure = service_level(configuration)
        assert (figure["numerator"], figure["denominator"]) == (met, of)
        assert figure["value"] == met / of == pytest.approx(ratio, abs=0.0005)


def test_what_is_written_beside_a_preset_holds_over_it() -> None:
    """Short abandons leave Twilio's ten of eleven; a threshold of 31 s lets four be met; flow-outs are named anew."""
    # Without the one of 3 s: 2 ÷ (11 − 1). Sooner than 31 s: 5, 12 and 20. Flow-outs of timeout only: 5 + 3 + 1.
    assert parts({"preset": "twilio-flex-real-time", "short_abandon_s": 5}) == (2, 10)
    assert parts({"preset": "twilio-flex-real-time", "threshold_s": 31}) == (3, 11)
    assert parts({"preset": "cisco-uccx-only-handled", "threshold_s": 31}) == (4, 5)
    assert parts({"preset": "genesys-cloud-with-flow-outs", "flow_out_negative": ["timeout"]}) == (3, 9)


def parts(definition: dict[str, Any]) -> tuple[float, float]:
    """Return met and of."""
    figure = service_level({"service_level": definition})
    return figure["numerator"], figure["denominator"]


def test_no_preset_sets_a_threshold() -> None:
    """How fast is the operator's to say; the version too. The name of the preset stays with the definition."""
    for preset in PRESETS:
        found = ServiceLevelDefinition.model_validate({"preset": preset, "threshold_s": 33, "version": 4})
        assert (found.preset, found.threshold_s, found.version) == (preset, 33, 4)
