"""The demo's platforms: calls and survey answers leave the simulated center in their formats, and reach the gateway as webhooks.

Events before the start are translated here, by the same connectors, as they never went through a gateway.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from dataclasses import dataclass, field
from heapq import heappop, heappush
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple
from urllib.parse import parse_qsl

from schemas.times import from_ms
from streams.connectors.configured import HOOKS_PATH, read_connectors
from streams.connectors.customer_keys import hashed_customer
from streams.connectors.kit.translating import translate
from streams.demo.formats.calls import Writer, ms_of, number_of
from streams.demo.formats.genesys import GenesysDetailEvents
from streams.demo.formats.twilio import TwilioCallbacks
from streams.demo.formats.typeform import typeform_delivery
from streams.demo.simulator.emission import MAX_DELAY_MS, Emission, heartbeat

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from schemas.base import Event
    from streams.connectors.configured import Configured

__all__ = ["CONNECTORS", "SIGNED_WITH", "TELEPHONES", "Delivery", "Platforms", "connectors_text"]

#: The connectors file of the demo.
CONNECTORS: Final = Path(__file__).with_name("connectors.yaml")
SIGNED_WITH: Final = "CONTACT_STREAMS_DEMO_SECRET"

_TELEPHONY: Final = "sim-telephony"
_SURVEYS: Final = "typeform"

#: Site → source of its telephone system.
TELEPHONES: Final = {"Berlin ベルリン": "genesys-berlin", "Tokyo 東京": "twilio-tokyo"}
_WRITERS: Final[dict[str, type[Writer]]] = {"genesys-berlin": GenesysDetailEvents, "twilio-tokyo": TwilioCallbacks}

#: Events of a call that its telephone system reports; other systems of the center report categories and callbacks.
_OF_CALLS: Final = frozenset(
    {
        "contact.arrived",
        "contact.not_offered",
        "contact.queued",
        "contact.agent_offered",
        "contact.offer_ended",
        "contact.answered",
        "contact.held",
        "contact.resumed",
        "contact.transferred",
        "contact.left_queue",
        "contact.ended",
        "contact.wrap_up_started",
        "contact.wrapped_up",
    }
)

#: Ids of calls of telephone systems; the simulation itself reports calls that reach no queue.
_CALL: Final = "voice-"


class Delivery(NamedTuple):
    """A platform's request, sent at ``published_ms``."""

    published_ms: int
    source: str
    body: bytes


def connectors_text(gateway: str) -> str:
    """Return the demo's connectors file for a gateway at this address."""
    return f"public_url: {gateway}\n{CONNECTORS.read_text(encoding='utf-8')}"


@dataclass(slots=True)
class _HeldEvents:
    """Events of calls, held until no earlier one can arrive: telephone systems report them in order."""

    heap: list[tuple[int, int, int, dict[str, Any]]] = field(default_factory=list)
    seen: dict[str, None] = field(default_factory=dict)
    order: count[int] = field(default_factory=count)


class Platforms:
    """Routes a center's events to platforms, and creates their deliveries.

    Args:
        gateway: address of the gateway, ``http://host:port``.
        secret: signs all deliveries.
        customer_key: secret of the customers' keys.
    """

    def __init__(self, gateway: str, secret: str, customer_key: str) -> None:
        self._secret = secret
        self._key_of = hashed_customer(customer_key.encode())
        self._hooks: dict[str, Configured] = read_connectors(
            CONNECTORS, connectors_text(gateway), customer_key=self._key_of, environment={SIGNED_WITH: secret}
        )
        self._writers = {source: writer() for source, writer in _WRITERS.items()}
        #: Call → source of its telephone system.
        self._of_call: dict[str, str] = {}
        self._held = _HeldEvents()

    def route(self, emissions: Iterable[Emission], live_from_ms: int) -> Iterator[Emission | Delivery]:
        """Yield the events of a center, some unchanged, some as deliveries, in the order of publishing.

        Until ``live_from_ms`` the sources of the platforms send heartbeats; from then on the gateway sends them.
        """
        for emission in emissions:
            yield from self._released(emission.published_ms)
            event = emission.event
            if emission.destination == "every-partition":
                yield emission
                if event["source"] == _TELEPHONY:
                    # The gateway sends heartbeats only for telephone systems: it does not know how far answers are complete.
                    sources = (*self._writers, _SURVEYS) if emission.published_ms < live_from_ms else (_SURVEYS,)
                    yield from _heartbeats(sources, emission.published_ms, emission.published_ms - MAX_DELAY_MS)
                continue
            yield from self._routed(emission)

    def final_heartbeats(self, at_ms: int) -> list[Emission]:
        """Return the last heartbeat of every platform: complete through ``at_ms``."""
        return [*_heartbeats((*self._writers, _SURVEYS), at_ms, at_ms)]

    def _routed(self, emission: Emission) -> Iterator[Emission | Delivery]:
        event = {**emission.event, **self._customers(emission.event)}
        conversation = event.get("conversation_id", "")
        if not conversation.startswith(_CALL):
            yield emission._replace(event=event)
            return
        if event["source"] == _TELEPHONY and event["type"] in _OF_CALLS:
            source = TELEPHONES[event["site"]]
            self._of_call[conversation] = source
            self._hold(emission.event)
            return
        source = self._of_call.get(conversation, TELEPHONES.get(event.get("site", ""), ""))
        if source:
            event["conversation_id"] = _WRITERS[source].conversation_of(conversation)
        if event["type"] == "survey.answered":
            yield Delivery(emission.published_ms, _SURVEYS, typeform_delivery(event))
        else:
            yield emission._replace(key=event["conversation_id"], event=event)

    def _customers(self, event: Mapping[str, Any]) -> dict[str, str]:
        """Return the customers of an event under the keys of connectors."""
        return {name: self._key_of(number_of(event[name])) for name in ("customer_key", "linked_key") if name in event}

    def _hold(self, event: dict[str, Any]) -> None:
        held = self._held
        if event["event_id"] in held.seen:
            return
        held.seen[event["event_id"]] = None
        if len(held.seen) > _MAX_EVENT_IDS:
            del held.seen[next(iter(held.seen))]
        heappush(held.heap, (ms_of(event["occurred_at"]), event.get("sequence", 0), next(held.order), event))

    def _released(self, now_ms: int) -> Iterator[Delivery]:
        """Yield deliveries of calls once no earlier event can arrive."""
        heap = self._held.heap
        while heap and heap[0][0] + MAX_DELAY_MS <= now_ms:
            event = heappop(heap)[3]
            source = self._of_call[event["conversation_id"]]
            yield from (Delivery(now_ms, source, body) for body in self._writers[source].write(event))

    # ---- Deliveries ----------------------------------------------------------------------------------------------------------------

    def events(self, delivery: Delivery) -> list[Event]:
        """Return the gateway's events of a delivery; raise RuntimeError if the gateway would refuse it."""
        hook = self._hooks[delivery.source]
        origin, now = f"hooks/{delivery.source}", from_ms(delivery.published_ms)
        done = translate(hook.connector, delivery.body, hook.context, origin=origin, now=now, site=hook.site)
        if done.rejected:
            raise RuntimeError(f"{delivery.source} rejects a delivery of the demo: {done.rejected[0].reason}, {done.rejected[0].detail}")
        return done.events

    def request(self, delivery: Delivery) -> tuple[str, dict[str, str]]:
        """Return the path and headers of a delivery, signed as by its platform."""
        hook = self._hooks[delivery.source]
        kind, headers = _SIGNED[hook.connector.name](self._secret, hook.hook_url, delivery.body)
        return HOOKS_PATH + delivery.source, {"Content-Type": kind, **headers}


def _heartbeats(sources: Iterable[str], at_ms: int, complete_through_ms: int) -> Iterator[Emission]:
    return (heartbeat(source, f"{source}-heartbeat-{at_ms}", at_ms, complete_through_ms) for source in sources)


#: Event ids in memory for detecting repeats, which arrive within a second.
_MAX_EVENT_IDS: Final = 50_000


def _by_api_key(secret: str, _url: str, _body: bytes) -> tuple[str, dict[str, str]]:
    return "application/json", {"X-Api-Key": secret}


def _by_twilio(secret: str, url: str, body: bytes) -> tuple[str, dict[str, str]]:
    signed = url + "".join(name + value for name, value in sorted(parse_qsl(body.decode(), keep_blank_values=True)))
    return "application/x-www-form-urlencoded", {"X-Twilio-Signature": _base64(hmac.digest(secret.encode(), signed.encode(), "sha1"))}


def _by_typeform(secret: str, _url: str, body: bytes) -> tuple[str, dict[str, str]]:
    return "application/json", {"Typeform-Signature": "sha256=" + _base64(hmac.digest(secret.encode(), body, hashlib.sha256))}


def _base64(digest: bytes) -> str:
    return base64.b64encode(digest).decode()


_SIGNED: Final[dict[str, Callable[[str, str, bytes], tuple[str, dict[str, str]]]]] = {
    "genesys-cloud": _by_api_key,
    "twilio-taskrouter": _by_twilio,
    "typeform": _by_typeform,
}
