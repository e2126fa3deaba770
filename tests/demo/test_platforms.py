"""The demo's platforms: what they send is signed as the gateway wants it, and gives every figure that the center's own events give."""

from __future__ import annotations

from collections import Counter
from itertools import takewhile
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

import pytest
from multidict import CIMultiDict

from streams.connectors.configured import read_connectors
from streams.connectors.kit.verifying import Delivery as Received
from streams.connectors.kit.verifying import Refusal, Verified, Verifier
from streams.demo.platforms import CONNECTORS, SIGNED_WITH, TELEPHONES, Delivery, Platforms, connectors_text
from streams.demo.simulator import Emission, Simulation

if TYPE_CHECKING:
    from collections.abc import Iterator

_START_MS: Final = 1_767_571_200_000 + 9 * 3_600_000
_GATEWAY: Final = "http://127.0.0.1:8088"
_SECRET: Final = "5e" * 32


def platforms() -> Platforms:
    """Return the platforms of a demo."""
    return Platforms(_GATEWAY, _SECRET, "c0" * 32)


def half_an_hour() -> Iterator[Emission]:
    """Yield the events of a center in half an hour."""
    return takewhile(lambda each: each.published_ms < _START_MS + 1_800_000, Simulation(seed=5, start_ms=_START_MS).emissions())


def test_signed_as_the_gateway_wants_it() -> None:
    """Each platform's deliveries pass its verifier; with another byte, or another secret, they do not."""
    made = platforms()
    hooks = read_connectors(CONNECTORS, connectors_text(_GATEWAY), environment={SIGNED_WITH: _SECRET})
    deliveries = {each.source: each for each in made.route(half_an_hour(), 0) if isinstance(each, Delivery)}

    assert set(deliveries) == {*TELEPHONES.values(), "typeform"}
    for source, delivery in deliveries.items():
        path, headers = made.request(delivery)
        url = _GATEWAY + path
        now = delivery.published_ms / 1000

        def received(body: bytes, headers: dict[str, str] = headers, url: str = url) -> Received:
            return Received(body, CIMultiDict(headers), {}, url)

        assert urlsplit(url).path == f"/v1/hooks/{source}"
        verifier = Verifier(hooks[source].verification, hooks[source].secrets)
        assert isinstance(verifier.check(received(delivery.body), now), Verified)
        assert isinstance(Verifier(hooks[source].verification, ["another" * 8]).check(received(delivery.body), now), Refusal)
        if hooks[source].verification.kind == "hmac":
            assert isinstance(verifier.check(received(delivery.body + b"&x=1"), now), Refusal)


def test_nothing_is_lost_on_the_way() -> None:
    """As many calls arrive, are answered and end by the platforms as in the center; no delivery is rejected, none comes before its time."""
    made, last = platforms(), 0
    route: Counter[str] = Counter()
    for each in made.route(half_an_hour(), 0):
        assert each.published_ms >= last
        last = each.published_ms
        if isinstance(each, Delivery):
            events = made.events(each)
            assert all(event.received_at.timestamp() * 1000 >= last - 1 or each.source == "typeform" for event in events)
            route.update(event.type for event in events if each.source != "typeform")
    wanted = Counter(
        kind
        for kind, _ in {
            (each.event["type"], each.event["event_id"])
            for each in half_an_hour()
            if each.event["source"] == "sim-telephony" and str(each.event.get("conversation_id", "")).startswith("voice-")
        }
    )
    # The last second is still held back, and Twilio's calls arrive with their queue.
    for kind in ("contact.queued", "contact.agent_offered", "contact.answered", "contact.left_queue", "contact.wrapped_up"):
        assert route[kind] == pytest.approx(wanted[kind], abs=3), kind
