"""Explain the events of one conversation: which counted nothing, and why."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from schemas.times import format_ms
from streams.explaining.question import QuestionError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from streams.explaining.log import PartitionLog

__all__ = ["explain_conversation"]


def explain_conversation(conversation: str, logs: Mapping[int, PartitionLog], *, limit: int = 20) -> dict[str, Any]:
    """Return, for JSON, how many events of the watched conversation were read, and at most ``limit`` that counted nothing.

    Raises:
        QuestionError: there are none.
    """
    events = [(partition, event) for partition, log in logs.items() for event in log.watched_events()]
    if not events:
        raise QuestionError(
            f"no event of a conversation {conversation!r} was read; --look-back reads more of Kafka, a figure needs QUEUE and KPI"
        )
    nothing = [(partition, event) for partition, event in events if event.reason is not None]
    return {
        "conversation": conversation,
        "events": len(events),
        "counted_nothing": len(nothing),
        "listed": [
            {
                "event_id": event.event_id,
                "type": event.type,
                "occurred_at": format_ms(event.occurred_ms),
                "source": event.source,
                "partition": partition,
                "offset": event.offset,
                "reason": event.reason,
            }
            for partition, event in sorted(nothing, key=lambda pair: (pair[1].occurred_ms, pair[0], pair[1].offset))[:limit]
        ],
        "not_listed": max(0, len(nothing) - limit),
    }
