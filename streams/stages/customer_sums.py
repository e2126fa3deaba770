"""The sums of one partition of customers as records of queue-panes: absolute, so that reading one twice changes nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.json import encode

from streams.engine.stage import Output
from streams.stages.panes import pane_partition
from streams.windows.customer_merge import CONTACT_DAY, DAY, MONTH, PROGRESS, TOTAL, date_start_ms, month_start_ms

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from streams.configuration import Configuration
    from streams.tracking.customers import CustomerTracker

__all__ = ["CustomerSums"]


class CustomerSums:
    """Writes the sums that have changed since the last flush."""

    def __init__(self, configuration: Configuration, panes: str, pane_partitions: int, facts: str, partition: int) -> None:
        self._panes, self._pane_partitions = panes, pane_partitions
        self._zone = configuration.zone_of_site(None)
        self._origin = {"source_topic": facts, "source_partition": partition}
        self._middle = f"{facts}|{partition}"
        #: kind → date or month → sums that were written
        self._written: dict[str, dict[int, dict[str, int]]] = {DAY: {}, MONTH: {}}
        #: keys of existing records
        self._keys: set[str] = set()
        #: key → whether its record now exists
        self._changed_keys: dict[str, bool] = {}
        #: restored keys whose records may be out of date
        self._unsure: set[str] = set()
        self._checked: tuple[int | None, int | None, int | None, int | None] | None = None
        self._progress: tuple[int, int] | None = None

    def changed_records(self, tracker: CustomerTracker) -> Iterator[Output]:
        """Yield changed records: sums, then progress, and last deletions of expired sums."""
        changed, tracker.changed_contact_days = tracker.changed_contact_days, set()
        floor, expired = tracker.floor_ms or 0, list[Output]()
        for scope, channel, start in sorted(changed):
            outputs = self._slice(CONTACT_DAY, channel, scope, start, tracker.contact_days.get((scope, channel, start), {}))
            if start < floor:
                expired += outputs
            else:
                yield from outputs
        today, month = tracker.today(), tracker.this_month()
        # Without progress there is no floor: earlier changes are written once there is one.
        checked = today, month, tracker.days.floor, tracker.months.floor
        if today is not None and month is not None and (tracker.figures_changed or checked != self._checked):
            tracker.figures_changed, self._checked = False, checked
            for kind, running, last in ((DAY, tracker.days, today), (MONTH, tracker.months, month)):
                now = {number: sums for number, sums in running.through(last) if sums}
                for number in sorted({*self._written[kind], *now}):
                    if self._written[kind].get(number) != now.get(number):
                        start = date_start_ms(number, self._zone) if kind == DAY else month_start_ms(number, self._zone)
                        outputs = self._slice(kind, None, TOTAL, start, now.get(number, {}))
                        if number < (running.floor or 0):
                            expired += outputs
                        else:
                            yield from outputs
                self._written[kind] = now
            for key in sorted(self._unsure):
                yield from self._write(key, key.rsplit("|", 1)[1], None)
        yield from self._changed_progress(tracker)
        yield from expired

    def _changed_progress(self, tracker: CustomerTracker) -> Iterator[Output]:
        as_of, through = tracker.parts.as_of_ms(), tracker.through_ms()
        if as_of is not None and through is not None and (as_of, through) != self._progress:
            self._progress = as_of, through
            value = encode({"kind": PROGRESS, **self._origin, "as_of_ms": as_of, "through_ms": through})
            for number in range(self._pane_partitions):
                yield Output(self._panes, number, f"{PROGRESS}|-|{self._middle}|-|-".encode(), value)

    def _slice(self, kind: str, channel: str | None, scope: str, start_ms: int, sums: Mapping[str, int]) -> list[Output]:
        counts = {what: amount for what, amount in sums.items() if amount}
        record = {"kind": kind, **self._origin, "scope": scope, "channel": channel, "start_ms": start_ms, "counts": counts}
        return self._write(f"{kind}|{channel or '-'}|{self._middle}|{start_ms}|{scope}", scope, encode(record) if counts else None)

    def _write(self, key: str, scope: str, value: bytes | None) -> list[Output]:
        """Return the record of a key; a tombstone only where there is a record."""
        self._unsure.discard(key)
        if (value is not None) != (key in self._keys):
            (self._keys.discard if value is None else self._keys.add)(key)
            self._changed_keys[key] = value is not None
        elif value is None:
            return []
        return [Output(self._panes, pane_partition(scope, self._pane_partitions), key.encode(), value)]

    # --- rows

    def changed_keys(self) -> Iterator[tuple[str, bool]]:
        """Yield the keys whose records were created or deleted since the last call, and whether they exist."""
        changed, self._changed_keys = self._changed_keys, {}
        yield from changed.items()

    def restore_key(self, key: str) -> None:
        """Restore the key of a record; the record is written again, or deleted if it has no sums."""
        self._keys.add(key)
        self._unsure.add(key)
