"""Erlang's formulas against figures that others published, and against a queue that is simulated contact by contact."""

from __future__ import annotations

import heapq
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.staffing.erlang import MAX_AGENTS, Workload, agents_needed, erlang_a, erlang_b, erlang_c


@pytest.mark.parametrize(
    ("agents", "erlangs", "half_digit", "blocked"),
    [
        # From the tables of Erlang B in any textbook of teletraffic: load at which the loss is 1 % and 5 %.
        (1, 0.0101, 0.00005, 0.01),
        (5, 1.36, 0.005, 0.01),
        (10, 4.46, 0.005, 0.01),
        (20, 12.0, 0.05, 0.01),
        (50, 37.9, 0.05, 0.01),
        (10, 6.22, 0.005, 0.05),
        (20, 15.2, 0.05, 0.05),
    ],
)
def test_erlang_b_as_tables_have_it(agents: int, erlangs: float, half_digit: float, blocked: float) -> None:
    """Tables give the load to three digits: half of the last one less is lost less often, half of it more at least as often."""
    assert erlang_b(agents, erlangs - half_digit) < blocked <= erlang_b(agents, erlangs + half_digit)


@pytest.mark.parametrize(
    ("workload", "agents", "threshold", "waiting", "level", "wait", "occupancy"),
    [
        # Mitan Ltd., The Erlang-C formula: 360 calls in half an hour of 4 minutes, 55 agents, 15 s.
        (Workload(contacts_per_hour=720, aht_seconds=240), 55, 15, 0.239, 0.846, 8.2, 0.873),
        # pyworkforce, README of 0.1.0: 100 in half an hour of 3 minutes, 20 s: 14 positions.
        (Workload(contacts_per_hour=200, aht_seconds=180), 14, 20, 0.1741319335950498, 0.8883500191794669, None, 0.7142857142857143),
        # Mandelbaum and Zeltyn 2005, table 1: 48 calls a minute of 1 minute, 50 agents.
        (Workload(contacts_per_hour=2880, aht_seconds=60), 50, 20, None, None, 20.8, 0.96),
    ],
)
def test_erlang_c_as_published(
    workload: Workload, agents: int, threshold: float, waiting: float | None, level: float | None, wait: float | None, occupancy: float
) -> None:
    """Published examples, to the digits that they give."""
    found = erlang_c(workload, agents, threshold)
    assert found.occupancy == pytest.approx(occupancy, abs=6e-4)
    if waiting is not None:
        assert found.waiting_probability == pytest.approx(waiting, abs=6e-4)
    if level is not None:
        assert found.service_level == pytest.approx(level, abs=6e-4)
    if wait is not None:
        assert found.wait_seconds == pytest.approx(wait, abs=0.06)


def test_erlang_a_as_published() -> None:
    """Mandelbaum and Zeltyn 2005, table 1: with patience of 2 minutes 3.1 % abandon, wait 3.7 s, and agents are busy for 93 %."""
    found = erlang_a(Workload(contacts_per_hour=2880, aht_seconds=60, patience_seconds=120), 50, 20)

    assert found.abandon_rate == pytest.approx(0.031, abs=6e-4)
    assert found.wait_seconds == pytest.approx(3.7, abs=0.06)
    assert found.occupancy == pytest.approx(0.93, abs=6e-3)
    # 90 % wait for at most 12.5 s, whatever becomes of them.
    waited = erlang_a(Workload(contacts_per_hour=2880, aht_seconds=60, patience_seconds=120), 50, 12.5)
    assert waited.service_level == pytest.approx(0.9 - 0.031, abs=0.03)


@pytest.mark.parametrize(
    ("workload", "agents"),
    [
        (Workload(contacts_per_hour=120, aht_seconds=240, patience_seconds=90), 7),
        (Workload(contacts_per_hour=2.4, aht_seconds=1090, patience_seconds=4.5), 1),  # gone long before an agent is free
        (Workload(contacts_per_hour=50, aht_seconds=150, patience_seconds=4), 1),
        (Workload(contacts_per_hour=2880, aht_seconds=60, patience_seconds=120), 50),
        (Workload(contacts_per_hour=3000, aht_seconds=300, patience_seconds=3000), 200),  # overloaded, and patient
        (Workload(contacts_per_hour=30, aht_seconds=300, patience_seconds=100_000), 3),
    ],
)
def test_as_its_states_say(workload: Workload, agents: int) -> None:
    """Contacts in the system change one at a time: the probability of each number follows from the lower ones, without any integral."""
    load, leaving = workload.erlangs, workload.aht_seconds / workload.patience_seconds  # type: ignore[operator] # it has one
    shares = [1.0]
    while len(shares) <= agents or shares[-1] > 1e-25 * max(shares):
        there = len(shares)
        shares.append(shares[-1] * load / (min(there, agents) + max(0, there - agents) * leaving))
    whole = sum(shares)
    found = erlang_a(workload, agents, 20)

    assert found.waiting_probability == pytest.approx(sum(shares[agents:]) / whole, rel=1e-9)
    waiting = sum(n * share for n, share in enumerate(shares[agents:])) / whole
    assert found.abandon_rate == pytest.approx(leaving * waiting / load, rel=1e-9)


def simulated(workload: Workload, agents: int, threshold: float, seed: int, contacts: int) -> tuple[float, float]:
    """Return service level and abandon rate of a queue that is served in order of arrival."""
    random = Random(seed)
    free = [0.0] * agents
    heapq.heapify(free)
    at, answered, abandoned = 0.0, 0, 0
    for _ in range(contacts):
        at += random.expovariate(workload.contacts_per_hour / 3600)
        wait = max(0.0, free[0] - at)
        if workload.patience_seconds is not None and wait > random.expovariate(1 / workload.patience_seconds):
            abandoned += 1
            continue
        heapq.heapreplace(free, at + wait + random.expovariate(1 / workload.aht_seconds))
        answered += wait <= threshold
    return answered / contacts, abandoned / contacts


@pytest.mark.parametrize(
    ("workload", "agents"),
    [
        (Workload(contacts_per_hour=120, aht_seconds=240, patience_seconds=90), 7),  # overloaded
        (Workload(contacts_per_hour=120, aht_seconds=240, patience_seconds=90), 9),
        (Workload(contacts_per_hour=60, aht_seconds=300, patience_seconds=600), 6),
        (Workload(contacts_per_hour=300, aht_seconds=180), 18),
    ],
)
def test_as_simulated(workload: Workload, agents: int) -> None:
    """A hundred thousand contacts, one after the other, come to the same within their noise."""
    level, abandoned = simulated(workload, agents, 20, 7, 100_000)
    found = erlang_a(workload, agents, 20)

    assert found.service_level == pytest.approx(level, abs=0.015)
    assert found.abandon_rate == pytest.approx(abandoned, abs=0.01)


def test_without_end_of_patience_both_are_one() -> None:
    """Who is patient for a year waits as those of Erlang C."""
    patient = Workload(contacts_per_hour=300, aht_seconds=180, patience_seconds=3e7)
    endless = Workload(contacts_per_hour=300, aht_seconds=180)

    for agents in (16, 18, 25):
        assert erlang_a(patient, agents, 20).service_level == pytest.approx(erlang_c(endless, agents, 20).service_level, abs=2e-4)


@given(
    contacts=st.floats(0, 20_000),
    aht=st.floats(1, 7_200),
    patience=st.none() | st.floats(1, 100_000),
    agents=st.integers(0, 400),
    threshold=st.floats(0, 600),
)
def test_any_figures_stay_in_their_range(contacts: float, aht: float, patience: float | None, agents: int, threshold: float) -> None:
    """For any workload, shares are from 0 to 1, waits are not negative, and one agent more is never worse."""
    workload = Workload(contacts_per_hour=contacts, aht_seconds=aht, patience_seconds=patience)
    found, more = erlang_a(workload, agents, threshold), erlang_a(workload, agents + 1, threshold)

    for each in (found, more):
        for share in (each.waiting_probability, each.service_level, each.abandon_rate, each.occupancy):
            assert -1e-9 <= share <= 1 + 1e-9
        assert each.wait_seconds is None or each.wait_seconds >= 0
    assert more.service_level >= found.service_level - 1e-6
    assert more.abandon_rate <= found.abandon_rate + 1e-6


@given(contacts=st.floats(1, 5_000), aht=st.floats(10, 1_200), patience=st.none() | st.floats(5, 3_600), level=st.floats(0.05, 0.99))
def test_one_agent_less_is_too_few(contacts: float, aht: float, patience: float | None, level: float) -> None:
    """The fewest that reach a service level: they do, and with one less they do not."""
    workload = Workload(contacts_per_hour=contacts, aht_seconds=aht, patience_seconds=patience)
    needed = agents_needed(workload, level, 20)

    assert needed.service_level >= level
    assert erlang_a(workload, needed.agents - 1, 20).service_level < level


def test_what_is_no_workload_is_refused() -> None:
    """Numbers that mean nothing are refused with what they have to be."""
    for wrong, text in (
        ((-1, 60, None), "0 or more"),
        ((1, 0, None), "above 0"),
        ((1, 60, 0), "above 0"),
        ((float("nan"), 60, None), "0 or"),
    ):
        with pytest.raises(ValueError, match=text):
            Workload(contacts_per_hour=wrong[0], aht_seconds=wrong[1], patience_seconds=wrong[2])
    with pytest.raises(ValueError, match=f"more than {MAX_AGENTS}"):
        agents_needed(Workload(contacts_per_hour=1e7, aht_seconds=3600), 0.8, 20)
    for level in (0, 1):
        with pytest.raises(ValueError, match="above 0 and below 1"):
            agents_needed(Workload(contacts_per_hour=10, aht_seconds=60), level, 20)
