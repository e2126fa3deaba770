"""Evaluate alert rules on expectations, from an outlook and the alerts that fire already; no clock, no network.

The stream does not evaluate expectations (``docs/design.md``): the notifier does, and writes these alerts with its actions.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from schemas.alert_actions import ExpectedAlert
from schemas.alerts import AlertRecord
from schemas.times import format_ms, parse_time_ms
from streams.configuration.alerts import AlertRule
from streams.windows.alerts import alert_id, alert_key

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from schemas.alerts import ClearedBecause

__all__ = ["Expectations", "Outlook"]

_MINUTE_MS: Final = 60_000


class Outlook(NamedTuple):
    """The expectations of queues, their as-of, and the rules to evaluate."""

    as_of_ms: int
    #: As ``GET /api/v1/outlook`` has them.
    queues: list[dict[str, Any]]
    rules: Mapping[str, AlertRule]


class _Breach(NamedTuple):
    start: str
    level: float
    contacts: float


class Expectations:
    """Remembers since when each breach is expected, or no longer expected, while this process leads."""

    def __init__(self) -> None:
        self._since: dict[str, int] = {}
        self._good_since: dict[str, int] = {}

    def evaluate(self, outlook: Outlook, alerts: Iterable[ExpectedAlert], now_ms: int) -> list[ExpectedAlert]:
        """Return the alerts that changed; ``alerts`` are those last written, ``now_ms`` is their least revision."""
        firing = {_key(each.alert): each for each in alerts if each.alert.state == "firing"}
        changed: list[ExpectedAlert] = []
        watched = set[str]()
        for name, rule, queue in _watched(outlook):
            key = alert_key(name, f"queue:{queue['queue']}", queue["channel"])
            watched.add(key)
            threshold = rule.threshold(queue["target"])
            if threshold is None:
                watched.discard(key)
                continue
            breach = _breach(rule, queue, threshold, outlook.as_of_ms)
            last = firing.get(key)
            if last is None:
                changed += self._maybe_fires(key, name, rule, queue, threshold, breach, outlook.as_of_ms, now_ms)
            else:
                changed += self._maybe_clears(key, rule, queue, last, breach, outlook.as_of_ms, now_ms)
        for key, last in firing.items():
            if key not in watched:
                rule_now = outlook.rules.get(last.alert.rule)
                configured = rule_now is not None and rule_now.is_expected
                changed.append(_cleared(last, "too_few_contacts" if configured else "rule_removed", outlook.as_of_ms, now_ms))
        for remembered in (self._since, self._good_since):
            for key in remembered.keys() - watched:
                del remembered[key]
        return changed

    def _maybe_fires(
        self,
        key: str,
        name: str,
        rule: AlertRule,
        queue: dict[str, Any],
        threshold: float,
        breach: _Breach | None,
        as_of_ms: int,
        now_ms: int,
    ) -> Iterator[ExpectedAlert]:
        self._good_since.pop(key, None)
        if breach is None:
            self._since.pop(key, None)
            return
        since = self._since.setdefault(key, as_of_ms)
        if as_of_ms - since < 1000 * rule.for_seconds:
            return
        del self._since[key]
        alert = AlertRecord(
            alert_id=alert_id(key, since),
            rule=name,
            severity=rule.severity,
            scope_kind="queue",
            scope=queue["queue"],
            channel=queue["channel"],
            state="firing",
            since=format_ms(since),
            fired_at=format_ms(as_of_ms),
            kpi=rule.kpi,
            window=None,
            value=breach.level,
            denominator=breach.contacts,
            below=threshold,
            clear_at=threshold,
            minimum_contacts=rule.minimum_contacts,
            for_seconds=rule.for_seconds,
            clear_for_seconds=rule.clear_for_seconds,
            message=None if rule.message is None else rule.message.model_dump(),
            expected_at=breach.start,
            as_of=format_ms(as_of_ms),
            revision=now_ms,
        )
        yield ExpectedAlert(alert=alert)

    def _maybe_clears(
        self, key: str, rule: AlertRule, queue: dict[str, Any], last: ExpectedAlert, breach: _Breach | None, as_of_ms: int, now_ms: int
    ) -> Iterator[ExpectedAlert]:
        if breach is not None:
            self._good_since.pop(key, None)
            if breach.start != last.alert.expected_at:
                # The expected time has moved.
                changes = {"expected_at": breach.start, "value": breach.level, "denominator": breach.contacts, "as_of": format_ms(as_of_ms)}
                yield _changed(last, now_ms, changes)
            return
        if as_of_ms - self._good_since.setdefault(key, as_of_ms) >= 1000 * rule.clear_for_seconds:
            del self._good_since[key]
            known = any(each["service_level"] is not None for each in queue["intervals"])
            yield _cleared(last, "recovered" if known else "too_few_contacts", as_of_ms, now_ms)


def _watched(outlook: Outlook) -> Iterator[tuple[str, AlertRule, dict[str, Any]]]:
    for name, rule in outlook.rules.items():
        if rule.is_expected:
            for queue in outlook.queues:
                if rule.covers(f"queue:{queue['queue']}", queue["channel"]):
                    yield name, rule, queue


def _breach(rule: AlertRule, queue: dict[str, Any], threshold: float, as_of_ms: int) -> _Breach | None:
    """Return the first interval within the rule's minutes that is expected below the threshold, with enough contacts."""
    ends = as_of_ms + (rule.expected_within_minutes or 0) * _MINUTE_MS
    for each in queue["intervals"]:
        level = each["service_level"]
        if parse_time_ms(each["start"]) <= ends and level is not None and level < threshold and each["contacts"] >= rule.minimum_contacts:
            return _Breach(each["start"], level, each["contacts"])
    return None


def _key(alert: AlertRecord) -> str:
    return alert_key(alert.rule, f"{alert.scope_kind}:{alert.scope}", alert.channel)


def _changed(last: ExpectedAlert, now_ms: int, changes: dict[str, Any]) -> ExpectedAlert:
    alert = last.alert.model_copy(update={**changes, "revision": max(now_ms, last.alert.revision + 1)})
    return ExpectedAlert(alert=alert, revision=last.revision + 1)


def _cleared(last: ExpectedAlert, because: ClearedBecause, as_of_ms: int, now_ms: int) -> ExpectedAlert:
    at = format_ms(as_of_ms)
    return _changed(last, now_ms, {"state": "cleared", "cleared_at": at, "cleared_because": because, "as_of": at})
