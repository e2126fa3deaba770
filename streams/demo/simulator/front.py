"""Before the queues: lines that are busy, and a bot and a FAQ that spare many a customer the queue."""

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
_KEPT_OUT_PER_HOUR: Final = 14
_BOT_PER_HOUR: Final = 36
_FAQ_PER_HOUR: Final = 48
#: How often each happens, of ten.
_REASONS: Final = {"busy": 4, "full": 3, "closed": 2, "blocked": 1}
_BOT_ENDS: Final = {"confirmed_solved": 4, "left": 4, "handed_over": 2}
_FAQ_ENDS: Final = {"confirmed_solved": 3, "left": 7}


class Front:
    """Who comes to the front door, with dice of its own; only those whom the bot hands over come to the floor."""

    def __init__(self, floor: Floor, chat: Chat, random: Random, prefix: str, opened_ms: int) -> None:
        self._floor = floor
        self._chat = chat
        self._random = random
        self._prefix = prefix
        self._opened_ms = opened_ms
        self._number = 0
        comers: tuple[tuple[float, Callable[[], None]], ...] = (
            (_KEPT_OUT_PER_HOUR, self._keep_out),
            (_BOT_PER_HOUR, self._ask_bot),
            (_FAQ_PER_HOUR, self._read_faq),
        )
        for per_hour, come in comers:
            self._plan(per_hour, come)

    def _plan(self, per_hour: float, come: Callable[[], None]) -> None:
        at_ms = next_arrival_ms(self._floor.agenda.now_ms, self._opened_ms, per_hour, self._random)
        self._floor.agenda.at(at_ms, self._come, per_hour, come)

    def _come(self, per_hour: float, come: Callable[[], None]) -> None:
        self._plan(per_hour, come)
        come()

    def _contact(self, channel: str, name: str) -> Contact:
        """Return a new conversation that would go to one of the queues of a channel."""
        self._number += 1
        queues: list[QueuePlan] = [queue for queue in QUEUES.values() if queue.channel == channel]
        return Contact(f"{name}-{self._prefix}-{self._number}", self._random.choice(queues))

    def _arrive(self, contact: Contact) -> None:
        fields = {"channel": contact.channel, "direction": "inbound", "entry_point": contact.queue.entry_point, "initiated_by": "customer"}
        self._floor.tell(contact, "contact.arrived", fields)

    def _one_of(self, weights: dict[str, int]) -> str:
        return self._random.choices(list(weights), list(weights.values()))[0]

    def _keep_out(self) -> None:
        contact = self._contact("voice", "kept-out")
        self._arrive(contact)
        self._floor.tell(contact, "contact.not_offered", {"reason": self._one_of(_REASONS)})
        self._floor.tell(contact, "contact.ended", {"by": "system"})

    def _ask_bot(self) -> None:
        contact = self._contact("chat", "bot")
        self._arrive(contact)
        self._begin(contact, "bot")
        self._floor.agenda.after(self._random.uniform(15, 120), self._leave_bot, contact, self._one_of(_BOT_ENDS))

    def _leave_bot(self, contact: Contact, outcome: str) -> None:
        self._floor.tell(contact, "self_service.ended", {"kind": "bot", "outcome": outcome})
        if outcome == "handed_over":
            self._floor.tell(contact, "contact.handed_over", {"bot": "Hana", "queue": contact.queue.name})
            self._chat.arrive(contact)
        else:
            self._floor.tell(contact, "contact.ended", {"by": "customer"})

    def _read_faq(self) -> None:
        contact = self._contact("chat", "faq")
        self._begin(contact, "faq")
        ended = {"kind": "faq", "outcome": self._one_of(_FAQ_ENDS)}
        self._floor.agenda.after(self._random.uniform(8, 90), self._floor.tell, contact, "self_service.ended", ended)

    def _begin(self, contact: Contact, kind: str) -> None:
        self._floor.tell(contact, "self_service.started", {"kind": kind, "category": topic_of(contact.queue.name, self._random)})
