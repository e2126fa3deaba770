"""The complete simulation: arrivals, the floor, the flows of the channels and the heartbeats, as one endless stream of events."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import blake2b
from random import Random
from typing import TYPE_CHECKING, Protocol

from streams.demo.simulator.afterwards import Afterwards
from streams.demo.simulator.agenda import Agenda
from streams.demo.simulator.arrivals import LONGEST_GAP_SECONDS, next_arrival_ms
from streams.demo.simulator.center import QUEUES, QueuePlan
from streams.demo.simulator.chat import Chat
from streams.demo.simulator.emission import SOURCES, Emission, Outbox, heartbeat
from streams.demo.simulator.floor import Contact, Floor
from streams.demo.simulator.front import Front
from streams.demo.simulator.mail import Mail
from streams.demo.simulator.topics import Topics
from streams.demo.simulator.voice import Voice

if TYPE_CHECKING:
    from collections.abc import Iterator

    from streams.demo.simulator.center import MediaChannel

__all__ = ["HeartbeatPlan", "Simulation", "final_heartbeats"]

#: The share of contacts from earlier customers; one in ten withholds the identity.
_REPEAT_CONTACT = 0.12
_WITHHELD = 0.1
_MAX_CUSTOMERS = 400
#: A prime, so that heartbeats fall on different offsets within the panes.
_STAGGER_MS = 211


@dataclass(frozen=True, slots=True)
class HeartbeatPlan:
    """The intervals of every source's heartbeats: long while catching up, a second in real time."""

    past_interval_ms: int = 30_000
    live_interval_ms: int = 1_000
    #: From this instant on the interval is the live one; None: never.
    live_from_ms: int | None = None

    def interval_ms(self, now_ms: int) -> int:
        """Return the time until the next heartbeat."""
        live = self.live_from_ms is not None and now_ms + self.past_interval_ms > self.live_from_ms
        return self.live_interval_ms if live else self.past_interval_ms


class _Arrives(Protocol):
    def arrive(self, contact: Contact) -> None:
        """Start a contact."""


class Simulation:
    """A contact center from ``start_ms`` (its opening) on; equal seed, start and heartbeats give equal events."""

    def __init__(self, *, seed: int, start_ms: int, heartbeats: HeartbeatPlan | None = None) -> None:
        self._start_ms = start_ms
        self._seed = seed
        self._prefix = f"{seed}-{start_ms // 1000:x}"
        self._random = Random(seed)
        self._heartbeats = heartbeats or HeartbeatPlan()
        self._agenda = Agenda(start_ms)
        # Delays have a separate random generator: they must not affect what happens.
        self._outbox = Outbox(self._prefix, Random(~seed))
        self._floor = Floor(self._agenda, self._outbox, self._random, Random(f"{seed} breaks"), start_ms)
        self._customers: list[str] = []
        self._numbers = dict.fromkeys(("voice", "chat", "mail"), 0)
        afterwards = Afterwards(self._floor, Random(f"{seed} afterwards"))
        topics, of_mail = Topics(self._floor, Random(f"{seed} topics")), Random(f"{seed} mail")
        voice, chat = Voice(self._floor, afterwards, topics), Chat(self._floor, afterwards, topics)
        mail = Mail(self._floor, topics, of_mail)
        self._floor.flows = {"voice": voice, "chat": chat, "mail": mail}
        self._arrivals: dict[MediaChannel, _Arrives] = {"voice": voice, "chat": chat, "mail": mail}
        for queue in QUEUES.values():
            self._plan_arrival(queue)
        Front(self._floor, chat, Random(f"{seed} front"), self._prefix, start_ms)
        for number, source in enumerate(SOURCES):
            self._agenda.at(start_ms + number * _STAGGER_MS, self._beat, source)

    def emissions(self) -> Iterator[Emission]:
        """Yield the events in the order of publishing, without end."""
        agenda, outbox = self._agenda, self._outbox
        while (following := agenda.next_ms) is not None:
            yield from outbox.before(following)
            agenda.advance()

    def _beat(self, source: str) -> None:
        now = self._agenda.now_ms
        self._outbox.put_heartbeat(source, now)
        self._agenda.at(now + self._heartbeats.interval_ms(now), self._beat, source)

    def _plan_arrival(self, queue: QueuePlan) -> None:
        gap = LONGEST_GAP_SECONDS if queue.channel == "voice" else None
        now = self._agenda.now_ms
        self._agenda.at(next_arrival_ms(now, self._start_ms, queue.peak_per_hour, self._random, gap), self._arrive, queue)

    def _arrive(self, queue: QueuePlan) -> None:
        self._plan_arrival(queue)
        self._numbers[queue.channel] += 1
        contact = Contact(f"{queue.channel}-{self._prefix}-{self._numbers[queue.channel]}", queue)
        fields: dict[str, object] = {
            "channel": queue.channel,
            "direction": "inbound",
            "entry_point": queue.entry_point,
            "language": queue.language,
            "initiated_by": "customer",
        }
        customer = self._customer()
        if customer is not None:
            fields["customer_key"] = customer
        self._floor.emit(contact, "contact.arrived", fields)
        self._arrivals[queue.channel].arrive(contact)

    def _customer(self) -> str | None:
        draw = self._random.random()
        if draw < _WITHHELD:
            return None
        known = self._customers
        if known and draw < _WITHHELD + _REPEAT_CONTACT:
            return known[self._random.randrange(len(known))]
        number = sum(self._numbers.values())
        key = "v1:" + blake2b(f"{self._prefix}/{number}".encode(), digest_size=12).hexdigest()
        if len(known) < _MAX_CUSTOMERS:
            known.append(key)
        else:
            known[number % _MAX_CUSTOMERS] = key
        return key


def final_heartbeats(at_ms: int, run: str) -> list[Emission]:
    """Return the last heartbeat of every source, complete through ``at_ms``. ``run`` makes the ids unique."""
    return [heartbeat(source, f"final-{run}-{source}", at_ms, at_ms) for source in SOURCES]
