"""Load for tests and benchmarks: copies of the simulated center side by side, faster than simulating each."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

from streams.demo.simulator.emission import Emission
from streams.demo.simulator.simulation import HeartbeatPlan, Simulation

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

__all__ = ["LOAD_START_MS", "load_events", "multiplied"]

#: The default begin of a load's simulated time: 2026-01-05 00:00 UTC, a Monday.
LOAD_START_MS = 1_767_571_200_000


def multiplied(emissions: Iterable[Emission], rate: int) -> Iterator[Emission]:
    """Yield every event of conversations and people ``rate`` times, as if as many centers of the same queues ran side by side."""
    for emission in emissions:
        yield emission
        if emission.destination == "every-partition":
            continue
        published_ms, destination, key, event = emission
        identity = "person_id" if destination == "agent-events" else "conversation_id"
        for copy in range(1, rate):
            twin = f"{key}~{copy}"
            again = {**event, "event_id": f"{event['event_id']}~{copy}", identity: twin}
            if "customer_key" in event:
                again["customer_key"] = f"{event['customer_key']}~{copy}"
            if "agent" in event:
                again["agent"] = f"{event['agent']}~{copy}"
            yield Emission(published_ms, destination, twin, again)


def load_events(
    n: int, seed: int, *, rate: int = 20, start_ms: int = LOAD_START_MS, heartbeats: HeartbeatPlan | None = None
) -> Iterator[Emission]:
    """Yield ``n`` events, heartbeats among them, in the order of publishing; equal arguments give equal events.

    ``rate`` is how many centers run side by side: at 20 an hour of simulated time holds about 200,000 events.
    """
    simulation = Simulation(seed=seed, start_ms=start_ms, heartbeats=heartbeats)
    return islice(multiplied(simulation.emissions(), rate), n)
