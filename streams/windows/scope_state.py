"""What is known of one scope and channel: slices merged over all source partitions, and what goes on now."""

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
#: How often the backlog comes into other bands of age: starts count by whole hours, opening hours begin and end with minutes.
_HOUR_MS, _MINUTE_MS = 3_600_000, 60_000
_BACKLOG = ("untouched", "in_progress", "waiting_on_customer", "on_hold")


class ScopeState:
    """What is known of one scope and channel."""

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
        #: what every record of it says
        self.stamp = {"scope_kind": kind, "scope": name, "channel": channel}
        #: as JSON, from the channel to the sums, and from the scope to the name of each window
        self.written_channel = b'"channel":%b,"counts":' % encode(channel)
        self._written_windows: dict[str, bytes] = {}
        #: scopes have ascending numbers in the order in which they came up
        self.number = 0
        #: whether the figures are about people and not contacts
        self.about_people = channel is None
        #: whether they are about a single person, and not for everybody
        self.is_individual = channel is None and scope.startswith("agent:")
        self.calendar = calendar
        self.definitions = definitions
        #: what it costs beside its people, in hundredths an hour; None without costs
        self.fixed_per_hour = fixed_per_hour
        #: figures for which no source that feeds it has anything
        self.not_reported = not_reported
        self._window_keys: dict[str, str] = {}
        #: the alert rules that look at it
        self.watches = watches
        #: whether customers are to have replies in some time
        self.replies = False
        self.trailing = TrailingSums(lengths_ms, staffed=bool(fixed_per_hour))
        #: start of the cell → sums, by offer for contacts, by outcome for people
        self.cells = Cells()
        #: for contacts by outcome too, if that is asked for
        self.outcome_cells = Cells()
        #: what each source partition contributes, as last told
        self.outcome_parts: SumsByStart[int] = SumsByStart()
        self.cell_parts: SumsByStart[int] = SumsByStart()
        self.now: dict[tuple[str, int], dict[str, Any]] = {}
        self.changed_cells: set[int] = set()
        #: changed cell → when the next interval or day that holds it begins, if one has not begun yet
        self.future_cells: dict[int, int] = {}
        #: whether every trailing window is to be looked at, whatever has changed in it
        self.trailing_changed = True
        self.now_changed = True
        #: whether anybody waits, and whether anything of now grows older or falls due; as of the last ``refresh_now``
        self.has_waiting = False
        self.grows = False
        #: entries of the waiting, ascending; those judged by another definition than the scope's by its name too
        self._waiting: list[int] = []
        self._waiting_by_definition: dict[str, list[int]] = {}
        self._now_looked_at = True
        #: how many waited too long at the last look, as each definition of each trailing window has it
        self.past: tuple[int, ...] = ()
        #: whether rules have to look though no figure changes
        self.restless = True
        #: when a queue is open whose times are measured on the business clock
        self.business: OpeningHours | None = None
        #: what disturbs its calendar
        self.exceptions: tuple[Exceptional, ...] = ()

    @property
    def is_held(self) -> bool:
        """Whether any source partition holds something of it."""
        return bool(self.now) or not self.trailing.is_empty or any(parts.starts() for parts in (self.cell_parts, self.outcome_parts))

    def drop_now_of_older_versions(self) -> None:
        """Forget what versions without expiry published: source partitions have published again what they still hold."""
        told = {origin: figures for origin, figures in self.now.items() if figures.get("expires")}
        self.now_changed |= len(told) < len(self.now)
        self.now = told
        self._now_looked_at = False

    def set_now(self, origin: tuple[str, int], figures: dict[str, Any] | None) -> None:
        """Take what goes on as a source partition sees it; None: nothing any more."""
        if figures is None:
            self.now_changed |= self.now.pop(origin, None) is not None
        else:
            self.now[origin] = figures
            self.now_changed = True
        self._now_looked_at = False

    def refresh_now(self) -> None:
        """Put together what the source partitions have told of now since the last look."""
        if self._now_looked_at:
            return
        self._now_looked_at = True
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
        """Forget what its windows came to, and not what they come from."""
        self.trailing.reset()
        self.cells, self.outcome_cells = Cells(), Cells()
        self.trailing_changed = self.now_changed = True

    def compact(self, watermark_ms: int) -> None:
        """Let what is complete so far take less room."""
        self.trailing.compact(watermark_ms)
        for parts in (self.cell_parts, self.outcome_parts):
            parts.compact(watermark_ms - CELL_PACK_AFTER_MS)
        for cells in (self.cells, self.outcome_cells):
            cells.compact(watermark_ms)

    def window_key(self, name: str) -> str:
        """Return the key of a window's record; an interval's and a day's goes on with the start."""
        key = self._window_keys.get(name)
        if key is None:
            key = self._window_keys[name] = f"window|{name}|{self.channel or '-'}|{self.scope}"
        return key

    def written_window(self, name: str) -> bytes:
        """Return scope and name of a window as they stand in its record."""
        found = self._written_windows.get(name)
        if found is None:
            kind, scope = encode(self.stamp["scope_kind"]), encode(self.stamp["scope"])
            found = self._written_windows[name] = b',"scope":%b,"scope_kind":%b,"window":%b' % (scope, kind, encode(name))
        return found

    def grows_older(self, before: int | None, as_of: int) -> bool:
        """Say whether something falls due, or may come into another band of age, between two instants, though nothing happens."""
        return any(becomes_due(figures, before, as_of, _HOUR_MS if self.business is None else _MINUTE_MS) for figures in self.now.values())

    def past_threshold(self, as_of: int, start_ms: int, *, missed: bool = False) -> int:
        """Return how many have waited longer than the threshold at as-of, each by what judges windows that begin at an instant.

        With ``missed`` only those that count as missed before their outcome.
        """
        self.refresh_now()
        if not self._waiting and not self._waiting_by_definition:
            return 0
        first = self.definitions.first(start_ms)
        found = _past(self._waiting, first, as_of, missed=missed)
        for name, since in self._waiting_by_definition.items():
            judged = self.definitions.part(name, start_ms)
            if judged is not None:
                found += _past(since, judged, as_of, missed=missed) - _past(since, first, as_of, missed=missed)
        return found

    def past_by(self, as_of: int, starts_ms: Iterable[int]) -> tuple[int, ...]:
        """Return how many have waited too long at as-of in windows that begin at some instants, as each definition has it."""
        found: list[int] = []
        for start in starts_ms:
            found.append(self.past_threshold(as_of, start, missed=True))
            found += [self.past_threshold_of(other, as_of, missed=True) for other in self.definitions.others(start)]
        return tuple(found)

    def missed_by(self, as_of: int, start_ms: int) -> tuple[int, ...]:
        """Return the same of one window; nothing where no contact waits."""
        self.refresh_now()
        return self.past_by(as_of, (start_ms,)) if self._waiting or self._waiting_by_definition else ()

    def past_threshold_of(self, judged: Judged, as_of: int, *, missed: bool = False) -> int:
        """Return the same with all of them judged by one definition."""
        self.refresh_now()
        return _past(self._waiting, judged, as_of, missed=missed)

    def now_figures(self, as_of: int) -> dict[str, Any]:
        """Return what is going on at as-of."""
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
        """Return the age of what began at an instant, on the clock of a queue."""
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
