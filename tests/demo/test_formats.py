"""One simulated day of calls as four platforms report it, and in canonical events: the same figures, less what a platform does not report.

What each platform does not report is removed from the canonical events by the lines of ``REPORTING`` below; then all figures must be equal.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import orjson
import pytest

from schemas.events import encode
from streams.catalogue.kpis import KPIS
from streams.configuration import Configuration
from streams.connectors.lines import Line, Rejected
from streams.connectors.platforms import connector
from streams.connectors.queue_log import QueueLogParser
from streams.demo.formats import WRITERS
from streams.demo.simulator import Simulation
from streams.demo.simulator.center import QUEUES
from streams.replay import Replay
from tests.support.platforms import translated

if TYPE_CHECKING:
    from collections.abc import Iterable

#: From nine in the morning; calls that come in these hours are followed to their end.
_START_MS: Final = 1_767_571_200_000 + 9 * 3_600_000
_HOURS: Final = 2

_VOICE: Final = tuple(name for name, plan in QUEUES.items() if plan.channel == "voice")

#: What is reported of calls on the telephone; surveys, callbacks and categories are other systems'.
_OF_CALLS: Final = frozenset(
    "contact." + kind
    for kind in [
        "arrived",
        "not_offered",
        "queued",
        "agent_offered",
        "offer_ended",
        "answered",
        "held",
        "resumed",
        "transferred",
        "left_queue",
        "ended",
        "wrap_up_started",
        "wrapped_up",
    ]
)

UNITS: Final = {kpi.id: kpi.unit for kpi in KPIS}

Events = list[dict[str, Any]]


class Reporting(NamedTuple):
    """How a platform reports calls."""

    #: Types of events that it has nothing of.
    without: frozenset[str]
    #: What an agent's answer promises.
    reports: tuple[str, ...]
    #: Why a stay in a queue ended → the platform's term.
    reasons: Mapping[str, str] = {}
    #: Whole seconds are reported where the events have milliseconds.
    seconds: float = 0.0
    settings: Mapping[str, Any] = {}


_HOLD: Final = frozenset({"contact.held", "contact.resumed"})
_WRAP_UP: Final = frozenset({"contact.wrap_up_started", "contact.wrapped_up"})
_RING: Final = frozenset({"contact.agent_offered", "contact.offer_ended"})

REPORTING: Final[dict[str, Reporting]] = {
    # An Amazon contact that ends in a queue counts as abandoned, by agent or customer.
    "amazon-connect-contact-events": Reporting(
        _HOLD | _RING,
        ("wrap_up",),
        {"timeout": "abandoned", "callback": "abandoned"},
        seconds=1.0,
        settings={"queues": {n: n for n in _VOICE}},
    ),
    # A queue_log begins in the queue, and leaving for another queue is a time-out there.
    "asterisk-queue-log": Reporting(
        _HOLD | _WRAP_UP | {"contact.arrived", "contact.not_offered"}, (), {"overflow": "timeout", "callback": "keypress"}, seconds=1.0
    ),
    # What ends before a queue is not reported as such, and what leaves a queue unanswered flows out of it.
    "genesys-cloud": Reporting(
        frozenset({"contact.not_offered"}), ("hold", "wrap_up", "ring"), {"timeout": "overflow", "callback": "overflow"}
    ),
    # A task begins in its queue, and moves to the next by a time-out.
    "twilio-taskrouter": Reporting(
        _HOLD | {"contact.arrived", "contact.not_offered"}, ("wrap_up", "ring"), {"callback": "withdrawn", "overflow": "timeout"}
    ),
}


@cache
def calls() -> Events:
    """Return the canonical events of some hours of calls, as if each had been received when it occurred."""
    end_ms, begun, seen = _START_MS + _HOURS * 3_600_000, set(), set()
    events: Events = []
    for emission in Simulation(seed=3, start_ms=_START_MS).emissions():
        if emission.published_ms > end_ms + 3_600_000:
            break
        event = emission.event
        if event["source"] != "sim-telephony" or event["type"] not in _OF_CALLS or event["event_id"] in seen:
            continue
        if event["type"] == "contact.arrived" and emission.published_ms < end_ms:
            begun.add(event["conversation_id"])
        if event["conversation_id"] in begun:
            seen.add(event["event_id"])
            events.append(event | {"received_at": event["occurred_at"]})
    # Others only ring: a spam call is over as soon as it came.
    counted_ids = {event["conversation_id"] for event in events if event["type"] in {"contact.queued", "contact.not_offered"}}
    events = [event for event in events if event["conversation_id"] in counted_ids]
    return sorted(events, key=lambda event: (event["occurred_at"], event["conversation_id"], event["sequence"]))


def reduced(reporting: Reporting) -> Iterable[dict[str, Any]]:
    """Yield the canonical events less what a platform does not report."""
    offered = {event["conversation_id"] for event in calls() if event["type"] == "contact.queued"}
    for event in calls():
        if "contact.arrived" in reporting.without and event["conversation_id"] not in offered:
            continue
        if event["type"] in reporting.without:
            if event["type"] == "contact.not_offered" and event["reason"] != "menu_ended":
                yield event | {"type": "contact.ended"}
            continue
        if event["type"] == "contact.answered":
            yield event | {"reports": list(reporting.reports)}
        elif event["type"] == "contact.left_queue":
            yield event | {"reason": reporting.reasons.get(event["reason"], event["reason"])}
        else:
            yield event


@cache
def payloads(name: str) -> list[bytes]:
    """Return the canonical events of a platform's connector for what the platform would send of the same calls."""
    writer = WRITERS[name]()
    sent = [each for event in calls() for each in writer.write(event)]
    if name == "asterisk-queue-log":
        parser = QueueLogParser(name, now=lambda: datetime(2027, 1, 1, tzinfo=UTC))
        outcomes = [parser.parse(Line(line, "log", number, 0, 0, len(line))) for number, line in enumerate(sent, 1)]
        assert not [each for each in outcomes if isinstance(each, Rejected)]
        return [encode(event) for each in outcomes if not isinstance(each, Rejected) for event in each]
    done = translated(connector(name), ((name, each) for each in sent), settings=REPORTING[name].settings, source=name)
    assert not done.rejected, done.rejected[0]
    return [encode(event) for event in done.events]


def counted(events: Iterable[bytes], configuration: Configuration | None = None) -> dict[str, Any]:
    """Return the figures of contact events."""
    replay = Replay(configuration or Configuration(), figures_only=True)
    for event in events:
        replay.add(event, "contact")
    result = replay.finish(replay.last_ms)
    assert not result["dead_letters"], result["dead_letters"][0]
    assert result["late_events"] == 0
    return result


def by_scope(result: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Return KPI → value by queue, and of all."""
    scopes = {"all": result["totals"]} | {queue: result["queues"].get(queue, {}).get("voice", {}) for queue in _VOICE}
    return {scope: {kpi: entry.get("value") for kpi, entry in kpis.items()} for scope, kpis in scopes.items()}


@pytest.mark.parametrize("name", WRITERS)
def test_equal_figures(name: str) -> None:
    """Every figure of every queue, and of all, equals that of the canonical events without what this platform does not report."""
    reporting = REPORTING[name]
    wanted = by_scope(counted(map(orjson.dumps, reduced(reporting))))
    found = by_scope(counted(payloads(name)))

    assert wanted["all"]["offered"] > 500
    assert differences(found, wanted, reporting.seconds) == []


def differences(found: Mapping[str, Any], wanted: Mapping[str, Any], seconds: float) -> list[str]:
    """Return a line for each figure that differs; durations may differ by ``seconds``."""
    lines = []
    for scope, kpis in wanted.items():
        for kpi, value in kpis.items():
            other = found[scope].get(kpi)
            if isinstance(value, int | float) and isinstance(other, int | float):
                same = abs(value - other) <= (seconds if UNITS.get(kpi) == "seconds" else 1e-9 * max(1, abs(value)))
            else:
                same = value == other
            if not same:
                lines.append(f"{scope} {kpi}: {other}, not {value}")
    return lines


def at_site(value: bytes, site: str) -> bytes:
    """Return the JSON of an event at a site, whose queues have its name behind their own."""
    event = orjson.loads(value)
    renamed = {field: f"{event[field]} {site}" for field in ("queue", "from_queue", "to_queue") if field in event}
    return orjson.dumps(event | renamed | {"site": site})


def test_five_sites_on_one_wallboard() -> None:
    """The same calls at five sites, by four platforms and in canonical events, counted together: no site moves another."""
    ways = {"canonical": [orjson.dumps(event) for event in calls()], **{name: payloads(name) for name in WRITERS}}
    configuration = Configuration.model_validate(
        {
            "sites": {way: {"zone": "Asia/Tokyo"} for way in ways},
            "queues": {f"{queue} {way}": {"site": way, "channel": "voice"} for queue in _VOICE for way in ways},
        }
    )
    together = counted((at_site(event, way) for way, events in ways.items() for event in events), configuration)
    alone = {way: by_scope(counted(events)) for way, events in ways.items()}

    for way in ways:
        found = {queue: {kpi: each["value"] for kpi, each in together["queues"][f"{queue} {way}"]["voice"].items()} for queue in _VOICE}
        assert found == {queue: alone[way][queue] for queue in _VOICE}, way
        for kpi in ("offered", "answered", "handled", "transfer_rate"):
            assert alone[way]["all"][kpi] == alone["canonical"]["all"][kpi], (way, kpi)
        assert alone[way]["all"]["asa"] == pytest.approx(alone["canonical"]["all"]["asa"], abs=1.0)
    assert together["totals"]["offered"]["value"] == sum(alone[way]["all"]["offered"] for way in ways)
