"""The floor: available agents, waiting contacts by queue, and how they are matched."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Literal, Protocol

from schemas.times import format_ms
from streams.demo.simulator.center import QUEUES, TEAMS, MediaChannel, QueuePlan, TeamPlan
from streams.demo.simulator.shifts import DAY_MS, SHIFTS, Pause, Shift

if TYPE_CHECKING:
    from random import Random

    from streams.demo.simulator.agenda import Agenda
    from streams.demo.simulator.emission import Outbox

__all__ = ["Contact", "Floor", "Flow", "Person", "Slot"]

#: An agent's activity for one contact.
Slot = Literal["ringing", "handling", "wrap_up"]

_CHAT_CAPACITY = 3
_BUSY_STATE: dict[MediaChannel, str] = {"voice": "talking", "chat": "chatting", "mail": "writing"}
#: Reports surveys of calls and chats under the ids of their own sources.
_SURVEYS: Final = "sim-survey"
_SOURCE: dict[MediaChannel, str] = {"voice": "sim-telephony", "chat": "sim-chat", "mail": "sim-mail"}
#: A contact of an agent's preferred queue precedes one of the next queue that has waited this much longer.
_PREFERENCE_MS = 25_000
#: A queue without service for this long goes first: at night there are two agents, and every queue needs figures.
_NEGLECTED_MS = 240_000
#: The share of breaks and meals that last longer than planned, and by how much; not in the hours with two agents.
_OVERSTAYED, _OVERSTAY_MS, _MANY_MS = 0.3, (8 * 60_000, 30 * 60_000), 8 * 3_600_000
#: A shift is planned this long before it begins.
_PLANNED_AHEAD_MS = 3_600_000


class Contact:
    """One conversation."""

    __slots__ = ("channel", "conversation_id", "legs", "person", "queue", "queued_ms", "sequence", "state", "step")

    def __init__(self, conversation_id: str, queue: QueuePlan) -> None:
        self.conversation_id = conversation_id
        self.channel: MediaChannel = queue.channel
        self.queue = queue
        #: The agent who is offered the contact or handles it.
        self.person: Person | None = None
        self.queued_ms = 0
        self.state: Literal["arriving", "waiting", "ringing", "with_agent", "gone"] = "arriving"
        #: Grows with every change that invalidates planned steps.
        self.step = 0
        self.legs = 0
        self.sequence = 0


class Person:
    """One agent."""

    __slots__ = ("activity", "idle_ms", "kind", "number", "open", "pending", "person_id", "presence", "queues", "shift", "team", "turn")

    def __init__(self, number: int, team: TeamPlan, shift: Shift, queues: tuple[str, ...]) -> None:
        self.number = number
        self.person_id = f"agent-{team.prefix + number}"
        self.team = team
        self.shift = shift
        self.queues = queues
        self.presence = "offline"
        #: Grows with each change of presence: a planned return is valid only without one in between.
        self.turn = 0
        #: Presence after the current work, with the milliseconds until the return (None: none).
        self.pending: tuple[str, int | None] | None = None
        self.open: dict[Contact, Slot] = {}
        self.kind: MediaChannel | None = None
        self.activity: tuple[str, int] = ("", 0)
        self.idle_ms = 0

    @property
    def takes_chats(self) -> bool:
        """Whether the agent takes chats."""
        return any(QUEUES[name].channel == "chat" for name in self.queues)

    def can_take(self, channel: MediaChannel) -> bool:
        """Return whether a contact of the channel may be offered now: one call, one mail, or up to three chats at a time."""
        if self.presence != "available" or self.pending is not None:
            return False
        return not self.open or (channel == "chat" == self.kind and len(self.open) < _CHAT_CAPACITY)


class Flow(Protocol):
    """How contacts of one channel continue once an agent has been found."""

    def offer(self, contact: Contact, person: Person) -> None:
        """Offer the contact to the agent, who can take it."""


class Floor:
    """Agents and queues, and their events."""

    def __init__(self, agenda: Agenda, outbox: Outbox, random: Random, breaks: Random, opened_ms: int) -> None:
        self.agenda = agenda
        self.outbox = outbox
        self.random = random
        self._breaks = breaks
        self._opened_ms = opened_ms
        self.flows: dict[MediaChannel, Flow] = {}
        self._served_ms = dict.fromkeys(QUEUES, opened_ms)
        self._waiting: dict[str, dict[Contact, None]] = {name: {} for name in QUEUES}
        people = [
            Person(number, team, shift, team.skills[number % len(team.skills)])
            for team in TEAMS
            for number, shift in enumerate(SHIFTS, start=1)
        ]
        self._serving = {name: [(person.queues.index(name), person) for person in people if name in person.queues] for name in QUEUES}
        for person in people:
            for day in (-1, 0):
                self._plan_shift(person, opened_ms + day * DAY_MS)

    # ---- Events ------------------------------------------------------------------------------------------------------------------

    def emit(self, contact: Contact, kind: str, fields: dict[str, Any] | None = None) -> None:
        """Publish a contact event that happens now."""
        contact.sequence += 1
        event: dict[str, Any] = {
            "type": kind,
            "conversation_id": contact.conversation_id,
            "site": contact.queue.site,
            "sequence": contact.sequence,
        }
        if fields:
            event.update(fields)
        source = _SURVEYS if kind.startswith("survey.") else _SOURCE[contact.channel]
        self.outbox.put(source, "contact-events", contact.conversation_id, self.agenda.now_ms, event)

    def _emit_state(self, person: Person, axis: str, state: str, chats: int | None = None) -> None:
        event: dict[str, Any] = {
            "type": "agent.state_changed",
            "person_id": person.person_id,
            "site": person.team.site,
            "team": person.team.name,
            "axis": axis,
            "state": state,
        }
        if chats is not None:
            # An agent who talks or writes a mail can take no chat.
            event |= {"channel": "chat", "capacity": _CHAT_CAPACITY if person.kind in {None, "chat"} else 0, "in_use": chats}
        self.outbox.put("sim-workforce", "agent-events", person.person_id, self.agenda.now_ms, event)

    def _emit_plan(self, person: Person, day_ms: int) -> None:
        """Publish an agent's shift, then its pauses, which replace the work in their time."""
        shift = person.shift
        parts = [("work", shift.start_ms, shift.end_ms)]
        parts += [(pause.state, pause.start_ms, pause.start_ms + pause.length_ms) for pause in shift.pauses]
        for sequence, (activity, start_ms, end_ms) in enumerate(parts, start=1):
            if day_ms + end_ms > self.agenda.now_ms:
                event = {
                    "type": "schedule.planned",
                    "person_id": person.person_id,
                    "site": person.team.site,
                    "sequence": sequence,
                    "activity": activity,
                    "start": format_ms(day_ms + start_ms),
                    "end": format_ms(day_ms + end_ms),
                }
                self.outbox.put("sim-workforce", "agent-events", person.person_id, self.agenda.now_ms, event)

    # ---- Queues ------------------------------------------------------------------------------------------------------------------

    def enter(self, contact: Contact, queue: QueuePlan) -> None:
        """Let a contact wait in a queue, or offer it to a free agent."""
        contact.queue = queue
        contact.state = "waiting"
        contact.queued_ms = self.agenda.now_ms
        contact.step += 1
        self.emit(contact, "contact.queued", {"queue": queue.name, "channel": contact.channel})
        free = [(rank, person) for rank, person in self._serving[queue.name] if person.can_take(queue.channel)]
        if free:
            # By skill, then by load, then the longest idle agent; the first of the list where all is equal.
            _, person = min(free, key=lambda entry: (entry[0], len(entry[1].open), entry[1].idle_ms))
            self._offer(contact, person)
        else:
            self._waiting[queue.name][contact] = None

    def return_to_queue(self, contact: Contact) -> None:
        """Return an unanswered contact to the head of its queue."""
        contact.state = "waiting"
        contact.step += 1
        queue = self._waiting[contact.queue.name]
        self._waiting[contact.queue.name] = {contact: None, **queue}
        for _, person in self._serving[contact.queue.name]:
            if person.can_take(contact.channel):
                self.seek(person)
                return

    def leave(self, contact: Contact) -> None:
        """Remove a waiting contact from its queue."""
        self._waiting[contact.queue.name].pop(contact, None)
        contact.step += 1

    def waiting(self, queue: str) -> int:
        """Return the number of waiting contacts of a queue."""
        return len(self._waiting[queue])

    def seek(self, person: Person) -> None:
        """Offer an agent the next contacts, up to the capacity."""
        while True:
            best: Contact | None = None
            best_ms = 0
            for rank, name in enumerate(person.queues):
                waiting = self._waiting[name]
                if waiting and person.can_take(QUEUES[name].channel):
                    first = next(iter(waiting))
                    # Mail always waits long: it must not delay calls and chats.
                    since_ms = first.queued_ms + rank * _PREFERENCE_MS + (DAY_MS if rank and first.channel == "mail" else 0)
                    if first.channel == "voice" and self.neglected(name):
                        since_ms -= DAY_MS
                    if best is None or since_ms < best_ms:
                        best, best_ms = first, since_ms
            if best is None:
                return
            del self._waiting[best.queue.name][best]
            self._offer(best, person)

    def neglected(self, queue: str) -> bool:
        """Return whether no contact of a queue has been offered for long."""
        return self.agenda.now_ms - self._served_ms[queue] > _NEGLECTED_MS

    def _offer(self, contact: Contact, person: Person) -> None:
        self._served_ms[contact.queue.name] = self.agenda.now_ms
        self.flows[contact.channel].offer(contact, person)

    # ---- People ------------------------------------------------------------------------------------------------------------------

    def occupy(self, person: Person, contact: Contact, slot: Slot) -> None:
        """Record an agent's activity for a contact from now on."""
        person.kind = contact.channel
        person.open[contact] = slot
        self._show(person)

    def release(self, person: Person, contact: Contact) -> None:
        """End an agent's work on a contact."""
        del person.open[contact]
        if not person.open:
            person.kind = None
            person.idle_ms = self.agenda.now_ms
        self._show(person)
        if not person.open and person.pending is not None:
            state, length_ms = person.pending
            person.pending = None
            self._take(person, state, length_ms)
        else:
            self.seek(person)

    def absent_for(self, person: Person, state: str, length_ms: int) -> None:
        """Make an agent absent for a while, after the current work."""
        if person.presence != "available":
            return
        if person.open:
            person.pending = person.pending or (state, length_ms)
        else:
            self._take(person, state, length_ms)

    def _take(self, person: Person, state: str, length_ms: int | None) -> None:
        person.presence = state
        person.turn += 1
        self._emit_state(person, "presence", state)
        if length_ms is not None:
            self.agenda.at(self.agenda.now_ms + length_ms, self._come_back, person, person.turn)

    def _come_back(self, person: Person, turn: int) -> None:
        if person.turn != turn:
            return
        person.idle_ms = self.agenda.now_ms
        self._take(person, "available", None)
        self.seek(person)

    def _plan_shift(self, person: Person, day_ms: int) -> None:
        now = self.agenda.now_ms
        if day_ms + person.shift.end_ms <= now:
            return
        self.agenda.at(max(now, day_ms + person.shift.start_ms - _PLANNED_AHEAD_MS), self._emit_plan, person, day_ms)
        self.agenda.at(day_ms + person.shift.start_ms, self._log_in, person, day_ms)

    def _log_in(self, person: Person, day_ms: int) -> None:
        person.idle_ms = self.agenda.now_ms
        self._take(person, "available", None)
        person.activity = ("", 0)
        self._show(person)
        for pause in person.shift.pauses:
            if day_ms + pause.start_ms > self.agenda.now_ms:
                jitter_ms = int(self.random.uniform(-180, 180) * 1000)
                self.agenda.at(day_ms + pause.start_ms + jitter_ms, self._pause, person, pause)
        self.agenda.at(day_ms + person.shift.end_ms, self._log_out, person, day_ms)
        self.seek(person)

    def _pause(self, person: Person, pause: Pause) -> None:
        # A separate random generator: late returns must not affect other draws.
        are_many = (self.agenda.now_ms - self._opened_ms) % DAY_MS < _MANY_MS
        late = self._breaks.random() < _OVERSTAYED and are_many and pause.state != "meeting"
        self.absent_for(person, pause.state, pause.length_ms + (self._breaks.randint(*_OVERSTAY_MS) if late else 0))

    def _log_out(self, person: Person, day_ms: int) -> None:
        if person.open:
            person.pending = ("offline", None)
        else:
            self._take(person, "offline", None)
        self._plan_shift(person, day_ms + DAY_MS)

    def _show(self, person: Person) -> None:
        """Publish an agent's activity if it changed."""
        slots = person.open.values()
        in_use = 0
        if "handling" in slots and person.kind is not None:
            state = _BUSY_STATE[person.kind]
            if person.kind == "chat":
                in_use = sum(slot == "handling" for slot in slots)
        elif "wrap_up" in slots:
            state = "wrap_up"
        elif "ringing" in slots:
            state = "ringing"
        else:
            state = "idle"
        if (state, in_use) != person.activity:
            person.activity = (state, in_use)
            self._emit_state(person, "activity", state, in_use if person.takes_chats else None)
