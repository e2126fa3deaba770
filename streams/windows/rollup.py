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
from streams.windows.labels import sessions_open, settles_later_ms
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

#: A past interval or day is revised until the stream is complete so far behind its start: a day of 25 h, and that of its last complaint.
_DAY_KEEP_MS = 50 * 3_600_000
_STAY_MS = 24 * 3_600_000


class RollUp:
    """Windows of the scopes that one partition of queue-panes holds.

    Instants are those of the data; there is no clock. ``expected`` names the source partitions whose progress
    decides what is complete.
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
        #: what keeps the cells of a scope by offer (of people by outcome) and by outcome, if nothing is published of them
        self._cells_of = cells_of
        self._partition = partition
        self._contact_sources = tuple(contact_sources)
        self._agent_sources = tuple(agent_sources)
        self._lengths = {minutes * 60_000: f"trailing_{minutes}m" for minutes in counting.trailing_minutes}
        self._settle_ms = 1000 * (counting.grace_seconds + counting.rejoin_seconds)
        self._keep_ms = None if keep_everything else _DAY_KEEP_MS + self._settle_ms
        #: source partition → the number that stands for it in what is kept of every slice
        self._origins: dict[tuple[str, int], int] = {}
        self._progress: dict[tuple[str, int], dict[str, Any]] = {}
        self._progress_changed = False
        #: an operator has set a source partition back
        self._went_back = False
        self.dated = Dated(configuration)
        self._exceptions = Exceptions(configuration)
        self._business = business_clocks(configuration)
        self.alerts = Alerts(configuration)
        self.scopes: dict[ScopeKey, ScopeState] = {}
        #: what has been told of since the last flush, and what time alone may change
        self._touched: set[ScopeState] = set()
        self._passing: set[ScopeState] = set()
        #: whether every scope is to be looked at, and where the windows of contacts and of people ended at the last look
        self._look_at_all = True
        self._numbers = 0
        self._ends: tuple[int | None, int | None] = (None, None)
        self._lasting = permanent_scope_keys(configuration)
        #: scopes that a source partition has given up since the last flush; None: until all partitions give up what expires, every one
        self._given_up_by_some: set[ScopeKey] | None = None
        self._calendars = Calendars(configuration)
        self._published = Published()
        self._definitions = DefinitionBook(configuration)
        #: the as-of of what former workers counted
        self._began_at: int | None = None
        self._begun = False
        self._unsettled = ProvisionalWindows()
        self.as_of: int | None = None
        self.complete_through: int | None = None
        self._people_hi: int | None = None
        #: keys of people whose figures are kept no more
        self._withdrawn: list[str] = []
        self._completed_to: int | None = None
        #: as of when records are, and the same as JSON
        self._stamped: dict[str, str | None] = {"as_of": None, "complete_through": None}
        self._as_of_text = b""

    # --- taking in

    def expect(self, scope: str, channel: str | None) -> None:
        """Serve a configured scope from the beginning, with zeros."""
        self._state(scope, channel)

    def apply(self, key: str, value: dict[str, Any] | None) -> None:
        """Take a record of queue-panes: the absolute state of a slice, of now, or of a progress."""
        kind, channel_name, topic, partition, start, scope = key.split("|", 5)
        origin = (topic, int(partition))
        channel = None if channel_name == "-" else channel_name
        if self._is_withheld(channel, scope):
            return
        if kind == "progress":
            if value is not None:
                self._went_back |= _goes_back(self._progress.get(origin), value)
                self._progress[origin] = value
                self._progress_changed = True
        elif value is None:
            self._apply_tombstone(kind, (scope, channel), origin, start)
        else:
            state = self._state(scope, channel)
            self._touched.add(state)
            if kind == "now":
                state.set_now(origin, value)
            elif kind == "pane":
                state.trailing.exchange(self._origins.setdefault(origin, len(self._origins)), Panes.read(int(start), value))
            else:
                self._apply_cell(kind, state, self._origins.setdefault(origin, len(self._origins)), int(start), value)

    def _apply_tombstone(self, kind: str, place: ScopeKey, origin: tuple[str, int], start: str) -> None:
        """Forget what a source partition gave up: a slice older than any window that is still served, or what goes on in a scope."""
        state = self.scopes.get(place)
        if state is None:
            return
        if kind == "now":
            state.set_now(origin, None)
            self._touched.add(state)
        else:
            parts = state.trailing if kind == "pane" else self._parts(kind, state)
            if parts is not None:
                parts.discard(self._origins.setdefault(origin, len(self._origins)), int(start))
        if not state.now and self._given_up_by_some is not None:
            self._given_up_by_some.add(place)

    def _parts(self, kind: str, state: ScopeState) -> SumsByStart[int] | None:
        """Return what cells of a kind are kept in, if they are."""
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
        """Add to a cell what was booked there since the last time: of one who keeps nothing of what was told before."""
        if self._is_withheld(channel, scope):
            return
        state = self._state(scope, channel)
        self._touched.add(state)
        if kind == ("cell" if state.about_people else "cohort"):
            self._add(state, state.cells, start_ms, difference)
        elif kind == "cell" and self.dated.by_outcome:
            self._add(state, state.outcome_cells, start_ms, difference)

    def _add(self, state: ScopeState, cells: Cells, start: int, difference: Counts) -> None:
        if self._given_up(start):
            return
        if state.fixed_per_hour and state.about_people:
            add_staffed(difference, cells.get(start, {}), self.dated.length_of(start))
        cells.add(start, difference)
        state.changed_cells.add(start)

    def _given_up(self, start_ms: int) -> bool:
        return self._keep_ms is not None and self.complete_through is not None and start_ms < self.complete_through - self._keep_ms

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
            self._touched.add(state)
            state.exceptions = self._exceptions.of(scope, about_people=state.about_people)
            if scope.startswith("queue:"):
                state.business = self._business.get(scope.removeprefix("queue:"))
            state.replies = has_replies(self._configuration, scope, channel)
            if self._cells_of is not None:
                state.cells, state.outcome_cells = self._cells_of(state)
        return state

    def _is_withheld(self, channel: str | None, scope: str) -> bool:
        """Say whether a scope is that of a single person whose figures are not kept."""
        return channel is None and scope.startswith("agent:") and not self._configuration.is_individual(scope.removeprefix("agent:"))

    def restore_published(self, key: str, record: dict[str, Any]) -> None:
        """Take back what was published last under a key, so that it is not published again.

        Raises:
            DefinitionChangedError: it is a version of a definition that is configured with another content.
        """
        if self._is_withheld(record.get("channel"), f"{record.get('scope_kind')}:{record.get('scope')}"):
            self._withdrawn.append(key)
            return
        if record["kind"] == "definition":
            self._definitions.restore(record)
        self._published.restore(key, record)

    def begin(self) -> None:
        """Say that everything kept has been taken back in: what comes from now on is counted by this configuration."""
        if not self._begun:
            self._begun = True
            self._began_at = self._received_through()

    # --- publishing

    def pass_over(self) -> None:
        """Come as far as the source partitions have, without a word: for one who asks for the figures of a whole input at its end."""
        self._take_progress()
        for state in self.scopes.values():
            state.changed_cells.clear()
            if self.complete_through is not None:
                state.compact(self.complete_through)

    def by_day(self, state: ScopeState) -> Iterator[dict[str, Any]]:
        """Yield the records of the days of a scope, whether anything of them has changed or not."""
        days: dict[Span, Counts] = {}
        for start, counts in state.cells.items():
            add_counts(days.setdefault(state.calendar.day(start), {}), counts)
        for span, sums in sorted(days.items()):
            if span.start_ms <= (self.as_of or 0):
                content = self._window_content(state, "day", span, sums, final=self._is_final(state, span, sums))
                yield {**self._stamped, **decode(content + b"}")}

    def collect(self) -> Iterator[tuple[str, bytes | None]]:
        """Yield key and record, as JSON, of everything that changed since the last call; None gives a key up."""
        yield from ((key, None) for key in self._withdrawn)
        self._withdrawn = []
        before = self.as_of
        self._take_progress()
        if self.as_of is None:
            return
        if self._went_back:
            before = None
            self._add_up_anew()
        if before is None:
            yield from ((key, None) for key in self._published.set_back(self.as_of, again=self._went_back))
            self.alerts.set_back(self.as_of)
        self._went_back = False
        self.begin()
        seen_at = self.as_of if self._began_at is None else self._began_at
        for label, content in self._definitions.first_sight(seen_at, fresh=len(self._published) == 0):
            yield from self._publish((f"definition|{self._partition}|{label}", content))
        hi = pane_of(self.as_of) + PANE_MS
        moved = before != self.as_of
        for watched in self.alerts.begin(self.as_of):
            self._state(*watched)
        yield from self._give_up_expired(self.as_of)
        evaluation = Evaluation(self.as_of, bool(not self.alerts.idle and self._sources()[1]), before)
        changing = before is not None and self._definitions_change(pane_of(before) + PANE_MS, hi, before, self.as_of)
        for state in self._to_look_at((hi, self._people_hi), all_of_them=changing or before is None):
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
                    # The live service level depends on who waits too long.
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
            if state.watches and (changed or (state.restless and self._progress_changed)):
                self._evaluate_rules(state, evaluation)
            if state.future_cells and cell_of(self.as_of, MIN_CELL_MS) != cell_of(before or 0, MIN_CELL_MS):
                due = [cell for cell, begin_ms in state.future_cells.items() if begin_ms <= self.as_of]
                for cell in due:
                    del state.future_cells[cell]
                state.changed_cells.update(due)
            if state.changed_cells:
                yield from self._publish_changed_cells(state)
            if state.has_waiting or state.grows or state.future_cells or (state.watches and state.restless):
                self._passing.add(state)
        yield from self._complete()
        if self._progress_changed:
            self._progress_changed = False
            yield from self._publish(self._progress_record())

    def _to_look_at(self, ends: tuple[int, int | None], *, all_of_them: bool) -> Iterable[ScopeState]:
        """Return the scopes in which anything may have changed since the last flush, in the order in which they came up."""
        ends_before, self._ends = self._ends, ends
        if all_of_them or self._look_at_all or ends != ends_before:
            found: Iterable[ScopeState] = list(self.scopes.values())
        else:
            found = sorted(self._touched | self._passing, key=lambda state: state.number)
        self._look_at_all, self._touched, self._passing = False, set(), set()
        return found

    def _give_up_expired(self, at_ms: int) -> Iterator[tuple[str, None]]:
        """Take back all that was published of the scopes that every source partition has given up, and forget them."""
        if self._keep_ms is None:
            return
        if self._given_up_by_some is None:
            if not all(self._progress.get(origin, {}).get("expires") for origin in (*self._contact_sources, *self._agent_sources)):
                return
            # Those too of which only a former worker knew, such as one of a version that gave nothing up.
            self._given_up_by_some = {*self.scopes, *self._published.places(), *self.alerts.places()}
            for state in self.scopes.values():
                state.drop_now_of_older_versions()
            self._look_at_all = True
        looked_at = (self._given_up_by_some | self._published.emptied) - self._lasting
        self._given_up_by_some, self._published.emptied = set(), set()
        if not looked_at:
            return
        # Intervals and days stay for as long as those of others: till then trailing windows and now stay too.
        gone = {place for place in self._published.without_dated(looked_at) if self._is_gone(place)}
        if not gone:
            return
        for place in gone:
            if place in self.scopes:
                state = self.scopes.pop(place)
                self._touched.discard(state)
                self._passing.discard(state)
        self._unsettled.forget(gone)
        yield from ((key, None) for key in self._published.forget(gone))
        self.alerts.forget(gone, at_ms)

    def _is_gone(self, place: ScopeKey) -> bool:
        state = self.scopes.get(place)
        if state is None:
            return not (place[1] is None and place[0].startswith("agent:"))
        return not (state.is_individual or state.is_held)

    def _add_up_anew(self) -> None:
        """Serve as after a start, from what the source partitions have told, for progress was set back: what was over goes on."""
        self._completed_to = None
        self._unsettled.clear()
        for state in self.scopes.values():
            state.reset()
            for parts, cells in ((state.cell_parts, state.cells), (state.outcome_parts, state.outcome_cells)):
                for start in parts.starts():
                    for origin in parts.keys(start):
                        self._add(state, cells, start, dict(parts.own(start, origin)))

    def _definitions_change(self, hi_before: int, hi: int, before: int, as_of: int) -> bool:
        """Say whether a trailing window, or now, may be judged by another version than at the flush before."""
        crossed = self._definitions.crossed
        return crossed(before, as_of) or any(crossed(hi_before - length, hi - length) for length in self._lengths)

    def _evaluate_rules(self, state: ScopeState, evaluation: Evaluation) -> None:
        """Have the rules look at the figures that are published: those of windows as they are, those of now as of now."""
        now = state.now_figures(evaluation.at_ms) if any(watch.of_now for watch in state.watches) else {}
        state.restless = False
        for watch in state.watches:
            figures, definition = [], None
            for each in watch.conditions:
                if each.window is None:
                    figures.append({"value": now.get(each.field)})
                else:
                    figure, judged_by = self._published.figure(state.window_key(each.window), each.field)
                    figures.append(figure)
                    definition = definition or judged_by
            state.restless |= self.alerts.evaluate(watch, figures, evaluation, definition)

    def _take_progress(self) -> None:
        received = self._received_through()
        if received is not None:
            self.as_of = received
        contacts, people = self._through(self._contact_sources), self._through(self._agent_sources)
        self.complete_through = None if contacts is None or people is None else min(contacts, people)
        self._people_hi = None if people is None else pane_of(people)
        self.dated.take_progress(self._progress.values())
        self._stamped = {
            "as_of": None if self.as_of is None else format_ms(self.as_of),
            "complete_through": None if self.complete_through is None else format_ms(self.complete_through),
        }
        self._as_of_text = encode(self._stamped)[1:-1]

    def _received_through(self) -> int | None:
        return max((p["received_through_ms"] for p in self._progress.values() if p["received_through_ms"] is not None), default=None)

    def _through(self, sources: tuple[tuple[str, int], ...]) -> int | None:
        through: list[int] = []
        for origin in sources:
            progress = self._progress.get(origin)
            if progress is None or progress["progress_ms"] is None:
                return None
            through.append(progress["progress_ms"])
        return min(through, default=None)

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
        """Return the KPIs of a scope from the sums of a window, with what they are judged by; a whole input has no length."""
        live_at = (self.as_of or 0) if trailing else None
        return figures_of(state, sums, start_ms, by_offer=not trailing, live_at=live_at, length_ms=length_ms, make=make)

    def _window_record(
        self, state: ScopeState, name: str, span: Span, sums: Counts, *, final: bool, trailing: bool
    ) -> tuple[str, bytes] | None:
        """Return key and record of a window if it says something new."""
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
        """Return what the record of a window says, as JSON without the last brace."""
        beside: dict[str, Any] = {}
        otherwise: dict[str, Any] = {}
        if not trailing:
            over = self.is_over(span)
            beside = self.dated.forecasts(state, span, sums, over=over, make=WRITTEN)
            otherwise = self.dated.otherwise(state, name, span, over=over, make=WRITTEN)
        return window_content(
            state,
            name,
            b"" if trailing else written_bounds(*span),
            encode_figures(state, sums, span, live_at=(self.as_of or 0) if trailing else None, beside=beside),
            otherwise,
            final=final,
            late_events=sums.get("late_events", 0),
        )

    def is_over(self, span: Span, later_ms: int = 0) -> bool:
        """Say whether only late events are still to come in a span, or for so long after it."""
        return self.complete_through is not None and self.complete_through >= span.end_ms + self._settle_ms + later_ms

    def _is_final(self, state: ScopeState, span: Span, sums: Counts) -> bool:
        """Say whether only a late event could still change the window."""
        if not self.is_over(span):
            return False
        if state.about_people:
            return True
        if decided_in(sums) < sums.get("offered", 0) or sums.get("handled", 0) < sums.get("answered", 0) or sessions_open(sums):
            return False
        return self.is_over(span, settles_later_ms(sums))

    def _publish_changed_cells(self, state: ScopeState) -> Iterator[tuple[str, bytes | None]]:
        windows: set[tuple[str, Span]] = set()
        as_of = self.as_of or 0
        for cell in state.changed_cells:
            for window in self.dated.windows(state, cell):
                begin_ms = window[1].start_ms
                if begin_ms <= as_of:
                    windows.add(window)
                else:
                    # What is forecast is told when its interval begins, the long ones before the cell itself.
                    state.future_cells[cell] = min(begin_ms, state.future_cells.get(cell, begin_ms))
        state.changed_cells = set()
        for name, span in sorted(windows):
            if not self._given_up(span.start_ms):
                record = self._span_record(state, name, span)
                if record is not None:
                    yield record

    def _span_record(self, state: ScopeState, name: str, span: Span) -> tuple[str, bytes] | None:
        """Return key and record of an interval or day if it says something new."""
        sums = state.cells.sums(span)
        final = self._is_final(state, span, sums)
        key = f"{state.window_key(name)}|{span.start_ms}"
        # Looked at once it is settled, when forecasts are held against it, and then when it may be final.
        due = span.end_ms + self._settle_ms + (settles_later_ms(sums) if self.is_over(span) else 0)
        if final or (self.complete_through is not None and due <= self.complete_through):
            self._unsettled.drop(key)  # only what is booked in it can still change it
        else:
            self._unsettled.put(key, ProvisionalWindow(state, name, span, due))
        return self._window_record(state, name, span, sums, final=final, trailing=False)

    def _complete(self) -> Iterator[tuple[str, bytes | None]]:
        """Publish windows that have settled or become final; once a minute of event time, give up those too old."""
        if self.complete_through is None:
            return
        for state, name, span, _ in self._unsettled.due(self.complete_through):
            if not self._given_up(span.start_ms):
                record = self._span_record(state, name, span)
                if record is not None:
                    yield record
        through = self.complete_through - self.complete_through % 60_000
        if self._completed_to is not None and through <= self._completed_to:
            return
        self._completed_to = through
        if self._keep_ms is None:
            return
        # An interval or day stays published for a day longer than it is computed.
        for key in self._published.give_up(through - self._keep_ms - _STAY_MS):
            yield key, None
        for state in self.scopes.values():
            state.compact(through)
            for cells in (state.cells, state.outcome_cells):
                cells.forget(through - self._keep_ms)

    def _sources(self) -> tuple[dict[str, int], list[str]]:
        """Return the last sign of life of every source, and those that are stale wherever they are known."""
        sources: dict[str, int] = {}
        fresh: set[str] = set()
        for progress in self._progress.values():
            for source, received in progress["sources"].items():
                sources[source] = max(received, sources.get(source, received))
            fresh.update(set(progress["sources"]) - set(progress["stale_sources"]))
        return sources, sorted(set(sources) - fresh)

    def _quarantined(self) -> dict[str, dict[str, Any]]:
        """Return the sources that are quarantined somewhere: since when first and why then, on how many partitions, how many records."""
        found: dict[str, dict[str, Any]] = {}
        for origin in sorted(self._progress):
            for source, told in self._progress[origin].get("quarantined_sources", {}).items():
                first = found.setdefault(source, {"reason": told["reason"], "since": told["since_ms"], "partitions": 0, "records": 0})
                if told["since_ms"] < first["since"]:
                    first["since"], first["reason"] = told["since_ms"], told["reason"]
                first["partitions"] += 1
                first["records"] += told["records"]
        return {source: {**each, "since": format_ms(each["since"])} for source, each in sorted(found.items())}

    def _beyond_limits(self) -> dict[str, dict[str, int]]:
        """Return how much of each source was beyond its limits, by kind, on all source partitions."""
        found: dict[str, dict[str, int]] = {}
        for told in self._progress.values():
            for source, counts in told.get("beyond_limits", {}).items():
                add_counts(found.setdefault(source, {}), counts)
        return {source: dict(sorted(counts.items())) for source, counts in sorted(found.items())}

    def _journals(self) -> dict[str, str]:
        """Return how far each journal is complete: as far as on the partition where it is least."""
        found: dict[str, int] = {}
        for told in self._progress.values():
            for source, complete in told.get("journals", {}).items():
                found[source] = min(complete, found.get(source, complete))
        return {source: format_ms(complete) for source, complete in sorted(found.items())}

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


def _goes_back(before: Mapping[str, Any] | None, after: Mapping[str, Any]) -> bool:
    """Say whether a source partition has come less far than it had."""
    names = ("progress_ms", "received_through_ms")
    return before is not None and any((after[name] or 0) < (before[name] or 0) for name in names)
