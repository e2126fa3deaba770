"""Alerts: what fires and clears when a figure stays beyond a rule's threshold (``docs/judging.md``)."""

from __future__ import annotations

from functools import partial
from hashlib import sha256
from typing import TYPE_CHECKING, Any, NamedTuple

from schemas.alerts import AlertRecord
from schemas.times import format_ms, parse_time_ms
from streams.windows.hours import opening_of

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence

    from schemas.alerts import ClearedBecause
    from streams.configuration import Configuration
    from streams.configuration.alert_conditions import AlertCondition
    from streams.configuration.alerts import AlertRule
    from streams.windows.scope_keys import ScopeKey

    Figure = Mapping[str, float | None]

__all__ = ["AlertChange", "Alerts", "Condition", "Evaluation", "Watch", "alert_id", "alert_key"]

#: Figures of now whose field is not named as the KPI.
_NOW_FIELDS = {"longest_wait": "longest_wait_seconds", "backlog_oldest": "backlog_oldest_seconds"}
#: Those that grow with every instant, though nothing happens.
_GROWING = frozenset(_NOW_FIELDS.values())


def _always(_at_ms: int) -> bool:
    return True


#: A look sees what began since the one before it, and takes it to have begun then; but nothing began longer ago than this.
_UNSEEN_MS = 1000


class Evaluation(NamedTuple):
    """What a flush looks with: its as-of, whether any source of the stream is stale, and the as-of of the flush before since the start."""

    at_ms: int
    stale: bool
    before_ms: int | None = None

    @property
    def began_ms(self) -> int:
        """When that began which this look is the first to see."""
        return self.at_ms if self.before_ms is None else max(self.before_ms, self.at_ms - _UNSEEN_MS)


class AlertChange(NamedTuple):
    """Where an alert stands from now on; no record where it stands nowhere any more."""

    key: str
    record: AlertRecord | None
    #: It has just fired or cleared, and not only moved towards that.
    announced: bool


class Condition:
    """One figure of a rule, and what is beyond for it."""

    __slots__ = ("_minimum", "_sign", "clear_at", "field", "terms", "threshold", "window")

    def __init__(self, told: AlertCondition, threshold: float) -> None:
        self.window = told.window
        #: what the figure is called in the window's KPIs, or in the figures of now
        self.field = told.kpi if told.window is not None else _NOW_FIELDS.get(told.kpi, told.kpi)
        self._sign = 1 if told.above is None else -1
        self.threshold = threshold
        self.clear_at = threshold if told.clear_at is None else told.clear_at
        self._minimum = told.minimum_contacts
        #: what every record says of it
        self.terms: dict[str, Any] = {
            "kpi": told.kpi,
            "window": told.window,
            "below": threshold if told.above is None else None,
            "above": told.above,
            "clear_at": self.clear_at,
            "minimum_contacts": told.minimum_contacts,
        }

    def has_enough(self, figure: Figure) -> bool:
        """Say whether the figure says anything."""
        return figure.get("value") is not None and (figure.get("denominator") or 0) >= self._minimum

    def is_beyond(self, figure: Figure, threshold: float) -> bool:
        """Say whether the figure is beyond a threshold."""
        value = figure.get("value")
        return value is not None and self._sign * value < self._sign * threshold and (figure.get("denominator") or 0) >= self._minimum


class Watch:
    """One rule on one scope and channel."""

    def __init__(
        self,
        name: str,
        rule: AlertRule,
        scope: str,
        channel: str | None,
        target: float | None,
        is_open: Callable[[str, int], bool],
    ) -> None:
        self.key = alert_key(name, scope, channel)
        self.conditions = tuple(Condition(each, _threshold(name, each, scope, target)) for each in rule.conditions)
        self._first = self.conditions[0]
        self._is_alone = len(self.conditions) == 1
        self._needs_all = rule.any is None
        self.of_now = any(each.window is None for each in self.conditions)
        self._is_open = partial(is_open, scope) if rule.during == "business_hours" else _always
        self._for_ms, self._clear_for_ms = 1000 * rule.for_seconds, 1000 * rule.clear_for_seconds
        kind, scope_name = scope.split(":", 1)
        #: what every record of it says
        self._terms: dict[str, Any] = {
            "rule": name,
            "severity": rule.severity,
            "scope_kind": kind,
            "scope": scope_name,
            "channel": channel,
            "for_seconds": rule.for_seconds,
            "clear_for_seconds": rule.clear_for_seconds,
            "combined": None if self._is_alone else "all" if self._needs_all else "any",
            "message": None if rule.message is None else rule.message.model_dump(),
        }

    def step(
        self, last: AlertRecord | None, figures: Sequence[Figure], evaluation: Evaluation, definition: str | None = None
    ) -> AlertRecord | None:
        """Return where the alert stands after a look: ``last`` itself if that has not changed, None if it stands nowhere.

        ``figures`` are those of the conditions, in their order.
        """
        self._terms["definition"] = definition
        at = evaluation.at_ms
        is_open = self._is_open(at)
        if last is None or last.state == "cleared":
            if not (is_open and self._is_beyond(figures)):
                return last
            began = evaluation.began_ms
            fires = at - began >= self._for_ms
            return self._write(last, "firing" if fires else "pending", figures, at, since=began, fired_at=at if fires else None)
        since = parse_time_ms(last.since)
        if last.state == "pending":
            if not (is_open and self._is_beyond(figures)):
                return None
            if at - since < self._for_ms:
                return last
            return self._write(last, "firing", figures, at, since=since, fired_at=at)
        fired = None if last.fired_at is None else parse_time_ms(last.fired_at)
        if not is_open:
            return self._write(last, "cleared", figures, at, since=since, fired_at=fired, cleared_at=at, cleared_because="closed")
        recovering = None if last.recovering_since is None else parse_time_ms(last.recovering_since)
        if evaluation.stale or self._is_still_beyond(figures):
            # A silent source may have nothing good to tell: what was good before it fell silent counts no more.
            return last if recovering is None else self._write(last, "firing", figures, at, since=since, fired_at=fired)
        began = at if recovering is None else recovering
        if at - began >= self._clear_for_ms:
            because: ClearedBecause = "recovered" if self._has_recovered(figures) else "too_few_contacts"
            told = {"recovering_since": began, "cleared_at": at}
            return self._write(last, "cleared", figures, at, since=since, fired_at=fired, cleared_because=because, **told)
        if recovering is None:
            return self._write(last, "firing", figures, at, since=since, fired_at=fired, recovering_since=at)
        return last

    def may_change(self, figures: Sequence[Figure]) -> bool:
        """Say whether time alone may fire an alert, open or not: a figure is beyond its threshold, or grows by itself."""
        for each, figure in zip(self.conditions, figures, strict=True):
            if each.is_beyond(figure, each.threshold) or (each.field in _GROWING and figure.get("value") is not None):
                return True
        return False

    def _is_beyond(self, figures: Sequence[Figure]) -> bool:
        if self._is_alone:
            return self._first.is_beyond(figures[0], self._first.threshold)
        return self._joined(each.is_beyond(figure, each.threshold) for each, figure in zip(self.conditions, figures, strict=True))

    def _is_still_beyond(self, figures: Sequence[Figure]) -> bool:
        return self._joined(each.is_beyond(figure, each.clear_at) for each, figure in zip(self.conditions, figures, strict=True))

    def _joined(self, found: Iterable[bool]) -> bool:
        return all(found) if self._needs_all else any(found)

    def _has_recovered(self, figures: Sequence[Figure]) -> bool:
        """Say whether figures that say something are the reason why it is not beyond any more."""
        pairs = [*zip(self.conditions, figures, strict=True)]
        if self._needs_all:
            return any(each.has_enough(figure) and not each.is_beyond(figure, each.clear_at) for each, figure in pairs)
        return all(each.has_enough(figure) for each, figure in pairs)

    def _shown(self, last: AlertRecord | None, figures: Sequence[Figure]) -> int:
        """Return which condition stands for the alert: the first, or of any the first that was beyond when it fired."""
        if self._is_alone or self._needs_all:
            return 0
        if last is None or last.state != "firing":
            return next(number for number, each in enumerate(self.conditions) if each.is_beyond(figures[number], each.threshold))
        stood = (last.kpi, last.window, last.below, last.above)
        told = [(each.terms["kpi"], each.window, each.terms["below"], each.terms["above"]) for each in self.conditions]
        return told.index(stood) if stood in told else 0

    def _write(
        self,
        last: AlertRecord | None,
        state: str,
        figures: Sequence[Figure],
        at: int,
        *,
        since: int,
        cleared_because: ClearedBecause | None = None,
        **instants: int | None,
    ) -> AlertRecord:
        shown = self._shown(last, figures)
        told = [{**each.terms, **_parts(figure)} for each, figure in zip(self.conditions, figures, strict=True)]
        return AlertRecord(
            **self._terms,
            **told[shown],
            conditions=None if self._is_alone else told,
            alert_id=alert_id(self.key, since),
            state=state,
            since=format_ms(since),
            **{name: None if instant is None else format_ms(instant) for name, instant in instants.items()},
            cleared_because=cleared_because,
            as_of=format_ms(at),
            revision=_revision(last, at),
        )


def _threshold(name: str, condition: AlertCondition, scope: str, target: float | None) -> float:
    threshold = condition.threshold(target)
    if threshold is None:
        msg = f"{name} has no threshold on {scope}"
        raise ValueError(msg)
    return threshold


def _parts(figure: Figure) -> dict[str, float | None]:
    return {name: figure.get(name) for name in ("value", "numerator", "denominator")}


class Alerts:
    """Where the alerts of one partition stand."""

    def __init__(self, configuration: Configuration) -> None:
        self._configuration = configuration
        self._rules = configuration.alerts
        self._is_open = opening_of(configuration)
        self._standing: dict[str, AlertRecord] = {}
        self._changes: list[AlertChange] = []
        self._looked = False

    @property
    def idle(self) -> bool:
        """Whether there is nothing to look at: no rules, and nothing that stands from former ones."""
        return not self._rules and not self._standing

    def restore(self, key: str, record: AlertRecord) -> None:
        """Take back where an alert stood."""
        self._standing[key] = record

    def watches_of(self, scope: str, channel: str | None) -> tuple[Watch, ...]:
        """Return the rules that look at a scope and channel, ready to look."""
        return tuple(Watch(name, rule, scope, channel, target, self._is_open) for name, rule, target in self._rules_on(scope, channel))

    def _rules_on(self, scope: str, channel: str | None) -> Iterator[tuple[str, AlertRule, float | None]]:
        kind, queue_name = scope.split(":", 1)
        queue = self._configuration.queues.get(queue_name) if kind == "queue" else None
        target = None if queue is None else queue.target
        for name, rule in self._rules.items():
            if not rule.is_expected and rule.covers(scope, channel) and (target is not None or not rule.of_a_target):
                yield name, rule, target

    def begin(self, at_ms: int) -> list[tuple[str, str | None]]:
        """At the first look, drop what is no longer watched; return the scopes and channels of what is."""
        if self._looked:
            return []
        self._looked = True
        kept: list[tuple[str, str | None]] = []
        for key, last in list(self._standing.items()):
            place = _place(last)
            if last.state == "cleared":
                continue
            if any(alert_key(name, *place) == key for name, _, _ in self._rules_on(*place)):
                kept.append(place)
                continue
            self._stand(key, last, None if last.state == "pending" else _cleared(last, at_ms, "rule_removed"))
        return kept

    def places(self) -> set[ScopeKey]:
        """Return the scopes and channels of which something stands."""
        return {_place(last) for last in self._standing.values()}

    def forget(self, places: Collection[ScopeKey], at_ms: int) -> None:
        """Let nothing stand any more of scopes that have expired; what fires is cleared before."""
        for key, last in [(key, last) for key, last in self._standing.items() if _place(last) in places]:
            if last.state == "firing":
                self._stand(key, last, _cleared(last, at_ms, "too_few_contacts"))
            self._stand(key, last, None)

    def set_back(self, at_ms: int) -> None:
        """Let no alert wait for an instant that has not come: none pends, or recovers, since a time after as-of."""
        at = format_ms(at_ms)
        for key, last in list(self._standing.items()):
            if last.state == "pending" and last.since > at:
                self._stand(key, last, None)
            elif last.recovering_since is not None and last.recovering_since > at and last.state == "firing":
                self._stand(key, last, last.model_copy(update={"recovering_since": None, "revision": _revision(last, at_ms)}))

    def evaluate(self, watch: Watch, figures: Sequence[Figure], evaluation: Evaluation, definition: str | None = None) -> bool:
        """Look at the figures of a rule and at what they are judged by; say whether to look again though none of them changes."""
        last = self._standing.get(watch.key)
        record = watch.step(last, figures, evaluation, definition)
        self._stand(watch.key, last, record)
        return (record is not None and record.state != "cleared") or watch.may_change(figures)

    def _stand(self, key: str, last: AlertRecord | None, record: AlertRecord | None) -> None:
        if record is last:
            return
        if record is None:
            del self._standing[key]
        else:
            self._standing[key] = record
        announced = record is not None and record.state != "pending" and (last is None or last.state != record.state)
        self._changes.append(AlertChange(key, record, announced))

    def changes(self) -> list[AlertChange]:
        """Return what has changed since the last call."""
        changes, self._changes = self._changes, []
        return changes


def _place(record: AlertRecord) -> ScopeKey:
    return f"{record.scope_kind}:{record.scope}", record.channel


def _cleared(last: AlertRecord, at_ms: int, because: ClearedBecause) -> AlertRecord:
    """Return an alert that is cleared though its figure is not known any more."""
    at = format_ms(at_ms)
    told = {"state": "cleared", "cleared_at": at, "cleared_because": because, "as_of": at, "revision": _revision(last, at_ms)}
    nothing = dict.fromkeys(("value", "numerator", "denominator"))
    several = None if last.conditions is None else [each.model_copy(update=nothing) for each in last.conditions]
    return last.model_copy(update={**told, **nothing, "conditions": several})


def alert_key(rule: str, scope: str, channel: str | None) -> str:
    """Return the key of the records of a rule on a scope and channel."""
    return f"alert|{rule}|{channel or '-'}|{scope}"


def alert_id(key: str, since_ms: int) -> str:
    """Return the name of one breach."""
    return sha256(f"{key}|{since_ms}".encode()).hexdigest()[:32]


def _revision(last: AlertRecord | None, at_ms: int) -> int:
    """Return a revision that goes on growing when the record has been deleted and the worker started again in between."""
    return max(at_ms, 1) if last is None else max(at_ms, last.revision + 1)
