"""The course of a mail: receipt, sorting, queue, touch time, the reply that counts as the answer; some are reopened."""

from __future__ import annotations

from math import log
from typing import TYPE_CHECKING, Final

from streams.demo.simulator.shifts import SHIFTS

if TYPE_CHECKING:
    from random import Random

    from streams.demo.simulator.floor import Contact, Floor, Person
    from streams.demo.simulator.topics import Topics

__all__ = ["Mail"]

_SPAM: Final = 0.03
_REOPENED: Final = 0.05
_MOST_LEGS: Final = 3
_THANKS: Final = 0.2
#: The share that is sorted by hand: until then they are in no queue.
_SORTED: Final = 0.1
#: The share with replies of two agents who have the same mail open.
_TWICE: Final = 0.03


class Mail:
    """Mails from their arrival to the resolution, and again when the customer writes back."""

    def __init__(self, floor: Floor, topics: Topics, random: Random) -> None:
        self._floor = floor
        self._topics = topics
        self._agenda = floor.agenda
        self._random = floor.random
        #: A separate random generator for texts: it must not affect durations.
        self._text_random = random

    def arrive(self, contact: Contact) -> None:
        """Put a new mail into its queue and send the receipt."""
        self._write(contact)
        if self._text_random.random() < _SORTED:
            self._agenda.after(self._text_random.uniform(60, 600), self._floor.enter, contact, contact.queue)
        else:
            self._floor.enter(contact, contact.queue)
        self._floor.emit(contact, "contact.message", {"author_kind": "system", "public": True, "automatic": True})
        if self._random.random() < _SPAM:
            # The filter is quick: a mail excluded much later would change final figures.
            self._agenda.after(self._random.uniform(2, 20), self._exclude, contact)

    def offer(self, contact: Contact, person: Person) -> None:
        """Assign the mail to an agent, who works on it."""
        contact.state = "with_agent"
        contact.person = person
        contact.step += 1
        self._floor.emit(contact, "contact.assigned", {"agent": person.person_id})
        self._floor.emit(contact, "contact.work_started", {"agent": person.person_id})
        self._floor.occupy(person, contact, "handling")
        touch = min(self._random.lognormvariate(log(contact.queue.handling_seconds), contact.queue.handling_spread), 900)
        self._agenda.after(touch, self._reply, contact, person)

    def _write(self, contact: Contact) -> None:
        thanks = self._text_random.random() < _THANKS
        self._floor.emit(contact, "contact.message", {"author_kind": "customer", "public": True, "automatic": False, "thanks": thanks})

    def _answer(self, contact: Contact, agent: str) -> None:
        self._floor.emit(contact, "contact.message", {"author_kind": "agent", "agent": agent, "public": True, "automatic": False})

    def _exclude(self, contact: Contact) -> None:
        if contact.state != "waiting":
            return
        self._floor.leave(contact)
        contact.state = "gone"
        self._floor.emit(contact, "contact.excluded", {"reason": "spam"})
        self._floor.emit(contact, "contact.ended", {"by": "system", "reason": "spam"})

    def _reply(self, contact: Contact, person: Person) -> None:
        self._answer(contact, person.person_id)
        if self._text_random.random() < _TWICE:
            colleague = f"agent-{person.team.prefix + person.number % len(SHIFTS) + 1}"
            self._agenda.after(self._text_random.uniform(5, 120), self._answer, contact, colleague)
        self._floor.emit(contact, "contact.work_ended", {"agent": person.person_id})
        self._topics.name(contact, resolved=True)
        self._floor.emit(contact, "contact.status_changed", {"status": "resolved"})
        contact.state = "gone"
        contact.person = None
        contact.legs += 1
        if contact.legs < _MOST_LEGS and self._random.random() < _REOPENED:
            self._agenda.after(self._random.uniform(900, 2_700), self._reopen, contact)
        self._floor.release(person, contact)

    def _reopen(self, contact: Contact) -> None:
        self._write(contact)
        self._floor.emit(contact, "contact.status_changed", {"status": "reopened"})
        self._floor.enter(contact, contact.queue)
