"""Before the queues: busy lines, and a bot and a FAQ that serve many customers without a queue."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from streams.demo.simulator.arrivals import next_arrival_ms
from streams.demo.simulator.center import QUEUES, QueuePlan
from streams.demo.simulator.floor import Contact
from streams.demo.simulator.topics import topic_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from random import Random

    from streams.demo.simulator.chat import Chat
    from streams.demo.simulator.floor import Floor

__all__ = ["Front"]

#: Per hour at the busiest time, in the whole center.
_NOT_OFFERED_PER_HOUR: Final = 14
_BOT_PER_HOUR: Final = 36
_FAQ_PER_HOUR: Final = 48
#: How often each happens, of ten.
_REASONS: Final = {"busy": 4, "full": 3, "closed": 2, "blocked": 1}
_BOT_ENDS: Final = {"confirmed_solved": 4, "left": 4, "handed_over": 2}
_FAQ_ENDS: Final = {"confirmed_solved": 3, "left": 7}


class Front:
    """Contacts before the queues, with a separate random generator; only contacts that the bot hands over reach the floor."""

    def __init__(self, floor: Floor, chat: Chat, random: Random, prefix: str, opened_ms: int) -> None:
        self._floor = floor
        self._chat = chat
        self._random = random
        self._prefix = prefix
        self._opened_ms = opened_ms
        self._number = 0
        arrivals: tuple[tuple[float, Callable[[], None]], ...] = (
            (_NOT_OFFERED_PER_HOUR, self._reject_call),
            (_BOT_PER_HOUR, self._ask_bot),
            (_FAQ_PER_HOUR, self._read_faq),
        )
        for per_hour, handler in arrivals:
            self._plan(per_hour, handler)

    def _plan(self, per_hour: float, handler: Callable[[], None]) -> None:
        at_ms = next_arrival_ms(self._floor.agenda.now_ms, self._opened_ms, per_hour, self._random)
        self._floor.agenda.at(at_ms, self._arrive_and_plan, per_hour, handler)

    def _arrive_and_plan(self, per_hour: float, handler: Callable[[], None]) -> None:
        self._plan(per_hour, handler)
        handler()

    def _contact(self, channel: str, name: str) -> Contact:
        """Return a new conversation for one of the queues of a channel."""
        self._number += 1
        queues: list[QueuePlan] = [queue for queue in QUEUES.values() if queue.channel == channel]
        return Contact(f"{name}-{self._prefix}-{self._number}", self._random.choice(queues))

    def _arrive(self, contact: Contact) -> None:
        fields = {"channel": contact.channel, "direction": "inbound", "entry_point": contact.queue.entry_point, "initiated_by": "customer"}
        self._floor.emit(contact, "contact.arrived", fields)

    def _one_of(self, weights: dict[str, int]) -> str:
        return self._random.choices(list(weights), list(weights.values()))[0]

    def _reject_call(self) -> None:
        contact = self._contact("voice", "kept-out")
        self._arrive(contact)
        self._floor.emit(contact, "contact.not_offered", {"reason": self._one_of(_REASONS)})
        self._floor.emit(contact, "contact.ended", {"by": "system"})

    def _ask_bot(self) -> None:
        contact = self._contact("chat", "bot")
        self._arrive(contact)
        self._begin(contact, "bot")
        self._floor.agenda.after(self._random.uniform(15, 120), self._leave_bot, contact, self._one_of(_BOT_ENDS))

    def _leave_bot(self, contact: Contact, outcome: str) -> None:
        self._floor.emit(contact, "self_service.ended", {"kind": "bot", "outcome": outcome})
        if outcome == "handed_over":
            self._floor.emit(contact, "contact.handed_over", {"bot": "Hana", "queue": contact.queue.name})
            self._chat.arrive(contact)
        else:
            self._floor.emit(contact, "contact.ended", {"by": "customer"})

    def _read_faq(self) -> None:
        contact = self._contact("chat", "faq")
        self._begin(contact, "faq")
        ended = {"kind": "faq", "outcome": self._one_of(_FAQ_ENDS)}
        self._floor.agenda.after(self._random.uniform(8, 90), self._floor.emit, contact, "self_service.ended", ended)

    def _begin(self, contact: Contact, kind: str) -> None:
        self._floor.emit(contact, "self_service.started", {"kind": kind, "category": topic_of(contact.queue.name, self._random)})
