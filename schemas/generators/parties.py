"""Writers and readers of each topic, for the documents: the list of topics does not name them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from schemas.topics import TOPICS, Topic

__all__ = ["PARTIES", "Parties", "compatibility", "is_internal"]


@dataclass(frozen=True, slots=True)
class Parties:
    """The programs that write to a topic and those that read it."""

    writers: tuple[str, ...]
    readers: tuple[str, ...]
    #: Whether other programs may rely on it; a topic that is not public may change with any version.
    public: bool = True


_CONNECTORS: Final = ("connectors", "gateway")
_EVENTS: Final = Parties(_CONNECTORS, ("worker",))
_STATE: Final = Parties(("worker",), ("worker",), public=False)
_METRICS: Final = Parties(("worker",), ("other programs",))
_DEAD: Final = Parties((*_CONNECTORS, "worker", "dead-letters"), ("dead-letters", "people, with any Kafka client"))

#: Topic without prefix → its parties.
PARTIES: Final[dict[str, Parties]] = {
    "contact-events.v1": _EVENTS,
    "agent-events.v1": _EVENTS,
    "customer-events.v1": Parties(("connectors", "gateway", "other programs"), ("worker", "other programs")),
    "customer-facts.v2": _STATE,
    "customer-links.v1": _STATE,
    "customer-facts.v1": _STATE,
    "track-contacts-state.v1": _STATE,
    "track-agents-state.v1": _STATE,
    "track-customer-events-state.v1": _STATE,
    "customers-state.v2": _STATE,
    "customer-links-state.v1": _STATE,
    "customers-state.v1": _STATE,
    "queue-panes.v1": _STATE,
    "queue-metrics.v1": _METRICS,
    "queue-metrics-latest.v1": Parties(("worker",), ("worker", "serve", "other programs")),
    "agent-metrics.v1": _METRICS,
    "agent-metrics-latest.v1": Parties(("worker",), ("worker", "serve", "other programs")),
    "alerts.v1": Parties(("worker",), ("serve", "other programs")),
    "alerts-latest.v1": Parties(("worker",), ("worker", "serve", "other programs")),
    "alert-actions.v1": Parties(("serve", "operators' commands"), ("serve", "operators' commands")),
    "worker-heartbeats.v1": Parties(("worker",), ("worker", "serve")),
    "audit.v1": Parties(("serve", "gateway", "worker", "operators' commands"), ("serve", "audit", "other programs")),
    "access-devices.v1": Parties(("serve",), ("serve",), public=False),
    "connector-state.v1": Parties(("connectors",), ("connectors",), public=False),
    "contact-events-dead-letters.v1": _DEAD,
    "agent-events-dead-letters.v1": Parties(("gateway", "worker", "dead-letters"), _DEAD.readers),
    "customer-events-dead-letters.v1": Parties(("worker", "dead-letters"), _DEAD.readers),
}


def is_internal(topic: Topic) -> bool:
    """Return whether a topic is the engine's own."""
    return not PARTIES[topic.name].public


def compatibility(topic: Topic) -> str:
    """Return what a reader of a topic may rely on."""
    if is_internal(topic):
        return "none: the engine's own, and may change with any version"
    if topic.model is None:
        return "the `dead-letter-` headers only grow in number; key and value are as received"
    version = topic.name.rpartition(".")[2]
    return f"additions only within `{version}`: a new field is optional; ignore unknown ones. Any other change makes a new topic"


_missing = {topic.name for topic in TOPICS} ^ PARTIES.keys()
if _missing:
    raise ValueError(f"schemas/generators/parties.py and schemas/topics.py differ in {', '.join(sorted(_missing))}")
