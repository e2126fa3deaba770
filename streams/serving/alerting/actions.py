"""The table of actions on alerts, which all servers read from one topic; no clock, no network."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import orjson
from pydantic import TypeAdapter, ValidationError

from schemas.alert_actions import Acknowledgement, ActionProgress, ActionRecord, ExpectedAlert, Notification, OpenAlert, Silence
from schemas.times import parse_time_ms, to_ms
from schemas.topics import topic
from streams.serving.latest import Entry, Latest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from schemas.alerts import AlertRecord

__all__ = ["Actions", "actions_topic", "key_of"]

_RECORD: TypeAdapter[ActionRecord] = TypeAdapter(ActionRecord)
#: An ended silence is retained this long, as clocks of servers may differ.
_ENDED_SILENCE_MS: Final = 60_000
#: How long actions on a cleared alert are retained for the history, and of how many alerts at most.
_RETENTION_MS: Final = 7 * 24 * 60 * 60 * 1000
_MOST_RETAINED: Final = 5000


def actions_topic(topic_prefix: str) -> str:
    """Return the name of the compacted topic of actions on alerts."""
    return topic("alert-actions.v1").full_name(topic_prefix)


def key_of(record: ActionRecord) -> str:
    """Return the key of a record."""
    match record:
        case Acknowledgement():
            return f"acknowledged|{record.alert_id}"
        case Silence():
            return f"silence|{record.silence_id}"
        case ExpectedAlert():
            return f"expected|{record.alert.alert_id}"
        case OpenAlert():
            return f"open|{record.alert.alert_id}"
        case Notification():
            return f"notification|{record.message_id}"
        case ActionProgress():
            return f"progress|{record.partition}"


class Actions(Latest[Entry[ActionRecord]]):
    """The newest record of each key of alert-actions.

    ``concerns`` is called with a predicate of the alerts that a change affects. ``expects`` is called with the firing alerts on
    expectations, whenever these change.
    """

    def __init__(self) -> None:
        super().__init__()
        self.concerns: Callable[[Callable[[AlertRecord], bool]], None] = lambda _: None
        self.expects: Callable[[list[AlertRecord]], None] = lambda _: None
        self._acknowledged: dict[str, Acknowledgement] = {}
        self._silences: dict[str, Silence] = {}
        self._expected: dict[str, ExpectedAlert] = {}
        self._open: dict[str, OpenAlert] = {}
        self._notifications: dict[str, Notification] = {}
        self._of_alert: dict[str, dict[str, Notification]] = {}
        self._progress: dict[int, ActionProgress] = {}

    def revision_of(self, key: str) -> int:
        """Return the revision of the record of a key, 0 without one."""
        entry = self._entries.get(key)
        return 0 if entry is None else entry.revision

    def read(self, key: str, value: bytes, version: int, partition: int | None) -> Entry[ActionRecord]:  # noqa: ARG002 - as of all tables
        """Return the entry of a record; raise ValueError if it is none."""
        try:
            record = _RECORD.validate_python(orjson.loads(value))
        except ValidationError as error:
            raise ValueError("not a record of an action") from error
        if key != key_of(record):
            raise ValueError("not the key of its record")
        return Entry(key, record, b"", version)

    def scope_key(self, entry: Entry[ActionRecord]) -> tuple[str | None, str, str | None]:  # noqa: ARG002 - as of all tables
        """Return that it is about no scope: it is shown with alerts only."""
        return None, "", None

    def acknowledgement(self, alert_id: str) -> Acknowledgement | None:
        """Return the acknowledgement of an alert."""
        return self._acknowledged.get(alert_id)

    def silence(self, silence_id: str) -> Silence | None:
        """Return a silence."""
        return self._silences.get(silence_id)

    def silences(self, now_ms: int) -> list[Silence]:
        """Return the silences in force, the first to end first."""
        in_force = (each for each in self._silences.values() if to_ms(each.until) > now_ms)
        return sorted(in_force, key=lambda each: (each.until, each.silence_id))

    def silenced(self, alert: AlertRecord, now_ms: int) -> Silence | None:
        """Return the silence that covers an alert, of several the one that ends last."""
        covering = [each for each in self.silences(now_ms) if each.covers(alert)]
        return covering[-1] if covering else None

    def expected(self) -> list[ExpectedAlert]:
        """Return the alerts on expectations, including cleared ones, in the order in which they fired."""
        return sorted(self._expected.values(), key=lambda each: (each.alert.fired_at or "", each.alert.alert_id))

    def open_alerts(self) -> list[OpenAlert]:
        """Return the alerts with notifications to come, in the order of arrival."""
        return sorted(self._open.values(), key=lambda each: (each.noticed_at, each.alert.alert_id))

    def open_alert(self, alert_id: str) -> OpenAlert | None:
        """Return an alert with notifications to come."""
        return self._open.get(alert_id)

    def due(self) -> list[Notification]:
        """Return the notifications that are decided and without an outcome, in the order of decisions."""
        due = (each for each in self._notifications.values() if each.outcome == "due")
        return sorted(due, key=lambda each: (each.decided_at, ("fired", "escalated", "cleared").index(each.event), each.message_id))

    def notifications(self, alert_id: str) -> list[Notification]:
        """Return the notifications about an alert, the oldest first."""
        return sorted(self._of_alert.get(alert_id, {}).values(), key=lambda each: (each.decided_at, each.step))

    def offset(self, partition: int) -> int | None:
        """Return the next offset of the history of alerts to ingest; None before the first time."""
        progress = self._progress.get(partition)
        return None if progress is None else progress.offset

    def beside(self, alert: AlertRecord, now_ms: int) -> dict[str, Any]:
        """Return the fields served with a firing alert: its acknowledgement, silence and notifications, where there are any."""
        beside: dict[str, Any] = {}
        if alert.state != "firing":
            return beside
        acknowledged, silence = self.acknowledgement(alert.alert_id), self.silenced(alert, now_ms)
        notifications = self.notifications(alert.alert_id)
        if acknowledged is not None:
            beside["acknowledged"] = acknowledged.model_dump(mode="json", include={"by", "at", "note"})
        if silence is not None:
            beside["silenced"] = silence.model_dump(mode="json", include={"silence_id", "by", "until", "reason"})
        if notifications:
            shown = {"receiver", "event", "outcome", "decided_at", "settled_at"}
            beside["told"] = [each.model_dump(mode="json", include=shown) for each in notifications]
        return beside

    def expired(self, firing: Iterable[str], now_ms: int) -> list[str]:
        """Return the keys of expired records, given the ids of firing alerts: ended silences, old or surplus actions on others."""
        active = {*firing, *self._open}
        expired = [key_of(each) for each in self._silences.values() if to_ms(each.until) + _ENDED_SILENCE_MS <= now_ms]
        total = 0
        for at_ms, key, size in sorted(self._ended(active), reverse=True):
            total += size
            if at_ms + _RETENTION_MS <= now_ms or total > _MOST_RETAINED:
                expired.append(key)
        return expired

    def _ended(self, active: set[str]) -> Iterator[tuple[int, str, int]]:
        """Yield the time, key and number of alerts of each action on alerts that are not active."""
        for acknowledged in self._acknowledged.values():
            if acknowledged.alert_id not in active:
                yield to_ms(acknowledged.at), key_of(acknowledged), 1
        for expected in self._expected.values():
            if expected.alert.state == "cleared" and expected.alert.alert_id not in active:
                yield parse_time_ms(expected.alert.as_of), key_of(expected), 1
        for message in self._notifications.values():
            if message.settled_at is not None and not any(each.alert_id in active for each in message.alerts):
                yield to_ms(message.settled_at), key_of(message), len(message.alerts)

    def _replaced(self, entry: Entry[ActionRecord] | None = None, before: Entry[ActionRecord] | None = None) -> None:
        if entry is None and before is None:
            for table in (
                *(self._acknowledged, self._silences, self._expected, self._open),
                *(self._notifications, self._of_alert, self._progress),
            ):
                table.clear()
            for each in self._entries.values():
                self._index(each.record)
            self._publish_expected()
            self.concerns(lambda _: True)
            return
        if before is not None:
            self._unindex(before.record)
        if entry is not None:
            self._index(entry.record)
        for changed in (entry, before):
            if changed is not None and not isinstance(changed.record, ExpectedAlert | OpenAlert | ActionProgress):
                self.concerns(_affected(changed.record))
        if any(changed is not None and isinstance(changed.record, ExpectedAlert) for changed in (entry, before)):
            self._publish_expected()

    def _publish_expected(self) -> None:
        self.expects([each.alert for each in self.expected() if each.alert.state == "firing"])

    def _index(self, record: ActionRecord) -> None:
        match record:
            case Acknowledgement():
                self._acknowledged[record.alert_id] = record
            case Silence():
                self._silences[record.silence_id] = record
            case ExpectedAlert():
                self._expected[record.alert.alert_id] = record
            case OpenAlert():
                self._open[record.alert.alert_id] = record
            case Notification():
                self._notifications[record.message_id] = record
                for alert in record.alerts:
                    self._of_alert.setdefault(alert.alert_id, {})[record.message_id] = record
            case ActionProgress():
                self._progress[record.partition] = record

    def _unindex(self, record: ActionRecord) -> None:
        match record:
            case Acknowledgement():
                self._acknowledged.pop(record.alert_id, None)
            case Silence():
                self._silences.pop(record.silence_id, None)
            case ExpectedAlert():
                self._expected.pop(record.alert.alert_id, None)
            case OpenAlert():
                self._open.pop(record.alert.alert_id, None)
            case Notification():
                self._notifications.pop(record.message_id, None)
                for alert in record.alerts:
                    of_alert = self._of_alert.get(alert.alert_id, {})
                    of_alert.pop(record.message_id, None)
                    if not of_alert:
                        self._of_alert.pop(alert.alert_id, None)
            case ActionProgress():
                self._progress.pop(record.partition, None)


def _affected(record: Acknowledgement | Silence | Notification) -> Callable[[AlertRecord], bool]:
    match record:
        case Acknowledgement():
            return lambda alert: alert.alert_id == record.alert_id
        case Silence():
            return record.covers
        case Notification():
            ids = {alert.alert_id for alert in record.alerts}
            return lambda alert: alert.alert_id in ids
