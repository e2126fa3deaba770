"""The course of a call: menu, queue, ringing, talk with hold, transfer, wrap-up; or the customer's patience ends first."""

from __future__ import annotations

from math import log
from typing import TYPE_CHECKING, Final

from streams.demo.simulator.center import QUEUES, QueuePlan

if TYPE_CHECKING:
    from streams.demo.simulator.afterwards import Afterwards
    from streams.demo.simulator.floor import Contact, Floor, Person
    from streams.demo.simulator.topics import Topics

__all__ = ["Voice"]

_MENU_ENDED: Final = 0.02
_NOT_ANSWERED: Final = 0.015
_RING_LIMIT_SECONDS: Final = 15.0
_NOT_RESPONDING_MS: Final = 30_000
_OVERFLOW_AGAIN_SECONDS: Final = 20.0
_SHORT: Final = 0.02
_HELD: Final = 0.2
_TRANSFERRED: Final = 0.05
_ENDED_BY_CUSTOMER: Final = 0.7
_MOST_LEGS: Final = 3


class Voice:
    """Calls from the menu to the end of the wrap-up."""

    def __init__(self, floor: Floor, afterwards: Afterwards, topics: Topics) -> None:
        self._floor = floor
        self._topics = topics
        self._afterwards = afterwards
        self._agenda = floor.agenda
        self._random = floor.random

    def arrive(self, contact: Contact) -> None:
        """Start a call in the menu."""
        if self._random.random() < _MENU_ENDED:
            self._agenda.after(self._random.uniform(2, 12), self._end_in_menu, contact)
        else:
            self._agenda.after(self._random.uniform(4, 14), self._enter, contact, contact.queue)

    def offer(self, contact: Contact, person: Person) -> None:
        """Let the call ring at an agent."""
        contact.state = "ringing"
        contact.person = person
        contact.step += 1
        self._floor.emit(contact, "contact.agent_offered", {"agent": person.person_id, "queue": contact.queue.name})
        self._floor.occupy(person, contact, "ringing")
        if self._random.random() < _NOT_ANSWERED:
            self._agenda.after(_RING_LIMIT_SECONDS, self._not_answered, contact, person, contact.step)
        else:
            self._agenda.after(self._random.uniform(1.2, 4.5), self._answer, contact, person, contact.step, self._agenda.now_ms)

    def _end_in_menu(self, contact: Contact) -> None:
        self._floor.emit(contact, "contact.not_offered", {"reason": "menu_ended"})
        self._floor.emit(contact, "contact.ended", {"by": "customer"})
        contact.state = "gone"

    def _enter(self, contact: Contact, queue: QueuePlan) -> None:
        self._floor.enter(contact, queue)
        patience = queue.patience_seconds
        if patience is not None:
            # A Weibull shape above 1: few customers abandon in the first seconds, most around the mean.
            self._agenda.after(self._random.weibullvariate(patience * 1.1, 1.4), self._abandon, contact, contact.legs)
        if queue.overflow_to is not None:
            self._agenda.after(queue.overflow_seconds, self._overflow, contact, queue, contact.legs)
        if queue.timeout_seconds is not None:
            self._agenda.after(queue.timeout_seconds, self._time_out, contact, contact.legs)

    def _abandon(self, contact: Contact, legs: int) -> None:
        if contact.legs != legs or contact.state not in {"waiting", "ringing"}:
            return
        rung = contact.person
        if rung is not None:
            self._floor.emit(contact, "contact.offer_ended", {"agent": rung.person_id, "queue": contact.queue.name, "outcome": "withdrawn"})
        self._floor.leave(contact)
        contact.state = "gone"
        wants_callback = rung is None and self._afterwards.wants_callback()
        reason = "callback" if wants_callback else "abandoned"
        self._floor.emit(contact, "contact.left_queue", {"queue": contact.queue.name, "reason": reason})
        if wants_callback:
            self._afterwards.call_back(contact)
        self._floor.emit(contact, "contact.ended", {"by": "customer"})
        if rung is not None:
            self._floor.release(rung, contact)

    def _overflow(self, contact: Contact, queue: QueuePlan, legs: int) -> None:
        if contact.legs != legs or contact.state != "waiting" or contact.queue is not queue or queue.overflow_to is None:
            return
        if self._floor.waiting(queue.overflow_to) > self._floor.waiting(queue.name) or self._floor.neglected(queue.name):
            # The other queue is longer, or this one is served next.
            self._agenda.after(_OVERFLOW_AGAIN_SECONDS, self._overflow, contact, queue, legs)
            return
        self._floor.leave(contact)
        self._floor.emit(contact, "contact.left_queue", {"queue": queue.name, "reason": "overflow"})
        self._floor.enter(contact, QUEUES[queue.overflow_to])

    def _time_out(self, contact: Contact, legs: int) -> None:
        if contact.legs != legs or contact.state != "waiting":
            return
        self._floor.leave(contact)
        contact.state = "gone"
        self._floor.emit(contact, "contact.left_queue", {"queue": contact.queue.name, "reason": "timeout"})
        self._floor.emit(contact, "contact.ended", {"by": "system", "reason": "queue_timeout"})

    def _not_answered(self, contact: Contact, person: Person, step: int) -> None:
        if contact.step != step:
            return
        fields = {"agent": person.person_id, "queue": contact.queue.name, "outcome": "no_answer", "ring_seconds": _RING_LIMIT_SECONDS}
        self._floor.emit(contact, "contact.offer_ended", fields)
        contact.person = None
        self._floor.absent_for(person, "not_responding", _NOT_RESPONDING_MS)
        self._floor.release(person, contact)
        self._floor.return_to_queue(contact)

    def _answer(self, contact: Contact, person: Person, step: int, offered_ms: int) -> None:
        if contact.step != step:
            return
        random, queue = self._random, contact.queue
        rung = (self._agenda.now_ms - offered_ms) / 1000
        self._floor.emit(
            contact, "contact.offer_ended", {"agent": person.person_id, "queue": queue.name, "outcome": "accepted", "ring_seconds": rung}
        )
        self._floor.emit(contact, "contact.answered", {"agent": person.person_id, "queue": queue.name, "reports": ["hold", "wrap_up"]})
        contact.state = "with_agent"
        contact.step += 1
        contact.legs += 1
        self._floor.occupy(person, contact, "handling")
        if random.random() < _SHORT:
            self._agenda.after(random.uniform(2, 8), self._end, contact, person)
            return
        talk = min(random.lognormvariate(log(queue.handling_seconds), queue.handling_spread), 1_500)
        if random.random() < _HELD:
            begin, hold = talk * random.uniform(0.2, 0.7), random.uniform(8, 50)
            self._agenda.after(begin, self._floor.emit, contact, "contact.held", {"agent": person.person_id})
            self._agenda.after(begin + hold, self._floor.emit, contact, "contact.resumed", {"agent": person.person_id})
            talk += hold
        transferred = queue.transfer_to is not None and contact.legs < _MOST_LEGS and random.random() < _TRANSFERRED
        self._agenda.after(talk, self._transfer if transferred else self._end, contact, person)

    def _transfer(self, contact: Contact, person: Person) -> None:
        queue = contact.queue
        contact.person = None
        self._floor.emit(contact, "contact.transferred", {"kind": "queue", "from_queue": queue.name, "to_queue": queue.transfer_to})
        # The agent wraps up while the customer already waits in the other queue.
        self._enter(contact, QUEUES[queue.transfer_to or queue.name])
        self._wrap_up(contact, person, queue)

    def _end(self, contact: Contact, person: Person) -> None:
        contact.person = None
        contact.state = "gone"
        by = "customer" if self._random.random() < _ENDED_BY_CUSTOMER else "agent"
        self._floor.emit(contact, "contact.ended", {"by": by})
        self._topics.name(contact)
        self._afterwards.survey(contact)
        self._wrap_up(contact, person, contact.queue)

    def _wrap_up(self, contact: Contact, person: Person, queue: QueuePlan) -> None:
        self._floor.emit(contact, "contact.wrap_up_started", {"agent": person.person_id})
        self._floor.occupy(person, contact, "wrap_up")
        wrap_up = min(self._random.lognormvariate(log(queue.wrap_up_seconds), 0.5), 180)
        self._agenda.after(wrap_up, self._wrapped_up, contact, person)

    def _wrapped_up(self, contact: Contact, person: Person) -> None:
        self._floor.emit(contact, "contact.wrapped_up", {"agent": person.person_id})
        self._floor.release(person, contact)
