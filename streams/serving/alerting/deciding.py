"""What people are to be told next, decided from what was done so far, the routes, and the time; no clock, no network.

What is decided is written before anything is sent, and all of it follows from what is written: a process that ends anywhere loses
nothing, and the one that goes on decides nothing twice.
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

__all__ = ["MOST_IN_ONE", "Decided", "decide", "settled", "taken_in"]

#: So many alerts go into one message at most.
MOST_IN_ONE: Final = 50
_NAMESPACE: Final = uuid.UUID("6f1f3c0e-7a54-4d0a-9b0e-2f6c4b8f5d21")


class Decided(NamedTuple):
    """What is to be written, in one transaction."""

    records: list[ActionRecord]
    gone: list[str]


def taken_in(actions: Actions, alert: AlertRecord, noticed_ms: int) -> OpenAlert | None:
    """Return what is to be written of a record of the history of alerts; None where it says nothing new."""
    found = actions.open_alert(alert.alert_id)
    if alert.state == "firing":
        return OpenAlert(alert=alert, noticed_at=from_ms(noticed_ms)) if found is None else None
    if found is None or found.cleared is not None:
        return None
    return _changed(found, cleared=alert, cleared_noticed_at=from_ms(noticed_ms))


def decide(actions: Actions, alerting: Alerting, now_ms: int) -> Decided:
    """Return what follows at a moment, in milliseconds since the epoch."""
    return _Round(actions, alerting, now_ms).decided()


def settled(message: Notification, *, accepted: bool, now_ms: int) -> Notification:
    """Return a message of which it is known what came of it."""
    told: dict[str, Any] = {"outcome": "delivered" if accepted else "refused", "settled_at": from_ms(now_ms)}
    return message.model_copy(update={**told, "revision": message.revision + 1})


class _Round:
    def __init__(self, actions: Actions, alerting: Alerting, now_ms: int) -> None:
        self._actions, self._alerting, self._now_ms = actions, alerting, now_ms
        #: (rule, event, step, receiver) → what it is told of
        self._messages: dict[tuple[str, Event, int, str], list[AlertRecord]] = defaultdict(list)
        self._records: list[ActionRecord] = []
        self._gone: list[str] = []

    def decided(self) -> Decided:
        untold: dict[str, list[OpenAlert]] = defaultdict(list)
        cleared: dict[str, list[OpenAlert]] = defaultdict(list)
        for each in self._actions.open_alerts():
            if each.cleared is not None and (each.step >= 0 or self._is_quiet(each)):
                cleared[each.alert.rule].append(each)
            elif not self._is_quiet(each) and (route := self._route(each)) is not None:
                if each.step < 0:
                    untold[each.alert.rule].append(each)
                else:
                    self._escalate(each, route)
            elif each.cleared is not None:
                self._gone.append(key_of(each))
        for group in untold.values():
            if any(each.cleared is not None for each in group) or self._is_whole(each.noticed_at for each in group):
                for each in group:
                    self._tell(each, "fired", 0)
        for group in cleared.values():
            if self._is_whole(each.cleared_noticed_at for each in group):
                for each in group:
                    self._tell_cleared(each)
        return Decided([*self._composed(), *self._records], self._gone)

    def _route(self, each: OpenAlert) -> Route | None:
        alert = each.alert
        return self._alerting.route(alert.rule, f"{alert.scope_kind}:{alert.scope}", alert.severity)

    def _is_quiet(self, each: OpenAlert) -> bool:
        """Say whether no one is to be told that it fires, or fires still."""
        acknowledged = self._actions.acknowledgement(each.alert.alert_id) is not None
        return acknowledged or self._actions.silenced(each.alert, self._now_ms) is not None

    def _is_whole(self, noticed: Iterator[Any]) -> bool:
        """Say whether what came together has been waited for."""
        return min(map(to_ms, noticed)) + 1000 * self._alerting.group_seconds <= self._now_ms

    def _escalate(self, each: OpenAlert, route: Route) -> None:
        step = each.step + 1
        if step > len(route.escalation) or each.told_at is None:
            return
        if to_ms(each.told_at) + 1000 * route.escalation[step - 1].escalate_after_seconds <= self._now_ms:
            self._tell(each, "escalated", step)

    def _tell(self, each: OpenAlert, event: Event, step: int) -> None:
        route = self._route(each)
        for receiver in dict.fromkeys(() if route is None else route.step(step)):
            self._messages[each.alert.rule, event, step, receiver].append(each.alert)
        self._records.append(_changed(each, step=step, told_at=from_ms(self._now_ms)))

    def _tell_cleared(self, each: OpenAlert) -> None:
        """Tell those who were told that it fires, unless it is silenced; then it is over."""
        if each.cleared is not None and each.step >= 0 and self._actions.silenced(each.alert, self._now_ms) is None:
            for receiver in dict.fromkeys(told.receiver for told in self._actions.told(each.alert.alert_id) if told.event != "cleared"):
                self._messages[each.alert.rule, "cleared", each.step, receiver].append(each.cleared)
        self._gone.append(key_of(each))

    def _composed(self) -> Iterator[Notification]:
        for (_, event, step, receiver), alerts in self._messages.items():
            for part in _parts(alerts):
                yield Notification(
                    message_id=_message_id(event, step, receiver, part),
                    receiver=receiver,
                    event=event,
                    step=step,
                    alerts=part,
                    decided_at=from_ms(self._now_ms),
                )


def _changed(each: OpenAlert, **changes: Any) -> OpenAlert:
    return each.model_copy(update={**changes, "revision": each.revision + 1})


def _parts(alerts: Sequence[AlertRecord]) -> Iterator[list[AlertRecord]]:
    for begin in range(0, len(alerts), MOST_IN_ONE):
        yield [*alerts[begin : begin + MOST_IN_ONE]]


def _message_id(event: Event, step: int, receiver: str, alerts: Sequence[AlertRecord]) -> str:
    return str(uuid.uuid5(_NAMESPACE, "|".join([event, str(step), receiver, *(alert.alert_id for alert in alerts)])))
