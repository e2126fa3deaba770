"""The calls of the day before, around this time of day: the forecast of the next hours is their volume at today's level.

They have only the events that the forecast and the day of a queue need, so that the demo catches up soon.
"""

from __future__ import annotations

from math import log
from random import Random
from typing import TYPE_CHECKING, Any, Final

from streams.demo.simulator.arrivals import next_arrival_ms
from streams.demo.simulator.center import QUEUES, QueuePlan
from streams.demo.simulator.emission import Outbox
from streams.demo.simulator.shifts import DAY_MS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from streams.demo.simulator.emission import Emission

__all__ = ["calls_of_the_day_before"]

_HOUR_MS: Final = 3_600_000
#: Today's level is that of the last two hours; the forecast covers two hours, and a demo about two hours.
_BEFORE_MS, _AFTER_MS = 2 * _HOUR_MS, 4 * _HOUR_MS
_SOURCE: Final = "sim-telephony"
#: The shares of calls that are answered at once or abandoned; the others wait longer.
_AT_ONCE, _GAVE_UP = 0.84, 0.05


def calls_of_the_day_before(seed: int, opened_ms: int, now_ms: int) -> Iterator[Emission]:
    """Yield the events in the order of publishing; all precede the opening of the center."""
    begin, end = now_ms - DAY_MS - _BEFORE_MS, min(now_ms - DAY_MS + _AFTER_MS, opened_ms - _HOUR_MS)
    name = f"{seed}-{opened_ms // 1000:x}-before"
    steps: list[tuple[int, int, str, dict[str, Any]]] = []
    for queue in QUEUES.values():
        if queue.channel != "voice":
            continue
        random, at_ms = Random(f"{seed} {queue.name} day before"), begin
        while (at_ms := next_arrival_ms(at_ms, opened_ms - DAY_MS, queue.peak_per_hour, random)) < end:
            conversation = f"voice-{name}-{len(steps)}"
            for step_ms, kind, fields in _steps(queue, at_ms, random):
                steps.append(
                    (step_ms, len(steps), conversation, {"type": kind, "conversation_id": conversation, "site": queue.site, **fields})
                )
    outbox = Outbox(name, Random(f"{seed} day before"))
    for step_ms, _, conversation, event in sorted(steps):
        yield from outbox.before(step_ms)
        outbox.put(_SOURCE, "contact-events", conversation, step_ms, event)
    yield from outbox.before(opened_ms)


def _steps(queue: QueuePlan, at_ms: int, random: Random) -> Iterator[tuple[int, str, dict[str, Any]]]:
    yield at_ms, "contact.arrived", {"channel": "voice", "direction": "inbound", "initiated_by": "customer"}
    yield at_ms + 1, "contact.queued", {"queue": queue.name, "channel": "voice"}
    draw = random.random()
    if draw < _GAVE_UP:
        left_ms = at_ms + int(random.uniform(15, 90) * 1000)
        yield left_ms, "contact.left_queue", {"queue": queue.name, "reason": "abandoned"}
        yield left_ms + 1, "contact.ended", {"by": "customer"}
        return
    answered_ms = at_ms + int(random.uniform(*((2, 18) if draw < _AT_ONCE + _GAVE_UP else (21, 80))) * 1000)
    yield answered_ms, "contact.answered", {"queue": queue.name}
    talk = min(random.lognormvariate(log(queue.handling_seconds), queue.handling_spread), 1_500)
    yield answered_ms + int(talk * 1000), "contact.ended", {"by": "customer"}
