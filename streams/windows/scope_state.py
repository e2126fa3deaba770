"""The state of one scope and channel: slices merged over all source partitions, and figures of now."""

from __future__ import annotations

from bisect import bisect_left
from typing import TYPE_CHECKING, Any, Final

from msgspec.json import encode

from schemas.base import REPLY_CHANNELS
from schemas.times import format_ms
from streams.windows.cells import Cells
from streams.windows.packed_sums import CELL_PACK_AFTER_MS, SumsByStart
from streams.windows.pending import ages, becomes_due, may_become_due, replies_overdue
from streams.windows.sums import Counts, add_counts
from streams.windows.trailing import TrailingSums

if TYPE_CHECKING:
    from collections.abc import Iterable

    from streams.windows.alerts import Watch
    from streams.windows.calendar import Calendar
    from streams.windows.definitions import Judged, ScopeDefinitions
    from streams.windows.exceptions import Exceptional
    from streams.windows.hours import OpeningHours

__all__ = ["ScopeState"]

_NOTHING: Final[dict[str, list[int]]] = {}
#: How often the age bands of the backlog can change: starts are counted by the hour, opening hours begin and end on minutes.
_HOUR_MS, _MINUTE_MS = 3_600_000, 60_000
_BACKLOG = ("untouched", "in_progress", "waiting_on_customer", "on_hold")


class ScopeState:
    """The state of one scope and channel."""

    def __init__(
        self,
        scope: str,
        channel: str | None,
        calendar: Calendar,
        definitions: ScopeDefinitions,
        lengths_ms: tuple[int, ...],
        watches: tuple[Watch, ...] = (),
        fixed_per_hour: int | None = None,
        not_reported: frozenset[str] = frozenset(),
    ) -> None:
        self.scope = scope
        self.channel = channel
        kind, name = scope.split(":", 1)
        #: fields of every record
        self.stamp = {"scope_kind": kind, "scope": name, "channel": channel}
        #: parts of records as JSON: from the channel to the sums, and from the scope to the name of each window
        self.written_channel = b'"channel":%b,"counts":' % encode(channel)
        self._written_windows: dict[str, bytes] = {}
        #: ascending in order of creation
        self.number = 0
        #: whether the figures are about agents, not contacts
        self.about_people = channel is None
        #: whether they are about a single agent, which not every viewer may see
        self.is_individual = channel is None and scope.startswith("agent:")
        self.calendar = calendar
        self.definitions = definitions
        #: fixed costs in hundredths an hour; None without costs
        self.fixed_per_hour = fixed_per_hour
        #: figures that no source of the scope reports
        self.not_reported = not_reported
        self._window_keys: dict[str, str] = {}
        #: its alert rules
        self.watches = watches
        #: whether replies have a target time
        self.replies = False
        self.trailing = TrailingSums(lengths_ms, staffed=bool(fixed_per_hour))
        #: start of the cell → sums, by offer for contacts, by outcome for agents
        self.cells = Cells()
        #: of contacts by outcome, if configured
        self.outcome_cells = Cells()
        #: sums by source partition, as last read
        self.outcome_parts: SumsByStart[int] = SumsByStart()
        self.cell_parts: SumsByStart[int] = SumsByStart()
        self.now: dict[tuple[str, int], dict[str, Any]] = {}
        self.changed_cells: set[int] = set()
        #: changed cell → begin of the next interval or day that holds it and has not begun
        self.future_cells: dict[int, int] = {}
        #: whether every trailing window is checked at the next flush
        self.trailing_changed = True
        self.now_changed = True
        #: whether contacts wait, and whether figures of now age or fall due; as of the last ``refresh_now``
        self.has_waiting = False
        self.grows = False
        #: entries of waiting contacts, ascending; also by name of the definition where it is not the scope's
        self._waiting: list[int] = []
        self._waiting_by_definition: dict[str, list[int]] = {}
        self._now_is_current = True
        #: contacts past the threshold at the last flush, by trailing window and definition
        self.past: tuple[int, ...] = ()
        #: whether time alone may change an alert
        self.needs_evaluation = True
        #: the business clock of a queue; None: the wall clock
        self.business: OpeningHours | None = None
        #: its calendar exceptions
        self.exceptions: tuple[Exceptional, ...] = ()

    @property
    def has_data(self) -> bool:
        """Whether any source partition has data of the scope."""
        return bool(self.now) or not self.trailing.is_empty or any(parts.starts() for parts in (self.cell_parts, self.outcome_parts))

    def drop_now_without_expiry(self) -> None:
        """Drop records of versions without expiry: source partitions have republished what they still hold."""
        expiring = {origin: figures for origin, figures in self.now.items() if figures.get("expires")}
        self.now_changed |= len(expiring) < len(self.now)
        self.now = expiring
        self._now_is_current = False

    def set_now(self, origin: tuple[str, int], figures: dict[str, Any] | None) -> None:
        """Set the figures of now of a source partition; None removes them."""
        if figures is None:
            self.now_changed |= self.now.pop(origin, None) is not None
        else:
            self.now[origin] = figures
            self.now_changed = True
        self._now_is_current = False

    def refresh_now(self) -> None:
        """Merge the figures of now of all source partitions, if any has changed."""
        if self._now_is_current:
            return
        self._now_is_current = True
        waiting, by_definition, grows = list[int](), dict[str, list[int]](), False
        for figures in self.now.values():
            waiting += figures.get("waiting_since_ms", ())
            for name, since in figures.get("waiting_since_ms_by_definition", _NOTHING).items():
                by_definition.setdefault(name, []).extend(since)
            grows = grows or may_become_due(figures)
        waiting.sort()
        for since in by_definition.values():
            since.sort()
        self._waiting, self._waiting_by_definition = waiting, by_definition
        self.has_waiting, self.grows = bool(waiting), grows

    def reset(self) -> None:
        """Clear the windows, but keep the sums by source partition."""
        self.trailing.reset()
        self.cells, self.outcome_cells = Cells(), Cells()
        self.trailing_changed = self.now_changed = True

    def compact(self, watermark_ms: int) -> None:
        """Pack what is complete."""
        self.trailing.compact(watermark_ms)
        for parts in (self.cell_parts, self.outcome_parts):
            parts.compact(watermark_ms - CELL_PACK_AFTER_MS)
        for cells in (self.cells, self.outcome_cells):
            cells.compact(watermark_ms)

    def window_key(self, name: str) -> str:
        """Return the key of a window's record, of an interval or day without the start."""
        key = self._window_keys.get(name)
        if key is None:
            key = self._window_keys[name] = f"window|{name}|{self.channel or '-'}|{self.scope}"
        return key

    def written_window(self, name: str) -> bytes:
        """Return the JSON fields of scope and window."""
        written = self._written_windows.get(name)
        if written is None:
            kind, scope = encode(self.stamp["scope_kind"]), encode(self.stamp["scope"])
            written = self._written_windows[name] = b',"scope":%b,"scope_kind":%b,"window":%b' % (scope, kind, encode(name))
        return written

    def grows_older(self, before: int | None, as_of: int) -> bool:
        """Return whether time alone makes something fall due, or may change an age band, between two instants."""
        return any(becomes_due(figures, before, as_of, _HOUR_MS if self.business is None else _MINUTE_MS) for figures in self.now.values())

    def past_threshold(self, as_of: int, start_ms: int, *, missed: bool = False) -> int:
        """Return the number of contacts past the threshold at as-of, each by the definition of its queue at ``start_ms``.

        With ``missed``, only those that count as missed before their outcome.
        """
        self.refresh_now()
        if not self._waiting and not self._waiting_by_definition:
            return 0
        first = self.definitions.first(start_ms)
        past = _past(self._waiting, first, as_of, missed=missed)
        for name, since in self._waiting_by_definition.items():
            judged = self.definitions.part(name, start_ms)
            if judged is not None:
                past += _past(since, judged, as_of, missed=missed) - _past(since, first, as_of, missed=missed)
        return past

    def past_by(self, as_of: int, starts_ms: Iterable[int]) -> tuple[int, ...]:
        """Return the contacts past the threshold at as-of by begin of the window and definition."""
        past: list[int] = []
        for start in starts_ms:
            past.append(self.past_threshold(as_of, start, missed=True))
            past += [self.past_threshold_of(other, as_of, missed=True) for other in self.definitions.others(start)]
        return tuple(past)

    def missed_by(self, as_of: int, start_ms: int) -> tuple[int, ...]:
        """Return ``past_by`` of one window; empty where no contact waits."""
        self.refresh_now()
        return self.past_by(as_of, (start_ms,)) if self._waiting or self._waiting_by_definition else ()

    def past_threshold_of(self, judged: Judged, as_of: int, *, missed: bool = False) -> int:
        """Return the contacts past the threshold at as-of, all by one definition."""
        self.refresh_now()
        return _past(self._waiting, judged, as_of, missed=missed)

    def now_figures(self, as_of: int) -> dict[str, Any]:
        """Return the figures of now at as-of."""
        if self.about_people:
            agents: Counts = {}
            for figures in self.now.values():
                add_counts(agents, figures.get("agents_by_state", {}))
            return {"agents_by_state": dict(sorted(agents.items()))}
        self.refresh_now()
        earliest = self._waiting[0] if self._waiting else None
        return {
            "waiting": len(self._waiting),
            "waiting_since": None if earliest is None else format_ms(earliest),
            "longest_wait_seconds": None if earliest is None else max(0, as_of - earliest) / 1000,
            "in_progress": sum(figures.get("in_progress", 0) for figures in self.now.values()),
            "waiting_past_threshold": self.past_threshold(as_of, as_of),
            "callbacks_waiting": sum(figures.get("callbacks_waiting", 0) for figures in self.now.values()),
            "callbacks_overdue": sum(bisect_left(figures.get("callback_due_ms", ()), as_of) for figures in self.now.values()),
            **(self._backlog(as_of) if self.channel in REPLY_CHANNELS else {}),
            **({"reply_overdue": replies_overdue(self.now.values(), as_of)} if self.replies else {}),
        }

    def age_ms(self, since_ms: int, as_of_ms: int) -> int:
        """Return the age on the clock of the scope."""
        return max(0, as_of_ms - since_ms) if self.business is None else self.business.open_ms(since_ms, as_of_ms)

    def _backlog(self, as_of: int) -> dict[str, Any]:
        total: Counts = {}
        oldest: int | None = None
        for figures in self.now.values():
            add_counts(total, figures.get("backlog", {}))
            start = figures.get("backlog_oldest_ms")
            if start is not None and (oldest is None or start < oldest):
                oldest = start
        return {
            **{f"backlog_{name}": total.get(name, 0) for name in _BACKLOG},
            "backlog_oldest_since": None if oldest is None else format_ms(oldest),
            "backlog_oldest_seconds": None if oldest is None else self.age_ms(oldest, as_of) / 1000,
            "backlog_by_age": ages(self.now.values(), as_of, self.age_ms),
        }


def _past(since: list[int], judged: Judged, as_of: int, *, missed: bool) -> int:
    definition = judged.definition
    if missed and definition.count_at == "outcome":
        return 0
    return bisect_left(since, as_of - definition.threshold_ms)
