"""What became of the events of one conversation: which counted nothing, and why."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from schemas.times import format_ms
from streams.explaining.question import QuestionError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from streams.explaining.log import PartitionLog

__all__ = ["explain_conversation"]


def explain_conversation(conversation: str, logs: Mapping[int, PartitionLog], *, limit: int = 20) -> dict[str, Any]:
    """Return, as JSON has it, the number of events of a conversation that the logs watched, and at most ``limit`` that counted nothing.

    Raises:
        QuestionError: there are none.
    """
    told = [(partition, each) for partition, log in logs.items() for each in log.told()]
    if not told:
        raise QuestionError(
            f"no event of a conversation {conversation!r} was read; --look-back reads more of Kafka, a figure needs QUEUE and KPI"
        )
    nothing = [(partition, each) for partition, each in told if each.reason is not None]
    return {
        "conversation": conversation,
        "events": len(told),
        "counted_nothing": len(nothing),
        "listed": [
            {
                "event_id": each.event_id,
                "type": each.type,
                "occurred_at": format_ms(each.occurred_ms),
                "source": each.source,
                "partition": partition,
                "offset": each.offset,
                "reason": each.reason,
            }
            for partition, each in sorted(nothing, key=lambda found: (found[1].occurred_ms, found[0], found[1].offset))[:limit]
        ],
        "not_listed": max(0, len(nothing) - limit),
    }
