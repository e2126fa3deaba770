"""The one list of topics: names, keys, values, partitions and configuration, with the reason for each setting."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Final, Literal

from schemas.access_devices import DeviceRecord
from schemas.agent_metrics import AgentFigures
from schemas.alert_actions import ActionRecord
from schemas.alerts import AlertRecord
from schemas.audit import AuditRecord
from schemas.connector_state import ConnectorRecord
from schemas.customer_facts import CustomerFact, CustomerLink
from schemas.events import AgentEvent, ContactEvent, CustomerEvent
from schemas.metrics import MetricRecord
from schemas.panes import PaneRecord
from schemas.prefix import DEFAULT_PREFIX
from schemas.workers import WorkerHeartbeat

__all__ = ["APPEND_TIME", "DEFAULT_PREFIX", "SOURCES", "TOPICS", "Topic", "dead_letters_of", "state_of", "topic"]

_SECOND_MS: Final = 1000
_HOUR_MS: Final = 60 * 60 * _SECOND_MS
_DAY_MS: Final = 24 * _HOUR_MS
_MIB: Final = 1024 * 1024

#: The broker stamps records when they are appended: retention and compaction then follow its clock, whatever time a producer
#: claims. A replay of 2021 must not be deleted at once, nor 2090 be refused. No record moves progress beyond it. The value states when
#: something happened.
APPEND_TIME: Final = {"message.timestamp.type": "LogAppendTime"}

#: The topics of events: connectors write them, and operators' orders.
SOURCES: Final = ("contact-events.v1", "agent-events.v1", "customer-events.v1")

#: Settings of every topic.
_COMMON: Final = {
    **APPEND_TIME,
    # A flush packs many small records into one batch; larger than this only delays its neighbors.
    "max.message.bytes": str(_MIB),
}

#: Settings of topics that keep the latest record of each key.
_COMPACTED: Final = {
    # Only closed segments are compacted: without this a quiet partition would keep a week of old versions to read at a restore.
    "segment.ms": str(_HOUR_MS),
    # A busy partition closes its segment sooner, by size: a restore reads little more than the live records.
    "segment.bytes": str(64 * _MIB),
    # Compact when a tenth is outdated, not half of it: restoring workers and new readers read from the start.
    "min.cleanable.dirty.ratio": "0.1",
    # And at the latest after this, so that deleted records are gone.
    "max.compaction.lag.ms": str(6 * _HOUR_MS),
    # A reader that began before a deletion has this long to reach it; afterwards it would keep the deleted key forever.
    "delete.retention.ms": str(_DAY_MS),
}

#: A platform may send absurdly large records: they become dead letters, instead of an error that a sender repeats forever.
_ROOM_FOR_ANYTHING: Final = {"max.message.bytes": str(6 * _MIB)}

#: A row holds the state of a conversation or person: as many events as permitted, each with the longest texts.
#: That of a customer's key holds at most 10,000 facts, and 8,000,000 bytes.
_ROOM_FOR_ROWS: Final = {"max.message.bytes": str(8 * _MIB)}

#: A dead letter is the original value with headers added: a record of the largest size must still fit.
_ROOM_FOR_HEADERS: Final = {"max.message.bytes": str(8 * _MIB)}


@dataclass(frozen=True, slots=True)
class Topic:
    """One topic, as it is to be created.

    `model` is the pydantic model or union of its record values; None where the value is private to the engine or of another program.
    `retention_ms` is None where records are retained until their key is written again or deleted.
    """

    name: str
    summary: str
    key: str
    model: Any
    partitions: int
    cleanup_policy: Literal["delete", "compact"]
    retention_ms: int | None = None
    partitions_of: str | None = None
    """The topic whose number of partitions it must share."""
    dead_letters: str | None = None
    """The topic of records that cannot be processed."""
    settings: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    """The differences from the settings of its kind."""

    def full_name(self, prefix: str = DEFAULT_PREFIX) -> str:
        """Return the name in Kafka: ``prefix.name``, or the bare name when the prefix is empty."""
        return f"{prefix}.{self.name}" if prefix else self.name

    def config(self) -> dict[str, str]:
        """Return the topic configuration, complete but for what a cluster decides (replicas, in-sync replicas)."""
        config = {"cleanup.policy": self.cleanup_policy, **_COMMON}
        if self.cleanup_policy == "compact":
            config |= _COMPACTED
        if self.retention_ms is not None:
            config["retention.ms"] = str(self.retention_ms)
        return {**config, **self.settings}


_AGENT_KEY: Final = "window|NAME|-|agent:PERSON|start_ms"
_ALERT_KEY: Final = "alert|rule|channel or -|scope_kind:scope"
_METRIC_KEY: Final = (
    "window|NAME|channel or -|scope_kind:scope[|start_ms]; now|channel or -|scope_kind:scope; progress|partition; "
    "definition|partition|NAME@VERSION"
)

#: Partition counts of sources and panes are permanent: state and keys are bound to them, and a mismatch is refused at start.
TOPICS: Final[tuple[Topic, ...]] = (
    Topic(
        name="contact-events.v1",
        summary="What happens to contacts, as the connectors publish it.",
        key="conversation_id",
        model=ContactEvent,
        partitions=8,
        cleanup_policy="delete",
        # A week: long enough to rebuild everything after a weekend's fault.
        retention_ms=7 * _DAY_MS,
        dead_letters="contact-events-dead-letters.v1",
        settings=_ROOM_FOR_ANYTHING,
    ),
    Topic(
        name="agent-events.v1",
        summary="What agents do, as the connectors publish it.",
        key="person_id",
        model=AgentEvent,
        partitions=8,
        cleanup_policy="delete",
        retention_ms=7 * _DAY_MS,
        dead_letters="agent-events-dead-letters.v1",
        settings=_ROOM_FOR_ANYTHING,
    ),
    Topic(
        name="customer-events.v1",
        summary="Orders, customers and forecasts, as the connectors publish them.",
        key="customer_key; queue for forecast.set",
        model=CustomerEvent,
        partitions=8,
        cleanup_policy="delete",
        retention_ms=7 * _DAY_MS,
        dead_letters="customer-events-dead-letters.v1",
        settings=_ROOM_FOR_ANYTHING,
    ),
    Topic(
        name="customer-facts.v2",
        summary="What the worker has found out about customers, by customer: contacts, orders, and which keys are one customer.",
        key="contact|conversation_id, event|event_id, family|key, copy|key, moved|key or progress|topic|partition",
        model=CustomerFact,
        # As queue-panes: enough for several workers to share them, and each is a transaction at every flush.
        partitions=4,
        cleanup_policy="delete",
        # As its sources: older facts are in the state of its reader.
        retention_ms=7 * _DAY_MS,
        # The complete state of a key may move to another partition.
        settings=_ROOM_FOR_ROWS,
    ),
    Topic(
        name="customer-links.v1",
        summary="Links between customers, and when linked customers were last seen.",
        key="link|event_id, heard|customer_key or progress|topic|partition",
        model=CustomerLink,
        # One: a link may join any two customers, whatever their keys. There are few.
        partitions=1,
        cleanup_policy="delete",
        retention_ms=7 * _DAY_MS,
    ),
    Topic(
        name="customer-facts.v1",
        summary="Customer-facts of the last release: read once, at the first start after an upgrade. The next release removes it.",
        key="as the last release wrote it",
        model=None,
        partitions=1,
        cleanup_policy="delete",
        retention_ms=7 * _DAY_MS,
    ),
    Topic(
        name="track-contacts-state.v1",
        summary="Conversations in flight: the engine's own, read at a restore.",
        key="conversation_id, and the engine's own keys",
        model=None,
        partitions=8,
        partitions_of="contact-events.v1",
        cleanup_policy="compact",
        settings=_ROOM_FOR_ROWS,
    ),
    Topic(
        name="track-agents-state.v1",
        summary="Agents' current states: the engine's own, read at a restore.",
        key="person_id, and the engine's own keys",
        model=None,
        partitions=8,
        partitions_of="agent-events.v1",
        cleanup_policy="compact",
        settings=_ROOM_FOR_ROWS,
    ),
    Topic(
        name="track-customer-events-state.v1",
        summary="Forecasts, and how far customer-events has been read: the engine's own, read at a restore.",
        key="the engine's own",
        model=None,
        partitions=8,
        partitions_of="customer-events.v1",
        cleanup_policy="compact",
        settings=_ROOM_FOR_ROWS,
    ),
    Topic(
        name="customers-state.v2",
        summary="Customers, by their hashed keys: the engine's own, read at a restore. Give it an access list of its own.",
        key="customer_key, and the engine's own keys",
        model=None,
        partitions=4,
        partitions_of="customer-facts.v2",
        cleanup_policy="compact",
        settings=_ROOM_FOR_ROWS,
    ),
    Topic(
        name="customer-links-state.v1",
        summary="Which customers' keys are linked: the engine's own, read at a restore. Give it an access list of its own.",
        key="the engine's own",
        model=None,
        partitions=1,
        partitions_of="customer-links.v1",
        cleanup_policy="compact",
        settings=_ROOM_FOR_ROWS,
    ),
    Topic(
        name="customers-state.v1",
        summary="Customers as the last release stored them: handed on once, then empty. The next release removes it.",
        key="customer_key, and the engine's own keys",
        model=None,
        partitions=1,
        partitions_of="customer-facts.v1",
        cleanup_policy="compact",
        settings=_ROOM_FOR_ROWS,
    ),
    Topic(
        name="queue-panes.v1",
        summary="What each source partition counts of a scope in a pane or cell; absolute, so that reading a record twice changes nothing.",
        key="kind|channel or -|source topic|source partition|start_ms or -|scope or -",
        model=PaneRecord,
        partitions=4,
        cleanup_policy="compact",
    ),
    Topic(
        name="queue-metrics.v1",
        summary="Every revision of every window: the history of the figures.",
        key=_METRIC_KEY,
        model=MetricRecord,
        partitions=4,
        cleanup_policy="delete",
        # A month of figures for subscribers that fell behind; longer histories belong into a database.
        retention_ms=30 * _DAY_MS,
    ),
    Topic(
        name="queue-metrics-latest.v1",
        summary="The latest figures of every scope and window: what a reader starts from.",
        key=_METRIC_KEY,
        model=MetricRecord,
        partitions=4,
        cleanup_policy="compact",
    ),
    Topic(
        name="agent-metrics.v1",
        summary="Every revision of the figures of single agents, where their site permits them. Give it an access list of its own.",
        key=_AGENT_KEY,
        model=AgentFigures,
        # As queue-panes: each partition is written by the roll-up of the same number.
        partitions=4,
        cleanup_policy="delete",
        # A week, as the events they come from: figures of single agents are retained no longer than necessary.
        retention_ms=7 * _DAY_MS,
    ),
    Topic(
        name="agent-metrics-latest.v1",
        summary="The latest figures of single agents, of the last days. Give it an access list of its own.",
        key=_AGENT_KEY,
        model=AgentFigures,
        partitions=4,
        cleanup_policy="compact",
    ),
    Topic(
        name="alerts.v1",
        summary="Alerts as they fire and clear, each once: the history.",
        key=_ALERT_KEY,
        model=AlertRecord,
        # As queue-panes: each partition is written by the roll-up of the same number.
        partitions=4,
        cleanup_policy="delete",
        # As long as the history of the figures.
        retention_ms=30 * _DAY_MS,
    ),
    Topic(
        name="alerts-latest.v1",
        summary="The state of every alert: pending, firing or last cleared.",
        key=_ALERT_KEY,
        model=AlertRecord,
        partitions=4,
        cleanup_policy="compact",
    ),
    Topic(
        name="alert-actions.v1",
        summary="Which alerts are acknowledged, what is silenced, and which notifications each alert has had. Servers act on it: "
        "give it an access list of its own.",
        key="acknowledged|alert_id, silence|silence_id, expected|alert_id, open|alert_id, notification|message_id or progress|partition",
        model=ActionRecord,
        # One: a decision on an alert follows the records it depends on. There are few.
        partitions=1,
        cleanup_policy="compact",
    ),
    Topic(
        name="worker-heartbeats.v1",
        summary="Workers report twice a second that they are alive, and which source partitions they count.",
        key="worker",
        model=WorkerHeartbeat,
        # One: the order of records shows which worker is silent while others report.
        partitions=1,
        cleanup_policy="delete",
        # Readers need only the last hour.
        retention_ms=_HOUR_MS,
        settings={"segment.ms": str(_HOUR_MS // 4)},
    ),
    Topic(
        name="audit.v1",
        summary="Who did or tried what, from where, with what outcome: logins, denials, views of agents and contacts, changes. It has "
        "accounts and addresses: give it an access list of its own.",
        key="kind:name of the actor",
        model=AuditRecord,
        # One: records are read in one order, by time, page by page. There are few.
        partitions=1,
        cleanup_policy="delete",
        # A year for investigations. Kafka can set another.
        retention_ms=365 * _DAY_MS,
    ),
    Topic(
        name="access-devices.v1",
        summary="Which links of screens were opened, and by which device: servers admit a device by it, and no ticket twice. It holds no "
        "secret, but its writers can admit a device: give it an access list of its own. If it is deleted, used links open once more.",
        key="redeemed|ticket|device; ended|ticket",
        model=DeviceRecord,
        # One: of two servers that redeem a ticket at the same time the first record holds.
        partitions=1,
        cleanup_policy="compact",
    ),
    Topic(
        name="connector-state.v1",
        summary="How far each connector has polled its platform, and what it last saw there: written in one transaction with the "
        "events of it. It holds no token and nothing personal.",
        key="cursor|source; seen|source|key",
        model=ConnectorRecord,
        # All records of a source are in the partition of its name, and a connector reads only that one when it starts.
        partitions=8,
        cleanup_policy="compact",
    ),
    Topic(
        name="contact-events-dead-letters.v1",
        summary="Records of contact-events that could not be processed: key, value and headers as received, the reason in further headers.",
        key="as received",
        model=None,
        # Rare records for operators to read: one partition keeps them in one order.
        partitions=1,
        cleanup_policy="delete",
        # Two weeks: an operator on holiday can still replay them.
        retention_ms=14 * _DAY_MS,
        settings=_ROOM_FOR_HEADERS,
    ),
    Topic(
        name="agent-events-dead-letters.v1",
        summary="Records of agent-events that could not be processed: key, value and headers as received, the reason in further headers.",
        key="as received",
        model=None,
        partitions=1,
        cleanup_policy="delete",
        retention_ms=14 * _DAY_MS,
        settings=_ROOM_FOR_HEADERS,
    ),
    Topic(
        name="customer-events-dead-letters.v1",
        summary="Records of customer-events that could not be processed: key, value and headers as received, the reason in headers too.",
        key="as received",
        model=None,
        partitions=1,
        cleanup_policy="delete",
        retention_ms=14 * _DAY_MS,
        settings=_ROOM_FOR_HEADERS,
    ),
)

_BY_NAME: Final = {entry.name: entry for entry in TOPICS}


def topic(name: str) -> Topic:
    """Return the topic of a name without prefix; raise KeyError for an unknown one."""
    return _BY_NAME[name]


def dead_letters_of(name: str) -> Topic | None:
    """Return the dead-letter topic of a topic, None if it has none; raise KeyError for an unknown topic."""
    target = topic(name).dead_letters
    return None if target is None else topic(target)


def state_of(name: str) -> Topic | None:
    """Return the state topic that shares the partitions of a source topic, if there is one; raise KeyError for an unknown topic."""
    source = topic(name).name
    return next((entry for entry in TOPICS if entry.partitions_of == source), None)
