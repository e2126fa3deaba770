"""The figures that the pipeline computes of a simulated center, in memory: latest topics at two instants, and a configuration for serve."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import orjson
import yaml

from schemas.times import format_ms, parse_time_ms
from streams.catalogue import KPIS
from streams.configuration import Configuration
from streams.demo.day import configuration_text
from streams.demo.simulator import Simulation
from streams.demo.simulator.shop import with_shop
from streams.replay import Kind, Replay

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from streams.catalogue import Kpi

__all__ = ["AGENTS", "CLOSED", "FIGURES", "Look", "configuration", "looks", "with_targets"]

#: The topics that serve follows, without prefix and version.
FIGURES: Final = "queue-metrics-latest"
AGENTS: Final = "agent-metrics-latest"

#: 10:45 in Tokyo.
START_MS: Final = parse_time_ms("2026-11-22T01:45:00Z")
#: The queue on the business clock, and when it is closed: its lunch, in which the second look falls.
CLOSED: Final = ("Billing mail 請求メール", parse_time_ms("2026-11-22T03:00:00Z"), parse_time_ms("2026-11-22T04:00:00Z"))
MINUTES: Final = (70, 85)
_KINDS: Final[dict[str, Kind]] = {"contact-events": "contact", "agent-events": "agent", "customer-events": "customer"}

Records = dict[bytes, bytes]


class Look(NamedTuple):
    """The newest record of each key, as bytes, by topic."""

    topics: dict[str, Records]

    @property
    def figures(self) -> dict[str, dict[str, Any]]:
        """The records about queues and groups, by key."""
        return {key.decode(): orjson.loads(value) for key, value in sorted(self.topics[FIGURES].items())}

    @property
    def agents(self) -> dict[str, dict[str, Any]]:
        """The records about single people, by key."""
        return {key.decode(): orjson.loads(value) for key, value in sorted(self.topics[AGENTS].items())}

    @property
    def as_of_ms(self) -> int:
        """The newest instant that the figures include."""
        return max(parse_time_ms(each["as_of"]) for each in self.figures.values() if each["kind"] == "progress")


class _Center(Replay):
    """A replay that keeps the latest topics byte for byte, those of agents and customers included."""

    def __init__(self, configuration: Configuration) -> None:
        super().__init__(configuration)
        self.topics: defaultdict[str, Records] = defaultdict(dict)

    def _take_latest(self, topic: str, key: bytes | None, value: bytes | None) -> None:
        if topic in {FIGURES, AGENTS} and key is not None:
            if value is None:
                self.topics[topic].pop(key, None)
            else:
                self.topics[topic][key] = value

    def _publish_customers(self) -> None:
        for stage in (self._links, self._customers, self._links, self._customers):
            self._route(stage.collect().outputs)

    def look(self) -> Look:
        """Publish, and return what is there then."""
        self._work_off()
        self._publish()
        assert not self.dead_letters
        return Look({topic: dict(records) for topic, records in self.topics.items()})


def configuration() -> dict[str, Any]:
    """Return the demo's, without the names of sources: those of the simulation are others."""
    settings: dict[str, Any] = yaml.safe_load(configuration_text(START_MS))
    del settings["sources"], settings["targets"]
    for place in (*settings["queues"].values(), *settings["teams"].values()):
        place.pop("sources", None)
    return settings


def _further_calls() -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield what the simulated center does not do: calls out, a survey by another scale, an excluded contact, an event of nothing known."""
    queued = (0, "contact.queued", {"queue": "Orders 注文受付"})
    answered, ended = (20, "contact.answered", {"agent": "caller"}), (110, "contact.ended", {"by": "customer"})
    opinion = (130, "survey.answered", {"kind": "csat", "score": 8, "scale": "1-10"})
    out = (0, "contact.arrived", {"direction": "outbound"})
    calls: list[list[tuple[int, str, dict[str, Any]]]] = [
        [out, answered, ended],
        [out, ended],
        [queued, answered, ended, opinion],
        [(0, "contact.arrived", {"direction": "inbound"}), queued, (15, "contact.excluded", {"reason": "test"})],
        [(0, "contact.transferred", {"kind": "blind", "target_kind": "queue", "target": "Orders 注文受付"})],
    ]
    for number, events in enumerate(calls):
        for after, kind, more in events:
            at_ms = START_MS + MINUTES[0] * 60_000 - 300_000 + 1000 * after + number
            at, base = format_ms(at_ms), {"channel": "voice", "conversation_id": f"further-{number}", "site": "Tokyo 東京"}
            base |= {"event_id": f"further-{number}-{kind}", "type": kind, "occurred_at": at, "received_at": at, "source": "sim-telephony"}
            yield at_ms, {**base, **more}


def looks(settings: dict[str, Any]) -> Iterator[Look]:
    """Yield the topics as they are after each of `MINUTES`."""
    center = _Center(Configuration.model_validate_json(orjson.dumps(settings, default=str)))
    further = sorted(_further_calls(), key=lambda each: each[0])
    ends = [START_MS + minutes * 60_000 for minutes in MINUTES]
    for each in with_shop(Simulation(seed=3, start_ms=START_MS).emissions(), 3, START_MS):
        while further and further[0][0] <= each.published_ms:
            published_ms, event = further.pop(0)
            center.add(orjson.dumps(event), "contact", published_ms=published_ms)
        if each.published_ms >= ends[0]:
            yield center.look()
            ends.pop(0)
            if not ends:
                return
        value = orjson.dumps(each.event)
        for kind in _KINDS.values() if each.destination == "every-partition" else [_KINDS[each.destination]]:
            center.add(value, kind, published_ms=each.published_ms)


def with_targets(settings: dict[str, Any], records: Iterable[dict[str, Any]]) -> dict[str, Any]:
    """Return the configuration with a target for each KPI that may have one, so that the page shows it: of the total, and of a channel."""
    found: dict[tuple[str, str], tuple[bool, str]] = {}
    for record in records:
        if record.get("scope_kind") == "total":
            window = record.get("window", "now")
            shown = record["kpis"] if record["kind"] == "window" else record
            for id_, figure in shown.items():
                value = figure.get("value") if record["kind"] == "window" and figure else figure
                if value is not None:
                    # Rather one that is not 0.
                    found[id_, window] = max(found.get((id_, window), (False, "")), (bool(value), record["channel"] or ""))
    return {**settings, "targets": [target for kpi in KPIS if (target := _target(kpi, found)) is not None]}


def _target(kpi: Kpi, found: dict[tuple[str, str], tuple[bool, str]]) -> dict[str, Any] | None:
    if kpi.split_by is not None or kpi.subject == "targets" or kpi.id == "handled_per_agent":
        return None
    kinds = {"trailing": "trailing_60m", "customers_day": "customers_day", "customers_month": "customers_month", "now": "now"}
    window = next((kinds[kind] for kind in kpi.windows if kind in kinds), "day")
    if kpi.id == "forecast_accuracy":  # of what is over
        window = "interval_30m"
    goal = {"low": 0.001} if kpi.direction == "none" else {"target": 1.0}
    name = {"longest_wait": "longest_wait_seconds", "backlog_oldest": "backlog_oldest_seconds"}.get(kpi.id, kpi.id)
    channel = found.get((name, window), (False, "voice"))[1] if kpi.subject == "contacts" else ""
    target = {"kpi": kpi.id, "scope": "total:all", "unit": kpi.unit, **goal}
    return {**target, **({"channel": channel} if channel else {}), **({} if window == "now" else {"window": window})}
