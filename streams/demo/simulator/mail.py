"""The life of a mail: receipt, queue, work with its touch time, the reply that counts as the answer; some come back."""

from __future__ import annotations

from math import log
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from streams.demo.simulator.floor import Contact, Floor, Person
    from streams.demo.simulator.topics import Topics

__all__ = ["Mail"]

_SPAM: Final = 0.03
_REOPENED: Final = 0.05
_MOST_LEGS: Final = 3


class Mail:
    """Mails from their arrival to the resolution, and again when the customer writes back."""

    def __init__(self, floor: Floor, topics: Topics) -> None:
        self._floor = floor
        self._topics = topics
        self._agenda = floor.agenda
        self._random = floor.random

    def arrive(self, contact: Contact) -> None:
        """Put a new mail into its queue and send the receipt."""
        self._floor.tell(contact, "contact.message", {"author_kind": "customer", "public": True, "automatic": False})
        self._floor.enter(contact, contact.queue)
        self._floor.tell(contact, "contact.message", {"author_kind": "system", "public": True, "automatic": True})
        if self._random.random() < _SPAM:
            # The filter is quick: taken back much later, a mail would meet figures that are frozen.
            self._agenda.after(self._random.uniform(2, 20), self._exclude, contact)

    def offer(self, contact: Contact, person: Person) -> None:
        """Let a person take the mail and work on it."""
        contact.state = "with_agent"
        contact.person = person
        contact.step += 1
        self._floor.tell(contact, "contact.assigned", {"agent": person.person_id})
        self._floor.tell(contact, "contact.work_started", {"agent": person.person_id})
        self._floor.occupy(person, contact, "handling")
        touch = min(self._random.lognormvariate(log(contact.queue.handling_seconds), contact.queue.handling_spread), 900)
        self._agenda.after(touch, self._reply, contact, person)

    def _exclude(self, contact: Contact) -> None:
        if contact.state != "waiting":
            return
        self._floor.leave(contact)
        contact.state = "gone"
        self._floor.tell(contact, "contact.excluded", {"reason": "spam"})
        self._floor.tell(contact, "contact.ended", {"by": "system", "reason": "spam"})

    def _reply(self, contact: Contact, person: Person) -> None:
        fields = {"author_kind": "agent", "public": True, "automatic": False}
        self._floor.tell(contact, "contact.message", fields)
        self._floor.tell(contact, "contact.work_ended", {"agent": person.person_id})
        self._topics.name(contact, settled=True)
        self._floor.tell(contact, "contact.status_changed", {"status": "resolved"})
        contact.state = "gone"
        contact.person = None
        contact.legs += 1
        if contact.legs < _MOST_LEGS and self._random.random() < _REOPENED:
            self._agenda.after(self._random.uniform(900, 2_700), self._reopen, contact)
        self._floor.release(person, contact)

    def _reopen(self, contact: Contact) -> None:
        self._floor.tell(contact, "contact.message", {"author_kind": "customer", "public": True, "automatic": False})
        self._floor.tell(contact, "contact.status_changed", {"status": "reopened"})
        self._floor.enter(contact, contact.queue)
