"""The independent recount from events to KPIs, slow and obvious; it shares only ``schemas`` and the configuration with the pipeline."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from datetime import datetime, time, timedelta
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from schemas.agent import AgentModel
from schemas.contact import ContactModel
from schemas.other import CustomerModel, ForecastSet, SourceHeartbeat, SourceSnapshot
from schemas.times import from_ms, to_ms
from streams.configuration.models import Configuration
from tests.oracle import subject_figures, wall
from tests.oracle.conversation import PANE_MS, REPLY_CHANNELS, Contribution, OpenItem, journals_of, judge
from tests.oracle.customers import Customers, contact_of
from tests.oracle.definitions import Chosen, chosen_for, is_over, judge_of, side_by_side
from tests.oracle.figures import KEYS_OF, Figure, contact_kpis, definition_kpis, level_kpis, occupancy, sums
from tests.oracle.people import BOOKED, Stretch, follow
from tests.oracle.places import never_reported, team_and_site
from tests.oracle.spaces import as_known_in, person_of, space_of
from tests.oracle.staff import Span, fixed_an_hour, staff_figures
from tests.oracle.targets import attainments

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from zoneinfo import ZoneInfo

    from schemas.base import Event
    from streams.configuration.models import ServiceLevelDefinition

__all__ = ["Progress", "Recount", "progress_of", "recount"]

MINUTE_MS = 60_000
HOUR_MS = 60 * MINUTE_MS

#: The states of the backlog.
BACKLOG = ("backlog_untouched", "backlog_in_progress", "backlog_waiting_on_customer", "backlog_on_hold")


@dataclass(frozen=True)
class Progress:
    """How far one partition with these events is complete: section 7."""

    received_through_ms: int | None
    progress_ms: int | None
    stale: frozenset[str]
    seen: frozenset[str]
    """Sources that sent events themselves and are not forgotten; an instance that reports for a source is not the source."""


def progress_of(events: Iterable[Event], configuration: Configuration) -> Progress:
    """Return the progress of one partition that holds the events, repeats and late ones too."""
    last_received: dict[str, int] = {}
    heartbeats: dict[str, list[tuple[int, int]]] = defaultdict(list)
    instances: dict[tuple[str, str], list[tuple[int, int | None]]] = defaultdict(list)
    ended: dict[str, int] = {}
    received_through: int | None = None
    for event in events:
        received = to_ms(event.received_at)
        received_through = received if received_through is None else max(received, received_through)
        if not isinstance(event, SourceHeartbeat) or event.instance is None:
            last_received[event.source] = max(received, last_received.get(event.source, received))
        if isinstance(event, SourceHeartbeat):
            if event.instance is not None:
                instances[event.source, event.instance].append((received, None if event.ended else to_ms(event.complete_through)))
            elif event.ended:
                ended[event.source] = max(received, ended.get(event.source, received))
            else:
                heartbeats[event.source].append((received, to_ms(event.complete_through)))
    if received_through is None:
        return Progress(None, None, frozenset(), frozenset())
    through = received_through
    timeout_ms = configuration.counting.source_timeout_seconds * 1000
    forget_ms = configuration.counting.source_forget_seconds * 1000
    disorder_ms = configuration.counting.disorder_seconds * 1000
    declared_ms = {name: 1000 * source.silence_seconds for name, source in configuration.sources.items() if source.silence_seconds}
    last_received = {
        source: received
        for source, received in last_received.items()
        if (through - received <= forget_ms or source in declared_ms) and received > ended.get(source, received - 1)
    }
    # The latest report of each instance, unless it ended or the report is too old.
    instance_reports: dict[str, list[int]] = defaultdict(list)
    for (source, _), reports in instances.items():
        at, reported_ms = max(reports, key=lambda each: (each[0], each[1] is None))
        if reported_ms is not None and at >= through - timeout_ms:
            instance_reports[source].append(reported_ms)

    def may_be_silent_ms(source: str) -> int:
        if source in declared_ms:
            return declared_ms[source]
        return max(timeout_ms, configuration.counting.silence_seconds * 1000) if source in instance_reports else timeout_ms

    stale = frozenset(source for source, received in last_received.items() if through - received > may_be_silent_ms(source))
    reporting = {source for source, received in last_received.items() if through - received <= timeout_ms} | instance_reports.keys()

    def complete_of(source: str) -> int:
        own = max(heartbeats[source], default=None)
        if own is not None and own[0] >= through - timeout_ms:
            return own[1]
        if source in instance_reports:
            return min(instance_reports[source])
        return last_received[source] - disorder_ms if own is None else own[1]

    complete = {source: complete_of(source) for source in reporting}
    journals = journals_of(configuration)
    if complete.keys() - journals:
        complete = {source: at for source, at in complete.items() if source not in journals}
    behind = {source for source, at in complete.items() if through - at > 1000 * configuration.counting.lag_limit_seconds}
    if behind == complete.keys():
        behind = set()
    progress_ms = min((at for source, at in complete.items() if source not in behind), default=through)
    return Progress(through, progress_ms, stale | (behind - journals), frozenset(last_received))


def recount(
    events: Iterable[Event],
    configuration: Configuration,
    as_of_ms: int | None = None,
    complete_through_ms: int | None = None,
) -> Recount:
    """Count everything from the events, in any order.

    Without `as_of_ms` or `complete_through_ms` these are taken as if all events were in one partition.
    Agents' time is booked through `complete_through_ms`, if given, else the progress of agents' own events, rounded down to a pane.
    """
    published = list(events)
    of_customers = [event for event in published if isinstance(event, CustomerModel | ForecastSet)]
    progress = progress_of([event for event in published if not isinstance(event, CustomerModel | ForecastSet)], configuration)
    of_people = [event for event in published if isinstance(event, AgentModel | SourceHeartbeat | SourceSnapshot)]
    contacts: dict[tuple[str, str], list[ContactModel]] = defaultdict(list)
    agents: dict[tuple[str, str], list[AgentModel]] = defaultdict(list)
    for event in published:
        if isinstance(event, ContactModel):
            contacts[space_of(event.source, configuration), event.conversation_id].append(event)
        elif isinstance(event, AgentModel):
            agents[person_of(event, configuration)].append(event)
    result = Recount(
        configuration,
        as_of_ms if as_of_ms is not None else progress.received_through_ms,
        complete_through_ms if complete_through_ms is not None else progress.progress_ms,
        people_through_ms=complete_through_ms if complete_through_ms is not None else progress_of(of_people, configuration).progress_ms,
    )
    snapshots = [event for event in published if isinstance(event, SourceSnapshot)]
    of_known_customers = []
    for (space, _), deliveries in contacts.items():
        verdict = judge(deliveries, as_known_in(space, configuration), result.complete_through_ms, snapshots)
        result.contributions += verdict.contributions
        result.open_items += verdict.open_items
        of_known_customers += [each for each in [contact_of(verdict)] if each is not None]
        result.late_contacts.update(getattr(event, "queue", None) for event in verdict.late)
    for (space, _), of_person in agents.items():
        person = follow(of_person, as_known_in(space, configuration), result._people_through())
        result.stretches += person.stretches
        result.spans += person.spans
        result.late_people += len(person.late)
        result.people_now += person.stretches[-1:]
    result.customers = Customers(of_customers, of_known_customers, configuration)
    return result


@dataclass
class Recount:
    """The result of the events; every method adds up from the start."""

    configuration: Configuration
    as_of_ms: int | None
    complete_through_ms: int | None
    contributions: list[Contribution] = field(default_factory=list)
    open_items: list[OpenItem] = field(default_factory=list)
    stretches: list[Stretch] = field(default_factory=list)
    spans: list[Span] = field(default_factory=list)
    people_now: list[Stretch] = field(default_factory=list)
    late_contacts: Counter[str | None] = field(default_factory=Counter)
    """Late contact events by the queue that they name."""
    late_people: int = 0
    people_through_ms: int | None = None
    known_since: dict[str, int] = field(default_factory=dict)
    """Since when a stream knows each version, where it had figures before."""
    customers: Customers | None = None
    #: Caches.
    _found: dict[tuple[Any, ...], list[Contribution]] = field(default_factory=dict, init=False, repr=False)
    _judges: dict[tuple[Any, ...], Chosen] = field(default_factory=dict, init=False, repr=False)

    # ---- figures

    def scopes(self) -> list[tuple[str, str | None]]:
        """Return all pairs of scope and channel of which anything is known, but single people; the channel is None for people."""
        return [pair for pair in self.all_scopes() if pair[1] is not None or not pair[0].startswith("agent:")]

    def all_scopes(self) -> list[tuple[str, str | None]]:
        """Return all pairs of scope and channel of which anything is known, those of single people too."""
        found: set[tuple[str, str | None]] = {(each.scope, each.channel) for each in self.contributions}
        found |= {(each.scope, each.channel) for each in self.open_items}
        found |= {(scope, None) for each in self.stretches if each.category is not None for scope in each.scopes}
        found |= {(scope, None) for each in self.spans for scope in each.scopes}
        return sorted(found, key=lambda pair: (pair[0], pair[1] or ""))

    def window(self, scope: str, channel: str | None, name: str, start_ms: int | None = None) -> dict[str, Figure]:
        """Return the KPIs of ``trailing_5m``, ``interval_30m`` (from `start_ms`, else of as-of), ``day`` or ``all``: the input."""
        low, high = self.bounds(scope, channel, name, start_ms)
        by_offer = not name.startswith("trailing_")
        if name.startswith("customers_"):
            if (channel is None and scope != "total:all") or (channel is not None and name == "customers_month"):
                return {}
            return self.customers.window(scope, channel, name, low, high) if self.customers else {}
        if channel is None:
            slice_ms = PANE_MS if name.startswith("trailing_") else self._cell_ms
            return self._reported_only(
                scope, channel, self._people_kpis(scope, [(low, high)], slice_ms, None if name == "all" else high - low)
            )
        at = self._judged_at(name, low)
        kpis = contact_kpis(
            self._chosen(scope, channel, low, high, by_offer=by_offer),
            self._definition(scope, channel, at),
            channel,
            by_offer=by_offer,
            waiting_over_threshold=0 if by_offer else self._over(scope, channel, at, missed=True),
            judge=lambda each: self._judge(scope, each.queue, channel, at)[1],
        )
        kpis = self._reported_only(scope, channel, kpis)
        return kpis | self._forecasts(scope, channel, low, high) if name == "day" or name.startswith("interval_") else kpis

    def _reported_only(self, scope: str, channel: str | None, kpis: dict[str, Figure]) -> dict[str, Figure]:
        """Return figures, with nulls in place of those that no source reports."""
        never = never_reported(scope, channel, self.configuration)
        nothing: Figure = {"value": None, "numerator": None, "denominator": None, "coverage": 0.0}
        return {kpi: nothing if kpi in never else figure for kpi, figure in kpis.items()}

    def _forecasts(self, scope: str, channel: str, low: int, high: int, cells: Iterable[int] | None = None) -> dict[str, Figure]:
        counting = self.configuration.counting
        over = (self.complete_through_ms or 0) >= high + 1000 * (counting.grace_seconds + counting.rejoin_seconds)
        customers = self.customers or Customers([], [], self.configuration)
        there = self._chosen(scope, channel, low, high, by_offer=True) if customers.forecasts else []
        entries = [each.offer_ms for each in there if each.what == "offered" for _ in range(each.amount)]
        known = range(low, high, self._cell_ms) if cells is None else cells
        return customers.of_forecasts(scope, channel, known, self._cell_ms, entries, over=over)

    def by_label(self, scope: str, channel: str | None, name: str, start_ms: int | None = None) -> dict[str, dict[str, Figure]]:
        """Return the figures of a window by KPI and label."""
        if channel is None:
            return {}
        low, high = self.bounds(scope, channel, name, start_ms)
        return subject_figures.by_label(sums(self._chosen(scope, channel, low, high, by_offer=not name.startswith("trailing_"))))

    def by_definition(self, scope: str, channel: str | None, name: str, start_ms: int | None = None) -> dict[str, dict[str, Figure]]:
        """Return the figures of the definitions beside the first, where they differ."""
        if channel is None:
            return {}
        low, high = self.bounds(scope, channel, name, start_ms)
        by_offer = not name.startswith("trailing_")
        at = self._judged_at(name, low)
        first = self._definition(scope, channel, at)
        chosen = self._chosen(scope, channel, low, high, by_offer=by_offer)
        found: dict[str, dict[str, Figure]] = {}
        total = sums(chosen)
        for other, definition in side_by_side(self.configuration, scope, channel, at, self.known_since):
            live = definition.count_at == "earliest" and not by_offer
            over = sum(is_over(definition, wait) for wait, _ in self._waits(scope, channel)) if live else 0
            kpis = level_kpis(chosen, lambda _, one=definition: one, over, by_offer=by_offer, n=total)  # type: ignore[misc]
            kpis |= {
                kpi: figure
                for kpi, figure in definition_kpis(chosen, definition, total).items()
                if getattr(definition, KEYS_OF[kpi]) != getattr(first, KEYS_OF[kpi])
            }
            found[f"{other}@{definition.version}"] = self._reported_only(scope, channel, kpis)
        return found

    def named(self, scope: str, channel: str | None, name: str, start_ms: int | None = None) -> dict[str, str]:
        """Return the definitions of a window's figures."""
        if channel is None:
            return {}
        low, high = self.bounds(scope, channel, name, start_ms)
        by_offer = not name.startswith("trailing_")
        at = self._judged_at(name, low)
        first = _label(chosen_for(self.configuration, scope, channel, at, self.known_since))
        exits = [each for each in self._chosen(scope, channel, low, high, by_offer=by_offer) if each.waited_ms is not None]
        labels = {_label(self._judge(scope, each.queue, channel, at)) for each in exits}
        level = ", ".join([first, *sorted(labels - {first})])
        levels = ("service_level",) if by_offer else ("service_level", "service_level_live")
        return {**dict.fromkeys(KEYS_OF, first), **dict.fromkeys(levels, level)}

    def _judged_at(self, name: str, low: int) -> int:
        return (self.as_of_ms or 0) if name == "all" else low

    def counts(self, scope: str, channel: str | None, name: str, start_ms: int | None = None) -> dict[str, int]:
        """Return the sums that the KPIs of a window come from, those that are not zero: for people, milliseconds by category."""
        low, high = self.bounds(scope, channel, name, start_ms)
        if channel is None:
            total = self._people_time(scope, low, high)
        else:
            total = sums(self._chosen(scope, channel, low, high, by_offer=not name.startswith("trailing_")))
        return {what: amount for what, amount in sorted(total.items()) if amount}

    def intervals(self, scope: str, channel: str | None, minutes: int) -> dict[int, dict[str, Figure]]:
        """Return the KPIs of every interval in which anything was booked, by its start."""
        starts: set[int] = set()
        if channel is not None:
            everything = self._chosen(scope, channel, *self.bounds(scope, channel, "all"), by_offer=True)
            starts = {self.interval_start(scope, each.offer_ms, minutes) for each in everything}
        else:
            for each in self.stretches:
                end = min(self._people_through() if each.end_ms is None else each.end_ms, self._people_through())
                if scope in each.scopes and each.category in BOOKED:
                    starts |= {self.interval_start(scope, at, minutes) for at in range(each.start_ms, end, MINUTE_MS)}
                    starts |= {self.interval_start(scope, end - 1, minutes)} if end > each.start_ms else set()
        return {start: self.window(scope, channel, f"interval_{minutes}m", start) for start in sorted(starts)}

    def totals(self) -> dict[str, Figure]:
        """Return the KPIs of ``total:all`` over its channels for the whole input; handling times are null where channels would be mixed."""
        chosen = [each for each in self.contributions if each.scope == "total:all" and each.channel is not None]
        channels = sorted({each.channel or "" for each in chosen} | {each.channel for each in self.open_items})
        at = self.as_of_ms or 0
        first = self._definition("total:all", channels[0] if channels else None, at)
        judge = lambda each: self._judge("total:all", each.queue, each.channel, at)[1]  # noqa: E731
        kpis = self._reported_only("total:all", "any", contact_kpis(chosen, first, None, by_offer=True, judge=judge))
        if len({each.channel for each in chosen if each.what == "handled"}) > 1:
            for name in ("aht", "att", "acw", "average_hold"):
                kpis[name] = {**kpis[name], "value": None, "coverage": None}
        return kpis

    def queues(self) -> dict[str, dict[str, dict[str, Figure]]]:
        """Return the KPIs of the whole input by queue and channel."""
        found: dict[str, dict[str, dict[str, Figure]]] = defaultdict(dict)
        for scope, channel in self.scopes():
            if scope.startswith("queue:") and channel is not None:
                found[scope.removeprefix("queue:")][channel] = self.window(scope, channel, "all")
        return dict(found)

    def now(self, scope: str, channel: str | None) -> dict[str, Any]:
        """Return the state at as-of: for agents the count by category, else waiting, in progress, callbacks and backlog."""
        if channel is None:
            counted = Counter(each.category for each in self.people_now if scope in each.scopes and each.category in {*BOOKED, "stale"})
            return {"agents_by_state": dict(counted)}
        open_items = [each for each in self.open_items if (each.scope, each.channel) == (scope, channel)]
        times: dict[str, list[int]] = defaultdict(list)
        for each in open_items:
            if each.at_ms is not None:
                times[each.what].append(each.at_ms)
        number = Counter(each.what for each in open_items)
        waits = [wait for wait, _ in self._waits(scope, channel)]
        return {
            "waiting": number["waiting"],
            "waiting_since_ms": sorted(times["waiting"]),
            "longest_wait_seconds": max(waits) / 1000 if waits else None,
            "waiting_past_threshold": self._over(scope, channel, self.as_of_ms or 0),
            "in_progress": number["in_progress"],
            "callbacks_waiting": number["callback"],
            "callbacks_overdue": sum(due < (self.as_of_ms or 0) for due in times["callback"]),
            **{state: number[state] for state in BACKLOG},
            "backlog_oldest_since_ms": min((start for state in BACKLOG for start in times[state]), default=None),
            "backlog_by_age": self._ages(scope, [start for state in BACKLOG for start in times[state]]),
            "reply_overdue": sum(due < (self.as_of_ms or 0) for due in times["reply"]) if self._replies_count(scope, channel) else None,
        }

    def targets(self) -> dict[tuple[str, str, str, str], Figure]:
        """Return the attainment of the targets of days and trailing windows by KPI, scope, channel (empty: all) and window."""
        return attainments(self)

    # ---- by outcome and without exceptions: section 15

    def by_outcome(self, scope: str, channel: str, name: str, start_ms: int | None = None) -> dict[str, Figure]:
        """Return the KPIs of an interval or day of contacts from what happened in it."""
        low, high = self.bounds(scope, channel, name, start_ms)
        chosen = self._chosen(scope, channel, low, high, by_offer=False)
        judge = lambda each: self._judge(scope, each.queue, channel, low)[1]  # noqa: E731
        kpis = contact_kpis(chosen, self._definition(scope, channel, low), channel, by_offer=False, judge=judge)
        return self._reported_only(scope, channel, {kpi: figure for kpi, figure in kpis.items() if kpi != "service_level_live"})

    def exceptions(self, scope: str, channel: str | None, name: str, start_ms: int | None = None) -> list[str]:
        """Return the names of the calendar exceptions that an interval or day falls into, by their begins."""
        low, high = self.bounds(scope, channel, name, start_ms)
        touching = sorted(each for each in self._exceptional(scope, channel) if _touches(each, low, high))
        return list(dict.fromkeys(each.name for each in touching))

    def without_exceptions(self, scope: str, channel: str | None, start_ms: int | None = None) -> dict[str, Figure]:
        """Return the KPIs of a day without its cells that an exception touches."""
        low, high = self.bounds(scope, channel, "day", start_ms)
        cell_ms = self._cell_ms
        exceptional = self._exceptional(scope, channel)
        cells = [c for c in range(low, high, cell_ms) if not any(_touches(each, c, c + cell_ms) for each in exceptional)]
        if channel is None:
            there = [(cell, cell + cell_ms) for cell in cells]
            return self._reported_only(scope, channel, self._people_kpis(scope, there, cell_ms, cell_ms * len(cells)))
        offered = self._chosen(scope, channel, low, high, by_offer=True)
        chosen = [each for each in offered if each.offer_ms // cell_ms * cell_ms in set(cells)]
        judge = lambda each: self._judge(scope, each.queue, channel, low)[1]  # noqa: E731
        kpis = contact_kpis(chosen, self._definition(scope, channel, low), channel, by_offer=True, judge=judge)
        return self._reported_only(scope, channel, kpis) | self._forecasts(scope, channel, low, high, cells)

    def age_ms(self, scope: str, since_ms: int, as_of_ms: int) -> int:
        """Return the age of what is in a backlog since an instant: of a queue on its clock."""
        queue = scope.removeprefix("queue:")
        if scope.startswith("queue:") and queue in self.configuration.queues and self.configuration.queues[queue].clock == "business":
            return wall.open_ms(self.configuration, queue, since_ms, as_of_ms)
        return max(0, as_of_ms - since_ms)

    def _exceptional(self, scope: str, channel: str | None) -> list[wall.Exceptional]:
        return wall.exceptions_of(self.configuration, scope, about_people=channel is None)

    def _ages(self, scope: str, starts: Iterable[int]) -> dict[str, int]:
        """Return the count of starts by age, by sections 11.6 and 15.2."""
        as_of, queue = self.as_of_ms or 0, scope.removeprefix("queue:")
        entry = self.configuration.queues.get(queue) if queue != scope else None
        found = dict.fromkeys(("0-4h", "4-24h", "1-3d", "3-7d", "over-7d"), 0)
        for start in starts:
            hour = start // HOUR_MS * HOUR_MS
            on_calendar = entry is None or entry.clock == "calendar"
            hours = Fraction(as_of - hour if on_calendar else wall.open_ms(self.configuration, queue, hour, as_of), HOUR_MS)
            band = "0-4h" if hours < 4 else "4-24h" if hours < 24 else "1-3d" if hours < 72 else "3-7d" if hours < 168 else "over-7d"
            found[band] += 1
        return found

    def _replies_count(self, scope: str, channel: str) -> bool:
        """Return whether overdue replies are counted in a scope and channel: section 11.4."""
        kind, _, name = scope.partition(":")
        targeted = [
            {"queue": queue, "department": entry.department, "business": entry.business, "site": entry.site, "total": "all"}
            for queue, entry in self.configuration.queues.items()
            if entry.reply_target_seconds is not None and entry.channel in {None, channel}
        ]
        return channel in REPLY_CHANNELS or any(names.get(kind) == name for names in targeted)

    # ---- when

    def bounds(self, scope: str, channel: str | None, name: str, start_ms: int | None = None) -> tuple[int, int]:
        """Return the first and the first no longer included millisecond of a window."""
        if name == "all":
            return -(10**18), 10**18
        as_of = self.as_of_ms or 0
        if name.startswith("trailing_"):
            high = as_of // PANE_MS * PANE_MS + PANE_MS if channel is not None else self._people_through()
            return high - _minutes(name) * MINUTE_MS, high
        if name.startswith("customers_") and channel is None:
            return self._calendar_span(as_of if start_ms is None else start_ms, month=name == "customers_month")
        if name.startswith("customers_"):
            return self._day(scope, as_of if start_ms is None else start_ms)
        if name.startswith("interval_"):
            return wall.interval(self._clock(scope)[0], as_of if start_ms is None else start_ms, _minutes(name))
        return self._day(scope, as_of)

    def interval_start(self, scope: str, at_ms: int, minutes: int) -> int:
        """Return the start of the interval that holds an instant, on the wall clock of the scope's zone."""
        return wall.interval(self._clock(scope)[0], at_ms, minutes)[0]

    def _day(self, scope: str, at_ms: int) -> tuple[int, int]:
        return wall.day(*self._clock(scope), at_ms)

    def _calendar_span(self, at_ms: int, *, month: bool) -> tuple[int, int]:
        """Return the date, or the month, that holds an instant in the default zone."""
        zone = self.configuration.zone_of_site(None)
        first = from_ms(at_ms).astimezone(zone).date().replace(**({"day": 1} if month else {}))
        after = (first + timedelta(days=32)).replace(day=1) if month else first + timedelta(days=1)
        low, high = (to_ms(datetime.combine(day, time(), tzinfo=zone)) for day in (first, after))
        return low, high

    def _clock(self, scope: str) -> tuple[ZoneInfo, time]:
        kind, name = scope.split(":", 1)
        site: str | None = None
        if kind == "site":
            site = name
        elif kind == "queue":
            site = self.configuration.queues[name].site if name in self.configuration.queues else None
        elif kind == "team":
            site = self.configuration.teams[name].site if name in self.configuration.teams else None
        elif kind == "agent":
            site = team_and_site(name, None, None, self.configuration)[1]
        place = self.configuration.sites.get(site) if site is not None else None
        return self.configuration.zone_of_site(site), time.fromisoformat(place.day_start if place else "00:00")

    def _people_through(self) -> int:
        return (self.people_through_ms or 0) // PANE_MS * PANE_MS

    # ---- what

    def _definition(self, scope: str, channel: str | None, at_ms: int) -> ServiceLevelDefinition:
        return chosen_for(self.configuration, scope, channel, at_ms, self.known_since)[1]

    def _judge(self, scope: str, queue: str | None, channel: str, at_ms: int) -> Chosen:
        key = (scope, queue, channel, at_ms)
        if key not in self._judges:
            self._judges[key] = judge_of(self.configuration, scope, queue, channel, at_ms, self.known_since)
        return self._judges[key]

    def _over(self, scope: str, channel: str, at_ms: int, *, missed: bool = False) -> int:
        """Return how many wait too long by the definitions of windows that begin then; with `missed` those already missed."""
        over = 0
        for wait, queue in self._waits(scope, channel):
            definition = self._judge(scope, queue, channel, at_ms)[1]
            over += is_over(definition, wait) and not (missed and definition.count_at == "outcome")
        return over

    def _chosen(self, scope: str, channel: str, low: int, high: int, *, by_offer: bool) -> list[Contribution]:
        # Windows begin and end at edges of panes and cells, so the instants themselves will do.
        instant: Callable[[Contribution], int] = (lambda each: each.offer_ms) if by_offer else (lambda each: each.outcome_ms)
        key = (scope, channel, low, high, by_offer, len(self.contributions))
        if key not in self._found:
            self._found[key] = [
                each for each in self.contributions if each.scope == scope and each.channel == channel and low <= instant(each) < high
            ]
        return self._found[key]

    def _people_time(self, scope: str, low: int, high: int) -> Counter[str]:
        time_ms: Counter[str] = Counter()
        for each in self.stretches:
            if scope in each.scopes and each.category in BOOKED:
                time_ms[each.category] += each.within(low, min(high, self._people_through()))
        return time_ms

    def _people_kpis(self, scope: str, parts: list[tuple[int, int]], slice_ms: int, length_ms: int | None) -> dict[str, Figure]:
        """Return the KPIs of agents of some stretches of time together; staffed time counts in full slices."""
        time_ms: Counter[str] = Counter()
        handled, staffed = 0, set()
        worked = [each for each in self.stretches if scope in each.scopes and each.category in BOOKED]
        for low, high in parts:
            until = min(high, self._people_through())
            time_ms.update(self._people_time(scope, low, high))
            for span in self.spans:
                if scope in span.scopes:
                    time_ms[span.what] += span.within(low, until)
            for each in self.contributions:
                if (each.scope, each.channel, each.what) == (scope, None, "handled") and low <= each.outcome_ms < high:
                    handled += each.amount
            for stretch in worked:
                if stretch.within(low, until):
                    end = until if stretch.end_ms is None else min(until, stretch.end_ms)
                    staffed |= set(range(max(stretch.start_ms, low) // slice_ms, -(-end // slice_ms)))
        fixed, individual = fixed_an_hour(scope, self.configuration), scope.startswith("agent:")
        figures = staff_figures(time_ms, handled, length_ms, fixed, slice_ms * len(staffed), individual=individual)
        return occupancy(time_ms) | figures

    @property
    def _cell_ms(self) -> int:
        return MINUTE_MS * (5 if 5 in self.configuration.counting.interval_minutes else 15)

    def _waits(self, scope: str, channel: str) -> list[tuple[int, str | None]]:
        as_of = self.as_of_ms or 0
        open_items = [each for each in self.open_items if (each.scope, each.channel, each.what) == (scope, channel, "waiting")]
        return [(max(0, as_of - each.at_ms), each.queue) for each in open_items if each.at_ms is not None]


def _label(chosen: Chosen) -> str:
    return f"{chosen[0]}@{chosen[1].version}"


def _touches(each: wall.Exceptional, low_ms: int, high_ms: int) -> bool:
    return each.start_ms < high_ms and (each.end_ms is None or low_ms < each.end_ms)


def _minutes(name: str) -> int:
    return int(name.rpartition("_")[2].removesuffix("m"))
