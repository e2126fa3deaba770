"""Rows of a conversation: its facts and other state, and the formats of older versions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

import msgspec

from streams.tracking.facts import (
    Answered,
    AnyFact,
    Arrived,
    CallbackAttempted,
    CallbackEnded,
    CallbackRequested,
    Categorized,
    Ended,
    Escalated,
    Excluded,
    HandedOver,
    Held,
    LeftQueue,
    Message,
    Missing,
    NotOffered,
    OfferEnded,
    Queued,
    Resumed,
    SelfServiceEnded,
    SelfServiceStarted,
    StatusChanged,
    SurveyAnswered,
    SurveyInvited,
    Transferred,
    WorkEnded,
    WorkStarted,
    WrappedUp,
    WrapUpStarted,
)
from streams.tracking.unread import Head

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from streams.tracking.state import Conversation

__all__ = ["ROW_FACTS", "ConversationRow", "changed_rows", "read_head", "read_row", "read_rows", "row_of", "row_of_parts", "rows_of"]

#: Facts in a row: an open conversation rewrites only its last row.
ROW_FACTS = 16


class ConversationRow(msgspec.Struct, omit_defaults=True, gc=False):
    """Facts in order, with revisions above 0; ``source`` and ``contact`` of the last one; ``counted_anew``: facts recounted.

    ``withdrawn``: revision and instant of events that count nothing.
    Only the last row of a conversation has the fields beside facts and revisions. Older rows have all facts in one, and no head.
    """

    facts: list[AnyFact]
    source: str | None = None
    contact: str | None = None
    counted_anew: int | None = None
    revisions: dict[str, int] | None = None
    withdrawn: dict[str, tuple[int, int]] | None = None
    head: Head | None = None


class _Headed(msgspec.Struct, gc=False):
    source: str | None = None
    head: Head | None = None


#: Return source and head of a row; older rows lack the head.
read_head = msgspec.json.Decoder(_Headed).decode


def row_of(conversation: Conversation, head: Head | None = None) -> ConversationRow:
    """Return a folded conversation as one row."""
    return _row(conversation, conversation.facts, head)


def rows_of(conversation: Conversation, head: Head) -> list[ConversationRow] | None:
    """Return all rows of a conversation that is completely written or not at all; None if its rows are divided otherwise."""
    facts, number = conversation.facts, conversation.row_count
    if number <= 1:
        return [_row(conversation, facts, head)]
    if number != max(0, len(facts) - 1) // ROW_FACTS + 1:
        return None
    parts = [facts[begin : begin + ROW_FACTS] for begin in range(0, len(facts), ROW_FACTS)]
    return [_row(conversation, part, head if place == number else None) for place, part in enumerate(parts, 1)]


def changed_rows(conversation: Conversation, head: Head | None = None) -> list[tuple[int, ConversationRow | None]]:
    """Return number and content of the rows to write for a folded conversation; None: delete the row."""
    facts = conversation.state.facts
    length = len(facts)
    if length <= ROW_FACTS and conversation.row_count <= 1:
        conversation.written, conversation.row_count = length, 1
        if conversation.revised is None and conversation.disorder is None:  # the usual case, without another call
            return [(0, ConversationRow(facts, conversation.source, conversation.contact, None, None, None, head))]
        return [(0, _row(conversation, facts, head))]
    last = max(0, length - 1) // ROW_FACTS
    rows: list[tuple[int, ConversationRow | None]] = [
        (
            number,
            _row(
                conversation,
                facts if last == 0 else facts[number * ROW_FACTS : (number + 1) * ROW_FACTS],
                head if number == last else None,
            ),
        )
        for number in range(min(conversation.written // ROW_FACTS, last), last + 1)
    ]
    rows += ((number, None) for number in range(last + 1, conversation.row_count))
    conversation.written, conversation.row_count = length, last + 1
    return rows


def row_of_parts(parts: Mapping[int, ConversationRow]) -> ConversationRow:
    """Return numbered rows of a conversation as one."""
    last = parts[max(parts)]
    facts = [fact for _, part in sorted(parts.items()) for fact in part.facts]
    revisions = {event_id: revision for part in parts.values() for event_id, revision in (part.revisions or {}).items()}
    return ConversationRow(facts, last.source, last.contact, last.counted_anew, revisions or None, last.withdrawn, last.head)


def _row(conversation: Conversation, facts: list[AnyFact], head: Head | None) -> ConversationRow:
    disorder = conversation.disorder
    counted_anew = None if disorder is None else disorder.counted_anew
    if conversation.revised is None:
        return ConversationRow(facts, conversation.source, conversation.contact, counted_anew, None, None, head)
    known, withdrawn = conversation.revised.facts, conversation.revised.withdrawn
    revisions = {fact.event_id: known[fact.event_id] for fact in facts if fact.event_id in known}
    return ConversationRow(facts, conversation.source, conversation.contact, counted_anew, revisions or None, withdrawn or None, head)


_decode = msgspec.json.Decoder(ConversationRow).decode


def read_row(value: bytes) -> ConversationRow:
    """Return a row of this version or of the one before, which is a list."""
    return _decode(value) if value[:1] == b"{" else _of_list(msgspec.json.decode(value))


def read_rows(values: Sequence[bytes]) -> ConversationRow:
    """Return ordered rows of a conversation as one."""
    if len(values) == 1:
        return read_row(values[0])
    return row_of_parts(dict(enumerate(map(read_row, values))))


_Common: TypeAlias = tuple[int, int, str, None]

#: Parts of a fact in the older format; the list's last entry has fewer and is no fact.
_FACT_PARTS = 8


def _of_list(parts: list[Any]) -> ConversationRow:
    source, contact, *recounted = parts.pop() if parts and len(parts[-1]) < _FACT_PARTS else (None, None)
    return ConversationRow([_fact(*part) for part in parts], source, contact, recounted[0] if recounted else None)


def _fact(at: int, sequence: int, kind: int, event_id: str, a: Any, b: Any, c: Any, d: Any) -> AnyFact:
    return _OLD[kind]((at, sequence, event_id, None), a, b, c, d)


def _arrived(common: _Common, channel: Any, direction: Any, began: Any, site: Any) -> Arrived:
    initiated_by, customer_key = began if isinstance(began, list) else (began, None)
    return Arrived(*common, channel, direction, initiated_by, customer_key, site)


_OLD: dict[int, Callable[[_Common, Any, Any, Any, Any], AnyFact]] = {
    -2: lambda common, channel, category, site, _: SelfServiceStarted(*common, channel, category, site),
    -1: lambda common, outcome, category, _, __: SelfServiceEnded(*common, outcome, category),
    0: _arrived,
    # In the older format names of queue and agent did not select the visit or leg.
    1: lambda common, reason, queue, wait_ms, _: LeftQueue(*common, reason, queue, wait_ms, named=False),
    2: lambda common, _, __, ___, ____: Transferred(*common),
    3: lambda common, queue, channel, category, _: Queued(*common, queue, channel, category),
    5: lambda common, _, queue, __, ___: OfferEnded(*common, queue),
    6: lambda common, agent, queue, wait_ms, known: Answered(*common, agent, queue, wait_ms, hold_known=bool(known), named=False),
    7: lambda common, agent, _, __, ___: WorkStarted(*common, agent),
    8: lambda common, _, __, ___, ____: Held(*common),
    9: lambda common, _, __, ___, ____: Resumed(*common),
    10: lambda common, agent, author, thanks, _: Message(*common, agent, author == "customer", thanks),
    11: lambda common, agent, _, __, ___: WorkEnded(*common, agent),
    12: lambda common, status, waiting_on, _, __: StatusChanged(*common, status, waiting_on),
    13: lambda common, by, _, __, ___: Ended(*common, by),
    14: lambda common, agent, _, __, ___: WrapUpStarted(*common, agent),
    15: lambda common, agent, wrap_ms, _, __: WrappedUp(*common, agent, wrap_ms),
    16: lambda common, reason, site, _, __: Excluded(*common, reason, site),
    17: lambda common, _, __, ___, ____: Escalated(*common),
    18: lambda common, due, _, __, ___: CallbackRequested(*common, due),
    19: lambda common, due, outcome, _, __: CallbackAttempted(*common, due, outcome),
    20: lambda common, _, outcome, __, ___: CallbackEnded(*common, outcome),
    21: lambda common, _, __, ___, ____: SurveyInvited(*common),
    22: lambda common, survey, score, _, __: SurveyAnswered(*common, survey, score or 0.0),
    23: lambda common, _, __, ___, ____: Missing(*common),
    40: lambda common, reason, site, _, __: NotOffered(*common, reason, site),
    41: lambda common, category, complaint, _, __: Categorized(*common, category, complaint),
    42: lambda common, _, __, ___, ____: HandedOver(*common),
}
