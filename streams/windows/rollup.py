"""Roll up: slices of all source partitions become windows with KPIs, published when they change."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from msgspec.json import decode, encode

from schemas.times import format_ms
from streams.catalogue.sheets import FIGURES, WRITTEN
from streams.windows.alerts import Alerts, Evaluation
from streams.windows.calendar import Calendars, Span
from streams.windows.dated import Dated
from streams.windows.definitions import DefinitionBook, ScopeDefinitions
from streams.windows.encoded_figures import encode_figures
from streams.windows.exceptions import Exceptions
from streams.windows.hours import business_clocks
from streams.windows.judging import figures_of
from streams.windows.kpis import decided_in
from streams.windows.labels import horizon_ms_of, sessions_open
from streams.windows.not_reported import not_reported
from streams.windows.panes import Panes
from streams.windows.pending import has_replies
from streams.windows.provisional import ProvisionalWindow, ProvisionalWindows
from streams.windows.published import Published
from streams.windows.records import window_content, written_bounds
from streams.windows.scope_keys import permanent_scope_keys
from streams.windows.scope_state import ScopeState
from streams.windows.slices import MIN_CELL_MS, PANE_MS, cell_of, pane_of
from streams.windows.staffed import add_staffed, fixed_cost
from streams.windows.sums import Counts, add_counts

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from streams.catalogue.sheets import Make
    from streams.configuration import Configuration
    from streams.windows.cells import Cells
    from streams.windows.packed_sums import SumsByStart
    from streams.windows.scope_keys import ScopeKey

__all__ = ["RollUp"]

#: An interval or day is revised until the watermark is this far past its start: a day of 25 h, and the day of its last complaint.
_DAY_RETENTION_MS = 50 * 3_600_000
#: Windows stay published for longer than they are computed.
_EXTRA_RETENTION_MS = 24 * 3_600_000
#: Flushes without progress after which alert rules no longer wait for a partition that is catching up: a minute or more.
_MAX_FLUSHES_WITHOUT_PROGRESS = 300


class RollUp:
    """Windows of the scopes of one partition of queue-panes, in event time.

    The watermark is the least progress of ``contact_sources`` and ``agent_sources``, given as topic and partition.
    """

    def __init__(
        self,
        configuration: Configuration,
        partition: int,
        contact_sources: Iterable[tuple[str, int]],
        agent_sources: Iterable[tuple[str, int]],
        *,
        keep_everything: bool = False,
        cells_of: Callable[[ScopeState], tuple[Cells, Cells]] | None = None,
    ) -> None:
        counting = configuration.counting
        self._configuration = configuration
        #: creates the cells of a scope in a batch: by offer (of agents by outcome), and by outcome
        self._cells_of = cells_of
        self._partition = partition
        self._contact_sources = tuple(contact_sources)
        self._agent_sources = tuple(agent_sources)
        self._lengths = {minutes * 60_000: f"trailing_{minutes}m" for minutes in counting.trailing_minutes}
        self._completion_delay_ms = 1000 * (counting.grace_seconds + counting.rejoin_seconds)
        self._retention_ms = None if keep_everything else _DAY_RETENTION_MS + self._completion_delay_ms
        #: source partition → its number in the stored slices
        self._origins: dict[tuple[str, int], int] = {}
        self._progress: dict[tuple[str, int], dict[str, Any]] = {}
        self._progress_changed = False
        #: source partition that is catching up → its progress at the last flush, and flushes without progress
        self._catching_up: dict[tuple[str, int], tuple[tuple[int | None, int | None], int]] = {}
        #: an operator has reset the progress of a source partition
        self._progress_reset = False
        self.dated = Dated(configuration)
        self._exceptions = Exceptions(configuration)
        self._business = business_clocks(configuration)
        self.alerts = Alerts(configuration)
        self.scopes: dict[ScopeKey, ScopeState] = {}
        #: scopes with records since the last flush, and those that time alone may change
        self._changed_scopes: set[ScopeState] = set()
        self._time_dependent: set[ScopeState] = set()
        #: whether the next flush checks every scope
        self._check_all = True
        self._numbers = 0
        #: ends of the trailing windows of contacts and of agents at the last flush
        self._ends: tuple[int | None, int | None] = (None, None)
        self._permanent = permanent_scope_keys(configuration)
        #: scopes that expired at a source partition since the last flush; None: not all source partitions expire scopes yet
        self._expired_by_some: set[ScopeKey] | None = None
        self._calendars = Calendars(configuration)
        self._published = Published()
        self._definitions = DefinitionBook(configuration)
        #: the as-of of the restored state
        self._began_at: int | None = None
        self._begun = False
        self._provisional = ProvisionalWindows()
        self.as_of: int | None = None
        self.complete_through: int | None = None
        self._people_hi: int | None = None
        #: keys of records of agents whose individual figures are not served
        self._withdrawn: list[str] = []
        self._completed_to: int | None = None
        #: as_of and complete_through of records, and the same as JSON
        self._stamped: dict[str, str | None] = {"as_of": None, "complete_through": None}
        self._as_of_text = b""

    # --- reading

    def expect(self, scope: str, channel: str | None) -> None:
        """Serve a configured scope with zeros before its first event."""
        self._state(scope, channel)

    def apply(self, key: str, value: dict[str, Any] | None) -> None:
        """Read a record of queue-panes: the absolute state of a slice, of now, or of a progress."""
        kind, channel_name, topic, partition, start, scope = key.split("|", 5)
        origin = (topic, int(partition))
        channel = None if channel_name == "-" else channel_name
        if self._is_withheld(channel, scope):
            return
        if kind == "progress":
            if value is not None:
                self._progress_reset |= _was_reset(self._progress.get(origin), value)
                self._progress[origin] = value
                self._progress_changed = True
        elif value is None:
            self._apply_tombstone(kind, (scope, channel), origin, start)
        else:
            state = self._state(scope, channel)
            self._changed_scopes.add(state)
            if kind == "now":
                state.set_now(origin, value)
            elif kind == "pane":
                state.trailing.exchange(self._origins.setdefault(origin, len(self._origins)), Panes.read(int(start), value))
            else:
                self._apply_cell(kind, state, self._origins.setdefault(origin, len(self._origins)), int(start), value)

    def _apply_tombstone(self, kind: str, scope_key: ScopeKey, origin: tuple[str, int], start: str) -> None:
        """Drop what has expired at a source partition: an old slice, or the now record of a scope."""
        state = self.scopes.get(scope_key)
        if state is None:
            return
        if kind == "now":
            state.set_now(origin, None)
            self._changed_scopes.add(state)
        else:
            parts = state.trailing if kind == "pane" else self._parts(kind, state)
            if parts is not None:
                parts.discard(self._origins.setdefault(origin, len(self._origins)), int(start))
        if not state.now and self._expired_by_some is not None:
            self._expired_by_some.add(scope_key)

    def _parts(self, kind: str, state: ScopeState) -> SumsByStart[int] | None:
        """Return the sums by source partition of a kind of cells; None if they are not counted."""
        if kind == ("cell" if state.about_people else "cohort"):
            return state.cell_parts
        return state.outcome_parts if kind == "cell" and self.dated.by_outcome else None

    def _apply_cell(self, kind: str, state: ScopeState, origin: int, start: int, value: dict[str, Any]) -> None:
        parts = self._parts(kind, state)
        if parts is None:
            return
        counts: Counts = value["counts"]
        before = parts.exchange(start, origin, counts)
        get = before.get
        difference = {field: amount - get(field, 0) for field, amount in counts.items() if amount != get(field)} if before else dict(counts)
        if not before.keys() <= counts.keys():
            difference |= {field: -amount for field, amount in before.items() if field not in counts}
        self._add(state, state.outcome_cells if parts is state.outcome_parts else state.cells, start, difference)

    def add(self, kind: str, scope: str, channel: str | None, start_ms: int, difference: Counts) -> None:
        """Add to a cell what was booked in it since the last call, in a batch without sums by source partition."""
        if self._is_withheld(channel, scope):
            return
        state = self._state(scope, channel)
        self._changed_scopes.add(state)
        if kind == ("cell" if state.about_people else "cohort"):
            self._add(state, state.cells, start_ms, difference)
        elif kind == "cell" and self.dated.by_outcome:
            self._add(state, state.outcome_cells, start_ms, difference)

    def _add(self, state: ScopeState, cells: Cells, start: int, difference: Counts) -> None:
        if self._is_expired(start):
            return
        if state.fixed_per_hour and state.about_people:
            add_staffed(difference, cells.get(start, {}), self.dated.length_of(start))
        cells.add(start, difference)
        state.changed_cells.add(start)

    def _is_expired(self, start_ms: int) -> bool:
        return (
            self._retention_ms is not None and self.complete_through is not None and start_ms < self.complete_through - self._retention_ms
        )

    def _state(self, scope: str, channel: str | None) -> ScopeState:
        state = self.scopes.get((scope, channel))
        if state is None:
            definitions = ScopeDefinitions(self._definitions, scope, channel)
            individual = channel is None and scope.startswith("agent:")
            watches = () if individual else self.alerts.watches_of(scope, channel)
            fixed = fixed_cost(self._configuration, scope) if channel is None else None
            silent = not_reported(self._configuration, scope, channel)
            state = ScopeState(scope, channel, self._calendars.of(scope), definitions, tuple(self._lengths), watches, fixed, silent)
            state.number = self._numbers = self._numbers + 1
            self.scopes[scope, channel] = state
            self._changed_scopes.add(state)
            state.exceptions = self._exceptions.of(scope, about_people=state.about_people)
            if scope.startswith("queue:"):
                state.business = self._business.get(scope.removeprefix("queue:"))
            state.replies = has_replies(self._configuration, scope, channel)
            if self._cells_of is not None:
                state.cells, state.outcome_cells = self._cells_of(state)
        return state

    def _is_withheld(self, channel: str | None, scope: str) -> bool:
        """Return whether a scope is an agent whose individual figures are not served."""
        return channel is None and scope.startswith("agent:") and not self._configuration.is_individual(scope.removeprefix("agent:"))

    def restore_published(self, key: str, record: dict[str, Any]) -> None:
        """Restore the record that was published last under a key, so that it is not published again.

        Raises:
            DefinitionChangedError: the record's version of a definition is configured with another content.
        """
        if self._is_withheld(record.get("channel"), f"{record.get('scope_kind')}:{record.get('scope')}"):
            self._withdrawn.append(key)
            return
        if record["kind"] == "definition":
            self._definitions.restore(record)
        self._published.restore(key, record)

    def begin(self) -> None:
        """End the restore: later records were counted by this configuration."""
        if not self._begun:
            self._begun = True
            self._began_at = self._received_through()

    # --- publishing

    def advance(self) -> None:
        """Advance to the progress of the source partitions without publishing: a batch reads its figures at its end."""
        self._update_progress()
        for state in self.scopes.values():
            state.changed_cells.clear()
            if self.complete_through is not None:
                state.compact(self.complete_through)

    def by_day(self, state: ScopeState) -> Iterator[dict[str, Any]]:
        """Yield the records of all days of a scope, changed or not."""
        days: dict[Span, Counts] = {}
        for start, counts in state.cells.items():
            add_counts(days.setdefault(state.calendar.day(start), {}), counts)
        for span, sums in sorted(days.items()):
            if span.start_ms <= (self.as_of or 0):
                content = self._window_content(state, "day", span, sums, final=self._is_final(state, span, sums))
                yield {**self._stamped, **decode(content + b"}")}

    def collect(self) -> Iterator[tuple[str, bytes | None]]:
        """Yield key and record, as JSON, of everything that changed since the last call; None deletes a key."""
        yield from ((key, None) for key in self._withdrawn)
        self._withdrawn = []
        before = self.as_of
        self._update_progress()
        if self.as_of is None:
            return
        if self._progress_reset:
            before = None
            self._recompute()
        if before is None:
            yield from ((key, None) for key in self._published.set_back(self.as_of, again=self._progress_reset))
            self.alerts.set_back(self.as_of)
        self._progress_reset = False
        self.begin()
        seen_at = self.as_of if self._began_at is None else self._began_at
        for label, content in self._definitions.new_records(seen_at, fresh=len(self._published) == 0):
            yield from self._publish((f"definition|{self._partition}|{label}", content))
        hi = pane_of(self.as_of) + PANE_MS
        moved = before != self.as_of
        for watched in self.alerts.begin(self.as_of):
            self._state(*watched)
        yield from self._expire_scopes(self.as_of)
        evaluation = Evaluation(self.as_of, bool(not self.alerts.is_idle and self._sources()[1]), before)
        catching_up = not self.alerts.is_idle and self._update_catching_up()
        changing = before is not None and self._definitions_change(pane_of(before) + PANE_MS, hi, before, self.as_of)
        for state in self._scopes_to_check((hi, self._people_hi), all_of_them=changing or before is None):
            if state.is_individual:
                yield from self._publish_changed_cells(state)
                continue
            if changing and not state.about_people:
                state.trailing_changed = state.now_changed = True
            end = self._people_hi if state.about_people else hi
            trailing = state.trailing
            if end is not None and end != trailing.hi_ms:
                trailing.advance(end)
            state.refresh_now()
            waited = moved and state.has_waiting
            changed = state.now_changed or waited
            if changed or (moved and state.grows and state.grows_older(before, self.as_of)):
                yield from self._publish(self._now_record(state))
                state.now_changed = False
                if changed and end is not None and not state.about_people:
                    # The live service level depends on the waiting contacts past the threshold.
                    past = state.past_by(self.as_of, [end - length for length in self._lengths])
                    state.trailing_changed |= past != state.past
                    state.past = past
                changed = True
            if end is not None and (state.trailing_changed or trailing.changed):
                changed = True
                for length, name in self._lengths.items():
                    if state.trailing_changed or length in trailing.changed:
                        span = Span(end - length, end)
                        record = self._window_record(state, name, span, trailing.sums[length], final=False, trailing=True)
                        if record is not None:
                            yield record
                state.trailing_changed = False
                trailing.changed.clear()
            if state.watches and (changed or (state.needs_evaluation and self._progress_changed)):
                if catching_up:
                    state.needs_evaluation = True
                else:
                    self._evaluate_rules(state, evaluation)
            if state.future_cells and cell_of(self.as_of, MIN_CELL_MS) != cell_of(before or 0, MIN_CELL_MS):
                due = [cell for cell, begin_ms in state.future_cells.items() if begin_ms <= self.as_of]
                for cell in due:
                    del state.future_cells[cell]
                state.changed_cells.update(due)
            if state.changed_cells:
                yield from self._publish_changed_cells(state)
            if state.has_waiting or state.grows or state.future_cells or (state.watches and state.needs_evaluation):
                self._time_dependent.add(state)
        yield from self._complete()
        if self._progress_changed:
            self._progress_changed = False
            yield from self._publish(self._progress_record())

    def _scopes_to_check(self, ends: tuple[int, int | None], *, all_of_them: bool) -> Iterable[ScopeState]:
        """Return the scopes that may have changed since the last flush, in order of creation."""
        ends_before, self._ends = self._ends, ends
        if all_of_them or self._check_all or ends != ends_before:
            scopes: Iterable[ScopeState] = list(self.scopes.values())
        else:
            scopes = sorted(self._changed_scopes | self._time_dependent, key=lambda state: state.number)
        self._check_all, self._changed_scopes, self._time_dependent = False, set(), set()
        return scopes

    def _expire_scopes(self, at_ms: int) -> Iterator[tuple[str, None]]:
        """Delete the records of scopes that have expired at every source partition, and drop the scopes."""
        if self._retention_ms is None:
            return
        if self._expired_by_some is None:
            if not all(self._progress.get(origin, {}).get("expires") for origin in (*self._contact_sources, *self._agent_sources)):
                return
            # Including scopes that are known only from published records, as of versions without expiry.
            self._expired_by_some = {*self.scopes, *self._published.scope_keys(), *self.alerts.scope_keys()}
            for state in self.scopes.values():
                state.drop_now_without_expiry()
            self._check_all = True
        candidates = (self._expired_by_some | self._published.expired_keys) - self._permanent
        self._expired_by_some, self._published.expired_keys = set(), set()
        if not candidates:
            return
        # Trailing windows and now stay for as long as the intervals and days of their scope.
        expired = {scope_key for scope_key in self._published.without_dated(candidates) if self._has_expired(scope_key)}
        if not expired:
            return
        for scope_key in expired:
            if scope_key in self.scopes:
                state = self.scopes.pop(scope_key)
                self._changed_scopes.discard(state)
                self._time_dependent.discard(state)
        self._provisional.forget(expired)
        yield from ((key, None) for key in self._published.forget(expired))
        self.alerts.forget(expired, at_ms)

    def _has_expired(self, scope_key: ScopeKey) -> bool:
        state = self.scopes.get(scope_key)
        if state is None:
            scope, channel = scope_key
            return not (channel is None and scope.startswith("agent:"))
        return not (state.is_individual or state.has_data)

    def _recompute(self) -> None:
        """Recompute all windows from the sums by source partition, as after a start: a reset of progress reopens closed windows."""
        self._completed_to = None
        self._provisional.clear()
        for state in self.scopes.values():
            state.reset()
            for parts, cells in ((state.cell_parts, state.cells), (state.outcome_parts, state.outcome_cells)):
                for start in parts.starts():
                    for origin in parts.keys(start):
                        self._add(state, cells, start, dict(parts.own(start, origin)))

    def _definitions_change(self, hi_before: int, hi: int, before: int, as_of: int) -> bool:
        """Return whether another version of a definition may apply to a trailing window, or now, than at the last flush."""
        crossed = self._definitions.crossed
        return crossed(before, as_of) or any(crossed(hi_before - length, hi - length) for length in self._lengths)

    def _update_catching_up(self) -> bool:
        """Count flushes without progress; return whether a source partition lags because its worker still reads a backlog.

        Contacts of that partition seem to wait although they were answered long ago. A partition that makes no progress does not
        count: its worker may be down.
        """
        is_behind = False
        for origin, progress in self._progress.items():
            if progress.get("catching_up"):
                at, flushes = self._catching_up.get(origin, (None, 0))
                position = (progress["progress_ms"], progress["received_through_ms"])
                flushes = flushes + 1 if position == at else 0
                self._catching_up[origin] = position, flushes
                is_behind = is_behind or flushes < _MAX_FLUSHES_WITHOUT_PROGRESS
            else:
                self._catching_up.pop(origin, None)
        return is_behind

    def _evaluate_rules(self, state: ScopeState, evaluation: Evaluation) -> None:
        """Evaluate the alert rules of a scope on the published figures of windows, and on the figures of now at as-of."""
        now = state.now_figures(evaluation.at_ms) if any(watch.of_now for watch in state.watches) else {}
        state.needs_evaluation = False
        for watch in state.watches:
            figures, definition = [], None
            for condition in watch.conditions:
                if condition.window is None:
                    figures.append({"value": now.get(condition.field)})
                else:
                    figure, judged_by = self._published.figure(state.window_key(condition.window), condition.field)
                    figures.append(figure)
                    definition = definition or judged_by
            state.needs_evaluation |= self.alerts.evaluate(watch, figures, evaluation, definition)

    def _update_progress(self) -> None:
        received = self._received_through()
        if received is not None:
            self.as_of = received
        contacts, people = self._watermark(self._contact_sources), self._watermark(self._agent_sources)
        self.complete_through = None if contacts is None or people is None else min(contacts, people)
        self._people_hi = None if people is None else pane_of(people)
        self.dated.update_progress(self._progress.values())
        self._stamped = {
            "as_of": None if self.as_of is None else format_ms(self.as_of),
            "complete_through": None if self.complete_through is None else format_ms(self.complete_through),
        }
        self._as_of_text = encode(self._stamped)[1:-1]

    def _received_through(self) -> int | None:
        return max((p["received_through_ms"] for p in self._progress.values() if p["received_through_ms"] is not None), default=None)

    def _watermark(self, sources: tuple[tuple[str, int], ...]) -> int | None:
        watermark: list[int] = []
        for origin in sources:
            progress = self._progress.get(origin)
            if progress is None or progress["progress_ms"] is None:
                return None
            watermark.append(progress["progress_ms"])
        return min(watermark, default=None)

    def _publish(self, keyed: tuple[str, dict[str, Any]]) -> Iterator[tuple[str, bytes | None]]:
        key, record = keyed
        written = self._published.revise(key, record)
        if written is not None:
            yield key, written

    def _stamp(self, state: ScopeState) -> dict[str, Any]:
        return {**state.stamp, **self._stamped}

    def _now_record(self, state: ScopeState) -> tuple[str, dict[str, Any]]:
        record = {"kind": "now", **self._stamp(state), **state.now_figures(self.as_of or 0)}
        return f"now|{state.channel or '-'}|{state.scope}", record

    def figures(
        self,
        state: ScopeState,
        sums: Counts,
        start_ms: int,
        *,
        trailing: bool,
        length_ms: int | None = None,
        make: Make = FIGURES,
    ) -> dict[str, Any]:
        """Return the KPIs of a scope from the sums of a window, with their definitions; a batch has no ``length_ms``."""
        live_at = (self.as_of or 0) if trailing else None
        return figures_of(state, sums, start_ms, by_offer=not trailing, live_at=live_at, length_ms=length_ms, make=make)

    def _window_record(
        self, state: ScopeState, name: str, span: Span, sums: Counts, *, final: bool, trailing: bool
    ) -> tuple[str, bytes] | None:
        """Return key and record of a window if its content has changed."""
        content = self._window_content(state, name, span, sums, final=final, trailing=trailing)
        key = state.window_key(name)
        if trailing:
            revision = self._published.revise_current(key, content, self._stamped)
            if revision is None:
                return None
            return key, b'%b,%b,"revision":%d%b}' % (content, self._as_of_text, revision, written_bounds(*span))
        revision = self._published.revise_dated(key, span.start_ms, content)
        return None if revision is None else (f"{key}|{span.start_ms}", b'%b,%b,"revision":%d}' % (content, self._as_of_text, revision))

    def _window_content(self, state: ScopeState, name: str, span: Span, sums: Counts, *, final: bool, trailing: bool = False) -> bytes:
        """Return the content of a window's record as JSON without the last brace."""
        beside: dict[str, Any] = {}
        extra: dict[str, Any] = {}
        if not trailing:
            over = self.is_over(span)
            beside = self.dated.forecasts(state, span, sums, over=over, make=WRITTEN)
            extra = self.dated.extra_fields(state, name, span, over=over, make=WRITTEN)
        return window_content(
            state,
            name,
            b"" if trailing else written_bounds(*span),
            encode_figures(state, sums, span, live_at=(self.as_of or 0) if trailing else None, beside=beside),
            extra,
            final=final,
            late_events=sums.get("late_events", 0),
        )

    def is_over(self, span: Span, later_ms: int = 0) -> bool:
        """Return whether only late events can still fall in a span, or into the time ``later_ms`` after it."""
        return self.complete_through is not None and self.complete_through >= span.end_ms + self._completion_delay_ms + later_ms

    def _is_final(self, state: ScopeState, span: Span, sums: Counts) -> bool:
        """Return whether only a late event can still change the window."""
        if not self.is_over(span):
            return False
        if state.about_people:
            return True
        if decided_in(sums) < sums.get("offered", 0) or sums.get("handled", 0) < sums.get("answered", 0) or sessions_open(sums):
            return False
        return self.is_over(span, horizon_ms_of(sums))

    def _publish_changed_cells(self, state: ScopeState) -> Iterator[tuple[str, bytes | None]]:
        windows: set[tuple[str, Span]] = set()
        as_of = self.as_of or 0
        for cell in state.changed_cells:
            for window in self.dated.windows(state, cell):
                begin_ms = window[1].start_ms
                if begin_ms <= as_of:
                    windows.add(window)
                else:
                    # Forecasts are published when their window begins; a long one begins before the cell.
                    state.future_cells[cell] = min(begin_ms, state.future_cells.get(cell, begin_ms))
        state.changed_cells = set()
        for name, span in sorted(windows):
            if not self._is_expired(span.start_ms):
                record = self._span_record(state, name, span)
                if record is not None:
                    yield record

    def _span_record(self, state: ScopeState, name: str, span: Span) -> tuple[str, bytes] | None:
        """Return key and record of an interval or day if its content has changed."""
        sums = state.cells.sums(span)
        final = self._is_final(state, span, sums)
        key = f"{state.window_key(name)}|{span.start_ms}"
        # Checked when it is over, for the accuracy of forecasts, and again when it may be final.
        due = span.end_ms + self._completion_delay_ms + (horizon_ms_of(sums) if self.is_over(span) else 0)
        if final or (self.complete_through is not None and due <= self.complete_through):
            self._provisional.drop(key)  # only what is booked in it can still change it
        else:
            self._provisional.put(key, ProvisionalWindow(state, name, span, due))
        return self._window_record(state, name, span, sums, final=final, trailing=False)

    def _complete(self) -> Iterator[tuple[str, bytes | None]]:
        """Publish windows that are over or final; once a minute of event time, expire old ones."""
        if self.complete_through is None:
            return
        for state, name, span, _ in self._provisional.due(self.complete_through):
            if not self._is_expired(span.start_ms):
                record = self._span_record(state, name, span)
                if record is not None:
                    yield record
        watermark = self.complete_through - self.complete_through % 60_000
        if self._completed_to is not None and watermark <= self._completed_to:
            return
        self._completed_to = watermark
        if self._retention_ms is None:
            return
        for key in self._published.expire(watermark - self._retention_ms - _EXTRA_RETENTION_MS):
            yield key, None
        for state in self.scopes.values():
            state.compact(watermark)
            for cells in (state.cells, state.outcome_cells):
                cells.forget(watermark - self._retention_ms)

    def _sources(self) -> tuple[dict[str, int], list[str]]:
        """Return when every source was last seen, and the sources that are stale on every partition."""
        sources: dict[str, int] = {}
        fresh: set[str] = set()
        for progress in self._progress.values():
            for source, received in progress["sources"].items():
                sources[source] = max(received, sources.get(source, received))
            fresh.update(set(progress["sources"]) - set(progress["stale_sources"]))
        return sources, sorted(set(sources) - fresh)

    def _quarantined(self) -> dict[str, dict[str, Any]]:
        """Return the quarantined sources: earliest time and its reason, number of partitions and of records."""
        totals: dict[str, dict[str, Any]] = {}
        for origin in sorted(self._progress):
            for source, entry in self._progress[origin].get("quarantined_sources", {}).items():
                total = totals.setdefault(source, {"reason": entry["reason"], "since": entry["since_ms"], "partitions": 0, "records": 0})
                if entry["since_ms"] < total["since"]:
                    total["since"], total["reason"] = entry["since_ms"], entry["reason"]
                total["partitions"] += 1
                total["records"] += entry["records"]
        return {source: {**total, "since": format_ms(total["since"])} for source, total in sorted(totals.items())}

    def _beyond_limits(self) -> dict[str, dict[str, int]]:
        """Return source → kind → number beyond its limits, over all source partitions."""
        totals: dict[str, dict[str, int]] = {}
        for progress in self._progress.values():
            for source, counts in progress.get("beyond_limits", {}).items():
                add_counts(totals.setdefault(source, {}), counts)
        return {source: dict(sorted(counts.items())) for source, counts in sorted(totals.items())}

    def _journals(self) -> dict[str, str]:
        """Return until when each journal is complete, on the partition that is furthest behind."""
        complete_ms: dict[str, int] = {}
        for progress in self._progress.values():
            for source, complete in progress.get("journals", {}).items():
                complete_ms[source] = min(complete, complete_ms.get(source, complete))
        return {source: format_ms(complete) for source, complete in sorted(complete_ms.items())}

    def _progress_record(self) -> tuple[str, dict[str, Any]]:
        sources, stale = self._sources()
        quarantined, beyond, journals = self._quarantined(), self._beyond_limits(), self._journals()
        record = {
            "kind": "progress",
            "pane_partition": self._partition,
            **self._stamped,
            "stale_sources": stale,
            "sources": {source: format_ms(received) for source, received in sorted(sources.items())},
            **({"quarantined_sources": quarantined} if quarantined else {}),
            **({"beyond_limits": beyond} if beyond else {}),
            **({"journals": journals} if journals else {}),
        }
        return f"progress|{self._partition}", record


def _was_reset(before: Mapping[str, Any] | None, after: Mapping[str, Any]) -> bool:
    """Return whether the progress of a source partition has moved back."""
    names = ("progress_ms", "received_through_ms")
    return before is not None and any((after[name] or 0) < (before[name] or 0) for name in names)
