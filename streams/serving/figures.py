"""The JSON of the API: the figures of the store with their time, age and completeness."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import orjson

from schemas.metrics import NowFigures
from schemas.times import format_ms, parse_time_ms
from schemas.topics import topic
from streams.access.views import EVERYTHING
from streams.configuration import Configuration
from streams.configuration.on_call import OnCall
from streams.serving.alerting.actions import Actions
from streams.serving.alerting.past import PastAlerts
from streams.serving.alerts import Alerts
from streams.serving.definition_text import Judging
from streams.serving.exporter import ReaderStatus
from streams.serving.pace import Pace
from streams.serving.status import Seen
from streams.serving.store import Store
from streams.serving.workers import Workers
from streams.windows.targets import Terms

if TYPE_CHECKING:
    from collections.abc import Iterable

    from schemas.alerts import AlertRecord
    from streams.access.views import View
    from streams.serving.latest import Entry as LatestEntry
    from streams.serving.reading import Reading
    from streams.serving.store import Entry, Source

    AlertEntry = LatestEntry[AlertRecord]

__all__ = ["AHEAD_SECONDS", "NO_QUEUE", "STALE_AFTER_SECONDS", "Figures"]

_PANES = topic("queue-panes.v1")

#: Error text for a queue that does not exist, or is hidden from the account.
NO_QUEUE = "no record names this queue"

#: Figures are stale if they are older than this by the wall clock.
STALE_AFTER_SECONDS = 10.0

#: Figures are stale if they are further ahead of the wall clock than this: a clock is wrong, and their age is unknown.
AHEAD_SECONDS = 2.0


@dataclass(slots=True)
class Figures:
    """The store at a moment of the wall clock. ``clock`` returns seconds since the epoch; ``targets`` are service levels by queue.

    Settings of the configuration are replaced, never changed in place: a scrape in another thread may be reading them.
    """

    store: Store
    readers: ReaderStatus
    clock: Callable[[], float]
    targets: Mapping[str, float] = field(default_factory=dict)
    alerts: Alerts = field(default_factory=Alerts)
    #: ``queue:NAME`` or ``team:NAME`` → the sources that feed it, where the configuration names them.
    fed_by: Mapping[str, Collection[str]] = field(default_factory=dict)
    #: Targets of figures, service levels of queues included.
    kpi_targets: tuple[Terms, ...] = ()
    #: The workers' heartbeats; None if they are not followed.
    workers: Workers | None = None
    #: The contact for faults, and the time zone of texts.
    on_call: OnCall | None = None
    zone: str = "UTC"
    #: ``queue:NAME`` or ``team:NAME`` → ``site`` or ``department`` → the name of the site or department, None if it has none.
    places: Mapping[str, Mapping[str, str | None]] = field(default_factory=dict)
    #: Acknowledgements and silences of alerts.
    actions: Actions = field(default_factory=Actions)
    #: The history of alerts.
    past: PastAlerts = field(default_factory=PastAlerts)
    #: The configuration whose definitions are shown.
    configuration: Configuration = field(default_factory=Configuration)
    _judging: Judging = field(default_factory=Judging, init=False, repr=False)
    _pace: Pace = field(default_factory=Pace, init=False, repr=False)

    def __post_init__(self) -> None:
        """Follow the progress of the figures."""
        self._record_pace()
        self.store.subscribe(self._record_pace)

    def _record_pace(self) -> None:
        self._pace.record(self.store.as_of_by_partition, self.clock())

    @property
    def stalled(self) -> dict[str, list[int]] | None:
        """The partitions that no live worker counts, by topic without prefix; None while no worker has sent heartbeats."""
        return None if self.workers is None else self.workers.stalled

    @property
    def reading(self) -> Reading | None:
        """The progress of the first read of the topics of figures; None once it is complete, and while Kafka does not answer."""
        return None if self.readers.ready else self.readers.reading

    @property
    def _rolled_up(self) -> bool:
        """Whether a live worker rolls up any partition, or this is unknown."""
        still = self.stalled
        return still is None or len(still.get(_PANES.name, ())) < _PANES.partitions

    @property
    def age_seconds(self) -> float | None:
        """The age of the figures by the wall clock; None before there are any."""
        as_of = self.store.as_of_ms
        return None if as_of is None else round(self.clock() - as_of / 1000, 3)

    @property
    def stale(self) -> bool:
        """Whether the figures are too old to be current, or nothing would update them."""
        age = self.age_seconds
        if not self.readers.ready or not self.readers.connected or not self._rolled_up or age is None:
            return True
        return not -AHEAD_SECONDS <= age <= STALE_AFTER_SECONDS

    @property
    def _behind(self) -> dict[str, int]:
        """The scopes whose figures lag while others are current, with their partition; none if all figures are stale."""
        if self.stale:
            return {}
        return self.store.stalled_scopes(int(STALE_AFTER_SECONDS * 1000), (self.stalled or {}).get(_PANES.name, ()))

    @property
    def recovering(self) -> dict[str, int]:
        """The scopes whose figures lag while others are current, with their as-of; a worker may be restoring them."""
        return {scope: self.store.as_of_by_partition[partition] for scope, partition in self._behind.items()}

    def seen(self, view: View, refused_since_ms: int | None = None) -> Seen:
        """Return the inputs of the status; sources and scopes only as far as a view shows them."""
        shown, now = self.header(view), self.clock()
        age, silent = self.age_seconds, None if self.workers is None else self.workers.silent_seconds
        sources = {name: source for name, source in self.store.sources.items() if name in shown["sources"]}
        readers = self.readers
        moving, behind = self._pace.moving(now), {scope: number for scope, number in self._behind.items() if scope in shown["recovering"]}
        as_of = self.store.as_of_by_partition
        return Seen(
            now_ms=int(now * 1000),
            ready=readers.ready,
            connected=readers.connected,
            reached=readers.reached,
            missing=readers.missing,
            since_ms=readers.since_ms,
            as_of_ms=self.store.as_of_ms,
            old=age is None or age > STALE_AFTER_SECONDS,
            ahead=age is not None and age < -AHEAD_SECONDS,
            stalled=self.stalled or {},
            still_since_ms=None if silent is None else int((now - silent) * 1000),
            restoring=self.workers is not None and self.workers.restoring,
            moving=bool(moving),
            recovering={scope: as_of[number] for scope, number in behind.items() if number not in moving},
            catching_up={scope: as_of[number] for scope, number in behind.items() if number in moving},
            silent={name: source.last_seen_ms for name, source in sources.items() if source.stale},
            quarantined={name: parse_time_ms(source.quarantined.since) for name, source in sources.items() if source.quarantined},
            refused_since_ms=refused_since_ms,
            percent=None if self.reading is None or view.scopes is not None else self.reading.percent,
        )

    def header(self, view: View = EVERYTHING) -> dict[str, Any]:
        """Return what all figures share: as-of, age, completeness, and the sources that a view shows."""
        store, reading = self.store, self.reading
        header = {
            "as_of": _time(store.as_of_ms),
            "complete_through": _time(store.complete_through_ms),
            "server_time": format_ms(int(self.clock() * 1000)),
            "age_seconds": self.age_seconds,
            "stale": self.stale,
            "ready": self.readers.ready,
            "connected": self.readers.connected,
            "figures_reading": None if reading is None else reading.document(unrestricted=True),
            "standing_still": self.stalled,
            "recovering": {scope: format_ms(as_of) for scope, as_of in self.recovering.items()},
            "sources": {name: _source(source) for name, source in store.sources.items()},
        }
        return self.narrowed(header, view)

    def narrowed(self, header: dict[str, Any], view: View) -> dict[str, Any]:
        """Return a header reduced to what a view shows."""
        if view.scopes is None:
            return header
        # A source that no list names may feed any scope: its name would reveal hidden scopes.
        feeding = {source for sources in self.feeding(view).values() for source in sources}
        reading = header["figures_reading"]
        return {
            **header,
            "figures_reading": None if reading is None else {**reading, "share": None},
            "recovering": {scope: as_of for scope, as_of in header["recovering"].items() if scope in view.scopes},
            "sources": {name: source for name, source in header["sources"].items() if name in feeding},
        }

    def feeding(self, view: View) -> dict[str, list[str]]:
        """Return the scopes that a view shows with their sources, where the configuration names them."""
        return {scope: sorted(sources) for scope, sources in self.fed_by.items() if view.scopes is None or scope in view.scopes}

    def chosen(self, windows: Collection[str] | None = None, view: View = EVERYTHING) -> list[Entry]:
        """Return the entries that a view shows, by key; with ``windows`` only those windows and the current figures."""
        entries = self.store.entries() if windows is None else self.store.group("now", *windows)
        return entries if view.everything else self.store.seen(entries, view)

    def everything(self, entries: Iterable[Entry], view: View = EVERYTHING) -> dict[str, Any]:
        """Return the header, the settings shown with figures, and the records of ``entries``, as far as a view shows them."""
        entries = [*entries]
        targets = {queue: target for queue, target in self.targets.items() if view.sees("queue", queue)}
        beside = {"zone": self.zone, "targets": targets, "fed_by": self.feeding(view), "places": self._places(view)}
        beside |= self._judging.document(self.configuration, self._queues(entries, view), int(self.clock() * 1000))
        return {**self.header(view), **beside, "records": self.records(entries)}

    def _queues(self, entries: Iterable[Entry], view: View) -> Iterable[tuple[str, str]]:
        """Return the queues with their channels: those of the entries, and the configured ones that a view shows."""
        recorded = {(entry.scope, entry.channel) for entry in entries if entry.scope_kind == "queue" and entry.channel is not None}
        configured = {(name, queue.channel) for name, queue in self.configuration.queues.items() if view.sees("queue", name)}
        return sorted(recorded | {(name, channel) for name, channel in configured if channel is not None})

    def _places(self, view: View) -> Mapping[str, Mapping[str, str | None]]:
        if view.scopes is None:
            return self.places
        shown = {scope: place for scope, place in self.places.items() if scope in view.scopes}
        return {
            scope: {kind: name if name is not None and view.sees(kind, name) else None for kind, name in place.items()}
            for scope, place in shown.items()
        }

    def records(self, entries: Iterable[Entry], windows: Collection[str] | None = None) -> dict[str, Any]:
        """Return the records of ``entries`` by key."""
        return {entry.key: self._record(entry) for entry in entries if windows is None or _wanted(entry, windows)}

    def window_records(self, scope: str) -> list[dict[str, Any]]:
        """Return the window records of a scope such as ``queue:sales``, and the definition records."""
        kind, _, name = scope.partition(":")
        entries = [*self.store.group("definition"), *(entry for entry in self.store.of_scope(kind, name) if entry.window is not None)]
        return [orjson.loads(entry.raw) for entry in sorted(entries, key=lambda entry: entry.key)]

    def names(self, name: str, kind: str = "queue") -> bool:
        """Return whether the store has a window of a queue, or of another scope."""
        return any(entry.window is not None for entry in self.store.of_scope(kind, name))

    def queue(self, name: str, view: View = EVERYTHING) -> dict[str, Any] | None:
        """Return the figures of one queue by channel; None if no record names it or the view does not show it."""
        if not view.sees("queue", name):
            return None
        channels: dict[str, dict[str, Any]] = {}
        ends: dict[tuple[str, str], int] = {}
        for entry in self.store.seen(self.store.of_scope("queue", name), view):
            channel_name = entry.channel or "-"
            channel = channels.setdefault(channel_name, {"now": None, "windows": {}})
            if entry.window is None:
                channel["now"] = self._record(entry)
            elif (end := entry.window_end_ms or 0) >= ends.get((channel_name, entry.window), 0):
                ends[channel_name, entry.window] = end
                channel["windows"][entry.window] = self._record(entry)
        if not channels:
            return None
        return {**self.header(view), "queue": name, "target": self.targets.get(name), "channels": channels}

    def alerts_document(self, entries: Iterable[AlertEntry], view: View = EVERYTHING) -> dict[str, Any]:
        """Return the header and the alerts of ``entries`` as in the topic; null until the topic has been read."""
        return {**self.header(view), "alerts": [self.alert_document(entry) for entry in entries] if self.alerts.known else None}

    def alert_document(self, entry: AlertEntry) -> Any:
        """Return an alert as in the topic, with the actions on it."""
        beside = self.actions.beside(entry.record, int(self.clock() * 1000))
        return {**orjson.loads(entry.raw), **beside} if beside else orjson.Fragment(entry.raw)

    def _record(self, entry: Entry) -> Any:
        if isinstance(entry.unpacked, NowFigures):
            aged: dict[str, Any] = {"longest_wait_seconds": self.store.longest_wait_seconds(entry)}
            if entry.backlog_since_ms is not None:
                aged["backlog_oldest_seconds"] = self.store.backlog_oldest_seconds(entry)
            if (grows := self.store.backlog_grows(entry)) is not None:
                aged["backlog_oldest_grows"] = [[format_ms(ms) for ms in span] for span in grows]
            return {**orjson.loads(entry.raw), **aged}
        return orjson.Fragment(entry.raw)


def _wanted(entry: Entry, windows: Collection[str]) -> bool:
    return entry.group == "now" or (entry.window is not None and entry.window in windows)


def _source(source: Source) -> dict[str, Any]:
    document: dict[str, Any] = {"last_seen": _time(source.last_seen_ms), "stale": source.stale}
    if source.quarantined is not None:
        document["quarantined"] = source.quarantined.model_dump()
    if source.beyond_limits:
        document["beyond_limits"] = dict(source.beyond_limits)
    if source.complete_through_ms is not None:
        document["complete_through"] = format_ms(source.complete_through_ms)
    return document


def _time(ms: int | None) -> str | None:
    return None if ms is None else format_ms(ms)
