"""A step of progress over years costs no more than one over the time for which state is kept, whatever is planned or forecast meanwhile."""

from __future__ import annotations

import tracemalloc
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest

from schemas.decoding import decode_agent_event, decode_contact_event, decode_customer_event
from schemas.times import format_ms
from streams.tracking.agents import AgentTracker
from streams.tracking.contacts import ContactTracker
from streams.tracking.forecasts import CustomerEventTracker
from streams.tracking.running import Running
from streams.windows.rollup import RollUp
from tests.support.cpu import timed
from tests.tracking.harness import CONFIGURATION, event, ms

if TYPE_CHECKING:
    from collections.abc import Callable

HOUR, DAY = 3_600, 86_400
#: Panes and cells are kept for 51 hours, and some minutes.
KEPT = 52 * HOUR
#: The first alone shows what an unbounded step costs: the second would take all memory there is.
LONG = [60 * DAY, 73 * 365 * DAY]
#: 9999-12-31T23:59:59Z
FOREVER = 253_402_300_799_000


def cost(prepare: Callable[[], Any], step: Callable[[Any, int], None], seconds: int) -> tuple[float, int]:
    """Return the seconds of processor that a step takes, and the most memory that it holds."""
    tracker = prepare()
    tracemalloc.start()
    with timed() as taken:
        step(tracker, seconds)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return taken[0], peak


def is_no_dearer(prepare: Callable[[], Any], step: Callable[[Any, int], None], seconds: int) -> None:
    """Hold a long step against one over the time for which state is kept; the first fills what is remembered, and does not count."""
    cost(prepare, step, KEPT)
    compare(cost(prepare, step, seconds), cost(prepare, step, KEPT))


def compare(found: tuple[float, int], least: tuple[float, int]) -> None:
    """Permit the slowdown of a busy machine; 60 days unbounded take 25 times as long."""
    assert found[1] < 2 * least[1] + 2_000_000
    assert found[0] < 4 * least[0] + 1


def heartbeat(tracker: Any, seconds: int) -> None:
    """Report the source complete to here, and fold."""
    tracker.watermark.heartbeat("test", ms(0), ms(seconds))
    tracker.flush()


def planned_forever() -> AgentTracker:
    """Return a tracker with a row of the version that took a plan until 9999, and an agent at work."""
    people = AgentTracker(CONFIGURATION)
    base: dict[str, Any] = {"base": ["", "", "", "red", None], "base_ms": None, "base_at": None, "source": None}
    people.restore_agent("ann", {**base, "facts": [], "plans": [[ms(0), 0, "p", ms(0), FOREVER, True]]})
    people.apply(decode_agent_event(event("agent.state_changed", 0, person_id="bo", axis="routing", state="idle", team="red")))
    heartbeat(people, 60)
    return people


def waiting() -> ContactTracker:
    """Return a tracker with calls that wait, and mails without further events."""
    contacts = ContactTracker(CONFIGURATION)
    for number in range(50):
        queue = "M" if number % 2 else "A"
        contacts.apply(decode_contact_event(event("contact.queued", number, queue=queue, conversation_id=f"c{number}")))
    heartbeat(contacts, 60)
    return contacts


def forecast() -> CustomerEventTracker:
    """Return a tracker with forecasts of a day, by quarters of an hour."""
    forecasts = CustomerEventTracker(CONFIGURATION)
    for number in range(96):
        start = format_ms(ms(900 * number))
        forecast = event("forecast.set", 0, queue="A", interval_start=start, interval_seconds=900, volume=4)
        forecasts.apply(decode_customer_event(forecast))
    heartbeat(forecasts, 60)
    return forecasts


@pytest.mark.parametrize("seconds", LONG)
@pytest.mark.parametrize("prepare", [planned_forever, waiting, forecast])
def test_of_progress(prepare: Callable[[], Any], seconds: int) -> None:
    """Progress goes over years at once."""
    is_no_dearer(prepare, heartbeat, seconds)


@pytest.mark.parametrize("seconds", LONG)
def test_a_plan_reported_when_progress_is_far_ahead(seconds: int) -> None:
    """State of an older version may be in 2099 when a plan arrives."""

    def apply(people: AgentTracker, step: int) -> None:
        (name,) = [name for name in people.agents if name.startswith("bo")]
        people._take_plan(name, people.agents[name], (ms(0), 0, "q", ms(0), ms(step), True))
        people._count_deferred()

    def ahead() -> AgentTracker:
        people = planned_forever()
        people.booked_to = ms(seconds)
        return people

    def just_ahead() -> AgentTracker:
        people = planned_forever()
        people.booked_to = ms(KEPT)
        return people

    compare(cost(ahead, apply, seconds), cost(just_ahead, apply, KEPT))


@pytest.mark.parametrize("seconds", LONG)
def test_of_windows(seconds: int) -> None:
    """Roll-up receives progress that is complete through a time years ahead."""

    def prepare() -> RollUp:
        rollup = RollUp(CONFIGURATION, 0, [("contacts", 0)], [("agents", 0)])
        for pane in range(0, HOUR, 10):
            for kind in ("pane", "cohort"):
                start = ms(pane if kind == "pane" else pane - pane % 900)
                rollup.apply(f"{kind}|voice|contacts|0|{start}|queue:A", {"counts": {"offered": 1}})
        step(rollup, HOUR)
        return rollup

    def step(rollup: RollUp, to: int) -> None:
        for source in ("contacts", "agents"):
            progress = {"progress_ms": ms(to), "received_through_ms": ms(to), "sources": {"test": ms(to)}, "stale_sources": []}
            rollup.apply(f"progress|-|{source}|0|-|-", progress)
        list(rollup.collect())

    is_no_dearer(prepare, step, seconds)


def test_dates_between_progress_and_as_of() -> None:
    """When progress stalls for years, the last 62 dates are published, each with all earlier changes."""
    days = Running()
    days.add({10: Counter(orders=1), 5_000: Counter(orders=1), 9_000: Counter(orders=1)}, 1)
    days.advance(4)

    published = dict(days.through(9_100))
    assert list(published) == list(range(9_039, 9_101))
    assert {figures["orders"] for figures in published.values()} == {3}
    assert dict(days.through(12)) == {at: ({"orders": 1} if at >= 10 else {}) for at in range(4, 13)}
