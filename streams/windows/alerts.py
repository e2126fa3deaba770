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
#: Figures that grow with time alone.
_GROWING = frozenset(_NOW_FIELDS.values())


def _always(_at_ms: int) -> bool:
    return True


#: A breach is taken to have begun at the evaluation before the one that first sees it, but at most this long before.
_UNSEEN_MS = 1000


class Evaluation(NamedTuple):
    """A flush: its as-of, whether any source is stale, and the as-of of the previous flush, None after a start."""

    at_ms: int
    stale: bool
    before_ms: int | None = None

    @property
    def began_ms(self) -> int:
        """The begin of a breach that this evaluation is the first to see."""
        return self.at_ms if self.before_ms is None else max(self.before_ms, self.at_ms - _UNSEEN_MS)


class AlertChange(NamedTuple):
    """The new state of an alert; None if it is deleted."""

    key: str
    record: AlertRecord | None
    #: whether it has just fired or cleared
    announced: bool


class Condition:
    """One figure of a rule, and its thresholds."""

    __slots__ = ("_minimum", "_sign", "clear_at", "field", "terms", "threshold", "window")

    def __init__(self, configured: AlertCondition, threshold: float) -> None:
        self.window = configured.window
        #: name of the figure in the window's KPIs, or in the figures of now
        self.field = configured.kpi if configured.window is not None else _NOW_FIELDS.get(configured.kpi, configured.kpi)
        self._sign = 1 if configured.above is None else -1
        self.threshold = threshold
        self.clear_at = threshold if configured.clear_at is None else configured.clear_at
        self._minimum = configured.minimum_contacts
        #: its fields in every record
        self.terms: dict[str, Any] = {
            "kpi": configured.kpi,
            "window": configured.window,
            "below": threshold if configured.above is None else None,
            "above": configured.above,
            "clear_at": self.clear_at,
            "minimum_contacts": configured.minimum_contacts,
        }

    def has_enough(self, figure: Figure) -> bool:
        """Return whether the figure has a value from enough contacts."""
        return figure.get("value") is not None and (figure.get("denominator") or 0) >= self._minimum

    def is_beyond(self, figure: Figure, threshold: float) -> bool:
        """Return whether the figure has enough contacts and is beyond a threshold."""
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
        self.conditions = tuple(Condition(condition, _threshold(name, condition, scope, target)) for condition in rule.conditions)
        self._first = self.conditions[0]
        self._is_single = len(self.conditions) == 1
        self._needs_all = rule.any is None
        self.of_now = any(condition.window is None for condition in self.conditions)
        self._is_open = partial(is_open, scope) if rule.during == "business_hours" else _always
        self._for_ms, self._clear_for_ms = 1000 * rule.for_seconds, 1000 * rule.clear_for_seconds
        kind, scope_name = scope.split(":", 1)
        #: fields of every record
        self._terms: dict[str, Any] = {
            "rule": name,
            "severity": rule.severity,
            "scope_kind": kind,
            "scope": scope_name,
            "channel": channel,
            "for_seconds": rule.for_seconds,
            "clear_for_seconds": rule.clear_for_seconds,
            "combined": None if self._is_single else "all" if self._needs_all else "any",
            "message": None if rule.message is None else rule.message.model_dump(),
        }

    def step(
        self, last: AlertRecord | None, figures: Sequence[Figure], evaluation: Evaluation, definition: str | None = None
    ) -> AlertRecord | None:
        """Return the alert after an evaluation: ``last`` itself if it has not changed, None if there is none.

        ``figures`` are those of the conditions, in order.
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
            # A stale source may hide a breach: recovery restarts when it reports again.
            return last if recovering is None else self._write(last, "firing", figures, at, since=since, fired_at=fired)
        began = at if recovering is None else recovering
        if at - began >= self._clear_for_ms:
            because: ClearedBecause = "recovered" if self._has_recovered(figures) else "too_few_contacts"
            instants = {"recovering_since": began, "cleared_at": at}
            return self._write(last, "cleared", figures, at, since=since, fired_at=fired, cleared_because=because, **instants)
        if recovering is None:
            return self._write(last, "firing", figures, at, since=since, fired_at=fired, recovering_since=at)
        return last

    def may_change(self, figures: Sequence[Figure]) -> bool:
        """Return whether time alone may change the alert: a figure is beyond its threshold, or grows with time."""
        for condition, figure in zip(self.conditions, figures, strict=True):
            if condition.is_beyond(figure, condition.threshold) or (condition.field in _GROWING and figure.get("value") is not None):
                return True
        return False

    def _is_beyond(self, figures: Sequence[Figure]) -> bool:
        if self._is_single:
            return self._first.is_beyond(figures[0], self._first.threshold)
        return self._joined(
            condition.is_beyond(figure, condition.threshold) for condition, figure in zip(self.conditions, figures, strict=True)
        )

    def _is_still_beyond(self, figures: Sequence[Figure]) -> bool:
        return self._joined(
            condition.is_beyond(figure, condition.clear_at) for condition, figure in zip(self.conditions, figures, strict=True)
        )

    def _joined(self, results: Iterable[bool]) -> bool:
        return all(results) if self._needs_all else any(results)

    def _has_recovered(self, figures: Sequence[Figure]) -> bool:
        """Return whether measured figures, not missing contacts, end the breach."""
        pairs = [*zip(self.conditions, figures, strict=True)]
        if self._needs_all:
            return any(condition.has_enough(figure) and not condition.is_beyond(figure, condition.clear_at) for condition, figure in pairs)
        return all(condition.has_enough(figure) for condition, figure in pairs)

    def _shown_index(self, last: AlertRecord | None, figures: Sequence[Figure]) -> int:
        """Return the condition that records show: the first, or with ``any`` the first that was beyond when the alert fired."""
        if self._is_single or self._needs_all:
            return 0
        if last is None or last.state != "firing":
            return next(
                index for index, condition in enumerate(self.conditions) if condition.is_beyond(figures[index], condition.threshold)
            )
        shown = (last.kpi, last.window, last.below, last.above)
        terms = [
            (condition.terms["kpi"], condition.window, condition.terms["below"], condition.terms["above"]) for condition in self.conditions
        ]
        return terms.index(shown) if shown in terms else 0

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
        shown = self._shown_index(last, figures)
        conditions = [{**condition.terms, **_parts(figure)} for condition, figure in zip(self.conditions, figures, strict=True)]
        return AlertRecord(
            **self._terms,
            **conditions[shown],
            conditions=None if self._is_single else conditions,
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
    """The alerts of one partition of roll-up."""

    def __init__(self, configuration: Configuration) -> None:
        self._configuration = configuration
        self._rules = configuration.alerts
        self._is_open = opening_of(configuration)
        self._records: dict[str, AlertRecord] = {}
        self._changes: list[AlertChange] = []
        self._has_begun = False

    @property
    def is_idle(self) -> bool:
        """Whether there are neither rules nor alerts of former rules."""
        return not self._rules and not self._records

    def restore(self, key: str, record: AlertRecord) -> None:
        """Restore an alert."""
        self._records[key] = record

    def watches_of(self, scope: str, channel: str | None) -> tuple[Watch, ...]:
        """Return the watches of a scope and channel, one for each rule."""
        return tuple(Watch(name, rule, scope, channel, target, self._is_open) for name, rule, target in self._rules_of(scope, channel))

    def _rules_of(self, scope: str, channel: str | None) -> Iterator[tuple[str, AlertRule, float | None]]:
        kind, queue_name = scope.split(":", 1)
        queue = self._configuration.queues.get(queue_name) if kind == "queue" else None
        target = None if queue is None else queue.target
        for name, rule in self._rules.items():
            if not rule.is_expected and rule.covers(scope, channel) and (target is not None or not rule.of_a_target):
                yield name, rule, target

    def begin(self, at_ms: int) -> list[tuple[str, str | None]]:
        """At the first call, clear alerts without a rule; return the scopes and channels of the others."""
        if self._has_begun:
            return []
        self._has_begun = True
        watched: list[tuple[str, str | None]] = []
        for key, last in list(self._records.items()):
            scope_key = _scope_key_of(last)
            if last.state == "cleared":
                continue
            if any(alert_key(name, *scope_key) == key for name, _, _ in self._rules_of(*scope_key)):
                watched.append(scope_key)
                continue
            self._set(key, last, None if last.state == "pending" else _cleared(last, at_ms, "rule_removed"))
        return watched

    def scope_keys(self) -> set[ScopeKey]:
        """Return the scopes and channels that have alerts."""
        return {_scope_key_of(last) for last in self._records.values()}

    def forget(self, scope_keys: Collection[ScopeKey], at_ms: int) -> None:
        """Delete the alerts of expired scopes; firing ones are cleared first."""
        for key, last in [(key, last) for key, last in self._records.items() if _scope_key_of(last) in scope_keys]:
            if last.state == "firing":
                self._set(key, last, _cleared(last, at_ms, "too_few_contacts"))
            self._set(key, last, None)

    def set_back(self, at_ms: int) -> None:
        """After a reset of progress, drop pending states and recoveries that began after as-of."""
        at = format_ms(at_ms)
        for key, last in list(self._records.items()):
            if last.state == "pending" and last.since > at:
                self._set(key, last, None)
            elif last.recovering_since is not None and last.recovering_since > at and last.state == "firing":
                self._set(key, last, last.model_copy(update={"recovering_since": None, "revision": _revision(last, at_ms)}))

    def evaluate(self, watch: Watch, figures: Sequence[Figure], evaluation: Evaluation, definition: str | None = None) -> bool:
        """Evaluate a rule; return whether it needs another evaluation even if its figures do not change."""
        last = self._records.get(watch.key)
        record = watch.step(last, figures, evaluation, definition)
        self._set(watch.key, last, record)
        return (record is not None and record.state != "cleared") or watch.may_change(figures)

    def _set(self, key: str, last: AlertRecord | None, record: AlertRecord | None) -> None:
        if record is last:
            return
        if record is None:
            del self._records[key]
        else:
            self._records[key] = record
        announced = record is not None and record.state != "pending" and (last is None or last.state != record.state)
        self._changes.append(AlertChange(key, record, announced))

    def changes(self) -> list[AlertChange]:
        """Return the changes since the last call."""
        changes, self._changes = self._changes, []
        return changes


def _scope_key_of(record: AlertRecord) -> ScopeKey:
    return f"{record.scope_kind}:{record.scope}", record.channel


def _cleared(last: AlertRecord, at_ms: int, because: ClearedBecause) -> AlertRecord:
    """Return an alert that is cleared without a figure."""
    at = format_ms(at_ms)
    cleared = {"state": "cleared", "cleared_at": at, "cleared_because": because, "as_of": at, "revision": _revision(last, at_ms)}
    no_figure = dict.fromkeys(("value", "numerator", "denominator"))
    conditions = None if last.conditions is None else [condition.model_copy(update=no_figure) for condition in last.conditions]
    return last.model_copy(update={**cleared, **no_figure, "conditions": conditions})


def alert_key(rule: str, scope: str, channel: str | None) -> str:
    """Return the key of the records of a rule on a scope and channel."""
    return f"alert|{rule}|{channel or '-'}|{scope}"


def alert_id(key: str, since_ms: int) -> str:
    """Return the id of one breach."""
    return sha256(f"{key}|{since_ms}".encode()).hexdigest()[:32]


def _revision(last: AlertRecord | None, at_ms: int) -> int:
    """Return a revision that grows even if the record was deleted and the worker restarted in between."""
    return max(at_ms, 1) if last is None else max(at_ms, last.revision + 1)
