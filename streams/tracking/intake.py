"""Fast path for usual events in compiled code: `_intake.c`, if it was compiled."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, get_args

from schemas import structs
from schemas.limits import MAX_FACTS, MAX_RECOUNTED
from streams.tracking.agent import Agent
from streams.tracking.facts import FACT_OF, Fact
from streams.tracking.fold import put
from streams.tracking.names import FIELDS
from streams.tracking.packed import PackedRows
from streams.tracking.state import Conversation, Disorder, State
from streams.windows.slices import PANE_MS

if TYPE_CHECKING:
    from collections.abc import Callable

    from streams.tracking.agents import AgentTracker
    from streams.tracking.contacts import ContactTracker
    from streams.tracking.names import Names
    from streams.tracking.quarantine import Quarantine

__all__ = ["agent_intake", "contact_intake"]

#: The module, as in `_intake.pyi`; None: not compiled.
compiled: Any
try:
    from streams.tracking import _intake
except ImportError:
    compiled = None
else:
    compiled = _intake


def contact_intake(tracker: ContactTracker, quarantine: Quarantine, names: Names) -> Callable[[list[Any], int], int] | None:
    """Return a function that accepts usual events of a list from an index on, and returns the index of the first it leaves out.

    A usual event certainly counts; the result equals that of the tracker's ``apply``. None: not compiled.
    """
    if compiled is None:
        return None
    conversations, held = tracker.conversations, tracker.held
    packed = conversations.frozen if isinstance(conversations.frozen, PackedRows) else None
    take = compiled.ContactIntake(
        **_common(tracker, quarantine, names),
        kinds=_contact_kinds(),
        conversations=conversations.live,
        unread=conversations.unread,
        packed={} if packed is None else packed.stored,
        unclaimed=tracker.stored_names.unclaimed_ids,
        journals=tracker.journals,
        held=held.counts,
        put=put,
        types=(structs.Event, Conversation, State, Disorder, Fact),
        max_recounted=MAX_RECOUNTED,
        max_subjects=held.max_subjects,
    ).take
    return lambda events, index: take(events, index, *tracker.taken) if conversations.frozen is packed else index


def agent_intake(tracker: AgentTracker, quarantine: Quarantine, names: Names) -> Callable[[list[Any], int], int] | None:
    """Return the same for agent events."""
    if compiled is None:
        return None
    take = compiled.AgentIntake(
        **_common(tracker, quarantine, names),
        kinds={kind: (kind.person_id, make, FIELDS.get(kind), False) for kind, make in tracker.makers.items()},  # type: ignore[attr-defined]
        agents=tracker.agents,
        journals=frozenset(),
        take=tracker.take,
        own=tracker.targets.persons.own,
        types=(structs.Event, Agent),
    ).take
    return lambda events, index: take(events, index, tracker.booked_to)


def _contact_kinds() -> dict[type, tuple[Any, Callable[[Any], Any] | None, Any, bool]]:
    """Return by type: slot of the conversation's id, function of its fact, fields with limited names, whether it may exclude.

    An event that may exclude its conversation is usual only as the first one.
    """
    kinds = [kind for kind in get_args(structs.ContactEvent) if hasattr(kind, "conversation_id") and kind is not structs.ContactExcluded]
    return {kind: (kind.conversation_id, FACT_OF.get(kind), FIELDS.get(kind), kind is structs.ContactArrived) for kind in kinds}


def _common(tracker: ContactTracker | AgentTracker, quarantine: Quarantine, names: Names) -> dict[str, Any]:
    return {
        "sources": tracker.watermark.sources,
        "suffixes": tracker.spaces,
        "quarantined": quarantine.quarantined,
        "watched": quarantine.watched,
        "progress": tracker.watermark,
        "admit": names.admit,
        "admitted": {kind: configured for kind, configured in names.configured.items() if kind != "queue"},
        "late_ms": tracker.late_ms,
        "pane_ms": PANE_MS,
        "max_facts": MAX_FACTS,
        "max_events": tracker.held.max_events,
    }
