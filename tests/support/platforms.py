"""The events of a connector of the kit for records, counted in this process, and the figures that public life cycles of contacts give.

Two stories are reported by every platform in its own form, and their figures are worked out by hand:

*Three calls*, by the second from 09:00:00. 1: arrives 0, queued for support 10, rings at A 12, answered 20, on hold 60 to 90, ended by the
customer 200, wrapped up 230. 2: arrives 300, queued 305, rings at A 306 to 321 for nothing, given up 335. 3: arrives 600, queued 605, rings
at A 610 to 625 for nothing, at B from 626, answered 635, passed on to billing 755 (B wraps up till 775), rings at A 757, answered 765,
ended by the agent 885, wrapped up 900.

*Two tickets*, T1 written 09:00, T2 09:05. T1: answered by a person 09:10 and again, resolved 09:40, reopened 10:00, resolved again; T2:
answered 09:25 and resolved. A machine's receipt and a private note count nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any
from zlib import crc32

from hypothesis import strategies as st

from schemas.agent import AgentModel
from schemas.events import encode
from schemas.other import CustomerModel, ForecastSet
from streams.configuration import Configuration
from streams.connectors.kit.model import Context, Part, Record
from streams.connectors.kit.translating import REASONS, Translated, translate
from streams.replay import Replay

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from streams.connectors.kit.model import Connector, Seen
    from streams.replay import Kind

__all__ = [
    "FIXTURES",
    "KNOWN_REASONS",
    "SHARED",
    "Row",
    "counted",
    "figures",
    "fixture",
    "mutated",
    "not_reporting",
    "reasons",
    "three_calls",
    "translated",
    "two_tickets",
]

#: Collected beside the repository, and ours, written in the same shapes.
SHARED = Path(__file__).parents[3] / "shared" / "payloads"
FIXTURES = Path(__file__).parents[1] / "connectors" / "fixtures"

#: Scope (a queue of the story, or ``all``) → figure → value; None is null.
Table = dict[str, dict[str, float | None]]

#: After all events of any fixture.
_NOW = datetime(2027, 1, 1, tzinfo=UTC)


def fixture(name: str, file: str) -> bytes:
    """Return a file of ours of a connector."""
    return (FIXTURES / name / file).read_bytes()


def three_calls(*, hold: bool = True, wrap_up: bool = True, ring: bool = True, arrival: bool = True) -> Table:
    """Return the figures of the three calls, without what a platform does not report."""
    table: Table = {
        "support": {"offered": 3, "answered": 2, "abandoned": 1, "handled": 2, "service_level": 1 / 3, "asa": 20, "time_to_abandon": 30},
        "billing": {"offered": 1, "answered": 1, "abandoned": 0, "handled": 1, "service_level": 1, "asa": 10, "time_to_abandon": None},
        "all": {"offered": 3, "answered": 2, "abandoned": 1, "handled": 2, "service_level": 1 / 3, "asa": 20, "time_to_abandon": 30},
    }
    # Talk runs from the answer to the end, without hold where that is known.
    talk = {"support": (150 + 120) / 2, "billing": 120, "all": (150 + 240) / 2}
    held = {"support": (30 + 0) / 2, "billing": 0, "all": (30 + 0) / 2}
    wrapped = {"support": (30 + 20) / 2, "billing": 15, "all": (30 + 35) / 2}
    missed = {"support": 2, "billing": 0, "all": 2}
    passed_on = {"support": 1 / 2, "billing": 0, "all": 1 / 2}
    first = {"support": (20 + 35) / 2 if arrival else (10 + 30) / 2, "billing": None, "all": (20 + 35) / 2 if arrival else (10 + 30) / 2}
    for scope, values in table.items():
        values["non_response"] = missed[scope] if ring else None
        values["att"] = talk[scope] if hold else talk[scope] + held[scope]
        values["average_hold"] = held[scope] if hold else None
        values["acw"] = wrapped[scope] if wrap_up else None
        values["aht"] = talk[scope] + held[scope] + wrapped[scope] if wrap_up else None
        values["transfer_rate"] = passed_on[scope]
        values["first_response_time"] = first[scope]
    return table


def two_tickets(*, reopened: bool = True, messages: bool = True, csat: bool = True) -> Table:
    """Return the figures of the two tickets, without what a platform does not report."""
    return {
        "all": {
            "offered": 2,
            "first_response_time": (600 + 1200) / 2,
            "resolution_time": (2400 + 1200) / 2,
            "resolution_rate": 3 / 2 if reopened else 1,
            "reopen_rate": 1 / 3 if reopened else 0,
            "first_contact_resolution": (2 - 1) / 2 if reopened else 1,
            "average_response_time": (600 + 600 + 900 + 1200) / 4 if messages else None,
            "exchanges_per_contact": (2 + 1 + 1) / 3 if messages else None,
            "csat": (5 + 1) / 2 if csat else None,
            "csat_top2": 1 / 2 if csat else None,
        }
    }


@dataclass(frozen=True, kw_only=True)
class Row:
    """A platform that reports one of the stories, and the expected figures."""

    connector: str
    #: What it is called in the matrix, where a connector has several rows.
    title: str = ""
    #: In ``FIXTURES/CONNECTOR``, and in ``SHARED``.
    files: tuple[str, ...]
    shared: tuple[str, ...] = ()
    expected: Table
    #: (scope, figure) → another value than ``expected`` has, for what the platform cannot report.
    but: Mapping[tuple[str, str], float | None] = field(default_factory=dict)
    #: Scope of the story → the queue's name in our files; the collected ones have the story's, or ids that ``settings`` translate to names.
    queues: Mapping[str, str] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)
    #: What this way of the platform does not report, beside what the connector declares.
    unknown: tuple[Part, ...] = ()
    configuration: Mapping[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """Return what it is called in the matrix."""
        return self.title or self.connector

    def wanted(self) -> Table:
        """Return the figures that must come out."""
        table = {scope: dict(values) for scope, values in self.expected.items()}
        for (scope, figure), value in self.but.items():
            table[scope][figure] = value
        return table


def translated(
    connector: Connector,
    bodies: Iterable[tuple[str, bytes]],
    *,
    settings: Mapping[str, Any] | None = None,
    seed: int | None = None,
    source: str = "platform",
    live: bool = False,
) -> Translated:
    """Return what deliveries become, as a file of the past is read; with a seed the records shuffled, and each up to three times.

    Args:
        connector: of the platform.
        bodies: origin and bytes of each delivery.
        settings: of the connector, beside its defaults.
        seed: of the order and the repeats.
        source: the name of the source.
        live: as the platform's delivery is, not as a file of the past: a record without a time occurs when it is received.
    """
    # A record of a file was received when it occurred, whatever the platform.
    connector = connector if live else replace(connector, delivery="journal")
    with_defaults = {each.name: each.default for each in connector.settings} | dict(settings or {})
    context = Context(source=source, customer_key=lambda identity: f"k1:{crc32(identity.encode()):x}", settings=with_defaults)
    done = Translated()
    states: dict[str, Seen] = {}
    pieces: Iterator[tuple[Connector, bytes, str]] = ((connector, body, origin) for origin, body in bodies)
    if seed is not None:
        pieces = _shuffled(connector, bodies, Random(seed))
    for each, body, origin in pieces:
        done.add(translate(each, body, context, origin=origin, now=_NOW, states=states))
    return done


def _shuffled(connector: Connector, bodies: Iterable[tuple[str, bytes]], chance: Random) -> Iterator[tuple[Connector, bytes, str]]:
    records = [record for origin, body in bodies for record in connector.read(body, origin)]
    records = [record for record in records for _ in range(chance.choice((1, 1, 2, 3)))]
    chance.shuffle(records)

    def one_by_one(record: Record) -> Connector:
        return replace(connector, read=lambda _body, _origin: [record])

    return ((one_by_one(record), record.raw, record.origin) for record in records)


def counted(events: Iterable[Any], configuration: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Return what ``contact-streams replay`` returns for events."""
    replay = Replay(Configuration.model_validate(dict(configuration or {})), figures_only=True)
    for event in events:
        of_customer = isinstance(event, CustomerModel | ForecastSet)
        kind: Kind = "agent" if isinstance(event, AgentModel) else "customer" if of_customer else "contact"
        replay.add(encode(event), kind)
    return replay.finish(replay.last_ms)


def not_reporting(events: Iterable[Any], names: Iterable[str]) -> dict[str, Any]:
    """Return a configuration in which the sources of events do not report some figures."""
    return {"sources": {source: {"not_reported": list(names)} for source in {event.source for event in events}}}


def figures(result: Mapping[str, Any], wanted: Table, queues: Mapping[str, str]) -> Table:
    """Return of a result the figures that are wanted, by scope of the story.

    Args:
        result: of ``counted``.
        wanted: which, by scope.
        queues: scope → name of the queue.
    """
    found: Table = {}
    for scope, values in wanted.items():
        channels = [result["totals"]] if scope == "all" else [*result["queues"].get(queues.get(scope, scope), {}).values()]
        kpis = channels[0] if len(channels) == 1 else {}
        found[scope] = {figure: kpis.get(figure, {}).get("value") for figure in values}
    return found


@st.composite
def mutated(draw: st.DrawFn, contents: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Draw one of the records, with up to three of its values replaced by what no platform should send, or left out."""
    content: dict[str, Any] = deepcopy(dict(draw(st.sampled_from(contents))))
    for _ in range(draw(st.integers(1, 3))):
        at: Any = content
        while True:
            keys: list[Any] = list(at) if isinstance(at, dict) else list(range(len(at)))
            if not keys:
                break
            key = draw(st.sampled_from(keys))
            if not isinstance(at[key], dict | list) or draw(st.integers(0, 5)) == 0:
                if isinstance(at, dict) and draw(st.booleans()):
                    del at[key]
                else:
                    at[key] = deepcopy(draw(_JUNK))
                break
            at = at[key]
    return content


_JUNK = st.one_of(
    st.none(),
    st.booleans(),
    st.sampled_from(
        ["", " ", "null", "0", "-1", "1e99", "NaN", "9999-12-31T23:59:59Z", "0001-01-01T00:00:00Z", "2026-02-30", "\x00", "x" * 5_000]
    ),
    st.sampled_from([0, -1, 2**31, 2**63, -(2**63), 10**15, 1.5, -0.5]),
    st.sampled_from([[], {}, [None], [[]], {"a": None}, ["text", 1]]),
    st.text(max_size=5),
)


#: Why a record may be rejected: that a connector did not understand it is none of these.
KNOWN_REASONS = frozenset(REASONS) - {"not_understood"}


def reasons(connector: Connector, contents: Iterable[Mapping[str, Any]], settings: Mapping[str, Any] | None = None) -> set[str]:
    """Return why records are rejected; each is taken as it is, whatever the platform's form of bytes."""
    records = [Record(dict(content), b"", "record", number) for number, content in enumerate(contents)]
    done = translated(replace(connector, read=lambda _body, _origin: records), [("record", b"")], settings=settings)
    return {each.reason for each in done.rejected}
