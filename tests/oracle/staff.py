"""Plans, capacity and costs of agents, and the figures of section 13 of ``docs/counting.md``."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from typing import TYPE_CHECKING

from schemas.times import to_ms
from tests.oracle.places import has_own_figures, scopes_of_agent, scopes_of_place, team_and_site

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from schemas.agent import AgentStateChanged, SchedulePlanned
    from streams.configuration.models import Configuration
    from tests.oracle.figures import Figure

__all__ = ["Moment", "Slots", "Span", "fixed_an_hour", "reported", "spans_of", "staff_figures"]

AT_WORK = frozenset({"handling", "wrap_up", "idle", "available"})
WORKED = AT_WORK | {"unavailable"}
FAR_MS = 10**15

#: By channel (None: all of them) capacity and contacts in use, as far as reported.
Slots = dict[str | None, dict[str, int]]


@dataclass(frozen=True)
class Moment:
    """The state of a person from this instant on."""

    at_ms: int
    category: str | None = None
    team: str | None = None
    site: str | None = None
    slots: tuple[int, int] | None = None
    """Capacity and in use."""


@dataclass(frozen=True)
class Span:
    """A span of time; each millisecond adds the rate to ``what`` in these scopes."""

    scopes: tuple[str, ...]
    what: str
    rate: int
    start_ms: int
    end_ms: int

    def within(self, low_ms: int, high_ms: int) -> int:
        """Return its amount in [low, high)."""
        return self.rate * max(0, min(self.end_ms, high_ms) - max(self.start_ms, low_ms))


def reported(slots: Slots, event: AgentStateChanged) -> Slots:
    """Return the known slots after an event: of all channels, or of single ones."""
    named = {
        name: number for name, number in (("capacity", event.capacity), ("in_use", event.in_use)) if number is not None and number <= 1000
    }
    if not named:
        return slots
    kept: Slots = {channel: known for channel, known in slots.items() if (channel is None) == (event.channel is None)}
    kept[event.channel] = {**kept.get(event.channel, {}), **named}
    return kept


def _is_work(activity: str, configuration: Configuration) -> bool:
    def plain(name: str) -> str:
        return name.lower().replace(" ", "_").replace("-", "_")

    known = {"work": "work", "available": "work", "on_queue": "work"}
    known.update({plain(name): kind for name, kind in configuration.planned_activities.items()})
    return known.get(plain(activity)) == "work"


def spans_of(person: str, moments: Sequence[Moment], plans: Sequence[SchedulePlanned], configuration: Configuration) -> list[Span]:
    """Return the spans of a person beside the time in each category; the moments are in order."""
    moments = [Moment(-FAR_MS), *moments]
    ordered = sorted(plans, key=lambda plan: (plan.occurred_at, plan.sequence or 0, plan.event_id))
    holding = [(max(to_ms(plan.start), to_ms(plan.occurred_at)), to_ms(plan.end), plan) for plan in ordered]
    edges = {each.at_ms for each in moments} | {edge for begin, end, _ in holding for edge in (begin, end)} | {FAR_MS}
    begins = [each.at_ms for each in moments]
    found: list[Span] = []
    for start, end in pairwise(sorted(edges)):
        now = moments[bisect_right(begins, start) - 1]
        team, site = team_and_site(person, now.team, now.site, configuration)
        scopes = scopes_of_place(team, site, configuration)
        everywhere = (f"agent:{person}", *scopes) if has_own_figures(person, configuration) else scopes
        what: list[tuple[tuple[str, ...], str, int]] = []
        if now.category in WORKED:
            what.append((everywhere, "labor_cost", _hourly(team, configuration)))
            configured = scopes_of_agent(person, configuration)
            what.append((tuple(scope for scope in scopes if scope not in configured), "unattributed", 1))
        if now.category in AT_WORK and now.slots is not None:
            what += [(everywhere, "slotted", 1), (everywhere, "slot_capacity", now.slots[0]), (everywhere, "slot_in_use", now.slots[1])]
        plan = next((plan for begin, until, plan in reversed(holding) if begin <= start < until), None)
        if plan is not None:
            is_work = _is_work(plan.activity, configuration)
            kept = (now.category in AT_WORK) == is_work
            how = "unknown" if now.category is None else "adhered" if kept else "missed"
            what.append((everywhere, f"planned_{'work' if is_work else 'other'}_{how}", 1))
        found += [Span(of, name, rate, start, end) for of, name, rate in what if of and rate]
    return found


def _hundredths(amount: float) -> int:
    return int(Fraction(str(amount)) * 100)


def _hourly(team: str | None, configuration: Configuration) -> int:
    if configuration.costs is None:
        return 0
    of_team = configuration.teams.get(team) if team is not None else None
    own = None if of_team is None or of_team.costs is None else of_team.costs.hourly
    return _hundredths(configuration.costs.hourly if own is None else own)


def fixed_an_hour(scope: str, configuration: Configuration) -> Fraction | None:
    """Return the fixed costs of a scope, in units of the currency an hour; None without costs."""
    if configuration.costs is None:
        return None
    total = Fraction(0)
    for name, team in configuration.teams.items():
        if team.costs is not None and scope in scopes_of_place(name, team.site, configuration):
            total += Fraction(str(team.costs.fixed_per_hour))
    return total


def staff_figures(
    n: Mapping[str, int], handled: int, length_ms: int | None, fixed: Fraction | None, staffed_ms: int, *, individual: bool
) -> dict[str, Figure]:
    """Return the KPIs of section 13 but occupancy, from milliseconds by category and by what spans are about."""

    def seconds(*names: str) -> Fraction:
        return Fraction(sum(n.get(name, 0) for name in names), 1000)

    def share(part: Fraction, whole: Fraction) -> float | None:
        return float(part / whole) if whole else None

    def figure(part: Fraction | int, whole: Fraction | int, coverage: float | None) -> Figure:
        value = Fraction(part) / whole if whole else None
        return {
            "value": None if value is None else float(value),
            "numerator": float(part),
            "denominator": float(whole),
            "coverage": coverage,
        }

    null: Figure = {"value": None, "numerator": None, "denominator": None, "coverage": None}
    at_work, worked = seconds(*sorted(AT_WORK)), seconds(*sorted(WORKED))
    idle_known = share(worked - seconds("available"), worked)
    attributed = share(worked - seconds("unattributed"), worked)
    work = [seconds(f"planned_work_{how}") for how in ("adhered", "missed", "unknown")]
    other = [seconds(f"planned_other_{how}") for how in ("adhered", "missed", "unknown")]
    planned, unknown = sum(work) + sum(other), work[2] + other[2]
    kpis = {
        "utilization": figure(seconds("handling", "wrap_up"), worked, idle_known),
        "utilization_with_idle": figure(seconds("handling", "wrap_up", "idle"), worked, idle_known),
        "occupancy_slot_weighted": figure(seconds("slot_in_use"), seconds("slot_capacity"), share(seconds("slotted"), at_work)),
        "adherence": figure(work[0] + other[0], planned, share(planned - unknown, Fraction(planned))),
        "shrinkage": figure(work[1] + work[2], sum(work), share(work[0] + work[1], Fraction(sum(work)))),
        "contacts_per_hour": figure(handled, worked / 3600, attributed),
    }
    if individual:
        kpis["handled_per_agent"] = {"value": float(handled), "numerator": float(handled), "denominator": None, "coverage": None}
    elif fixed is None:
        kpis["cost_per_contact"] = null
    else:
        cost = Fraction(n.get("labor_cost", 0), 100 * 3_600_000) + fixed * staffed_ms / 3_600_000
        kpis["cost_per_contact"] = figure(cost, handled, attributed) | ({} if worked else {"value": None})
    if length_ms is not None:
        length = Fraction(length_ms, 1000)
        kpis["staff_scheduled"] = figure(sum(work), length, 1.0) if planned else null
        kpis["staff_actual"] = figure(at_work, length, 1.0) if worked or planned - unknown else null
    return kpis
