"""The course of a chat: queue, an agent who may have two others open, messages, wrap-up."""

from __future__ import annotations

from math import log
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from streams.demo.simulator.afterwards import Afterwards
    from streams.demo.simulator.floor import Contact, Floor, Person
    from streams.demo.simulator.topics import Topics

__all__ = ["Chat"]

_THANKS: Final = 0.35
_ENDED_BY_CUSTOMER: Final = 0.5
_MOST_EXCHANGES: Final = 4


class Chat:
    """Chats from the customer's first message to the end of the wrap-up."""

    def __init__(self, floor: Floor, afterwards: Afterwards, topics: Topics) -> None:
        self._floor = floor
        self._topics = topics
        self._afterwards = afterwards
        self._agenda = floor.agenda
        self._random = floor.random

    def arrive(self, contact: Contact) -> None:
        """Start a chat with the customer's first message, in its queue."""
        self._send_message(contact, "customer")
        self._floor.enter(contact, contact.queue)
        patience = contact.queue.patience_seconds
        if patience is not None:
            self._agenda.after(self._random.weibullvariate(patience * 1.1, 1.4), self._abandon, contact)

    def offer(self, contact: Contact, person: Person) -> None:
        """Offer the chat to an agent, who opens it some seconds later."""
        contact.state = "ringing"
        contact.person = person
        contact.step += 1
        self._floor.emit(contact, "contact.agent_offered", {"agent": person.person_id, "queue": contact.queue.name})
        self._floor.occupy(person, contact, "ringing")
        self._agenda.after(self._random.uniform(1.0, 6.0), self._answer, contact, person, contact.step)

    def _send_message(self, contact: Contact, author: str, *, thanks: bool = False) -> None:
        details = {"agent": contact.person.person_id} if author == "agent" and contact.person is not None else {"thanks": thanks}
        self._floor.emit(contact, "contact.message", {"author_kind": author, "public": True, "automatic": False, **details})

    def _send_thanks(self, contact: Contact, author: str) -> None:
        self._send_message(contact, author, thanks=True)

    def _abandon(self, contact: Contact) -> None:
        if contact.state != "waiting":
            return
        self._floor.leave(contact)
        contact.state = "gone"
        self._floor.emit(contact, "contact.left_queue", {"queue": contact.queue.name, "reason": "abandoned"})
        self._floor.emit(contact, "contact.ended", {"by": "customer"})

    def _answer(self, contact: Contact, person: Person, step: int) -> None:
        if contact.step != step:
            return
        random = self._random
        self._floor.emit(contact, "contact.offer_ended", {"agent": person.person_id, "queue": contact.queue.name, "outcome": "accepted"})
        self._floor.emit(contact, "contact.answered", {"agent": person.person_id, "queue": contact.queue.name, "reports": ["wrap_up"]})
        contact.state = "with_agent"
        contact.step += 1
        contact.legs += 1
        self._floor.occupy(person, contact, "handling")
        length = min(random.lognormvariate(log(contact.queue.handling_seconds), contact.queue.handling_spread), 1_800)
        exchanges = random.randint(1, _MOST_EXCHANGES)
        if exchanges == _MOST_EXCHANGES:
            # In a long chat the agent consults a colleague, before or during the last answer.
            for kind, at in (("contact.consult_started", 0.7), ("contact.consult_ended", 0.8)):
                self._agenda.after(length * at, self._floor.emit, contact, kind, {"agent": person.person_id})
        for number in range(exchanges):
            begin, pause = length * number / exchanges, length / exchanges
            self._agenda.after(begin + pause * random.uniform(0.1, 0.4), self._send_message, contact, "agent")
            thanks = number == exchanges - 1 and random.random() < _THANKS
            self._agenda.after(
                begin + pause * random.uniform(0.5, 0.9), self._send_thanks if thanks else self._send_message, contact, "customer"
            )
        self._agenda.after(length, self._end, contact, person)

    def _end(self, contact: Contact, person: Person) -> None:
        contact.state = "gone"
        contact.person = None
        self._floor.emit(contact, "contact.ended", {"by": "customer" if self._random.random() < _ENDED_BY_CUSTOMER else "agent"})
        self._topics.name(contact)
        self._afterwards.survey(contact)
        self._floor.emit(contact, "contact.wrap_up_started", {"agent": person.person_id})
        self._floor.occupy(person, contact, "wrap_up")
        wrap_up = min(self._random.lognormvariate(log(contact.queue.wrap_up_seconds), 0.4), 90)
        self._agenda.after(wrap_up, self._wrapped_up, contact, person)

    def _wrapped_up(self, contact: Contact, person: Person) -> None:
        self._floor.emit(contact, "contact.wrapped_up", {"agent": person.person_id})
        self._floor.release(person, contact)
