"""Presets: each gives, of one set of contacts, the figure of the page, computed by hand from its vendor's formula."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson
import pytest

from schemas.times import format_ms, parse_time_ms
from streams.configuration import Configuration
from streams.configuration.service_level import PRESETS, ServiceLevelDefinition
from streams.replay import Replay

if TYPE_CHECKING:
    from collections.abc import Sequence

PAGE = (Path(__file__).parents[2] / "docs" / "definitions.md").read_text(encoding="utf-8")

#: The example of the page: how each contact left the queue, after how many seconds there, and after how many before.
CONTACTS = [
    *(("answered", seconds, 0) for seconds in (5, 12, 20, 31, 45)),
    *(("abandoned", seconds, 30 if seconds == 4 else 0) for seconds in (3, 4, 15, 40)),
    ("timeout", 60, 0),
    ("voicemail", 25, 0),
    ("overflow", 10, 0),
    ("callback", 18, 0),
    ("callback", 35, 0),
]

#: By hand, written down apart from the page: met and of.
BY_HAND = {
    "amazon-connect": (3 + 3 + 1, 14),  # answered 5, 12, 20; abandoned 3, 4, 15; called back after 18
    "genesys-default": (3, 5 + 4),
    "cisco-handled": (3, 5),
    "cisco-ignore": (3, 14 - 3),
    "cisco-positive": (3 + 3, 14),
    "cisco-negative": (3, 14),
    "asterisk-sl": (3, 5),
    "asterisk-sl2": (3 + 3, 5 + 4),
    "twilio-flex": (2, 14),  # 20 s are not sooner than 20 s
    "talkdesk": (3, 14),
    "avaya-bcms": (3, 14),
    "wazo-qos": (3, 5),
    "intermedia": (3, 5 + 1),
}

#: Preset → met, of, from the table of the page.
ROWS = {
    found[1]: (int(found[2]), int(found[3]), float(found[4]))
    for found in re.finditer(r"^\| `([\w-]+)` \|[^|]*\|[^|]*\| (\d+) ÷ (\d+) = ([\d.]+) \|", PAGE, re.MULTILINE)
}


def events_of(number: int, how: str, seconds: int, before: int = 0) -> list[bytes]:
    """Return the events of one contact."""
    begin = parse_time_ms("2026-03-02T09:00:00Z") + 1_000 * number
    common = {"conversation_id": f"c{number}", "queue": "sales", "source": "test"}

    def event(kind: str, at_ms: int, **fields: Any) -> bytes:
        at = format_ms(at_ms)
        return orjson.dumps({"type": kind, "event_id": f"{number}-{kind}", "occurred_at": at, "received_at": at, **common, **fields})

    end = begin + 1_000 * seconds
    last = event("contact.answered", end, agent="a") if how == "answered" else event("contact.left_queue", end, reason=how)
    return [event("contact.arrived", begin - 1_000 * before, channel="voice"), event("contact.queued", begin), last]


def service_level(configuration: dict[str, Any], contacts: Sequence[tuple[str, int, int]] = CONTACTS) -> dict[str, Any]:
    """Return the service level of the contacts in their queue."""
    replay = Replay(Configuration.model_validate(configuration))
    for number, contact in enumerate(contacts):
        for value in events_of(number, *contact):
            replay.add(value, "contact")
    figure: dict[str, Any] = replay.finish()["queues"]["sales"]["voice"]["service_level"]
    return figure


def test_every_preset_is_on_the_page() -> None:
    """The table has a row for each, and none for another."""
    assert set(ROWS) == set(PRESETS)


@pytest.mark.parametrize("preset", PRESETS)
def test_figures_of_the_page(preset: str) -> None:
    """Counted from events: met, of how many, and their ratio; as the definition of all queues, and as that of one."""
    met, of, ratio = ROWS[preset]

    for configuration in ({"service_level": {"preset": preset}}, {"queues": {"sales": {"service_level": {"preset": preset}}}}):
        figure = service_level(configuration)
        assert (figure["numerator"], figure["denominator"]) == (met, of)
        assert figure["value"] == met / of == pytest.approx(ratio, abs=0.0005)


@pytest.mark.parametrize("preset", BY_HAND)
def test_the_page_equals_the_count_by_hand(preset: str) -> None:
    """Part C's names, and their earlier ones: the fractions of the page are those written down here."""
    assert ROWS[preset][:2] == BY_HAND[preset]


@pytest.mark.parametrize(
    ("preset", "expected"), [("talkdesk", (3, 13)), ("twilio-flex", (2, 12)), ("genesys-default", (3, 7)), ("avaya-bcms", (3, 12))]
)
def test_short_abandons_by_the_clock_of_each(preset: str, expected: tuple[int, int]) -> None:
    """Of 3 s and 4 s both are short by the queue's clock; by Talkdesk's, which starts with the call, 30 s in a menu count."""
    assert f"| `{preset}` | {expected[0]} ÷ {expected[1]} |" in PAGE
    assert parts({"preset": preset, "short_abandon_s": 5}) == expected


@pytest.mark.parametrize(("preset", "expected"), [("cisco-ignore", (70, 90)), ("cisco-negative", (70, 100)), ("cisco-positive", (80, 100))])
def test_ciscos_own_example(preset: str, expected: tuple[int, int]) -> None:
    """70 answered in time, 10 abandoned in time, 20 late: 77.8 %, 70 % and 80 %, as in the guide."""
    contacts = [*[("answered", 10, 0)] * 70, *[("abandoned", 10, 0)] * 10, *[("answered", 40, 0)] * 20]
    figure = service_level({"service_level": {"preset": preset}}, contacts)
    assert (figure["numerator"], figure["denominator"]) == expected
    assert round(figure["value"], 3) == {"cisco-ignore": 0.778, "cisco-negative": 0.7, "cisco-positive": 0.8}[preset]


def test_what_is_written_beside_a_preset_holds_over_it() -> None:
    """A threshold of 31 s lets one more be met; flow-outs are replaced."""
    # Sooner than 31 s: 5, 12 and 20. Flow-outs of timeout only: 5 + 4 + 1.
    assert parts({"preset": "twilio-flex-real-time", "threshold_s": 31}) == (3, 14)
    assert parts({"preset": "cisco-uccx-only-handled", "threshold_s": 31}) == (4, 5)
    assert parts({"preset": "genesys-cloud-with-flow-outs", "flow_out_negative": ["timeout"]}) == (3, 10)


def parts(definition: dict[str, Any]) -> tuple[float, float]:
    """Return met and of."""
    figure = service_level({"service_level": definition})
    return figure["numerator"], figure["denominator"]


def test_no_preset_sets_a_threshold() -> None:
    """The operator chooses threshold and version. The name of the preset stays with the definition."""
    for preset in PRESETS:
        found = ServiceLevelDefinition.model_validate({"preset": preset, "threshold_s": 33, "version": 4})
        assert (found.preset, found.threshold_s, found.version) == (preset, 33, 4)
