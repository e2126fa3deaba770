"""Asterisk's queue_log, one line per event; it has nothing before the queue, no hold and no wrap-up."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from streams.demo.formats.calls import Writer

if TYPE_CHECKING:
    from streams.demo.formats.calls import Call

__all__ = ["QueueLog"]

_LEFT: Final = {
    "abandoned": "ABANDON|1|1|{wait}",
    "timeout": "EXITWITHTIMEOUT|1|1|{wait}",
    "overflow": "EXITWITHTIMEOUT|1|1|{wait}",
    "callback": "EXITWITHKEY|1|1|1|{wait}",
}


class QueueLog(Writer):
    """One line of the log per event; times have a fraction, as in newer versions of Asterisk."""

    def messages(self, call: Call, kind: str, event: dict[str, Any], at_ms: int) -> list[bytes]:
        """See Writer."""
        if kind == "transferred":
            leg = call.leg
            answered = leg.answered_ms or at_ms
            times = f"{(answered - leg.queued_ms) // 1000}|{(at_ms - answered) // 1000}|1"
            return [_line(call, at_ms, leg.queue, leg.agent, f"BLINDTRANSFER|600|internal|{times}")]
        if kind == "queued":
            return [_line(call, at_ms, call.leg.queue, None, f"ENTERQUEUE||{call.number_of_customer or 'anonymous'}|1")]
        if not call.legs:
            return []
        leg = call.leg
        match kind:
            case "answered":
                wait, ring = (at_ms - leg.queued_ms) // 1000, (at_ms - leg.offered_ms) // 1000
                return [_line(call, at_ms, leg.queue, leg.agent, f"CONNECT|{wait}|x.{call.number}|{ring}")]
            case "offer_ended" if event["outcome"] == "no_answer":
                return [_line(call, at_ms, leg.queue, event["agent"], f"RINGNOANSWER|{at_ms - leg.offered_ms}")]
            case "offer_ended" if event["outcome"] == "withdrawn":
                return [_line(call, at_ms, leg.queue, event["agent"], f"RINGCANCELED|{at_ms - leg.offered_ms}")]
            case "left_queue":
                text = _LEFT[event["reason"]].format(wait=(at_ms - leg.queued_ms) // 1000)
                return [_line(call, at_ms, leg.queue, None, text)]
            case "ended" if leg.answered_ms is not None:
                who = "COMPLETECALLER" if event.get("by") == "customer" else "COMPLETEAGENT"
                times = f"{(leg.answered_ms - leg.queued_ms) // 1000}|{(at_ms - leg.answered_ms) // 1000}|1"
                return [_line(call, at_ms, leg.queue, leg.agent, f"{who}|{times}")]
            case _:
                return []


def _line(call: Call, at_ms: int, queue: str, agent: str | None, fields: str) -> bytes:
    channel = f"{call.arrived_ms // 1000}.{call.number}"
    return f"{at_ms // 1000}.{at_ms % 1000:03d}000|{channel}|{queue}|{agent or 'NONE'}|{fields}".encode()
