"""A served figure compared with its target: attainment, whether it is met, and whether it is on track (``docs/judging.md``)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from fractions import Fraction
from typing import TYPE_CHECKING, Final, Literal

from schemas.times import to_ms
from streams.catalogue.formulas import Figure
from streams.catalogue.kpis import KPI_BY_ID

if TYPE_CHECKING:
    from collections.abc import Iterable
    from zoneinfo import ZoneInfo

    from streams.configuration.models import Configuration
    from streams.configuration.places import Queue, Team
    from streams.configuration.targets import Target

__all__ = ["Judgment", "Progress", "TargetStatus", "Terms", "judged", "terms_of", "together"]

TargetStatus = Literal["unknown", "stretch_met", "met", "missed", "on_track", "behind", "open"]

#: Figures of several channels are combined by their maximum.
_LARGEST: Final = ("longest_wait", "backlog_oldest")
_HUNDRED_YEARS_MS: Final = 36_525 * 86_400_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """A target with its numbers in the unit of the figure, as exact decimals, and its dates as instants."""

    kpi: str
    scope_kind: str
    scope: str
    channel: str | None = None
    #: None for figures of now.
    window: str | None = None
    goal: Fraction | None = None
    stretch: Fraction | None = None
    low: Fraction | None = None
    high: Fraction | None = None
    start: Fraction | None = None
    start_date: str | None = None
    due: str | None = None
    #: The first instant of the start date, and that after the due date.
    begin_ms: int | None = None
    end_ms: int | None = None
    #: Whether it is configured in the queue, not in ``targets``.
    of_queue: bool = False

    @property
    def sign(self) -> int:
        """1 where higher is better, -1 where lower is, 0 for a band."""
        return {"up": 1, "down": -1, "none": 0}[KPI_BY_ID[self.kpi].direction]


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """The progress from the start value to the target: actual, expected and projected."""

    figure: Figure
    expected: float
    on_track: bool
    ahead: float
    projected_ms: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgment:
    """The result for a target; null where the figure does not allow one."""

    figure: Figure
    attainment: Figure
    standing: TargetStatus
    met: bool | None = None
    stretch_met: bool | None = None
    margin: float | None = None
    progress: Progress | None = None


def terms_of(configuration: Configuration) -> tuple[Terms, ...]:
    """Return the configured targets, those of queues' service levels last."""
    written = [_terms(target, configuration) for target in configuration.targets]
    own = {terms.scope for terms in written if terms.kpi == "service_level" and terms.scope_kind == "queue"}
    of_queues = [
        Terms(kpi="service_level", scope_kind="queue", scope=name, window="day", goal=_exact(queue.target), of_queue=True)
        for name, queue in configuration.queues.items()
        if queue.target is not None and name not in own
    ]
    return (*written, *of_queues)


def _terms(target: Target, configuration: Configuration) -> Terms:
    kind, _, name = target.scope.partition(":")
    scale = 100 if target.unit == "percent" else 1

    def number(value: float | None) -> Fraction | None:
        exact = _exact(value)
        return None if exact is None else exact / scale

    zone = _zone(kind, name, configuration)
    return Terms(
        kpi=target.kpi,
        scope_kind=kind,
        scope=name,
        channel=target.channel,
        window=target.window,
        goal=number(target.target),
        stretch=number(target.stretch),
        low=number(target.low),
        high=number(target.high),
        start=number(target.start_value),
        start_date=target.start_date,
        due=target.due,
        begin_ms=None if target.start_date is None else _begin_of(date.fromisoformat(target.start_date), zone),
        end_ms=None if target.due is None else _begin_of(date.fromisoformat(target.due) + timedelta(days=1), zone),
    )


def _zone(kind: str, name: str, configuration: Configuration) -> ZoneInfo:
    group: Queue | Team | None = None
    if kind == "queue":
        group = configuration.queues.get(name)
    elif kind == "team":
        group = configuration.teams.get(name)
    site = None if group is None else group.site
    return configuration.zone_of_site(name if kind == "site" else site)


def _begin_of(day: date, zone: ZoneInfo) -> int:
    return to_ms(datetime.combine(day, time(), zone).astimezone(UTC))


def together(terms: Terms, figures: Iterable[Figure]) -> Figure:
    """Return the combined figure of several channels."""
    known = [figure for figure in figures if figure["value"] is not None or figure["denominator"] is not None]
    if len(known) == 1:
        return known[0]
    coverages = [figure["coverage"] for figure in known if figure["coverage"] is not None]
    coverage = min(coverages, default=None)
    if not KPI_BY_ID[terms.kpi].has_parts:
        values = [figure["value"] for figure in known if figure["value"] is not None]
        combine = max if terms.kpi in _LARGEST else sum
        value = combine(values) if values else None
        return {"value": value, "numerator": value, "denominator": None, "coverage": coverage}
    parts = [(figure["numerator"], figure["denominator"]) for figure in known]
    ratios = [(_decimal(part), _decimal(whole)) for part, whole in parts if part is not None and whole is not None]
    numerator, denominator = (sum((ratio[n] for ratio in ratios), Fraction(0)) for n in (0, 1))
    if not ratios:
        return {"value": None, "numerator": None, "denominator": None, "coverage": coverage}
    return _figure(numerator, denominator, coverage)


def judged(terms: Terms, figure: Figure, as_of_ms: int) -> Judgment:
    """Return the result of the figure for the target at as-of."""
    v, coverage = _exact(figure["value"]), figure["coverage"]
    if v is None:
        return Judgment(figure=figure, attainment=_no_figure(coverage), standing="unknown")
    if terms.goal is None:
        return _in_band(terms, figure, v)
    sign, goal = terms.sign, terms.goal
    margin = sign * (v - goal)
    met = margin >= 0
    stretch_met = None if terms.stretch is None else sign * (v - terms.stretch) >= 0
    progress = _progress(terms, v, as_of_ms)
    status: TargetStatus = "open"
    if met:
        status = "stretch_met" if stretch_met else "met"
    elif terms.end_ms is None or as_of_ms >= terms.end_ms:
        status = "missed"
    elif progress is not None:
        status = "on_track" if progress.on_track else "behind"
    return Judgment(
        figure=figure,
        attainment=_figure(v, goal, coverage) if sign > 0 else _figure(goal, v, coverage),
        standing=status,
        met=met,
        stretch_met=stretch_met,
        margin=float(margin),
        progress=progress,
    )


def _in_band(terms: Terms, figure: Figure, v: Fraction) -> Judgment:
    margins = [v - terms.low] if terms.low is not None else []
    margins += [terms.high - v] if terms.high is not None else []
    margin = min(margins)
    bound = v
    if margin < 0:
        bound = terms.low if terms.low is not None and v < terms.low else terms.high or Fraction(0)
    met = margin >= 0
    attainment = _figure(min(v, bound), max(v, bound), figure["coverage"])
    return Judgment(figure=figure, attainment=attainment, standing="met" if met else "missed", met=met, margin=float(margin))


def _progress(terms: Terms, v: Fraction, as_of_ms: int) -> Progress | None:
    goal, start, begin, end = terms.goal, terms.start, terms.begin_ms, terms.end_ms
    if goal is None or start is None or begin is None or end is None:
        return None
    elapsed = max(Fraction(0), min(Fraction(1), Fraction(as_of_ms - begin, end - begin)))
    expected = start + elapsed * (goal - start)
    ahead = terms.sign * (v - expected)
    done = (v - start) / (goal - start)
    projected = None
    if done > 0 and as_of_ms > begin and (ms := int((as_of_ms - begin) / done)) <= _HUNDRED_YEARS_MS:
        projected = begin + ms
    figure = _figure(v - start, goal - start, None, signed=True)
    return Progress(figure=figure, expected=float(expected), on_track=ahead >= 0, ahead=float(ahead), projected_ms=projected)


def _figure(numerator: Fraction, denominator: Fraction, coverage: float | None, *, signed: bool = False) -> Figure:
    """Return a ratio with its parts; the value is null if the denominator is 0, or below 0 unless ``signed``."""
    is_valid = denominator != 0 if signed else denominator > 0
    value = float(numerator / denominator) if is_valid else None
    return {"value": value, "numerator": float(numerator), "denominator": float(denominator), "coverage": coverage}


def _no_figure(coverage: float | None) -> Figure:
    return {"value": None, "numerator": None, "denominator": None, "coverage": coverage}


def _decimal(value: float) -> Fraction:
    return Fraction(repr(value))


def _exact(value: float | None) -> Fraction | None:
    """Return a number as the decimal that is written: 0.1 is a tenth, not the nearest binary number."""
    return None if value is None else _decimal(value)
