"""Events of the center's shop and its planners: orders, subscribers and forecasts, beside the events of contacts and agents."""

from __future__ import annotations

from hashlib import blake2b
from heapq import heappop, heappush
from itertools import count
from random import Random
from typing import TYPE_CHECKING, Any, Final

from streams.demo.simulator.arrivals import volume
from streams.demo.simulator.center import QUEUES
from streams.demo.simulator.emission import Emission, time_text
from streams.demo.simulator.shifts import DAY_MS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

__all__ = ["with_shop"]

_SOURCE: Final = "sim-shop"
_HALF_HOUR_MS: Final = 1_800_000
_HOURS_PLANNED: Final = 26
_SUBSCRIBERS: Final = 120
_MAX_CUSTOMERS: Final = 400
#: Shares of orders: by recent callers, cancelled later, in another currency.
_BY_CALLERS, _CANCELLED, _FOREIGN = 0.7, 0.06, 0.05
_LINKED: Final = 0.02
_SHRINKAGE: Final = 0.75


class _Shop:
    def __init__(self, seed: int, start_ms: int, rate: int) -> None:
        self._prefix = f"shop-{seed}-{start_ms // 1000:x}"
        self._random = Random(f"{seed} shop")
        self._start_ms = start_ms
        self._rate = rate
        self._number = count()
        self._sequence = count()
        self._heap: list[tuple[int, int, Emission]] = []
        self._callers: list[str] = []
        self.next_order_ms = start_ms + 30_000
        self._plan_day()
        self._plan_subscribers()

    def _put(self, received_ms: int, occurred_ms: int, key: str, event: dict[str, Any]) -> None:
        event |= {
            "event_id": f"{self._prefix}-{next(self._number)}",
            "occurred_at": time_text(occurred_ms),
            "received_at": time_text(received_ms),
            "source": _SOURCE,
        }
        heappush(self._heap, (received_ms, next(self._sequence), Emission(received_ms, "customer-events", key, event)))

    def _customer(self, number: int) -> str:
        return "v1:" + blake2b(f"{self._prefix}/{number}".encode(), digest_size=12).hexdigest()

    def _plan_day(self) -> None:
        first = self._start_ms - self._start_ms % _HALF_HOUR_MS
        for queue in QUEUES.values():
            for begin in range(first, first + 2 * _HOURS_PLANNED * _HALF_HOUR_MS, _HALF_HOUR_MS):
                contacts = round(queue.peak_per_hour * volume(max(0, begin - self._start_ms)) / 2)
                work_seconds = contacts * (queue.handling_seconds + queue.wrap_up_seconds)
                forecast = {
                    "type": "forecast.set",
                    "queue": queue.name,
                    "interval_start": time_text(begin),
                    "interval_seconds": _HALF_HOUR_MS / 1000,
                    "volume": contacts,
                    "handle_seconds": queue.handling_seconds + queue.wrap_up_seconds,
                    "staff": -(-work_seconds * 1000 // (_HALF_HOUR_MS * _SHRINKAGE)),
                }
                self._put(self._start_ms, self._start_ms, queue.name, forecast)

    def _plan_subscribers(self) -> None:
        for number in range(_SUBSCRIBERS):
            key = self._customer(-number)
            self._put(self._start_ms, self._start_ms - self._random.randrange(32, 300) * DAY_MS, key, _event("customer.activated", key))
            if self._random.random() < 1 / 10:
                gone_ms = self._start_ms + self._random.randrange(6 * 3_600_000)
                self._put(gone_ms, gone_ms, key, _event("customer.churned", key))

    def observe(self, emission: Emission) -> None:
        """Store the customer of a contact."""
        key = emission.event.get("customer_key")
        if key is not None:
            if len(self._callers) < _MAX_CUSTOMERS:
                self._callers.append(key)
            else:
                self._callers[self._random.randrange(_MAX_CUSTOMERS)] = key

    def before(self, ms: int) -> Iterator[Emission]:
        """Yield the events before an instant."""
        while self.next_order_ms < ms:
            self._order(self.next_order_ms)
            self.next_order_ms += int(self._random.uniform(10, 40) * 1000) // self._rate
        while self._heap and self._heap[0][0] < ms:
            yield heappop(self._heap)[2]

    def _order(self, at_ms: int) -> None:
        random = self._random
        by_caller = self._callers and random.random() < _BY_CALLERS
        key = random.choice(self._callers) if by_caller else self._customer(random.randrange(1, 60))
        order = {"order_id": f"{self._prefix}-o{next(self._number)}", "value": 100 * random.randrange(8, 200)}
        order["currency"] = "EUR" if random.random() < _FOREIGN else "JPY"
        self._put(at_ms, at_ms, key, {**_event("order.placed", key), **order})
        if random.random() < _CANCELLED:
            later_ms = at_ms + int(random.uniform(60, 1800) * 1000)
            self._put(later_ms, later_ms, key, {**_event("order.cancelled", key), **order})
        if by_caller and random.random() < _LINKED:
            self._put(at_ms + 1, at_ms + 1, key, {**_event("customer.linked", key), "linked_key": self._customer(random.randrange(1, 60))})


def _event(kind: str, key: str) -> dict[str, Any]:
    return {"type": kind, "customer_key": key}


def with_shop(emissions: Iterable[Emission], seed: int, start_ms: int, *, rate: int = 1) -> Iterator[Emission]:
    """Yield the events of a center with those of its shop among them, in the order of publishing; equal arguments give equal events.

    ``rate`` multiplies the number of orders.
    """
    shop = _Shop(seed, start_ms, rate)
    for emission in emissions:
        yield from shop.before(emission.published_ms)
        shop.observe(emission)
        yield emission
