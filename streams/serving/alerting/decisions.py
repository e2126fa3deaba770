"""Decide the next notifications from the actions so far, the routes, and the time; no clock, no network.

Decisions are written before anything is sent, and follow from written records alone. A process that ends loses nothing, and its
successor decides nothing twice.
"""

from __future__ import annotations

import uuid
from collections import defaultdict
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from schemas.alert_actions import ActionRecord, Notification, OpenAlert
from schemas.times import from_ms, to_ms
from streams.serving.alerting.actions import key_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from schemas.alert_actions import Event
    from schemas.alerts import AlertRecord
    from streams.configuration.alerting import Alerting, Route
    from streams.serving.alerting.actions import Actions

__all__ = ["MOST_IN_ONE", "Decisions", "decide", "ingested", "with_outcome"]

#: The most alerts in one message.
MOST_IN_ONE: Final = 50
_NAMESPACE: Final = uuid.UUID("6f1f3c0e-7a54-4d0a-9b0e-2f6c4b8f5d21")


class Decisions(NamedTuple):
    """Records to write and keys to delete, in one transaction."""

    records: list[ActionRecord]
    deleted: list[str]


def ingested(actions: Actions, alert: AlertRecord, noticed_ms: int) -> OpenAlert | None:
    """Return the record to write for a record of the history of alerts; None where it changes nothing."""
    known = actions.open_alert(alert.alert_id)
    if alert.state == "firing":
        return OpenAlert(alert=alert, noticed_at=from_ms(noticed_ms)) if known is None else None
    if known is None or known.cleared is not None:
        return None
    return _changed(known, cleared=alert, cleared_noticed_at=from_ms(noticed_ms))


def decide(actions: Actions, alerting: Alerting, now_ms: int) -> Decisions:
    """Return the decisions at an instant, in milliseconds since the epoch."""
    return _Round(actions, alerting, now_ms).decided()


def with_outcome(message: Notification, *, accepted: bool, now_ms: int) -> Notification:
    """Return a notification with its outcome."""
    changes: dict[str, Any] = {"outcome": "delivered" if accepted else "refused", "settled_at": from_ms(now_ms)}
    return message.model_copy(update={**changes, "revision": message.revision + 1})


class _Round:
    def __init__(self, actions: Actions, alerting: Alerting, now_ms: int) -> None:
        self._actions, self._alerting, self._now_ms = actions, alerting, now_ms
        #: (rule, event, step, receiver) → alerts to notify it of
        self._messages: dict[tuple[str, Event, int, str], list[AlertRecord]] = defaultdict(list)
        self._records: list[ActionRecord] = []
        self._deleted: list[str] = []

    def decided(self) -> Decisions:
        unnotified: dict[str, list[OpenAlert]] = defaultdict(list)
        cleared: dict[str, list[OpenAlert]] = defaultdict(list)
        for each in self._actions.open_alerts():
            if each.cleared is not None and (each.step >= 0 or self._is_muted(each)):
                cleared[each.alert.rule].append(each)
            elif not self._is_muted(each) and (route := self._route(each)) is not None:
                if each.step < 0:
                    unnotified[each.alert.rule].append(each)
                else:
                    self._escalate(each, route)
            elif each.cleared is not None:
                self._deleted.append(key_of(each))
        for group in unnotified.values():
            if any(each.cleared is not None for each in group) or self._is_group_complete(each.noticed_at for each in group):
                for each in group:
                    self._notify(each, "fired", 0)
        for group in cleared.values():
            if self._is_group_complete(each.cleared_noticed_at for each in group):
                for each in group:
                    self._notify_cleared(each)
        return Decisions([*self._composed(), *self._records], self._deleted)

    def _route(self, each: OpenAlert) -> Route | None:
        alert = each.alert
        return self._alerting.route(alert.rule, f"{alert.scope_kind}:{alert.scope}", alert.severity)

    def _is_muted(self, each: OpenAlert) -> bool:
        """Return whether the alert is acknowledged or silenced."""
        acknowledged = self._actions.acknowledgement(each.alert.alert_id) is not None
        return acknowledged or self._actions.silenced(each.alert, self._now_ms) is not None

    def _is_group_complete(self, noticed: Iterator[Any]) -> bool:
        """Return whether the time to wait for a group is over."""
        return min(map(to_ms, noticed)) + 1000 * self._alerting.group_seconds <= self._now_ms

    def _escalate(self, each: OpenAlert, route: Route) -> None:
        step = each.step + 1
        if step > len(route.escalation) or each.told_at is None:
            return
        if to_ms(each.told_at) + 1000 * route.escalation[step - 1].escalate_after_seconds <= self._now_ms:
            self._notify(each, "escalated", step)

    def _notify(self, each: OpenAlert, event: Event, step: int) -> None:
        route = self._route(each)
        for receiver in dict.fromkeys(() if route is None else route.step(step)):
            self._messages[each.alert.rule, event, step, receiver].append(each.alert)
        self._records.append(_changed(each, step=step, told_at=from_ms(self._now_ms)))

    def _notify_cleared(self, each: OpenAlert) -> None:
        """Notify the receivers of earlier notifications unless it is silenced, and delete it."""
        if each.cleared is not None and each.step >= 0 and self._actions.silenced(each.alert, self._now_ms) is None:
            for receiver in dict.fromkeys(
                sent.receiver for sent in self._actions.notifications(each.alert.alert_id) if sent.event != "cleared"
            ):
                self._messages[each.alert.rule, "cleared", each.step, receiver].append(each.cleared)
        self._deleted.append(key_of(each))

    def _composed(self) -> Iterator[Notification]:
        for (_, event, step, receiver), alerts in self._messages.items():
            for batch in _batches(alerts):
                yield Notification(
                    message_id=_message_id(event, step, receiver, batch),
                    receiver=receiver,
                    event=event,
                    step=step,
                    alerts=batch,
                    decided_at=from_ms(self._now_ms),
                )


def _changed(each: OpenAlert, **changes: Any) -> OpenAlert:
    return each.model_copy(update={**changes, "revision": each.revision + 1})


def _batches(alerts: Sequence[AlertRecord]) -> Iterator[list[AlertRecord]]:
    for begin in range(0, len(alerts), MOST_IN_ONE):
        yield [*alerts[begin : begin + MOST_IN_ONE]]


def _message_id(event: Event, step: int, receiver: str, alerts: Sequence[AlertRecord]) -> str:
    return str(uuid.uuid5(_NAMESPACE, "|".join([event, str(step), receiver, *(alert.alert_id for alert in alerts)])))
