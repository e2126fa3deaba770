"""The newest state of every alert; no clock, no network."""

from __future__ import annotations

from typing import TYPE_CHECKING

import orjson
from pydantic import ValidationError

from schemas.alerts import AlertRecord
from schemas.times import parse_time_ms
from streams.serving.latest import Entry, Latest, ScopeKey
from streams.windows.alerts import alert_key

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable

__all__ = ["Alerts", "lasted_ms", "read_alert"]


def read_alert(value: bytes) -> AlertRecord:
    """Return the record of an alert topic; raise ValueError if the value is invalid."""
    try:
        record = AlertRecord.model_validate(orjson.loads(value))
    except ValidationError as error:
        raise ValueError("not an alert record") from error
    for text in (record.since, record.fired_at, record.recovering_since, record.cleared_at, record.as_of):
        if text is not None:
            parse_time_ms(text)
    return record


def lasted_ms(alert: AlertRecord) -> int | None:
    """Return how long a breach lasted, from the breach of its figure until it cleared; None while it fires.

    Both instants are event times: a worker's lag and delays of notification do not lengthen it.
    """
    return None if alert.cleared_at is None else max(0, parse_time_ms(alert.cleared_at) - parse_time_ms(alert.since))


class Alerts(Latest[Entry[AlertRecord]]):
    """The newest record of each key of alerts-latest, and the firing alerts about expected breaches."""

    def __init__(self) -> None:
        super().__init__()
        self._expected: dict[str, AlertRecord] = {}

    def read(self, key: str, value: bytes, version: int, partition: int | None) -> Entry[AlertRecord]:  # noqa: ARG002 - passed to all tables
        """Return the entry of a record; raise ValueError if the record is invalid."""
        return Entry(key, read_alert(value), value, version)

    def scope_key(self, entry: Entry[AlertRecord]) -> ScopeKey:
        """Return the scope key of an alert."""
        return entry.record.scope_kind, entry.record.scope, entry.record.channel

    def chosen(self, states: Collection[str] | None = None) -> list[Entry[AlertRecord]]:
        """Return the alerts in ``states``, or all, by key."""
        return [entry for entry in self.entries() if states is None or entry.record.state in states]

    def resend(self, is_concerned: Callable[[AlertRecord], bool]) -> None:
        """Send the concerned firing alerts to all clients again, because the actions shown with them have changed."""
        again = [entry for entry in self._entries.values() if entry.record.state == "firing" and is_concerned(entry.record)]
        for entry in again:
            self.version += 1
            del self._entries[entry.key]
            self._entries[entry.key] = Entry(entry.key, entry.record, entry.raw, self.version)
        if again:
            self._changed()

    def expect(self, firing: Iterable[AlertRecord]) -> None:
        """Replace the alerts about expected breaches, which are held beside those of the topic."""
        expected = {alert_key(alert.rule, f"{alert.scope_kind}:{alert.scope}", alert.channel): alert for alert in firing}
        gone, self._expected = self._expected.keys() - expected.keys(), expected
        for key in gone:
            entry = self._entries.get(key)
            if entry is not None and entry.record.expected_at is not None:
                self._remove(key)
        for key, record in expected.items():
            self._put(self._entry_of(key, record))

    def _entry_of(self, key: str, record: AlertRecord) -> Entry[AlertRecord]:
        return Entry(key, record, record.model_dump_json().encode(), self.version + 1)

    def _replaced(self, entry: Entry[AlertRecord] | None = None, before: Entry[AlertRecord] | None = None) -> None:
        if entry is not None or before is not None:
            return
        for key, record in self._expected.items():
            newest = self._entries.get(key)
            if newest is None or newest.revision < record.revision:
                self._entries[key] = self._entry_of(key, record)
                self.version += 1
