"""The history of alerts: the newest that fired, each with its notifications and actions; no clock, no network."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from schemas.alerts import AlertRecord
from schemas.times import format_ms, parse_time_ms, to_ms
from schemas.topics import topic
from streams.serving.alerts import lasted_ms, read_alert
from streams.serving.latest import Latest, ScopeKey

if TYPE_CHECKING:
    from collections.abc import Iterator

    from streams.serving.alerting.actions import Actions

__all__ = ["MOST_ALERTS", "PastAlert", "PastAlerts", "history_topic", "past_document", "past_of"]

#: The most alerts held, the newest.
MOST_ALERTS: Final = 5000


def history_topic(topic_prefix: str) -> str:
    """Return the name of the topic in which alerts fire and clear."""
    return topic("alerts.v1").full_name(topic_prefix)


@dataclass(slots=True, frozen=True)
class PastAlert:
    """One breach: its firing record, where still known, and its newest record."""

    #: The id of the alert.
    key: str
    record: AlertRecord
    fired: AlertRecord | None
    version: int = 0

    @property
    def revision(self) -> int:
        """The record's."""
        return self.record.revision

    @property
    def fired_at(self) -> str:
        """When it fired."""
        return self.record.fired_at or self.record.since

    @property
    def sort_key(self) -> str:
        """Its key in the order of firing."""
        return f"{self.fired_at}|{self.key}"


class PastAlerts(Latest[PastAlert]):
    """The newest alerts of the history, by id."""

    def read(self, key: str, value: bytes, version: int, partition: int | None) -> PastAlert:  # noqa: ARG002 - as of all tables
        """Return the entry of a record; raise ValueError if it is none."""
        record = read_alert(value)
        before = self._entries.get(record.alert_id)
        fired = record if record.state == "firing" else None if before is None else before.fired
        return PastAlert(record.alert_id, record, fired, version)

    def scope_key(self, entry: PastAlert) -> ScopeKey:
        """Return the scope key of an alert."""
        return entry.record.scope_kind, entry.record.scope, entry.record.channel

    def _put(self, entry: PastAlert) -> bool:
        changed = super()._put(entry)
        if len(self._entries) > MOST_ALERTS:
            self._remove(next(iter(self._entries)))
        return changed


def past_of(past: PastAlerts, actions: Actions) -> list[PastAlert]:
    """Return all known alerts, including those on expectations, the last to fire first."""
    expected = [PastAlert(each.alert.alert_id, each.alert, None) for each in actions.expected()]
    return sorted([*past.entries(), *expected], key=lambda each: each.sort_key, reverse=True)


def past_document(alert: PastAlert, actions: Actions) -> dict[str, Any]:
    """Return an alert's newest record, and in ``events`` its history in order of time."""
    events = [event for _, event in sorted(_events(alert, actions), key=lambda each: each[0])]
    lasted = lasted_ms(alert.record)
    return {**alert.record.model_dump(mode="json"), "duration_seconds": None if lasted is None else lasted / 1000, "events": events}


def _events(alert: PastAlert, actions: Actions) -> Iterator[tuple[tuple[int, int], dict[str, Any]]]:
    """Yield events, each with its sort key: by time, and at the same instant cause before effect."""
    record = alert.record
    value = None if alert.fired is None else alert.fired.value
    yield (parse_time_ms(alert.fired_at), 0), {"event": "fired", "at": alert.fired_at, "value": value}
    for each in actions.notifications(record.alert_id):
        decided_ms, ended_ms = to_ms(each.decided_at), None if each.settled_at is None else to_ms(each.settled_at)
        if each.event == "escalated":
            yield (decided_ms, 1), {"event": "escalated", "at": format_ms(decided_ms), "receiver": each.receiver, "step": each.step}
        outcome = {"event": each.outcome, "of": each.event, "receiver": each.receiver}
        yield (ended_ms or decided_ms, 2), {**outcome, "at": format_ms(ended_ms or decided_ms)}
    acknowledged = actions.acknowledgement(record.alert_id)
    if acknowledged is not None:
        at = to_ms(acknowledged.at)
        by = acknowledged.by.model_dump(mode="json")
        yield (at, 3), {"event": "acknowledged", "at": format_ms(at), "by": by, "note": acknowledged.note}
    if record.cleared_at is not None:
        cleared = {"event": "cleared", "at": record.cleared_at, "because": record.cleared_because, "value": record.value}
        yield (parse_time_ms(record.cleared_at), 4), cleared
