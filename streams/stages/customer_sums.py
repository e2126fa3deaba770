"""What one partition of customers counts, as records of queue-panes: absolute, so that reading one twice changes nothing."""

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
    """Writes the sums that differ from what was written last."""

    def __init__(self, configuration: Configuration, panes: str, pane_partitions: int, facts: str, partition: int) -> None:
        self._panes, self._pane_partitions = panes, pane_partitions
        self._zone = configuration.zone_of_site(None)
        self._origin = {"source_topic": facts, "source_partition": partition}
        self._middle = f"{facts}|{partition}"
        #: kind → date or month → what was written
        self._written: dict[str, dict[int, dict[str, int]]] = {DAY: {}, MONTH: {}}
        #: keys of the records that there are, changes of them, and those of which it is not known yet whether they are up to date
        self._keys: set[str] = set()
        self._changed_keys: dict[str, bool] = {}
        self._unsure: set[str] = set()
        self._looked_at: tuple[int | None, int | None, int | None, int | None] | None = None
        self._progress: tuple[int, int] | None = None

    def news(self, tracker: CustomerTracker) -> Iterator[Output]:
        """Yield the records that are news: the sums, how far they go, and last which are given up from there on."""
        changed, tracker.changed_contact_days = tracker.changed_contact_days, set()
        floor, given_up = tracker.floor_ms or 0, list[Output]()
        for scope, channel, start in sorted(changed):
            told = self._slice(CONTACT_DAY, channel, scope, start, tracker.contact_days.get((scope, channel, start), {}))
            if start < floor:
                given_up += told
            else:
                yield from told
        today, month = tracker.today(), tracker.this_month()
        # Until progress is known there is no floor, and nothing to tell: what changed before is told as soon as there is one.
        looked_at = today, month, tracker.days.floor, tracker.months.floor
        if today is not None and month is not None and (tracker.figures_changed or looked_at != self._looked_at):
            tracker.figures_changed, self._looked_at = False, looked_at
            for kind, running, last in ((DAY, tracker.days, today), (MONTH, tracker.months, month)):
                now = {number: sums for number, sums in running.through(last) if sums}
                for number in sorted({*self._written[kind], *now}):
                    if self._written[kind].get(number) != now.get(number):
                        start = date_start_ms(number, self._zone) if kind == DAY else month_start_ms(number, self._zone)
                        told = self._slice(kind, None, TOTAL, start, now.get(number, {}))
                        if number < (running.floor or 0):
                            given_up += told
                        else:
                            yield from told
                self._written[kind] = now
            for key in sorted(self._unsure):
                yield from self._write(key, key.rsplit("|", 1)[1], None)
        yield from self._changed_progress(tracker)
        yield from given_up

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
        """Return the record of a key; an empty one only where there was another."""
        self._unsure.discard(key)
        if (value is not None) != (key in self._keys):
            (self._keys.discard if value is None else self._keys.add)(key)
            self._changed_keys[key] = value is not None
        elif value is None:
            return []
        return [Output(self._panes, pane_partition(scope, self._pane_partitions), key.encode(), value)]

    # --- rows

    def changed_keys(self) -> Iterator[tuple[str, bool]]:
        """Yield the keys that records were written under, or taken away from, since the last call."""
        changed, self._changed_keys = self._changed_keys, {}
        yield from changed.items()

    def restore_key(self, key: str) -> None:
        """Take back that there is a record under a key; it is written again, or taken away if there is nothing to write any more."""
        self._keys.add(key)
        self._unsure.add(key)
